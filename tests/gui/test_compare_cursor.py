"""The cursor over compared runs: what it reads, with the mouse and the keyboard, and where there is no room."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSlider
from pytestqt.qtbot import QtBot

from engine.runs.store import RunStore
from gui.compare_panel import ComparePanel
from gui.compare_readout import Readout
from gui.run_colors import run_color
from gui.series import SMOOTHING
from gui.theme import DARK, LIGHT
from tests.engine.runs import toy_config
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import move_mouse
from tests.gui.test_compare_panel import axis_box, cells, plot, press, record


@pytest.fixture
def store(learnscope_home: Path) -> Iterator[RunStore]:
    with RunStore(learnscope_home) as opened:
        yield opened


@pytest.fixture
def panel(qtbot: QtBot, store: RunStore) -> ComparePanel:
    """Three runs whose losses are 1 − 0.01, 0.015 and 0.02 a step, single batches as they are."""
    for rate, fall in ((0.1, 0.01), (0.2, 0.015), (0.3, 0.02)):
        record(store, rate=rate, seed=0, fall=fall)
    bench = FakeBench(toy_config())
    bench.store = store
    made = ComparePanel(bench, DARK)
    made.resize(700, 700)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.prepare({"runs": [1, 2, 3]})
    slider(made).setValue(0)
    return made


def slider(panel: ComparePanel) -> QSlider:
    found = panel.findChild(QSlider, "compare_smoothing")
    assert isinstance(found, QSlider)
    return found


def read(panel: ComparePanel, measure: str = "loss") -> list[tuple[str, str]]:
    """What the box beside the cursor says."""
    box = plot(panel, measure).viewport().findChild(Readout)
    assert isinstance(box, Readout)
    return [(row.label, row.text) for row in box.rows] if box.isVisible() else []


def column(panel: ComparePanel, title: str) -> list[str]:
    headings, *rows = cells(panel)
    return [row[headings.index(title)] for row in rows]


def point_at(panel: ComparePanel, x: float, measure: str = "loss") -> None:
    target = plot(panel, measure)
    area = target.area
    pixel = area.left() + (x - target.x_range.low) / target.x_range.span * area.width()
    move_mouse(target.viewport(), QPoint(round(pixel), round(area.center().y())))


def test_without_a_cursor_the_table_tells_the_last_values(panel: ComparePanel) -> None:
    assert column(panel, "Training loss") == ["0.6000", "0.4000", "0.2000"]
    assert read(panel) == []


def test_the_mouse_reads_all_runs_in_both_plots_and_the_table(panel: ComparePanel) -> None:
    point_at(panel, 20)
    assert read(panel) == [("1", "0.8000"), ("2", "0.7000"), ("3", "0.6000")]  # as the lines stand
    assert read(panel, "accuracy") == [("3", "40.00\u2009%"), ("2", "30.00\u2009%"), ("1", "20.00\u2009%")]
    assert column(panel, "Training loss") == ["0.8000", "0.7000", "0.6000"]
    assert column(panel, "Training accuracy") == ["20.00\u2009%", "30.00\u2009%", "40.00\u2009%"]
    cursor = plot(panel, "loss")._cursor
    assert cursor is not None
    assert [role for role, _, _ in cursor.points] == [run_color(run, DARK) for run in (1, 2, 3)]
    assert cursor.label == "step 20"
    assert panel._plots.titles["loss"].text() == "Training loss · step 20"
    plot(panel, "loss").cursor_wanted.emit(None)  # the mouse leaves
    assert read(panel) == []
    assert column(panel, "Training loss") == ["0.6000", "0.4000", "0.2000"]


def test_the_arrow_keys_move_the_cursor(panel: ComparePanel, qtbot: QtBot) -> None:
    target = plot(panel, "loss")
    panel.activateWindow()
    target.setFocus()
    qtbot.waitUntil(target.hasFocus)
    for _ in range(8):
        QTest.keyClick(target, Qt.Key.Key_Left)
    before = column(panel, "Training loss")
    assert read(panel)
    for _ in range(30):
        QTest.keyClick(target, Qt.Key.Key_Right)
    assert float(column(panel, "Training loss")[0]) < float(before[0])


def test_what_has_not_begun_or_has_ended_is_not_read(panel: ComparePanel, store: RunStore) -> None:
    short = record(store, rate=0.4, seed=0, fall=0.001, steps=20)
    panel.prepare({"runs": [1, short]})
    point_at(panel, 30)
    assert [label for label, _ in read(panel)] == ["1"]
    assert column(panel, "Training loss") == ["0.7000", ""]


def test_a_run_that_is_not_drawn_is_read_in_the_table_alone(panel: ComparePanel) -> None:
    item = panel._table.item(0, 0)
    assert item is not None
    item.setCheckState(Qt.CheckState.Unchecked)
    point_at(panel, 20)
    assert [label for label, _ in read(panel)] == ["2", "3"]
    assert column(panel, "Training loss")[0] == "0.8000"


def test_the_mean_of_seeds_is_read_with_its_deviation(panel: ComparePanel, store: RunStore) -> None:
    alike = [record(store, rate=0.5, seed=seed, fall=fall) for seed, fall in ((1, 0.01), (2, 0.02))]
    panel.prepare({"runs": [1, *alike]})
    press(panel, "compare_seeds")
    point_at(panel, 20)
    assert read(panel) == [("1", "0.8000"), ("mean of 2", "0.7000")]
    assert column(panel, "Training loss") == ["0.8000", "0.7000 ± 0.1414", "0.8000", "0.6000"]


def test_what_has_no_room_is_counted(panel: ComparePanel) -> None:
    panel.resize(400, 240)
    point_at(panel, 20)
    box = plot(panel, "loss").viewport().findChild(Readout)
    assert isinstance(box, Readout)
    assert plot(panel, "loss").area.contains(box.geometry())
    assert len(box.rows) + box.left_out == 3
    assert box.left_out


@pytest.mark.parametrize(("x", "right"), [(5, True), (35, False)])
def test_the_box_stands_where_there_is_more_room(panel: ComparePanel, x: int, right: bool) -> None:
    point_at(panel, x)
    box = plot(panel, "loss").viewport().findChild(Readout)
    assert isinstance(box, Readout)
    area = plot(panel, "loss").area
    assert (box.geometry().center().x() > area.left() + area.width() * x / 40) is right


def test_the_cursor_goes_with_another_axis(panel: ComparePanel) -> None:
    point_at(panel, 20)
    axis_box(panel).setCurrentText("Epoch")
    assert read(panel) == []
    point_at(panel, 0.5)
    cursor = plot(panel, "loss")._cursor
    assert cursor is not None
    assert cursor.label.startswith("epoch 0.5")
    panel.set_theme(LIGHT)
    assert read(panel)


def test_smoothing_is_chosen_for_training_curves_alone(panel: ComparePanel) -> None:
    slider(panel).setValue(SMOOTHING.index(0.5))
    average = 0.0
    for step in range(1, 41):
        average = 0.5 * average + 0.5 * (1 - 0.01 * step)
    assert plot(panel, "loss").traces[0].low[-1] == pytest.approx(average / (1 - 0.5**40))
    rows = csv.DictReader(io.StringIO(panel.curves_csv().decode()))
    saved = [
        float(row["value"]) for row in rows if (row["run"], row["curve"], row["step"]) == ("1", "train_loss", "40")
    ]
    assert saved == pytest.approx([average / (1 - 0.5**40)])
    press(panel, "compare_source_test")
    assert not slider(panel).isEnabled()
    assert "only training curves" in slider(panel).toolTip()
    assert column(panel, "Test loss") == ["0.8000", "0.7000", "0.6000"]
