"""The curves: what is drawn, what following and zooming do, what the cursor reads, what is written to files."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.events import (
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Preparing,
    Started,
    StepFinished,
)
from gui.lean import pyqtgraph
from gui.plotting.axes import RunAxis, ValueAxis
from gui.plotting.key import Key
from gui.plotting.plot import Plot
from gui.plotting.scale import Range, columns, fitted, linear_ticks, log_ticks, tick_text
from gui.plotting.trace import TraceItem, mixed
from gui.run_state import RunState
from gui.series import SMOOTHING
from gui.theme import DARK, FONT_SMALL, LIGHT
from gui.views.curves import DEFAULT_WEIGHT, CurvesView
from tests.gui.parts import move_mouse

EPOCH = 100  # steps


def started(total: int = 1_000) -> Started:
    return Started("cpu", 2, "contiguous", "float32", 61_706, 128, EPOCH, total, 12_800, "lenet5", "mnist")


def steps(first: int, last: int, loss: Callable[[int], float] = lambda i: 2.0 / i) -> list[Event]:
    return [
        StepFinished(i, (i - 1) // EPOCH + 1, loss(i), 0.1, i / 10, 0.5 if i % 10 == 0 else None)
        for i in range(first, last + 1)
    ]


FIRST = Evaluated(0, 2.3, 0.1, 2.2, 0.11, 0.0)


def epoch(number: int) -> EpochFinished:
    return EpochFinished(number, number * EPOCH, 0.9, 0.08, 0.97, 0.085, 0.975, 0.1, number * 10.0)


@pytest.fixture
def state() -> RunState:
    return RunState()


@pytest.fixture
def view(qtbot: QtBot, state: RunState) -> CurvesView:
    view = CurvesView(DARK)
    qtbot.addWidget(view)
    view.resize(620, 420)
    with qtbot.waitExposed(view):
        view.show()
    view.refresh(state)
    return view


def show(view: CurvesView, state: RunState, *events: Event) -> None:
    state.apply(events)
    view.refresh(state)


def plot(view: QWidget, name: str = "loss") -> Plot:
    found = view.findChild(Plot, f"{name}_plot")
    assert isinstance(found, Plot)
    return found


def lines(view: QWidget, name: str = "loss") -> dict[str, tuple[list[float], list[float]]]:
    """The points of the plot's curves, by their names, as pyqtgraph has them."""
    widget = view.findChild(pyqtgraph.PlotWidget, f"{name}_plot")
    assert isinstance(widget, Plot)
    return {item.name(): tuple(part.tolist() for part in item.getData()) for item in widget.listDataItems()}


def key_text(view: CurvesView, name: str = "loss") -> dict[str, str]:
    key = view.panels[name].findChild(Key)
    assert isinstance(key, Key)
    return {entry.label: entry.value for entry in key.entries}


def button(view: CurvesView, name: str) -> QToolButton:
    found = view.findChild(QToolButton, name)
    assert isinstance(found, QToolButton)
    return found


def wheel(target: Plot, place: QPoint, *, notches: int = 1) -> None:
    at = QPointF(place)
    event = QWheelEvent(
        at,
        QPointF(target.viewport().mapToGlobal(place)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target.viewport(), event)


def seen(view: CurvesView, name: str) -> tuple[dict[str, tuple[list[float], list[float]]], QImage, dict[str, str]]:
    """Lines, picture and key of a panel."""
    return lines(view, name), plot(view, name).viewport().grab().toImage(), key_text(view, name)


def has_color(image: QImage, color: str) -> bool:
    wanted = QColor(color).rgb()
    return any(image.pixel(x, y) == wanted for y in range(image.height()) for x in range(image.width()))


# What is drawn


def test_loss_and_accuracy_are_there_by_default_and_the_rate_on_demand(view: CurvesView) -> None:
    view.resize(480, 280)
    assert plot(view).isVisible()
    assert plot(view, "accuracy").isVisible()
    assert min(plot(view).height(), plot(view, "accuracy").height()) >= 60
    assert not plot(view, "learning_rate").isVisible()
    button(view, "show_learning_rate").click()
    assert plot(view, "learning_rate").isVisible()


def test_one_panel_always_stays(view: CurvesView) -> None:
    button(view, "show_accuracy").click()
    button(view, "show_loss").click()
    assert plot(view).isVisible()
    assert button(view, "show_loss").isChecked()


def test_an_empty_plot_says_what_to_do_and_what_is_going_on(view: CurvesView, state: RunState) -> None:
    assert plot(view).hint == "Press Start to see the loss"
    show(view, state, Preparing("Loading MNIST", 0.4))
    assert plot(view).hint.startswith("Loading MNIST 40")
    show(view, state, started(), *steps(1, 3))
    assert plot(view).hint == ""


def test_a_failure_before_the_first_step_is_no_blank_plot(view: CurvesView, state: RunState) -> None:
    show(view, state, Failed("input", "No such file.", 0))
    assert plot(view).hint


def test_a_regression_says_that_it_has_no_accuracy(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), StepFinished(1, 1, 0.5, 0.1, 0.1))
    assert "No accuracy" in plot(view, "accuracy").hint


def test_lines_are_told_apart_by_style_and_colour(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH), epoch(1))
    drawn = {(trace.role, trace.style) for trace in plot(view).traces}
    assert drawn == {("train", "band"), ("train", "line"), ("validation", "dashed"), ("test", "dotted")}
    picture = plot(view).grab().toImage()
    assert has_color(picture, DARK.test)


def test_what_is_drawn_are_pyqtgraph_curves_of_the_run(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH), epoch(1))
    drawn = lines(view)
    assert list(drawn) == ["batch", "train", "validation", "test"]
    assert drawn["batch"] == ([float(i) for i in range(1, EPOCH + 1)], [2.0 / i for i in range(1, EPOCH + 1)])
    assert drawn["train"][1] == pytest.approx(state.loss.smoothed(DEFAULT_WEIGHT).tolist())
    assert drawn["test"] == ([0.0, 100.0], [2.3, 0.08])
    assert drawn["validation"] == ([0.0, 100.0], [2.2, 0.085])
    assert lines(view, "accuracy")["test"] == ([0.0, 100.0], [0.1, 0.97])
    box = plot(view).getViewBox()
    assert box.viewRange() == [list(plot(view).x_range), list(plot(view).y_range)]
    assert box.autoRangeEnabled() == [False, False]
    assert box.mapViewToScene(QPointF(0, 0)).x() == plot(view).area.left()
    view.set_choices({"log": True})
    assert lines(view)["test"][1] == pytest.approx([math.log10(2.3), math.log10(0.08)])


def test_a_new_run_takes_the_old_lines_away(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH), epoch(1))
    show(view, state, started(), Evaluated(0, 2.1, 0.1, None, None, 0.0), *steps(1, 2))
    drawn = lines(view)
    assert list(drawn) == ["batch", "train", "test"]
    assert drawn["batch"] == ([1, 2], [2, 1])
    assert drawn["test"] == ([0], [2.1])


def test_a_zoomed_line_is_what_is_in_view_and_its_neighbours(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH))
    plot(view).ranges_wanted.emit(Range(39.5, 60.5), plot(view).y_range)
    assert lines(view)["batch"][0] == list(range(39, 62))
    assert lines(view, "accuracy")["batch"][0] == [30, 40, 50, 60, 70]


def test_nothing_of_pyqtgraphs_own_controls_is_left(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 10))
    target = plot(view)
    move_mouse(target.viewport(), QPoint(200, 60))
    assert not target.getPlotItem().autoBtn.isVisible()
    before = target.x_range, target.y_range
    QTest.mousePress(target.viewport(), Qt.MouseButton.RightButton, pos=QPoint(200, 60))
    move_mouse(target.viewport(), QPoint(260, 90), Qt.MouseButton.RightButton)
    QTest.mouseRelease(target.viewport(), Qt.MouseButton.RightButton, pos=QPoint(260, 90))
    assert (target.x_range, target.y_range) == before
    assert QApplication.activePopupWidget() is None


def test_a_step_redraws_the_lines_and_no_axis(
    view: CurvesView, state: RunState, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(view, state, started(), FIRST, *steps(1, 60))
    painted: list[str] = []

    def spy(kind: type, method: str) -> None:
        original = getattr(kind, method)

        def noted(self: object, *args: object) -> object:
            painted.append(kind.__name__)
            return original(self, *args)

        monkeypatch.setattr(kind, method, noted)

    spy(ValueAxis, "texts")
    spy(RunAxis, "texts")
    spy(TraceItem, "getPath")
    view.grab()
    assert set(painted) == {"ValueAxis", "RunAxis", "TraceItem"}
    painted.clear()
    show(view, state, *steps(61, 62))
    qtbot.waitUntil(lambda: len(painted) >= 4)
    assert set(painted) == {"TraceItem"}
    view.set_choices({"x": "epoch"})
    qtbot.waitUntil(lambda: "RunAxis" in painted)


def test_zooming_out_as_far_as_it_goes_keeps_axes_and_lines(view: CurvesView, state: RunState) -> None:
    view.set_choices({"log": True})
    show(view, state, started(), FIRST, *steps(1, 100))
    for notches in (-2_000, 4_000):
        wheel(plot(view), QPoint(300, 60), notches=notches)
        assert has_color(plot(view).grab().toImage(), DARK.grid)
    QTest.keyClick(plot(view), Qt.Key.Key_Home)
    assert view.following


def test_a_value_alone_between_gaps_is_a_dot(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 3, lambda i: 0.5 if i == 2 else math.nan))
    view.set_choices({"smoothing": 0.0})
    (item,) = (item for item in plot(view).listDataItems() if item.name() == "train")
    item.hide()
    faint = mixed(QColor(DARK.train), QColor(DARK.panel)).name()
    assert has_color(plot(view).grab().toImage(), faint)


def test_a_run_without_validation_shows_none(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), Evaluated(0, 2.3, 0.1, None, None, 0.0), *steps(1, 5))
    assert "validation" not in {trace.role for trace in plot(view).traces}
    assert "validation" not in key_text(view)


def test_smoothing_is_chosen_with_the_slider_and_its_weight_is_shown(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 50, lambda i: float(i % 2)))
    view.set_choices({"smoothing": 0.0})
    raw = next(t for t in plot(view).traces if t.style == "line").low
    assert raw.tolist() == state.loss.smoothed(0).tolist()
    view.set_choices({"smoothing": 0.99})
    smooth = next(t for t in plot(view).traces if t.style == "line").low
    assert smooth.tolist() == state.loss.smoothed(SMOOTHING.index(0.99)).tolist()
    assert np.ptp(smooth[10:]) < 0.2 < np.ptp(raw[10:])


def test_interventions_are_marked(view: CurvesView, state: RunState) -> None:
    change = Intervened(20, "learning_rate", "0.001", "0.0001")
    show(view, state, started(), *steps(1, 20), change, *steps(21, 40))
    assert [(mark.x, mark.label) for mark in plot(view).marks] == [(20.0, "learning rate 0.001 → 0.0001")]
    view.set_choices({"x": "seconds"})
    assert [mark.x for mark in plot(view).marks] == [2.0]


def test_the_theme_can_change_while_it_is_shown(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 10))
    view.set_theme(LIGHT)
    assert plot(view).grab().toImage().pixelColor(2, 2) == QColor(LIGHT.panel)


def test_a_hidden_view_draws_nothing_until_it_is_shown_again(view: CurvesView, state: RunState) -> None:
    view.hide()
    show(view, state, started(), *steps(1, 10))
    assert not plot(view).traces
    view.show()
    assert plot(view).traces


def test_gaps_and_losses_that_are_no_numbers_are_drawn_around(view: CurvesView, state: RunState) -> None:
    odd = {5: math.nan, 6: math.inf, 7: -math.inf}
    show(view, state, started(), *steps(1, 20, lambda i: odd.get(i, 1.0)))
    view.set_choices({"log": True})
    assert not plot(view).grab().isNull()
    assert math.isfinite(plot(view).y_range.span)
    show(view, state, *steps(21, 22, lambda _: math.nan))
    assert key_text(view)["batch"] == "nan"


# Following, zooming, panning


def test_axes_grow_in_few_steps(view: CurvesView, state: RunState) -> None:
    show(view, state, started(1_000), FIRST)
    ranges = set()
    for i in range(1, 1_001):
        show(view, state, *steps(i, i))
        ranges.add((plot(view).x_range, plot(view).y_range))
        assert plot(view).x_range.low == 0.0
        assert i <= plot(view).x_range.high <= 1_000
    assert len(ranges) <= 16
    assert plot(view).x_range == Range(0.0, 1_000.0)


def test_all_values_are_in_view_while_following(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 30))
    show(view, state, *steps(31, 31, lambda _: 40.0))
    assert plot(view).y_range.high >= 40.0
    assert plot(view).y_range.low <= 2.0 / 30


def test_zoom_stays_when_data_arrive_and_follow_ends_it(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    assert view.following
    assert not button(view, "curves_follow").isEnabled()
    before = plot(view).x_range.span
    wheel(plot(view), QPoint(300, 60))
    zoomed = plot(view).x_range, plot(view).y_range
    assert zoomed[0].span < before
    assert plot(view, "accuracy").x_range == zoomed[0]
    show(view, state, *steps(101, 900, lambda _: 50.0))
    assert (plot(view).x_range, plot(view).y_range) == zoomed
    assert not view.following
    button(view, "curves_follow").click()
    assert view.following
    assert plot(view).x_range.high >= 900
    assert plot(view).y_range.high >= 50


def test_dragging_moves_the_view(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    before = plot(view).x_range
    place = QPoint(300, 60)
    QTest.mousePress(plot(view).viewport(), Qt.MouseButton.LeftButton, pos=place)
    move_mouse(plot(view).viewport(), place + QPoint(-60, 0), Qt.MouseButton.LeftButton)
    move_mouse(plot(view).viewport(), place + QPoint(-120, 0), Qt.MouseButton.LeftButton)
    QTest.mouseRelease(plot(view).viewport(), Qt.MouseButton.LeftButton, pos=place + QPoint(-120, 0))
    moved = plot(view).x_range
    assert moved.low > before.low
    assert moved.span == pytest.approx(before.span)
    QTest.mouseDClick(plot(view).viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert view.following


def test_a_click_alone_moves_nothing(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    QTest.mouseClick(plot(view).viewport(), Qt.MouseButton.LeftButton, pos=QPoint(300, 60))
    assert view.following


def test_keys_zoom_move_and_follow(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    whole = plot(view).x_range
    QTest.keyClick(plot(view), Qt.Key.Key_Plus)
    assert plot(view).x_range.span < whole.span
    low = plot(view).x_range.low
    QTest.keyClick(plot(view), Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert plot(view).x_range.low > low
    QTest.keyClick(plot(view), Qt.Key.Key_Home)
    assert view.following


def test_the_next_run_is_followed_again(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    wheel(plot(view), QPoint(300, 60))
    show(view, state, started(), *steps(1, 3))
    assert view.following
    assert plot(view).x_range.low == 0.0


def test_a_zoomed_stretch_keeps_its_place_on_another_axis(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 400))
    plot(view).ranges_wanted.emit(Range(100.0, 200.0), plot(view).y_range)
    view.set_choices({"x": "epoch"})
    assert plot(view).x_range == pytest.approx((1.0, 2.0))
    view.set_choices({"x": "seconds"})
    assert plot(view).x_range == pytest.approx((10.0, 20.0))


def test_a_finished_run_fills_the_plot(view: CurvesView, state: RunState) -> None:
    show(view, state, started(1_000), FIRST, *steps(1, 120), Finished("stopped", 120, 2, 12.0, 100.0))
    assert plot(view).x_range == Range(0.0, 120.0)


def test_zooming_to_the_extreme_breaks_nothing(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 100))
    for notches in (200, -400):
        for _ in range(30):
            wheel(plot(view), QPoint(300, 60), notches=notches)
        assert plot(view).x_range.span > 0
        assert not plot(view).grab().isNull()


# Logarithmic axis


def test_a_logarithmic_axis_shows_the_decades(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 100, lambda i: 10.0 ** (-i / 25)))
    button(view, "curves_log").click()
    assert plot(view).log
    assert not plot(view, "accuracy").log
    assert plot(view).y_range.low <= -4 < -0.04 <= plot(view).y_range.high < 1


def test_a_loss_of_zero_is_drawn_at_the_bottom_and_noted(view: CurvesView, state: RunState) -> None:
    view.set_choices({"log": True, "smoothing": 0.0})
    show(view, state, started(), *steps(1, 20, lambda i: 0.0 if i > 10 else 1.0 / i))
    assert math.isfinite(plot(view).y_range.low)
    assert "0 and below" in plot(view).note
    assert not plot(view).grab().isNull()
    view.set_choices({"log": False})
    assert plot(view).note == ""


def test_a_loss_of_nothing_but_zero_can_be_logarithmic(view: CurvesView, state: RunState) -> None:
    view.set_choices({"log": True})
    show(view, state, started(), *steps(1, 5, lambda _: 0.0))
    assert not plot(view).grab().isNull()


# Cursor


def test_the_cursor_reads_the_exact_values_of_the_nearest_step(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH), epoch(1))
    view.set_choices({"smoothing": 0.0})
    assert key_text(view)["test"] == "0.0800"
    x, area = 40.0, plot(view).area
    pixel = area.left() + area.width() * x / plot(view).x_range.high
    move_mouse(plot(view).viewport(), QPoint(round(pixel), 50))
    assert key_text(view)["batch"] == f"{2.0 / 40:.4f}"
    text = key_text(view)
    assert text["train"] == text["batch"]
    assert text["test"] == "2.3000"  # of the evaluation nearest to step 40, the first one
    assert key_text(view, "accuracy")["validation"].startswith("11.00")


def test_the_arrow_keys_move_the_cursor(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 100, float))
    seen = []
    for _ in range(3):
        QTest.keyClick(plot(view), Qt.Key.Key_Left)
        seen.append(float(key_text(view)["batch"]))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] < 100


def test_without_a_cursor_the_latest_values_are_read(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), *steps(1, 100, float))
    assert key_text(view)["batch"] == "100.0000"
    show(view, state, *steps(101, 101, float))
    assert key_text(view)["batch"] == "101.0000"


def test_a_bucket_reads_as_a_span(view: CurvesView, state: RunState) -> None:
    show(view, state, started(10_000), *steps(1, 6_000, float))
    assert key_text(view)["batch"].count("…") == 1


# Files


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # the offscreen platform, for every menu
def test_the_menu_opens_by_mouse_and_by_key_and_has_only_what_works(view: CurvesView) -> None:
    menu = view.findChild(QMenu, "curves_export_menu")
    assert isinstance(menu, QMenu)
    labels = [action.text() for action in menu.actions() if action.text()]
    assert labels == ["Save picture as PNG…", "Save picture as SVG…", "Save numbers as CSV…", "Log", "Follow"]
    for reason in (QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard):
        place = QPoint(100, 50)
        target = plot(view) if reason == QContextMenuEvent.Reason.Keyboard else plot(view).viewport()
        QApplication.sendEvent(target, QContextMenuEvent(reason, place, target.mapToGlobal(place)))
        assert menu.isVisible()
        menu.close()
    button(view, "curves_menu").click()
    assert menu.isVisible()
    menu.close()


def test_a_picture_is_what_is_shown(view: CurvesView, state: RunState, tmp_path: Path) -> None:
    show(view, state, started(), FIRST, *steps(1, EPOCH), epoch(1))
    assert view.export_png(tmp_path / "curves.png")
    image = QImage(str(tmp_path / "curves.png"))
    assert image.width() == 2 * plot(view).width()
    assert has_color(image, DARK.test)
    assert view.export_svg(tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert text.startswith("<?xml")
    assert text.count("<polyline") >= 6
    assert "Accuracy" in text
    assert "<clipPath" in text  # a zoomed line stays within its axes
    assert "<image" not in text
    words = {found.group(2): found.group(1) for found in re.finditer(r'font-size="(\d+)"[^>]*>([^<]+)</text>', text)}
    assert {"Loss", "Accuracy", "50", "step", "0.5", "0.0800"} <= {word.strip() for word in words}
    assert set(words.values()) == {str(FONT_SMALL)}


def test_the_numbers_are_all_there(view: CurvesView, state: RunState, tmp_path: Path) -> None:
    change = Intervened(40, "learning_rate", "0.1", "0.01")
    show(view, state, started(), FIRST, *steps(1, EPOCH), change, epoch(1))
    view.set_choices({"smoothing": 0.9})
    assert view.export_csv(tmp_path / "curves.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "curves.csv").read_text(encoding="utf-8"))))
    assert [int(row["step"]) for row in rows] == list(range(EPOCH + 1))
    assert rows[0]["train_loss_last"] == ""
    assert float(rows[0]["test_loss"]) == 2.3
    row = rows[40]
    assert [float(row[f"train_loss_{which}"]) for which in ("min", "max", "mean", "last")] == [2.0 / 40] * 4
    assert float(row["train_loss_smoothed_0.9"]) == state.loss.smoothed(SMOOTHING.index(0.9))[39]
    assert (float(row["epoch"]), float(row["seconds"]), float(row["learning_rate"])) == (0.4, 4.0, 0.1)
    assert row["intervention"] == "learning_rate 0.1 → 0.01"
    assert float(row["train_accuracy_last"]) == 0.5
    assert float(rows[EPOCH]["validation_accuracy"]) == 0.975
    assert float(rows[EPOCH]["epoch_train_loss"]) == 0.9


def test_numbers_of_no_run_are_a_header(view: CurvesView, tmp_path: Path) -> None:
    assert view.export_csv(tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("kind", ["png", "svg", "csv"])
def test_a_file_that_cannot_be_written_is_one_sentence(
    view: CurvesView, state: RunState, qtbot: QtBot, tmp_path: Path, kind: str
) -> None:
    show(view, state, started(), *steps(1, 10))
    export = {"png": view.export_png, "svg": view.export_svg, "csv": view.export_csv}[kind]
    with qtbot.waitSignal(view.export_failed) as failed:
        assert not export(tmp_path / "missing" / f"curves.{kind}")
    sentence = failed.args[0]
    assert f"curves.{kind}" in sentence
    assert "no such file" in sentence
    assert "Traceback" not in sentence


def test_a_full_disk_leaves_the_old_file(
    view: CurvesView, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "curves.csv"
    old.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with qtbot.waitSignal(view.export_failed) as failed:
        assert not view.export_csv(old)
    assert "no space left" in failed.args[0]
    assert old.read_text() == "old"
    assert list(tmp_path.glob("*.tmp")) == []


# Choices


def test_choices_come_back(view: CurvesView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.choices_changed):
        view.set_choices({"x": "epoch", "log": True, "smoothing": 0.98, "show_accuracy": False, "show_loss": True})
    other = CurvesView(LIGHT)
    qtbot.addWidget(other)
    other.set_choices(view.choices())
    assert other.choices() == view.choices()
    assert other.choices()["smoothing"] == 0.98


def test_choices_that_make_no_sense_are_passed_over(view: CurvesView) -> None:
    before = view.choices()
    view.set_choices({"x": 7, "log": "maybe", "smoothing": [], "show_loss": None, "unknown": 1})
    assert view.choices() == before


# A run of any length


def test_five_million_steps_are_drawn_from_a_bounded_number_of_points(view: CurvesView, state: RunState) -> None:
    state.apply([started(5_000_000), FIRST])
    number = np.arange(1, 5_000_001)
    for part in np.array_split(number, 10):
        state.learning_rate.extend(part, np.full(len(part), 0.1), part / 1e3)
    state.apply(steps(1, 5_000))
    view.refresh(state)
    button(view, "show_learning_rate").click()
    for name in ("loss", "learning_rate"):
        assert all(len(trace.x) <= 4096 for trace in plot(view, name).traces)
        assert not plot(view, name).grab().isNull()


# Scales


@pytest.mark.parametrize("shown", [Range(0, 1), Range(0, 1e6), Range(3, 3.001), Range(-2.5, 7), Range(0, 1e-8)])
def test_ticks_are_few_round_and_in_view(shown: Range) -> None:
    ticks = linear_ticks(shown, 5)
    assert 2 <= len(ticks) <= 6
    assert all(shown.low - shown.span * 1e-6 <= tick <= shown.high + shown.span * 1e-6 for tick in ticks)


@pytest.mark.parametrize(
    "shown",
    [Range(-4, 1), Range(-0.3, 0.2), Range(-30, 2), Range(0, 1), Range(-1.2, -0.4), Range(-1e6, 1e7)],
)
def test_logarithmic_ticks_are_few_and_in_view(shown: Range) -> None:
    ticks = log_ticks(shown, 5)
    assert 2 <= len(ticks) <= 7
    assert all(shown.low - 1e-6 <= tick <= shown.high + 1e-6 for tick in ticks)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (60_000, 10_000, "60\u2009000"),
        (0.25, 0.05, "0.25"),
        (0, 1, "0"),
        (1e-6, 1e-6, "1e−6"),
        (2e9, 1e9, "2e9"),
        (-3, 1, "−3"),
    ],
)
def test_tick_text(value: float, step: float, text: str) -> None:
    assert tick_text(value, step) == text


def test_reduction_keeps_extremes_and_order() -> None:
    rng = np.random.default_rng(0)
    x, y = np.linspace(0, 300, 20_000), rng.normal(size=20_000)
    y[7_777] = 99.0
    px, py = columns(x, y, y, origin=0.0, pixel=1.0)
    assert len(px) <= 2 * 301
    assert (np.diff(px) >= 0).all()
    assert (py.max(), py.min()) == (y.max(), y.min())


def test_a_fitted_range_stays_while_it_fits() -> None:
    first = fitted(None, 0.1, 2.3, log=False)
    assert first.low == 0
    assert fitted(first, 0.05, 2.2, log=False) == first
    assert fitted(first, 0.05, 0.4, log=False).high < 0.6
    assert fitted(first, 0.05, 9.0, log=False).high >= 9


def test_what_a_run_adds_is_painted_as_the_whole_would_be(view: CurvesView, state: RunState) -> None:
    rng = np.random.default_rng(0)
    values = 2.0 / np.arange(1, 701) ** 0.3 + 0.2 * rng.random(700)
    show(view, state, started(), FIRST, *steps(1, 690, lambda i: float(values[i - 1])))
    show(view, state, *steps(691, 700, lambda i: float(values[i - 1])))
    for name in ("loss", "accuracy"):
        viewport = plot(view, name).viewport()
        whole = viewport.grab().toImage()
        area = plot(view, name).area.toAlignedRect()
        for left in (0, 120, 300, area.width() - 30):
            part = area.adjusted(left, 0, 0, 0)
            painted, expected = pixels(viewport.grab(part).toImage()), pixels(whole.copy(part))
            off = np.abs(painted - expected).max(axis=2)
            assert np.count_nonzero(off) < 0.001 * off.size, f"{name} from column {left}"  # a few steep ones, rounded
            assert off[:, :4].mean() < 0.5, f"{name}: the line is cut off at column {left}"


def pixels(image: QImage) -> np.ndarray:
    """(H, W, 3) colours."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[:, :, :3].astype(int)


def test_axes_are_painted_anew_at_another_size(view: CurvesView, state: RunState, qtbot: QtBot) -> None:
    holder = QWidget()  # in which no window manager has a say
    qtbot.addWidget(holder)
    holder.resize(700, 700)
    view.setParent(holder)
    view.show()
    with qtbot.waitExposed(holder):
        holder.show()
    show(view, state, started(), FIRST, *steps(1, 40))
    for height in (420, 200, 640):
        view.resize(620, height)
        shown = view.grab().toImage()
    for name in ("loss", "accuracy"):
        for axis in (plot(view, name)._x_axis, plot(view, name)._y_axis):
            axis.setCacheMode(axis.CacheMode.NoCache)
    again = view.grab().toImage()
    view.setParent(None)  # it is closed by itself
    assert again == shown


def test_where_it_is_narrow_the_slider_goes_without_its_number(view: CurvesView) -> None:
    number = view._smooth_label
    assert number.isVisible()
    view.resize(480, 420)
    assert not number.isVisible()
    assert button(view, "show_accuracy").text() == "Acc."


def test_of_a_run_that_goes_on_all_panels_have_the_same_steps_in_view(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST)
    ranges = set()
    for step in range(1, 400):
        state.apply(steps(step, step))
        view.refresh(state, sparing=True)
        assert plot(view, "loss").x_range == plot(view, "accuracy").x_range
        ranges.add(plot(view, "loss").x_range)
    assert len(ranges) > 3


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("x", ["Step", "Epoch", "Seconds"])
@pytest.mark.parametrize("sparing", [True, False])
def test_steps_added_to_a_run_are_drawn_as_the_whole_run_would_be(
    view: CurvesView, state: RunState, sparing: bool, x: str, log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.views.curves.READABLE", 10**9)  # what is drawn seldom waits for the end
    view.set_choices({"x": x.lower(), "log": log})
    rng = np.random.default_rng(0)
    values = 2.0 / np.arange(1, 1201) ** 0.3 + 0.2 * rng.random(1200)
    show(view, state, started(1_200), FIRST, *steps(1, 3, lambda i: float(values[i - 1])))
    grown = 0
    drawn_whole = 0
    set_data = Plot.set_data

    def counted(self: Plot, *args: Any, **named: Any) -> None:
        nonlocal drawn_whole
        drawn_whole += 1
        set_data(self, *args, **named)

    monkeypatch.setattr(Plot, "set_data", counted)
    for first in range(4, 1_200, 7):
        before = drawn_whole
        state.apply(steps(first, first + 6, lambda i: float(values[i - 1])))
        view.refresh(state, sparing=sparing)
        grown += drawn_whole == before
        if first % 10 == 4:
            added = seen(view, "loss" if sparing else "accuracy")
            view._redraw()
            assert added[:2] == seen(view, "loss" if sparing else "accuracy")[:2]
            if not sparing:
                assert added[2] == key_text(view, "accuracy")
    assert grown > 100  # of 171


def test_steps_added_to_a_run_stay_when_its_plot_gets_another_size(view: CurvesView, state: RunState) -> None:
    show(view, state, started(), FIRST, *steps(1, 20))
    show(view, state, *steps(21, 30))
    view.resize(500, 300)
    for name in ("loss", "accuracy"):
        added = lines(view, name)
        view._redraw()
        assert added == lines(view, name)
        assert added["batch"][0][-1] == 30


def test_a_gap_or_a_value_out_of_view_is_drawn_at_once(
    view: CurvesView, state: RunState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.views.curves.READABLE", 10**9)
    show(view, state, started(), FIRST, *steps(1, 20))
    values = {21: 50.0, 24: math.nan, 27: 0.0, 30: 0.1}
    for first in values:
        state.apply(steps(first, first + 2, lambda i: values[i - i % 3]))
        view.refresh(state, sparing=True)
        added = lines(view)
        view._redraw()
        np.testing.assert_array_equal(added["batch"], lines(view)["batch"])
    assert plot(view).y_range.high >= 50
