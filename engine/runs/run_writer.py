"""What a run says, written to the store's tables: every call is one transaction."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from engine.events import EpochFinished, Evaluated, Event, Failed, Finished, Intervened, Started
from engine.runs.figures import Figures, figure
from engine.runs.run_record import RunStatus
from engine.runs.step_table import CHUNK, COLUMNS, StepTable, joined
from engine.runs.store_error import StoreError

MOST_PIECES = 64  # chunks of a few steps that wait to become one

_SUMMARY = (
    "device",
    "threads",
    "memory_format",
    "precision",
    "parameters",
    "total_steps",
    "status",
    "reason",
    "message",
    "recorded",
    "step",
    "epoch",
    "seconds",
    "samples_per_second",
    "batch_loss",
    "train_loss",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "best_validation_loss",
    "best_validation_accuracy",
    "best_test_loss",
    "best_test_accuracy",
)
_ENDINGS: dict[str, RunStatus] = {"completed": "finished", "early_stopping": "finished", "stopped": "stopped"}

Told = StepTable | Event  # steps come as tables, everything else as it is


class RunWriter:
    """Writes one run that the store knows; it may have figures already.

    Args:
        db: a connection of this writer alone.
        interventions: a run that goes on from a checkpoint has those that the checkpoint knows; None: it begins.

    Every method may raise sqlite3.Error; after any that is not SQLite's BUSY the writer is not to be used again.
    """

    def __init__(
        self, db: sqlite3.Connection, run_id: int, *, interventions: Sequence[Intervened] | None = None
    ) -> None:
        self._db = db
        self._run = run_id
        self._figures = Figures(lambda statement, parameters: db.execute(statement, parameters).fetchall())
        row = db.execute(f"SELECT {', '.join(_SUMMARY)} FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise StoreError(f"run {run_id} was deleted")
        self._summary = dict(zip(_SUMMARY, row, strict=True))
        self._known = interventions
        self._changes = 0  # interventions that are written
        self._tail: list[StepTable] = []  # chunks after the last one that is complete
        self._ended = False

    @property
    def step(self) -> int:
        """The last that was written."""
        return int(self._summary["step"])

    def write(self, told: Sequence[Told]) -> None:
        """Keep what the run said, and that it is alive. Raises StoreError where the run is there no more."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            tables: list[StepTable] = []
            for item in told:
                if isinstance(item, StepTable):
                    tables.append(item)
                else:
                    self._take(item)
            if tables:
                self._add(joined(tables))
            if self._ended and self._tail:
                self._close_tail()
            self._beat()
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def interrupt(self) -> None:
        """The run ended without a word."""
        if not self._ended:
            self._summary["status"] = "interrupted"
            self._beat()

    def _beat(self) -> None:
        cells = ", ".join(f"{column} = ?" for column in _SUMMARY)
        changed = self._db.execute(
            f"UPDATE runs SET {cells}, heartbeat = ? WHERE id = ?", (*self._summary.values(), time.time(), self._run)
        )
        if not changed.rowcount:
            raise StoreError(f"run {self._run} was deleted")

    def _take(self, event: Event) -> None:
        summary = self._summary
        match event:
            case Started():
                self._go_on(event.resumed_from)
                for name in ("device", "threads", "memory_format", "precision", "parameters", "total_steps"):
                    summary[name] = getattr(event, name)
                self._db.execute("UPDATE setups SET started = ? WHERE run = ?", (_json(event), self._run))
            case Evaluated():
                self._evaluated(event, epoch=0, train_loss=None, rate=None)
            case EpochFinished():
                self._evaluated(event, epoch=event.epoch, train_loss=event.train_loss, rate=event.learning_rate)
            case Intervened():
                self._intervened([event])
            case Finished():
                summary |= {"status": _ENDINGS[event.reason], "reason": event.reason, "message": ""}
                summary |= {"samples_per_second": _sound(event.samples_per_second)}
                summary["seconds"] = max(summary["seconds"], event.seconds)
                self._end(event)
            case Failed():
                summary |= {"status": "failed", "reason": event.kind, "message": event.message}
                self._end(event)
            case _:
                pass  # what matters only while it happens

    def _end(self, event: Finished | Failed) -> None:
        self._ended = True
        self._db.execute("UPDATE setups SET ending = ? WHERE run = ?", (_json(event), self._run))

    def _evaluated(
        self, event: Evaluated | EpochFinished, *, epoch: int, train_loss: float | None, rate: float | None
    ) -> None:
        test = (event.test_loss, event.test_accuracy, event.validation_loss, event.validation_accuracy)
        values = (train_loss, *test, rate, event.seconds)
        self._db.execute(
            "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._run, event.step, epoch, *map(figure, values)),
        )
        self._take_figures(event, train_loss=train_loss)

    def _take_figures(self, event: Evaluated | EpochFinished, *, train_loss: float | None) -> None:
        summary = self._summary
        summary["train_loss"] = _sound(train_loss)
        for name in ("test_loss", "validation_loss", "test_accuracy", "validation_accuracy"):
            value, best = _sound(getattr(event, name)), summary[f"best_{name}"]
            summary[name] = value
            better = min if name.endswith("loss") else max
            summary[f"best_{name}"] = best if value is None else value if best is None else better(best, value)
        summary["seconds"] = max(summary["seconds"], event.seconds)

    def _intervened(self, events: Iterable[Intervened]) -> None:
        for event in events:
            self._changes += 1
            self._db.execute(
                "INSERT INTO interventions (run, number, step, name, old, new, params) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._run, self._changes, event.step, event.name, event.old, event.new, _params(event)),
            )

    # Steps.

    def _add(self, table: StepTable) -> None:
        """Append `table`, and join chunks of few steps into one."""
        for start in range(0, len(table), CHUNK):
            piece = table.take(slice(start, start + CHUNK))
            self._tail.append(piece)
            waiting = sum(map(len, self._tail))
            if waiting >= CHUNK or len(self._tail) >= MOST_PIECES:
                whole = joined(self._tail)
                self._drop_tail()
                if waiting >= CHUNK:
                    self._insert_complete(whole.take(slice(0, CHUNK)))
                    whole = whole.take(slice(CHUNK, None))
                self._tail = [whole] if len(whole) else []
                piece = whole
            if len(piece):
                self._insert("chunks", piece)
        last = table.take(slice(-1, None))
        self._summary["recorded"] += len(table)
        self._summary["step"], self._summary["epoch"] = int(last.step[0]), int(last.epoch[0])
        self._summary["seconds"] = max(self._summary["seconds"], float(last.seconds[0]))
        self._summary["batch_loss"] = _sound(float(last.loss[0]))

    def _close_tail(self) -> None:
        whole = joined(self._tail)
        self._drop_tail()
        self._insert_complete(whole)
        self._tail = []

    def _drop_tail(self) -> None:
        first = int(self._tail[0].step[0])
        self._db.execute("DELETE FROM chunks WHERE run = ? AND first_step >= ?", (self._run, first))

    def _insert_complete(self, table: StepTable) -> None:
        self._insert("chunks", table)
        self._insert("overviews", table.overview())

    def _insert(self, name: str, table: StepTable) -> None:
        marks = ", ".join("?" * (5 + len(COLUMNS)))
        ends = int(table.step[0]), int(table.step[-1])
        self._db.execute(
            f"INSERT INTO {name} (run, first_step, last_step, count, width, {', '.join(COLUMNS)}) VALUES ({marks})",
            (self._run, *ends, len(table), table.width, *table.packed()),
        )

    # Going on.

    def _go_on(self, step: int) -> None:
        """Forget what was told after `step`: it is told again. Raises StoreError where the record is damaged."""
        if self._known is None:
            return
        cut = [table.take(table.step <= step) for table in self._figures.crossing(self._run, step)]
        for name in ("chunks", "overviews"):
            self._db.execute(f"DELETE FROM {name} WHERE run = ? AND last_step > ?", (self._run, step))
        for table in cut:
            self._insert("chunks", table)
        self._tail = self._figures.tail(self._run)
        self._db.execute("DELETE FROM evaluations WHERE run = ? AND step > ?", (self._run, step))
        self._db.execute("DELETE FROM interventions WHERE run = ?", (self._run,))
        self._intervened(self._known)
        self._db.execute("UPDATE setups SET ending = NULL WHERE run = ?", (self._run,))
        self._sum_up(step)

    def _sum_up(self, step: int) -> None:
        """The summary of a run that goes on after `step`."""
        [(recorded,)] = self._db.execute("SELECT COALESCE(SUM(count), 0) FROM chunks WHERE run = ?", (self._run,))
        self._summary |= {"status": "running", "reason": "", "message": "", "recorded": recorded, "step": step}
        names = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
        for name in ("train_loss", *names, *(f"best_{name}" for name in names)):
            self._summary[name] = None
        for event in self._figures.evaluations(self._run, None):
            self._take_figures(event, train_loss=event.train_loss if isinstance(event, EpochFinished) else None)


def _sound(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _params(event: Intervened) -> str:
    return json.dumps(dict(event.params), ensure_ascii=False) if event.params else ""


def _json(event: Event) -> str:
    return json.dumps(asdict(event), ensure_ascii=False)
