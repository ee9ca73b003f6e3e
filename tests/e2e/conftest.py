"""The real window, as a person has it in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from gui.app import build_window
from gui.main_window import MainWindow

LONG = 60_000  # ms that a condition may take on a slow machine


def close(qtbot: QtBot, window: MainWindow) -> None:
    """Close as a person does and wait until the window has stopped, saved and gone."""
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible() and not window.bridge.busy, timeout=LONG)
    window.deleteLater()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[[], MainWindow]]:
    """Opens windows, and closes at the end those that are still open."""
    opened: list[MainWindow] = []

    def open_one() -> MainWindow:
        window = build_window("dark")
        opened.append(window)
        with qtbot.waitExposed(window, timeout=LONG):
            window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=LONG)
        return window

    yield open_one
    for window in opened:
        if isValid(window):
            close(qtbot, window)


@pytest.fixture
def window(open_window: Callable[[], MainWindow], qtbot: QtBot) -> MainWindow:
    """A window that is ready to train."""
    made = open_window()
    qtbot.waitUntil(lambda: made.bridge.ready, timeout=LONG)
    return made


def button(window: MainWindow, name: str) -> QAbstractButton:
    found = window.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton), name
    return found


def widget(window: MainWindow, name: str) -> QWidget:
    found = window.findChild(QWidget, name)
    assert isinstance(found, QWidget), name
    return found


def pick(window: MainWindow, part: str, name: str) -> None:
    """Choose the entry called `name` in the combo box of `part`."""
    combo = window.findChild(QComboBox, part)
    assert isinstance(combo, QComboBox), part
    row = combo.findData(name)
    assert row >= 0, f"{part} offers no {name}"
    combo.setCurrentIndex(row)
