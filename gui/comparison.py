"""Runs side by side: what is read of them, and what those under way have done since. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.events import EpochFinished, Evaluated
from engine.runs.comparison import Difference, differences, seed_groups
from engine.runs.run_record import RunRecord, RunSummary
from engine.runs.step_table import StepTable
from gui.series import SMOOTHING, Floats, Series, XAxis

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.runs.store import RunStore

Measure = Literal["loss", "accuracy"]
Source = Literal["train", "validation", "test"]
MEASURES: tuple[Measure, ...] = ("loss", "accuracy")

MOST_RUNS = 28  # compared at once: as many as have a look of their own
DEFAULT_WEIGHT = SMOOTHING.index(0.98)  # of the past in the moving average of a training curve
READ_STEPS = 200_000  # steps of a run that are read: beyond, they are thinned
READ_EVALUATIONS = 10_000

_EVALUATED: tuple[tuple[Measure, Source], ...] = (
    ("loss", "validation"),
    ("loss", "test"),
    ("accuracy", "validation"),
    ("accuracy", "test"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values after steps, all (n,), ascending; NaN is a gap."""

    steps: NDArray[np.int64]
    seconds: Floats
    values: Floats

    def x(self, axis: XAxis, steps_per_epoch: int) -> Floats:
        match axis:
            case "step":
                return self.steps.astype(np.float64)
            case "epoch":
                return self.steps / max(steps_per_epoch, 1)
            case "seconds":
                return self.seconds


@dataclass(slots=True, eq=False)
class ComparedRun:
    """A run and its curves, as far as there are any. One that is under way grows with `take`.

    Attributes:
        version: grows with the curves.
    """

    summary: RunSummary
    config: RunConfig
    steps_per_epoch: int
    version: int = 0
    _train: dict[Measure, Series] = field(default_factory=dict, init=False)
    _evaluated: dict[tuple[Measure, Source], Curve] = field(default_factory=dict, init=False)
    _smoothed: dict[Measure, tuple[int, int, Curve]] = field(default_factory=dict, init=False)

    @property
    def id(self) -> int:
        return self.summary.id

    @property
    def under_way(self) -> bool:
        return self.summary.status == "running"

    @property
    def last_step(self) -> int:
        """Whose figures are known."""
        loss = self._train.get("loss")
        return int(loss.last_steps[-1]) if loss is not None else 0

    def sources(self, measure: Measure) -> list[Source]:
        """What there are curves of."""
        train: list[Source] = ["train"] if measure in self._train else []
        return train + [source for known, source in self._evaluated if known == measure]

    def curve(self, measure: Measure, source: Source, weight_index: int = DEFAULT_WEIGHT) -> Curve | None:
        """The same object until it grows. Training is averaged with the weight of that index in SMOOTHING."""
        if source != "train":
            return self._evaluated.get((measure, source))
        series = self._train.get(measure)
        if series is None:
            return None
        known = self._smoothed.get(measure)
        if known is None or known[:2] != (series.count, weight_index):
            values = series.smoothed(weight_index).copy()
            made = Curve(series.last_steps.copy(), series.seconds.copy(), values)
            known = self._smoothed[measure] = series.count, weight_index, made
        return known[2]

    def take(self, news: News) -> bool:
        """Add what the run has done since; False where its record has changed otherwise and must be read anew."""
        if news.summary.step < self.last_step or news.since != self.last_step:
            return False
        self.steps_per_epoch = news.steps_per_epoch or self.steps_per_epoch
        self.add(news.steps, news.evaluations)
        if news.summary != self.summary:
            self.summary = news.summary
            self.version += 1
        return True

    def add(self, table: StepTable, evaluations: Sequence[Evaluated | EpochFinished]) -> None:
        """Add these steps; `evaluations` are all there are."""
        measured = ~np.isnan(table.accuracy)
        for measure, values, which in (("loss", table.loss, slice(None)), ("accuracy", table.accuracy, measured)):
            if len(values[which]):
                key: Measure = "loss" if measure == "loss" else "accuracy"
                series = self._train.setdefault(key, Series())
                series.extend(table.step[which], values[which], table.seconds[which])
        self.version += bool(len(table))
        for measure, source in _EVALUATED:
            name = f"{source}_{measure}"
            rows = [(e.step, e.seconds, value) for e in evaluations if (value := getattr(e, name)) is not None]
            known = self._evaluated.get((measure, source))
            if not rows or (known is not None and len(known.steps) == len(rows)):
                continue
            steps, seconds, figures = zip(*rows, strict=True)
            self._evaluated[measure, source] = Curve(
                np.array(steps, np.int64), np.array(seconds, np.float64), np.array(figures, np.float64)
            )
            self.version += 1


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Runs in the order they were asked for, in what they differ, groups that differ in the seed alone, and sentences
    about runs that cannot be compared.
    """

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
    groups: tuple[tuple[int, ...], ...]
    problems: tuple[str, ...]

    @property
    def by_id(self) -> dict[int, ComparedRun]:
        return {run.id: run for run in self.runs}


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What a run has done after its step `since`: its steps, and all its evaluations."""

    since: int
    summary: RunSummary
    steps_per_epoch: int
    steps: StepTable
    evaluations: Sequence[Evaluated | EpochFinished]


def read_comparison(store: RunStore, runs: Sequence[int]) -> Comparison:
    """Read the runs with these numbers. Raises StoreError where the history cannot be read at all."""
    compared: list[ComparedRun] = []
    problems = []
    for run in dict.fromkeys(runs[:MOST_RUNS]):
        try:
            compared.append(_compared(store.run(run)))
        except InputError as error:
            problems.append(f"Run {run} is left out: {error.problem}.")
    if len(set(runs)) > MOST_RUNS:
        problems.append(f"The first {MOST_RUNS} of {len(set(runs))} runs are shown.")
    configs = {run.id: run.config for run in compared}
    summaries = [run.summary for run in compared]
    origins = {run.id: (run.parent, run.parent_step or 0) for run in summaries if run.parent is not None}
    groups = seed_groups(configs, origins)
    return Comparison(tuple(compared), tuple(differences(configs)), tuple(groups), tuple(problems))


def read_news(store: RunStore, known: Mapping[int, int]) -> list[News]:
    """What has become of runs, by the last step that is known of each; those that are gone are left out.

    Raises StoreError where the history cannot be read at all.
    """
    found = []
    for run, since in known.items():
        try:
            record = store.run(run)
            found.append(
                News(
                    since,
                    record.summary,
                    _steps_per_epoch(record),
                    record.steps_since(since),
                    record.evaluations(READ_EVALUATIONS),
                )
            )
        except InputError:
            continue
    return found


def _compared(record: RunRecord) -> ComparedRun:
    run = ComparedRun(record.summary, record.config, _steps_per_epoch(record))
    run.add(record.steps(READ_STEPS), record.evaluations(READ_EVALUATIONS))
    return run


def _steps_per_epoch(record: RunRecord) -> int:
    return record.started.steps_per_epoch if record.started is not None else 0
