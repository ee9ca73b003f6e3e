"""The history's tables, and how a store of an older version becomes one of today's.

A migration that was published is never changed: another one is added after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from engine.runs.step_table import COLUMNS

APPLICATION_ID = 0x4C524E53  # "LRNS": the file is a history of Learnscope

TABLES = frozenset({"runs", "setups", "tags", "evaluations", "interventions", "chunks", "overviews"})

Migration = Callable[[sqlite3.Connection], None]

_BLOBS = ",\n    ".join(f"{column} BLOB NOT NULL" for column in COLUMNS)

# Step tables, see engine.runs.step_table: `chunks` has all steps; `overviews` the picked ones of each chunk that is
# complete, under the same first step.
_STEPS = f"""
    run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    first_step INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    count INTEGER NOT NULL,
    width INTEGER NOT NULL,
    {_BLOBS},
    UNIQUE (run, first_step)
"""

_FIRST = f"""
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    dataset TEXT NOT NULL,
    network TEXT NOT NULL,
    optimizer TEXT NOT NULL,
    loss TEXT NOT NULL,
    schedule TEXT NOT NULL,
    seed INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    learning_rate REAL NOT NULL,
    epochs INTEGER NOT NULL,
    lesson TEXT NOT NULL DEFAULT '',
    stage INTEGER,
    parent INTEGER,
    parent_step INTEGER,
    began REAL NOT NULL,
    device TEXT NOT NULL DEFAULT '',
    threads INTEGER,
    memory_format TEXT NOT NULL DEFAULT '',
    precision TEXT NOT NULL DEFAULT '',
    parameters INTEGER,
    total_steps INTEGER,
    status TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    recorded INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    samples_per_second REAL,
    batch_loss REAL,
    train_loss REAL,
    validation_loss REAL,
    validation_accuracy REAL,
    test_loss REAL,
    test_accuracy REAL,
    best_validation_loss REAL,
    best_validation_accuracy REAL,
    best_test_loss REAL,
    best_test_accuracy REAL,
    process_place TEXT NOT NULL,
    process_number INTEGER NOT NULL,
    process_began TEXT NOT NULL,
    heartbeat REAL NOT NULL,
    deleted REAL,
    search TEXT NOT NULL
);
CREATE INDEX runs_running ON runs(id) WHERE status = 'running';
CREATE INDEX runs_parent ON runs(parent) WHERE parent IS NOT NULL;
CREATE TABLE setups (
    run INTEGER PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE,
    config TEXT NOT NULL,
    versions TEXT NOT NULL,
    started TEXT,
    ending TEXT
);
CREATE TABLE tags (
    run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (run, tag)
) WITHOUT ROWID;
CREATE TABLE evaluations (
    run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    train_loss REAL,
    test_loss REAL,
    test_accuracy REAL,
    validation_loss REAL,
    validation_accuracy REAL,
    learning_rate REAL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, step, epoch)
) WITHOUT ROWID;
CREATE TABLE interventions (
    run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    name TEXT NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE chunks ({_STEPS});
CREATE TABLE overviews ({_STEPS});
"""


def run_statements(db: sqlite3.Connection, text: str) -> None:
    """Each statement of `text`, which has no other semicolons, within the transaction that is open."""
    for statement in text.split(";"):  # executescript would commit first
        if statement.strip():
            db.execute(statement)


def _create(db: sqlite3.Connection) -> None:
    run_statements(db, _FIRST)


def _keep_settings(db: sqlite3.Connection) -> None:
    """Of a schedule that was changed during a run, all settings, as JSON; empty where an older version kept none."""
    db.execute("ALTER TABLE interventions ADD COLUMN params TEXT NOT NULL DEFAULT ''")


# The one with the index n makes version n + 1 of version n; version 0 is an empty file.
MIGRATIONS: Sequence[Migration] = (_create, _keep_settings)


def version_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def upgrade(db: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the store to the version of `migrations`, wholly or not at all. Raises sqlite3.Error."""
    db.execute("BEGIN EXCLUSIVE")
    try:
        for number in range(version_of(db), len(migrations)):
            migrations[number](db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
