"""A sentence that must not be missed, until it is closed or out of date."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from gui.icons import icon
from gui.theme import PANEL_MARGIN, SPACING, Theme


class Notice(QFrame):
    """Hidden while there is nothing to say."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setProperty("role", "banner")
        self._text = QLabel()
        self._text.setObjectName("notice_text")
        self._text.setProperty("role", "error")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._close = QToolButton()
        self._close.setObjectName("notice_close")
        self._close.setProperty("role", "quiet")
        self._close.setProperty("compact", True)
        self._close.setAccessibleName("Close the message")
        self._close.setToolTip("Close the message")
        self._close.clicked.connect(self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(PANEL_MARGIN, SPACING, SPACING, SPACING)
        row.setSpacing(2 * SPACING)
        row.addWidget(self._text, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.set_theme(theme)
        self.clear()

    def show_text(self, text: str) -> None:
        self._text.setText(text)
        self.setVisible(True)

    def clear(self) -> None:
        self._text.clear()
        self.setVisible(False)

    def set_theme(self, theme: Theme) -> None:
        self._close.setIcon(icon("close", theme))
