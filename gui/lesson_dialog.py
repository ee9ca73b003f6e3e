"""Dialogs around lessons: write one of one's own, open somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from gui.theme import PANEL_MARGIN, SPACING

_KINDS = "Lessons (*.lesson.md *.md)"
_EXAMPLE = """## Do

1. Press Start.

## See

The loss falls, since $w \\leftarrow w - \\alpha \\frac{\\partial L}{\\partial w}$ …
"""


class LessonDialog(QDialog):
    """Asks for a title and a text, then for a file; `save(path, title, text)` does the rest."""

    def __init__(self, parent: QWidget, save: Callable[[Path, str, str], None]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("lesson_dialog")
        self.setWindowTitle("Save the set-up as a lesson")
        self._save = save
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(2 * SPACING)
        about = QLabel(
            "The lesson holds what is set up now, the tools that are open, and this text. It carries no code."
        )
        about.setWordWrap(True)
        about.setProperty("role", "secondary")
        column.addWidget(about)
        self._title = QLineEdit()
        self._title.setObjectName("lesson_title")
        self._title.setAccessibleName("Title")
        self._title.setPlaceholderText("Title")
        self._title.setMaxLength(200)
        self._title.textChanged.connect(self._follow)
        column.addWidget(self._title)
        self._text = QPlainTextEdit()
        self._text.setObjectName("lesson_words")
        self._text.setAccessibleName("Text in Markdown, formulas between dollar signs")
        self._text.setToolTip("Markdown; formulas stand between dollar signs, as in TeX.")
        self._text.setPlainText(_EXAMPLE)
        self._text.setTabChangesFocus(True)
        column.addWidget(self._text, 1)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self._buttons.accepted.connect(self._ask)
        self._buttons.rejected.connect(self.reject)
        column.addWidget(self._buttons)
        self.resize(520, 420)
        self._follow()

    def _follow(self) -> None:
        button = self._buttons.button(QDialogButtonBox.StandardButton.Save)
        named = bool(self._title.text().strip())
        button.setEnabled(named)
        button.setToolTip("" if named else "A lesson needs a title.")

    def _ask(self) -> None:
        from engine.lessons.lesson import SUFFIX  # here: start-up has no time for pydantic

        words = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in self._title.text().lower()).split())
        dialog = QFileDialog(self, "Save the lesson", str(Path.home() / f"{words or 'lesson'}{SUFFIX}"), _KINDS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._done)
        dialog.open()

    def _done(self, path: str) -> None:
        self._save(Path(path), self._title.text().strip(), self._text.toPlainText())
        self.accept()


def ask_for_lesson(parent: QWidget, chosen: Callable[[Path], None]) -> None:
    """Let the person pick a lesson's file."""
    dialog = QFileDialog(parent, "Open a lesson", str(Path.home()), _KINDS)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda path: chosen(Path(path)))
    dialog.open()
