"""A picture of the window while it trains, for documentation and for looking at it."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtWidgets import QAbstractButton, QWidget


def take_screenshot(window: QWidget, path: Path, *, seconds: float) -> None:
    """Press Start once the event loop runs, save the window as it is after `seconds`, and close it.

    Where the picture cannot be written, it says so on stderr and the exit status is 1.
    """

    def press_start() -> None:
        for button in window.findChildren(QAbstractButton, "start"):
            button.click()

    def save() -> None:
        if not window.grab().save(str(path)):
            sys.stderr.write(f"--screenshot: {path} could not be written; name a .png file in a folder that is there\n")
            QCoreApplication.exit(1)
        window.close()

    QTimer.singleShot(0, window, press_start)
    QTimer.singleShot(round(1000 * seconds), window, save)
