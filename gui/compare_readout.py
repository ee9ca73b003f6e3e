"""Readout: what all lines of a plot say at its cursor, in a box beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gui.numbers import count
from gui.plotting.plot import Plot
from gui.plotting.trace import chart_font
from gui.run_colors import SWATCH, swatch
from gui.theme import SPACING, Theme

ROW = 16  # px
AWAY = 12  # px between the cursor and the box


@dataclass(frozen=True, slots=True)
class ReadoutRow:
    """A line's run, in whose look it is drawn, what it is called, its value, and that as text."""

    run: int
    label: str
    value: float
    text: str


class Readout(QWidget):
    """Lies on the plot, on the side of the cursor where there is more room, and lets the mouse through.

    Rows stand as the lines do, the highest first. What has no room is counted in the last one.
    """

    def __init__(self, plot: Plot, theme: Theme) -> None:
        super().__init__(plot.viewport())
        self._plot = plot
        self._theme = theme
        self._rows: list[ReadoutRow] = []
        self._left_out = 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Values at the cursor")
        self.hide()

    @property
    def rows(self) -> Sequence[ReadoutRow]:
        """Those that are shown."""
        return self._rows

    @property
    def left_out(self) -> int:
        """How many had no room."""
        return self._left_out

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def show_rows(self, rows: Sequence[ReadoutRow], x: float | None) -> None:
        """Show them beside the place `x` on the axis; None, or no rows: nothing is shown."""
        area = self._plot.area
        room = int(area.height() - 2 * SPACING) // ROW
        if (
            x is None
            or not rows
            or room < min(len(rows), 2)
            or not self._plot.x_range.low <= x <= self._plot.x_range.high
        ):
            self._rows, self._left_out = [], 0
            self.hide()
            return
        ordered = sorted(rows, key=lambda row: -row.value)
        self._left_out = 0 if len(ordered) <= room else len(ordered) - room + 1
        self._rows = ordered[: len(ordered) - self._left_out]
        self.setAccessibleDescription("; ".join(f"{row.label}: {row.text}" for row in ordered))
        size = self._needed()
        pixel = area.left() + (x - self._plot.x_range.low) / self._plot.x_range.span * area.width()
        right = pixel < area.center().x()
        left = pixel + AWAY if right else pixel - AWAY - size.width()
        self.setGeometry(round(left), round(area.top()) + SPACING, size.width(), size.height())
        self.show()
        self.update()

    def _needed(self) -> QSize:
        metrics = QFontMetrics(chart_font())
        labels = max((metrics.horizontalAdvance(row.label) for row in self._rows), default=0)
        texts = max((metrics.horizontalAdvance(row.text) for row in self._rows), default=0)
        width = SWATCH.width() + labels + texts + 6 * SPACING
        if self._left_out:
            width = max(width, metrics.horizontalAdvance(self._rest()) + 4 * SPACING)
        return QSize(width, ROW * (len(self._rows) + bool(self._left_out)) + 2 * SPACING)

    def _rest(self) -> str:
        return f"and {count(self._left_out)} more"

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, metrics = self._theme, QFontMetrics(chart_font())
        density = self.devicePixelRatioF()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(theme.color("border"))
            painter.setBrush(theme.color("raised", 0.94))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), SPACING, SPACING)
            painter.setFont(chart_font())
            rise = (ROW + metrics.ascent() - metrics.descent()) / 2
            for place, row in enumerate(self._rows):
                top = SPACING + ROW * place
                look = swatch(row.run, theme, density=density)
                painter.drawPixmap(QPointF(2 * SPACING, top + (ROW - SWATCH.height()) / 2), look)
                painter.setPen(theme.color("secondary"))
                painter.drawText(QPointF(3 * SPACING + SWATCH.width(), top + rise), row.label)
                painter.setPen(theme.color("text"))
                end = self.width() - 2 * SPACING - metrics.horizontalAdvance(row.text)
                painter.drawText(QPointF(end, top + rise), row.text)
            if self._left_out:
                painter.setPen(theme.color("secondary"))
                painter.drawText(QPointF(2 * SPACING, SPACING + ROW * len(self._rows) + rise), self._rest())
