"""The runs that a branch goes on from: what is read of them, and where that is on the branch's axes. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.runs.run_record import Branch, RunRecord
from gui.numbers import count
from gui.run_state import RunState
from gui.series import Floats, Reading, Series, XAxis

if TYPE_CHECKING:
    from engine.runs.store import RunStore

GENERATIONS = 4  # that are shown at most
READ_STEPS = 50_000  # steps of a run that are read: beyond, they are thinned

Pick = Callable[[RunState], Series]


@dataclass(frozen=True, slots=True, eq=False)
class Ancestor:
    """A run that the one on screen goes on from, or that such a run does.

    Attributes:
        run: its number in the history.
        step: the last that it has in common with the run that branched from it.
        state: its course; only the series, the evaluations and `steps_per_epoch` are filled.
    """

    run: int
    step: int
    state: RunState

    def scale(self, x: XAxis, steps_per_epoch: int) -> float:
        """What its places on the axis are multiplied by, to be those of a run with so many steps an epoch.

        A branch with other batches counts its steps as if all epochs so far had had them.
        """
        ours = self.state.steps_per_epoch
        return steps_per_epoch / ours if x == "step" and ours and steps_per_epoch else 1.0

    def end(self, x: XAxis, steps_per_epoch: int) -> float:
        """Where on the axis its branch left it; NaN where that is not known."""
        match x:
            case "step":
                place = float(self.step)
            case "epoch":
                place = self.step / max(self.state.steps_per_epoch, 1)
            case "seconds":
                reading = self.state.loss.value_at(self.step)
                place = math.nan if reading is None else reading.seconds if self.step else 0.0
        return place * self.scale(x, steps_per_epoch)

    def line(self, pick: Pick, x: XAxis, *, steps_per_epoch: int, weight_index: int) -> tuple[Floats, Floats]:
        """A series of it as x and y, both (n,), on the axis of a run with so many steps an epoch."""
        series = pick(self.state)
        places = series.positions(x, steps_per_epoch=self.state.steps_per_epoch) * self.scale(x, steps_per_epoch)
        values = series.smoothed(weight_index) if series.has_smoothing else series.lasts
        return places, np.where(np.isfinite(values), values, np.nan)

    def value_at(
        self, place: float, pick: Pick, x: XAxis, *, steps_per_epoch: int, weight_index: int
    ) -> tuple[Reading, float] | None:
        """What a series says there, and its value; None in an empty one."""
        series, scale = pick(self.state), self.scale(x, steps_per_epoch)
        own = self.state.steps_per_epoch
        reading = series.value_at(place / scale, x, steps_per_epoch=own, weight_index=weight_index)
        if reading is None:
            return None
        return reading, reading.smoothed if series.has_smoothing else reading.last


def read_ancestors(store: RunStore, branch: Branch) -> tuple[Ancestor, ...]:
    """The run that was branched from, then the one that it branched from itself, and so on.

    They end where one is gone or damaged. Raises StoreError where the history cannot be read at all.
    """
    found: list[Ancestor] = []
    seen: set[int] = set()
    above: Branch | None = branch
    while above is not None and above.run not in seen and len(found) < GENERATIONS:
        seen.add(above.run)
        try:
            record = store.run(above.run)
            found.append(Ancestor(above.run, above.step, read_course(record)))
        except InputError:
            break
        run = record.summary
        above = None if run.parent is None else Branch(run.parent, run.parent_step or 0)
    return tuple(found)


def read_course(record: RunRecord) -> RunState:
    """The curves of a run. Raises StoreError where it is damaged."""
    state = RunState()
    state.steps_per_epoch = record.started.steps_per_epoch if record.started is not None else 0
    state.apply_table(record.steps(READ_STEPS))
    state.apply(record.evaluations(READ_STEPS))
    return state


def branch_words(branch: Branch) -> str:
    """Where a run comes from, for people."""
    return f"branch of run {branch.run} at step {count(branch.step)}"
