"""Small buttons that are words: one to press, one that folds and unfolds what belongs to it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from gui.theme import FONT_SMALL, SPACING

ARROW = 3.0  # px, half the width of the chevron
HEIGHT = 20  # px


class TextButton(QAbstractButton):
    """A word to press, no taller than a heading."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def sizeHint(self) -> QSize:
        self._set_font()
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 2 * SPACING + self._mark_width(), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        self._set_font()
        palette, role = self.palette(), QPalette.ColorRole
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QPen(palette.color(role.Highlight), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.setPen(palette.color(self._color_role()))
        words = self.rect().adjusted(SPACING, 0, -SPACING - self._mark_width(), 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.text())
        self._paint_mark(painter)
        painter.end()

    def _color_role(self) -> QPalette.ColorRole:
        return QPalette.ColorRole.Text if self.underMouse() or self.hasFocus() else QPalette.ColorRole.Link

    def _mark_width(self) -> int:
        return 0

    def _paint_mark(self, painter: QPainter) -> None:
        """Paint what stands behind the word."""

    def _set_font(self) -> None:
        font = self.font()
        if font.pixelSize() != FONT_SMALL:
            font.setPixelSize(FONT_SMALL)
            self.setFont(font)


class Disclosure(TextButton):
    """A word and a chevron; checked while `content` is shown.

    Args:
        text: the word, such as "More".
        content: what it shows and hides; starts hidden.
    """

    def __init__(self, text: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setCheckable(True)
        content.setVisible(False)
        self.toggled.connect(content.setVisible)

    def _color_role(self) -> QPalette.ColorRole:
        active = self.underMouse() or self.hasFocus() or self.isChecked()
        return QPalette.ColorRole.Text if active else QPalette.ColorRole.PlaceholderText

    def _mark_width(self) -> int:
        return 3 * SPACING

    def _paint_mark(self, painter: QPainter) -> None:
        color = self.palette().color(self._color_role())
        painter.setPen(QPen(color, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        x, y = self.width() - 1.5 * SPACING, self.height() / 2
        if self.isChecked():
            ends = [QPointF(x - ARROW, y - ARROW / 2), QPointF(x, y + ARROW / 2), QPointF(x + ARROW, y - ARROW / 2)]
        else:
            ends = [QPointF(x - ARROW / 2, y - ARROW), QPointF(x + ARROW / 2, y), QPointF(x - ARROW / 2, y + ARROW)]
        painter.drawPolyline(ends)
