"""A run of the history as it was: its set-up, its checkpoints, and its exact state after any of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError

from engine.checkpoint import Checkpoint, check_same_run, load_checkpoint
from engine.checkpoint_file import open_file
from engine.checkpoint_folder import PREVIOUS, SUFFIX, holds_checkpoint
from engine.checkpoint_manifest import Manifest
from engine.config import RunConfig, config_from_json
from engine.control import RunControl
from engine.course import Course, DivergedError
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Event, Failed, Finished, StepFinished
from engine.export import RunExport
from engine.preparation import Ready, prepare
from engine.rewind.branch import branch
from engine.rewind.kept_file import NAME as SNAPSHOTS
from engine.rewind.kept_file import read_snapshots
from engine.rewind.snapshots import Recorded
from engine.runs.run_record import RunRecord
from engine.runs.store import RunStore
from engine.script import write_script
from engine.script.interventions import interventions_of
from engine.script.past import Past
from engine.tuning import Tuned, Tuner

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from engine.batches import Batches
    from engine.devices import Device
    from engine.events import Preparing
    from engine.losses import Loss

Report = Callable[[Event, int], None]
"""Told each event of what is trained anew, and the step that it leads to."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A run as it was after a step.

    Attributes:
        trained: steps that were trained anew to come there.
        doubt: why it may not be exactly what the run was; empty where all losses that were found anew are the recorded.
    """

    checkpoint: Checkpoint
    trained: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Final:
    """A run's final weights: parameters and buffers by name, on the CPU. `step` and `doubt`: see Reached."""

    weights: Mapping[str, Tensor]
    step: int
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A checkpoint in the run's folder, that is read when it is wanted. `place`: later ones are greater."""

    place: tuple[int, bool, bool, int]
    load: Callable[[], Checkpoint]


class PastRun:
    """A run of the history that does not run now.

    Args:
        control: asked to stop while steps are trained anew, it makes them end with KeyboardInterrupt.
        report: told of these steps.
        library: datasets that were loaded before.

    Attributes:
        config: its set-up; where it was continued to more epochs or steps, with these.

    Raises InputError where there is no such run, it is under way, or its set-up cannot be used any more.
    """

    def __init__(
        self, store: RunStore, run_id: int, *, control: RunControl, report: Report, library: Library | None = None
    ) -> None:
        self.id = run_id
        self.record: RunRecord = store.run(run_id)
        self.folder = store.folder(run_id)
        self.library = library or Library()
        if self.record.summary.status == "running":
            raise InputError("RUN", f"run {run_id} is still running", "wait for its end, or stop it")
        self.config = _as_continued(self.record)
        self._store = store
        self._control = control
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
                if before.step <= self.last and self._is(before):
                    return before
        return newest

    def reach(self, step: int) -> Reached:
        """The run as it was after `step`, from the nearest checkpoint before, else from its beginning.

        Steps between are trained anew, with what was changed, and each loss is compared with the recorded one.
        Raises InputError for a step that cannot be reached, KeyboardInterrupt.
        """
        if not 0 <= step <= self.last:
            raise InputError("--step", f"run {self.id} did {self.last:,} steps", f"0 to {self.last}")
        near, doubt = self._kept(step), ""
        if near is None:
            near, doubt = self._beginning(step)
        known = () if near is None else near.interventions
        changes = [change for change in self.changes()[len(known) :] if change.step <= step]
        if near is not None and near.step == step and not changes and not _evaluation_left(near, self.config):
            return Reached(near, doubt=doubt)
        return self._forward(near, step, changes, doubt)

    def final(self) -> Final:
        """The weights that it ended with, as `LiveNetwork.weights` gave them. Raises as `reach` does.

        Of a run that was interrupted they are those of its newest checkpoint, which `doubt` says.
        """
        ending = self.record.ending
        if ending is None or self.record.started is None:
            newest = self.newest()
            if newest is None:
                raise InputError("RUN", f"run {self.id} has no weights: it ended before its first checkpoint")
            doubt = f"run {self.id} was interrupted: these are the weights after step {newest.step:,}"
            return Final(newest.weights, newest.step, doubt)
        try:
            reached = self.reach(min(ending.step, self.last))
        except InputError as error:
            if error.field != "--step":
                raise
            raise InputError("RUN", f"its final weights were not kept, and {error.problem}") from None
        checkpoint = reached.checkpoint
        if isinstance(ending, Finished) and ending.restored_epoch is not None:
            best = checkpoint.progress.best
            if best is None or best.epoch != ending.restored_epoch:
                raise InputError("RUN", f"the weights of epoch {ending.restored_epoch} were not kept")
            prefix = "best."
            weights = {n.removeprefix(prefix): t for n, t in checkpoint.tensors.items() if n.startswith(prefix)}
            return Final(weights, best.step, reached.doubt)
        return Final(checkpoint.weights, checkpoint.step, reached.doubt)

    @property
    def stopped_after(self) -> int | None:
        """The step after which it was stopped or failed; None where it came to its end."""
        ending = self.record.ending
        if isinstance(ending, Failed) or (ending is not None and ending.reason == "stopped"):
            return ending.step
        return None

    def weights(self, step: int) -> Final:
        """The weights after `step`. Raises as `reach` does."""
        reached = self.reach(step)
        return Final(reached.checkpoint.weights, step, reached.doubt)

    def script(self) -> str:
        """The script that repeats it, with the runs that it branched from. Raises InputError where there is none."""
        started = self.record.started
        if started is None:
            raise InputError("RUN", f"run {self.id} never began")
        if self.record.ending is None:
            raise InputError("RUN", f"run {self.id} was interrupted and has no end", f"`runs resume {self.id}` before")
        return write_script(
            self.config,
            self.record.interventions,
            threads=started.threads,
            memory_format=started.memory_format,
            device=started.device,
            precision=started.precision,
            stopped_after=self.stopped_after,
            past=self.behind(),
        )

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
        """What can be taken away of it."""
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

    def _kept(self, step: int) -> Checkpoint | None:
        """The newest whole checkpoint of this run at `step` or before."""
        for kept in sorted(self._checkpoints(), key=lambda kept: kept.place, reverse=True):
            if kept.place[0] <= step:
                try:
                    return kept.load()
                except InputError:  # damaged: one before it does as well
                    continue
        return None

    def _checkpoints(self) -> Iterator[_Kept]:
        """All of this run that are in its folder: each in a file of its own, and snapshots."""
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                if path.name == SNAPSHOTS:
                    snapshots = [snapshot.checkpoint for snapshot in read_snapshots(path)]
                    yield from (_Kept(_place(found), partial(_itself, found)) for found in snapshots if self._is(found))
                    continue
                with open_file(path) as file:
                    manifest = Manifest.model_validate_json(file.manifest)
                config = config_from_json(manifest.config, source=path.name)
            except (InputError, ValidationError, RecursionError):
                continue
            head = Checkpoint(config, manifest.progress, {}, manifest)
            if self._is(head):
                yield _Kept(_place(head), partial(load_checkpoint, path))

    def _is(self, checkpoint: Checkpoint) -> bool:
        """Whether it is of this run as it is recorded, and of no course that it took before it was continued."""
        try:
            check_same_run(self.config, checkpoint)
        except InputError:
            return False
        told = checkpoint.interventions
        ours = self.record.interventions[: len(told)]
        return [(c.step, c.name, c.new) for c in told] == [(c.step, c.name, c.new) for c in ours]

    def _beginning(self, step: int) -> tuple[Checkpoint | None, str]:
        """Where the run began, None for its first step, and why that may not be exact."""
        summary = self.record.summary
        if summary.parent is None:
            if not self._whole or self.record.started is None:
                raise InputError(
                    "--step", f"run {self.id} went on from a checkpoint that is not kept", "a step after its first own"
                )
            return None, ""
        above = self._above(summary.parent).reach(summary.parent_step or 0)
        begun = branch(above.checkpoint, self.config, parent=str(summary.parent))
        if begun.step > step:
            raise InputError("--step", f"run {self.id} began after step {begun.step:,}", f"{begun.step} to {self.last}")
        return begun, above.doubt

    def _above(self, run_id: int) -> PastRun:
        if run_id >= self.id:  # numbers are never given twice: a damaged record
            raise InputError("RUN", f"run {self.id} cannot have branched from run {run_id}")
        return PastRun(self._store, run_id, control=self._control, report=self._report, library=self.library)

    def _forward(self, near: Checkpoint | None, step: int, changes: list[Recorded], doubt: str) -> Reached:
        begun = 0 if near is None else near.step
        known = self._losses(begun, step)
        try:
            course = Course(self.config, RunControl(), self._ready(near, step), resume=near, repeat=changes)
            for event in course.forward(step):
                if self._control.stopping:
                    raise KeyboardInterrupt
                self._report(event, step)
                if isinstance(event, StepFinished) and known.get(event.step, event.loss) != event.loss and not doubt:
                    doubt = (
                        f"trained again here, step {event.step:,} of run {self.id} has the loss {event.loss!r}, and "
                        f"{known[event.step]!r} was recorded"
                    )
        except DivergedError:
            raise InputError("--step", f"run {self.id} cannot be trained again up to step {step:,}") from None
        found = course.checkpoint()
        if found.step != step:
            raise InputError("--step", f"run {self.id} did not do step {step:,}", f"0 to {found.step}")
        return Reached(found, step - begun, doubt)

    def _ready(self, near: Checkpoint | None, step: int) -> Ready:
        started = self.record.started
        settled = None
        if near is not None:
            settled = near.tuned
        elif started is not None:
            settled = Tuned(started.threads, started.memory_format == "channels_last")
        preparing = prepare(self.config, self._control, self.library, Tuner(), _nothing, settled=settled)
        ready = _told(preparing, lambda event: self._report(event, step))
        if ready is None:
            raise KeyboardInterrupt
        return ready

    def _losses(self, after: int, until: int) -> dict[int, float]:
        """The recorded losses by step."""
        found: dict[int, float] = {}
        for table in self.record.chunks():
            wanted = table.take((table.step > after) & (table.step <= until))
            found.update(zip(wanted.step.tolist(), wanted.loss.tolist(), strict=True))
        return found


def _place(checkpoint: Checkpoint) -> tuple[int, bool, bool, int]:
    progress = checkpoint.progress
    return progress.step, progress.closed, progress.told, len(progress.interventions)


def _itself(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint


def _told(preparing: Generator[Preparing, None, Ready | None], tell: Callable[[Event], None]) -> Ready | None:
    while True:
        try:
            tell(next(preparing))
        except StopIteration as end:
            ready: Ready | None = end.value
            return ready


def _nothing(
    loss: Loss,  # noqa: ARG001  # what a step would be measured with; all is settled
    device: Device,  # noqa: ARG001
    network: torch.nn.Module,  # noqa: ARG001
    optimizer: torch.optim.Optimizer,  # noqa: ARG001
    batch: Batches,  # noqa: ARG001
) -> Callable[[], object]:
    return lambda: None


def _evaluation_left(checkpoint: Checkpoint, config: RunConfig) -> bool:
    """Whether the checkpoint lies between an epoch's last step and its evaluation."""
    per_epoch = math.ceil(checkpoint.manifest.train_size / config.training.batch_size)
    return not checkpoint.progress.closed and checkpoint.step == checkpoint.epoch * per_epoch


def _as_continued(record: RunRecord) -> RunConfig:
    """The set-up with as many steps as the run last had to do."""
    config, started = record.config, record.started
    if started is None:
        return config
    training, per_epoch, total = config.training, started.steps_per_epoch, started.total_steps
    if total == min(training.epochs * per_epoch, training.steps or math.inf):
        return config
    update = {"epochs": math.ceil(total / per_epoch), "steps": total if total % per_epoch else 0}
    return config.model_copy(update={"training": training.model_copy(update=update)})
