"""How far the run goes, on what, and what is changed on the way: what the script's sections share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config import RunConfig
from engine.control import Change, ScheduleChange
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.optimizers import OPTIMIZERS
from engine.rewind.snapshots import Recorded
from engine.script.layout import indented, literal, name_literal
from engine.script.schedules import Schedules

_GROUP_KEYS = {"learning_rate": "lr"}  # where torch keeps a setting under another name
_MOST_LINES = 50  # about epochs that a script prints


@dataclass(frozen=True, slots=True)
class Length:
    """How far a run goes.

    Attributes:
        per_epoch: updates in an epoch.
        planned: updates in the whole run, which schedules follow.
        epochs: epochs that are begun.
        steps: updates after which the run ends within an epoch; None where it ends with one.
    """

    per_epoch: int
    planned: int
    epochs: int
    steps: int | None

    @property
    def print_every(self) -> int:
        """Epochs between two printed ones."""
        return math.ceil(self.epochs / _MOST_LINES) if self.epochs > _MOST_LINES else 1


def length_of(config: RunConfig, info: DatasetInfo, *, stopped_after: int | None, within: bool = False) -> Length:
    """How far a run of `config` goes.

    Args:
        stopped_after: the step after which a person ended the run.
        within: it ended before the evaluation, also where that step is an epoch's last.

    Raises InputError for a step it never had.
    """
    training = config.training
    per_epoch = math.ceil(info.train_size / training.batch_size)
    planned = min(training.epochs * per_epoch, training.steps or training.epochs * per_epoch)
    done = planned if stopped_after is None else stopped_after
    if not 0 <= done <= planned:
        raise InputError("script", f"the run cannot have stopped after step {done:,}", f"0 to {planned:,}")
    return Length(per_epoch, planned, math.ceil(done / per_epoch), done if done % per_epoch or within else None)


def group_setting(config: RunConfig, change: Change) -> tuple[str, object]:
    """Under which key torch keeps a setting of `config`'s optimizer, and the value there, both of a pair."""
    own = config.optimizer.params
    if change.name in ("beta1", "beta2"):
        return "betas", (own["beta1"], own["beta2"])
    return _GROUP_KEYS.get(change.name, change.name), own[change.name]


@dataclass(frozen=True, slots=True)
class Steering:
    """The learning rate and the interventions, as the script has them.

    Attributes:
        code: the schedules and the table of changes, `CHANGES`; may be empty.
        changes: the names in that table, besides those of the optimizer's own settings `learning_rate` and `schedule`.
        schedule: the expression for the first schedule; empty where the learning rate follows none.
        follows: the learning rate is set before every step.
        watches: a schedule observes losses.
        plateau: the name of the class that does.
    """

    code: str
    changes: frozenset[str]
    schedule: str
    follows: bool
    watches: bool


def steering_of(config: RunConfig, interventions: tuple[Recorded, ...], length: Length) -> Steering:
    """Raises InputError for a schedule that is not ours."""
    schedules = Schedules(total=length.planned)
    scheduled = config.schedule.name != "constant" or any(isinstance(i.change, ScheduleChange) for i in interventions)
    # torch's ASGD needs more than a new number in its groups: see the loop.
    follows = scheduled or (
        config.optimizer.name == "asgd"
        and any(not isinstance(i.change, ScheduleChange) and i.change.name == "learning_rate" for i in interventions)
    )
    first = schedules.add(config.schedule.name, config.schedule.params) if scheduled else ""
    table = _Table(config, schedules, follows=follows)
    for intervention in interventions:
        table.add(intervention)
    code = "\n\n\n".join(piece for piece in (schedules.code, table.code) if piece)
    return Steering(code, frozenset(table.names), first, follows, schedules.watches)


class _Table:
    """The interventions by step."""

    def __init__(self, config: RunConfig, schedules: Schedules, *, follows: bool) -> None:
        self._config = config
        self._schedules = schedules
        self._follows = follows
        own = config.optimizer.params
        self._betas: tuple[object, object] = (own.get("beta1"), own.get("beta2"))
        self._rows: dict[int, dict[str, str]] = {}  # source by name
        self.names: set[str] = set()

    def add(self, intervention: Recorded) -> None:
        change = intervention.change
        if isinstance(change, ScheduleChange):
            self._put(intervention.step, "schedule", self._schedules.add(change.name, change.params))
            return
        params = {param.name: param for param in OPTIMIZERS[self._config.optimizer.name].params}
        value: object = params[change.name].check(change.value, part="optimizer")
        name = change.name
        if name in ("beta1", "beta2"):
            self._betas = (value, self._betas[1]) if name == "beta1" else (self._betas[0], value)
            name, value = "betas", self._betas
        elif not (name == "learning_rate" and self._follows):
            name = _GROUP_KEYS.get(name, name)
        self._put(intervention.step, name, literal(value))

    def _put(self, step: int, name: str, source: str) -> None:
        self._rows.setdefault(step, {})[name] = source
        self.names.add(name)

    @property
    def code(self) -> str:
        if not self._rows:
            return ""
        rows = []
        for step, changes in self._rows.items():
            pairs = [f"{name_literal(name)}: {source}" for name, source in changes.items()]
            row = f"{step}: {{{', '.join(pairs)}}},"
            if len(row) > 84:
                row = "\n".join([f"{step}: {{", *(indented(f"{pair},") for pair in pairs), "},"])
            rows.append(row)
        head = "# What was changed by hand: after how many steps, and to what.\nCHANGES = {"
        return "\n".join([head, *(indented(row) for row in rows), "}"])
