"""Sigmoid and logarithm: the functions against torch, the point that is read off, what the clamp does."""

from __future__ import annotations

import math
from typing import TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.errors import InputError
from gui.functions import (
    clamped_log,
    clamped_log_slope,
    figure,
    log,
    log_slope,
    log_words,
    sigmoid,
    sigmoid_slope,
    sigmoid_words,
    single_sigmoid,
)
from gui.functions_panel import FunctionsPanel
from gui.plotting.scale import Range
from gui.spins import ScientificSpin
from gui.theme import DARK, LIGHT
from gui.views.function_plot import FunctionPlot
from tests.gui.fake_bench import FakeBench

W = TypeVar("W", bound=QWidget)
PLACES = (-800.0, -120.0, -20.0, -1.0, -1e-9, 0.0, 1e-13, 1e-12, 0.05, 0.1, 0.5, 1.0, 2.0, 37.0, 800.0)


@pytest.fixture
def panel(qtbot: QtBot) -> FunctionsPanel:
    panel = FunctionsPanel(FakeBench(), LIGHT)
    qtbot.addWidget(panel)
    panel.resize(380, 760)
    panel.show()
    return panel


def child(panel: QWidget, kind: type[W], name: str) -> W:
    found = panel.findChild(kind, name)
    assert found is not None
    return found


def spin(panel: FunctionsPanel, name: str) -> ScientificSpin:
    return child(panel, ScientificSpin, name)


def text(panel: FunctionsPanel, name: str) -> str:
    return child(panel, QLabel, name).text()


def point_at(plot: FunctionPlot, share: float) -> None:
    """The mouse moves to a share of the plot's width."""
    area = plot.area
    place = QPointF(area.left() + share * area.width(), area.center().y())
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        place,
        plot.viewport().mapToGlobal(place),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(plot.viewport(), event)


def press(plot: FunctionPlot, key: Qt.Key) -> None:
    QApplication.sendEvent(plot, QKeyEvent(QKeyEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))


def slope(function: str, x: float, clamp: float) -> tuple[float, float]:
    """Value and derivative as torch has them, in double precision."""
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    match function:
        case "sigmoid":
            value = at.sigmoid()
        case "log":
            value = at.log()
        case _:
            value = at.clamp(min=clamp).log()
    value.backward()  # type: ignore[no-untyped-call]  # torch has no types here
    assert at.grad is not None
    return value.item(), at.grad.item()


@pytest.mark.parametrize("x", PLACES)
def test_values_and_slopes_are_those_of_torch(x: float) -> None:
    assert sigmoid(x) == pytest.approx(slope("sigmoid", x, 0)[0], rel=1e-12, abs=1e-300)
    # torch's σ(1 − σ) is 0 where its 1 − σ is rounded to 0.
    assert sigmoid_slope(x) == pytest.approx(slope("sigmoid", x, 0)[1], rel=1e-3, abs=1e-15)
    if x >= 0:
        assert (log(x), log_slope(x)) == pytest.approx(slope("log", x, 0), rel=1e-12)
    else:
        assert math.isnan(log(x))
        assert math.isnan(slope("log", x, 0)[0])
        assert math.isnan(log_slope(x))
    for clamp in {1e-12, 0.1} - {x}:  # at the clamp itself there are two slopes
        expected = slope("clamped", x, clamp)
        assert (clamped_log(x, clamp), clamped_log_slope(x, clamp)) == pytest.approx(expected, rel=1e-12)


@given(st.floats())
def test_every_float_has_an_answer_in_figures_and_words(x: float) -> None:
    values = (sigmoid(x), sigmoid_slope(x), log(x), log_slope(x), clamped_log(x, 1e-12), clamped_log_slope(x, 1e-12))
    assert all(figure(value) for value in values)
    if not math.isnan(x):
        assert 0 <= sigmoid(x) <= 1
        assert clamped_log(x, 1e-12) >= math.log(1e-12)
    if math.isfinite(x):
        assert sigmoid_words(x)
        assert log_words(x, 1e-12)


@pytest.mark.parametrize("x", [-200.0, -88.0, -3.0, 0.0, 3.0, 16.0, 17.0, 200.0])
def test_the_32_bit_sigmoid_is_torch_s(x: float) -> None:
    assert single_sigmoid(x) == pytest.approx(torch.tensor(x).sigmoid().item(), rel=1e-6, abs=1e-37)
    assert (single_sigmoid(x) == 1.0) == (torch.tensor(x).sigmoid().item() == 1.0)


def test_figures_keep_their_width() -> None:
    assert [figure(v) for v in (0.5, -27.6310211, 4.2483543e-18, -math.inf, math.nan, 0.0)] == [
        "0.500000",
        "−27.631021",
        "4.24835e−18",
        "−inf",
        "nan",
        "0.000000",
    ]


def test_a_typed_place_is_read_off_exactly(panel: FunctionsPanel) -> None:
    spin(panel, "sigmoid_x").setValue(2.0)
    assert text(panel, "sigmoid_value_sigmoid") == "0.880797"
    assert text(panel, "sigmoid_1 − value_sigmoid") == "0.119203"
    assert text(panel, "sigmoid_derivative_sigmoid") == "0.104994"
    spin(panel, "log_x").setValue(0.3)
    assert text(panel, "log_value_plain") == text(panel, "log_value_clamped") == "−1.203973"
    assert text(panel, "log_derivative_plain") == "3.333333"
    assert text(panel, "log_loss_plain") == "1.203973"


def test_the_point_under_the_mouse_is_read_off(panel: FunctionsPanel) -> None:
    plot = child(panel, FunctionPlot, "sigmoid_plot")
    point_at(plot, 0.75)
    x = spin(panel, "sigmoid_x").value()
    assert x == pytest.approx(5.0, abs=20 / plot.area.width())
    assert x == round(x, 1) or x == round(x, 2)
    assert text(panel, "sigmoid_value_sigmoid") == figure(sigmoid(x))


def test_the_arrow_keys_go_by_round_places(panel: FunctionsPanel) -> None:
    plot = child(panel, FunctionPlot, "sigmoid_plot")
    spin(panel, "sigmoid_x").setValue(1.07)
    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Left):
        press(plot, key)
        seen.append(spin(panel, "sigmoid_x").value())
    assert seen == [1.2, 1.4, 1.2, 1.0, 0.8]


def test_the_arrow_keys_stop_at_the_edge_and_find_back_into_view(panel: FunctionsPanel) -> None:
    plot = child(panel, FunctionPlot, "sigmoid_plot")
    spin(panel, "sigmoid_x").setValue(10.0)
    press(plot, Qt.Key.Key_Right)
    assert spin(panel, "sigmoid_x").value() == 10.0
    spin(panel, "sigmoid_x").setValue(500.0)
    press(plot, Qt.Key.Key_Right)
    assert -10 <= spin(panel, "sigmoid_x").value() <= 10


def test_home_and_the_wheel_s_wish_change_the_view(panel: FunctionsPanel) -> None:
    plot = child(panel, FunctionPlot, "log_plot")
    home = plot.x_range
    plot.ranges_wanted.emit(Range(0.0, 0.1), plot.y_range)
    assert plot.x_range == Range(0.0, 0.1)
    assert all(trace.x[-1] < 0.2 for trace in plot.traces)
    press(plot, Qt.Key.Key_Home)
    assert plot.x_range == home


def test_the_drawn_curves_are_the_functions(panel: FunctionsPanel) -> None:
    spin(panel, "clamp").setValue(0.1)
    traces = {trace.name: trace for trace in child(panel, FunctionPlot, "log_plot").traces}
    assert (traces["log"].x > 0).all()
    assert traces["clamped"].x.min() < 0
    for trace, clamp in ((traces["log"], 0.0), (traces["clamped"], 0.1)):
        expected = torch.tensor(trace.x).clamp(min=clamp).log().numpy()
        assert trace.low == pytest.approx(expected, rel=1e-12)


def test_the_axis_of_powers_shows_the_smallest_clamp(panel: FunctionsPanel) -> None:
    plot = child(panel, FunctionPlot, "log_plot")
    assert "−27.63" in plot.note
    child(panel, QPushButton, "log_axis_powers").click()
    assert plot.note == ""
    assert plot.y_range.low < -27.63 < plot.y_range.high
    clamped = next(trace for trace in plot.traces if trace.name == "clamped")
    assert (clamped.low[clamped.x <= -12] == math.log(1e-12)).all()
    assert clamped.low[-1] == pytest.approx(clamped.x[-1] * math.log(10))
    point_at(plot, 0.0)
    assert spin(panel, "log_x").value() == pytest.approx(1e-16, rel=0.02)
    plot.ranges_wanted.emit(Range(-1e6, 1e6), plot.y_range)
    assert plot.x_range == Range(-300.0, 300.0)


def test_a_confident_wrong_answer_with_and_without_the_clamp(panel: FunctionsPanel) -> None:
    spin(panel, "log_x").setValue(1e-15)
    assert text(panel, "log_loss_plain") == "34.538776"
    assert text(panel, "log_loss_clamped") == "27.631021"
    assert text(panel, "log_derivative_clamped") == "0.000000"
    said = text(panel, "log_words")
    for part in ("Confident and wrong", "34.54", "27.63", "1e−12", "derivative is 0"):
        assert part in said
    spin(panel, "clamp").setValue(0.1)
    assert text(panel, "log_loss_clamped") == "2.302585"
    assert "at 0.1 it is 2.303" in text(panel, "log_words")


def test_zero_and_negative_numbers_are_told(panel: FunctionsPanel) -> None:
    spin(panel, "log_x").setValue(0.0)
    assert text(panel, "log_value_plain") == "−inf"
    assert text(panel, "log_loss_plain") == text(panel, "log_derivative_plain") == "inf"
    assert text(panel, "log_value_clamped") == "−27.631021"
    assert "weights are nan" in text(panel, "log_words")
    spin(panel, "log_x").setValue(-0.5)
    assert text(panel, "log_value_plain") == text(panel, "log_derivative_plain") == "nan"
    assert text(panel, "log_value_clamped") == "−27.631021"
    assert "not a number" in text(panel, "log_words")
    spin(panel, "log_x").setValue(2.0)
    assert "no probability" in text(panel, "log_words")


@pytest.mark.parametrize(("x", "said"), [(20.0, "exactly 1"), (-120.0, "exactly 0")])
def test_the_sigmoid_says_where_32_bits_end(panel: FunctionsPanel, x: float, said: str) -> None:
    spin(panel, "sigmoid_x").setValue(x)
    assert said in text(panel, "sigmoid_words")
    spin(panel, "sigmoid_x").setValue(1.0)
    assert said not in text(panel, "sigmoid_words")


def test_the_log_is_taken_of_the_sigmoid(panel: FunctionsPanel) -> None:
    spin(panel, "sigmoid_x").setValue(-40.0)
    child(panel, QPushButton, "log_of_sigmoid").click()
    assert spin(panel, "log_x").value() == pytest.approx(sigmoid(-40.0), rel=1e-12)
    assert text(panel, "log_loss_plain") == "40.000000"


def test_figures_and_sentences_do_not_move_the_plots(panel: FunctionsPanel) -> None:
    plot, places = child(panel, FunctionPlot, "log_plot"), set()
    for x in (0.5, 0.0, -3.0, 1e-15, 7.25e-14, 2.0):
        for output in (0.0, 20.0, -120.0):
            spin(panel, "log_x").setValue(x)
            spin(panel, "sigmoid_x").setValue(output)
            layout = child(panel, QWidget, "functions_content").layout()
            assert layout is not None
            layout.activate()
            places.add((plot.mapTo(panel, QPoint()).y(), plot.height()))
    assert len(places) == 1


def test_a_lesson_sets_places_clamp_and_axis(panel: FunctionsPanel) -> None:
    panel.prepare({"sigmoid_x": -3, "log_x": 0, "clamp": 1e-6, "axis": "powers"})
    assert [spin(panel, name).value() for name in ("sigmoid_x", "log_x", "clamp")] == [-3.0, 0.0, 1e-6]
    assert child(panel, QPushButton, "log_axis_powers").isChecked()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"clamp": 0.5}, "clamp"),
        ({"clamp": 0}, "clamp"),
        ({"log_x": "many"}, "log_x"),
        ({"axis": "round"}, "axis"),
        ({"axis": [1]}, "axis"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_change_nothing(
    panel: FunctionsPanel, settings: dict[str, object], field: str
) -> None:
    before = spin(panel, "sigmoid_x").value()
    with pytest.raises(InputError) as refused:
        panel.prepare({"sigmoid_x": 9, **settings})
    assert refused.value.field == f"functions.{field}"
    assert refused.value.accepted
    assert spin(panel, "sigmoid_x").value() == before


@pytest.mark.parametrize("size", [(320, 260), (900, 560)])
def test_both_sizes_and_themes_are_drawn(panel: FunctionsPanel, qtbot: QtBot, size: tuple[int, int]) -> None:
    panel.set_theme(DARK)
    panel.resize(*size)
    sigmoid_plot, log_plot = (child(panel, FunctionPlot, name) for name in ("sigmoid_plot", "log_plot"))

    def beside() -> bool:
        return bool(log_plot.mapTo(panel, QPoint()).x() > sigmoid_plot.mapTo(panel, QPoint()).x())

    qtbot.waitUntil(lambda: beside() == (size[0] > 700))
    image = sigmoid_plot.grab().toImage()
    assert image.pixelColor(1, 1).name() == DARK.panel.lower()
