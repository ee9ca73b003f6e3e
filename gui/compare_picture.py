"""ComparePicture: compared runs as a picture, the curves above a key of what each line is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QFontMetrics, QPainter

from gui.compare_plots import ComparePlots
from gui.export import png, svg
from gui.plotting.trace import chart_font
from gui.run_colors import SWATCH, swatch
from gui.theme import PANEL_MARGIN, SPACING, Theme

ROW = 20  # px of a title or an entry of the key


class ComparePicture:
    """What `plots` shows now, in their size."""

    def __init__(self, plots: ComparePlots, theme: Theme) -> None:
        self._plots = plots.shown
        self._legend = plots.legend
        self._theme = theme
        height = sum(plot.height() + ROW for _, plot in self._plots) + ROW * len(self._legend) + 2 * SPACING
        self._size = QSize(max(plot.width() for _, plot in self._plots), height)

    def png(self) -> bytes:
        """A PNG file's contents."""
        return png(self._draw, self._size)

    def svg(self) -> bytes:
        """An SVG file's contents: lines and text."""
        return svg(self._draw, self._size, title="Comparison of runs")

    def _draw(self, painter: QPainter) -> None:
        size, theme = self._size, self._theme
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), theme.color("panel"))
        top = 0
        for title, plot in self._plots:
            self._write(painter, title.text(), left=PANEL_MARGIN, top=top)
            painter.save()
            painter.translate(0, top + ROW)
            plot.draw(painter)
            painter.restore()
            top += ROW + plot.height()
        for line in self._legend:
            painter.drawPixmap(PANEL_MARGIN, top + (ROW - SWATCH.height()) // 2, swatch(line.runs[0], theme))
            self._write(painter, line.label, left=PANEL_MARGIN + SWATCH.width() + 2 * SPACING, top=top)
            top += ROW

    def _write(self, painter: QPainter, text: str, *, left: int, top: int) -> None:
        font = chart_font()
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(self._theme.color("text"))
        painter.drawText(left, top + (ROW + metrics.ascent() - metrics.descent()) // 2, text)
