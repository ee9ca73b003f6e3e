"""The five buttons of one training step, with the line of code that each stands for."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QFontDatabase, QIcon, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from engine.inspection.looks import CODE, STAGES, Stage
from gui.icons import icon
from gui.theme import FONT_SMALL, SPACING, Theme

WIDE_FROM = 560  # px; below, the buttons stand under each other
WHOLE_FROM = 340  # px; below, their lines of code are broken too
BUTTON_WIDTH = 112  # px of a button in a column
UNLIMITED = 2**24 - 1  # px, Qt's QWIDGETSIZE_MAX
HEIGHT = 40  # px of a button in a row
LABELS: Mapping[Stage, str] = {
    "zero_grad": "zero_grad",
    "forward": "forward",
    "loss": "loss",
    "backward": "backward",
    "step": "step",
}
MEANINGS: Mapping[Stage, str] = {
    "zero_grad": "Removes the gradients of the step before, which would otherwise be added to.",
    "forward": "Sends the batch through the network.",
    "loss": "Compares the outputs with the targets, as one number.",
    "backward": "Computes how the loss would change with each parameter, and adds it to the parameter's .grad.",
    "step": "Lets the optimizer move every parameter by its .grad.",
}
# Where a line of code may be broken so that five fit beside each other.
_BREAKS = ("optimizer.", "outputs = ", "value = loss(", "value.")


class StageButtons(QWidget):
    """In a row with arrows between them where there is room, else in a column.

    Signals: `pressed(stage)`.
    """

    pressed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("microscope_stages")
        self._theme = theme
        self._done: Stage | None = None
        self._primary: Stage | None = None
        self._shape: tuple[bool, bool] | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACING)
        self._buttons: dict[Stage, QPushButton] = {}
        self._codes: dict[Stage, QLabel] = {}
        self._arrows = [self._arrow() for _ in STAGES[1:]]
        for number, stage in enumerate(STAGES, start=1):
            button = QPushButton(LABELS[stage])
            button.setObjectName(f"microscope_{stage}")
            button.setAccessibleName(f"{number}. {LABELS[stage]}")
            button.setAccessibleDescription(CODE[stage])
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _checked=False, stage=stage: self.pressed.emit(stage))
            code = QLabel(CODE[stage])
            code.setObjectName(f"microscope_code_{stage}")
            code.setProperty("role", "secondary")
            code.setTextFormat(Qt.TextFormat.PlainText)
            code.setFont(_code_font())
            self._buttons[stage], self._codes[stage] = button, code
        self._lay_out(wide=False, whole=True)
        self.set_state(None, refused=dict.fromkeys(STAGES, ""), following=None)

    def set_state(self, done: Stage | None, *, refused: Mapping[Stage, str], following: Stage | None) -> None:
        """Say how far the step has come.

        Args:
            done: the last button pressed; it and those before it get a tick.
            refused: buttons that cannot be pressed, each with a sentence that says why.
            following: the button to press next; None for none.
        """
        self._done = done
        self._primary = following if following not in refused else None
        for stage, button in self._buttons.items():
            button.setEnabled(stage not in refused)
            reason = f"<br>{refused[stage]}" if refused.get(stage) else ""
            button.setToolTip(f"<p>{MEANINGS[stage]}{reason}</p>")
            role = "primary" if stage == self._primary else ""
            if button.property("role") != role:
                button.setProperty("role", role)
                button.style().unpolish(button)
                button.style().polish(button)
        self._tick()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._tick()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= WIDE_FROM
        self._lay_out(wide=wide, whole=not wide and self.width() >= WHOLE_FROM)

    def _tick(self) -> None:
        last = -1 if self._done is None else STAGES.index(self._done)
        for place, (stage, button) in enumerate(self._buttons.items()):
            role = "on_accent" if stage == self._primary else "good"
            button.setIcon(icon("check", self._theme, role=role) if place <= last else QIcon())

    def _arrow(self) -> QLabel:
        arrow = QLabel("→", self)
        arrow.setProperty("role", "secondary")
        arrow.setAlignment(Qt.AlignmentFlag.AlignCenter)
        return arrow

    def _lay_out(self, *, wide: bool, whole: bool) -> None:
        """Place the buttons in a row or a column, with their lines of code whole or broken."""
        if (wide, whole) == self._shape:
            return
        self._shape = (wide, whole)
        for place, stage in enumerate(STAGES):
            button, code = self._buttons[stage], self._codes[stage]
            self._grid.removeWidget(button)
            self._grid.removeWidget(code)
            code.setText(CODE[stage] if whole else _broken(CODE[stage]))
            button.setMinimumSize(0 if wide else BUTTON_WIDTH, HEIGHT if wide else 0)
            button.setMaximumWidth(UNLIMITED if wide else BUTTON_WIDTH)
            if wide:
                code.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
                self._grid.addWidget(button, 0, 2 * place)
                self._grid.addWidget(code, 1, 2 * place)
            else:
                code.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
                self._grid.addWidget(button, place, 0)
                self._grid.addWidget(code, place, 1)
        for place, arrow in enumerate(self._arrows):
            self._grid.removeWidget(arrow)
            arrow.setVisible(wide)
            if wide:
                self._grid.addWidget(arrow, 0, 2 * place + 1)
        stretches = [1, 0] * len(STAGES) if wide else [0, 1]
        for column in range(2 * len(STAGES) - 1):
            self._grid.setColumnStretch(column, stretches[column] if column < len(stretches) else 0)


def _broken(code: str) -> str:
    """The line in two."""
    head = next(head for head in _BREAKS if code.startswith(head))
    return f"{head.rstrip()}\n{code.removeprefix(head)}"


def _code_font() -> QFont:
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(FONT_SMALL)
    return font
