"""A run of the history with what was kept of it, to be gone back along as if it had just been trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from threading import Lock

import numpy as np

from engine.checkpoint import Checkpoint, caution
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Intervened, StepFinished
from engine.live import LiveNetwork
from engine.preparation import Ready, prepare
from engine.rewind.snapshots import Check, Recorded, Say, Snapshots, Tick, Unknown, Wanted
from engine.runs.run_record import RunRecord
from engine.schedules import SCHEDULES
from engine.tuning import Tuned, Tuner

Begin = Callable[[Wanted, Say], Checkpoint | None]
"""Makes the checkpoint that a run began with; None where nobody waits for it any more. Raises InputError."""


class Reopened(Snapshots):
    """Snapshots of a run of the history. They are given by `take_over`; any thread may ask.

    What they lack is made when it is first needed: the data, and, where a branch's own beginning was not kept, that.
    What is trained again is compared with the losses that the run told.

    Args:
        record: of the run.
        config: the run's.
        tuned: the thread count and the memory format that it had.
        live: a network of the run.
        library: datasets loaded before, to be used again.
        begin: makes the beginning, and `begins` is its step; None: it cannot be made, or needs not.

    Attributes:
        last: the last step that the run did.
        note: what of its past was kept and cannot be used, a sentence; empty where all is well.
    """

    def __init__(
        self,
        record: RunRecord,
        *,
        config: RunConfig,
        tuned: Tuned,
        live: LiveNetwork,
        library: Library,
        begin: Begin | None = None,
        begins: int = 0,
    ) -> None:
        super().__init__(run=str(record.summary.id), budget=_UNLIMITED)
        self.live = live
        self.last = record.summary.step
        self.note = ""
        self._record = record
        self._config = config
        self._tuned = tuned
        self._library = library
        self._begin = begin
        self._begins = begins
        self._first: Checkpoint | None = None
        self._making = Lock()

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Those that are kept, and the run's beginning where that can be made."""
        if self._begin is None or (self._ticks and self._ticks[0].step <= self._begins):
            return self._ticks
        if not self._all or self._all[1:] != self._ticks:
            self._all = (Tick(self._begins, frozenset({"first"})), *self._ticks)
        return self._all

    _all: tuple[Tick, ...] = ()

    def prepared(self, wanted: Wanted, say: Say) -> Ready | None:
        with self._making:
            if self.ready is None:
                preparing = prepare(self._config, RunControl(), self._library, Tuner(), settled=self._tuned, aside=True)
                with closing(preparing):
                    while wanted():
                        try:
                            told = next(preparing)
                        except StopIteration as end:
                            self.ready = end.value
                            break
                        say(told.what, told.done)
            return self.ready

    def begun(self, wanted: Wanted, say: Say) -> Checkpoint | None:
        with self._making:
            if self._first is None and self._begin is not None:
                self._first = self._begin(wanted, say)
            return self._first

    def nearest(self, step: int) -> Checkpoint | None:
        found, first = super().nearest(step), self._first
        return first if found is None and first is not None and first.step <= step else found

    def checker(self, *, after: int, until: int) -> Check:
        if until > self.last:
            raise InputError("step", f"the run did {self.last:,} steps", f"0 to {self.last}")
        told = [(table.step, table.loss) for table in self._record.between(after, until)]
        steps = np.concatenate([np.empty(0, np.int64), *(table for table, _ in told)])
        losses = np.concatenate([np.empty(0, np.float64), *(table for _, table in told)])

        def check(event: StepFinished) -> None:
            place = int(np.searchsorted(steps, event.step))
            if place < len(steps) and steps[place] == event.step and losses[place] != event.loss:
                raise InputError("step", self._difference(event, float(losses[place])), "a step that is kept")

        return check

    def _difference(self, event: StepFinished, loss: float) -> str:
        why = ""
        near = super().nearest(event.step)
        if near is not None and self.ready is not None:
            why = caution(near, self.ready.device).partition(":")[0]
        return (
            f"trained again here, step {event.step:,} has the loss {event.loss!r} where the run had {loss!r}, so that "
            "the steps from there on cannot be shown exactly" + (f" ({why[:1].lower()}{why[1:]})" if why else "")
        )


_UNLIMITED = 2**62


def recorded_of(event: Intervened) -> Recorded | Unknown:
    """The change that an event told of, exactly, if all of it is known."""
    unknown = Unknown(event.step, event.name.replace("_", " "))
    if event.name != "schedule":
        with suppress(ValueError):
            return Recorded(event.step, Change(event.name, float(event.new)))
        return unknown
    try:
        params = SCHEDULES[event.new].resolve(event.params, part="schedule")
    except InputError:
        return unknown
    return Recorded(event.step, ScheduleChange(event.new, params)) if params.keys() == event.params.keys() else unknown
