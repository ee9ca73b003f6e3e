"""The dialog that sets up a race: what differs, how many runs that makes, and about how long they take."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import Param, ParamValue
from engine.cores import count as usable_cores
from engine.errors import InputError
from engine.optimizers import OPTIMIZERS
from engine.parts import CATALOGS, PARTS, params_of
from engine.race import MOST_RUNS, Axis, Entrant, Race, entries, seeds_axis, values_axis, written
from gui import numbers
from gui.race_pace import FIELD_WIDTH, RacePace
from gui.run_state import RunState
from gui.segments import Segments
from gui.spins import WholeSpin
from gui.theme import PANEL_MARGIN, SPACING

if TYPE_CHECKING:
    from engine.config import RunConfig

ABOUT = (
    "Trains several runs from the set-up of this moment. They differ in what you choose here and in nothing else: with "
    "the same seed they all begin with the same weights."
)
AXES = {
    "optimizers": ("Optimizers", "The same network with several optimizers, each with settings of its own."),
    "setting": ("A setting", "Several values of one setting, such as the learning rate."),
    "seeds": ("Seeds", "The same set-up again with other initial weights and another order of the data."),
}
COLUMNS = 2  # of optimizers
FIRST = ("sgd", "adam")  # ticked at first beside the one that is set up
SEEDS = 5
NAMED = 6  # runs whose names are told; of more the first ones


class RaceDialog(QDialog):
    """Asks what the runs shall differ in, and how they shall train; `start(entrants, number at a time)` does the rest.

    Args:
        config: what is set up.
        state: the last run, from which the time is estimated where it was one of this network and dataset.
        cores: that the program may use; None: as many as it may.
    """

    def __init__(
        self,
        parent: QWidget,
        config: RunConfig,
        state: RunState,
        start: Callable[[list[Entrant], int], None],
        *,
        cores: int | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("race_dialog")
        self.setWindowTitle("Race")
        self._config, self._start = config, start
        self._per_sample = seconds_per_sample(config, state)
        self._entrants: list[Entrant] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(2 * SPACING)
        column.addWidget(_label(ABOUT, role="secondary"))
        self._axis = Segments("race_axis", AXES, title="What differs")
        self._axis.chosen.connect(lambda _: self._follow())
        row = QHBoxLayout()
        row.addWidget(self._axis)
        row.addStretch(1)
        column.addLayout(row)
        self._pages = QStackedWidget()
        for page in (self._make_optimizers(), self._make_setting(), self._make_seeds()):
            self._pages.addWidget(page)
        column.addWidget(self._pages, 1)
        column.addWidget(self._make_repeats())
        self._pace = RacePace(config, state, cores=usable_cores() if cores is None else cores)
        self._pace.changed.connect(self._follow)
        column.addWidget(self._pace)
        self._summary = _label("", role="secondary")
        self._summary.setObjectName("race_summary")
        self._problem = _label("", role="error")
        self._problem.setObjectName("race_problem")
        column.addWidget(self._summary)
        column.addWidget(self._problem)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._begin = QPushButton("Start the race")
        self._begin.setObjectName("race_start")
        self._begin.setProperty("role", "primary")
        self._begin.setDefault(True)
        self._buttons.addButton(self._begin, QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self._accept)
        self._buttons.rejected.connect(self.reject)
        column.addWidget(self._buttons)
        self.resize(440, 540)
        self._suggest()
        self._follow()

    @property
    def entrants(self) -> Sequence[Entrant]:
        """The runs as they are chosen now, none while there is a mistake."""
        return tuple(self._entrants)

    # Its parts

    def _make_optimizers(self) -> QWidget:
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        self._ticks: dict[str, QCheckBox] = {}
        entries_ = list(OPTIMIZERS)
        rows = -(-len(entries_) // COLUMNS)
        for place, entry in enumerate(entries_):
            tick = QCheckBox(entry.label)
            tick.setObjectName(f"race_optimizer_{entry.name}")
            tick.setChecked(entry.name in (*FIRST, self._config.optimizer.name))
            own = entry.name == self._config.optimizer.name
            settings = "With the settings of the set-up." if own else "With its own settings: the recipe's or defaults."
            tick.setToolTip(f"<p>{html.escape(entry.summary)}<br>{settings}</p>")
            tick.toggled.connect(self._follow)
            self._ticks[entry.name] = tick
            grid.addWidget(tick, place % rows, place // rows)
        grid.setRowStretch(rows, 1)
        return _scrolling(page)

    def _make_setting(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * SPACING)
        self._setting = QComboBox()
        self._setting.setObjectName("race_setting")
        self._setting.setAccessibleName("Setting")
        self._setting.setToolTip("Every setting of the set-up.")
        self._setting.setMaxVisibleItems(16)
        self._settings: dict[str, tuple[str, Param, ParamValue]] = {}
        for part in ("optimizer", "training", *(part for part in PARTS if part not in ("optimizer", "training"))):
            for param, value in _values(self._config, part):
                if part == "training" and param.name == "seed":
                    continue
                name = f"{part}.{param.name}"
                self._settings[name] = part, param, value
                self._setting.addItem(f"{part.capitalize()}: {param.label}", name)
                tip = f"<p>{html.escape(param.help)}</p>"
                self._setting.setItemData(self._setting.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._setting.currentIndexChanged.connect(lambda _: self._on_setting())
        self._values = QLineEdit()
        self._values.setObjectName("race_values")
        self._values.setAccessibleName("Values")
        self._values.textChanged.connect(lambda _: self._follow())
        self._hint = _label("", role="note")
        column.addWidget(self._setting)
        column.addWidget(self._values)
        column.addWidget(self._hint)
        column.addStretch(1)
        return page

    def _make_seeds(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        self._seeds = _spin("seeds", "Runs", f"Seeds from {self._config.training.seed} on, one run for each.", low=2)
        self._seeds.setValue(SEEDS)
        self._seeds.valueChanged.connect(self._follow)
        column.addWidget(_row("Runs, each with a seed of its own", self._seeds))
        column.addWidget(
            _label("How far they lie apart is chance alone: what differs less between two set-ups says little.", "note")
        )
        column.addStretch(1)
        return page

    def _make_repeats(self) -> QWidget:
        tip = "Runs each of them with so many seeds: the mean of several says more than one run."
        self._repeats = _spin("repeats", "Seeds of each", tip, low=1)
        self._repeats.setValue(1)
        self._repeats.valueChanged.connect(self._follow)
        self._repeats_row = _row("Seeds of each", self._repeats)
        return self._repeats_row

    # What is chosen

    def _on_setting(self) -> None:
        self._suggest()
        self._follow()

    def _suggest(self) -> None:
        """Values of the setting that a person might want to compare."""
        part, param, value = self._settings[str(self._setting.currentData())]
        between = "slashes, as in 64/128,64" if param.kind == "ints" else "commas"
        self._hint.setText(f"Separate the values by {between}. Each is {param.accepts()}.")
        self._values.setToolTip(f"<p>{html.escape(param.help)}</p>")
        self._values.setText(
            ("/" if param.kind == "ints" else ", ").join(map(written, suggestions(part, param, value)))
        )

    def _axes(self) -> tuple[Axis, ...]:
        """Raises InputError."""
        match self._axis.value():
            case "seeds":
                return (seeds_axis(self._config, int(self._seeds.value())),)
            case "optimizers":
                names = tuple(name for name, tick in self._ticks.items() if tick.isChecked())
                if not names:
                    raise InputError("optimizer", "none is ticked", "two or more")
                first = Axis("optimizer", names)
            case _:
                part, param, _ = self._settings[str(self._setting.currentData())]
                first = values_axis(part, param, self._values.text())
        repeats = int(self._repeats.value())
        return (first,) if repeats == 1 else (first, seeds_axis(self._config, repeats))

    def _follow(self, *_: object) -> None:
        """Say how many runs there are, or what is wrong."""
        names = list(AXES)
        self._pages.setCurrentIndex(names.index(self._axis.value()))
        self._repeats_row.setVisible(self._axis.value() != "seeds")
        problem = ""
        try:
            self._entrants = entries(Race(self._config, self._axes()))
        except InputError as error:
            self._entrants, problem = [], error.sentence
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._summary.setText(self._said())
        self._summary.setVisible(not problem)
        self._values.setProperty("invalid", bool(problem) and self._axis.value() == "setting")
        self._values.style().unpolish(self._values)
        self._values.style().polish(self._values)
        self._begin.setEnabled(not problem)
        self._pace.set_runs(len(self._entrants))
        number = min(self._pace.at_once, len(self._entrants))
        begin = f"{number} runs begin at once" if number > 1 else "The runs begin one after the other"
        self._begin.setToolTip(problem or f"{begin}; each stays in the history.")

    def _said(self) -> str:
        labels = [entrant.label for entrant in self._entrants]
        names = "; ".join(labels[:NAMED]) + (" …" if len(labels) > NAMED else "")
        time = "The time is known after a first run of this set-up."
        if self._per_sample is not None:
            seconds = sum(self._per_sample * samples_of(entrant.config) for entrant in self._entrants)
            time = f"About {numbers.duration(seconds)} of training in all."
        return f"{len(labels)} runs: {names}.\n{time}"

    def _accept(self) -> None:
        if self._entrants:
            entrants = list(self._entrants)
            self.accept()
            self._start(entrants, self._pace.at_once)


def samples_of(config: RunConfig) -> int:
    """That are trained on, epochs and all."""
    size, training = config.dataset_info().train_size, config.training
    samples = size * training.epochs
    return min(samples, training.steps * training.batch_size) if training.steps else samples


def seconds_per_sample(config: RunConfig, state: RunState) -> float | None:
    """Of training, evaluations included, where the last run was one of this network and dataset; else None."""
    if not state.step or not state.batch_size or not state.seconds:
        return None
    if (state.network, state.dataset) != (config.network.name, config.dataset.name):
        return None
    samples = state.step * state.batch_size
    if state.steps_per_epoch:  # the last batch of an epoch may be a smaller one
        samples = min(samples, -(-state.step // state.steps_per_epoch) * state.train_size)
    return state.seconds / samples


def suggestions(part: str, param: Param, value: ParamValue) -> list[ParamValue]:
    """The value as it is among its neighbours, where it has some."""
    match param.kind:
        case "bool":
            return [True, False]
        case "choice":
            return list(param.choices)
    if param.log and isinstance(value, int | float) and not isinstance(value, bool) and value:
        found: list[ParamValue] = []
        for factor in (0.1, 1.0, 10.0) if param.kind == "float" else (0.5, 1.0, 2.0):
            try:
                near = float(f"{value * factor:.12g}") if param.kind == "float" else max(int(value * factor), 1)
                found.append(param.check(near, part=part))
            except InputError:
                continue
        return list(dict.fromkeys(found))
    return [value]


def _values(config: RunConfig, part: str) -> list[tuple[Param, ParamValue]]:
    """The settings of a part and what they are set to."""
    if part in CATALOGS:
        choice = getattr(config, part)
        return [(param, choice.params[param.name]) for param in params_of(part, choice.name)]
    return [(param, getattr(config.training, param.name)) for param in params_of(part, part)]


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def _spin(name: str, title: str, tip: str, *, low: int) -> WholeSpin:
    param = Param(name=name, kind="int", default=low, low=low, high=MOST_RUNS, label=title, help=tip)
    spin = WholeSpin(param)
    spin.setObjectName(f"race_{name}")
    spin.setAccessibleName(title)
    spin.setToolTip(tip)
    spin.setFixedWidth(FIELD_WIDTH)
    return spin


def _row(text: str, field: QWidget) -> QWidget:
    row = QWidget()
    places = QHBoxLayout(row)
    places.setContentsMargins(0, 0, 0, 0)
    label = QLabel(text)
    label.setBuddy(field)
    label.setToolTip(field.toolTip())
    places.addWidget(label, 1)
    places.addWidget(field)
    return row


def _scrolling(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(page)
    return area
