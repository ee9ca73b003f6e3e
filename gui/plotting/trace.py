"""Trace: a line of a plot, as plain data and as what pyqtgraph draws.

Measured at 600 × 250 px: two thousand points of a one-pixel line take 0.2 ms, and a smooth line drawn as two one-pixel
lines 0.15 ms where Qt's stroker takes 7 ms for a two-pixel pen. So no pen is wider than one of the screen's pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.lean import pyqtgraph
from gui.plotting.line_end import LineEnd
from gui.plotting.scale import Range, columns, thinned, to_log, with_dots
from gui.series import Floats
from gui.theme import FONT_SMALL, Theme

WIDTH = 2  # px of a strong line
MARKER = 5.0  # px that it reaches from its point
MARKERS_EVERY = 9  # px between a line's points; closer ones lose their markers
FAINT = 0.42  # opacity of single values
_FILL = 0.25  # of an area
_FAR = 100.0  # of the range: further out points are drawn there, since Qt's dashes count every pixel

TraceStyle = Literal["band", "area", "line", "dashed", "dotted"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A line: x (n,) ascending, and the interval `low` … `high` (n,) at each; NaN is a gap.

    Styles: `band` faint and thin, for single values; `area` the interval filled, faintly, without gaps; `line` solid
    and strong; `dashed` with round, `dotted` with square markers. `role` is the theme's colour; `color`, as `#RRGGBB`,
    takes its place. `dashes`, lengths of dash and gap in pixels, break a `line`. A trace's look does not change while
    one of its name is drawn.
    """

    name: str
    role: str
    style: TraceStyle
    x: Floats
    low: Floats
    high: Floats
    color: str = ""
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the axes in view and its size in pixels. `log`: y is in log₁₀, with all at or below `floor` there."""

    x: Range
    y: Range
    width: float
    height: float
    log: bool
    floor: float


class TraceItem(pyqtgraph.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no type stubs
    """Draws a trace. `getData` gives the points drawn: those in view, at most two for each column of pixels.

    It claims all of the view box, so that its bounds need no search through the data and one repaint serves all lines.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, skipFiniteCheck=True)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption, False)
        self._drawn: tuple[Trace, Window] | None = None
        self._bounds = QRectF()
        self._left, self._bottom = 0.0, 0.0  # of the bounds
        self._right = -math.inf  # px where it ends, its last marker included
        self._pixel = (1.0, 1.0)  # its size on the axes
        self._markers = QPainterPath()  # as the line's path: in pixels from the view box's upper left corner
        self._marker_pen, self._marker_brush = QPen(), QColor()
        self._fill: QColor | None = None
        self._end: LineEnd | None = None
        self._first = 0  # of the trace's points that is in view
        self._whole = True  # it cannot be drawn in parts

    def set_style(self, trace: Trace, theme: Theme) -> None:
        color, ground = QColor(trace.color) if trace.color else theme.color(trace.role), theme.color("panel")
        pen = QPen(mixed(color, ground) if trace.style == "band" else color, 1)
        pen.setCosmetic(True)
        if trace.style == "dashed":
            pen.setDashPattern([6, 3])
        elif trace.style == "dotted":
            pen.setDashPattern([2, 3])
        elif trace.dashes:
            pen.setDashPattern(trace.dashes)
        self._fill = mixed(color, ground, _FILL) if trace.style == "area" else None
        self.opts["antialias"] = trace.style != "band"
        self.setPen(pen)
        self._marker_pen, self._marker_brush = QPen(ground, 1), color
        self._marker_pen.setCosmetic(True)

    def set_trace(self, trace: Trace, window: Window) -> float | None:
        """Reduce the trace to what can be seen of it.

        Returns the pixel column from which on it is drawn differently now, None where nothing is.
        """
        if self._drawn is not None and self._drawn[1] == window and _same(self._drawn[0], trace):
            return None
        before = self.getData() if self._drawn is not None and self._drawn[1] == window else (None, None)
        self._drawn = trace, window
        shown, pixel = window.x, window.x.span / window.width
        first = max(int(trace.x.searchsorted(shown.low)) - 1, 0)
        view = slice(first, int(trace.x.searchsorted(shown.high, side="right")) + 1)
        x, low, high = whole = trace.x[view], trace.low[view], trace.high[view]
        if trace.style == "band":
            x, y = columns(x, low, high, origin=shown.low, pixel=pixel)
        elif trace.style == "area":
            upper, high = thinned(x, high, origin=shown.low, pixel=pixel)
            lower, low = thinned(x, low, origin=shown.low, pixel=pixel)
            x, y = np.append(upper, lower[::-1]), np.append(high, low[::-1])
        else:
            x, y = thinned(x, low, origin=shown.low, pixel=pixel)
        y = to_log(y, window.floor) if window.log else y
        gaps = bool(np.isnan(y).any())
        if trace.style == "band" and (gaps or len(x) == 1):
            x, y = with_dots(x, y, pixel=pixel)
        x = x.clip(shown.low - _FAR * shown.span, shown.high + _FAR * shown.span)
        y = y.clip(window.y.low - _FAR * window.y.span, window.y.high + _FAR * window.y.span)
        bounds = QRectF(shown.low, window.y.low, shown.span, window.y.span)
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
            self._left, self._bottom = bounds.left(), bounds.bottom()
        self._pixel = pixel, window.y.span / window.height
        self._end, self._first = None, first
        if trace.style in ("band", "line") and not gaps and view.stop > len(trace.x) > first + 1:
            self._end = LineEnd.of(trace.style, *whole, origin=shown.low, pixel=pixel)
        self._markers = self._marked(x, y, trace.style) if trace.style in ("dashed", "dotted") else QPainterPath()
        # What setData would do, without the signals to those who would fit ranges to the data.
        self.xData, self.yData, self.path = x, y, None
        self._right = self._reach(x)
        self.opts["connect"] = "finite" if gaps else "all"
        self._whole = gaps or bool(trace.dashes) or trace.style not in ("band", "line")
        kept = _common(before, (x, y))
        if kept == len(x) == len(before[0] if before[0] is not None else ()):
            return None
        return float((x[kept - 1] - shown.low) / pixel) if kept else -math.inf

    @property
    def settled(self) -> int | None:
        """The first of the trace's points that `grow` needs; None where it cannot help."""
        return None if self._end is None else self._first + self._end.settled

    def grow(self, x: Floats, low: Floats, high: Floats) -> float | None:
        """Draw the trace with more points at its end, all of them finite, in view and above the floor.

        Args:
            x, low, high: the trace's points from `settled` on, (n,) with n > 0.

        Returns the pixel column from which on it is drawn differently now; None where the trace must be set anew.
        """
        if self._end is None or self._drawn is None or (found := self._end.grow(x, low, high)) is None:
            return None
        window = self._drawn[1]
        kept, x, y = found
        y = to_log(y, window.floor) if window.log else y
        self.xData, self.yData = np.concatenate((self.xData[:kept], x)), np.concatenate((self.yData[:kept], y))
        self.path = None
        self._right = self._reach(x)
        return float((self.xData[kept - 1] - window.x.low) / self._pixel[0]) if kept else -math.inf

    def _reach(self, x: Floats) -> float:
        return float((x[-1] - self._left) / self._pixel[0]) + MARKER if len(x) else -math.inf

    def _marked(self, x: Floats, y: Floats, style: TraceStyle) -> QPainterPath:
        """A marker at each point, or, where they are too dense, at the last."""
        path = QPainterPath()
        finite = np.flatnonzero(np.isfinite(y))
        if not len(finite):
            return path
        px, py = self._pixels(x[finite], y[finite])
        if px[-1] - px[0] <= MARKERS_EVERY * (len(px) - 1):
            px, py = px[-1:], py[-1:]
        for place in map(QPointF, px.tolist(), py.tolist()):
            if style == "dashed":
                path.addEllipse(place, MARKER - 0.5, MARKER - 0.5)
            else:
                path.addRect(QRectF(place.x() - 3, place.y() - 3, 6, 6))
        return path

    def _pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return (x - self._left) / self._pixel[0], (self._bottom - y) / self._pixel[1]

    def generatePath(self, x: Floats, y: Floats) -> QPainterPath:
        """In pixels: an SVG file's numbers have six digits, enough for these but not for the steps of a long run."""
        path: QPainterPath = super().generatePath(*self._pixels(x, y))
        return path

    def boundingRect(self) -> QRectF:
        return self._bounds

    def informViewBoundsChanged(self) -> None:
        """Nothing: no range is automatic."""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        painter.translate(self._left, self._bottom)
        painter.scale(self._pixel[0], -self._pixel[1])
        self.draw(painter)

    def draw(self, painter: QPainter, *, start: float = -math.inf) -> None:
        """Draw it where the painter counts pixels from the view box's upper left corner.

        Args:
            start: the pixel column from which on it is to be seen; what lies before may be left out.
        """
        if self._right < start:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, bool(self.opts["antialias"]))
        if self._fill is not None:
            painter.fillPath(self.getPath(), self._fill)
            return
        line = self._stroke(painter, start)
        if not self.opts["antialias"]:
            painter.setPen(self.opts["pen"])
            line()
            return
        density = painter.device().devicePixelRatioF()
        lines = round(WIDTH * density)
        painter.setPen(_denser(self.opts["pen"], density))
        painter.translate(0, -0.5 * (lines - 1) / density)
        for _ in range(lines):
            line()
            painter.translate(0, 1 / density)
        painter.translate(0, -0.5 * (lines + 1) / density)
        if not self._markers.isEmpty():
            painter.setPen(self._marker_pen)
            painter.setBrush(self._marker_brush)
            painter.drawPath(self._markers)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _stroke(self, painter: QPainter, start: float) -> Callable[[], None]:
        """What draws the line, or of one that can be drawn in parts, its end."""
        if self._whole or start == -math.inf or len(self.xData) < 2:
            return partial(painter.drawPath, self.getPath())
        x, y = self.xData, self.yData
        first = max(int(x.searchsorted(self._left + start * self._pixel[0])) - 2, 0)
        points = pyqtgraph.functions.arrayToQPolygonF(*self._pixels(x[first:], y[first:]))
        return partial(painter.drawPolyline, points)


def _common(before: tuple[Floats | None, Floats | None], now: tuple[Floats, Floats]) -> int:
    """How many points both lines begin with."""
    (old_x, old_y), (x, y) = before, now
    if old_x is None or old_y is None:
        return 0
    n = min(len(old_x), len(x))
    differs = (old_x[:n] != x[:n]) | (old_y[:n] != y[:n])
    first = int(differs.argmax()) if n else 0
    return first if n and differs[first] else n


def _denser(pen: QPen, density: float) -> QPen:
    """The pen with its dashes as long on a screen of that density."""
    if density == 1.0 or pen.style() == Qt.PenStyle.SolidLine:
        return pen
    scaled = QPen(pen)
    scaled.setDashPattern([length * density for length in pen.dashPattern()])
    return scaled


def _same(old: Trace, new: Trace) -> bool:
    """Whether nothing was evaluated in between. Single values lie in buffers that change: never the same, unless the
    trace itself is.
    """
    if old is new:
        return True
    return new.style in ("dashed", "dotted") and np.array_equal(old.x, new.x) and np.array_equal(old.low, new.low, True)


def chart_font() -> QFont:
    """The application's font, small, with digits of one width."""
    font = QFont()
    font.setPixelSize(FONT_SMALL)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def mixed(color: QColor, ground: QColor, share: float = FAINT) -> QColor:
    """`color` laid faintly on `ground`, opaque: painted faster than a transparent one."""
    parts = zip(
        (color.redF(), color.greenF(), color.blueF()), (ground.redF(), ground.greenF(), ground.blueF()), strict=True
    )
    return QColor.fromRgbF(*(a * share + b * (1 - share) for a, b in parts))
