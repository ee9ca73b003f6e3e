"""The run's buttons stay where they are."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QMainWindow, QToolButton
from pytestqt.qtbot import QtBot

from gui.run_state import Status
from gui.run_toolbar import RunToolbar
from gui.theme import LIGHT

STATES: tuple[Status, ...] = ("idle", "running", "paused", "running", "finished", "failed")


def test_no_button_moves_when_the_run_is_in_another_state(qapp: QApplication, qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setStyleSheet(LIGHT.stylesheet())  # in which Start is bold while it is the one to press
    toolbar = RunToolbar(LIGHT, window)
    window.addToolBar(toolbar)
    window.resize(1280, 200)
    with qtbot.waitExposed(window):
        window.show()
    buttons = [button for button in toolbar.findChildren(QToolButton) if button.isVisible()]
    seen = set()
    for status in STATES:
        toolbar.show_status(status)
        qapp.processEvents()
        seen.add(tuple((button.x(), button.width()) for button in buttons))
    assert len(buttons) >= 5
    assert len(seen) == 1
