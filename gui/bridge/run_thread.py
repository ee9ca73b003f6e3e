"""A run's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, Signal

from engine.channel import Channel
from engine.control import RunControl
from engine.errors import InputError
from engine.events import CheckpointSaved, Event, Failed, Finished, Preparing, StepFinished
from engine.rewind.snapshots import Snapshots
from engine.runs.recorder import RunRecorder
from engine.runs.run_record import Branch
from gui.bridge.kept import Kept

if TYPE_CHECKING:
    from pathlib import Path

    from engine.checkpoint import Checkpoint
    from engine.checkpoint_folder import CheckpointPolicy
    from engine.config import RunConfig
    from engine.lessons.keeping import Kept as PickedUp

CHECKPOINT_EVERY = 30.0  # s of training: what a run loses at most that ends with the program
KEEP_EVERY = 60.0  # s between two writings of its snapshots, with a checkpoint: steps after the last are trained again
BEST_FROM = 100  # steps in an epoch for its weights to be kept where they are the best: shorter ones are trained faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a run comes from, for the history.

    Attributes:
        lesson, stage: of which it is, if it is of one.
        parent: the run and the step that it goes on from in another way.
        run, checkpoint: the run of the history that goes on, and from where.
    """

    lesson: str = ""
    stage: int | None = None
    parent: Branch | None = None
    run: int | None = None
    checkpoint: Checkpoint | None = None


class RunThread(QThread):
    """One run, from its first event to its last, into the history and the channel.

    Signals:
        recorded(run): its number in the history; before its first event.
        unrecorded(sentence): why the history does not have all of it.
    """

    recorded = Signal(int)
    unrecorded = Signal(str)

    def __init__(
        self,
        parent: QObject,
        *,
        config: RunConfig,
        control: RunControl,
        channel: Channel,
        kept: Kept,
        checkpoints: Path | None,
        provenance: Provenance,
        snapshots: Snapshots,
        keep: Callable[[Path, Snapshots], None],
    ) -> None:
        super().__init__(parent)
        self._snapshots = snapshots
        self._keep = keep
        self._checkpoints = checkpoints
        self._config = config
        self._control = control
        self._channel = channel
        self._kept = kept
        self._provenance = provenance
        self._told = False  # why it is not recorded

    def run(self) -> None:
        self._kept.ready.wait()
        plan = self._picked_up()
        if plan is not None:
            self._config = plan.config
        with self._recorder() as recorder:
            if recorder.run_id is not None:
                self._snapshots.run = str(recorder.run_id)
                self.recorded.emit(recorder.run_id)
            last = self._follow(recorder, plan)
        if recorder.folder is not None:
            self._keep(recorder.folder, self._snapshots)
        if last is not None:  # told once the record is closed: then the next run can begin
            self._channel.put(last)
        self._tell_problem(recorder)

    def _follow(self, recorder: RunRecorder, plan: PickedUp | None) -> Event | None:
        """The run from its first event to its last, which is given back and not told."""
        step, kept_at = 0, time.monotonic()
        worth_keeping = self._provenance.parent is not None  # a branch's beginning is nowhere else
        last: Event | None = None
        try:
            for event in self._events(recorder, plan):
                recorder.put(event)
                if isinstance(event, Finished | Failed):
                    last = event
                else:
                    self._channel.put(event)
                step = getattr(event, "step", step)
                if isinstance(event, CheckpointSaved) and event.kind == "latest":
                    worth_keeping = time.monotonic() - kept_at >= KEEP_EVERY
                elif worth_keeping and isinstance(event, StepFinished) and recorder.folder is not None:
                    worth_keeping, kept_at = False, time.monotonic()
                    self._keep(recorder.folder, self._snapshots)
                self._tell_problem(recorder)
        except Exception as error:  # a defect must not lose the run: it ends with what it has, and says why
            last = Failed("error", f"The run ended after step {step}: {error}", step)
            recorder.put(last)
        return last

    def _tell_problem(self, recorder: RunRecorder) -> None:
        """Why the history does not have all of the run; once."""
        if recorder.problem is not None and not self._told:
            self._told = True
            self.unrecorded.emit(recorder.problem)

    def _picked_up(self) -> PickedUp | None:
        """Where a run goes on that keeps its own checkpoints. Without them, it begins like any other."""
        if self._checkpoints is None:
            return None
        from engine.lessons.keeping import pick_up

        try:
            return pick_up(self._config, self._checkpoints)
        except Exception:
            logging.getLogger(__name__).exception("the run's own checkpoints are left aside")
            return None

    def _events(self, recorder: RunRecorder, plan: PickedUp | None) -> Iterator[Event]:
        from engine.training import train

        if plan is not None and plan.note:
            self._channel.put(Preparing(plan.note))
        origin = self._provenance
        if origin.run is not None and origin.checkpoint is not None:
            from engine.rewind.history import kept_before

            with suppress(InputError):  # it can then be gone back along from here on alone
                self._snapshots.take_over(*kept_before(self._kept.store(), origin.run, origin.checkpoint))
        yield from train(
            self._config,
            self._control,
            library=self._kept.library,
            tuner=self._kept.tuner(),
            resume=plan.checkpoint if plan else self._provenance.checkpoint,
            checkpoints=plan.policy if plan else self._policy(recorder),
            snapshots=self._snapshots,
        )

    def _recorder(self) -> RunRecorder:
        """Of this run in the history. Whatever is wrong with the history, the run goes on."""
        if self._control.stopping:
            return RunRecorder(None)
        origin = self._provenance
        try:
            store = self._kept.store()
            if origin.run is not None and origin.checkpoint is not None:
                return store.resume(origin.run, origin.checkpoint.interventions)
            return store.record(self._config, lesson=origin.lesson, stage=origin.stage, parent=origin.parent)
        except InputError as error:
            return RunRecorder(None, problem=error.sentence)
        except Exception as error:
            logging.getLogger(__name__).exception("the run is not recorded")
            return RunRecorder(None, problem=f"The run is not recorded: {error}")

    def _policy(self, recorder: RunRecorder) -> CheckpointPolicy | None:
        from engine.checkpoint_folder import CheckpointPolicy

        if recorder.folder is None:
            return None
        config = self._config
        steps = config.dataset_info().train_size / config.training.batch_size
        return CheckpointPolicy(
            folder=recorder.folder,
            every_seconds=CHECKPOINT_EVERY,
            every_epochs=0,
            copy_epochs=0,
            at_best=steps >= BEST_FROM,
        )
