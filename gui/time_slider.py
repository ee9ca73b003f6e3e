"""A slider along a run's steps, with ticks where something is kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from engine.rewind.snapshots import Tick
from gui.theme import Theme

HANDLE = 16  # px, with its border, as the stylesheet has it
TICK, MAJOR = 3, 6  # px: heights below the groove
DENSE = 3.0  # px: kept steps that lie nearer are not drawn one by one
NARROWEST = 72  # px


class TimeSlider(QSlider):
    """Its value is a step. The mouse goes from one kept step to the next; the arrow keys go to any.

    Keyframes are drawn longer than other kept steps, and always.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._ticks: Sequence[Tick] = ()
        self._steps: list[int] = []
        self.setRange(0, 0)
        self.setSingleStep(1)
        self.setMinimumWidth(NARROWEST)
        self.setMinimumHeight(28)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_steps(self, ticks: Sequence[Tick], *, last: int) -> None:
        """Kept steps, ascending, and the last that can be chosen. The value stays where it can."""
        first = ticks[0].step if ticks else last
        if ticks is not self._ticks:
            self._ticks, self._steps = ticks, [tick.step for tick in ticks]
            self.update()
        if (self.minimum(), self.maximum()) != (first, last):
            self.setRange(first, last)
            self.setPageStep(max((last - first) // 20, 1))

    def nearest(self, step: int) -> int:
        """The kept step, or the last, that lies nearest."""
        place = bisect_left(self._steps, step)
        near = [*self._steps[max(place - 1, 0) : place + 1], self.maximum()]
        return min(near, key=lambda kept: abs(kept - step))

    def sizeHint(self) -> QSize:
        return QSize(200, 28)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.isEnabled():
            self.setSliderDown(True)
            self.setSliderPosition(self._step_at(event.position()))
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self._step_at(event.position()))
        else:
            event.ignore()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._ticks:
            return
        painter = QPainter(self)
        foot = self.height() / 2 + HANDLE / 2 - 1
        drawn = -DENSE
        painter.setPen(QPen(self._theme.color("secondary" if self.isEnabled() else "faint"), 1))
        for tick in self._ticks:
            x = self._place_of(tick.step)
            if tick.marks or x - drawn >= DENSE:
                drawn = x
                painter.drawLine(QPointF(x, foot), QPointF(x, foot + (MAJOR if tick.marks else TICK)))
        painter.end()

    def _step_at(self, position: QPointF) -> int:
        room = max(self.width() - HANDLE, 1)
        share = min(max((position.x() - HANDLE / 2) / room, 0.0), 1.0)
        return self.nearest(round(self.minimum() + share * (self.maximum() - self.minimum())))

    def _place_of(self, step: int) -> int:
        span = max(self.maximum() - self.minimum(), 1)
        return round(HANDLE / 2 + (step - self.minimum()) / span * (self.width() - HANDLE))
