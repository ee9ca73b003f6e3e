"""RunModel: the history's rows for a table, of any number, without a widget for any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from engine.runs.run_record import RunSummary
from gui import numbers
from gui.run_colors import swatch_icon
from gui.run_rows import COLUMNS, PLACES, Row, SearchTexts, Wanted, began, branch_of, listed, status_of, title_of
from gui.theme import Theme

Index = QModelIndex | QPersistentModelIndex
ROLE = Qt.ItemDataRole
GUIDES = Qt.ItemDataRole.UserRole + 1  # of a name: the lines of the tree beside it, see gui.run_rows.Row
NOWHERE = QModelIndex()


class RunModel(QAbstractTableModel):
    """Runs as they are wanted: searched, filtered, sorted, branches below the runs they go on from.

    Signals:
        edited(run, column, text): a person wrote in the column called `column`.
    """

    edited = Signal(int, str, str)

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._runs: dict[int, RunSummary] = {}
        self._texts = SearchTexts()
        self._rows: list[Row] = []
        self._wanted = Wanted()

    # What is shown

    @property
    def wanted(self) -> Wanted:
        return self._wanted

    @property
    def total(self) -> int:
        """Runs there are, listed or not."""
        return len(self._runs)

    @property
    def runs(self) -> Sequence[RunSummary]:
        """All of them, newest first."""
        return tuple(self._runs.values())

    def run_at(self, row: int) -> RunSummary:
        return self._rows[row].run

    def row_of(self, run: int) -> int | None:
        """Where the run stands, None where it is not listed."""
        return next((place for place, row in enumerate(self._rows) if row.run.id == run), None)

    def set_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show `runs`, newest first."""
        self.beginResetModel()
        self._runs = {run.id: run for run in runs}
        self._texts.keep(self._runs)
        self._rows = listed(runs, self._texts, self._wanted)
        self.endResetModel()

    def set_wanted(self, wanted: Wanted) -> None:
        if wanted != self._wanted:
            self.beginResetModel()
            self._wanted = wanted
            self._rows = listed(self._runs.values(), self._texts, wanted)
            self.endResetModel()

    def follow(self, run: int, *, step: int, epoch: int, seconds: float) -> None:
        """The run under way has come so far. It keeps its place."""
        row = self.row_of(run)
        if row is None:
            return
        known = self._rows[row]
        summary = known.run._replace(step=step, epoch=epoch, seconds=seconds)
        self._runs[run] = summary
        self._rows[row] = replace(known, run=summary)
        self.dataChanged.emit(self.index(row, PLACES["steps"]), self.index(row, PLACES["time"]))

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        if self._rows:
            last = len(self._rows) - 1
            self.dataChanged.emit(self.index(0, 0), self.index(last, 0), [ROLE.DecorationRole])

    # What Qt asks

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        if COLUMNS[index.column()].editable:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        column = COLUMNS[section]
        match role:
            case ROLE.DisplayRole:
                return column.title
            case ROLE.ToolTipRole:
                return column.meaning
            case ROLE.AccessibleTextRole:
                return column.title or "Colour"
            case ROLE.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
                return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = ROLE.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row, column = self._rows[index.row()], COLUMNS[index.column()]
        match role:
            case ROLE.DisplayRole:
                return column.text(row.run).replace("\n", " ")
            case ROLE.EditRole:
                return row.run.name if column.name == "name" else column.text(row.run)
            case _ if role == GUIDES:
                return row.guides if column.name == "name" else ()
            case ROLE.DecorationRole if column.name == "color":
                return swatch_icon(row.run.id, self._theme)
            case ROLE.ToolTipRole:
                return tooltip(row.run, column.name)
            case ROLE.AccessibleTextRole if column.name == "name" and row.guides:
                return f"{title_of(row.run)}, {branch_of(row.run)}"
            case ROLE.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
                return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: Index, value: object, role: int = ROLE.EditRole) -> bool:
        """The text goes to whoever keeps the history; it stands here once it is kept."""
        if role != ROLE.EditRole or not index.isValid() or index.row() >= len(self._rows):
            return False
        run, column = self._rows[index.row()].run, COLUMNS[index.column()]
        text = str(value).strip()
        if text == self.data(index, ROLE.EditRole) or (column.name == "name" and text == title_of(run)):
            return False
        self.edited.emit(run.id, column.name, text)
        return True

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(COLUMNS):
            descending = order == Qt.SortOrder.DescendingOrder
            self.set_wanted(replace(self._wanted, sort=COLUMNS[column].name, descending=descending))


def tooltip(run: RunSummary, column: str) -> str:
    """What a cell cannot say in its width."""
    match column:
        case "status":
            return run.message or f"{status_of(run)} after step {numbers.count(run.step)}."
        case "notes":
            return run.notes
        case "tags":
            return ", ".join(run.tags)
        case "color":
            return f"Run {run.id}"
    device = f" on {run.device}" if run.device else ""
    branch = (
        ""
        if run.parent is None
        else f"\nA branch of run {run.parent}, from step {numbers.count(run.parent_step or 0)} on"
    )
    return (
        f"{title_of(run)}\nRun {run.id}, begun {began(run)}{device}{branch}\nBatch size {run.batch_size}, "
        f"seed {run.seed}, {run.epochs} epochs asked for"
    )
