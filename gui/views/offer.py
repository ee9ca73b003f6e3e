"""A sentence with something to do about it, until it is done, declined or out of date."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gui.theme import PANEL_MARGIN, SPACING


class Offer(QFrame):
    """Hidden while there is nothing to offer. Its buttons are called `name_0`, `name_1` …, from left to right.

    Args:
        name: the object name.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "banner")
        self._text = QLabel()
        self._text.setObjectName(f"{name}_text")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(PANEL_MARGIN, SPACING, SPACING, SPACING)
        self._row.setSpacing(2 * SPACING)
        self._row.addWidget(self._text, 1)
        self.setVisible(False)

    @property
    def text(self) -> str:
        """What is offered, empty while nothing is."""
        return self._text.text()

    def offer(self, text: str, answers: Mapping[str, tuple[str, Callable[[], None]]]) -> None:
        """Say `text` with a button for each of `answers`: its word, to its tooltip and what it does.

        Whichever is pressed, the offer is gone.
        """
        self.clear()
        self._text.setText(text)
        for place, (word, (tip, act)) in enumerate(answers.items()):
            button = QPushButton(word)
            button.setObjectName(f"{self.objectName()}_{place}")
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, act=act: self._answer(act))
            self._row.addWidget(button)
            self._buttons.append(button)
        self.setVisible(True)

    def clear(self) -> None:
        self._text.clear()
        self.setVisible(False)
        for button in self._buttons:
            self._row.removeWidget(button)
            button.hide()
            button.setObjectName("")
            button.deleteLater()
        self._buttons.clear()

    def _answer(self, act: Callable[[], None]) -> None:
        self.clear()
        act()
