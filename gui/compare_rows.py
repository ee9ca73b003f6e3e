"""The table of a comparison: figures of each run, values at a place, and in what the runs differ. No Qt."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.runs.comparison import Difference, Spread, spread
from engine.runs.run_record import RunSummary
from gui import numbers
from gui.compare_lines import Reading, group_title, run_title
from gui.comparison import MEASURES, ComparedRun, Comparison, Measure
from gui.run_rows import branch_of, title_of

_NOTHING = ""
READS = "At the place pointed at in the curves (arrow keys move it too); else the last."


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a column: its meaning is the tooltip; `widest` is what its cells may come to say, where they change."""

    title: str
    meaning: str
    right: bool = False
    widest: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A run, or the mean of a group, as the table says it; a text for each heading."""

    runs: tuple[int, ...]
    texts: tuple[str, ...]


Readings = Mapping[Measure, Mapping[tuple[int, ...], Reading | None]]  # by the numbers of the runs that a row is of


def headings(comparison: Comparison, *, source: str) -> list[Heading]:
    """Of the table. `source`: what the curves are of, for people."""
    what = "test accuracy" if _by_accuracy(comparison) else "test loss"
    widest = {"loss": "0.00000 ± 0.00000", "accuracy": "100.00 ± 100.00\u2009%"}
    if all(len(group) < 2 for group in comparison.groups):
        widest = {"loss": "0.00000", "accuracy": "100.00\u2009%"}
    return [
        Heading("Run", "A run that is not ticked is not drawn."),
        *(Heading(f"{source} {measure}", READS, True, widest[measure]) for measure in measures(comparison)),
        Heading(f"Best {what}", "Of all evaluations.", True),
        Heading(f"Final {what}", "Of the last evaluation.", True),
        Heading("Steps", "Updates of the weights.", True),
        Heading("Time", "Spent in training, pauses left out.", True),
        *([Heading("Branch", "The run that it goes on from, and the step.")] if _branches(comparison) else []),
        *(Heading(difference.label, "In this the runs' set-ups differ.") for difference in comparison.differences),
    ]


def measures(comparison: Comparison) -> list[Measure]:
    """What any of the runs has curves of; the loss always."""
    return [m for m in MEASURES if m == "loss" or any(run.sources(m) for run in comparison.runs)]


def table_rows(comparison: Comparison, readings: Readings, *, grouped: bool) -> list[TableRow]:
    """A row for each run; with `grouped` one before the runs of each group, with means and deviations."""
    by_id = comparison.by_id
    rows = []
    for group in comparison.groups:
        members = [by_id[run] for run in group]
        if grouped and len(members) > 1:
            rows.append(_group_row(members, comparison, readings))
        rows += [_run_row(run, comparison, readings) for run in members]
    return rows


def _by_accuracy(comparison: Comparison) -> bool:
    return any(run.summary.best_test_accuracy is not None for run in comparison.runs)


def _branches(comparison: Comparison) -> bool:
    return any(run.summary.parent is not None for run in comparison.runs)


def _figures(run: RunSummary, *, accuracy: bool) -> tuple[float | None, float | None]:
    if accuracy:
        return run.best_test_accuracy, run.test_accuracy
    return run.best_test_loss, run.test_loss


def _said(value: float | None, *, accuracy: bool) -> str:
    if value is None:
        return _NOTHING
    return numbers.percent(value, 2) if accuracy else numbers.loss(value)


def _read(runs: tuple[int, ...], comparison: Comparison, readings: Readings) -> list[str]:
    texts = []
    for measure in measures(comparison):
        reading, accuracy = readings.get(measure, {}).get(runs), measure == "accuracy"
        if reading is None:
            texts.append(_NOTHING)
        elif len(runs) > 1:
            texts.append(_spread_said(Spread(reading.value, reading.deviation, len(runs)), accuracy=accuracy))
        else:
            texts.append(_said(reading.value, accuracy=accuracy))
    return texts


def _run_row(run: ComparedRun, comparison: Comparison, readings: Readings) -> TableRow:
    accuracy = _by_accuracy(comparison)
    best, final = _figures(run.summary, accuracy=accuracy)
    texts = (
        run_title(run),
        *_read((run.id,), comparison, readings),
        _said(best, accuracy=accuracy),
        _said(final, accuracy=accuracy),
        numbers.count(run.summary.step),
        numbers.duration(run.summary.seconds),
        *([branch_of(run.summary)] if _branches(comparison) else []),
        *(difference.values.get(run.id, _NOTHING) for difference in comparison.differences),
    )
    return TableRow((run.id,), texts)


def _group_row(runs: Sequence[ComparedRun], comparison: Comparison, readings: Readings) -> TableRow:
    accuracy = _by_accuracy(comparison)
    figures = [_figures(run.summary, accuracy=accuracy) for run in runs]
    best, final = (spread([pair[place] for pair in figures]) for place in (0, 1))
    seconds = spread([run.summary.seconds for run in runs])
    ids = tuple(run.id for run in runs)
    texts = (
        group_title(runs),
        *_read(ids, comparison, readings),
        _spread_said(best, accuracy=accuracy),
        _spread_said(final, accuracy=accuracy),
        _common(numbers.count(run.summary.step) for run in runs),
        _NOTHING if seconds is None else numbers.duration(seconds.mean),
        *([_common(branch_of(run.summary) for run in runs)] if _branches(comparison) else []),
        *(_differing(difference, runs) for difference in comparison.differences),
    )
    return TableRow(ids, texts)


def _common(texts: Iterable[str]) -> str:
    """What all say, or nothing."""
    said = set(texts)
    return said.pop() if len(said) == 1 else _NOTHING


def _differing(difference: Difference, runs: Sequence[ComparedRun]) -> str:
    values = {difference.values.get(run.id, _NOTHING) for run in runs}
    return values.pop() if len(values) == 1 else f"{len(values)} values"


def _spread_said(found: Spread | None, *, accuracy: bool) -> str:
    if found is None:
        return _NOTHING
    if accuracy:
        return f"{found.mean * 100:.2f} ± {numbers.percent(found.deviation, 2)}"
    return f"{numbers.loss(found.mean)} ± {numbers.loss(found.deviation)}"


def table_csv(comparison: Comparison) -> bytes:
    """Figures and differences as CSV (RFC 4180, UTF-8): a row a run, figures in full."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    figures = ("best_test_accuracy", "test_accuracy", "best_test_loss", "test_loss", "step", "seconds")
    branch = ("parent", "parent_step") if _branches(comparison) else ()
    fields = (difference.field for difference in comparison.differences)
    writer.writerow(["run", "name", *figures, *branch, *fields])
    for run in comparison.runs:
        values = (getattr(run.summary, name) for name in (*figures, *branch))
        differing = (difference.values.get(run.id, "") for difference in comparison.differences)
        writer.writerow([run.id, title_of(run.summary), *("" if v is None else v for v in values), *differing])
    return text.getvalue().encode()
