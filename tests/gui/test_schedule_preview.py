"""The learning rate over the run to come."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from engine.config import make_config
from gui.theme import LIGHT
from gui.views.schedule_preview import SchedulePreview, rounded


@pytest.fixture
def view(qtbot: QtBot) -> SchedulePreview:
    view = SchedulePreview()
    qtbot.addWidget(view)
    view.resize(256, view.sizeHint().height())
    view.show()
    return view


def curve_heights(view: SchedulePreview) -> list[float]:
    """How high the curve lies, 0 … 1, from left to right, read from the picture."""
    image, accent = view.grab().toImage(), QColor(LIGHT.accent)
    heights = []
    for x in range(10, image.width() - 10):
        column = [
            y
            for y in range(image.height())
            if abs(QColor(image.pixel(x, y)).hue() - accent.hue()) < 8 and QColor(image.pixel(x, y)).saturation() > 120
        ]
        if column:
            heights.append(1 - sum(column) / len(column) / image.height())
    return heights


def test_one_cycle_rises_and_falls(view: SchedulePreview) -> None:
    view.set_config(make_config({"network": "fast_cnn"}))
    heights = curve_heights(view)
    top = heights.index(max(heights))
    assert 0.2 < top / len(heights) < 0.4
    assert heights[0] < heights[top] - 0.2
    assert heights[-1] < heights[0]
    assert "starts at 4e-4" in view.toolTip()


def test_a_constant_rate_is_a_level_line(view: SchedulePreview) -> None:
    view.set_config(make_config(settings={"optimizer.learning_rate": 0.02, "training.steps": 10}))
    heights = curve_heights(view)
    assert len(heights) > 200
    assert max(heights) - min(heights) < 0.02
    assert view.accessibleDescription().startswith("from 0.02 to 0.02")


def test_what_depends_on_the_losses_is_said_in_words(view: SchedulePreview) -> None:
    view.set_config(make_config({"schedule": "reduce_on_plateau"}))
    assert "lower whenever the loss stops falling" in view.toolTip()


def test_a_single_step_and_no_step_are_drawn(view: SchedulePreview) -> None:
    view.set_curve([(0, 0.1)])
    assert len(curve_heights(view)) > 200
    view.set_curve([])
    assert curve_heights(view) == []


def test_rates_have_three_digits() -> None:
    assert [rounded(rate) for rate in (0.001, 1.23456e-9, 0.0123456)] == ["0.001", "1.23e-9", "0.0123"]
