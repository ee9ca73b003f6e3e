"""Reading a run's figures from the store's tables, all of them checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from engine.events import EpochFinished, Evaluated
from engine.runs.step_table import COLUMNS, StepTable, joined, unpacked
from engine.runs.store_error import damaged

READ_WHOLE = 1_000_000  # steps: what has more is shown from the overviews of its chunks

T = TypeVar("T")
Select = Callable[[str, Sequence[object]], list[tuple[object, ...]]]  # statement and parameters to all its rows

_TABLE = f"run, first_step, last_step, count, width, {', '.join(COLUMNS)}"
_EVALUATION = (
    "step, epoch, train_loss, test_loss, test_accuracy, validation_loss, validation_accuracy, learning_rate, seconds"
)
_NAN = "nan"  # SQLite has no NaN


def figure(value: float | None) -> float | str | None:
    """A figure as the table of evaluations holds it."""
    return _NAN if value is not None and math.isnan(value) else value


class Figures:
    """The figures of any run.

    Args:
        rows: runs a statement; StoreError and sqlite3.Error may leave it.
    """

    def __init__(self, rows: Select) -> None:
        self._rows = rows

    def steps(self, run_id: int, limit: int | None) -> StepTable:
        """All steps, or at most `limit` of them; see `RunRecord.steps`."""
        [(recorded,)] = self._rows("SELECT COALESCE(SUM(count), 0) FROM chunks WHERE run = ?", (run_id,))
        if limit is None or (isinstance(recorded, int) and recorded <= max(limit, READ_WHOLE)):
            table = joined(list(self.chunks(run_id)))
        else:
            [(complete,)] = self._rows("SELECT MAX(last_step) FROM overviews WHERE run = ?", (run_id,))
            overviews = self._tables("overviews", run_id)
            rest = self._tables("chunks", run_id, after=complete if isinstance(complete, int) else -1)
            table = joined([*overviews, *rest])
        return table if limit is None else table.thinned(limit)

    def chunks(self, run_id: int) -> Iterator[StepTable]:
        """All steps, chunk by chunk."""
        yield from self._tables("chunks", run_id)

    def since(self, run_id: int, step: int) -> StepTable:
        """All steps after `step`; the chunks before it are not read."""
        table = joined(list(self._tables("chunks", run_id, condition=f"last_step > {step:d}")))
        return table.take(table.step > step)

    def between(self, run_id: int, after: int, until: int) -> Iterator[StepTable]:
        """The steps after `after`, up to and including `until`, chunk by chunk."""
        for table in self._tables("chunks", run_id, condition=f"last_step > {after:d} AND first_step <= {until:d}"):
            yield table.take((table.step > after) & (table.step <= until))

    def tail(self, run_id: int) -> list[StepTable]:
        """The chunks after the last complete one."""
        complete = "SELECT 1 FROM overviews AS o WHERE o.run = c.run AND o.first_step = c.first_step"
        return list(self._tables("chunks", run_id, condition=f"NOT EXISTS ({complete})"))

    def crossing(self, run_id: int, step: int) -> list[StepTable]:
        """The chunk that has steps up to `step` and after it, if there is one."""
        return list(self._tables("chunks", run_id, condition=f"first_step <= {step:d} AND last_step > {step:d}"))

    def _tables(self, name: str, run_id: int, *, after: int = -1, condition: str = "TRUE") -> Iterator[StepTable]:
        """Tables whose steps come after `after`; a few at a time, so that others get their turn."""
        last = after
        while True:
            rows = self._rows(
                f"SELECT {_TABLE} FROM {name} AS c WHERE run = ? AND first_step > ? AND {condition} "
                "ORDER BY first_step LIMIT 256",
                (run_id, last),
            )
            for row in rows:
                table = self._table(run_id, row)
                if table.step[0] <= last:
                    raise damaged(run_id, f"it has step {table.step[0]} twice")
                last = int(table.step[-1])
                yield table
            if len(rows) < 256:
                return

    def _table(self, run_id: int, row: Sequence[object]) -> StepTable:
        _, first, last, count, width, *packed = row
        try:
            table = unpacked(count, width, packed)
        except ValueError as error:
            raise damaged(run_id, f"steps {first} to {last}: {error}") from None
        if (table.step[0], table.step[-1]) != (first, last):
            raise damaged(run_id, f"steps {first} to {last} are others")
        return table

    def evaluations(self, run_id: int, limit: int | None) -> list[Evaluated | EpochFinished]:
        """In order; see `RunRecord.evaluations`."""
        rows = self._rows(f"SELECT {_EVALUATION} FROM evaluations WHERE run = ? ORDER BY step, epoch", (run_id,))
        if limit is not None and len(rows) > limit:
            stride = -(-len(rows) // max(limit - 1, 1))
            rows = [*rows[:-1:stride], rows[-1]]
        try:
            return [_evaluation(row) for row in rows]
        except (TypeError, ValueError) as error:
            raise damaged(run_id, f"its evaluations: {error}") from None


def _evaluation(row: Sequence[object]) -> Evaluated | EpochFinished:
    step, epoch, *figures = row
    if not isinstance(step, int) or not isinstance(epoch, int):
        raise TypeError("a step that is no number")
    train_loss, loss, accuracy, validation_loss, validation_accuracy, rate, seconds = map(_number, figures)
    if loss is None or seconds is None:
        raise TypeError("a figure that is missing")
    if not epoch:
        return Evaluated(step, loss, accuracy, validation_loss, validation_accuracy, seconds)
    if train_loss is None or rate is None:
        raise TypeError("a figure that is missing")
    return EpochFinished(epoch, step, train_loss, loss, accuracy, validation_loss, validation_accuracy, rate, seconds)


def _number(value: object) -> float | None:
    if value is None or type(value) is float:
        return value
    if isinstance(value, int):
        return float(value)
    if value == _NAN:
        return math.nan
    raise TypeError("a figure that is no number")
