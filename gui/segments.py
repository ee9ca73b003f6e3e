"""A choice of one of few, as buttons side by side."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget


class Segments(QWidget):
    """One button for each choice, one of them pressed. The buttons are called `name_choice`.

    Args:
        name: the object name.
        choices: choices to labels and tooltips; the first one is pressed.
        title: what is chosen, for those who hear the window.

    Signals:
        chosen: the person pressed the button of this choice.
    """

    chosen = Signal(str)

    def __init__(self, name: str, choices: Mapping[str, tuple[str, str]], *, title: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(title)
        self._buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for choice, (label, tip) in choices.items():
            button = QPushButton(label)
            button.setObjectName(f"{name}_{choice}")
            button.setProperty("segmented", "true")
            button.setCheckable(True)
            button.setChecked(not self._buttons)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setToolTip(tip)
            button.setAccessibleName(f"{title}: {label}")
            button.clicked.connect(self._tell)
            group.addButton(button)
            row.addWidget(button)
            self._buttons[choice] = button
        self._told = self.value()

    def value(self) -> str:
        """The choice whose button is pressed."""
        return next(choice for choice, button in self._buttons.items() if button.isChecked())

    def set_value(self, choice: str) -> None:
        """Press a button without a signal. Raises KeyError for a choice there is not."""
        self._buttons[choice].setChecked(True)
        self._told = choice

    def _tell(self) -> None:
        if self.value() != self._told:
            self._told = self.value()
            self.chosen.emit(self._told)
