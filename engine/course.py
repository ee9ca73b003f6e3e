"""The course of one run, from the evaluation before the first step to the last event."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from torch import Tensor

from engine.augmentation import augmentation_of
from engine.batches import Batch
from engine.checkpoint import Checkpoint, caution, restore, take_checkpoint
from engine.checkpoint_file import refused
from engine.checkpoint_folder import LATEST
from engine.checkpoint_writer import CheckpointWriter
from engine.clock import Clock
from engine.config import RunConfig
from engine.control import RunControl
from engine.data_order import data_order, order_of
from engine.divergence import DivergedError, Fallback
from engine.early_stopping import EarlyStopping
from engine.events import EpochFinished, Evaluated, Event, Finished, Intervened, Paused, Resumed, Started, StopReason
from engine.interventions import Asked, Interventions
from engine.learning_rate import LearningRate
from engine.memory import Memory
from engine.optimizers import OPTIMIZERS
from engine.preparation import Ready
from engine.rewind.snapshots import Mark, Recorded, Snapshots
from engine.step_reports import FinishedStep, StepReports
from engine.steps import Figures, evaluate, train_step
from engine.tracking import Tracked
from engine.weights import Weights

if TYPE_CHECKING:
    from engine.inspection.microscope import Specimen

__all__ = ["KEEP_EVERY", "Course", "DivergedError", "data_order"]

KEEP_EVERY = 100  # steps between two copies of the weights


class Course:
    """The course of one run, from the evaluation before the first step to the last event.

    Args:
        config, control: of the run.
        ready: what it works with.
        resume: where it goes on; None: it begins. Raises InputError where that does not fit.
        writer: keeps its checkpoints, if any are kept.
        snapshots: keep it to be gone back to, if anything does.
        repeat: changes that are made by themselves after their steps, oldest first.
        random: torch's generators too are brought to where `resume` was taken.
    """

    def __init__(
        self,
        config: RunConfig,
        control: RunControl,
        ready: Ready,
        *,
        resume: Checkpoint | None = None,
        writer: CheckpointWriter | None = None,
        snapshots: Snapshots | None = None,
        repeat: Sequence[Recorded] = (),
        random: bool = True,
    ) -> None:
        self.step = 0
        self._epoch = 0
        self._closed = True  # the epoch's end has been told
        self._told = False  # and so has the evaluation after an unfinished last epoch
        self._config = config
        self._control = control
        self._ready = ready
        self._closure = OPTIMIZERS[config.optimizer.name].closure
        augmentation = config.augmentation
        self._augment = augmentation_of(
            augmentation.name, augmentation.params, ready.parts.info, seed=config.training.seed
        )
        self._batch_size = config.training.batch_size
        self._per_epoch = math.ceil(len(ready.train) / self._batch_size)
        total = config.training.epochs * self._per_epoch
        self._total = self._end = min(total, config.training.steps or total)
        self._rate = LearningRate(ready.optimizer, config.schedule, total=self._total, steps_per_epoch=self._per_epoch)
        self._fallback = Fallback(ready.network)
        self._early = EarlyStopping(ready.network, patience=config.training.patience)
        self._interventions = Interventions(ready.optimizer, self._rate, repeat=repeat)
        self._tracked = Tracked(ready.network)
        self._reports = StepReports()
        self._memory = Memory(self._reports, self._rate, self._early, self._fallback, self._interventions)
        self._cut_short = False  # an evaluation was stopped before its end
        self._clock = Clock()
        self._writer = writer
        self._snapshots = snapshots
        self._resumed = resume
        if resume is not None:
            self._resume(resume, random=random)

    def events(self) -> Iterator[Event]:
        control, ready = self._control, self._ready
        control.live = ready.live
        if self._snapshots is not None:
            self._snapshots.begin(ready, interventions=len(self._interventions.told))
        yield Started(
            device=ready.device.label,
            threads=ready.tuned.threads,
            memory_format="channels_last" if ready.tuned.channels_last else "contiguous",
            precision=ready.device.precision,
            parameters=sum(parameter.numel() for parameter in ready.network.parameters()),
            batch_size=self._batch_size,
            steps_per_epoch=self._per_epoch,
            total_steps=self._total,
            train_size=len(ready.train),
            network=self._config.network.name,
            dataset=self._config.dataset.name,
            tracked=self._tracked.names,
            test_size=len(ready.test),
            resumed_from=self.step,
            caution="" if self._resumed is None else caution(self._resumed, ready.device),
            parent="" if self._memory.origin is None else self._memory.origin.run,
            parent_step=None if self._memory.origin is None else self._memory.origin.step,
        )
        self._begin()
        self._keep("first")
        last: Event
        try:
            yield from self._course()
        except DivergedError as diverged:
            last = self._fallback.failure(diverged, rate=self._rate.now, lock=ready.live.updating)
        else:
            self._keep("last")
            if self._writer is not None and self._writer.policy.at_end and self.step:
                self._submit((LATEST,))
            last = self._finish()
        if self._writer is not None:
            self._writer.flush()
            yield from self._writer.reports()
        yield last

    def forward(self, step: int) -> Iterator[Event]:
        """The course up to `step` alone, with what is repeated there, and without its first and last event.

        Raises DivergedError.
        """
        self._end = min(step, self._total)
        self._begin()
        yield from self._course()
        yield from self._repeat_changes()

    def _begin(self) -> None:
        self._ready.network.train()
        before = None if self._resumed is None else self._resumed.progress
        self._clock = Clock(seconds=before.seconds, evaluating=before.evaluating) if before else Clock()

    def _course(self) -> Iterator[Event]:
        """The evaluations and the epochs, up to where the run ends. Raises DivergedError."""
        if self._config.training.evaluate_first and self._resumed is None:
            yield from self._evaluation()
        while self._goes_on and not self._control.stopping and not self._early.exhausted:
            if self._closed:
                self._epoch += 1
                self._closed, self._reports.loss_sum = False, 0.0
            train_loss = yield from self._steps()
            if train_loss is None:
                break
            yield from self._end_epoch(train_loss)
            self._control.epoch_ended()
        yield from self._reports.read()
        if self.step >= self._total and self.step % self._per_epoch and not self._told:
            yield from self._evaluation()
            self._told = not self._cut_short

    @property
    def _goes_on(self) -> bool:
        """Whether there are steps to do, or an epoch whose steps are done and whose evaluation is not."""
        return self.step < self._end or (not self._closed and self.step == self._epoch * self._per_epoch)

    def _steps(self) -> Generator[Event, None, float | None]:
        """The epoch's steps. Returns the mean loss over its samples, None where the run ended within the epoch."""
        control, size = self._control, len(self._ready.train)
        ready, updating, late = self._ready, self._ready.live.updating, self._ready.device.answers_late
        training, tracked, rate, reports = self._config.training, self._tracked, self._rate, self._reports
        order = order_of(training, size, epoch=self._epoch).to(ready.device.handle)
        writer, snapshots = self._writer, self._snapshots
        begun = self.step - (self._epoch - 1) * self._per_epoch  # steps of this epoch that are done
        for start in range(begun * self._batch_size, size, self._batch_size):
            if self.step >= self._end:
                return None
            if self._interventions.waiting:
                yield from self._repeat_changes()
            if control.attention:
                yield from self._attend(order[start : start + self._batch_size])
                if control.stopping:
                    return None
                control.count_step()
            rate.follow(self.step)
            inputs, targets, labels = self._take(order[start : start + self._batch_size])
            value, outputs = train_step(
                ready.network,
                ready.optimizer,
                ready.parts.loss,
                inputs,
                targets,
                device=ready.device,
                closure=self._closure,
                lock=updating,
            )
            self.step += 1
            accuracy = None
            if labels is not None and (self.step - 1) % training.accuracy_every == 0:
                accuracy = (ready.parts.loss.predict(outputs) == labels).float().mean()
            seconds = self._clock.seconds()
            told = (tracked.parameters(), tracked.gradients()) if tracked.names else (None, None)
            done = FinishedStep(self.step, self._epoch, value.detach(), len(inputs), rate.now, seconds, accuracy, *told)
            if not late:
                yield reports.tell(done, value.item())
            elif reports.wait(done):
                yield from reports.read()
            if self.step % KEEP_EVERY == 0:
                yield from reports.read()
                self._fallback.keep(step=self.step, epoch=self._epoch)
            if writer is not None and writer.wants(self.step, seconds):
                yield from reports.read()
                if writer.due(self.step, seconds):
                    self._submit((LATEST,))
                yield from writer.reports()
            if snapshots is not None and self.step >= snapshots.due:
                yield from reports.read()
                self._keep()
        yield from reports.read()
        return reports.loss_sum / size

    def _take(self, index: Tensor) -> Batch:
        """The training samples whose numbers are in `index`, int64 (B,), as the next step sees them."""
        inputs, targets, labels = self._ready.train.take(index)
        if self._augment is not None:
            inputs = self._augment(inputs, self.step)
        return inputs, targets, labels

    # Between steps.

    def _attend(self, batch: Tensor) -> Iterator[Event]:
        """Take over what was asked before the step with `batch`, and wait while the run is paused or in slow motion."""
        control = self._control
        waited = False
        yield from self._reports.read()
        with self._clock.paused():
            while True:
                for change in control.take_changes():
                    yield self._change(change)
                for asked in control.take_examinations():
                    self._show(asked, batch)
                if not control.must_pause:
                    control.wait_for_turn()
                    if not control.has_requests and not control.must_pause:
                        break
                    continue
                if not waited:
                    waited = True
                    yield Paused(self.step)
                control.wait_while_paused()
        if waited and not control.stopping:
            yield Resumed(self.step)

    def _repeat_changes(self) -> Iterator[Event]:
        for change in self._interventions.due(self.step):
            yield self._change(change)

    def _change(self, change: Asked) -> Intervened:
        told = self._interventions.make(change, step=self.step)
        if self._snapshots is not None:
            self._snapshots.record(self.step, change)
            self._keep("intervention")
        return told

    def _show(self, asked: Future[Specimen], batch: Tensor) -> None:
        """Hand over a copy of what the step with `batch` needs. A copy that fails is not the run's failure."""
        from engine.inspection.specimen import take_specimen

        if not asked.set_running_or_notify_cancel():
            return
        ready = self._ready
        try:
            specimen = take_specimen(
                self._config,
                ready.parts,
                ready.network,
                ready.optimizer,
                self._take(batch),
                device=ready.device,
                learning_rate=self._rate.at(self.step),
                step=self.step + 1,
                epoch=self._epoch,
                of_run=True,
            )
        except Exception as error:  # whatever it is, it belongs to the one who asked
            asked.set_exception(error)
        else:
            asked.set_result(specimen)

    # After an epoch.

    def _evaluate(self) -> Figures | None:
        """Test and validation figures; None where the run is told to stop meanwhile. Raises DivergedError."""
        ready = self._ready
        with self._clock.evaluating():
            test = evaluate(ready.network, ready.test, ready.parts.loss, self._control)
            validation: tuple[float | None, float | None] | None = (None, None)
            if len(ready.validation):
                validation = evaluate(ready.network, ready.validation, ready.parts.loss, self._control)
        if test is None or validation is None:
            self._cut_short = True
            return None
        for loss in (test[0], validation[0]):
            if loss is not None and not math.isfinite(loss):
                raise DivergedError(loss, updates=self.step, when=f"in the evaluation after step {self.step}")
        return Figures(*test, *validation)

    def _evaluation(self) -> Iterator[Event]:
        figures = self._evaluate()
        if figures is not None:
            yield Evaluated(self.step, *figures, seconds=self._clock.seconds())

    def _end_epoch(self, train_loss: float) -> Iterator[Event]:
        figures = self._evaluate()
        if figures is None:
            return
        yield EpochFinished(
            self._epoch,
            self.step,
            train_loss,
            *figures,
            learning_rate=self._rate.now,
            seconds=self._clock.seconds(),
        )
        watched = train_loss if figures.validation_loss is None else figures.validation_loss
        self._rate.observe(watched)
        best = self._early.observe(watched, step=self.step, epoch=self._epoch)
        self._closed = True
        if self._writer is not None:
            self._submit(self._writer.policy.after_epoch(self._epoch, best=best))
            yield from self._writer.reports()
        self._keep("epoch", *(("best",) if best else ()))

    # Checkpoints.

    def _submit(self, names: tuple[str, ...]) -> None:
        """Have this moment written to the files called `names`; every loss must have been read."""
        assert self._writer is not None
        self._writer.submit(names, self.checkpoint, step=self.step, seconds=self._clock.seconds())

    def _keep(self, *marks: Mark) -> None:
        """Have this moment kept to go back to; every loss must have been read."""
        if self._snapshots is not None:
            self._snapshots.keep(self.checkpoint, *marks, step=self.step, seconds=self._clock.updating())

    def checkpoint(self) -> Checkpoint:
        """This moment; to be called on the thread that trains, between two steps."""

        # Before an epoch's first step, where a run may wait, it is where it was after the one before.
        unbegun = not self._closed and self.step == (self._epoch - 1) * self._per_epoch
        epoch, closed = self._epoch - unbegun, self._closed or unbegun
        progress = self._memory.progress(step=self.step, epoch=epoch, closed=closed, told=self._told, clock=self._clock)
        return take_checkpoint(self._config, self._ready, progress, self._memory.copies)

    def _resume(self, checkpoint: Checkpoint, *, random: bool) -> None:
        """Be where `checkpoint` was taken; torch's random state, if at all, is set last. Raises InputError."""
        was = checkpoint.progress
        within = was.step - (was.epoch - 1) * self._per_epoch
        if was.epoch and not (0 < within <= self._per_epoch and was.closed <= (within == self._per_epoch)):
            raise refused(f"step {was.step:,} is not in epoch {was.epoch:,} of this dataset and batch size")
        if was.step > self._total:
            raise refused(f"it is of step {was.step:,}, and this run has {self._total:,}", "more epochs or steps")
        if was.best is not None:
            self._early.best = Weights(self._ready.network)
        copies = {name: weights for name, weights in self._memory.copies.items() if weights is not None}
        restore(checkpoint, self._config, self._ready, copies, random=random)
        self.step, self._epoch, self._closed = was.step, was.epoch, was.closed
        self._told = was.told and self.step >= self._total  # it may have more to do now
        self._memory.resume(was)

    # At the end.

    def _finish(self) -> Finished:
        completed = self.step >= self._total and not self._cut_short
        reason: StopReason = "completed" if completed else "early_stopping"
        if self._control.stopping and not completed:
            reason = "stopped"
        restored = None
        best = self._early.best
        if best is not None and best.epoch < self._epoch and not self._control.stopping:
            with self._ready.live.updating:
                best.restore()
            restored = best.epoch
        seconds, updating = self._clock.seconds(), self._clock.updating()
        speed = self._reports.samples / updating if updating > 0 else 0.0
        return Finished(reason, self.step, self._epoch, seconds, speed, restored)
