"""The lines of runs laid over each other: what is drawn, what stands at a place, and all of it as CSV. No Qt."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engine.runs.comparison import mean_band
from gui.comparison import DEFAULT_WEIGHT, MEASURES, ComparedRun, Comparison, Curve, Measure, Source
from gui.run_rows import title_of
from gui.series import Floats, XAxis

BEYOND = 0.01  # of the axis in view: so far before a line's first and after its last point it is still read


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line to draw: of a run, or the mean of `runs` with a band from `low` to `high`. `x` is (n,), ascending.

    `short` is for where the label has no room.
    """

    runs: tuple[int, ...]
    label: str
    short: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says nearest to a place: `deviation` is of a mean, else 0."""

    x: float
    value: float
    deviation: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How curves are looked at.

    Attributes:
        weight_index: in SMOOTHING, for training curves.
        grouped: of runs that differ in the seed alone their mean, with a band of one deviation.
    """

    source: Source = "train"
    axis: XAxis = "step"
    weight_index: int = DEFAULT_WEIGHT
    grouped: bool = False


class LineMaker:
    """Makes the lines of a comparison, each anew only when its runs have grown or it is looked at otherwise."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._made: dict[tuple[Measure, tuple[int, ...]], tuple[tuple[object, ...], Line | None]] = {}

    def lines(self, measure: Measure, view: View, hidden: Collection[int] = ()) -> list[Line]:
        """What is drawn; runs without such a curve have no line."""
        by_id = self._comparison.by_id
        groups = self._comparison.groups if view.grouped else [(run.id,) for run in self._comparison.runs]
        lines: list[Line] = []
        for group in groups:
            members = [by_id[run] for run in group if run not in hidden]
            there = [run for run in members if run.curve(measure, view.source, view.weight_index) is not None]
            mean = self._line(measure, view, there) if len(there) > 1 else None
            if mean is not None:
                lines.append(mean)
            else:
                lines += [line for run in there if (line := self._line(measure, view, [run])) is not None]
        return lines

    def single(self, measure: Measure, view: View, run: int) -> Line | None:
        """Of one run."""
        return self._line(measure, view, [self._comparison.by_id[run]])

    def _line(self, measure: Measure, view: View, runs: Sequence[ComparedRun]) -> Line | None:
        curves = [run.curve(measure, view.source, view.weight_index) for run in runs]
        made_of = (view.axis, *curves, *(run.steps_per_epoch for run in runs))
        place = (measure, tuple(run.id for run in runs))
        known = self._made.get(place)
        if known is None or known[0] != made_of:  # a curve is the same object until it grows
            line = _line(runs, [curve for curve in curves if curve is not None], view.axis)
            known = self._made[place] = made_of, line
        return known[1]


def _line(runs: Sequence[ComparedRun], curves: Sequence[Curve], axis: XAxis) -> Line | None:
    """The mean of several runs' curves, or the only curve there is."""
    if not curves:
        return None
    ids = tuple(run.id for run in runs)
    points = [(curve.x(axis, run.steps_per_epoch), curve.values) for run, curve in zip(runs, curves, strict=True)]
    if len(points) == 1:
        return Line(ids, run_title(runs[0]), str(ids[0]), *points[0])
    band = mean_band(points)
    if band is None:
        return None
    return Line(ids, group_title(runs), f"mean of {len(ids)}", band.x, band.mean, band.low, band.high)


def run_title(run: ComparedRun) -> str:
    """Its number, which tells it from others of the same set-up, and its name."""
    return f"{run.id} · {title_of(run.summary)}"


def group_title(runs: Sequence[ComparedRun]) -> str:
    """By what their names share, which leaves out the seeds that a race tells them by; else by their set-up."""
    differ = len({run.summary.seed for run in runs}) == len(runs)
    names = [run.summary.name.split(", ") for run in runs]
    shared = ", ".join(part for part in names[0] if all(part in name for name in names))
    title = shared or title_of(runs[0].summary._replace(name=""))
    return f"{title}, mean of {len(runs)} {'seeds' if differ else 'runs'}"


def reading_of(line: Line, place: float, *, span: float) -> Reading | None:
    """What the line says at its point nearest to `place`, a mean right there.

    None in a gap, and where the line has not begun or has ended.

    Args:
        span: of the axis in view.
    """
    x, beyond = line.x, BEYOND * span
    if not len(x) or not x[0] - beyond <= place <= x[-1] + beyond:
        return None
    if line.high is not None:  # a mean is made of lines between points
        place = min(max(place, float(x[0])), float(x[-1]))
        value = float(np.interp(place, x, line.y))
        return Reading(place, value, float(np.interp(place, x, line.high)) - value)
    after = min(int(x.searchsorted(place)), len(x) - 1)
    nearest = after - 1 if after and place - x[after - 1] < x[after] - place else after
    value = float(line.y[nearest])
    if not np.isfinite(value):
        return None
    return Reading(float(x[nearest]), value)


def last_of(line: Line) -> Reading | None:
    """What the line says at its end."""
    finite = np.flatnonzero(np.isfinite(line.y))
    return reading_of(line, float(line.x[finite[-1]]), span=0.0) if len(finite) else None


def curves_csv(comparison: Comparison, *, weight_index: int = DEFAULT_WEIGHT) -> bytes:
    """All curves as CSV (RFC 4180, UTF-8): a row a value. Accuracies are in 0 … 1; what is no number is `nan`.

    `curve` is such as `train_loss`, the moving average of all batches with weight SMOOTHING[`weight_index`], or
    `test_accuracy`.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["run", "name", "curve", "step", "epoch", "seconds", "value"])
    for run in comparison.runs:
        for measure in MEASURES:
            for source in run.sources(measure):
                curve = run.curve(measure, source, weight_index)
                if curve is None:
                    continue
                per_epoch = run.steps_per_epoch
                epochs = curve.x("epoch", per_epoch).tolist() if per_epoch else [""] * len(curve.steps)
                rows = zip(curve.steps.tolist(), epochs, curve.seconds.tolist(), curve.values.tolist(), strict=True)
                writer.writerows((run.id, title_of(run.summary), f"{source}_{measure}", *row) for row in rows)
    return text.getvalue().encode()
