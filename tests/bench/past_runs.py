"""A history of many runs, a few of them very long, made in a short time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import numpy as np

from engine.config import make_config
from engine.events import EpochFinished, Finished, Started
from engine.runs.opening import PATIENCE, connect
from engine.runs.run_writer import RunWriter, Told
from engine.runs.schema import TABLES
from engine.runs.step_table import StepTable
from engine.runs.store import RunStore

LONG = 10  # runs
SHORT_STEPS = 500  # of every other run
NETWORKS, OPTIMIZERS = ("mnist_mlp", "lenet5", "fast_cnn"), ("sgd", "adam", "adamw")
EPOCH = 430  # steps
AT_ONCE = 500_000  # steps written in one transaction


def make_history(home: Path, *, runs: int, points: int) -> int:
    """Record `runs` runs with `points` steps in all in `home`; ten of them share what the short ones leave over.

    One short run of each kind is told to the store as any run is, and then copied row by row; the long ones get there
    through the store's own writer, as columns. Returns the number of the last of the long ones.
    """
    short = runs - LONG
    last = 0
    with RunStore(home) as store:
        kinds = [(network, optimizer) for network in NETWORKS for optimizer in OPTIMIZERS]
        for network, optimizer in kinds:
            _record_short(store, network, optimizer)
        with contextlib.closing(connect(store.path, patience=PATIENCE)) as db:
            _copy(db, kinds=len(kinds), until=short)
            for _ in range(LONG):
                last = _record_long(store, db, steps=(points - short * SHORT_STEPS) // LONG)
    return last


def forget(path: Path) -> bool:
    """Let the system drop what it holds of the file in memory, as after a start. Whether it can be asked to."""
    if not hasattr(os, "posix_fadvise"):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # only what is on disk is dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return True


def _record_short(store: RunStore, network: str, optimizer: str) -> None:
    config = make_config({"network": network, "optimizer": optimizer})
    with store.record(config, name=f"{network} with {optimizer}", tags=("bench", optimizer)) as recorder:
        recorder.put(_started(network, total=SHORT_STEPS))
        for step in _steps(1, SHORT_STEPS).events():
            recorder.put(step)
        recorder.put(_epoch(1))
        recorder.put(_finished(SHORT_STEPS))
    if recorder.problem:
        raise RuntimeError(recorder.problem)


def _copy(db: sqlite3.Connection, *, kinds: int, until: int) -> None:
    """The runs 1 … `kinds` over and over, up to the number `until`."""
    db.execute("BEGIN IMMEDIATE")
    for table in ("runs", *sorted(TABLES - {"runs"})):
        key = "id" if table == "runs" else "run"
        names = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
        others = ", ".join(name for name in names if name != key)
        db.execute(
            "WITH RECURSIVE copies(n) AS (SELECT ?1 UNION ALL SELECT n + ?1 FROM copies WHERE n < ?2) "
            f"INSERT INTO {table} ({key}, {others}) "
            f"SELECT {key} + n, {others} FROM {table}, copies WHERE {key} + n <= ?2",
            (kinds, until),
        )
    db.execute("COMMIT")


def _record_long(store: RunStore, db: sqlite3.Connection, *, steps: int) -> int:
    recorder = store.record(make_config({"network": "lenet5", "optimizer": "adam"}), name=f"{steps:,} steps")
    recorder.close()
    if recorder.run_id is None or recorder.problem:
        raise RuntimeError(recorder.problem)
    writer = RunWriter(db, recorder.run_id)
    writer.write([_started("lenet5", total=steps)])
    for first in range(1, steps + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, steps)
        told: list[Told] = [_steps(first, last)]
        told += [_epoch(number) for number in range((first - 1) // EPOCH + 1, last // EPOCH + 1)]
        writer.write(told)
    writer.write([_finished(steps)])
    return recorder.run_id


def _steps(first: int, last: int) -> StepTable:
    """As a run tells them: a falling, noisy loss in float32, and an accuracy on every tenth step."""
    step = np.arange(first, last + 1)
    noise = np.random.default_rng(first).gamma(2.0, 0.05, len(step))
    loss = (2.0 / (1.0 + step / 1000) + noise).astype(np.float32).astype(np.float64)
    accuracy = np.where(step % 10 == 1, 1.0 - np.minimum(loss / 3, 1.0), np.nan)
    nothing = np.empty((len(step), 0))
    rate, seconds = np.full(len(step), 0.001), step / 170 + noise / 1000
    return StepTable(step, 1 + (step - 1) // EPOCH, loss, rate, seconds, accuracy, nothing, nothing)


def _started(network: str, *, total: int) -> Started:
    return Started(
        device="CPU",
        threads=1,
        memory_format="contiguous",
        precision="float32",
        parameters=61_706,
        batch_size=128,
        steps_per_epoch=EPOCH,
        total_steps=total,
        train_size=55_000,
        network=network,
        dataset="mnist",
    )


def _epoch(number: int) -> EpochFinished:
    step, loss = number * EPOCH, 2.0 / (1.0 + number)
    return EpochFinished(number, step, loss, loss, 1.0 - loss / 3, loss, 1.0 - loss / 3, 0.001, step / 170)


def _finished(step: int) -> Finished:
    return Finished("completed", step, 1 + (step - 1) // EPOCH, step / 170, 21_760.0)
