"""RaceModel: the runs of a race under way as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QPixmap

from engine.race_results import RaceResult, Standing
from gui import numbers
from gui.run_colors import SWATCH, swatch
from gui.theme import Theme

Index = QModelIndex | QPersistentModelIndex
ROLE = Qt.ItemDataRole
NOWHERE = QModelIndex()
PROGRESS_ROLE = ROLE.UserRole  # 0 … 1, None while it cannot be told

STANDINGS: dict[Standing, str] = {
    "waiting": "Waits",
    "running": "Trains",
    "completed": "Completed",
    "early stopping": "Stopped early",
    "stopped": "Stopped",
    "failed": "Failed",
}


@dataclass(frozen=True, slots=True)
class RaceColumn:
    """A column: its title, its tooltip, what it says of a run, and a text that fits without being cut."""

    title: str
    meaning: str
    text: Callable[[RaceResult], str]
    widest: str
    right: bool = True


def state_of(result: RaceResult) -> str:
    if result.standing == "running" and not result.total_steps:
        return "Prepares"
    said = STANDINGS[result.standing]
    return f"{said}: {result.message}" if result.message else said


def _steps(result: RaceResult) -> str:
    return numbers.count(result.step) if result.total_steps else ""


def _test(result: RaceResult) -> str:
    if result.test_accuracy is not None:
        return numbers.percent(result.test_accuracy, 2)
    return "" if result.test_loss is None else numbers.loss(result.test_loss)


COLUMNS = (
    RaceColumn("Run", "In what it differs from the others.", lambda result: result.label, "", right=False),
    RaceColumn("Steps", "Updates of the weights; the line shows their share of all.", _steps, "000 000"),
    RaceColumn(
        "Loss",
        "Of the last training batch.",
        lambda result: "" if result.loss is None else numbers.loss(result.loss),
        "0.000e+00",
    ),
    RaceColumn(
        "Test", "The last evaluation's test accuracy; where there is no accuracy, the test loss.", _test, "100.00 %"
    ),
    RaceColumn(
        "Time",
        "Spent in training.",
        lambda result: "" if result.standing == "waiting" else numbers.duration(result.seconds),
        "0:00:00",
    ),
    RaceColumn("State", "What it does, or how it ended.", state_of, "Stopped early", right=False),
)
STEPS, LOSS, TIME, STATE = 1, 2, 4, 5


class RaceModel(QAbstractTableModel):
    """Shows results that change by themselves: `refresh` says that they may have."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._results: Sequence[RaceResult] = ()
        self._numbers: Sequence[int | None] = ()
        self._blank = QPixmap(SWATCH)  # what has no colour yet stands in line with the others
        self._blank.fill(Qt.GlobalColor.transparent)

    def set_race(self, results: Sequence[RaceResult]) -> None:
        """Show the runs of another race."""
        self.beginResetModel()
        self._results, self._numbers = results, ()
        self.endResetModel()

    def refresh(self, runs: Sequence[int | None]) -> None:
        """The figures may be others. `runs`: the entrants' numbers in the history."""
        self._numbers = runs
        if self._results:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._results) - 1, STATE))

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.refresh(self._numbers)

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._results)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        match role:
            case ROLE.DisplayRole:
                return COLUMNS[section].title
            case ROLE.ToolTipRole:
                return COLUMNS[section].meaning
            case ROLE.TextAlignmentRole:
                return _side(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = ROLE.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._results):
            return None
        result, column = self._results[index.row()], COLUMNS[index.column()]
        match role:
            case ROLE.DisplayRole:
                return column.text(result).replace("\n", " ")
            case ROLE.ToolTipRole:
                return _tip(result, index.column())
            case ROLE.TextAlignmentRole:
                return _side(column)
            case ROLE.DecorationRole if index.column() == 0:
                run = self._numbers[index.row()] if index.row() < len(self._numbers) else None
                return self._blank if run is None else swatch(run, self._theme)
            case ROLE.ForegroundRole if index.column() == STATE and result.standing in ("failed", "waiting"):
                return self._theme.color("error" if result.standing == "failed" else "secondary")
            case _ if role == PROGRESS_ROLE and result.total_steps:
                return min(result.step / result.total_steps, 1.0)
        return None


def _tip(result: RaceResult, column: int) -> str:
    """What a cell cannot say in its width."""
    if column == STEPS and result.total_steps:
        return f"{numbers.count(result.step)} of {numbers.count(result.total_steps)} steps."
    return result.message or (result.label if not column else state_of(result))


def _side(column: RaceColumn) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
