"""A small button that folds and unfolds what belongs to it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from gui.theme import FONT_SMALL, SPACING

ARROW = 3.0  # px, half the width of the chevron
HEIGHT = 20  # px


class Disclosure(QAbstractButton):
    """A chevron and a word, no taller than a heading; checked while `content` is shown.

    Args:
        text: the word, such as "More".
        content: what it shows and hides; starts hidden.
    """

    def __init__(self, text: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        content.setVisible(False)
        self.toggled.connect(content.setVisible)

    def sizeHint(self) -> QSize:
        self._set_font()
        width = self.fontMetrics().horizontalAdvance(self.text())
        return QSize(width + 4 * SPACING, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        self._set_font()
        palette, role = self.palette(), QPalette.ColorRole
        active = self.underMouse() or self.hasFocus() or self.isChecked()
        color = palette.color(role.Text if active and self.isEnabled() else role.PlaceholderText)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QPen(palette.color(role.Highlight), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.setPen(QPen(color, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPolyline(self._chevron())
        painter.setPen(color)
        words = self.rect().adjusted(SPACING, 0, -3 * SPACING, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()

    def _chevron(self) -> list[QPointF]:
        x, y = self.width() - 1.5 * SPACING, self.height() / 2
        if self.isChecked():
            return [QPointF(x - ARROW, y - ARROW / 2), QPointF(x, y + ARROW / 2), QPointF(x + ARROW, y - ARROW / 2)]
        return [QPointF(x - ARROW / 2, y - ARROW), QPointF(x + ARROW / 2, y), QPointF(x - ARROW / 2, y + ARROW)]

    def _set_font(self) -> None:
        font = self.font()
        if font.pixelSize() != FONT_SMALL:
            font.setPixelSize(FONT_SMALL)
            self.setFont(font)
