"""TreeDelegate: names of runs with the lines of a tree beside them, from each run down to its branches."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QModelIndex, QPersistentModelIndex, QRect
from PySide6.QtGui import QPainter, QPalette, QPen
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.run_model import GUIDES

LEVEL = 16  # px that a branch stands further right than its run
TEXT = 8  # px between a cell's edge and its text, as the stylesheet has it


class TreeDelegate(QStyledItemDelegate):
    """Draws a name further right for each level that it stands below others."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        guides = index.data(GUIDES)
        if not guides:
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        style = option.widget.style() if option.widget is not None else QApplication.style()
        whole, text = QRect(option.rect), option.text
        option.text = ""
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)  # the cell's ground
        option.text = text
        option.rect = whole.adjusted(LEVEL * len(guides), 0, 0, 0)
        option.state &= ~QStyle.StateFlag.State_HasFocus
        painter.save()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.restore()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.PlaceholderText
        painter.save()
        painter.setClipRect(whole)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(option.palette.color(role), 1))
        painter.drawLines(guide_lines(guides, left=whole.left(), top=whole.top(), bottom=whole.bottom() + 1))
        painter.restore()


def guide_lines(guides: tuple[bool, ...], *, left: int, top: int, bottom: int) -> list[QLineF]:
    """The lines beside a name in a cell that reaches from `top` to `bottom`: down past it to what comes below, and to
    the name itself.
    """
    lines = []
    middle = (top + bottom) // 2
    for level, goes_on in enumerate(guides):
        x = left + TEXT + LEVEL * level + LEVEL // 4
        own = level == len(guides) - 1
        if own or goes_on:
            lines.append(QLineF(x, top, x, bottom if goes_on else middle))
        if own:
            lines.append(QLineF(x, middle, x + LEVEL // 2, middle))
    return lines
