"""`python -m gui` as it is, which says on stdout when the window was first on screen and when torch was there.

The window closes itself then. Times are those of `time.time()`, which parent and child share.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Literal

from PySide6.QtCore import QEvent, QObject, QTimer

import gui.app
from gui.__main__ import main
from gui.main_window import MainWindow

build_window = gui.app.build_window


class Watch(QObject):
    """Notices a window's first paint and its torch."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._times: dict[str, float] = {}
        window.installEventFilter(self)
        window.bridge.torch_ready.connect(lambda: self._note("ready"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Paint and "painting" not in self._times:
            self._times["painting"] = time.time()
            # Everything is painted and handed to the screen before the event loop comes to this.
            QTimer.singleShot(0, self, lambda: self._note("painted"))
        return super().eventFilter(watched, event)

    def _note(self, what: str) -> None:
        self._times[what] = time.time()
        if {"painted", "ready"} <= self._times.keys():
            print(json.dumps(self._times), flush=True)
            self._window.close()


def build_watched_window(theme: Literal["light", "dark"] | None = None) -> MainWindow:
    window = build_window(theme)
    Watch(window)
    return window


if __name__ == "__main__":
    gui.app.build_window = build_watched_window
    sys.exit(main([]))
