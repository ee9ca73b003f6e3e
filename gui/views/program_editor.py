"""A small program to edit, with its mistake said under it and marked in it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFontDatabase, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from engine.inspection.expressions import FUNCTIONS, ExpressionError, Span
from gui.theme import FONT_BASE, SPACING, Theme

LINES = 7  # in view


class ProgramEditor(QWidget):
    """Signals: `edited`: the text is another."""

    edited = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._mistake: ExpressionError | None = None
        self._shown: Span | None = None
        self._edit = QPlainTextEdit()
        self._edit.setObjectName("program")
        self._edit.setAccessibleName("Program")
        self._edit.setToolTip(
            "<p>A line for each variable. A number alone makes a leaf, whose gradient is computed. "
            f"There are + - * / **, parentheses, and {', '.join(FUNCTIONS)}. "
            "Behind no_grad: a line is computed without gradients. # begins a comment.</p>"
        )
        self._edit.setPlaceholderText("a = 5\nb = a*5")
        self._edit.setTabChangesFocus(True)
        self._edit.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(FONT_BASE)
        self._edit.setFont(font)
        self._edit.setFixedHeight(LINES * self._edit.fontMetrics().lineSpacing() + 5 * SPACING)
        self._error = QLabel()
        self._error.setObjectName("program_error")
        self._error.setProperty("role", "error")
        self._error.setTextFormat(Qt.TextFormat.PlainText)
        self._error.setWordWrap(True)
        self._error.setVisible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self._edit, 1)
        column.addWidget(self._error)
        self._edit.textChanged.connect(self._on_text)

    def text(self) -> str:
        return self._edit.toPlainText()

    def set_text(self, text: str) -> None:
        self._edit.setPlainText(text)

    def show_mistake(self, mistake: ExpressionError | None) -> None:
        """Say and mark a mistake of the present text; None where there is none."""
        self._mistake = mistake
        if mistake is None:
            self.show_problem("")
        else:
            accepted = f"; {mistake.accepted}" if mistake.accepted else ""
            self.show_problem(f"Line {mistake.line}, column {mistake.column}: {mistake.reason}{accepted}.")
        self._mark()

    def show_problem(self, text: str) -> None:
        """Say what is wrong where no place can be marked; empty where nothing is."""
        self._error.setText(text)
        self._error.setVisible(bool(text))

    def show_place(self, span: Span | None) -> None:
        """Light up the expression that is being looked at."""
        self._shown = span
        self._mark()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._mark()

    def _on_text(self) -> None:
        # What was marked may stand elsewhere now.
        self._mistake = self._shown = None
        self._mark()
        self.edited.emit()

    def _mark(self) -> None:
        marks = []
        if self._shown is not None:
            span = self._shown
            marks.append(self._selection(span.line, span.start, span.end, self._theme.color("accent", 0.25)))
        if self._mistake is not None:
            wrong = self._mistake
            start = wrong.column - 1
            mark = self._selection(wrong.line, start, start + wrong.length, self._theme.color("error", 0.2))
            mark.format.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            mark.format.setUnderlineColor(self._theme.color("error"))
            marks.append(mark)
        self._edit.setExtraSelections(marks)

    def _selection(self, line: int, start: int, end: int, color: QColor) -> QTextEdit.ExtraSelection:
        """Characters of a line; the last one where the place is behind the line's end; the line where it is empty."""
        block = self._edit.document().findBlockByNumber(line - 1)
        text = block.text()
        start = min(start, max(len(text) - 1, 0))
        end = min(max(end, start + 1), len(text))
        cursor = QTextCursor(block)
        cursor.setPosition(block.position() + _units(text[:start]))
        cursor.setPosition(block.position() + _units(text[:end]), QTextCursor.MoveMode.KeepAnchor)
        mark = QTextEdit.ExtraSelection()
        mark.cursor = cursor
        mark.format = QTextCharFormat()
        mark.format.setBackground(color)
        if not text:
            mark.format.setProperty(QTextCharFormat.Property.FullWidthSelection, True)
        return mark


def _units(text: str) -> int:
    """Qt counts places in a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
