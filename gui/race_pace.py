"""How the runs of a race train: one after the other, or several at a time on the cores there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from engine.catalog import Param
from gui.run_state import RunState
from gui.segments import Segments
from gui.spins import WholeSpin
from gui.theme import SPACING

if TYPE_CHECKING:
    from engine.config import RunConfig

PACES = {
    "in_turn": (
        "One after the other",
        "Each run is shown as it trains, as if it were started by hand, and has the machine to itself.",
    ),
    "at_once": (
        "At once",
        "Several runs train at a time, each in a process of its own. A row for each tells how it stands; their curves "
        "are compared at the end.",
    ),
}
NUMBER = "How many train at the same time. As many as the cores have room for do not slow each other down."
ONE_CORE = "This program may use one processor core: runs at once would only wait for each other."
FIELD_WIDTH = 116  # px


class RacePace(QWidget):
    """Asks for the number of runs at a time.

    Args:
        state: the last run, which found out how many threads its network likes.
        cores: that the program may use.

    Signals:
        changed: the person chose something else.
    """

    changed = Signal()

    def __init__(self, config: RunConfig, state: RunState, *, cores: int) -> None:
        super().__init__()
        self._config, self._cores, self._runs = config, cores, 2
        self._pace = Segments("race_pace", PACES, title="How the runs train")
        self._pace.chosen.connect(self._follow)
        together = self._pace.findChild(QPushButton, "race_pace_at_once")
        if cores < 2 and isinstance(together, QPushButton):
            together.setEnabled(False)
            together.setToolTip(ONE_CORE)
        high = max(cores, 2)
        param = Param(name="at_once", kind="int", default=2, low=2, high=high, label="Runs at a time", help=NUMBER)
        self._number = WholeSpin(param)
        self._number.setObjectName("race_at_once")
        self._number.setAccessibleName("Runs at a time")
        self._number.setToolTip(NUMBER)
        self._number.setFixedWidth(FIELD_WIDTH)
        self._number.setValue(min(max(cores // threads_of(config, state), 2), high))
        self._number.valueChanged.connect(self._follow)
        self._said = QLabel("Runs at a time")
        self._said.setBuddy(self._number)
        self._said.setToolTip(NUMBER)
        self._room = QLabel()
        self._room.setObjectName("race_room")
        self._room.setProperty("role", "note")
        self._room.setTextFormat(Qt.TextFormat.PlainText)
        self._room.setWordWrap(True)
        self._room.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        choice, field = QHBoxLayout(), QHBoxLayout()
        choice.addWidget(self._pace)
        choice.addStretch(1)
        field.addWidget(self._said, 1)
        field.addWidget(self._number)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2 * SPACING)
        rows.addLayout(choice)
        rows.addLayout(field)
        rows.addWidget(self._room)
        self._show()

    @property
    def at_once(self) -> int:
        """How many runs train at a time."""
        return int(self._number.value()) if self._pace.value() == "at_once" else 1

    def set_runs(self, number: int) -> None:
        """How many there are: no more can train at a time."""
        self._runs = number
        self._show()

    def _follow(self, *_: object) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        together = self.at_once > 1
        for widget in (self._said, self._number, self._room):
            widget.setVisible(together)
        if together:
            number = max(min(self.at_once, self._runs), 1)
            self._room.setText(room(self._config, number=number, cores=self._cores))


def threads_of(config: RunConfig, state: RunState) -> int:
    """That a run of this set-up uses: as it says, else as the last run of this network and dataset found best, else 1.

    At least 1.
    """
    same = (state.network, state.dataset) == (config.network.name, config.dataset.name)
    return config.training.threads or (state.threads if same else 0) or 1


def room(config: RunConfig, *, number: int, cores: int) -> str:
    """How `number` runs at a time share the cores, in words."""
    have = f"{cores} core{'s' if cores > 1 else ''}"
    fixed = config.training.threads
    threads = fixed or max(cores // number, 1)
    each = f"{threads} thread{'s' if threads > 1 else ''}"
    if fixed and fixed * number > cores:
        return f"The set-up gives each run {each}: {number} at a time want more than {have} and slow each other down."
    why = "as the set-up says" if fixed else "since the set-up leaves their number open"
    return (
        f"{have}: each of {number} runs at a time gets {each}, {why}. With as many threads and the same memory format "
        "a run alone gives the same figures."
    )
