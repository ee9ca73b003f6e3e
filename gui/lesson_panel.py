"""The panel of a lesson: its text, its stages, and what the tutorial printed beside what this run obtains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from gui.lesson_text import rich_text
from gui.theme import PANEL_MARGIN, SPACING, Theme

if TYPE_CHECKING:
    from engine.lessons.comparison import Row
    from engine.lessons.lesson import Lesson

EMPTY = (
    "Choose a lesson from the Lessons menu above: each is a set-up with a text that says what to do and what to see."
)
_MOST_ROWS = 5  # of numbers that are seen without scrolling


class LessonPanel(QWidget):
    """Shows what it is given; it decides nothing.

    Signals:
        stage_chosen(number): counted from 1.
        previous, next: another lesson is wanted.
        everything_wanted(bool): show the controls that the lesson hides, or hide them again.
    """

    stage_chosen = Signal(int)
    previous = Signal()
    next = Signal()
    everything_wanted = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lesson: Lesson | None = None
        self._rows: tuple[Row, ...] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(2 * SPACING)
        self._place = QLabel()
        self._place.setProperty("role", "secondary")
        self._place.setWordWrap(True)
        self._title = QLabel()
        self._title.setProperty("role", "title")
        self._title.setWordWrap(True)
        self._stages = QComboBox()
        self._stages.setObjectName("lesson_stage")
        self._stages.setAccessibleName("Stage of the lesson")
        self._stages.setToolTip("A stage is one run with its own set-up. Choose one, then press Start.")
        self._stages.setMinimumContentsLength(12)
        self._stages.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._stages.activated.connect(lambda place: self.stage_chosen.emit(place + 1))
        self._text = QTextBrowser()
        self._text.setObjectName("lesson_text")
        self._text.setAccessibleName("Text of the lesson")
        self._text.setOpenLinks(False)
        self._text.document().setIndentWidth(18)
        self._text.setFrameShape(QTextBrowser.Shape.NoFrame)
        self._result = QLabel()
        self._result.setObjectName("lesson_result")
        self._result.setWordWrap(True)
        self._result.hide()
        self._numbers_title = QLabel("Printed in the tutorial and obtained here")
        self._numbers_title.setProperty("role", "secondary")
        self._numbers_title.setWordWrap(True)
        self._numbers = self._table()
        self._everything = QCheckBox("Show all")
        self._everything.setObjectName("lesson_show_all")
        self._everything.setToolTip("This lesson hides controls that it does not need. Here they come back.")
        self._everything.toggled.connect(self.everything_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * SPACING)
        self._previous = self._button("Previous", "lesson_previous", "The lesson before this one.")
        self._previous.clicked.connect(lambda _checked=False: self.previous.emit())
        self._next = self._button("Next", "lesson_next", "The lesson after this one.")
        self._next.clicked.connect(lambda _checked=False: self.next.emit())
        buttons.addWidget(self._everything)
        buttons.addStretch(1)
        buttons.addWidget(self._previous)
        buttons.addWidget(self._next)
        column.addWidget(self._place)
        column.addWidget(self._title)
        column.addWidget(self._stages)
        column.addWidget(self._text, 1)
        column.addWidget(self._result)
        column.addWidget(self._numbers_title)
        column.addWidget(self._numbers)
        column.addLayout(buttons)
        self.show_lesson(None)
        self.show_rows(())

    def show_lesson(
        self, lesson: Lesson | None, *, stage: int = 1, place: str = "", first: bool = True, last: bool = True
    ) -> None:
        """Show a lesson at one of its stages.

        Args:
            place: such as `Images · lesson 7 of 16`.
            first, last: there is none before, or after it.
        """
        self._lesson = lesson
        self._place.setText(place)
        self._title.setText(lesson.title if lesson else "No lesson is open")
        stages = lesson.stages if lesson else ()
        self._stages.clear()
        for number, each in enumerate(stages, start=1):
            title = f": {each.title}" if each.title else ""
            self._stages.addItem(f"Stage {number} of {len(stages)}{title}")
        self._stages.setCurrentIndex(stage - 1)
        self._stages.setVisible(len(stages) > 1)
        self._everything.setVisible(bool(lesson and lesson.hides))
        for button, absent, why in (
            (self._previous, first, "This is the first lesson."),
            (self._next, last, "This is the last lesson."),
        ):
            button.setEnabled(lesson is not None and not absent)
            button.setToolTip(why if lesson is not None and absent else button.property("tip"))
        self._show_text()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """The printed numbers, and those obtained so far."""
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        table = self._numbers
        table.setRowCount(len(rows))
        several = len({row.printed.stage for row in rows}) > 1
        for line, row in enumerate(rows):
            label = f"{row.printed.stage}: {row.label}" if several else row.label
            sign = "" if row.agrees is None else "✓" if row.agrees else "≠"
            for place, text in enumerate((label, row.printed.value, row.text, sign)):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
                right = Qt.AlignmentFlag.AlignRight if 0 < place < 3 else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(right | Qt.AlignmentFlag.AlignVCenter)
                if place == 3 and row.agrees is not None:
                    item.setForeground(self._theme.color("good" if row.agrees else "warning"))
                    item.setToolTip(_verdict(row))
                item.setToolTip(item.toolTip() or text)
                table.setItem(line, place, item)
        self._numbers_title.setVisible(bool(rows))
        table.setVisible(bool(rows))
        height = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(height * min(len(rows), _MOST_ROWS) + table.horizontalHeader().sizeHint().height() + 4)

    def show_result(self, text: str) -> None:
        """What the last evaluation found, in a sentence; empty hides it."""
        self._result.setText(text)
        self._result.setVisible(bool(text))

    def show_everything(self, wanted: bool) -> None:
        """Set the check mark without asking for anything."""
        self._everything.blockSignals(True)
        self._everything.setChecked(wanted)
        self._everything.blockSignals(False)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show_text()
        rows, self._rows = self._rows, None
        self.show_rows(rows or ())

    def _show_text(self) -> None:
        place = self._text.verticalScrollBar().value() if self._lesson else 0
        self._text.document().setDocumentMargin(0)
        if self._lesson is None:
            self._text.setHtml(f"<p>{EMPTY}</p>")  # start-up has no time to load the parser of Markdown
        else:
            self._text.setHtml(rich_text(self._lesson.text, self._theme))
        self._text.verticalScrollBar().setValue(place)

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setProperty("tip", tip)
        return button

    def _table(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setObjectName("lesson_numbers")
        table.setAccessibleName("Printed in the tutorial and obtained here")
        table.setHorizontalHeaderLabels(["What", "Printed", "Here", ""])
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(22)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setWordWrap(False)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in (1, 2, 3):
            header.setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
        header.setMinimumSectionSize(20)
        return table


def _verdict(row: Row) -> str:
    if not row.agrees:
        return "Another number than printed: this run's set-up is another one, or its arithmetic."
    if row.text == row.printed.value:
        return "The printed digits."
    return "The printed number but for rounding in single precision."
