"""Runs side by side: what is read of them, the lines drawn of them, and their table. No Qt."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.errors import InputError
from engine.runs.comparison import Difference, Spread, differences, mean_band, seed_groups, spread
from engine.runs.run_record import RunRecord, RunSummary
from engine.runs.store import RunStore
from gui import numbers
from gui.run_rows import title_of
from gui.series import SMOOTHING, Floats, Series, XAxis

Measure = Literal["loss", "accuracy"]
Source = Literal["train", "validation", "test"]

MOST_RUNS = 28  # compared at once: as many as have a look of their own
WEIGHT = 0.98  # of the past in the moving average of a training curve
READ_STEPS = 200_000  # steps of a run that are read: beyond, they are thinned

_WEIGHT_INDEX = SMOOTHING.index(WEIGHT)
_NOTHING = ""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run and its curves, as far as there are any."""

    summary: RunSummary
    config: RunConfig
    steps_per_epoch: int
    curves: Mapping[tuple[Measure, Source], Curve]

    @property
    def id(self) -> int:
        return self.summary.id


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs in the order they were asked for, in what they differ, groups that differ in the seed alone, and sentences
    about runs that cannot be compared.
    """

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
    groups: tuple[tuple[int, ...], ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line to draw: of a run, or the mean of `runs` with a band from `low` to `high`. `x` is (n,), ascending."""

    runs: tuple[int, ...]
    label: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class TableRow:
    """A run, or the mean of a group, as the table says it; a text for each heading."""

    runs: tuple[int, ...]
    texts: tuple[str, ...]


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
    return Comparison(tuple(compared), tuple(differences(configs)), tuple(seed_groups(configs)), tuple(problems))


def _compared(record: RunRecord) -> ComparedRun:
    table, evaluations = record.steps(READ_STEPS), record.evaluations(READ_STEPS)
    curves: dict[tuple[Measure, Source], Curve] = {}
    measured = ~np.isnan(table.accuracy)
    for measure, values, there in (("loss", table.loss, slice(None)), ("accuracy", table.accuracy, measured)):
        series = Series(weights=(SMOOTHING[_WEIGHT_INDEX],))
        if len(table.step[there]):
            series.extend(table.step[there], values[there], table.seconds[there])
            key: tuple[Measure, Source] = ("loss" if measure == "loss" else "accuracy", "train")
            curves[key] = Curve(series.last_steps.copy(), series.seconds.copy(), series.smoothed(0).copy())
    for measure, source in _EVALUATED:
        rows = [
            (event.step, event.seconds, value)
            for event in evaluations
            if (value := getattr(event, f"{source}_{measure}")) is not None
        ]
        if rows:
            steps, seconds, figures = zip(*rows, strict=True)
            curves[measure, source] = Curve(
                np.array(steps, np.int64), np.array(seconds, np.float64), np.array(figures, np.float64)
            )
    per_epoch = record.started.steps_per_epoch if record.started is not None else 0
    return ComparedRun(record.summary, record.config, per_epoch, curves)


_EVALUATED: tuple[tuple[Measure, Source], ...] = (
    ("loss", "validation"),
    ("loss", "test"),
    ("accuracy", "validation"),
    ("accuracy", "test"),
)


def lines_of(
    comparison: Comparison,
    *,
    measure: Measure,
    source: Source,
    axis: XAxis,
    grouped: bool,
    hidden: Collection[int] = (),
) -> list[Line]:
    """What is drawn. `grouped`: of runs that differ in the seed alone their mean, with a band of one deviation."""
    by_id = {run.id: run for run in comparison.runs}
    lines = []
    for group in comparison.groups if grouped else [(run.id,) for run in comparison.runs]:
        members = [by_id[run] for run in group if run not in hidden and (measure, source) in by_id[run].curves]
        if not members:
            continue
        curves = [(run.curves[measure, source], run.steps_per_epoch) for run in members]
        xs = [(curve.x(axis, per_epoch), curve.values) for curve, per_epoch in curves]
        band = mean_band(xs) if len(members) > 1 else None
        if band is not None:
            ids = tuple(run.id for run in members)
            lines.append(Line(ids, _group_title(members), band.x, band.mean, band.low, band.high))
        else:
            lines += [Line((run.id,), title_of(run.summary), x, y) for run, (x, y) in zip(members, xs, strict=True)]
    return lines


def headings(comparison: Comparison) -> list[tuple[str, str]]:
    """Of the table, with what they mean."""
    accuracy = any(run.summary.best_test_accuracy is not None for run in comparison.runs)
    what = "test accuracy" if accuracy else "test loss"
    return [
        ("Run", "A run that is not ticked is not drawn."),
        (f"Best {what}", "Of all evaluations."),
        (f"Final {what}", "Of the last evaluation."),
        ("Steps", "Updates of the weights."),
        ("Time", "Spent in training, pauses left out."),
        *((difference.label, "In this the runs' set-ups differ.") for difference in comparison.differences),
    ]


def table_rows(comparison: Comparison, *, grouped: bool) -> list[TableRow]:
    """A row for each run; with `grouped` one before the runs of each group, with means and deviations."""
    by_id = {run.id: run for run in comparison.runs}
    accuracy = any(run.summary.best_test_accuracy is not None for run in comparison.runs)
    rows = []
    for group in comparison.groups:
        members = [by_id[run] for run in group]
        if grouped and len(members) > 1:
            rows.append(_group_row(members, comparison.differences, accuracy=accuracy))
        rows += [_run_row(run, comparison.differences, accuracy=accuracy) for run in members]
    return rows


def _figures(run: RunSummary, *, accuracy: bool) -> tuple[float | None, float | None]:
    if accuracy:
        return run.best_test_accuracy, run.test_accuracy
    return run.best_test_loss, run.test_loss


def _said(value: float | None, *, accuracy: bool) -> str:
    if value is None:
        return _NOTHING
    return numbers.percent(value, 2) if accuracy else numbers.loss(value)


def _run_row(run: ComparedRun, differing: Iterable[Difference], *, accuracy: bool) -> TableRow:
    best, final = _figures(run.summary, accuracy=accuracy)
    texts = (
        title_of(run.summary),
        _said(best, accuracy=accuracy),
        _said(final, accuracy=accuracy),
        numbers.count(run.summary.step),
        numbers.duration(run.summary.seconds),
        *(difference.values.get(run.id, _NOTHING) for difference in differing),
    )
    return TableRow((run.id,), texts)


def _group_row(runs: Sequence[ComparedRun], differing: Iterable[Difference], *, accuracy: bool) -> TableRow:
    figures = [_figures(run.summary, accuracy=accuracy) for run in runs]
    best, final = (spread([pair[place] for pair in figures]) for place in (0, 1))
    steps = {run.summary.step for run in runs}
    seconds = spread([run.summary.seconds for run in runs])
    texts = (
        _group_title(runs),
        _spread_said(best, accuracy=accuracy),
        _spread_said(final, accuracy=accuracy),
        numbers.count(steps.pop()) if len(steps) == 1 else _NOTHING,
        _NOTHING if seconds is None else numbers.duration(seconds.mean),
        *(_common(difference, runs) for difference in differing),
    )
    return TableRow(tuple(run.id for run in runs), texts)


def _common(difference: Difference, runs: Sequence[ComparedRun]) -> str:
    values = {difference.values.get(run.id, _NOTHING) for run in runs}
    return values.pop() if len(values) == 1 else f"{len(values)} values"


def _spread_said(found: Spread | None, *, accuracy: bool) -> str:
    if found is None:
        return _NOTHING
    if accuracy:
        return f"{found.mean * 100:.2f} ± {numbers.percent(found.deviation, 2)}"
    return f"{numbers.loss(found.mean)} ± {numbers.loss(found.deviation)}"


def _group_title(runs: Sequence[ComparedRun]) -> str:
    return f"Mean of {len(runs)} seeds: {title_of(runs[0].summary)}"


def curves_csv(comparison: Comparison) -> bytes:
    """All curves as CSV (RFC 4180, UTF-8): a row a value. Accuracies are in 0 … 1; what is no number is `nan`.

    `curve` is such as `train_loss`, the moving average of all batches with weight 0.98, or `test_accuracy`.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["run", "name", "curve", "step", "epoch", "seconds", "value"])
    for run in comparison.runs:
        for (measure, source), curve in run.curves.items():
            epochs = curve.x("epoch", run.steps_per_epoch).tolist() if run.steps_per_epoch else [""] * len(curve.steps)
            rows = zip(curve.steps.tolist(), epochs, curve.seconds.tolist(), curve.values.tolist(), strict=True)
            writer.writerows((run.id, title_of(run.summary), f"{source}_{measure}", *row) for row in rows)
    return text.getvalue().encode()


def table_csv(comparison: Comparison) -> bytes:
    """Figures and differences as CSV (RFC 4180, UTF-8): a row a run, figures in full."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    figures = ("best_test_accuracy", "test_accuracy", "best_test_loss", "test_loss", "step", "seconds")
    writer.writerow(["run", "name", *figures, *(difference.field for difference in comparison.differences)])
    for run in comparison.runs:
        values = (getattr(run.summary, name) for name in figures)
        differing = (difference.values.get(run.id, "") for difference in comparison.differences)
        writer.writerow([run.id, title_of(run.summary), *("" if v is None else v for v in values), *differing])
    return text.getvalue().encode()
