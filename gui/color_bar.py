"""The bar that says which colour is which weight."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.colormap import SIDE, ZERO_LEVEL, diverging, packed
from gui.theme import FONT_SMALL, SPACING, Theme, base_font

BAR_WIDTH, BAR_HEIGHT = 216, 16  # px; the width holds `OWN_SCALE`
GRADIENT_WIDTH, GRADIENT_HEIGHT = 96, 8  # px; the width beside two numbers
OWN_SCALE = "each filter on its own scale"


class ColorBar(QWidget):
    """The diverging map from −limit to +limit, or the words that every filter has limits of its own."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._limit: float | None = None
        self._shown = False
        self.setObjectName("filter_bar")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Colour scale")

    @property
    def limit(self) -> float | None:
        """The weight at the bar's right end; None where every filter has its own."""
        return self._limit

    def set_limit(self, limit: float | None) -> None:
        if self._shown and limit == self._limit:
            return
        self._limit, self._shown = limit, True
        self.setAccessibleDescription(OWN_SCALE if limit is None else f"from {negative(limit)} to {positive(limit)}")
        self.update()

    def clear(self) -> None:
        """Show nothing: there is nothing to measure."""
        if self._shown:
            self._limit, self._shown = None, False
            self.setAccessibleDescription("")
            self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(BAR_WIDTH, BAR_HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._shown:
            painter = QPainter(self)
            paint_bar(painter, QRectF(self.rect()), theme=self._theme, limit=self._limit)
            painter.end()


def paint_bar(painter: QPainter, area: QRectF, *, theme: Theme, limit: float | None) -> None:
    """Draw the bar with its limits, or with `OWN_SCALE` where there is none, into `area`."""
    painter.setFont(small_font())
    painter.setPen(theme.color("secondary"))
    middle = Qt.AlignmentFlag.AlignVCenter
    gradient = QRectF(area.left(), area.center().y() - GRADIENT_HEIGHT / 2, area.width(), GRADIENT_HEIGHT)
    if limit is None:
        words = painter.fontMetrics().horizontalAdvance(OWN_SCALE) + 2 * SPACING
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | middle, OWN_SCALE)
        gradient.setWidth(area.width() - words)
    else:
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | middle, positive(limit))
        gradient.setRight(area.right() - painter.fontMetrics().horizontalAdvance(positive(limit)) - 2 * SPACING)
        gradient.setLeft(gradient.right() - GRADIENT_WIDTH)
        before = QRectF(area.left(), area.top(), gradient.left() - 2 * SPACING - area.left(), area.height())
        painter.drawText(before, Qt.AlignmentFlag.AlignRight | middle, negative(limit))
    words_of_map = np.ascontiguousarray(packed(diverging(theme))[None, ZERO_LEVEL - SIDE : ZERO_LEVEL + SIDE + 1])
    image = QImage(words_of_map.data, words_of_map.shape[1], 1, words_of_map.nbytes, QImage.Format.Format_RGB32)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(gradient, image)
    painter.setPen(QColor(theme.border))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(gradient.adjusted(0.5, 0.5, -0.5, -0.5))
    # Zero has the ground's own colour: a mark tells where it is.
    painter.fillRect(QRectF(gradient.center().x() - 0.5, gradient.top(), 1, gradient.height()), QColor(theme.secondary))


def small_font() -> QFont:
    """FONT_SMALL px, figures of one width."""
    font = base_font()
    font.setPixelSize(FONT_SMALL)
    return font


def positive(limit: float) -> str:
    return f"+{limit:.3g}"


def negative(limit: float) -> str:
    return f"−{limit:.3g}"
