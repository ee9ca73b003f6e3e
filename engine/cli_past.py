"""A run of the history as it was: its set-up, its checkpoints, and its exact state after any of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.checkpoint import Checkpoint, check_same_run, load_checkpoint
from engine.checkpoint_folder import PREVIOUS, holds_checkpoint
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Finished
from engine.export import RunExport
from engine.rewind.history import checkpoint_of
from engine.rewind.snapshots import Recorded, Say, Wanted
from engine.runs.run_record import RunRecord
from engine.runs.store import RunStore
from engine.script import Past
from engine.script.interventions import interventions_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Final:
    """Weights of a run: parameters and buffers by name, on the CPU.

    Attributes:
        step: after which they are.
        note: why they are not its final ones; empty where they are, or are those that were asked for.
    """

    weights: Mapping[str, Tensor]
    step: int
    note: str = ""


class PastRun:
    """A run of the history that does not run now.

    Args:
        report: told what is done to reach a step, and its share in 0 … 1 or None.
        wanted: asked meanwhile; where it says no, that ends with KeyboardInterrupt.
        library: datasets that were loaded before.

    Attributes:
        config: its set-up.

    Raises InputError where there is no such run, it is under way, or its set-up cannot be used any more.
    """

    def __init__(
        self,
        store: RunStore,
        run_id: int,
        *,
        report: Say,
        wanted: Wanted = lambda: True,
        library: Library | None = None,
    ) -> None:
        self.id = run_id
        self.record: RunRecord = store.run(run_id)
        self.folder = store.folder(run_id)
        self.library = library or Library()
        if self.record.summary.status == "running":
            raise InputError("RUN", f"run {run_id} is still running", "wait for its end, or stop it")
        self.config = self.record.config
        self._store = store
        self._wanted = wanted
        self._report = report

    @property
    def last(self) -> int:
        """The last step that it did."""
        return self.record.summary.step

    def changes(self) -> tuple[Recorded, ...]:
        """What was changed while it ran, oldest first. Raises InputError."""
        return interventions_of(self.config, self.record.interventions)

    def newest(self) -> Checkpoint | None:
        """Where it goes on: its newest checkpoint that is whole, None where there is none.

        A run that was killed may have written one of a step that is not yet in its record. Then it is the one before,
        so that the record gets no gap, if that is early enough.

        Raises InputError where none of them is whole.
        """
        if not holds_checkpoint(self.folder):
            return None
        newest = load_checkpoint(self.folder)
        check_same_run(self.config, newest)
        if newest.step > self.last:
            with suppress(InputError):
                before = load_checkpoint(self.folder / PREVIOUS)
                check_same_run(self.config, before)
                if before.step <= self.last:
                    return before
        return newest

    def reach(self, step: int) -> Checkpoint:
        """The run as it was after `step`, bit for bit, from the nearest state that was kept, or from its beginning.

        Steps between are trained again, and each loss is compared with the recorded one. Raises InputError for a step
        that cannot be reached, KeyboardInterrupt.
        """
        try:
            found = checkpoint_of(
                self._store,
                self.id,
                step,
                library=self.library,
                wanted=self._wanted,
                report=lambda now: self._report("Training it again", now / step),
                say=self._report,
            )
        except InputError as error:
            raise _named(error) from None
        if found is None:
            raise KeyboardInterrupt
        return found

    def final(self) -> Final:
        """The weights that it ended with, as `LiveNetwork.weights` gave them. Raises as `reach` does.

        Of a run that was interrupted they are those of its newest checkpoint, which `note` says.
        """
        ending = self.record.ending
        if ending is None or self.record.started is None:
            newest = self.newest()
            if newest is None:
                raise InputError("RUN", f"run {self.id} has no weights: it ended before its first checkpoint")
            note = f"run {self.id} was interrupted: these are the weights after step {newest.step:,}"
            return Final(newest.weights, newest.step, note)
        try:
            checkpoint = self.reach(min(ending.step, self.last))
        except InputError as error:
            if error.field != "--step":
                raise
            raise InputError("RUN", f"its final weights were not kept, and {error.problem}") from None
        if isinstance(ending, Finished) and ending.restored_epoch is not None:
            best = checkpoint.progress.best
            if best is None or best.epoch != ending.restored_epoch:
                raise InputError("RUN", f"the weights of epoch {ending.restored_epoch} were not kept")
            prefix = "best."
            weights = {n.removeprefix(prefix): t for n, t in checkpoint.tensors.items() if n.startswith(prefix)}
            return Final(weights, best.step)
        return Final(checkpoint.weights, checkpoint.step)

    def weights(self, step: int) -> Final:
        """The weights after `step`. Raises as `reach` does."""
        return Final(self.reach(step).weights, step)

    def behind(self) -> Past | None:
        """What the run is a branch of, as its script takes it. Raises InputError where that is not known."""
        record = self.record
        if record.summary.parent is None:
            if not self._whole:
                raise InputError("RUN", f"run {self.id} went on from a checkpoint of a run that is not known")
            return None
        above = self._above(record.summary.parent)
        started = above.record.started
        if started is None:
            raise InputError("RUN", f"run {above.id}, from which run {self.id} branched, never began")
        begun = self._first - 1
        return Past(
            config=above.config,
            interventions=above.record.interventions,
            step=record.summary.parent_step or 0,
            threads=started.threads,
            memory_format=started.memory_format,
            device=started.device,
            precision=started.precision,
            left_open=begun > 0 and any(event.step == begun for event in record.evaluations()),
            past=above.behind(),
        )

    def export(self, final: Final) -> RunExport:
        """What can be taken away of it; `behind` is not in it."""
        record, started = self.record, self.record.started
        if started is not None and self._whole:
            started = replace(started, resumed_from=0)
        return RunExport(
            config=self.config,
            weights=final.weights,
            started=started,
            ending=record.ending,
            interventions=record.interventions,
            events=record.events(max(record.summary.recorded, 1)),
            step=final.step if record.ending is None else None,
        )

    # Inner things.

    @property
    def _whole(self) -> bool:
        """It is told here from its first step on: it is no branch, and continues no run that is not known."""
        return self.record.summary.parent is None and self._first == 1

    @property
    def _first(self) -> int:
        """The first step that was recorded; 1 where there is none."""
        return next((int(table.step[0]) for table in self.record.chunks() if len(table)), 1)

    def _above(self, run_id: int) -> PastRun:
        if run_id >= self.id:  # numbers are never given twice: a damaged record
            raise InputError("RUN", f"run {self.id} cannot have branched from run {run_id}")
        return PastRun(self._store, run_id, report=self._report, wanted=self._wanted, library=self.library)


def _named(error: InputError) -> InputError:
    """With the name that the terminal has for a step."""
    return InputError("--step", error.problem, error.accepted) if error.field == "step" else error
