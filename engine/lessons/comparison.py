"""What a tutorial printed beside what this run obtains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.events import EpochFinished, Evaluated, Event, Finished, Started, StepFinished

if TYPE_CHECKING:
    from engine.lessons.lesson import Lesson, Printed


@dataclass(frozen=True, slots=True)
class Row:
    """One printed number. `obtained` is None until the run has come there."""

    printed: Printed
    obtained: float | None

    @property
    def label(self) -> str:
        """Such as `loss, step 1`."""
        if self.printed.label:
            return self.printed.label
        what = self.printed.what.replace("_", " ")
        named = f"{what} of {self.printed.name}" if self.printed.name else what
        return f"{named}, step {self.printed.step}"

    @property
    def text(self) -> str:
        """What was obtained, with as many decimals as were printed."""
        return "" if self.obtained is None else f"{self.obtained:.{self.printed.decimals}f}"

    @property
    def agrees(self) -> bool | None:
        return None if self.obtained is None else self.printed.agrees(self.obtained)


class Comparison:
    """Takes the events of a lesson's runs in, stage by stage."""

    def __init__(self, lesson: Lesson) -> None:
        self._obtained: dict[int, float] = {}
        self._wanted: dict[tuple[int, int], list[tuple[int, Printed]]] = {}
        self._lesson = lesson
        self._tracked: tuple[str, ...] = ()
        self._batch_size = 0
        self._step_seconds: dict[int, float] = {}
        for number, printed in enumerate(lesson.printed):
            self._wanted.setdefault((printed.stage, printed.step), []).append((number, printed))

    def begin(self, stage: int) -> None:
        """Forget what was obtained in that stage: it runs anew."""
        for (of, _), items in self._wanted.items():
            if of == stage:
                for number, _ in items:
                    self._obtained.pop(number, None)

    def take(self, events: Sequence[Event], *, stage: int) -> bool:
        """Returns whether any number was obtained. Steps may not have been left out."""
        before = len(self._obtained)
        for event in events:
            if isinstance(event, Started):
                self._tracked, self._batch_size = event.tracked, event.batch_size
            elif isinstance(event, Finished):
                if event.samples_per_second > 0:
                    self._step_seconds[stage] = self._batch_size / event.samples_per_second
            elif isinstance(event, StepFinished | Evaluated | EpochFinished):
                for number, printed in self._wanted.get((stage, event.step), ()):
                    value = self._read(event, printed)
                    if value is not None:
                        self._obtained[number] = value
        return len(self._obtained) > before

    def time_told(self) -> str:
        """What a step took in each stage that has run, if there are several; evaluations and slow motion left out."""
        if len(self._step_seconds) < 2:
            return ""
        told = []
        for stage, seconds in sorted(self._step_seconds.items()):
            title = self._lesson.stage(stage).title or f"stage {stage}"
            told.append(f"{title}: {1000 * seconds:.3f} ms")
        return "Time of a step. " + "; ".join(told) + "."

    def rows(self) -> tuple[Row, ...]:
        return tuple(Row(printed, self._obtained.get(number)) for number, printed in enumerate(self._lesson.printed))

    def _read(self, event: StepFinished | Evaluated | EpochFinished, printed: Printed) -> float | None:
        if isinstance(event, StepFinished):
            match printed.what:
                case "loss":
                    return event.loss
                case "accuracy":
                    return event.accuracy
                case "gradient" | "parameter":
                    values = event.gradients if printed.what == "gradient" else event.parameters
                    if values is not None and printed.name in self._tracked:
                        return values[self._tracked.index(printed.name)]
            return None
        if printed.what == "test_loss":
            return event.test_loss
        return event.test_accuracy if printed.what == "test_accuracy" else None


def correct(accuracy: float, *, of: int) -> str:
    """An accuracy (0 … 1) as tutorials say it, such as `9,290 of 10,000 correct (92.90 %)`."""
    return f"{round(accuracy * of):,} of {of:,} correct ({100 * accuracy:.2f} %)"
