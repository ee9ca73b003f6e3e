"""What is known of the run on screen: plain data fed by events. No Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, assert_never

import numpy as np

from engine.events import (
    CheckpointFailed,
    CheckpointSaved,
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Paused,
    Preparing,
    Resumed,
    Started,
    StepFinished,
)
from engine.runs.run_record import Branch
from engine.runs.step_table import StepTable
from gui.series import Deferred, Series
from gui.track import Track

Status = Literal["idle", "running", "paused", "finished", "failed"]

SPEED_WINDOW = 2.0  # seconds of training that the speed is averaged over
EVALUATIONS = 10_000  # kept at most
_SPEED_EVERY = 0.1  # seconds of training between two readings of the speed
_STEP, _LOSS, _RATE = attrgetter("step"), attrgetter("loss"), attrgetter("learning_rate")
_SECONDS, _ACCURACY = attrgetter("seconds"), attrgetter("accuracy")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Losses (means a sample) and accuracies (0 … 1) after a step; `train_loss` is the epoch's mean.

    None where there is none: no validation set, no accuracy in regression, no epoch before the first step.
    """

    step: int
    epoch: int
    seconds: float
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float
    test_accuracy: float | None


class RunState:
    """The run on screen. `apply` takes events in; everything else is read.

    Attributes:
        generation: grows with every `reset`; tells one run's data from the next one's.
        status: `idle` before anything has happened.
        step, epoch: of the last finished update, from 1; 0 before it.
        steps_per_epoch, total_steps, batch_size, train_size, parameters, threads: 0 until the run has started.
        device, memory_format, precision, dataset, network: empty until the run has started.
        preparing: what is being done before the first step and the share that is done, or None.
        loss, accuracy, learning_rate: of the steps; the accuracy is the batch's, on every tenth step.
        validation_loss, validation_accuracy, test_loss, test_accuracy, epoch_loss: of the evaluations.
        evaluations: the same as rows, oldest first; beyond 10,000 every other one between the first and last is left
            out.
        interventions: settings that were changed, oldest first.
        seconds: of training so far, pauses left out.
        samples_per_second: over the last two seconds of training, None until it can be told.
        seconds_left: of training at that speed, None until it can be told.
        finished, failure: how the run ended.
        track: the parameters and gradients of every step, of a network small enough.
        checkpoint: what became of the last one that was written, None before.
        branch: the run of the history, and its step, that this one went on from; None for one of its own.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._clear()

    def reset(self) -> None:
        """Forget the run: as before the first event."""
        self.generation += 1
        self._clear()

    def take_over(self, other: RunState) -> None:
        """Be the run that `other` holds, which is not to be used any more."""
        generation = self.generation + 1
        vars(self).update(vars(other))
        self.generation = generation

    def _clear(self) -> None:
        self.status: Status = "idle"
        self.step = 0
        self.epoch = 0
        self.total_steps = 0
        self.steps_per_epoch = 0
        self.batch_size = 0
        self.train_size = 0
        self.parameters = 0
        self.threads = 0
        self.device = ""
        self.memory_format = ""
        self.precision = ""
        self.dataset = ""
        self.network = ""
        self.preparing: tuple[str, float | None] | None = None
        self.loss = Series()
        self._accuracy = Deferred(Series())
        self._learning_rate = Deferred(Series(weights=()))
        self.validation_loss = Series(weights=())
        self.validation_accuracy = Series(weights=())
        self.test_loss = Series(weights=())
        self.test_accuracy = Series(weights=())
        self.epoch_loss = Series(weights=())
        self.evaluations: list[Evaluation] = []
        self.interventions: list[Intervened] = []
        self.seconds = 0.0
        self.samples_per_second: float | None = None
        self.finished: Finished | None = None
        self.failure: Failed | None = None
        self.track = Track(())
        self.checkpoint: CheckpointSaved | CheckpointFailed | None = None
        self.branch: Branch | None = None
        self._pace: deque[tuple[float, int]] = deque()

    @property
    def accuracy(self) -> Series:
        return self._accuracy.series

    @property
    def learning_rate(self) -> Series:
        return self._learning_rate.series

    @property
    def seconds_left(self) -> float | None:
        if not self.samples_per_second or not self.total_steps or not self.batch_size:
            return None
        return max(self.total_steps - self.step, 0) * self.batch_size / self.samples_per_second

    @property
    def progress(self) -> float | None:
        """The share of the steps that is done, None until their number is known."""
        return min(self.step / self.total_steps, 1.0) if self.total_steps else None

    def apply(self, events: Sequence[Event]) -> None:
        """Take in events in the order they were published.

        A start after a run was seen begins anew, unless the run goes on after the very step that was seen last.
        """
        steps: list[StepFinished] = []
        evaluations: list[Evaluation] = []
        for event in events:
            match event:
                case StepFinished():
                    steps.append(event)
                case EpochFinished():
                    evaluations.append(_evaluation(event, epoch=event.epoch, train_loss=event.train_loss))
                case Evaluated():
                    evaluations.append(_evaluation(event, epoch=0, train_loss=None))
                case Preparing(what=what, done=done):
                    if self.status in ("finished", "failed"):
                        self.reset()
                    self.status = "running"
                    self.preparing = (what, done)
                case Started():
                    self._flush(steps, evaluations)
                    self._start(event)
                case Intervened():
                    self.interventions.append(event)
                case Paused():
                    self.status = "paused"
                case Resumed():
                    self.status = "running"
                case Finished():
                    self.status, self.finished, self.preparing = "finished", event, None
                case Failed():
                    self.status, self.failure, self.preparing = "failed", event, None
                case CheckpointSaved() | CheckpointFailed():
                    self.checkpoint = event
                case _:
                    assert_never(event)
        self._flush(steps, evaluations)

    def _start(self, event: Started) -> None:
        goes_on = bool(event.resumed_from) and event.resumed_from == self.step
        seen = bool(self.step or self.evaluations) or self.status in ("finished", "failed")
        if seen and not goes_on:
            self.reset()
        self.status = "running"
        self.preparing = None
        self.device, self.threads = event.device, event.threads
        self.memory_format, self.precision = event.memory_format, event.precision
        self.parameters, self.batch_size, self.train_size = event.parameters, event.batch_size, event.train_size
        self.steps_per_epoch, self.total_steps = event.steps_per_epoch, event.total_steps
        self.network, self.dataset = event.network, event.dataset
        if event.parent.isdecimal() and event.parent_step is not None:
            self.branch = Branch(int(event.parent), event.parent_step)
        if not goes_on:
            self.track = Track(event.tracked)

    def _flush(self, steps: list[StepFinished], evaluations: list[Evaluation]) -> None:
        """Move what was gathered into the series, and empty the lists."""
        if steps:
            self._take_steps(steps)
            steps.clear()
        if evaluations:
            self._take_evaluations(evaluations)
            evaluations.clear()

    def _take_steps(self, events: list[StepFinished]) -> None:
        number = len(events)
        steps = np.fromiter(map(_STEP, events), np.int64, number)
        seconds = np.fromiter(map(_SECONDS, events), np.float64, number)
        self.loss.extend(steps, np.fromiter(map(_LOSS, events), np.float64, number), seconds)
        self._learning_rate.add(steps, np.fromiter(map(_RATE, events), np.float64, number), seconds)
        accuracies = list(map(_ACCURACY, events))
        measured = [i for i, accuracy in enumerate(accuracies) if accuracy is not None]
        if measured:
            self._accuracy.add(steps[measured], np.array([accuracies[i] for i in measured]), seconds[measured])
        if self.track.names:
            self.track.add(events)
        self._arrive(events[-1].step, epoch=events[-1].epoch, seconds=events[-1].seconds)
        self._keep_pace(events[0].step, seconds=events[0].seconds)

    def apply_table(self, table: StepTable) -> None:
        """Take in steps that are columns already: as `apply` of their events, in a fraction of the time."""
        if not len(table):
            return
        steps, seconds = table.step, table.seconds
        self.loss.extend(steps, table.loss, seconds)
        self._learning_rate.add(steps, table.learning_rate, seconds)
        measured = np.flatnonzero(~np.isnan(table.accuracy))
        if len(measured):
            self._accuracy.add(steps[measured], table.accuracy[measured], seconds[measured])
        if self.track.names and len(self.track.names) == table.width:
            self.track.extend(steps, table.parameters, table.gradients)
        self._arrive(int(steps[-1]), epoch=int(table.epoch[-1]), seconds=float(seconds[-1]))
        first = min(int(seconds.searchsorted(seconds[-1] - SPEED_WINDOW)), max(len(steps) - 2, 0))
        self._keep_pace(int(steps[first]), seconds=float(seconds[first]))

    def _arrive(self, step: int, *, epoch: int, seconds: float) -> None:
        """This step was the last."""
        self.step, self.epoch, self.seconds = step, epoch, seconds
        self.preparing = None

    def _keep_pace(self, first: int, *, seconds: float) -> None:
        """Follow the speed. `first`: a step that was taken in just now, which ended after so many seconds."""
        pace = self._pace
        if not pace:
            pace.append((seconds, first))
        if self.seconds - pace[-1][0] < _SPEED_EVERY:
            return
        pace.append((self.seconds, self.step))
        while len(pace) > 2 and self.seconds - pace[1][0] >= SPEED_WINDOW:
            pace.popleft()
        began, step = pace[0]
        self.samples_per_second = (self.step - step) * self.batch_size / (self.seconds - began)

    def _take_evaluations(self, new: list[Evaluation]) -> None:
        steps = np.fromiter(map(_STEP, new), np.int64, len(new))
        seconds = np.fromiter(map(_SECONDS, new), np.float64, len(new))
        for name in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "train_loss"):
            values = list(map(attrgetter(name), new))
            there = [place for place, value in enumerate(values) if value is not None]
            series: Series = self.epoch_loss if name == "train_loss" else getattr(self, name)
            if there:
                series.extend(steps[there], [values[place] for place in there], seconds[there])
        self.evaluations += new
        while len(self.evaluations) > EVALUATIONS:
            del self.evaluations[1:-1:2]
        self.epoch = max(self.epoch, new[-1].epoch)
        self.seconds = max(self.seconds, new[-1].seconds)


def _evaluation(event: Evaluated | EpochFinished, *, epoch: int, train_loss: float | None) -> Evaluation:
    return Evaluation(
        step=event.step,
        epoch=epoch,
        seconds=event.seconds,
        train_loss=train_loss,
        validation_loss=event.validation_loss,
        validation_accuracy=event.validation_accuracy,
        test_loss=event.test_loss,
        test_accuracy=event.test_accuracy,
    )
