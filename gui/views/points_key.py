"""What the marks, lines and colours of a picture of points mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QLinearGradient, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.plotting.trace import chart_font
from gui.theme import SPACING, Theme

ROW = 18  # px
SWATCH = 22  # px; that of colours is twice as wide
GAP = 12  # px between entries
RADIUS = 4.0  # px, of a mark
FAINTEST = 0.5  # share of a class's colour where the network is sure of it

Kind = Literal["disc", "diamond", "triangle", "solid", "dashed", "dotted", "colors"]
MARKS: tuple[Kind, ...] = ("disc", "diamond", "triangle")
_DASHES: dict[Kind, list[float]] = {"dashed": [4, 3], "dotted": [1, 2]}


@dataclass(frozen=True, slots=True)
class Entry:
    """A mark, a line or, of kind `colors`, the scale between the colours of `role` and `other`."""

    kind: Kind
    role: str
    label: str
    other: str = ""


class PointsKey(QWidget):
    """The entries side by side, in as many rows as they need."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._entries: tuple[Entry, ...] = ()
        self.setObjectName("points_key")
        self.setAccessibleName("Key")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self._entries

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_entries(self, entries: Sequence[Entry]) -> None:
        if tuple(entries) != self._entries:
            self._entries = tuple(entries)
            self.setAccessibleDescription(", ".join(entry.label for entry in entries))
            self._fit()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, ROW)

    def resizeEvent(self, event: QResizeEvent, /) -> None:  # noqa: ARG002
        self._fit()

    def _fit(self) -> None:
        """Be as high as the rows are."""
        places = self._places(self.width())
        self.setFixedHeight(int(places[-1].y()) + ROW if places else ROW)

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(chart_font())
        for entry, place in zip(self._entries, self._places(self.width()), strict=True):
            swatch = QRectF(place.x(), place.y(), _swatch(entry), ROW)
            self._paint_swatch(painter, entry, swatch)
            painter.setPen(QColor(self._theme.secondary))
            words = QRectF(swatch.right() + SPACING, place.y(), self.width(), ROW)
            painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, entry.label)
        painter.end()

    def _places(self, width: int) -> list[QPointF]:
        metrics = QFontMetrics(chart_font())
        places: list[QPointF] = []
        x, y = 0.0, 0.0
        for entry in self._entries:
            wide = _swatch(entry) + SPACING + metrics.horizontalAdvance(entry.label)
            if x and x + wide > width:
                x, y = 0.0, y + ROW
            places.append(QPointF(x, y))
            x += wide + GAP
        return places

    def _paint_swatch(self, painter: QPainter, entry: Entry, place: QRectF) -> None:
        color, middle = self._theme.color(entry.role), place.center()
        if entry.kind in MARKS:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            _paint_mark(painter, entry.kind, middle)
        elif entry.kind == "colors":
            bar = place.adjusted(0, 5, 0, -5)
            fading = QLinearGradient(bar.topLeft(), bar.topRight())
            for at, role, share in ((0.0, entry.role, FAINTEST), (0.5, "panel", 1.0), (1.0, entry.other, FAINTEST)):
                fading.setColorAt(at, self._theme.color(role, share))
            painter.setPen(QPen(self._theme.color("border"), 1))
            painter.setBrush(fading)
            painter.drawRoundedRect(bar, 2, 2)
        else:
            pen = QPen(color, 2)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if entry.kind in _DASHES:
                pen.setDashPattern(_DASHES[entry.kind])
            painter.setPen(pen)
            painter.drawLine(QPointF(place.left(), middle.y()), QPointF(place.right(), middle.y()))


def _swatch(entry: Entry) -> int:
    if entry.kind in MARKS:
        return round(2 * RADIUS) + 2
    return 2 * SWATCH if entry.kind == "colors" else SWATCH


def _paint_mark(painter: QPainter, kind: Kind, at: QPointF) -> None:
    x, y, r = at.x(), at.y(), RADIUS
    if kind == "disc":
        painter.drawEllipse(at, r, r)
    elif kind == "diamond":
        r *= 1.2
        painter.drawPolygon(QPolygonF([QPointF(x, y - r), QPointF(x + r, y), QPointF(x, y + r), QPointF(x - r, y)]))
    else:
        painter.drawPolygon(QPolygonF([QPointF(x, y - r), QPointF(x + r, y + r), QPointF(x - r, y + r)]))
