"""What the history says of a run: a line of the table, and all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_type_hints

from engine.events import EpochFinished, Evaluated, Event, Failed, Finished, Intervened, Started
from engine.runs.step_table import StepTable

if TYPE_CHECKING:
    from engine.config import RunConfig

RunStatus = Literal["running", "finished", "stopped", "failed", "interrupted"]
STATUSES: tuple[RunStatus, ...] = ("running", "finished", "stopped", "failed", "interrupted")

MOST_EVENTS = 100_000  # steps of a record that are told as events, unless it is asked for more


class Branch(NamedTuple):
    """Where a run began: after a step of another one."""

    run: int
    step: int


class RunSummary(NamedTuple):
    """A run in one line. A tuple, of which ten thousand are made in an instant.

    Attributes:
        id: from 1, never given twice.
        loss: the name of the loss function; figures are called `…_loss`.
        learning_rate, batch_size, epochs, seed: as the set-up has them.
        lesson, stage: where the run belongs to a lesson; else empty and None.
        parent, parent_step: where it began as a branch; the parent may have been deleted since.
        began: seconds since 1970, UTC.
        device, memory_format, precision, threads, parameters, total_steps: empty or None until the run was set up.
        status: `interrupted` where the program, or the record, ended before the run did.
        reason: `completed`, `early_stopping`, `stopped`, or what a failure was: `diverged`, `input`, `error`.
        message: of a failure, for people.
        recorded: steps whose figures are kept.
        step, epoch, seconds: the last that was told; `seconds` are of training, pauses left out.
        batch_loss: of the last step.
        train_loss, validation_loss, …: of the last evaluation; None where there was none, or it was no number.
        best_…: the lowest loss and the highest accuracy of all evaluations.
        deleted: when it was, as `began`; None: it was not.
    """

    id: int
    name: str
    notes: str
    dataset: str
    network: str
    optimizer: str
    loss: str
    schedule: str
    seed: int
    batch_size: int
    learning_rate: float
    epochs: int
    lesson: str
    stage: int | None
    parent: int | None
    parent_step: int | None
    began: float
    device: str
    threads: int | None
    memory_format: str
    precision: str
    parameters: int | None
    total_steps: int | None
    status: RunStatus
    reason: str
    message: str
    recorded: int
    step: int
    epoch: int
    seconds: float
    samples_per_second: float | None
    batch_loss: float | None
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    best_validation_loss: float | None
    best_validation_accuracy: float | None
    best_test_loss: float | None
    best_test_accuracy: float | None
    deleted: float | None
    tags: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name, or what the run is where it has none."""
        return self.name or f"{self.network} on {self.dataset}"


SUMMARY_COLUMNS = tuple(name for name in RunSummary._fields if name != "tags")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _real(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _status(value: object) -> object:
    return value if value in STATUSES else "interrupted"


# By the annotations above: the types as which SQLite gives what is sound, and how anything else is read. A damaged file
# may hold anything anywhere.
_READ: Mapping[object, tuple[tuple[type, ...], Callable[[object], object]]] = {
    str: ((str,), _text),
    int: ((int,), _whole),
    float: ((float,), _real),
    int | None: ((int, NoneType), lambda value: value if isinstance(value, int) else None),
    float | None: ((float, NoneType), lambda value: float(value) if isinstance(value, int | float) else None),
    RunStatus: ((str,), _status),
}
_HINTS = get_type_hints(RunSummary)
_COLUMNS = tuple(_READ[_HINTS[name]] for name in SUMMARY_COLUMNS)
_STATUS = SUMMARY_COLUMNS.index("status")


def summary_of(row: tuple[object, ...], tags: tuple[str, ...]) -> RunSummary:
    """A row of SUMMARY_COLUMNS as a summary. What is of another type than it should be counts as missing."""
    if not (_are_sound(tuple(map(type, row))) and row[_STATUS] in STATUSES):
        row = tuple(read(value) for (_, read), value in zip(_COLUMNS, row, strict=True))
    return RunSummary._make((*row, tags))


@lru_cache(maxsize=256)
def _are_sound(types: tuple[type, ...]) -> bool:
    """Whether a row of values of these types is a summary as it stands. Nearly all rows have one of a few patterns."""
    return all(found in known for found, (known, _) in zip(types, _COLUMNS, strict=True))


class RunFigures(Protocol):
    """Where a record's figures come from. All raise StoreError where they are damaged."""

    def steps(self, run_id: int, limit: int | None) -> StepTable: ...

    def chunks(self, run_id: int) -> Iterator[StepTable]: ...

    def between(self, run_id: int, after: int, until: int) -> Iterator[StepTable]: ...

    def since(self, run_id: int, step: int) -> StepTable: ...

    def evaluations(self, run_id: int, limit: int | None) -> list[Evaluated | EpochFinished]: ...


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that is kept of a run. Its figures are read when they are asked for.

    Attributes:
        config_json: the set-up.
        versions: of `learnscope`, `python`, `torch`, `numpy`, and the `system`.
        started, ending: what the run said of them; None where it did not come to it.
        interventions: oldest first.
    """

    summary: RunSummary
    config_json: str
    versions: Mapping[str, str]
    started: Started | None
    ending: Finished | Failed | None
    interventions: tuple[Intervened, ...]
    figures: RunFigures = field(repr=False, compare=False)

    @property
    def config(self) -> RunConfig:
        """The set-up, checked as if it had been typed. Raises InputError where it cannot be used any more."""
        from engine.config import config_from_json  # here: start-up has no time for pydantic

        return config_from_json(self.config_json, source=f"the set-up of run {self.summary.id}")

    def steps(self, limit: int | None = None) -> StepTable:
        """The steps as columns; where there are more than `limit`, thinned without losing an extreme.

        Raises StoreError where the record is damaged.
        """
        return self.figures.steps(self.summary.id, limit)

    def chunks(self) -> Iterator[StepTable]:
        """All steps, some thousands at a time. Raises StoreError where the record is damaged."""
        return self.figures.chunks(self.summary.id)

    def steps_since(self, step: int) -> StepTable:
        """The steps after `step`, all of them: what a run under way has done since it was last looked at.

        Raises StoreError where the record is damaged.
        """
        return self.figures.since(self.summary.id, step)

    def between(self, after: int, until: int) -> Iterator[StepTable]:
        """The steps after `after`, up to and including `until`. Raises StoreError where the record is damaged."""
        return self.figures.between(self.summary.id, after, until)

    def evaluations(self, limit: int | None = None) -> list[Evaluated | EpochFinished]:
        """In order; where there are more than `limit`, equally many are left out between any two."""
        return self.figures.evaluations(self.summary.id, limit)

    def events(self, limit: int = MOST_EVENTS) -> Iterator[Event]:
        """The run again as it told itself, for whoever takes events in.

        Up to `limit` steps all of them come; beyond, `limit` of them with all extremes, from which moving averages
        come out smoother than they were. A run that was interrupted ends with Failed, which says so; one that still
        runs has no last event.

        Raises StoreError where the record is damaged.
        """
        if self.started is not None:
            yield self.started
        yield from self._course(limit)
        if self.last_word is not None:
            yield self.last_word

    @property
    def last_word(self) -> Finished | Failed | None:
        """How the run ended; of one that was interrupted, that it was; None where it still runs."""
        if self.ending is not None or self.summary.status != "interrupted":
            return self.ending
        step, why = self.summary.step, self.summary.message
        return Failed("error", why or f"The program ended while this run went on, after step {step:,}.", step)

    def _course(self, limit: int) -> Iterator[Event]:
        table = self.steps(limit)
        between: list[Intervened | Evaluated | EpochFinished] = [*self.evaluations(limit), *self.interventions]
        between.sort(key=lambda event: event.step)  # stable: an epoch's end comes before what was changed after it
        steps = table.events()
        done = 0
        for event in between:
            until = int(table.step.searchsorted(event.step, side="right"))
            yield from islice(steps, max(until - done, 0))
            done = max(done, until)
            yield event
        yield from steps
