"""How long after a movement of the pen the window shows the answer."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from gui.main_window import MainWindow
from tests.bench.figure import percentile

STROKE = 60  # movements before the canvas is cleared and the pen set down anew
WAITS = (7, 19, 31, 13, 41, 23, 11, 37)  # ms from an answer to the next movement, in turn, so that no frame is kept


class Pen(QObject):
    """Draws spirals on the canvas, and waits for the answer to each movement before the next.

    The time of a movement is when it was due: where the event loop is late, the movement of a real pen waits too. Its
    answer is the first one that was asked for after the canvas had taken it in; older questions are not answered once
    there is a newer one.
    """

    def __init__(self, window: MainWindow, canvas: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._canvas = canvas
        self._times: list[float] = []
        self._moves = 0
        self._due = 0.0
        self._asked = self._waiting = False
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._move)
        # After the window's own slots: the question is asked by then, and the answer shown.
        window.canvas.drawing_changed.connect(self._on_drawing)
        window.bridge.predicted.connect(self._on_predicted)

    def start(self) -> None:
        self._times.clear()
        self._moves = 0
        self._wait()

    def stop(self) -> dict[str, float]:
        """In ms: `p95`, `median` and `worst`, and how many `movements` there were."""
        self._timer.stop()
        self._waiting = False
        self._send(QEvent.Type.MouseButtonRelease)
        self._window.canvas.canvas.clear()
        if not self._times:
            raise RuntimeError("no movement of the pen was answered")
        return {
            "p95": 1000 * percentile(self._times, 0.95),
            "median": 1000 * percentile(self._times, 0.5),
            "worst": 1000 * max(self._times),
            "movements": len(self._times),
        }

    def _wait(self) -> None:
        wait = WAITS[self._moves % len(WAITS)]
        self._due = time.perf_counter() + wait / 1000
        self._timer.start(wait)

    def _move(self) -> None:
        if self._moves % STROKE == 0:
            self._send(QEvent.Type.MouseButtonRelease)
            self._window.canvas.canvas.clear()
            self._send(QEvent.Type.MouseButtonPress)
        self._moves += 1
        self._asked, self._waiting = False, True
        self._send(QEvent.Type.MouseMove)

    def _on_drawing(self, drawing: object) -> None:
        self._asked = self._waiting and drawing is not None

    def _on_predicted(self, _answer: object) -> None:
        if self._asked:
            self._times.append(time.perf_counter() - self._due)
            self._asked = self._waiting = False
            self._wait()

    def _send(self, kind: QEvent.Type) -> None:
        turn = self._moves % STROKE / STROKE
        reach = min(self._canvas.width(), self._canvas.height()) * (0.1 + 0.25 * turn)
        angle = 4 * math.pi * turn
        place = QPointF(self._canvas.rect().center()) + QPointF(reach * math.cos(angle), reach * math.sin(angle))
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
        everywhere = self._canvas.mapToGlobal(place)
        event = QMouseEvent(kind, place, everywhere, button, held, Qt.KeyboardModifier.NoModifier)
        QCoreApplication.sendEvent(self._canvas, event)
