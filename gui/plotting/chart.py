"""Chart: lines over axes, painted within a rectangle of any painter: a widget's, a picture's, an SVG file's.

Measured at 600 × 250 px: two thousand points of a one-pixel line take 0.2 ms, and a smooth line drawn as two one-pixel
lines 0.15 ms where Qt's stroker takes 7 ms for a two-pixel pen. So no pen here is wider than a pixel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PySide6.QtCore import QByteArray, QDataStream, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF

from gui.plotting.scale import Range, columns, linear_ticks, log_ticks, pieces, thinned, tick_text, to_log
from gui.series import Floats
from gui.theme import FONT_SMALL, SPACING, Theme

LEFT = 52  # px for the y axis' numbers
RIGHT = 12  # px
TOP = 6  # px
BOTTOM = 22  # px for the x axis' numbers
TICK_EVERY = (90, 34)  # px from tick to tick, at least: along x, along y
MARKERS_EVERY = 9  # px between a line's points; closer ones lose their markers
FIRST_X, FIRST_Y = Range(0.0, 100.0), Range(0.0, 1.0)  # in view before there are data
FAINT = 0.42  # opacity of single values

TraceStyle = Literal["band", "line", "dashed", "dotted"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A line: x (n,) ascending, and the interval `low` … `high` (n,) at each; NaN is a gap.

    Styles: `band` faint and thin, for single values; `line` solid and strong; `dashed` with round, `dotted` with
    square markers. `role` is the theme's colour.
    """

    role: str
    style: TraceStyle
    x: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Mark:
    """A thin vertical line with a label."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """A vertical line at `x` with a label at its foot, and dots of (role, x, value) on the lines."""

    x: float
    points: tuple[tuple[str, float, float], ...]
    label: str


@dataclass(slots=True)
class Chart:
    """What is drawn and how. Plain data but for what is kept of the last reduction to pixels: see `changed`.

    Attributes:
        size: px.
        x, y: the ranges in view; y in log₁₀ if `log`.
        floor: values at or below it are drawn there on a logarithmic axis.
        tick: a y tick's value and the distance to the next, to its text.
        unit: what x counts; `x_axis`: whether its numbers are written.
        label_marks: whether the marks' labels are written.
        hint: teaches in the middle of an empty chart. `note`: stands small in a corner.
    """

    theme: Theme
    size: QSizeF
    tick: Callable[[float, float], str] = tick_text
    x: Range = FIRST_X
    y: Range = FIRST_Y
    log: bool = False
    floor: float = 0.0
    unit: str = "step"
    x_axis: bool = True
    label_marks: bool = True
    traces: Sequence[Trace] = ()
    marks: Sequence[Mark] = ()
    hint: str = ""
    note: str = ""
    _polygons: list[list[QPolygonF]] | None = None

    @property
    def area(self) -> QRectF:
        """Where the lines are, within the axes."""
        bottom = BOTTOM if self.x_axis else TOP
        width, height = self.size.width() - LEFT - RIGHT, self.size.height() - TOP - bottom
        return QRectF(LEFT, TOP, max(width, 1.0), max(height, 1.0))

    def x_pixels(self, x: Floats) -> Floats:
        area = self.area
        return np.clip(area.left() + (x - self.x.low) * (area.width() / self.x.span), -1e5, 1e5)

    def y_pixels(self, values: Floats) -> Floats:
        area = self.area
        y = to_log(values, self.floor) if self.log else values
        return np.clip(area.top() + (self.y.high - y) * (area.height() / self.y.span), -1e5, 1e5)

    def x_at(self, pixel: float) -> float:
        return self.x.low + (pixel - self.area.left()) / self.area.width() * self.x.span

    def y_at(self, pixel: float) -> float:
        """In log₁₀ if `log`."""
        return self.y.high - (pixel - self.area.top()) / self.area.height() * self.y.span

    def changed(self) -> None:
        """To be called after the traces, the ranges, the axes' kind or the size have changed."""
        self._polygons = None

    def draw_frame(self, painter: QPainter) -> None:
        """Ground, grid and numbers."""
        painter.setFont(chart_font())
        painter.fillRect(QRectF(QPointF(0, 0), self.size), QColor(self.theme.panel))
        self._draw_y_axis(painter)
        self._draw_x_axis(painter)
        painter.setPen(QPen(QColor(self.theme.border), 1))
        painter.drawLine(self.area.bottomLeft(), self.area.bottomRight())

    def _draw_y_axis(self, painter: QPainter) -> None:
        area = self.area
        most = max(int(area.height() / TICK_EVERY[1]), 2)
        ticks = log_ticks(self.y, most) if self.log else linear_ticks(self.y, most)
        values = [10.0**tick for tick in ticks] if self.log else ticks
        even = values[1] - values[0] if len(values) > 1 else 0.0
        by_factors = self.log and len(values) > 1 and values[1] >= 1.9 * values[0]
        for tick, value in zip(ticks, values, strict=True):
            y = round(area.top() + (self.y.high - tick) * area.height() / self.y.span)
            painter.setPen(QPen(QColor(self.theme.grid), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            if self.traces:
                painter.setPen(QColor(self.theme.secondary))
                box = QRectF(0, y - 8, LEFT - 2 * SPACING, 16)
                text = self.tick(value, value if by_factors or not even else even)
                painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_x_axis(self, painter: QPainter) -> None:
        area, metrics = self.area, QFontMetrics(painter.font())
        most = max(int(area.width() / TICK_EVERY[0]), 1)
        ticks = linear_ticks(self.x, most, whole=self.unit == "step")
        step = ticks[1] - ticks[0] if len(ticks) > 1 else self.x.span
        baseline = area.bottom() + SPACING + metrics.ascent()
        unit_left = self.size.width() - RIGHT - metrics.horizontalAdvance(self.unit)
        for tick in ticks:
            x = round(area.left() + (tick - self.x.low) * area.width() / self.x.span)
            painter.setPen(QPen(QColor(self.theme.grid), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            text = tick_text(tick, step)
            half = metrics.horizontalAdvance(text) / 2
            if self.x_axis and x + half + 2 * SPACING < unit_left:
                painter.setPen(QColor(self.theme.secondary))
                painter.drawText(QPointF(x - half, baseline), text)
        if self.x_axis:
            painter.setPen(QColor(self.theme.secondary))
            painter.drawText(QPointF(unit_left, baseline), self.unit)

    def draw_data(self, painter: QPainter) -> None:
        """Marks, lines, hint and note."""
        if self._polygons is None:
            self._polygons = [self._reduced(trace) for trace in self.traces]
        area = self.area
        painter.setFont(chart_font())
        painter.save()
        painter.setClipRect(area.adjusted(0, -1, 1, 1))
        self._draw_marks(painter)
        for trace, polygons in zip(self.traces, self._polygons, strict=True):
            self._draw_trace(painter, trace, polygons)
        painter.restore()
        painter.setPen(QColor(self.theme.secondary))
        if self.hint:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.hint)
        if self.note:
            corner = area.adjusted(SPACING, 0, -SPACING, -SPACING)
            painter.drawText(corner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, self.note)

    def _reduced(self, trace: Trace) -> list[QPolygonF]:
        """The trace in pixels: what is in view and one point on either side."""
        first = max(int(np.searchsorted(trace.x, self.x.low)) - 1, 0)
        view = slice(first, int(np.searchsorted(trace.x, self.x.high, side="right")) + 1)
        x = self.x_pixels(trace.x[view])
        if trace.style == "band":
            # Pixels count downwards: the high value is the lower number.
            x, y = columns(x, self.y_pixels(trace.high[view]), self.y_pixels(trace.low[view]))
        else:
            x, y = thinned(x, self.y_pixels(trace.low[view]))
        return [polygon(x[piece], y[piece]) for piece in pieces(y)]

    def _draw_trace(self, painter: QPainter, trace: Trace, polygons: list[QPolygonF]) -> None:
        color = QColor(getattr(self.theme, trace.role))
        pen = QPen(mixed(color, QColor(self.theme.panel)) if trace.style == "band" else color, 1)
        if trace.style == "dashed":
            pen.setDashPattern([6, 3])
        elif trace.style == "dotted":
            pen.setDashPattern([2, 3])
        painter.setPen(pen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, trace.style != "band")
        for line in polygons:
            if trace.style == "band":
                painter.drawPolyline(line) if line.size() > 1 else painter.drawPoint(line.at(0))
                continue
            painter.translate(0, -0.5)
            painter.drawPolyline(line)
            painter.translate(0, 1)
            painter.drawPolyline(line)
            painter.translate(0, -0.5)
        if trace.style in ("dashed", "dotted"):
            self._draw_markers(painter, trace, polygons)

    def _draw_markers(self, painter: QPainter, trace: Trace, polygons: list[QPolygonF]) -> None:
        painter.setPen(QPen(QColor(self.theme.panel), 1))
        painter.setBrush(QColor(getattr(self.theme, trace.role)))
        for line in polygons:
            number = line.size()
            sparse = number < 2 or line.at(number - 1).x() - line.at(0).x() > MARKERS_EVERY * (number - 1)
            for i in range(0 if sparse else number - 1, number):
                point = line.at(i)
                if trace.style == "dashed":
                    painter.drawEllipse(point, 4.5, 4.5)
                else:
                    painter.drawRect(QRectF(point.x() - 3, point.y() - 3, 6, 6))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_marks(self, painter: QPainter) -> None:
        if not self.marks:
            return
        area, metrics = self.area, QFontMetrics(painter.font())
        places = np.round(self.x_pixels(np.array([mark.x for mark in self.marks])))
        free_from = area.left()
        for i in np.unique(places, return_index=True)[1].tolist():
            x, label = float(places[i]), self.marks[i].label
            if not area.left() <= x <= area.right():
                continue
            painter.setPen(QPen(QColor(self.theme.secondary), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            width = metrics.horizontalAdvance(label)
            left = x + SPACING if x + SPACING + width < area.right() else x - SPACING - width
            if self.label_marks and left >= free_from:
                painter.setPen(QColor(self.theme.text))
                painter.drawText(QPointF(left, area.top() + metrics.ascent()), label)
                free_from = left + width + 2 * SPACING

    def draw_cursor(self, painter: QPainter, cursor: Cursor) -> None:
        area = self.area
        x = float(self.x_pixels(np.array([cursor.x]))[0])
        if not area.left() <= x <= area.right():
            return
        painter.setFont(chart_font())
        painter.setPen(QPen(QColor(self.theme.secondary), 1))
        painter.drawLine(QPointF(round(x), area.top()), QPointF(round(x), area.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(QColor(self.theme.panel), 1))
        for role, place, value in cursor.points:
            dot = QPointF(float(self.x_pixels(np.array([place]))[0]), float(self.y_pixels(np.array([value]))[0]))
            if area.contains(dot):
                painter.setBrush(QColor(getattr(self.theme, role)))
                painter.drawEllipse(dot, 4, 4)
        if cursor.label and self.x_axis:
            width = QFontMetrics(painter.font()).horizontalAdvance(cursor.label) + 4 * SPACING
            left = max(min(x - width / 2, self.size.width() - width - SPACING), float(SPACING))
            box = QRectF(left, area.bottom() + 2, width, BOTTOM - SPACING)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.text))
            painter.drawRoundedRect(box, SPACING, SPACING)
            painter.setPen(QColor(self.theme.panel))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, cursor.label)


def chart_font() -> QFont:
    """The application's font, small, with digits of one width."""
    font = QFont()
    font.setPixelSize(FONT_SMALL)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def polygon(x: Floats, y: Floats) -> QPolygonF:
    """Points (n,) and (n,) as Qt has them, without a Python object for each."""
    points = np.empty((len(x), 2), dtype=">f8")
    points[:, 0], points[:, 1] = x, y
    made = QPolygonF()
    QDataStream(QByteArray(struct.pack(">I", len(x)) + points.tobytes())) >> made
    return made


def mixed(color: QColor, ground: QColor) -> QColor:
    """`color` laid faintly on `ground`, opaque: painted faster than a transparent one."""
    parts = zip(
        (color.redF(), color.greenF(), color.blueF()), (ground.redF(), ground.greenF(), ground.blueF()), strict=True
    )
    return QColor.fromRgbF(*(a * FAINT + b * (1 - FAINT) for a, b in parts))
