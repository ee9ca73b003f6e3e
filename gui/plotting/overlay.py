"""What lies under and over a plot's lines: ground, grid, marks and words below; the cursor above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen

from gui.plotting.axes import BOTTOM
from gui.plotting.scale import to_log
from gui.plotting.trace import Window, chart_font
from gui.series import Floats
from gui.theme import SPACING, Theme


@dataclass(frozen=True, slots=True)
class Mark:
    """A thin vertical line with a label."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """A vertical line at `x` with a label at its foot, and dots of (role, x, value) on the lines.

    A dot's role may be a colour too, as `#RRGGBB`.
    """

    x: float
    points: tuple[tuple[str, float, float], ...]
    label: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the lines are on the widget (`area`, px), and what they are drawn against."""

    theme: Theme
    area: QRectF
    window: Window

    def x_pixels(self, x: Floats) -> Floats:
        shown, area = self.window.x, self.area
        return np.clip(area.left() + (x - shown.low) * (area.width() / shown.span), -1e5, 1e5)

    def y_pixels(self, y: Floats) -> Floats:
        """Of places on the axis: log₁₀ of the value where it is logarithmic."""
        shown, area = self.window.y, self.area
        return np.clip(area.top() + (shown.high - y) * (area.height() / shown.span), -1e5, 1e5)

    def draw_grid(self, painter: QPainter, *, x_ticks: list[float], y_ticks: list[float]) -> None:
        """Lines at the ticks and along the foot."""
        area = self.area
        painter.setPen(QPen(QColor(self.theme.grid), 1))
        for y in np.round(self.y_pixels(np.array(y_ticks))).tolist():
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        for x in np.round(self.x_pixels(np.array(x_ticks))).tolist():
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(QPen(QColor(self.theme.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())

    def draw_marks(self, painter: QPainter, marks: Sequence[Mark], *, labels: bool) -> None:
        """Labels only where they do not run into each other."""
        if not marks:
            return
        area, metrics = self.area, QFontMetrics(chart_font())
        places = np.round(self.x_pixels(np.array([mark.x for mark in marks])))
        painter.setFont(chart_font())
        free_from = area.left()
        for i in np.unique(places, return_index=True)[1].tolist():
            x, label = float(places[i]), marks[i].label
            if not area.left() <= x <= area.right():
                continue
            painter.setPen(QPen(QColor(self.theme.secondary), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            width = metrics.horizontalAdvance(label)
            left = x + SPACING if x + SPACING + width < area.right() else x - SPACING - width
            if labels and left >= free_from:
                painter.setPen(QColor(self.theme.text))
                painter.drawText(QPointF(left, area.top() + metrics.ascent()), label)
                free_from = left + width + 2 * SPACING

    def draw_words(self, painter: QPainter, *, hint: str, note: str) -> None:
        """`hint` in the middle, `note` in the lower left corner."""
        painter.setFont(chart_font())
        painter.setPen(QColor(self.theme.secondary))
        if hint:
            how = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            taken = painter.boundingRect(self.area, how, hint)
            painter.fillRect(taken.adjusted(-SPACING, 0, SPACING, 0), QColor(self.theme.panel))  # no grid through words
            painter.drawText(self.area, how, hint)
        if note:
            corner = self.area.adjusted(SPACING, 0, -SPACING, -SPACING)
            painter.drawText(corner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, note)

    def draw_cursor(self, painter: QPainter, cursor: Cursor, *, label: bool, width: float) -> None:
        """`width`: of the widget, px, which the label stays within."""
        area = self.area
        x = float(self.x_pixels(np.array([cursor.x]))[0])
        if not area.left() <= x <= area.right():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(QColor(self.theme.secondary), 1))
        painter.drawLine(QPointF(round(x), area.top()), QPointF(round(x), area.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(QColor(self.theme.panel), 1))
        for role, place, value in cursor.points:
            y = np.array([value])
            y = to_log(y, self.window.floor) if self.window.log else y
            dot = QPointF(float(self.x_pixels(np.array([place]))[0]), float(self.y_pixels(y)[0]))
            if area.contains(dot):
                painter.setBrush(QColor(role if role.startswith("#") else getattr(self.theme, role)))
                painter.drawEllipse(dot, 4, 4)
        if cursor.label and label:
            painter.setFont(chart_font())
            needed = QFontMetrics(chart_font()).horizontalAdvance(cursor.label) + 4 * SPACING
            left = max(min(x - needed / 2, width - needed - SPACING), float(SPACING))
            box = QRectF(left, area.bottom() + 2, needed, BOTTOM - SPACING)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.text))
            painter.drawRoundedRect(box, SPACING, SPACING)
            painter.setPen(QColor(self.theme.panel))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, cursor.label)
