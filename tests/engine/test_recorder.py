"""Recording: it never waits, never ends a run, and what was told is kept whatever becomes of the process."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.events import EpochFinished, Event, Finished, Intervened
from engine.runs import process
from engine.runs.opening import connect
from engine.runs.process import Process, this_process
from engine.runs.recorder import RunRecorder
from engine.runs.run_writer import MOST_PIECES, RunWriter
from engine.runs.step_table import CHUNK, table_of
from engine.runs.store import RunStore
from tests.engine.history import CONFIG, keep, step, told

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds until what does not come is given up


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[RunStore]:
    with RunStore(home) as opened:
        yield opened


@contextlib.contextmanager
def held(store: RunStore) -> Iterator[None]:
    """Another program writes to the store meanwhile, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def put_all(recorder: RunRecorder, events: list[Event]) -> None:
    for event in events:
        recorder.put(event)


def test_putting_waits_for_nobody(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the store held until writing was tried in vain; what was told is there once it is let go."""
    monkeypatch.setattr("engine.runs.recorder.BUSY_PATIENCE", 0.01)
    monkeypatch.setattr("engine.runs.recorder.FLUSH_EVERY", 0.01)
    in_vain = threading.Semaphore(0)
    write = RunWriter.write

    def tell(self: RunWriter, told: Any) -> None:
        try:
            write(self, told)
        except sqlite3.OperationalError:
            in_vain.release()
            raise

    monkeypatch.setattr(RunWriter, "write", tell)
    events = told(20_000, per_epoch=5000)
    with store.record(CONFIG) as recorder:
        with held(store):
            put_all(recorder, events)
            for _ in range(3):
                assert in_vain.acquire(timeout=PATIENCE)
        assert recorder.problem is None
    assert recorder.problem is None
    assert list(store.run(store.latest()).events()) == events


def test_what_was_told_is_in_the_store_while_the_run_goes_on(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()
    write = RunWriter.write

    def tell(self: RunWriter, told: Any) -> None:
        write(self, told)
        written.set()

    monkeypatch.setattr(RunWriter, "write", tell)
    with store.record(CONFIG) as recording:
        put_all(recording, told(25, reason=None))
        assert written.wait(PATIENCE)
        [run] = store.runs()
        assert (run.status, run.step, run.epoch, run.test_loss) == ("running", 25, 3, 1 / 2)
        assert len(store.run(run.id).steps()) == 25
        assert [event for event in store.run(run.id).events() if isinstance(event, Finished)] == []


def test_a_run_is_in_the_history_from_its_first_moment(store: RunStore) -> None:
    with store.record(CONFIG, lesson="two-patterns", stage=2, name="mine", tags=["a", "b"]) as recorder:
        [run] = store.runs()
        assert run.id == recorder.run_id
        assert (run.status, run.lesson, run.stage, run.name, run.tags) == (
            "running", "two-patterns", 2, "mine", ("a", "b")
        )  # fmt: skip
        assert store.run(run.id).config == CONFIG
        assert recorder.folder == store.folder(run.id)


def test_the_end_waits_for_another_program_only_so_long(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.recorder.END_PATIENCE", 0.1)
    monkeypatch.setattr("engine.runs.recorder.BUSY_PATIENCE", 0.05)
    recorder = store.record(CONFIG)
    put_all(recorder, told(20))
    with held(store):
        recorder.close()
    assert "another program holds it" in (recorder.problem or "")


def test_too_much_that_waits_is_given_up(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.recorder.MOST_WAITING", 100)
    monkeypatch.setattr("engine.runs.recorder.BUSY_PATIENCE", 0.05)
    ended = _seeing_the_end_of_the_thread(monkeypatch)
    with store.record(CONFIG) as recorder, held(store):
        put_all(recorder, told(200))
        assert ended.wait(PATIENCE)
        assert "another program holds it" in (recorder.problem or "")


def _seeing_the_end_of_the_thread(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    ended = threading.Event()
    work = RunRecorder._work

    def tell(self: RunRecorder) -> None:
        work(self)
        ended.set()

    monkeypatch.setattr(RunRecorder, "_work", tell)
    return ended


class TestDisk:
    def test_that_is_full_ends_the_record_with_one_problem_and_not_the_run(
        self, store: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def small(path: Path, **options: Any) -> sqlite3.Connection:
            db = connect(path, **options)
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages + 1}")
            return db

        monkeypatch.setattr("engine.runs.recorder.connect", small)
        ended = _seeing_the_end_of_the_thread(monkeypatch)
        with store.record(CONFIG) as recorder:
            put_all(recorder, told(5000, reason=None))
            assert ended.wait(PATIENCE)
            problem = recorder.problem
            assert "the disk is full" in (problem or "")
            put_all(recorder, told(5000, first=5001))
        assert recorder.problem == problem
        [run] = store.runs()
        assert run.status == "interrupted"
        assert run.message == problem
        assert len(list(store.run(run.id).events())) <= 1

    def test_that_fails_in_any_other_way_does_so_too(self, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("engine.runs.recorder.connect", fail)
        with store.record(CONFIG) as recorder:
            put_all(recorder, told(20))
        assert "Input/output error" in (recorder.problem or "")

    def test_a_run_that_was_removed_meanwhile_is_no_run_s_end(self, store: RunStore) -> None:
        with store.record(CONFIG) as recorder:
            with contextlib.closing(connect(store.path, patience=5)) as db:
                db.execute("DELETE FROM runs")
            put_all(recorder, told(20))
        assert "was deleted" in (recorder.problem or "")


class TestPieces:
    """Steps come in pieces of any size and are joined to chunks."""

    def write(self, store: RunStore, sizes: list[int]) -> int:
        """The number of a run whose steps were written in pieces of `sizes`."""
        with store.record(CONFIG) as recorder:
            pass
        assert recorder.run_id is not None
        with contextlib.closing(connect(store.path, patience=5)) as db:
            writer = RunWriter(db, recorder.run_id)
            first = 1
            for size in sizes:
                writer.write([table_of([step(number) for number in range(first, first + size)])])
                first += size
        return recorder.run_id

    @pytest.mark.parametrize(
        "sizes",
        [
            [1] * (MOST_PIECES * 3 + 5),
            [CHUNK - 1, 1, 1],
            [CHUNK],
            [CHUNK + 1],
            [3 * CHUNK - 1],
            [1, 3 * CHUNK],
            [100, 5000, 5000, 100, 9000, 1],
        ],
    )
    def test_every_step_is_there_once(self, sizes: list[int], store: RunStore) -> None:
        run_id = self.write(store, sizes)
        assert list(store.run(run_id).steps().events()) == [step(number) for number in range(1, sum(sizes) + 1)]
        assert store.run(run_id).summary.recorded == sum(sizes)

    def test_few_chunks_are_left(self, store: RunStore) -> None:
        run_id = self.write(store, [1] * 1000)
        assert len(list(store.run(run_id).chunks())) <= MOST_PIECES


RECORDING = """
import sys, time
from pathlib import Path
from engine.runs.store import RunStore
from tests.engine.history import CONFIG, told
store = RunStore(Path(sys.argv[1]))
recorder = store.record(CONFIG)
number = 0
for event in told(200_000, per_epoch=1000, reason=None):
    recorder.put(event)
    number += 1
    if number % 2000 == 0:
        time.sleep(0.02)
        print(store.run(1).summary.step, flush=True)
print("done", flush=True)
time.sleep(60)
"""


class TestDeath:
    @pytest.mark.parametrize("steps", [1, 8000, 20_000])
    def test_of_the_process_leaves_all_but_the_last_moments(self, steps: int, home: Path) -> None:
        """Killed as soon as so many steps are in the store."""
        with subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(home)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                if line == "done\n" or int(line) >= steps:
                    break
            with RunStore(home) as store:
                assert store.runs()[0].status == "running"
            running.send_signal(signal.SIGKILL)
            running.wait(PATIENCE)
            with RunStore(home) as store:
                [run] = store.runs()
                assert run.status == "interrupted"
                found = list(store.run(run.id).steps().events())
                assert len(found) == run.recorded == run.step >= steps
                assert found == [step(number, per_epoch=1000) for number in range(1, run.step + 1)]
                ends = [event for event in store.run(run.id).events() if isinstance(event, EpochFinished)]
                assert len(ends) in (run.step // 1000, run.step // 1000 + (run.step % 1000 == 0), run.step // 1000 - 1)

    def test_is_noticed_also_while_the_store_is_open(self, store: RunStore) -> None:
        with store.record(CONFIG) as recorder:
            with subprocess.Popen([sys.executable, "-c", ""]) as other:
                gone = replace(this_process(), number=other.pid)
            assert not gone.runs(silent=0.0)
            with contextlib.closing(connect(store.path, patience=5)) as db:
                db.execute("UPDATE runs SET process_number = ?", (other.pid,))
            assert store.runs()[0].status == "interrupted"
            put_all(recorder, told(20))
        assert store.runs()[0].status == "finished"  # it was alive after all

    def test_a_later_process_with_the_same_number_is_another_one(self) -> None:
        here = this_process()
        assert here.runs(silent=1e9)
        assert not replace(here, began="long ago").runs(silent=0.0)

    def test_of_a_process_elsewhere_shows_by_its_silence(self) -> None:
        there = Process("another machine", 1, "1")
        assert there.runs(silent=5.0)
        assert not there.runs(silent=process.SILENT_AFTER + 1)
        assert there.runs(silent=-5.0)
        assert not there.runs(silent=-1e6)  # the clock was put back: what it says counts for nothing


def test_a_clock_that_jumps_changes_no_duration(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1e9, 5e9, 2e9, -1e9])
    monkeypatch.setattr("engine.runs.store.time.time", lambda: next(times, 3e9))
    keep(store, told(20))
    keep(store, told(30))
    second, first = store.runs()
    assert (first.id, second.id) == (1, 2)
    assert first.seconds == pytest.approx(20 * 0.0017 + 0.002)
    assert first.status == second.status == "finished"


def test_a_silent_run_goes_on_showing_signs_of_life(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.recorder.FLUSH_EVERY", 0.01)
    monkeypatch.setattr("engine.runs.recorder.BEAT_EVERY", 0.02)
    beats = threading.Semaphore(0)
    beat = RunWriter.write

    def tell(self: RunWriter, told: Any) -> None:
        beat(self, told)
        beats.release()

    monkeypatch.setattr(RunWriter, "write", tell)
    with store.record(CONFIG):
        for _ in range(3):
            assert beats.acquire(timeout=PATIENCE)


def test_several_runs_are_recorded_at_once(store: RunStore) -> None:
    recorders = [store.record(CONFIG, name=str(number)) for number in range(4)]
    for event in told(500):
        for recording in recorders:
            recording.put(event)
    for recording in recorders:
        recording.close()
        recording.close()
        assert recording.problem is None
    assert [list(store.run(number).events()) for number in range(1, 5)] == [told(500)] * 4


def test_an_exception_in_the_run_leaves_what_was_told(store: RunStore) -> None:
    def run() -> None:
        with store.record(CONFIG) as recorder:
            put_all(recorder, [*told(15, reason=None), Intervened(15, "learning_rate", "1", "2")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    [run_] = store.runs()
    assert (run_.status, run_.step) == ("interrupted", 15)
    assert len(store.run(run_.id).interventions) == 1


def test_what_cannot_be_begun_is_told_and_the_run_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.opening.PATIENCE", 0.02)
    with RunStore(home) as store, held(store), store.record(CONFIG) as recorder:
        put_all(recorder, told(20))
    assert recorder.run_id is None
    assert recorder.folder is None
    assert "another program holds" in (recorder.problem or "")
