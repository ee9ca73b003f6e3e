"""The history's table: runs to be looked through, renamed, opened, compared and deleted."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QContextMenuEvent, QFontMetrics, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QPlainTextEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from engine.runs.run_record import RunSummary
from gui.run_colors import SWATCH
from gui.run_model import RunModel
from gui.run_rows import COLUMNS, PLACES
from gui.run_tree import TreeDelegate

ROW_HEIGHT = 24  # px
CELL = 28  # px of a cell beside its text
NOTE_HEIGHT = 88  # px of the field that notes are written in
MARK = 16  # px for the arrow that tells what a column is sorted by
MOST_PARTS = 500  # of a selection that stays when the order changes: Qt takes long for more
GOES_ON = ("interrupted", "stopped")  # runs that may have more to do


class RunTable(QTableView):
    """Shows a `RunModel`.

    Signals:
        opened(run), go_on(run): the run is to be shown as it was; to be continued.
        compared(runs), deleted(runs): lists of the runs' numbers.
        selection_changed(): other runs are selected.
        menu_made(menu, runs): what can be done with these runs is about to be shown; others may add to it.
    """

    opened = Signal(int)
    go_on = Signal(int)
    compared = Signal(list)
    deleted = Signal(list)
    selection_changed = Signal()
    menu_made = Signal(QMenu, list)

    def __init__(self, model: RunModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_table")
        self.setAccessibleName("Runs")
        self.setToolTip("")
        self._model = model
        self._kept: tuple[set[int], int | None, int] = (set(), None, 0)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setIconSize(SWATCH)
        self.setModel(model)
        # Qt holds a delegate that is set without owning it.
        self._notes = _NotesDelegate(self)
        self.setItemDelegateForColumn(PLACES["notes"], self._notes)
        self._tree = TreeDelegate(self)
        self.setItemDelegateForColumn(PLACES["name"], self._tree)
        self._set_headers()
        model.modelAboutToBeReset.connect(self._keep)
        model.modelReset.connect(self._restore)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())
        self.doubleClicked.connect(self._on_double_click)

    def _set_headers(self) -> None:
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        metrics = QFontMetrics(self.font())
        for place, column in enumerate(COLUMNS):
            text = max(metrics.horizontalAdvance(column.widest), metrics.horizontalAdvance(column.title) + MARK)
            header.resizeSection(place, SWATCH.width() + CELL if column.name == "color" else text + CELL)
        header.setSortIndicator(PLACES[self._model.wanted.sort], Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)

    # What is selected

    def selected(self) -> list[RunSummary]:
        """The selected runs from top to bottom."""
        # By ranges: Qt's list of selected rows takes seconds for ten thousand.
        ranges = self.selectionModel().selection()
        parts = [ranges.at(place) for place in range(ranges.count())]
        rows = {row for part in parts for row in range(part.top(), part.bottom() + 1)}
        return [self._model.run_at(row) for row in sorted(rows) if row < self._model.rowCount()]

    def select(self, run: int) -> None:
        """Select this run alone, and bring it into view."""
        row = self._model.row_of(run)
        if row is not None:
            index, flags = self._model.index(row, PLACES["name"]), QItemSelectionModel.SelectionFlag
            # Not selectRow, which would extend or toggle while Shift or Ctrl is held.
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def _keep(self) -> None:
        current = self.currentIndex()
        run = self._model.run_at(current.row()).id if current.isValid() else None
        self._kept = {run.id for run in self.selected()}, run, current.column()

    def _restore(self) -> None:
        """The same runs are selected, wherever they stand now."""
        runs, current, column = self._kept
        selection = self.selectionModel()
        if current is not None and (row := self._model.row_of(current)) is not None:
            selection.setCurrentIndex(self._model.index(row, column), selection.SelectionFlag.NoUpdate)
        rows = [row for row in range(self._model.rowCount()) if self._model.run_at(row).id in runs] if runs else []
        parts = _ranges(rows)
        if len(parts) <= MOST_PARTS:
            last = self._model.columnCount() - 1
            again = QItemSelection()
            for first, end in parts:
                again.append(QItemSelectionRange(self._model.index(first, 0), self._model.index(end, last)))
            selection.select(again, selection.SelectionFlag.Select)
        self.selection_changed.emit()

    # What a person does

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, Delete deletes, F2 renames wherever the cursor is, unless it is on tags or notes."""
        editing = self.state() == QAbstractItemView.State.EditingState
        key, runs = event.key(), [] if editing else [run.id for run in self.selected()]
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and len(runs) == 1:
            self.opened.emit(runs[0])
        elif key == Qt.Key.Key_Delete and runs:
            self.deleted.emit(runs)
        elif key == Qt.Key.Key_F2 and not editing and self.currentIndex().isValid():
            place = self.currentIndex().column()
            self.write_in(COLUMNS[place].name if COLUMNS[place].editable else "name")
        else:
            super().keyPressEvent(event)

    def write_in(self, column: str) -> None:
        """Let the person write in that column of the current run."""
        index = self._model.index(self.currentIndex().row(), PLACES[column])
        if index.isValid():
            self.setCurrentIndex(index)
            self.edit(index)

    def _on_double_click(self, index: QModelIndex) -> None:
        """On tags and notes it writes; elsewhere it opens."""
        if not index.isValid():
            return
        if COLUMNS[index.column()].name in ("tags", "notes"):
            self.edit(index)
        else:
            self.opened.emit(self._model.run_at(index.row()).id)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        place = self.visualRect(self.currentIndex()).bottomLeft() if keyboard else event.pos()
        if self.selected():
            self.menu().popup(self.viewport().mapToGlobal(QPoint(place)))

    def menu(self) -> QMenu:
        """What can be done with the selected runs."""
        runs = self.selected()
        numbers = [run.id for run in runs]
        one = runs[0] if len(runs) == 1 else None
        menu = QMenu(self)
        menu.setObjectName("run_menu")
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        only_one = "" if one else "Select a single run."
        running = any(run.status == "running" for run in runs)

        def add(name: str, text: str, tip: str, problem: str = "") -> QAction:
            action = menu.addAction(text)
            action.setObjectName(f"run_menu_{name}")
            action.setToolTip(problem or tip)
            action.setEnabled(not problem)
            return action

        add("open", "Open\tEnter", "Set-up, curves and weights as they were.", only_one).triggered.connect(
            lambda: self.opened.emit(numbers[0])
        )
        ended = "" if one is None or one.status in GOES_ON else "Only a run that was stopped or interrupted can go on."
        add("go_on", "Go on", "From its last checkpoint, bit for bit.", only_one or ended).triggered.connect(
            lambda: self.go_on.emit(numbers[0])
        )
        add("compare", "Compare", "Curves over each other, and what differs.").triggered.connect(
            lambda: self.compared.emit(numbers)
        )
        menu.addSeparator()
        for column, text in (("name", "Rename\tF2"), ("tags", "Edit tags"), ("notes", "Edit the note")):
            add(column, text, COLUMNS[PLACES[column]].meaning, only_one).triggered.connect(
                lambda _checked=False, column=column: self.write_in(column)
            )
        menu.addSeparator()
        problem = "A run that is under way cannot be deleted: stop it first." if running else ""
        add("delete", "Delete\tDel", "It can be taken back.", problem).triggered.connect(
            lambda: self.deleted.emit(numbers)
        )
        self.menu_made.emit(menu, runs)
        return menu


def _ranges(rows: list[int]) -> list[tuple[int, int]]:
    """Ascending `rows` as the first and the last of each that follow each other without a gap."""
    parts: list[tuple[int, int]] = []
    for row in rows:
        if parts and parts[-1][1] == row - 1:
            parts[-1] = (parts[-1][0], row)
        else:
            parts.append((row, row))
    return parts


class _NotesDelegate(QStyledItemDelegate):
    """Notes may have several lines: a larger field; Ctrl+Enter or leaving it keeps what was written."""

    def createEditor(
        self,
        parent: QWidget,
        option: QStyleOptionViewItem,  # noqa: ARG002
        index: QModelIndex | QPersistentModelIndex,  # noqa: ARG002
    ) -> QWidget:
        editor = QPlainTextEdit(parent)
        editor.setObjectName("run_note")
        editor.setAccessibleName("Note")
        editor.setToolTip("Ctrl+Enter keeps the note, Esc leaves it as it was.")
        keep = QShortcut(QKeySequence("Ctrl+Return"), editor, context=Qt.ShortcutContext.WidgetShortcut)
        keep.activated.connect(lambda: self._commit(editor))
        return editor

    def _commit(self, editor: QWidget) -> None:
        self.commitData.emit(editor)
        self.closeEditor.emit(editor)

    def setEditorData(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        if isinstance(editor, QPlainTextEdit):
            editor.setPlainText(str(index.data(Qt.ItemDataRole.EditRole) or ""))
            editor.selectAll()

    def setModelData(
        self, editor: QWidget, model: QAbstractItemModel, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        if isinstance(editor, QPlainTextEdit):
            model.setData(index, editor.toPlainText(), Qt.ItemDataRole.EditRole)

    def updateEditorGeometry(
        self,
        editor: QWidget,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,  # noqa: ARG002
    ) -> None:
        place, room = option.rect, editor.parentWidget()
        if room is None:
            return
        height = min(NOTE_HEIGHT, room.height())
        top = max(min(place.top(), room.height() - height), 0)
        editor.setGeometry(place.left(), top, max(place.width(), 160), height)
