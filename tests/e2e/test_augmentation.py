"""An augmentation picked in the real window: its pictures beside the dataset's, and a run with it."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from gui.sample_charts import PictureGrid
from tests.e2e.conftest import LONG, button, pick


def test_the_preview_shows_it_and_a_run_takes_it(window: MainWindow, qtbot: QtBot) -> None:
    pick(window, "augmentation", "shift")
    [strip] = [grid for grid in window.findChildren(PictureGrid) if "augmented" in grid.accessibleName()]
    qtbot.waitUntil(strip.isVisible, timeout=LONG)
    before = strip.grab().toImage()
    again = window.findChild(QAbstractButton, "augmentation_redraw")
    assert isinstance(again, QAbstractButton)
    again.click()
    qtbot.waitUntil(lambda: strip.grab().toImage() != before, timeout=LONG)
    button(window, "start").click()
    qtbot.waitUntil(lambda: window.run_state.step > 3, timeout=LONG)
    button(window, "stop").click()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
    config = window.bench.config()
    assert config is not None
    assert config.augmentation.name == "shift"
    pick(window, "dataset", "gaussians")
    qtbot.waitUntil(lambda: not strip.isVisible(), timeout=LONG)
    config = window.bench.config()
    assert config is not None
    assert config.augmentation.name == "none"
