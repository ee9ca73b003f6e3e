"""Runs over each other: what is drawn, what is said, what is saved."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QTableWidget, QToolButton
from pytestqt.qtbot import QtBot

from engine.errors import InputError
from engine.events import EpochFinished, Evaluated, Finished, Started, StepFinished
from engine.runs.store import RunStore
from gui.compare_bar import CompareBar
from gui.compare_panel import ComparePanel
from gui.plotting.plot import Plot
from gui.run_colors import run_color, run_dashes
from gui.theme import DARK, LIGHT
from tests.engine.runs import toy_config
from tests.gui.fake_bench import FakeBench

STEPS = 40


def record(store: RunStore, *, rate: float, seed: int, fall: float, steps: int = STEPS) -> int:
    """A run of two epochs whose loss falls as 1 − `fall` · step and whose test accuracy ends at `fall` · 20."""
    config = toy_config(optimizer__learning_rate=rate, training__seed=seed, training__epochs=2)
    per_epoch = steps // 2
    with store.record(config) as recorder:
        recorder.put(
            Started("CPU", 1, "contiguous", "float32", 42, 10, per_epoch, steps, 10 * per_epoch, "mlp", "gaussians")
        )
        recorder.put(Evaluated(0, 1.0, 0.5, None, None, 0.0))
        for step in range(1, steps + 1):
            measured = fall * step if step % 10 == 0 else None
            recorder.put(StepFinished(step, 1 + (step - 1) // per_epoch, 1 - fall * step, rate, step / 10, measured))
            if step % per_epoch == 0:
                accuracy = fall * step / 2
                recorder.put(
                    EpochFinished(step // per_epoch, step, 0.5, 1 - accuracy, accuracy, None, None, rate, step / 10)
                )
        recorder.put(Finished("completed", steps, 2, steps / 10, 1000.0))
    assert recorder.run_id is not None
    return recorder.run_id


@pytest.fixture
def store(learnscope_home: Path) -> Iterator[RunStore]:
    with RunStore(learnscope_home) as opened:
        yield opened


@pytest.fixture
def panel(qtbot: QtBot, store: RunStore) -> ComparePanel:
    bench = FakeBench(toy_config())
    bench.store = store
    made = ComparePanel(bench, DARK)
    made.resize(600, 700)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def plot(panel: ComparePanel, measure: str) -> Plot:
    found = panel.findChild(Plot, f"compare_{measure}")
    assert isinstance(found, Plot)
    return found


def cells(panel: ComparePanel) -> list[list[str]]:
    """The table, headings first."""
    table = panel.findChild(QTableWidget, "compare_table")
    assert isinstance(table, QTableWidget)
    columns = range(table.columnCount())
    headings = [table.horizontalHeaderItem(column) for column in columns]
    rows = [[table.item(row, column) for column in columns] for row in range(table.rowCount())]
    return [[item.text() if item is not None else "" for item in line] for line in (headings, *rows)]


def press(panel: ComparePanel, name: str) -> None:
    button = panel.findChild(QPushButton, name) or panel.findChild(QToolButton, name)
    assert isinstance(button, QPushButton | QToolButton)
    button.click()


def axis_box(panel: ComparePanel) -> QComboBox:
    box = panel.findChild(QComboBox, "compare_x")
    assert isinstance(box, QComboBox)
    return box


def message(panel: ComparePanel) -> str:
    label = panel.findChild(QLabel, "compare_message")
    assert isinstance(label, QLabel)
    return label.text() if label.isVisible() else ""


def test_an_empty_panel_says_where_runs_come_from(panel: ComparePanel) -> None:
    assert "history" in message(panel)
    save = panel.findChild(QToolButton, "compare_save")
    assert isinstance(save, QToolButton)
    assert not save.isEnabled()


def test_each_run_is_a_line_in_its_own_colour_and_dashes(panel: ComparePanel, store: RunStore) -> None:
    runs = [record(store, rate=0.1, seed=0, fall=0.01), record(store, rate=0.2, seed=0, fall=0.02)]
    panel.prepare({"runs": runs})
    press(panel, "compare_source_test")
    traces = plot(panel, "loss").traces
    assert [(t.name, t.color, t.dashes) for t in traces] == [
        (str(run), run_color(run, DARK), run_dashes(run)) for run in runs
    ]
    assert traces[0].color != traces[1].color
    assert traces[0].dashes != traces[1].dashes
    assert traces[1].x.tolist() == [0, 20, 40]
    assert traces[1].low.tolist() == pytest.approx([1.0, 0.8, 0.6])
    assert plot(panel, "accuracy").traces[0].low.tolist() == pytest.approx([0.5, 0.1, 0.2])
    panel.set_theme(LIGHT)
    assert plot(panel, "loss").traces[0].color == run_color(runs[0], LIGHT)


def test_training_curves_are_moving_averages_of_all_batches(panel: ComparePanel, store: RunStore) -> None:
    run = record(store, rate=0.1, seed=0, fall=0.01)
    panel.prepare({"runs": [run]})
    [trace] = plot(panel, "loss").traces
    weight, average, expected = 0.98, 0.0, []
    for step in range(1, STEPS + 1):
        average = weight * average + (1 - weight) * (1 - 0.01 * step)
        expected.append(average / (1 - weight**step))
    assert trace.low.tolist() == pytest.approx(expected)


def test_the_table_tells_figures_and_what_differs(panel: ComparePanel, store: RunStore) -> None:
    runs = [record(store, rate=0.1, seed=0, fall=0.01), record(store, rate=0.2, seed=0, fall=0.02)]
    panel.prepare({"runs": runs})
    headings, first, second = cells(panel)
    assert headings == [
        "Run",
        "Training loss",
        "Training accuracy",
        "Best test accuracy",
        "Final test accuracy",
        "Steps",
        "Time",
        "Learning rate",
    ]
    assert first[3:] == ["50.00\u2009%", "20.00\u2009%", "40", "0:04", "0.1"]
    assert second[4:] == ["40.00\u2009%", "40", "0:04", "0.2"]


def test_runs_that_differ_in_the_seed_alone_become_a_mean_with_a_band(panel: ComparePanel, store: RunStore) -> None:
    falls = (0.01, 0.012, 0.014)
    alike = [record(store, rate=0.1, seed=seed, fall=fall) for seed, fall in enumerate(falls)]
    other = record(store, rate=0.2, seed=0, fall=0.02)
    panel.prepare({"runs": [*alike, other]})
    press(panel, "compare_source_test")
    press(panel, "compare_seeds")
    band, mean, single = plot(panel, "loss").traces
    assert (band.style, band.name, single.name) == ("area", "band 1+2+3", str(other))
    ends = np.array([1 - fall * STEPS / 2 for fall in falls])
    assert mean.low[-1] == pytest.approx(ends.mean())
    assert band.low[-1] == pytest.approx(ends.mean() - ends.std(ddof=1))
    assert band.high[-1] == pytest.approx(ends.mean() + ends.std(ddof=1))
    group = cells(panel)[1]
    assert group[0] == "Two Gaussians · Multilayer perceptron · Adam 0.1, mean of 3 seeds"
    assert group[4] == "24.00 ± 4.00\u2009%"
    assert group[-1] == "3 values"


def test_a_mean_is_called_after_what_the_names_of_its_runs_share_else_after_their_set_up(
    panel: ComparePanel, store: RunStore
) -> None:
    runs = [record(store, rate=0.1, seed=seed, fall=0.01) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        store.rename(run, f"seed {seed}")
    panel.prepare({"runs": runs})
    press(panel, "compare_seeds")
    assert cells(panel)[1][0].startswith("Two Gaussians ·")
    for names, title in ((("best", "best"), "best"), (("sgd, seed 0", "sgd, seed 1"), "sgd")):
        for run, name in zip(runs, names, strict=True):
            store.rename(run, name)
        panel.prepare({"runs": runs})
        assert cells(panel)[1][0] == f"{title}, mean of 2 seeds"


def test_where_it_is_narrow_the_smoothing_goes_without_its_number(
    panel: ComparePanel, store: RunStore, qtbot: QtBot
) -> None:
    panel.prepare({"runs": [record(store, rate=0.1, seed=0, fall=0.01)]})
    bar = panel.findChild(CompareBar)
    assert isinstance(bar, CompareBar)
    for width in (480, 300):
        panel.resize(width, panel.height())
        qtbot.waitUntil(lambda width=width: bar.width() == width)  # type: ignore[misc]
        assert bar._weight.isVisibleTo(bar) == (width == 480)


def test_without_such_runs_there_is_no_mean_to_draw_and_the_button_says_so(
    panel: ComparePanel, store: RunStore
) -> None:
    panel.prepare({"runs": [record(store, rate=0.1, seed=0, fall=0.01)]})
    seeds = panel.findChild(QToolButton, "compare_seeds")
    assert isinstance(seeds, QToolButton)
    assert not seeds.isEnabled()
    assert "seed" in seeds.toolTip()


def test_a_run_that_is_not_ticked_is_not_drawn(panel: ComparePanel, store: RunStore) -> None:
    runs = [record(store, rate=rate, seed=0, fall=0.01) for rate in (0.1, 0.2)]
    panel.prepare({"runs": runs})
    table = panel.findChild(QTableWidget, "compare_table")
    assert isinstance(table, QTableWidget)
    item = table.item(0, 0)
    assert item is not None
    item.setCheckState(Qt.CheckState.Unchecked)
    assert [trace.name for trace in plot(panel, "loss").traces] == [str(runs[1])]
    item.setCheckState(Qt.CheckState.Checked)
    assert len(plot(panel, "loss").traces) == 2


def test_the_axis_counts_steps_epochs_or_seconds(panel: ComparePanel, store: RunStore) -> None:
    panel.prepare({"runs": [record(store, rate=0.1, seed=0, fall=0.01)]})
    press(panel, "compare_source_test")
    for axis, expected in (("Epoch", [0, 1, 2]), ("Seconds", [0, 2, 4]), ("Step", [0, 20, 40])):
        axis_box(panel).setCurrentText(axis)
        assert plot(panel, "loss").traces[0].x.tolist() == expected
        assert plot(panel, "loss").x_range.high == expected[-1]


def test_a_run_that_is_gone_is_named_and_the_others_are_shown(panel: ComparePanel, store: RunStore) -> None:
    run = record(store, rate=0.1, seed=0, fall=0.01)
    panel.prepare({"runs": [run, 99]})
    assert "99" in message(panel)
    assert [trace.name for trace in plot(panel, "loss").traces] == [str(run)]


@pytest.mark.parametrize("runs", ["1", [0], [True], ["1"], [1.5], {}])
def test_what_is_no_list_of_runs_is_refused(panel: ComparePanel, runs: object) -> None:
    with pytest.raises(InputError):
        panel.prepare({"runs": runs})


def test_pictures_and_numbers_are_saved(panel: ComparePanel, store: RunStore, tmp_path: Path) -> None:
    runs = [record(store, rate=0.1, seed=seed, fall=0.01) for seed in (0, 1)]
    panel.prepare({"runs": runs})
    picture = QImage.fromData(panel.picture_png())
    assert not picture.isNull()
    seen = {picture.pixelColor(x, y).name() for x in range(0, picture.width(), 2) for y in range(picture.height())}
    assert {run_color(run, DARK).lower() for run in runs} <= seen
    assert b"<svg" in panel.picture_svg()
    curves = list(csv.DictReader(io.StringIO(panel.curves_csv().decode())))
    ends = [row for row in curves if row["curve"] == "test_loss" and row["step"] == "40"]
    assert [(row["run"], float(row["value"]), row["epoch"]) for row in ends] == [("1", 0.8, "2.0"), ("2", 0.8, "2.0")]
    figures = list(csv.DictReader(io.StringIO(panel.table_csv().decode())))
    assert [(row["run"], row["training.seed"], float(row["test_accuracy"])) for row in figures] == [
        ("1", "0", 0.2),
        ("2", "1", 0.2),
    ]
    panel.save(tmp_path / "curves.csv", panel.curves_csv())
    assert (tmp_path / "curves.csv").read_bytes() == panel.curves_csv()
    panel.save(tmp_path / "nowhere" / "curves.csv", b"")
    bench = panel._bench
    assert isinstance(bench, FakeBench)
    assert bench.said[0].startswith("Saved")
    assert "could not be written" in bench.said[1]
