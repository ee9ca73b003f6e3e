"""A run as text for other programs: CSV and JSON, in pieces, however long it is."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from engine.events import EpochFinished, Intervened
from engine.runs.run_record import RunRecord, RunSummary

_STEP_COLUMNS = ("step", "epoch", "loss", "learning_rate", "seconds", "accuracy")
_EVALUATION_COLUMNS = (
    "step",
    "epoch",
    "train_loss",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "learning_rate",
    "seconds",
)


def time_as_text(seconds: float | None) -> str | None:
    """ISO 8601 in UTC of seconds since 1970; None where there is no such time."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None


def summary_as_json(summary: RunSummary) -> dict[str, object]:
    """As JSON takes it; times as text."""
    known = {name: _plain(value) for name, value in summary._asdict().items()}
    return {**known, "began": time_as_text(summary.began), "deleted": time_as_text(summary.deleted)}


def record_as_json(record: RunRecord) -> dict[str, object]:
    """All but the steps. Raises StoreError where the record is damaged."""
    return {
        **summary_as_json(record.summary),
        "versions": dict(record.versions),
        "started": None if record.started is None else _plain(asdict(record.started)),
        "ending": None if record.ending is None else _plain(asdict(record.ending)),
        "interventions": [_intervention(event) for event in record.interventions],
        "evaluations": [_plain(asdict(event)) for event in record.evaluations()],
        "config": _json_or_text(record.config_json),
    }


def json_pieces(record: RunRecord) -> Iterator[str]:
    """One JSON object: `record_as_json` and `steps`, an object of one list a column. Raises as the record does."""
    head = json.dumps(record_as_json(record), indent=2, ensure_ascii=False)
    yield head.removesuffix("\n}") + ',\n  "steps": {'
    for number, name in enumerate((*_STEP_COLUMNS, "parameters", "gradients")):
        yield ("," if number else "") + f'\n    "{name}": ['
        between = ""
        for table in record.chunks():
            values = [_plain(value) for value in getattr(table, name).tolist()]
            yield between + json.dumps(values)[1:-1]
            between = ", "
        yield "]"
    yield "\n  }\n}\n"


def csv_of_steps(record: RunRecord) -> Iterator[str]:
    """A line a step; an accuracy that was not measured is empty, a network's few parameters come last."""
    names = () if record.started is None else record.started.tracked
    more = (*names, *(f"gradient of {name}" for name in names))
    yield _lines([(*_STEP_COLUMNS, *more)])
    for table in record.chunks():
        columns = [getattr(table, name).tolist() for name in _STEP_COLUMNS]
        values = [*table.parameters.T.tolist(), *table.gradients.T.tolist()] if table.width == len(names) else []
        yield _lines(zip(*(map(_cell, column) for column in (*columns, *values)), strict=True))


def csv_of_evaluations(record: RunRecord) -> Iterator[str]:
    """A line an evaluation; that before the first step is of epoch 0."""
    yield _lines([_EVALUATION_COLUMNS])
    for event in record.evaluations():
        known = asdict(event) if isinstance(event, EpochFinished) else {**asdict(event), "epoch": 0}
        yield _lines([[_cell(known.get(name)) for name in _EVALUATION_COLUMNS]])


def _intervention(event: Intervened) -> dict[str, object]:
    told = {name: _plain(value) for name, value in asdict(event).items()}
    return told if event.params else {name: value for name, value in told.items() if name != "params"}


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return "" if value is None or value != value else value  # NaN differs from itself


def _plain(value: object) -> object:
    """What JSON knows: numbers that it lacks become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _json_or_text(text: str) -> object:
    try:
        return _plain(json.loads(text))
    except (ValueError, RecursionError):
        return text
