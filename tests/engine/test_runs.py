"""The history: what comes back of a run, finding and changing runs, and a file in any state."""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control import Change, RunControl
from engine.errors import InputError
from engine.events import (
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Paused,
    Preparing,
    Resumed,
    StepFinished,
)
from engine.runs import figures, opening
from engine.runs.columns import pack_floats, pack_ints, unpack_floats, unpack_ints
from engine.runs.query import RunQuery
from engine.runs.run_record import Branch
from engine.runs.schema import MIGRATIONS
from engine.runs.step_table import CHUNK, table_of, unpacked
from engine.runs.store import RunStore
from engine.runs.store_error import StoreError
from engine.training import train
from gui.run_state import RunState
from tests.engine.history import CONFIG, epoch_end, file_of, keep, started, step, told
from tests.engine.runs import toy_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[RunStore]:
    with RunStore(home) as opened:
        yield opened


class TestColumns:
    @settings(deadline=None)
    @given(st.lists(st.integers(-(2**60), 2**60)))
    def test_whole_numbers_come_back(self, numbers: list[int]) -> None:
        values = np.array(numbers, np.int64)
        assert unpack_ints(pack_ints(values), len(values)).tolist() == numbers

    @settings(deadline=None)
    @given(st.lists(st.one_of(st.just(math.nan), st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))))
    def test_figures_come_back_bit_for_bit(self, numbers: list[float]) -> None:
        values = np.array(numbers, np.float64)
        again = unpack_floats(pack_floats(values), len(values))
        np.testing.assert_array_equal(again, values)
        np.testing.assert_array_equal(np.signbit(again), np.signbit(values))

    def test_steps_epochs_and_seldom_figures_are_small(self) -> None:
        n = 1000
        assert len(pack_ints(np.arange(5, 5 + n))) < 10
        assert len(pack_ints(np.arange(n) // 400)) < 50
        assert len(pack_floats(np.full(n, 0.001))) < 10
        assert len(pack_floats(np.where(np.arange(n) % 10, np.nan, 0.25))) < n
        assert len(pack_floats(np.arange(n) / 4)) <= 4 * n + 1

    @settings(deadline=None)
    @given(st.binary(max_size=60), st.integers(0, 12))
    def test_any_bytes_are_numbers_or_refused(self, data: bytes, count: int) -> None:
        for unpack in (unpack_ints, unpack_floats):
            with contextlib.suppress(ValueError):
                assert len(unpack(data, count)) == count

    def test_a_table_that_claims_too_much_is_refused_before_it_is_made(self) -> None:
        packed = table_of([step(1), step(2)]).packed()
        for count, width in ((2**40, 0), (0, 0), (2, 2**40), (3, 0), (None, 0), (2, -1)):
            with pytest.raises(ValueError, match=r"claims|bytes"):
                unpacked(count, width, packed)


class TestThinning:
    def test_keeps_every_extreme_the_ends_and_the_order(self) -> None:
        table = table_of([step(number) for number in range(1, 5001)])
        table.loss[1234], table.loss[4321], table.accuracy[2001] = 99.0, -99.0, 2.0
        thin = table.thinned(200)
        assert len(thin) <= 200
        assert (thin.step[0], thin.step[-1]) == (1, 5000)
        assert {1235, 4322, 2002} <= set(thin.step.tolist())
        assert (np.diff(thin.step) > 0).all()

    def test_figures_that_are_no_numbers_are_in_nobody_s_way(self) -> None:
        table = table_of([replace(step(number), loss=math.nan if number % 3 else math.inf) for number in range(1, 101)])
        assert table.thinned(20).step.tolist()[::5] == [1, *table.thinned(20).step.tolist()[5::5]]
        assert len(table.thinned(20)) <= 20


class TestRecord:
    def test_gives_back_what_a_run_told(self, store: RunStore) -> None:
        """Of a real run with interventions, as the window shows it."""
        config = toy_config(training__epochs=4, training__batch_size=50)
        control = RunControl()
        seen: list[Event] = []
        with store.record(config) as recorder:
            for event in train(config, control):
                recorder.put(event)
                seen.append(event)
                if isinstance(event, StepFinished) and event.step in (5, 8):
                    control.change(Change("learning_rate", 0.001 * event.step))
        record = store.run(store.latest())
        expected = [event for event in seen if not isinstance(event, Preparing | Paused | Resumed)]
        assert sum(isinstance(event, Intervened) for event in expected) == 2
        assert list(record.events()) == expected
        assert record.config == config
        shown, again = RunState(), RunState()
        shown.apply(seen)
        again.apply(list(record.events()))
        assert again.evaluations == shown.evaluations
        assert again.interventions == shown.interventions
        assert again.finished == shown.finished
        for axis in (0, 1):
            np.testing.assert_array_equal(again.loss.line()[axis], shown.loss.line()[axis])
            np.testing.assert_array_equal(again.accuracy.line()[axis], shown.accuracy.line()[axis])

    def test_sums_the_run_up(self, store: RunStore) -> None:
        events = told(30)
        events.insert(-1, epoch_end(4, test_loss=7.0))
        run = store.run(keep(store, events)).summary
        assert (run.status, run.reason, run.message) == ("finished", "completed", "")
        assert (run.step, run.epoch, run.recorded, run.total_steps) == (30, 3, 30, 30)
        assert (run.dataset, run.network, run.seed, run.epochs) == ("gaussians", "mlp", 0, 3)
        assert (run.device, run.threads, run.memory_format, run.precision) == ("CPU", 1, "contiguous", "float32")
        assert (run.test_loss, run.best_test_loss, run.best_test_accuracy) == (7.0, 1 / 3, 0.4)
        assert run.batch_loss == step(30).loss
        assert run.seconds == pytest.approx(40 * 0.0017 + 0.001)

    def test_says_what_the_run_was_made_with(self, store: RunStore) -> None:
        versions = store.run(keep(store, told(1))).versions
        assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
        assert {"learnscope", "torch", "numpy", "system"} <= versions.keys()

    def test_of_a_small_network_has_its_parameters(self, store: RunStore) -> None:
        events = told(30, tracked=True)
        assert list(store.run(keep(store, events)).events()) == events

    def test_holds_a_long_run_in_order(self, store: RunStore) -> None:
        events = told(2 * CHUNK + 7, per_epoch=1000)
        record = store.run(keep(store, events))
        assert list(record.events(limit=10**6)) == events
        assert record.steps().step.tolist() == list(range(1, 2 * CHUNK + 8))
        assert [len(table) for table in record.chunks()] == [CHUNK, CHUNK, 7]

    def test_gives_the_steps_since_one_that_is_known(self, store: RunStore) -> None:
        last = CHUNK + 5
        record = store.run(keep(store, [started(), *map(step, range(1, last + 1))]))
        losses = record.steps().loss
        for since in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, last - 1, last, 3 * CHUNK):
            table = record.steps_since(since)
            assert table.step.tolist() == list(range(since + 1, last + 1))
            assert np.array_equal(table.loss, losses[since:])

    def test_of_a_very_long_run_is_shown_from_its_overviews(
        self, store: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(figures, "READ_WHOLE", 1000)
        run_id = keep(store, told(2 * CHUNK + 7, per_epoch=1000, reason=None))
        losses = store.run(run_id).steps().loss
        with contextlib.closing(sqlite3.connect(store.path)) as db:  # what is not needed is not read
            db.execute("UPDATE chunks SET loss = x'00' WHERE last_step <= ?", (2 * CHUNK,))
            db.commit()
        few = store.run(run_id).steps(limit=900)
        assert len(few) <= 900
        assert (few.step[0], few.step[-1]) == (1, 2 * CHUNK + 7)
        assert (few.loss.min(), few.loss.max()) == (losses.min(), losses.max())

    def test_keeps_figures_that_are_no_numbers(self, store: RunStore) -> None:
        odd = Evaluated(0, math.inf, None, math.nan, None, 0.01)
        end = replace(epoch_end(1), train_loss=math.nan, test_loss=-math.inf)
        record = store.run(keep(store, [started(), odd, replace(step(1), loss=math.nan), end]))
        first, last = record.evaluations()
        assert isinstance(first, Evaluated)
        assert isinstance(last, EpochFinished)
        assert (first.test_loss, first.test_accuracy) == (math.inf, None)
        assert first.validation_loss is not None
        assert math.isnan(first.validation_loss)
        assert math.isnan(last.train_loss)
        assert math.isnan(record.steps().loss[0])
        assert record.summary.best_test_loss is None

    def test_of_many_evaluations_a_limit_leaves_the_ends(self, store: RunStore) -> None:
        record = store.run(keep(store, told(500, per_epoch=2)))
        few = record.evaluations(limit=20)
        assert len(few) <= 20
        assert (few[0].step, few[-1].step) == (0, 500)

    @pytest.mark.parametrize(
        ("last", "status", "reason"),
        [
            (Finished("completed", 3, 1, 1.0, 2.0), "finished", "completed"),
            (Finished("early_stopping", 3, 1, 1.0, 2.0, 1), "finished", "early_stopping"),
            (Finished("stopped", 3, 1, 1.0, 2.0), "stopped", "stopped"),
            (Failed("diverged", "The loss became infinite.", 3), "failed", "diverged"),
        ],
    )
    def test_says_how_the_run_ended(self, last: Event, status: str, reason: str, store: RunStore) -> None:
        record = store.run(keep(store, [*told(3, reason=None), last]))
        assert (record.summary.status, record.summary.reason) == (status, reason)
        assert record.ending == last
        assert list(record.events())[-1] == last

    def test_that_breaks_off_says_so_at_its_end(self, store: RunStore) -> None:
        record = store.run(keep(store, told(3, reason=None)))
        assert record.summary.status == "interrupted"
        *_, last = record.events()
        assert isinstance(last, Failed)
        assert "after step 3" in last.message


class TestGoingOn:
    @pytest.mark.parametrize("at", [0, 7, 20, CHUNK - 1, CHUNK, CHUNK + 100])
    def test_from_a_checkpoint_replaces_what_came_after_it(self, at: int, store: RunStore) -> None:
        whole = told(CHUNK + 200, per_epoch=500)
        lost = [replace(e, loss=9.0) if isinstance(e, StepFinished) and e.step > at else e for e in whole]
        run_id = keep(store, [*lost[:-1], Intervened(CHUNK + 200, "learning_rate", "1", "2")])
        known = Intervened(at, "momentum", "0", "0.9")
        with store.resume(run_id, [known]) as recorder:
            assert recorder.run_id == run_id
            for event in told(CHUNK + 200, first=at + 1, per_epoch=500):
                recorder.put(event)
        record = store.run(run_id)
        assert list(record.steps().events()) == [event for event in whole if isinstance(event, StepFinished)]
        assert record.evaluations() == [event for event in whole if isinstance(event, Evaluated | EpochFinished)]
        assert record.interventions == (known,)
        assert (record.summary.status, record.summary.recorded) == ("finished", CHUNK + 200)

    def test_to_another_end_changes_the_set_up(self, store: RunStore) -> None:
        run_id = keep(store, told(30))
        longer = toy_config(training__epochs=7)
        with store.resume(run_id, config=longer):
            record = store.run(run_id)
            assert record.config == longer
            assert record.summary.epochs == 7
        other = toy_config(training__epochs=9)
        with store.record(CONFIG) as recorder:
            assert recorder.run_id is not None
            with pytest.raises(StoreError):
                store.resume(recorder.run_id, config=other)
            assert store.run(recorder.run_id).config == CONFIG
        with store.resume(run_id):
            assert store.run(run_id).config == longer

    def test_of_a_run_that_is_running_is_refused(self, store: RunStore) -> None:
        with store.record(CONFIG) as recorder:
            assert recorder.run_id is not None
            with pytest.raises(StoreError, match="still running"):
                store.resume(recorder.run_id)

    def test_that_fails_at_once_leaves_the_record_as_it_was(self, store: RunStore) -> None:
        run_id = keep(store, told(30))
        with store.resume(run_id) as recorder:
            recorder.put(Failed("input", "The checkpoint is of another run.", 30))
        assert len(store.run(run_id).steps()) == 30
        assert store.run(run_id).summary.status == "failed"


class TestFinding:
    def test_goes_by_the_augmentation_where_there_is_one(self, store: RunStore) -> None:
        images = {"dataset": "mnist", "network": "mnist_mlp"}
        shifted = keep(store, told(3), config=toy_config({**images, "augmentation": "shift"}))
        plain = keep(store, told(3), config=toy_config(images))
        store.rename(shifted, "Renamed")
        store.rename(plain, "Renamed")
        assert [run.id for run in store.runs(RunQuery(text="SHIFT renamed"))] == [shifted]
        assert store.runs(RunQuery(text="none")) == []

    @pytest.fixture
    def filled(self, store: RunStore) -> RunStore:
        keep(store, told(10), name="First light")
        keep(store, told(20), config=toy_config({"optimizer": "sgd"}, training__seed=5))
        keep(store, [*told(3, reason=None), Failed("error", "No memory.", 3)], config=toy_config({"dataset": "xor"}))
        store.tag(2, "Für Elise", "slow")
        store.annotate(3, "Too wild, see 100% of_it")
        return store

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("", [3, 2, 1]),
            ("LIGHT", [1]),
            ("gaussians sgd", [2]),
            ("ELISE für", [2]),
            ("wild", [3]),
            ("100%", [3]),
            ("of_it", [3]),
            ("o%", []),
            ("xor mlp", [3]),
            ("mlp", [3, 2, 1]),
            ("'; DROP TABLE runs; --", []),
            ("\ud800", []),
        ],
    )
    def test_goes_through_names_notes_tags_and_parts(self, text: str, found: list[int], filled: RunStore) -> None:
        assert [run.id for run in filled.runs(RunQuery(text=text))] == found

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            (RunQuery(status="failed"), [3]),
            (RunQuery(optimizer="sgd"), [2]),
            (RunQuery(dataset="gaussians"), [2, 1]),
            (RunQuery(dataset="gaussians", optimizer="sgd", network="mlp"), [2]),
            (RunQuery(tag="slow"), [2]),
            (RunQuery(tag="sl"), []),
            (RunQuery(limit=1), [3]),
            (RunQuery(limit=1, offset=1), [2]),
        ],
    )
    def test_can_be_narrowed(self, query: RunQuery, found: list[int], filled: RunStore) -> None:
        assert [run.id for run in filled.runs(query)] == found

    @pytest.mark.parametrize(
        ("sort", "descending", "found"),
        [
            ("id", False, [1, 2, 3]),
            ("step", True, [2, 1, 3]),
            ("step", False, [3, 1, 2]),
            ("best_test_loss", False, [2, 1, 3]),
            ("samples_per_second", True, [2, 1, 3]),  # the third has none
            ("samples_per_second", False, [2, 1, 3]),
            ("name", True, [1, 3, 2]),
            ("optimizer", False, [3, 1, 2]),
        ],
    )
    def test_sorts(self, sort: str, descending: bool, found: list[int], filled: RunStore) -> None:
        query = RunQuery(sort=sort, descending=descending)
        assert [run.id for run in filled.runs(query)] == found

    def test_refuses_what_cannot_be(self) -> None:
        for wrong in ({"sort": "config; DROP"}, {"status": "odd"}, {"limit": -1}, {"offset": -1}):
            with pytest.raises(InputError):
                RunQuery(**wrong)

    def test_knows_the_tags(self, filled: RunStore) -> None:
        filled.tag(1, "slow")
        assert filled.tags() == {"Für Elise": 1, "slow": 2}
        assert filled.run(2).summary.tags == ("Für Elise", "slow")

    def test_knows_the_tree(self, store: RunStore) -> None:
        keep(store, told(10))
        with store.record(CONFIG, parent=Branch(1, 5)):
            pass
        with store.record(CONFIG, parent=Branch(2, 7)):
            pass
        assert [run.id for run in store.parents(3)] == [2, 1]
        assert [run.id for run in store.children(1)] == [2]
        assert (store.run(2).summary.parent, store.run(2).summary.parent_step) == (1, 5)
        store.delete(2)
        assert store.children(1) == []
        assert store.purge() == [2]
        assert store.parents(3) == []
        assert store.run(3).summary.parent == 2


class TestChanging:
    def test_names_notes_and_tags(self, store: RunStore) -> None:
        run_id = keep(store, told(3))
        store.rename(run_id, "  The best \n so far ")
        store.annotate(run_id, "a\nb")
        store.tag(run_id, "one", " two  words ", "one")
        store.untag(run_id, "one", "never")
        run = store.run(run_id).summary
        assert (run.name, run.title, run.notes, run.tags) == (
            "The best so far", "The best so far", "a\nb", ("two words",)
        )  # fmt: skip
        store.rename(run_id, "")
        assert store.run(run_id).summary.title == "mlp on gaussians"
        assert store.runs(RunQuery(text="best")) == []

    @pytest.mark.parametrize("wrong", ["x" * 201, "\ud800", "\x00"])
    def test_a_name_that_cannot_be_kept_is_refused(self, wrong: str, store: RunStore) -> None:
        run_id = keep(store, told(3), name="before")
        with pytest.raises(InputError, match="name"):
            store.rename(run_id, wrong)
        assert store.run(run_id).summary.name == "before"

    @pytest.mark.parametrize("wrong", ["", "  ", "a,b", "x" * 41, "\ud800"])
    def test_a_tag_that_cannot_be_kept_is_refused(self, wrong: str, store: RunStore) -> None:
        with pytest.raises(InputError, match="tag"):
            store.tag(keep(store, told(3)), "good", wrong)
        assert store.tags() == {}

    def test_of_a_run_that_is_not_there_is_refused(self, store: RunStore) -> None:
        for number in (0, 1, -1, 2**70):
            for change in (
                lambda number=number: store.rename(number, "x"),
                lambda number=number: store.annotate(number, "x"),
                lambda number=number: store.tag(number, "x"),
                lambda number=number: store.untag(number, "x"),
                lambda number=number: store.delete(number),
                lambda number=number: store.undelete(number),
                lambda number=number: store.run(number),
                lambda number=number: store.resume(number),
                lambda number=number: store.parents(number),
            ):
                with pytest.raises(StoreError, match="there is no run"):
                    change()

    def test_a_deleted_run_comes_back_as_it_was(self, store: RunStore) -> None:
        for _ in range(3):
            keep(store, told(3))
        before = store.runs()
        store.delete(1, 2)
        assert [run.id for run in store.runs()] == [3]
        assert [run.id for run in store.runs(RunQuery(deleted=True))] == [2, 1]
        store.undelete(1, 2)
        assert store.runs() == before

    def test_deletes_all_or_none(self, store: RunStore) -> None:
        keep(store, told(3))
        with pytest.raises(StoreError):
            store.delete(1, 99)
        assert len(store.runs()) == 1

    def test_a_run_that_is_running_cannot_be_deleted(self, store: RunStore) -> None:
        with store.record(CONFIG) as recorder:
            assert recorder.run_id is not None
            with pytest.raises(StoreError, match="still running"):
                store.delete(recorder.run_id)

    def test_purging_removes_deleted_runs_with_their_files(self, store: RunStore) -> None:
        for _ in range(3):
            folder = store.folder(keep(store, told(CHUNK + 10)))
            folder.mkdir(parents=True)
            (folder / "latest.safetensors").write_bytes(b"x")
        store.delete(1, 2)
        assert store.purge(before=1.0) == []
        store.undelete(1)
        assert store.purge() == [2]
        assert not store.folder(2).exists()
        assert store.folder(1).exists()
        with pytest.raises(StoreError, match="no run 2"):
            store.run(2)
        with contextlib.closing(sqlite3.connect(store.path)) as db:
            for table in ("chunks", "overviews", "evaluations", "setups"):
                assert {row[0] for row in db.execute(f"SELECT run FROM {table}")} == {1, 3}
        assert keep(store, told(1)) == 4  # no number is given twice

    def test_purging_leaves_what_a_link_leads_to(self, store: RunStore, tmp_path: Path) -> None:
        elsewhere = tmp_path / "precious"
        elsewhere.mkdir()
        store.folder(keep(store, told(1))).parent.mkdir()
        store.folder(1).symlink_to(elsewhere, target_is_directory=True)
        store.delete(1)
        with pytest.raises(StoreError, match="cannot be removed"):
            store.purge()
        assert elsewhere.exists()
        assert len(store.runs(RunQuery(deleted=True))) == 1


def copies(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("runs.*-*.sqlite"))


class TestVersions:
    @staticmethod
    def add_stars(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE runs ADD COLUMN stars INTEGER NOT NULL DEFAULT 3")

    def test_an_older_store_is_brought_up_to_date_and_a_copy_kept(self, home: Path) -> None:
        with RunStore(home) as store:
            keep(store, told(30), name="old")
            before = store.runs()
        with RunStore(home, migrations=[*MIGRATIONS, self.add_stars]) as store:
            assert store.problem is None
            assert store.runs() == before
            assert len(store.run(1).steps()) == 30
            keep(store, told(3), name="new")
        with contextlib.closing(sqlite3.connect(file_of(home))) as db:
            assert db.execute("SELECT name, stars FROM runs").fetchall() == [("old", 3), ("new", 3)]
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        [copy] = home.glob(f"runs.version-{len(MIGRATIONS)}-*.sqlite")
        with contextlib.closing(sqlite3.connect(copy)) as db:
            assert db.execute("SELECT name FROM runs").fetchall() == [("old",)]
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)

    def test_one_of_the_first_version_keeps_its_interventions(self, home: Path) -> None:
        change = Intervened(2, "schedule", "constant", "step", {"every_epochs": 1, "factor": 0.5})
        with RunStore(home) as store:
            keep(store, [*told(10, reason=None), change, Finished("stopped", 10, 1, 1.0, 1.0)])
        with contextlib.closing(sqlite3.connect(file_of(home))) as db:
            db.execute("ALTER TABLE interventions DROP COLUMN params")
            db.execute("PRAGMA user_version = 1")
            db.commit()
        with RunStore(home) as store:
            assert store.problem is None
            assert store.run(1).interventions == (replace(change, params={}),)
            keep(store, [*told(10, reason=None), change, Finished("stopped", 10, 1, 1.0, 1.0)])
            assert store.run(2).interventions == (change,)

    def test_one_that_cannot_be_brought_up_to_date_stays_as_it_was(self, home: Path) -> None:
        def half(db: sqlite3.Connection) -> None:
            self.add_stars(db)
            db.execute("INSERT INTO nowhere VALUES (1)")

        with RunStore(home) as store:
            keep(store, told(30))
        for _ in range(2):
            with pytest.raises(StoreError, match="could not be brought up to date"):
                RunStore(home, migrations=[*MIGRATIONS, half])
        with RunStore(home) as store:
            assert len(store.run(1).steps()) == 30

    def test_one_of_a_newer_version_is_refused_in_words_and_left_alone(self, home: Path) -> None:
        with RunStore(home, migrations=[*MIGRATIONS, self.add_stars]) as store:
            keep(store, told(3))
        before, known = file_of(home).read_bytes(), len(MIGRATIONS)
        with pytest.raises(StoreError, match=rf"newer Learnscope.*version {known + 1}.*knows {known}.*update"):
            RunStore(home)
        assert file_of(home).read_bytes() == before


def flip(data: bytes, seed: int, bits: int) -> bytes:
    rng, damaged = random.Random(seed), bytearray(data)
    for _ in range(bits):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store's file with three runs."""
    home = tmp_path_factory.mktemp("sound")
    with RunStore(home) as store:
        for number in range(3):
            keep(store, told(600 * (number + 1), tracked=True), name=f"run {number}")
    return file_of(home).read_bytes()


class TestDamage:
    def use(self, home: Path) -> None:
        """Everything that reads, and a new run: each works, or says in words why not."""
        with RunStore(home) as store:
            with contextlib.suppress(StoreError):
                for run in store.runs():
                    with contextlib.suppress(StoreError):
                        record = store.run(run.id)
                        list(record.events(limit=100))
                        list(record.chunks())
                        store.tag(run.id, "looked")
            with store.record(CONFIG) as recorder:
                for event in told(20):
                    recorder.put(event)
            if recorder.run_id is not None and recorder.problem is None:
                assert len(store.run(recorder.run_id).steps()) == 20

    @pytest.mark.parametrize("seed", range(25))
    def test_flipped_bits_lead_to_words_never_to_a_crash(self, seed: int, sound: bytes, home: Path) -> None:
        home.mkdir()
        file_of(home).write_bytes(flip(sound, seed, bits=1 + seed * seed))
        for _ in range(3):  # what the first use finds may make the second begin anew
            with contextlib.suppress(StoreError):
                self.use(home)
        assert {path.suffix for path in home.iterdir()} <= {
            ".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock", ".suspect"
        }  # fmt: skip

    @pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.7, 0.99])
    def test_a_file_cut_short_is_set_aside_or_its_runs_are_refused(
        self, share: float, sound: bytes, home: Path
    ) -> None:
        home.mkdir()
        file_of(home).write_bytes(sound[: int(len(sound) * share)])
        self.use(home)
        self.use(home)
        with RunStore(home) as store:
            run_id = keep(store, told(20))
            assert len(store.run(run_id).steps()) == 20

    @pytest.mark.parametrize("content", [b"no database at all" * 500, b"\x00" * 5000])
    def test_something_else_is_set_aside_named_and_a_fresh_store_begun(self, content: bytes, home: Path) -> None:
        home.mkdir()
        file_of(home).write_bytes(content)
        (home / "runs" / "41").mkdir(parents=True)
        with RunStore(home) as store:
            assert store.problem is not None
            [name] = copies(home)
            assert name.startswith("runs.damaged-")
            assert name in store.problem
            assert store.runs() == []
            assert keep(store, told(3)) == 42  # the old runs' files are not taken for its own
        assert (home / name).read_bytes() == content
        with RunStore(home) as store:
            assert store.problem is None
        file_of(home).write_bytes(content)
        with RunStore(home):
            assert len(copies(home)) == 2

    def test_an_empty_file_is_a_new_store(self, home: Path) -> None:
        home.mkdir()
        file_of(home).touch()
        with RunStore(home) as store:
            assert (store.problem, keep(store, told(3))) == (None, 1)

    def test_another_program_s_database_is_set_aside(self, home: Path) -> None:
        home.mkdir()
        with contextlib.closing(sqlite3.connect(file_of(home))) as db:
            db.execute("CREATE TABLE runs (a)")
            db.execute("PRAGMA user_version = 1")
        with RunStore(home) as store:
            assert "set aside" in (store.problem or "")

    def test_figures_that_contradict_themselves_are_refused_by_the_run_s_number(self, store: RunStore) -> None:
        keep(store, told(100))
        keep(store, told(100))
        for change in (
            "loss = x'64'",
            "loss = 'text'",
            "loss = zeroblob(100000)",
            "count = 99",
            "count = 4000000000",
            "width = 5",
            "first_step = 50",
            "steps = zeroblob(801)",
        ):
            with contextlib.closing(sqlite3.connect(store.path)) as db:
                before = db.execute("SELECT * FROM chunks WHERE run = 1").fetchall()
                db.execute(f"UPDATE chunks SET {change} WHERE run = 1")
                db.commit()
                with pytest.raises(StoreError, match="record of run 1 is damaged"):
                    store.run(1).steps()
                assert len(store.run(2).steps()) == 100
                db.execute("DELETE FROM chunks WHERE run = 1")
                marks = ", ".join("?" * len(before[0]))
                db.executemany(f"INSERT INTO chunks VALUES ({marks})", before)
                db.commit()
        assert len(store.run(1).steps()) == 100

    def test_what_is_found_later_is_set_aside_at_the_next_start(self, home: Path) -> None:
        """A page that no summary lies on."""
        with RunStore(home) as store:
            keep(store, told(30), name="kept")
        with contextlib.closing(sqlite3.connect(file_of(home))) as db:
            [(page,)] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'evaluations'")
            [(size,)] = db.execute("PRAGMA page_size")
        with file_of(home).open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        with RunStore(home) as store:
            assert store.problem is None
            assert [run.name for run in store.runs()] == ["kept"]
            with pytest.raises(StoreError, match="damaged"):
                store.run(1).evaluations()
        with RunStore(home) as store:
            assert "set aside" in (store.problem or "")
            keep(store, told(30))
        with RunStore(home) as store:
            assert store.problem is None
            assert not (home / opening._SUSPECT).exists()
        assert len(copies(home)) == 1

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE setups SET started = '{\"device\": 3}'",
            "UPDATE setups SET ending = 'x'",
            "UPDATE setups SET versions = '[]'",
            "UPDATE interventions SET step = 'soon'",
            "UPDATE evaluations SET test_loss = 'much'",
            "DELETE FROM setups",
        ],
    )
    def test_so_is_all_else(self, change: str, store: RunStore) -> None:
        keep(
            store, [*told(10, reason=None), Intervened(10, "momentum", "0", "1"), Finished("stopped", 10, 1, 1.0, 1.0)]
        )
        with contextlib.closing(sqlite3.connect(store.path)) as db:
            db.execute(change)
            db.commit()
        with pytest.raises(StoreError, match="record of run 1 is damaged"):
            list(store.run(1).events())
        assert len(store.runs()) == 1

    def test_a_set_up_that_cannot_be_used_any_more_says_why(self, store: RunStore) -> None:
        keep(store, told(10))
        with contextlib.closing(sqlite3.connect(store.path)) as db:
            db.execute("UPDATE setups SET config = replace(config, 'gaussians', 'gone')")
            db.commit()
        record = store.run(1)
        assert len(list(record.events())) > 10
        with pytest.raises(InputError, match="gone"):
            record.config  # noqa: B018  # reading it is the test


class TestFolders:
    def test_one_that_cannot_be_made_leaves_an_empty_store_that_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "wall").touch()
        with RunStore(tmp_path / "wall" / "home") as store:
            assert not store.writable
            assert "LEARNSCOPE_HOME" in (store.problem or "")
            assert store.runs() == []
            with store.record(CONFIG) as recorder:
                for event in told(20):
                    recorder.put(event)
            assert recorder.run_id is None
            assert recorder.problem == store.problem
            with pytest.raises(StoreError, match="no run 1"):
                store.run(1)

    def test_one_that_may_not_be_written_shows_its_runs(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with RunStore(home) as store:
            keep(store, told(20))
        before = {path.name: path.read_bytes() for path in home.iterdir()}
        monkeypatch.setattr("engine.runs.opening.os.access", lambda *_: False)
        with RunStore(home) as store:
            assert not store.writable
            assert "may not be written" in (store.problem or "")
            assert len(store.run(1).steps()) == 20
            with pytest.raises(StoreError, match="cannot be written"):
                store.rename(1, "x")
            with pytest.raises(StoreError, match="cannot be written"):
                store.delete(1)
            with store.record(CONFIG) as recorder:
                recorder.put(step(1))
            assert recorder.problem == store.problem
        assert {path.name: path.read_bytes() for path in home.iterdir() if path.name in before} == before

    def test_one_that_may_not_be_written_and_has_no_store_is_empty(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home.mkdir()
        monkeypatch.setattr("engine.runs.opening.os.access", lambda *_: False)
        with RunStore(home) as store:
            assert store.runs() == []
            assert "cannot be used" in (store.problem or "")
        assert not list(home.iterdir())

    def test_a_folder_where_the_file_should_be_is_told(self, home: Path) -> None:
        file_of(home).mkdir(parents=True)
        with RunStore(home) as store:
            assert "cannot be opened" in (store.problem or "")

    def test_the_default_is_where_the_program_keeps_its_data(self, learnscope_home: Path) -> None:
        with RunStore() as store:
            assert store.path.parent == learnscope_home

    def test_a_store_that_another_program_holds_is_not_waited_for_forever(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RunStore(home) as store:
            keep(store, told(3))
            shutil.copy(file_of(home), home / "copy")
        monkeypatch.setattr(opening, "PATIENCE", 0.05)
        with contextlib.closing(sqlite3.connect(file_of(home), isolation_level=None)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE runs SET notes = 'x'")
            with pytest.raises(StoreError, match="another program holds"):
                RunStore(home)
            db.execute("ROLLBACK")


WRITER = """
import sys
from pathlib import Path
from engine.runs.store import RunStore
from tests.engine.history import keep, told
with RunStore(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(10):
        run_id = keep(store, told(50), name=sys.argv[2])
        store.tag(run_id, sys.argv[2])
"""


def test_two_processes_share_one_store(home: Path) -> None:
    """Both open a folder without a store at the same time, then write as fast as they can."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home), name],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with RunStore(home) as store:
        assert store.tags() == {"one": 10, "two": 10}
        assert all(len(store.run(run.id).steps()) == 50 for run in store.runs())
        assert {run.status for run in store.runs()} == {"finished"}
