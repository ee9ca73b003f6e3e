"""CompareTable: the runs that are compared, one a row, with their colours and whether they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gui.compare_rows import Heading, TableRow
from gui.run_colors import SWATCH, swatch_icon
from gui.theme import Theme

ROW_HEIGHT = 24  # px
NAME_WIDTH = 280  # px at most
CELL = 20  # px of a cell beside its text


class CompareTable(QTableWidget):
    """Figures and differences. The first cell of a run's row has its line's look and a tick.

    Signals:
        hidden_changed(): other runs are to be drawn; see `hidden`.
    """

    hidden_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._headings: list[Heading] = []
        self._runs: list[tuple[int, ...]] = []
        self.hidden: set[int] = set()
        self.setObjectName("compare_table")
        self.setAccessibleName("Compared runs: figures and differences")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setIconSize(SWATCH)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.horizontalHeader().setHighlightSections(False)
        self.setMinimumHeight(3 * ROW_HEIGHT)
        self.itemChanged.connect(self._on_changed)

    @property
    def needed_height(self) -> int:
        """For all rows, px."""
        bar = self.horizontalScrollBar().sizeHint().height()
        return self.horizontalHeader().sizeHint().height() + ROW_HEIGHT * self.rowCount() + bar + 2 * self.frameWidth()

    def set_theme(self, theme: Theme) -> None:
        """For the rows that are set next."""
        self._theme = theme
        self._runs = []

    def show_all(self) -> None:
        """Every run is drawn again."""
        self.hidden.clear()
        self._runs = []

    def set_rows(self, headings: list[Heading], rows: Sequence[TableRow]) -> None:
        """Show these. Where headings and runs are the same, only what is said otherwise is changed."""
        runs = [row.runs for row in rows]
        with QSignalBlocker(self):
            if headings != self._headings or runs != self._runs:
                self._headings, self._runs = headings, runs
                self._fill(rows)
                return
            for place, row in enumerate(rows):
                for column, text in enumerate(row.texts):
                    item = self.item(place, column)
                    if item is not None and item.text() != text:
                        item.setText(text)
                        item.setToolTip(text)
        self.viewport().update()

    def _fill(self, rows: Sequence[TableRow]) -> None:
        self.clear()
        self.setColumnCount(len(self._headings))
        self.setRowCount(len(rows))
        for column, heading in enumerate(self._headings):
            title = QTableWidgetItem(heading.title)
            title.setToolTip(heading.meaning)
            title.setTextAlignment(_side(heading))
            self.setHorizontalHeaderItem(column, title)
        for place, row in enumerate(rows):
            for column, (heading, text) in enumerate(zip(self._headings, row.texts, strict=True)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setTextAlignment(_side(heading))
                if not column:
                    self._mark(item, row.runs)
                self.setItem(place, column, item)
        self.resizeColumnsToContents()
        metrics = self.fontMetrics()
        for column, heading in enumerate(self._headings):
            needed = metrics.horizontalAdvance(heading.widest) + CELL
            if heading.widest and self.columnWidth(column) < needed:
                self.setColumnWidth(column, needed)
        if self._headings:
            self.setColumnWidth(0, min(self.columnWidth(0), NAME_WIDTH))

    def _mark(self, item: QTableWidgetItem, runs: tuple[int, ...]) -> None:
        """The look of the line, and for a run whether it is drawn."""
        item.setData(Qt.ItemDataRole.UserRole, list(runs))
        item.setIcon(swatch_icon(runs[0], self._theme, density=self.devicePixelRatioF()))
        if len(runs) == 1:
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if runs[0] in self.hidden else Qt.CheckState.Checked)
        else:
            font = QFont(self.font())
            font.setWeight(QFont.Weight.DemiBold)
            item.setFont(font)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        runs = item.data(Qt.ItemDataRole.UserRole)
        if item.column() or not runs or len(runs) != 1:
            return
        drawn = item.checkState() == Qt.CheckState.Checked
        if drawn == (runs[0] in self.hidden):
            self.hidden.symmetric_difference_update(runs)
            self.hidden_changed.emit()


def _side(heading: Heading) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if heading.right else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
