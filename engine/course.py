"""The course of one run, from the evaluation before the first step to the last event."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from engine.augmentation import augmentation_of
from engine.batches import Batch
from engine.catalog import Params
from engine.checkpoint import Checkpoint, caution, restore, take_checkpoint
from engine.checkpoint_file import refused
from engine.checkpoint_folder import LATEST
from engine.checkpoint_manifest import Kept, Origin, Progress
from engine.checkpoint_writer import CheckpointWriter
from engine.clock import Clock
from engine.config import Choice, RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.events import (
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Paused,
    Resumed,
    Started,
    StepFinished,
    StopReason,
)
from engine.optimizers import OPTIMIZERS
from engine.optimizers.optimizer import hyperparameter, set_hyperparameter
from engine.preparation import Ready
from engine.rewind.snapshots import Mark, Recorded, Snapshots
from engine.schedules import SCHEDULES, PlateauState, ScheduleEntry
from engine.steps import evaluate, train_step
from engine.tracking import Tracked, Values
from engine.weights import Weights

if TYPE_CHECKING:
    from engine.inspection.microscope import Specimen

KEEP_EVERY = 100  # steps between two copies of the weights
READ_AFTER = 0.05  # s that results may wait on an accelerator before they are read


def data_order(size: int, *, seed: int, epoch: int) -> Tensor:
    """The shuffled order of the training samples in an epoch, int64 (size,): it depends on seed and epoch alone."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


class DivergedError(Exception):
    """The loss is not finite. `updates`: of the weights that gave it; `when`: it was noticed, in words."""

    def __init__(self, loss: float, *, updates: int, when: str) -> None:
        super().__init__(loss, updates, when)
        self.loss, self.updates, self.when = loss, updates, when


class _Unread(NamedTuple):
    """A finished step whose loss and accuracy may still be on their way on the device."""

    step: int
    loss: Tensor
    size: int
    rate: float
    seconds: float
    accuracy: Tensor | None
    parameters: Values | None
    gradients: Values | None


class _Figures(NamedTuple):
    """In the order in which the events hold them."""

    test_loss: float
    test_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None


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
        self._loss_sum = 0.0  # of the epoch
        self._config = config
        self._control = control
        self._ready = ready
        self._closure = OPTIMIZERS[config.optimizer.name].closure
        augmentation = config.augmentation
        self._augment = augmentation_of(
            augmentation.name, augmentation.params, ready.parts.info, seed=config.training.seed
        )
        self._base_rate = self._rate = hyperparameter(ready.optimizer, "learning_rate")
        self._batch_size = config.training.batch_size
        self._per_epoch = math.ceil(len(ready.train) / self._batch_size)
        total = config.training.epochs * self._per_epoch
        self._total = self._end = min(total, config.training.steps or total)
        self._set_schedule(config.schedule)
        # Two copies take turns: the newer one is known to be good once a later loss was finite.
        self._good, self._newer = Weights(ready.network), Weights(ready.network)
        self._best: Weights | None = None
        self._best_loss, self._waited = math.inf, 0
        self._lowest = math.inf
        self._interventions: list[Intervened] = []
        self._tracked = Tracked(ready.network)
        self._unread: list[_Unread] = []
        self._samples = 0
        self._cut_short = False  # an evaluation was stopped before its end
        self._clock = Clock()
        self._writer = writer
        self._snapshots = snapshots
        self._repeat = deque(repeat)
        self._origin: Origin | None = None
        self._resumed = resume
        if resume is not None:
            self._resume(resume, random=random)

    def events(self) -> Iterator[Event]:
        control, ready = self._control, self._ready
        control.live = ready.live
        if self._snapshots is not None:
            self._snapshots.begin(ready, interventions=len(self._interventions))
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
            parent="" if self._origin is None else self._origin.run,
            parent_step=None if self._origin is None else self._origin.step,
        )
        self._begin()
        self._keep("first")
        last: Event
        try:
            yield from self._course()
        except DivergedError as diverged:
            last = self._failure(diverged)
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
        patience = self._config.training.patience
        while self._goes_on and not self._control.stopping and not (self._waited and self._waited >= patience):
            if self._closed:
                self._epoch += 1
                self._closed, self._loss_sum = False, 0.0
            train_loss = yield from self._steps()
            if train_loss is None:
                break
            yield from self._end_epoch(train_loss)
            self._control.epoch_ended()
        yield from self._read()
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
        training, tracked = self._config.training, self._tracked
        order = data_order(size, seed=training.seed, epoch=self._epoch) if training.shuffle else torch.arange(size)
        order = order.to(ready.device.handle)
        writer, snapshots = self._writer, self._snapshots
        begun = self.step - (self._epoch - 1) * self._per_epoch  # steps of this epoch that are done
        for start in range(begun * self._batch_size, size, self._batch_size):
            if self.step >= self._end:
                return None
            if self._repeat:
                yield from self._repeat_changes()
            if control.attention:
                yield from self._attend(order[start : start + self._batch_size])
                if control.stopping:
                    return None
                control.count_step()
            self._follow_schedule()
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
            done = _Unread(self.step, value.detach(), len(inputs), self._rate, seconds, accuracy, *told)
            if late:
                self._unread.append(done)
                if seconds - self._unread[0].seconds > READ_AFTER:
                    yield from self._read()
            else:
                yield self._report(done, value.item())
            if self.step % KEEP_EVERY == 0:
                yield from self._read()
                self._good, self._newer = self._newer, self._good
                self._newer.keep(step=self.step, epoch=self._epoch)
            if writer is not None and writer.wants(self.step, seconds):
                yield from self._read()
                if writer.due(self.step, seconds):
                    self._submit((LATEST,))
                yield from writer.reports()
            if snapshots is not None and self.step >= snapshots.due:
                yield from self._read()
                self._keep()
        yield from self._read()
        return self._loss_sum / size

    def _take(self, index: Tensor) -> Batch:
        """The training samples whose numbers are in `index`, int64 (B,), as the next step sees them."""
        inputs, targets, labels = self._ready.train.take(index)
        if self._augment is not None:
            inputs = self._augment(inputs, self.step)
        return inputs, targets, labels

    def _read(self) -> Iterator[Event]:
        """Read the losses that wait on the device. Raises DivergedError at the first that is not finite."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        values = torch.stack([step.loss for step in unread]).tolist() if len(unread) > 1 else [unread[0].loss.item()]
        for step, value in zip(unread, values, strict=True):
            yield self._report(step, value)

    def _report(self, step: _Unread, loss: float) -> StepFinished:
        if not math.isfinite(loss):  # of the weights that the step before left
            raise DivergedError(loss, updates=step.step - 1, when=f"at step {step.step}")
        self._loss_sum += loss * step.size
        self._samples += step.size
        accuracy = None if step.accuracy is None else float(step.accuracy)
        return StepFinished(
            step.step, self._epoch, loss, step.rate, step.seconds, accuracy, step.parameters, step.gradients
        )

    # Between steps.

    def _attend(self, batch: Tensor) -> Iterator[Event]:
        """Take over what was asked before the step with `batch`, and wait while the run is paused or in slow motion."""
        control = self._control
        waited = False
        yield from self._read()
        with self._clock.paused():
            while True:
                for change in control.take_changes():
                    yield from self._change(change)
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
        while self._repeat and self._repeat[0].step <= self.step:
            yield from self._change(self._repeat.popleft().change)

    def _change(self, change: Change | ScheduleChange) -> Iterator[Event]:
        if isinstance(change, ScheduleChange):
            old = self._schedule.name
            params = SCHEDULES[change.name].resolve(change.params, part="schedule")
            self._set_schedule(Choice(name=change.name, params=params))
            yield self._intervened(change, "schedule", old, change.name, params)
            return
        optimizer = self._ready.optimizer
        old_value = self._base_rate if change.name == "learning_rate" else hyperparameter(optimizer, change.name)
        if change.name == "learning_rate":
            self._base_rate = change.value  # follow_schedule hands it to the optimizer
        else:
            set_hyperparameter(optimizer, change.name, change.value)
        yield self._intervened(change, change.name, _exact(old_value), _exact(change.value))

    def _intervened(
        self, change: Change | ScheduleChange, name: str, old: str, new: str, params: Params | None = None
    ) -> Intervened:
        self._interventions.append(Intervened(self.step, name, old, new, params or {}))
        if self._snapshots is not None:
            self._snapshots.record(self.step, change)
            self._keep("intervention")
        return self._interventions[-1]

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
                learning_rate=self._scheduled_rate(),
                step=self.step + 1,
                epoch=self._epoch,
                of_run=True,
            )
        except Exception as error:  # whatever it is, it belongs to the one who asked
            asked.set_exception(error)
        else:
            asked.set_result(specimen)

    def _set_schedule(self, schedule: Choice) -> None:
        self._schedule = schedule
        self._schedule_entry: ScheduleEntry = SCHEDULES[schedule.name]
        self._plateau = PlateauState() if self._schedule_entry.plateau else None

    def _scheduled_rate(self) -> float:
        """The learning rate of the next step."""
        if self._plateau is not None:
            factor = self._plateau.multiplier
        else:
            factor = self._schedule_entry.multiplier(
                self.step, total=self._total, steps_per_epoch=self._per_epoch, params=self._schedule.params
            )
        return self._base_rate * factor

    def _follow_schedule(self) -> None:
        rate = self._scheduled_rate()
        if rate != self._rate:
            self._rate = rate
            set_hyperparameter(self._ready.optimizer, "learning_rate", rate)

    # After an epoch.

    def _evaluate(self) -> _Figures | None:
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
        return _Figures(*test, *validation)

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
            learning_rate=self._rate,
            seconds=self._clock.seconds(),
        )
        watched = train_loss if figures.validation_loss is None else figures.validation_loss
        if self._plateau is not None:
            self._plateau = self._plateau.observe(watched, self._schedule.params)
        if self._config.training.patience:
            if watched < self._best_loss:
                self._best_loss, self._waited = watched, 0
                if self._best is None:
                    self._best = Weights(self._ready.network)
                self._best.keep(step=self.step, epoch=self._epoch)
            else:
                self._waited += 1
        self._closed = True
        best = watched < self._lowest
        self._lowest = min(watched, self._lowest)
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

        def kept(weights: Weights) -> Kept:
            return Kept(step=weights.step, epoch=weights.epoch)

        # Before an epoch's first step, where a run may wait, it is where it was after the one before.
        unbegun = not self._closed and self.step == (self._epoch - 1) * self._per_epoch
        progress = Progress(
            step=self.step,
            epoch=self._epoch - unbegun,
            closed=self._closed or unbegun,
            told=self._told,
            loss_sum=self._loss_sum,
            samples=self._samples,
            base_rate=self._base_rate,
            schedule=self._schedule,
            plateau=self._plateau,
            lowest=_finite(self._lowest),
            best_loss=_finite(self._best_loss),
            waited=self._waited,
            best=None if self._best is None else kept(self._best),
            good=kept(self._good),
            newer=kept(self._newer),
            seconds=self._clock.seconds(),
            evaluating=self._clock.evaluated(),
            interventions=tuple(self._interventions),
            origin=self._origin,
        )
        copies = {"best": self._best, "good": self._good, "newer": self._newer}
        return take_checkpoint(self._config, self._ready, progress, copies)

    def _resume(self, checkpoint: Checkpoint, *, random: bool) -> None:
        """Be where `checkpoint` was taken; torch's random state, if at all, is set last. Raises InputError."""
        was = checkpoint.progress
        within = was.step - (was.epoch - 1) * self._per_epoch
        if was.epoch and not (0 < within <= self._per_epoch and was.closed <= (within == self._per_epoch)):
            raise refused(f"step {was.step:,} is not in epoch {was.epoch:,} of this dataset and batch size")
        if was.step > self._total:
            raise refused(f"it is of step {was.step:,}, and this run has {self._total:,}", "more epochs or steps")
        copies = {"good": self._good, "newer": self._newer}
        if was.best is not None:
            copies["best"] = self._best = Weights(self._ready.network)
        restore(checkpoint, self._config, self._ready, copies, random=random)
        self.step, self._epoch, self._closed = was.step, was.epoch, was.closed
        self._told = was.told and self.step >= self._total  # it may have more to do now
        self._loss_sum, self._samples = was.loss_sum, was.samples
        self._base_rate, self._rate = was.base_rate, hyperparameter(self._ready.optimizer, "learning_rate")
        self._set_schedule(was.schedule)
        self._plateau = was.plateau
        self._lowest = math.inf if was.lowest is None else was.lowest
        self._best_loss, self._waited = math.inf if was.best_loss is None else was.best_loss, was.waited
        self._interventions, self._origin = list(was.interventions), was.origin

    # At the end.

    def _finish(self) -> Finished:
        completed = self.step >= self._total and not self._cut_short
        reason: StopReason = "completed" if completed else "early_stopping"
        if self._control.stopping and not completed:
            reason = "stopped"
        restored = None
        if self._best is not None and self._best.epoch < self._epoch and not self._control.stopping:
            with self._ready.live.updating:
                self._best.restore()
            restored = self._best.epoch
        seconds, updating = self._clock.seconds(), self._clock.updating()
        speed = self._samples / updating if updating > 0 else 0.0
        return Finished(reason, self.step, self._epoch, seconds, speed, restored)

    def _failure(self, diverged: DivergedError) -> Failed:
        # Weights are known to be good once a later step's loss was finite.
        kept = self._newer if self._newer.step < diverged.updates else self._good
        with self._ready.live.updating:
            kept.restore()
        what = "not a number" if math.isnan(diverged.loss) else "infinite"
        if diverged.updates == 0:
            advice = "It was so with the untrained weights: look at the data and the initial parameters."
        else:
            advice = (
                f"Most often the learning rate is too large: it was {self._rate:g}; try {self._rate / 10:g}. "
                f"The weights of step {kept.step} are kept."
            )
        return Failed("diverged", f"The loss became {what} {diverged.when}. {advice}", kept.step)


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _exact(value: float) -> str:
    """As short as it can be read back without loss: `3` and `0.001`, and all digits where they count."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
