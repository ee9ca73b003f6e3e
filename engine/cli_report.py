"""What the terminal tells people of a run: a bar on stderr, a line an epoch on the standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

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
from engine.lessons.comparison import correct
from engine.lessons.lesson import Lesson

_MOST_LINES = 50  # about epochs, of a run in people's words


@contextmanager
def reporting(out: Console | None) -> Iterator[Reporter]:
    """A Reporter that prints to `out` and has a bar where a person looks on."""
    with _progress() as progress:
        yield Reporter(out, progress, progress.add_task("Starting", total=None, speed=""))


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


class Reporter:
    """Events for people: a bar on stderr, a line an epoch on `out` (None: nothing there).

    Attributes:
        message: of a failure; empty where there was none.
    """

    def __init__(self, out: Console | None, progress: Progress, task: TaskID) -> None:
        self._out = out
        self._progress = progress
        self._task = task
        self._epochs = 0
        self._batch = 0
        self._tested = 0
        self._shown = 0.0
        self._warnings: list[str] = []
        self.message = ""

    def say(self, line: str) -> None:
        if line:
            self._say(line)

    def say_stage(self, lesson: Lesson, number: int) -> None:
        if len(lesson.stages) > 1:
            title = lesson.stage(number).title
            self._say(f"stage {number} of {len(lesson.stages)}" + (f": {title}" if title else ""))
        self._shown = 0.0

    def warn(self) -> None:
        """Tell of checkpoints that could not be written, if that was not told yet."""
        for line in self._warnings:
            sys.stderr.write(line + "\n")
        self._warnings.clear()

    def report(self, event: Event) -> None:
        match event:
            case StepFinished():
                if self._warnings:
                    self.warn()
                if event.seconds - self._shown > 0.1:
                    self._shown = event.seconds
                    self._progress.update(
                        self._task,
                        completed=event.step,
                        description=f"epoch {event.epoch}/{self._epochs}  loss {event.loss:.4f}",
                        speed=f"{event.step * self._batch / event.seconds:,.0f} samples/s",
                    )
            case Preparing():
                share = "" if event.done is None else f" {event.done:.0%}"
                self._progress.update(self._task, description=f"{event.what}{share}")
            case Started():
                self._start(event)
            case Evaluated():
                self._say(f"step {event.step}: " + _figures(event, tested=self._tested))
            case EpochFinished():
                if event.epoch % max(1, self._epochs // _MOST_LINES) == 0 or event.epoch == self._epochs:
                    train = f"epoch {event.epoch}/{self._epochs}: train loss {event.train_loss:.4f}, "
                    self._say(train + _figures(event, tested=self._tested))
            case Intervened():
                self._say(f"step {event.step}: {event.name} {event.old} → {event.new}")
            case Finished():
                restored = "" if event.restored_epoch is None else f", weights of epoch {event.restored_epoch} restored"
                self._say(
                    f"{event.reason.replace('_', ' ')} after step {event.step}, {event.seconds:.1f} s, "
                    f"{event.samples_per_second:,.0f} samples/s{restored}"
                )
            case Failed():
                self.message = event.message
            case CheckpointFailed():
                self._warnings.append(f"step {event.step}: {event.path} was not written: {event.problem}")
            case Paused() | Resumed() | CheckpointSaved():
                pass
            case _:
                assert_never(event)

    def _start(self, event: Started) -> None:
        self._epochs = -(-event.total_steps // event.steps_per_epoch)
        self._batch = event.batch_size
        self._tested = event.test_size
        self._shown = 0.0
        self._progress.update(self._task, total=event.total_steps)
        threads = f"{event.threads} thread{'s' * (event.threads > 1)}"
        self._say(f"{event.network} on {event.dataset}: {event.parameters:,} parameters")
        self._say(f"{event.train_size:,} training samples, {event.device}, {threads}, {event.memory_format}")
        if event.resumed_from:
            self._say(f"continued after step {event.resumed_from:,}. {event.caution}".rstrip())

    def _say(self, line: str) -> None:
        if self._out is not None:
            self._out.print(line)


class Announcer:
    """Says on stderr what is being done, each thing once, as soon as more is told: what fails at once is not said.

    To be told the name of what is done, and a share that is not shown.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._now = self._said = ""

    def __call__(self, what: str, _done: float | None) -> None:
        if self._wanted and self._now != self._said:
            self._said = self._now
            sys.stderr.write(self._now + "\n")
        self._now = what or self._now


def _figures(event: Evaluated | EpochFinished, *, tested: int) -> str:
    pieces = []
    for name, loss, accuracy in (
        ("validation", event.validation_loss, event.validation_accuracy),
        ("test", event.test_loss, event.test_accuracy),
    ):
        if loss is None:
            continue
        piece = f"{name} loss {loss:.4f}"
        if accuracy is not None and name == "test" and tested:
            piece += f", {correct(accuracy, of=tested)}"
        elif accuracy is not None:
            piece += f" ({accuracy:.2%})"
        pieces.append(piece)
    return ", ".join(pieces)
