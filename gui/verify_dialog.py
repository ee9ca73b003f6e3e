"""How far it is while a run is taken away, and what came of a script that was verified."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QFontDatabase
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.theme import PANEL_MARGIN, SPACING

if TYPE_CHECKING:
    from engine.script.verify import Verdict

SHOWN_AFTER = 500  # ms that something may take without a word
PARTS = 1000  # of the progress bar
_TITLES = {
    "equal": ("The weights are equal", "good"),
    "different": ("The weights are not equal", "error"),
    "failed": ("The script could not be verified", "warning"),
}


class TakingDialog(QDialog):
    """Says what is being done and how far it is; Cancel, Esc and closing it end the work by `cancel`.

    It shows itself once the work takes longer than half a second, and closes at its end, unless there is something to
    read: a verdict, or why there is none.

    Args:
        title: of its window.
        about: what is done, in a sentence or two.
    """

    def __init__(self, parent: QWidget, title: str, about: str, cancel: Callable[[], None]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("taking_dialog")
        self.setWindowTitle(title)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self._cancel: Callable[[], None] | None = cancel
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(2 * SPACING)
        self._heading = _label("title")
        self._heading.setObjectName("taking_heading")
        self._heading.hide()
        self._about = _label("secondary", about)
        self._about.setObjectName("taking_about")
        self._bar = QProgressBar()
        self._bar.setObjectName("taking_progress")
        self._bar.setAccessibleName("Progress")
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 0)
        self._line = _label("note", " ")
        self._line.setObjectName("taking_line")
        self._hashes = self._make_hashes()
        self._output = QPlainTextEdit()
        self._output.setObjectName("taking_output")
        self._output.setAccessibleName("What the script printed last")
        self._output.setReadOnly(True)
        self._output.setTabChangesFocus(True)
        self._output.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._output.hide()
        for widget in (self._heading, self._about, self._bar, self._line, self._hashes):
            column.addWidget(widget)
        column.addWidget(self._output, 1)
        column.addStretch()
        self._buttons = QDialogButtonBox()
        self._end = QPushButton("Cancel")
        self._end.setObjectName("taking_end")
        self._end.setToolTip("Ends the work; nothing of it stays (Esc).")
        self._buttons.addButton(self._end, QDialogButtonBox.ButtonRole.RejectRole)
        self._buttons.rejected.connect(self.reject)
        column.addWidget(self._buttons)
        self.resize(520, 160)
        self._soon = QTimer(self, singleShot=True, interval=SHOWN_AFTER)
        self._soon.timeout.connect(self.open)
        self._soon.start()

    def _make_hashes(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("taking_hashes")
        grid = QGridLayout(frame)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACING)
        grid.setVerticalSpacing(SPACING)
        self._values: list[QLabel] = []
        for row, (name, title) in enumerate((("expected", "The run"), ("found", "The script"))):
            key = QLabel(title)
            key.setProperty("role", "secondary")
            value = _label("", "")
            value.setObjectName(f"taking_{name}")
            value.setAccessibleName(f"Hash of the weights: {title.lower()}")
            value.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
            value.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            value.setToolTip("The SHA-256 of all parameters and buffers: names, types, shapes and values.")
            grid.addWidget(key, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._values.append(value)
        grid.setColumnStretch(1, 1)
        frame.hide()
        return frame

    # What it is told

    def show_progress(self, what: str, share: float | None) -> None:
        """`what` is done; `share` in 0 … 1, None where it is unknown."""
        self._line.setText(what)
        self._bar.setRange(0, 0 if share is None else PARTS)
        if share is not None:
            self._bar.setValue(round(share * PARTS))

    def show_verdict(self, verdict: Verdict) -> None:
        """What came of verifying; it stays until it is closed."""
        title, role = _TITLES[verdict.outcome]
        self._show_end(title, role, verdict.message)
        for value, digest in zip(self._values, (verdict.expected, verdict.found), strict=True):
            value.setText(_halves(digest))
        self._hashes.show()
        self._fit()
        if verdict.outcome == "failed" and verdict.output:
            self._output.setPlainText(verdict.output)
            self._output.show()
            self.resize(self.width(), 360)

    def show_problem(self, sentence: str) -> None:
        """Why there is no verdict."""
        self._show_end(*_TITLES["failed"], sentence)
        self._fit()

    def done_quietly(self) -> None:
        """The work is done, and there is nothing to read."""
        self._soon.stop()
        self._cancel = None
        self.close()
        self.deleteLater()  # one that was never shown does not close

    def _show_end(self, title: str, role: str, sentence: str) -> None:
        self._soon.stop()
        self._cancel = None
        self._heading.setText(title)
        self._heading.setProperty("role", role)
        self._heading.style().unpolish(self._heading)
        self._heading.style().polish(self._heading)
        self._heading.show()
        self._about.setText(sentence)
        self._bar.hide()
        self._line.hide()
        self._end.setText("Close")
        self._end.setToolTip("Closes this window (Esc).")
        if not self.isVisible():
            self.open()
        self._end.setFocus()

    def _fit(self) -> None:
        """As high as what there is to read."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
        self.resize(self.width(), self.sizeHint().height())

    # What a person does

    def reject(self) -> None:
        self._soon.stop()
        self._give_up()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._soon.stop()
        self._give_up()
        super().closeEvent(event)

    def _give_up(self) -> None:
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()


def _halves(digest: str) -> str:
    """A hash on two lines, in groups of eight digits."""
    groups = [digest[place : place + 8] for place in range(0, len(digest), 8)]
    return "\n".join(" ".join(groups[half : half + 4]) for half in (0, 4)) if digest else "none"


def _label(role: str, text: str = "") -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label
