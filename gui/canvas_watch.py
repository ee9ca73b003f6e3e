"""Tells when what is on the canvas is another drawing, for panels that show what comes of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

EVERY = 250  # ms between two looks


class CanvasWatch(QObject):
    """Looks at the drawing while it is on.

    Args:
        drawing: what is on the canvas now, None while it is empty.

    Signals:
        changed: the drawing is another than at the last look.
    """

    changed = Signal()

    def __init__(self, drawing: Callable[[], np.ndarray | None], parent: QObject) -> None:
        super().__init__(parent)
        self._drawing = drawing
        self._last: np.ndarray | None = None
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self._look)

    def set_on(self, on: bool) -> None:
        """Begin to look, from what is there now, or cease to."""
        if on == self._timer.isActive():
            return
        if on:
            self._last = self._drawing()
            self._timer.start()
        else:
            self._timer.stop()

    def _look(self) -> None:
        drawing = self._drawing()
        same = drawing is self._last if drawing is None or self._last is None else np.array_equal(drawing, self._last)
        if not same:
            self._last = drawing
            self.changed.emit()
