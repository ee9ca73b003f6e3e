"""Where single numbers went over the steps of a run: small plots side by side, all with the same steps below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.numbers import count
from gui.plotting.scale import Range, columns, fitted, grown, tick_text, to_log
from gui.plotting.trace import chart_font
from gui.series import Floats
from gui.theme import SPACING, Theme

CELL = (152, 92)  # px, the least width and the height of a small plot with its heading
HEADING = 18  # px
FOOT = 14  # px, the steps below the lowest row
GAP = 12  # px
FIRST_STEPS = 10.0  # in view at first


@dataclass(frozen=True, slots=True)
class Course:
    """One number's course. steps and values (n,), steps ascending; what is not finite is a gap.

    Attributes:
        value: that of the step shown, as text.
        log: drawn on a logarithmic axis; values are above 0.
    """

    name: str
    steps: Floats
    values: Floats
    value: str
    role: str = "train"
    log: bool = False


class ParameterTraces(QWidget):
    """A grid of small plots. Ranges change only when the data have outgrown them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._courses: tuple[Course, ...] = ()
        self._cursor: int | None = None
        self._total: int | None = None
        self._steps = Range(0.0, FIRST_STEPS)
        self._ranges: dict[str, Range] = {}
        self.setObjectName("parameter_traces")
        self.setAccessibleName("Parameters over the steps")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def courses(self) -> tuple[Course, ...]:
        return self._courses

    @property
    def cursor_step(self) -> int | None:
        return self._cursor

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def begin(self) -> None:
        """Another run or another quantity: forget the ranges."""
        self._steps = Range(0.0, FIRST_STEPS)
        self._ranges.clear()

    def set_courses(self, courses: Sequence[Course], *, cursor: int | None, total: int | None) -> None:
        """What is drawn.

        Args:
            cursor: the step that is marked.
            total: the run's steps, where they are known.
        """
        self._courses, self._cursor = tuple(courses), cursor
        self._fit()
        reached = max((float(course.steps[-1]) for course in courses if len(course.steps)), default=0.0)
        self._steps = grown(self._steps, reached, total=total, least=FIRST_STEPS)
        for course in courses:
            drawn = _drawn(course)
            finite = drawn[np.isfinite(drawn)]
            if len(finite):
                old = self._ranges.get(course.name)
                self._ranges[course.name] = fitted(old, float(finite.min()), float(finite.max()), log=course.log)
        self.setAccessibleDescription(", ".join(f"{course.name} {course.value}" for course in courses))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(2 * CELL[0] + GAP, CELL[1] + FOOT)

    def minimumSizeHint(self) -> QSize:
        return QSize(CELL[0], CELL[1] + FOOT)

    def resizeEvent(self, event: QResizeEvent, /) -> None:  # noqa: ARG002
        self._fit()

    def _fit(self) -> None:
        """Be as high as the rows are."""
        rows = -(-len(self._courses) // self._columns(self.width()))
        self.setFixedHeight(max(rows, 1) * (CELL[1] + GAP) - GAP + FOOT)

    def _columns(self, width: int) -> int:
        return max(1, min(len(self._courses), (width + GAP) // (CELL[0] + GAP)))

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        if not self._courses:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(chart_font())
        across = self._columns(self.width())
        wide = (self.width() + GAP) / across - GAP
        for number, course in enumerate(self._courses):
            row, column = divmod(number, across)
            place = QRectF(column * (wide + GAP), row * (CELL[1] + GAP), wide, CELL[1])
            self._paint_heading(painter, course, place)
            self._paint_plot(painter, course, place.adjusted(0.5, HEADING + 0.5, -0.5, -0.5))
            if number + across >= len(self._courses):
                self._paint_steps(painter, place)
        painter.end()

    def _paint_heading(self, painter: QPainter, course: Course, place: QRectF) -> None:
        line = QRectF(place.left(), place.top(), place.width(), HEADING)
        value = QFontMetricsF(chart_font()).horizontalAdvance(course.value) + SPACING
        name = QFontMetricsF(chart_font()).elidedText(
            course.name, Qt.TextElideMode.ElideMiddle, max(place.width() - value, 0.0)
        )
        painter.setPen(QColor(self._theme.secondary))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, course.value)

    def _paint_plot(self, painter: QPainter, course: Course, frame: QRectF) -> None:
        painter.setPen(QPen(self._theme.color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(frame)
        shown = self._ranges.get(course.name)
        if shown is None or not len(course.steps):
            return
        inner = frame.adjusted(1, 1, -1, -1)
        painter.save()
        painter.setClipRect(inner)
        if shown.low < 0 < shown.high and not course.log:
            zero = round(inner.top() + shown.high / shown.span * inner.height()) + 0.5
            painter.setPen(QPen(self._theme.color("grid"), 1))
            painter.drawLine(QPointF(inner.left(), zero), QPointF(inner.right(), zero))
        if self._cursor is not None:
            at = inner.left() + (self._cursor - self._steps.low) / self._steps.span * inner.width()
            painter.setPen(QPen(self._theme.color("secondary"), 1))
            painter.drawLine(QPointF(at, inner.top()), QPointF(at, inner.bottom()))
        # Two thin lines side by side take Qt a fifth of the time that a thicker one takes.
        painter.setPen(QPen(self._theme.color(course.role), 1))
        pieces = self._pieces(course, shown, inner)
        for shift in (-0.25, 0.5):
            painter.translate(0, shift)
            for piece in pieces:
                painter.drawPolyline(piece)
        painter.restore()
        words = inner.adjusted(SPACING, 1, -SPACING, -1)
        for value, side in ((shown.high, Qt.AlignmentFlag.AlignTop), (shown.low, Qt.AlignmentFlag.AlignBottom)):
            self._paint_limit(painter, _limit(value, shown, log=course.log), words, side)

    def _paint_limit(self, painter: QPainter, text: str, place: QRectF, side: Qt.AlignmentFlag) -> None:
        """At the axis, where lines begin; on a ground of its own, since lines may pass."""
        flags = Qt.AlignmentFlag.AlignLeft | side
        ground = painter.boundingRect(place, flags, text).adjusted(-2, 0, 2, 0)
        painter.fillRect(ground, self._theme.color("panel", 0.75))
        painter.setPen(QColor(self._theme.secondary))
        painter.drawText(place, flags, text)

    def _pieces(self, course: Course, shown: Range, area: QRectF) -> list[QPolygonF]:
        """The line in pixels, at most two points a column, in pieces between gaps."""
        values = _drawn(course)
        pixel = self._steps.span / max(area.width(), 1.0)
        values = np.where(np.isfinite(values), values, np.nan)
        x, y = columns(course.steps, values, values, origin=self._steps.low, pixel=pixel)
        across = area.left() + (x - self._steps.low) / pixel
        down = area.top() + (shown.high - y) / shown.span * area.height()
        if len(across) == 1:  # a single step is seen as a dash
            across, down = np.array([across[0] - 1, across[0] + 1]), np.repeat(down, 2)
        found = []
        for piece in np.split(np.arange(len(across)), np.flatnonzero(np.isnan(down))):
            kept = piece[np.isfinite(down[piece])]
            if len(kept):
                found.append(QPolygonF([QPointF(a, b) for a, b in zip(across[kept], down[kept], strict=True)]))
        return found

    def _paint_steps(self, painter: QPainter, place: QRectF) -> None:
        line = QRectF(place.left(), place.bottom(), place.width(), FOOT)
        painter.setPen(QColor(self._theme.secondary))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "0")
        end = f"step {count(math.ceil(self._steps.high))}"
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, end)


def _drawn(course: Course) -> Floats:
    return to_log(course.values, 1e-300) if course.log else course.values


def _limit(value: float, shown: Range, *, log: bool) -> str:
    if log:
        return tick_text(10.0**value, 10.0**value / 10)
    return tick_text(value, shown.span / 4)
