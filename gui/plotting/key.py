"""Key: the strip above a plot that says what each line is and reads its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.plotting.trace import TraceStyle, chart_font, mixed
from gui.theme import PANEL_MARGIN, SPACING, Theme

HEIGHT = 22  # px
SWATCH = 20  # px
GAP = 12  # px between entries


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One line of the plot: how it is drawn, what it is called (and shorter), and its value.

    `widest` is the longest text the value may become: the entry keeps that width, so that nothing moves.
    """

    role: str
    style: TraceStyle
    label: str
    short: str
    value: str
    widest: str


class Key(QWidget):
    """A title and the entries, in one row. Where the row is too short the labels become short, then go.

    All but the values is painted once into a picture.
    """

    def __init__(self, theme: Theme, title: str) -> None:
        super().__init__()
        self._theme = theme
        self._title = title
        self._entries: tuple[KeyEntry, ...] = ()
        self._font = chart_font()
        self._baseline = _baseline(self._font)
        self._frame: QPixmap | None = None
        self._places: list[float] = []  # px where the values start
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(f"{title}: values")

    @property
    def entries(self) -> Sequence[KeyEntry]:
        return self._entries

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._font = chart_font()
        self._baseline = _baseline(self._font)
        self._redraw_all()

    def set_entries(self, entries: Sequence[KeyEntry]) -> None:
        new, old = tuple(entries), self._entries
        if new == old:
            return
        self._entries = new
        if [_fixed(entry) for entry in new] != [_fixed(entry) for entry in old]:
            self._frame = None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, HEIGHT)

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._redraw_all()

    def _redraw_all(self) -> None:
        self._frame = None
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        density = self.devicePixelRatioF()
        if self._frame is None or self._frame.devicePixelRatio() != density:
            self._frame = QPixmap(self.size() * density)
            self._frame.setDevicePixelRatio(density)
            with QPainter(self._frame) as painter:
                self._draw_frame(painter)
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._frame)
            self._draw_values(painter)

    def draw(self, painter: QPainter) -> None:
        """The key as lines and text: for a picture file."""
        self._draw_frame(painter)
        self._draw_values(painter)

    def _draw_values(self, painter: QPainter) -> None:
        painter.setFont(self._font)
        painter.setPen(QColor(self._theme.text))
        for entry, x in zip(self._entries, self._places, strict=True):
            painter.drawText(QPointF(x, self._baseline), entry.value)

    def _draw_frame(self, painter: QPainter) -> None:
        """All but the values; and where those will be."""
        painter.fillRect(self.rect(), QColor(self._theme.panel))
        title_font = QFont(self._font)
        title_font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(title_font)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(QPointF(PANEL_MARGIN, self._baseline), self._title)
        x = float(PANEL_MARGIN + QFontMetrics(title_font).horizontalAdvance(self._title) + GAP)
        metrics = QFontMetrics(self._font)
        painter.setFont(self._font)
        self._places = []
        for entry, label in zip(self._entries, self._labels(metrics, self.width() - x), strict=True):
            self._draw_swatch(painter, entry, x)
            x += SWATCH + SPACING
            painter.setPen(QColor(self._theme.secondary))
            painter.drawText(QPointF(x, self._baseline), label)
            x += metrics.horizontalAdvance(label) + (SPACING if label else 0)
            self._places.append(x)
            x += metrics.horizontalAdvance(entry.widest) + GAP

    def _labels(self, metrics: QFontMetrics, room: float) -> list[str]:
        """The longest labels that fit."""
        fixed = sum(SWATCH + 2 * SPACING + metrics.horizontalAdvance(e.widest) + GAP for e in self._entries) - GAP
        for labels in ([e.label for e in self._entries], [e.short for e in self._entries]):
            if fixed + sum(metrics.horizontalAdvance(label) for label in labels) <= room:
                return labels
        return ["" for _ in self._entries]

    def _draw_swatch(self, painter: QPainter, entry: KeyEntry, x: float) -> None:
        color, panel = QColor(getattr(self._theme, entry.role)), QColor(self._theme.panel)
        pen = QPen(mixed(color, panel) if entry.style == "band" else color, 1 if entry.style == "band" else 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if entry.style == "dashed":
            pen.setDashPattern([3, 1.5])
        elif entry.style == "dotted":
            pen.setDashPattern([1, 1.5])
        painter.setPen(pen)
        y = HEIGHT / 2
        painter.drawLine(QPointF(x, y), QPointF(x + SWATCH, y))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(panel, 1))
        painter.setBrush(color)
        if entry.style == "dashed":
            painter.drawEllipse(QPointF(x + SWATCH / 2, y), 4, 4)
        elif entry.style == "dotted":
            painter.drawRect(QRectF(x + SWATCH / 2 - 3.5, y - 3.5, 7, 7))
        painter.restore()


def _fixed(entry: KeyEntry) -> tuple[str, ...]:
    """All but the value."""
    return entry.role, entry.style, entry.label, entry.short, entry.widest


def _baseline(font: QFont) -> float:
    """Where text stands to be in the middle of the row."""
    metrics = QFontMetrics(font)
    return float(round((HEIGHT + metrics.ascent() - metrics.descent()) / 2))
