"""RunStore: the history of all runs, in one SQLite file."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.config import RunConfig
from engine.events import Failed, Finished, Intervened, Started
from engine.home import data_folder
from engine.parts import CATALOGS
from engine.runs.figures import Figures
from engine.runs.labels import checked_name, checked_notes, checked_tags, search_text
from engine.runs.opening import ERRORS, FILE, FOLDERS, is_busy, note_damage, open_store, reason_of
from engine.runs.process import Process, this_process
from engine.runs.query import RunQuery
from engine.runs.recorder import RunRecorder
from engine.runs.run_record import SUMMARY_COLUMNS, Branch, RunRecord, RunSummary, summary_of
from engine.runs.schema import MIGRATIONS, Migration
from engine.runs.store_error import StoreError, damaged
from engine.runs.versions import versions

Row = tuple[Any, ...]


class RunStore:
    """Every run that was ever recorded. Thread-safe; any number of processes may use one folder.

    Args:
        home: the folder; None: where the program keeps its data. It is made where it is missing.

    Attributes:
        path: of the file.
        writable: whether anything can be changed or recorded.
        problem: what was not as it should be when the store was opened, for people; None where all was well.

    Raises:
        StoreError: the store was written by a newer version, another program holds it, or it is of an older version
            and cannot be brought up to date. The methods raise it where the store cannot be read or written.
    """

    def __init__(self, home: Path | None = None, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self._home = home or data_folder()
        self.path = self._home / FILE
        self._lock = threading.RLock()
        opened = open_store(self._home, migrations)
        self._db = opened.db
        self.writable = opened.writable
        self.problem = opened.problem
        self._figures = Figures(self._rows)
        try:
            self._mark_interrupted()
        except StoreError as error:
            self.problem = self.problem or str(error)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Recorders have connections of their own."""
        with self._lock:
            self._db.close()

    # Recording.

    def record(
        self,
        config: RunConfig,
        *,
        lesson: str = "",
        stage: int | None = None,
        parent: Branch | None = None,
        name: str = "",
        tags: Iterable[str] = (),
    ) -> RunRecorder:
        """A recorder of a new run, which is in the history from now on.

        Where that does not work the recorder has no `run_id` and says why in `problem`. Raises InputError only for a
        name or a tag that cannot be.
        """
        name, tags = checked_name(name), checked_tags(tags)
        parts = {part: getattr(config, part).name for part in CATALOGS if part in SUMMARY_COLUMNS}
        process = this_process()
        row = {
            **parts,
            "name": name,
            "seed": config.training.seed,
            "batch_size": config.training.batch_size,
            "learning_rate": config.optimizer.params.get("learning_rate", 0.0),
            "epochs": config.training.epochs,
            "lesson": lesson,
            "stage": stage,
            "parent": None if parent is None else parent[0],
            "parent_step": None if parent is None else parent[1],
            "began": time.time(),
            "status": "running",
            "process_place": process.place,
            "process_number": process.number,
            "process_began": process.began,
            "heartbeat": time.time(),
            "search": search_text(_searched(parts, config.augmentation.name), lesson, name=name, notes="", tags=tags),
        }
        try:
            with self._changing("recording the run") as db:
                marks = ", ".join("?" * len(row))
                inserted = db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
                run_id = int(inserted.lastrowid or 0)
                setup = (run_id, config.to_json(), json.dumps(versions()))
                db.execute("INSERT INTO setups (run, config, versions) VALUES (?, ?, ?)", setup)
                db.executemany("INSERT INTO tags VALUES (?, ?)", [(run_id, tag) for tag in tags])
        except StoreError as error:
            return RunRecorder(None, problem=error.sentence if self.writable else self.problem)
        return RunRecorder(run_id, path=self.path, folder=self.folder(run_id))

    def resume(
        self, run_id: int, interventions: Sequence[Intervened] = (), *, config: RunConfig | None = None
    ) -> RunRecorder:
        """A recorder of a run that goes on from its checkpoint, which knows of `interventions`.

        What is in the record after the checkpoint's step, told by Started, is replaced by what is told now. Raises
        StoreError where there is no such run, it still runs, or the store cannot be written.

        Args:
            config: the run's own set-up, but for the epochs and steps that it goes on to; None: nothing changes.
        """
        process = this_process()
        with self._changing("recording the run") as db:
            if self._summary(run_id).status == "running":
                raise StoreError(f"run {run_id} is still running", "stop it first")
            db.execute(
                "UPDATE runs SET status = 'running', reason = '', message = '', deleted = NULL, process_place = ?, "
                "process_number = ?, process_began = ?, heartbeat = ? WHERE id = ?",
                (process.place, process.number, process.began, time.time(), run_id),
            )
            if config is not None:
                db.execute("UPDATE runs SET epochs = ? WHERE id = ?", (config.training.epochs, run_id))
                db.execute("UPDATE setups SET config = ? WHERE run = ?", (config.to_json(), run_id))
        return RunRecorder(run_id, path=self.path, folder=self.folder(run_id), interventions=tuple(interventions))

    def folder(self, run_id: int) -> Path:
        """For the run's files, such as checkpoints; removed with the run. It may not exist yet."""
        return self._home / FOLDERS / str(run_id)

    # Looking.

    def runs(self, query: RunQuery | None = None) -> list[RunSummary]:
        """The runs that `query` describes, in its order; all that were not deleted, newest first, without one."""
        query = query or RunQuery()
        self._mark_interrupted()
        rows = self._rows(*query.statement())
        numbers = [row[0] for row in rows]
        ends = (min(numbers, default=0), max(numbers, default=0))
        tags: dict[object, list[str]] = {}
        for run_id, tag in self._rows("SELECT run, tag FROM tags WHERE run BETWEEN ? AND ? ORDER BY run, tag", ends):
            tags.setdefault(run_id, []).append(tag)
        return [summary_of(row, tuple(tags.get(row[0], ()))) for row in rows]

    def run(self, run_id: int) -> RunRecord:
        """All of a run, also of one that was deleted. Raises StoreError where there is none or it is damaged."""
        self._mark_interrupted()
        summary = self._summary(run_id)
        rows = self._rows("SELECT config, versions, started, ending FROM setups WHERE run = ?", (run_id,))
        if not rows or not isinstance(rows[0][0], str):
            raise damaged(run_id, "its set-up is missing")
        config, made_with, started, ending = rows[0]
        asked = "SELECT step, name, old, new, params FROM interventions WHERE run = ? ORDER BY number"
        changes = self._rows(asked, (run_id,))
        return RunRecord(
            summary=summary,
            config_json=config,
            versions=_read(dict[str, str], run_id, made_with),
            started=None if started is None else _read(Started, run_id, started),
            ending=None if ending is None else _read(Finished | Failed, run_id, ending),
            interventions=tuple(_intervention(run_id, change) for change in changes),
            figures=self._figures,
        )

    def latest(self) -> int:
        """The number of the run that was begun last. Raises StoreError where there is none."""
        for (run_id,) in self._rows("SELECT id FROM runs WHERE deleted IS NULL ORDER BY id DESC LIMIT 1"):
            return int(run_id)
        raise StoreError("there are no runs yet")

    def tags(self) -> dict[str, int]:
        """Every tag in use, and how many runs have it."""
        counted = "SELECT tag, COUNT(*) FROM tags JOIN runs ON run = id WHERE deleted IS NULL GROUP BY tag ORDER BY tag"
        return dict(self._rows(counted))

    def children(self, run_id: int) -> list[RunSummary]:
        """The runs that branch from this one, oldest first."""
        return self.runs(RunQuery(parent=run_id, descending=False))

    def parents(self, run_id: int) -> list[RunSummary]:
        """The run that this one branched from, that one's parent, and so on, as far as they are there."""
        found: list[RunSummary] = []
        seen, above = {run_id}, self._summary(run_id).parent
        while above is not None and above not in seen:
            seen.add(above)
            try:
                found.append(self._summary(above))
            except StoreError:
                break
            above = found[-1].parent
        return found

    # Changing.

    def rename(self, run_id: int, name: str) -> None:
        """Raises InputError, StoreError; so do all that follow."""
        name = checked_name(name)
        with self._changing("renaming") as db:
            self._summary(run_id)
            db.execute("UPDATE runs SET name = ? WHERE id = ?", (name, run_id))
            self._index(run_id)

    def annotate(self, run_id: int, notes: str) -> None:
        """Replace the run's notes."""
        notes = checked_notes(notes)
        with self._changing("writing the notes") as db:
            self._summary(run_id)
            db.execute("UPDATE runs SET notes = ? WHERE id = ?", (notes, run_id))
            self._index(run_id)

    def tag(self, run_id: int, *tags: str) -> None:
        checked = checked_tags(tags)
        with self._changing("tagging") as db:
            self._summary(run_id)
            db.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(run_id, tag) for tag in checked])
            self._index(run_id)

    def untag(self, run_id: int, *tags: str) -> None:
        with self._changing("removing a tag") as db:
            self._summary(run_id)
            db.executemany("DELETE FROM tags WHERE run = ? AND tag = ?", [(run_id, tag) for tag in tags])
            self._index(run_id)

    def delete(self, *run_ids: int) -> None:
        """Out of sight, until `undelete` or `purge`. A run that is running cannot be deleted."""
        self._mark_interrupted()
        with self._changing("deleting") as db:
            for run_id in run_ids:
                if self._summary(run_id).status == "running":
                    raise StoreError(f"run {run_id} is still running", "stop it first")
                db.execute("UPDATE runs SET deleted = COALESCE(deleted, ?) WHERE id = ?", (time.time(), run_id))

    def undelete(self, *run_ids: int) -> None:
        with self._changing("restoring") as db:
            for run_id in run_ids:
                self._summary(run_id)
                db.execute("UPDATE runs SET deleted = NULL WHERE id = ?", (run_id,))

    def purge(self, *, before: float | None = None) -> list[int]:
        """Remove the runs that were deleted, with their files, for good; returns their numbers.

        Args:
            before: only those deleted before that time, in seconds since 1970; None: all.
        """
        limit = float("inf") if before is None else before
        rows = self._rows("SELECT id FROM runs WHERE deleted < ? AND status <> 'running' ORDER BY id", (limit,))
        gone = []
        for (run_id,) in rows:
            with self._changing("removing a run") as db:
                kept = db.execute("DELETE FROM runs WHERE id = ? AND deleted < ?", (run_id, limit)).rowcount == 0
                if kept:  # someone wanted it back meanwhile
                    continue
                try:
                    shutil.rmtree(self.folder(run_id))
                except FileNotFoundError:
                    pass
                except OSError as error:
                    raise StoreError(
                        f"the files of run {run_id} in {self.folder(run_id)} cannot be removed: {reason_of(error)}"
                    ) from None
            gone.append(run_id)
        with suppress(StoreError), self._words("making room"):
            self._db.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    # Inner things.

    def _summary(self, run_id: int) -> RunSummary:
        number = run_id if -(2**63) <= run_id < 2**63 else 0
        rows = self._rows(f"SELECT {', '.join(SUMMARY_COLUMNS)} FROM runs WHERE id = ?", (number,))
        if not rows:
            raise StoreError(f"there is no run {run_id}", "see `runs list`")
        tags = self._rows("SELECT tag FROM tags WHERE run = ? ORDER BY tag", (number,))
        return summary_of(rows[0], tuple(tag for (tag,) in tags))

    def _index(self, run_id: int) -> None:
        """Let searches find the run by what it is called now."""
        summary = self._summary(run_id)
        parts = {part: getattr(summary, part) for part in CATALOGS if part in SUMMARY_COLUMNS}
        asked = "SELECT json_extract(config, '$.augmentation.name') FROM setups WHERE run = ? AND json_valid(config)"
        for (augmentation,) in self._rows(asked, (run_id,)):
            parts = _searched(parts, augmentation)
        text = search_text(parts, summary.lesson, name=summary.name, notes=summary.notes, tags=summary.tags)
        self._db.execute("UPDATE runs SET search = ? WHERE id = ?", (text, run_id))

    def _mark_interrupted(self) -> None:
        """Runs whose process is there no more were interrupted."""
        if not self.writable:
            return
        asked = "SELECT id, process_place, process_number, process_began, heartbeat FROM runs WHERE status = 'running'"
        now = time.time()
        dead = [
            (run_id, beat)
            for run_id, place, number, began, beat in self._rows(asked)
            if not Process(place, number, began).runs(silent=now - beat)
        ]
        if dead:
            with self._changing("looking after runs") as db:  # unless a sign of life came meanwhile
                interrupted = "UPDATE runs SET status = 'interrupted' WHERE id = ? AND heartbeat = ?"
                db.executemany(f"{interrupted} AND status = 'running'", dead)

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._words("reading"):
            return self._db.execute(statement, parameters).fetchall()

    @contextmanager
    def _changing(self, what: str) -> Iterator[sqlite3.Connection]:
        """One transaction: all that is done within, or nothing."""
        if not self.writable:
            raise StoreError(f"{what} did not work: the history in {self._home} cannot be written")
        with self._words(what):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    @contextmanager
    def _words(self, what: str) -> Iterator[None]:
        """One thread at a time; what SQLite says becomes a StoreError."""
        with self._lock:
            try:
                yield
            except ERRORS as error:
                note_damage(self._home, error)
                way_out = "try again" if is_busy(error) else "close the program and start it again"
                raise StoreError(f"{what} did not work: {reason_of(error)}", way_out) from None


def _searched(parts: dict[str, str], augmentation: object) -> dict[str, str]:
    """The names that a search finds: also that of the augmentation, where there is one."""
    there = isinstance(augmentation, str) and augmentation != "none"
    return {**parts, "augmentation": str(augmentation)} if there else parts


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _read(kind: Any, run_id: int, text: object) -> Any:
    """What the store holds as JSON. Raises StoreError where it is something else."""
    try:
        return _adapter(kind).validate_json(text if isinstance(text, str | bytes) else b"")
    except ValidationError:
        raise damaged(run_id, "what it says of its beginning or its end cannot be read") from None


def _intervention(run_id: int, row: Row) -> Intervened:
    step, name, old, new, params = row
    told = {"step": step, "name": name, "old": old, "new": new}
    try:
        if params:
            told["params"] = json.loads(params)
        found: Intervened = _adapter(Intervened).validate_python(told)
    except (ValidationError, ValueError, TypeError, RecursionError):
        raise damaged(run_id, "its interventions cannot be read") from None
    return found
