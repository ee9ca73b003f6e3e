"""The canvas's tools say what is wanted."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from gui.theme import LIGHT
from gui.views.canvas_tools import CanvasTools


def test_the_tools_say_what_is_wanted(qtbot: QtBot) -> None:
    tools = CanvasTools()
    qtbot.addWidget(tools)
    with qtbot.waitSignal(tools.brush_size_changed, check_params_cb=lambda size: size == 40):
        tools.set_brush_size(40)
    assert tools.brush_size == 40
    with qtbot.waitSignal(tools.eraser_toggled, check_params_cb=bool):
        tools.set_eraser(True)
    tools.set_undo_available(True)
    tools.set_clear_available(True)
    for name, wanted in (
        ("undo", tools.undo_requested),
        ("clear", tools.clear_requested),
        ("image_open", tools.open_requested),
        ("paste", tools.paste_requested),
        ("sample", tools.sample_requested),
    ):
        button = tools.findChild(QToolButton, f"canvas_{name}")
        assert button is not None
        assert button.accessibleName()
        assert button.toolTip().endswith(".")
        with qtbot.waitSignal(wanted):
            button.click()
    tools.set_sample_available(False, why_not="The dataset is not loaded yet.")
    sample = tools.findChild(QToolButton, "canvas_sample")
    assert sample is not None
    assert not sample.isEnabled()
    assert sample.toolTip() == "The dataset is not loaded yet."


def test_the_tools_fit_a_narrow_dock(qtbot: QtBot) -> None:
    tools = CanvasTools()
    qtbot.addWidget(tools)
    tools.setStyleSheet(LIGHT.stylesheet())
    tools.set_theme(LIGHT)
    assert tools.minimumSizeHint().width() <= 220 - 24
