"""The curves of functions of one number, with a point on them that is read off."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent

from gui.plotting.overlay import Cursor
from gui.plotting.plot import Plot
from gui.plotting.scale import Range, linear_ticks, nice_step
from gui.plotting.trace import Trace, TraceStyle
from gui.series import Floats
from gui.spins import scientific
from gui.theme import Theme

POINTS = 1_600  # of a curve
PAST = 0.1  # of the range that curves go beyond what is in view
KEY_STEPS = 100  # steps of the arrow keys across what is in view, about
LARGEST_POWER = 300.0  # of ten; doubles end soon after
DIGITS = 3  # of a place that was pointed at on an axis of powers of ten


@dataclass(frozen=True, slots=True)
class Line:
    """A function as a curve. `positive`: it is drawn for x > 0 only."""

    name: str
    role: str
    style: TraceStyle
    function: Callable[[float], float]
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """What is in view at first. `powers`: the x axis has the powers of ten, its range is in log₁₀ of x."""

    x: Range
    y: Range
    powers: bool = False


class FunctionPlot(Plot):
    """Curves to zoom and pan, drawn as fine at every scale, and a point that mouse and arrow keys move.

    Signals:
        point_wanted(x): another place was pointed at, rounded to what one pixel can tell.
    """

    point_wanted = Signal(float)

    def __init__(self, theme: Theme, home: Home) -> None:
        super().__init__(theme)
        self._home = home
        self._lines: Sequence[Line] = ()
        self._point: float | None = None
        self._corner = ""
        self.setMinimumHeight(140)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.ranges_wanted.connect(self._show)
        self.follow_wanted.connect(self.go_home)
        self.cursor_wanted.connect(self._point_at)
        self.go_home()

    def sizeHint(self) -> QSize:
        return QSize(320, 180)

    def set_home(self, home: Home) -> None:
        """Show these ranges, and go back to them on a double click or Home."""
        self._home = home
        self.go_home()

    def go_home(self) -> None:
        self._show(self._home.x, self._home.y)

    def set_lines(self, lines: Sequence[Line], *, note: str = "") -> None:
        """Draw these curves. `note` stands small in a corner."""
        self._lines, self._corner = tuple(lines), note
        self._show(self.x_range, self.y_range)

    def set_point(self, x: float) -> None:
        """Mark the place on every curve."""
        self._point = x
        place = self._place(x)
        if place is None:
            self.set_cursor(None)
            return
        # A value that is nowhere in the picture has no dot.
        dots = tuple((line.role, place, line.function(x)) for line in self._lines if x > 0 or not line.positive)
        self.set_cursor(Cursor(place, dots, f"x = {scientific(x)}".replace("-", "−")))

    def _show(self, x: Range, y: Range) -> None:
        if self._home.powers:
            x = Range(max(x.low, -LARGEST_POWER), min(x.high, LARGEST_POWER))
            if x.span <= 0:
                return
        unit = "log₁₀ x" if self._home.powers else "x"
        self.set_axes(unit=unit, x_axis=True, label_marks=False, log=False, floor=0.0)
        self.set_ranges(x, y)
        # A line that ended at the edge would have its last marker there.
        past = PAST * x.span
        places = np.concatenate(([x.low - past], np.linspace(x.low, x.high, POINTS), [x.high + past]))
        self.set_data([self._trace(line, places) for line in self._lines], (), hint="", note=self._corner)
        self.viewport().update()
        if self._point is not None:
            self.set_point(self._point)

    def _trace(self, line: Line, places: Floats) -> Trace:
        places = places if self._home.powers or not line.positive else places[places > 0]
        y = np.array([line.function(self._value(place)) for place in places.tolist()], np.float64)
        return Trace(line.name, line.role, line.style, places, y, y)

    def _place(self, x: float) -> float | None:
        """Where on the axis, None where the axis does not have it."""
        if not self._home.powers:
            return x
        return math.log10(x) if x > 0 else None

    def _value(self, place: float) -> float:
        if not self._home.powers:
            return place
        return float(10.0 ** min(max(place, -LARGEST_POWER), LARGEST_POWER))

    # What the person does

    def _point_at(self, place: float | None) -> None:
        if place is None:
            return
        if self._home.powers:
            self.point_wanted.emit(float(f"{self._value(place):.{DIGITS - 1}e}"))
            return
        digits = math.ceil(-math.log10(self.x_range.span / self.area.width()))
        self.point_wanted.emit(round(place, digits) + 0.0)  # no −0.0

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the point to the next round place; the rest as in every plot."""
        right = event.key() == Qt.Key.Key_Right
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or not (right or event.key() == Qt.Key.Key_Left):
            super().keyPressEvent(event)
            return
        shown = self.x_range
        step = nice_step(shown.span / KEY_STEPS)
        place = None if self._point is None else self._place(self._point)
        if place is None or not shown.low <= place <= shown.high:
            place = linear_ticks(shown, 2)[0] if linear_ticks(shown, 2) else shown.low
        rung = math.floor(place / step + 1e-6) + 1 if right else math.ceil(place / step - 1e-6) - 1
        self._point_at(min(max(rung * step, shown.low), shown.high))

    def leaveEvent(self, _event: QEvent) -> None:
        """The point stays where it is."""

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.viewport().update()
