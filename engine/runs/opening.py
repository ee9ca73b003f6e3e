"""From the file on disk to a connection one can work with, whatever state the file is in."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from engine.runs.schema import APPLICATION_ID, TABLES, Migration, upgrade, version_of
from engine.runs.store_error import StoreError

FILE = "runs.sqlite"
FOLDERS = "runs"  # beside the file: one folder a run
PATIENCE = 5.0  # s that a connection waits for another one's writing
_LOCK, _SUSPECT = "runs.lock", "runs.suspect"
_OPENING_PATIENCE = 60.0  # s: another window may be copying a large store

# sqlite.org/rescode.html; what is none of these says that the file is not what it should be.
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26
_REASONS = {
    _BUSY: "another program holds it",
    _LOCKED: "another program holds it",
    _READONLY: "it may not be written",
    _IOERR: "the disk answered with an error",
    _CORRUPT: "it is damaged",
    _FULL: "the disk is full",
    _CANTOPEN: "it cannot be opened",
    _NOTADB: "it is damaged",
}
_ELSEWHERE = "set LEARNSCOPE_HOME to a folder that can be written"

ERRORS = (sqlite3.Error, UnicodeDecodeError)  # the second where a damaged file's own words stand in the message

State = Literal["sound", "empty", "older", "newer", "damaged"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection. `problem`, for people: what was not as it should be, or None."""

    db: sqlite3.Connection
    writable: bool
    problem: str | None


def code_of(error: BaseException) -> int:
    """SQLite's primary result code, 0 where there is none."""
    if isinstance(error, UnicodeDecodeError):
        return _CORRUPT
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_busy(error: BaseException) -> bool:
    return code_of(error) in (_BUSY, _LOCKED)


def reason_of(error: BaseException) -> str:
    """What went wrong, for people, without a final stop."""
    if isinstance(error, StoreError):
        return error.problem
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return _REASONS.get(code_of(error), str(error))


def note_damage(home: Path, error: BaseException) -> None:
    """Where `error` says that the file is damaged, let the next opening look at all of it."""
    if code_of(error) in (_CORRUPT, _NOTADB):
        with contextlib.suppress(OSError):
            (home / _SUSPECT).touch()


def connect(path: Path, *, patience: float, mode: str = "mode=rw") -> sqlite3.Connection:
    """A connection without transactions of its own accord, for any one thread at a time. Raises sqlite3.Error."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        db.text_factory = partial(str, encoding="utf-8", errors="replace")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def open_store(home: Path, migrations: Sequence[Migration]) -> Opened:
    """The store in `home`, as of today: made, brought up to date, or a fresh one in place of one that is damaged.

    Where nothing can be written it is read-only, and where nothing can be read either it is empty; `problem` says so.

    Raises:
        StoreError: it was written by a newer version, another program holds it, or it cannot be brought up to date.
    """
    path = home / FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        there = path.exists()
    except OSError as error:
        return _nowhere(home, migrations, reason_of(error))
    if not os.access(home, os.W_OK) or (there and not os.access(path, os.W_OK)):
        return _read_only(home, migrations)
    try:
        db, state = _look(path, len(migrations), whole=(home / _SUSPECT).exists())
        if state == "sound":
            return Opened(db, writable=True, problem=None)
        db.close()
        with _alone(home):
            return _settle(home, migrations)
    except ERRORS as error:
        if is_busy(error):
            raise StoreError(f"another program holds {path}", "close it and try again") from None
        return _nowhere(home, migrations, reason_of(error))
    except OSError as error:
        return _nowhere(home, migrations, reason_of(error))


def _look(path: Path, version: int, *, whole: bool, mode: str = "mode=rwc") -> tuple[sqlite3.Connection, State]:
    """A connection to the file and what it is; `whole`: every page of it is looked at."""
    try:
        db = connect(path, patience=PATIENCE, mode=mode)
    except ERRORS as error:
        if _is_of_the_file(error):
            return sqlite3.connect(":memory:"), "damaged"
        raise
    try:
        return db, _state(db, version, whole=whole)
    except ERRORS as error:
        if _is_of_the_file(error):
            return db, "damaged"
        db.close()
        raise


def _is_of_the_file(error: BaseException) -> bool:
    return code_of(error) not in (_BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN)


def _state(db: sqlite3.Connection, version: int, *, whole: bool) -> State:
    found = version_of(db)
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not found and not tables:
        return "empty"
    if found < 1 or db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "damaged"
    if found > version:
        return "newer"
    if found == version and not tables >= TABLES:
        return "damaged"
    # Looking at the summaries alone takes milliseconds; damaged figures of one run are noticed when they are read.
    if db.execute("PRAGMA quick_check" if whole else "PRAGMA quick_check(runs)").fetchone()[0] != "ok":
        return "damaged"
    return "older" if found < version else "sound"


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """No other process makes, changes or sets aside the store meanwhile. A process that dies lets go."""
    lock = sqlite3.connect(home / _LOCK, timeout=_OPENING_PATIENCE, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()


def _settle(home: Path, migrations: Sequence[Migration]) -> Opened:
    """Look again, alone now, and do what is to be done."""
    path, problem = home / FILE, None
    suspect = home / _SUSPECT
    db, state = _look(path, len(migrations), whole=suspect.exists())
    if state == "newer":
        version = version_of(db)
        db.close()
        raise _newer(path, version, len(migrations))
    if state == "damaged":
        db.close()
        aside = _set_aside(home)
        problem = f"The history of runs was damaged. It was set aside as {aside}, and a new one was begun."
        db, state = _look(path, len(migrations), whole=False)
    suspect.unlink(missing_ok=True)
    if state in ("empty", "older"):
        try:
            if state == "older":
                _back_up(db, home)
            else:  # both stay with the file
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                db.execute("PRAGMA journal_mode = WAL")
            upgrade(db, migrations)
        except (*ERRORS, OSError) as error:
            db.close()
            if state == "empty":
                raise
            raise StoreError(
                f"{path}, of an older version, could not be brought up to date: {reason_of(error)}",
                "it is as it was; make room and try again",
            ) from None
        if state == "empty":
            _begin_numbers(db, home)
    return Opened(db, writable=True, problem=problem)


def _newer(path: Path, version: int, known: int) -> StoreError:
    return StoreError(
        f"{path} was written by a newer Learnscope, in version {version} where this one knows {known}",
        "update Learnscope, or set LEARNSCOPE_HOME to another folder",
    )


def _begin_numbers(db: sqlite3.Connection, home: Path) -> None:
    """The new runs' numbers come after those whose folders are there."""
    with contextlib.suppress(OSError):
        used = [int(entry.name) for entry in (home / FOLDERS).iterdir() if entry.name.isdecimal()]
        if used:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', ?)", (min(max(used), 2**53),))


def _free_name(home: Path, kind: str) -> Path:
    base = f"runs.{kind}-{time.strftime('%Y-%m-%d')}"
    path, number = home / f"{base}.sqlite", 2
    while path.exists():
        path, number = home / f"{base}-{number}.sqlite", number + 1
    return path


def _set_aside(home: Path) -> Path:
    aside = _free_name(home, "damaged")
    (home / FILE).rename(aside)
    for suffix in ("-wal", "-shm"):  # what was not yet in the file belongs to it
        with contextlib.suppress(FileNotFoundError):
            (home / f"{FILE}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _back_up(db: sqlite3.Connection, home: Path) -> None:
    """A copy of the store as it is, whole or not at all."""
    path = _free_name(home, f"version-{version_of(db)}")
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(temporary)) as copy:
            db.backup(copy)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_only(home: Path, migrations: Sequence[Migration]) -> Opened:
    path = home / FILE
    if not path.exists():
        return _nowhere(home, migrations, "it may not be written")
    problem = f"The history in {home} may not be written: its runs can be looked at, new ones are not kept."
    reason = "it cannot be opened"
    for mode in ("mode=ro", "immutable=1"):  # the second works where not even the lock's file can be made
        try:
            db, state = _look(path, len(migrations), whole=False, mode=mode)
        except ERRORS as error:
            reason = reason_of(error)
            continue
        if state == "sound":
            return Opened(db, writable=False, problem=problem)
        if state == "newer":
            version = version_of(db)
            db.close()
            raise _newer(path, version, len(migrations))
        db.close()
        reason = "it is damaged" if state == "damaged" else "it may not be written"
        break
    return _nowhere(home, migrations, reason)


def _nowhere(home: Path, migrations: Sequence[Migration], reason: str) -> Opened:
    """A store that is empty and keeps nothing."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    upgrade(db, migrations)
    problem = f"The history of runs in {home} cannot be used: {reason}. Runs are not kept; {_ELSEWHERE}."
    return Opened(db, writable=False, problem=problem)
