"""A run of the history can be gone back along as if it had just been trained, exactly, whatever was kept of it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.checkpoint import Checkpoint, check_same_run, load_checkpoint
from engine.checkpoint_folder import LATEST, CheckpointPolicy
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.errors import InputError
from engine.events import Event, Started, StepFinished
from engine.live import untrained
from engine.rewind.beginning import beginning
from engine.rewind.branch import branch, branch_config
from engine.rewind.history import checkpoint_of, kept_before, reopen
from engine.rewind.kept_file import NAME, choose, make_room, read_snapshots, write_snapshots
from engine.rewind.moments import checkpoint_at, moment_at
from engine.rewind.snapshots import Snapshots, Unknown
from engine.runs.run_record import Branch
from engine.runs.store import RunStore
from engine.training import train
from engine.tuning import Tuned
from tests.engine.checkpoint_runs import Doings, small_config
from tests.engine.runs import of_kind

PER_EPOCH = 6  # steps of `small_config`
LAST = 3 * PER_EPOCH

Weights = Mapping[str, Tensor]


@dataclass
class Done:
    """A run that has ended and is in the history: its weights after every step as they were then."""

    id: int
    config: RunConfig
    snapshots: Snapshots
    events: list[Event] = field(default_factory=list)
    weights: dict[int, Weights] = field(default_factory=dict)


@pytest.fixture
def store(tmp_path: Path) -> Iterable[RunStore]:
    with RunStore(tmp_path) as store:
        yield store


def do(
    store: RunStore,
    config: RunConfig,
    *,
    doings: Doings | None = None,
    parent: Branch | None = None,
    resume: Checkpoint | None = None,
    again: int | None = None,
    checkpoints: bool = True,
    keep: bool = True,
    until: int | None = None,
) -> Done:
    """Train and record, as the window does. `again`: a run that goes on. `until`: the program dies after that step."""
    control, doings = RunControl(), doings or {}
    snapshots = Snapshots(share=2.0)
    if again is not None:
        assert resume is not None
        recorder = store.resume(again, resume.interventions, config=config)
        snapshots.take_over(*kept_before(store, again, resume))
    else:
        recorder = store.record(config, parent=parent)
    with recorder:
        assert recorder.run_id is not None
        assert recorder.folder is not None
        done = Done(recorder.run_id, config, snapshots)
        policy = (
            CheckpointPolicy(folder=recorder.folder, every_steps=5, every_epochs=0, at_best=False)
            if checkpoints
            else None
        )
        for event in train(config, control, resume=resume, checkpoints=policy, snapshots=snapshots):
            recorder.put(event)
            done.events.append(event)
            if isinstance(event, Started) and 0 in doings:
                doings[0](control)
            if isinstance(event, StepFinished):
                assert control.live is not None
                done.weights[event.step] = control.live.weights()
                if event.step in doings:
                    doings[event.step](control)
                if event.step == until:
                    break
    if keep:
        write_snapshots(store.folder(done.id), snapshots.snapshots)
    return done


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def alike(one: Checkpoint, other: Checkpoint) -> bool:
    """Equal in all that decides how a run goes on."""
    timeless = [c.progress.model_copy(update={"seconds": 0.0, "evaluating": 0.0}) for c in (one, other)]
    return (
        same(one.tensors, other.tensors)
        and timeless[0] == timeless[1]
        and one.manifest.optimizer == other.manifest.optimizer
        and one.manifest.train_size == other.manifest.train_size
    )


def thin(store: RunStore, done: Done, *steps: int) -> None:
    """Let only these steps be kept."""
    kept = [snapshot for snapshot in done.snapshots.snapshots if snapshot.checkpoint.step in steps]
    for path in store.folder(done.id).glob("*.safetensors"):
        path.unlink()
    if kept:
        write_snapshots(store.folder(done.id), kept)


CHANGES: Doings = {
    2: lambda control: control.change(Change("learning_rate", 0.0123456789012)),
    4: lambda control: control.change(ScheduleChange("step", {"every_epochs": 1, "factor": 0.3})),
    PER_EPOCH + 1: lambda control: control.change(ScheduleChange("reduce_on_plateau", {})),
}


class TestExact:
    @pytest.mark.parametrize(
        ("optimizer", "kept"), [("adam", ()), ("muon", (0, LAST)), ("sgd", (0, 3, PER_EPOCH, 9, LAST))]
    )
    def test_every_step_is_the_runs_own_with_dropout_and_all_that_was_changed(
        self, store: RunStore, optimizer: str, kept: tuple[int, ...]
    ) -> None:
        config = small_config({"optimizer": optimizer}, network__dropout=0.3)
        done = do(store, config, doings=CHANGES)
        thin(store, done, *kept)
        past = reopen(store, done.id)
        assert [tick.step for tick in past.ticks] == sorted({0, *kept})
        assert past.note == ""
        for step in (LAST, 1, 3, 5, PER_EPOCH, PER_EPOCH + 2, LAST - 1):
            moment = moment_at(past, step)
            assert moment is not None
            assert moment.step == step
            assert same(moment.live.weights(), done.weights[step]), step

    def test_its_checkpoints_are_those_of_the_run_itself(self, store: RunStore) -> None:
        done = do(store, small_config(network__dropout=0.3, training__patience=2), doings=CHANGES)
        thin(store, done)
        for step in (0, 4, PER_EPOCH, LAST - 1):
            found, own = checkpoint_of(store, done.id, step), checkpoint_at(done.snapshots, step)
            assert found is not None
            assert own is not None
            assert alike(found, own), step

    @pytest.mark.parametrize("optimizer", ["adam", "adagrad", "muon", "lbfgs"])
    def test_a_runs_beginning_follows_from_its_set_up(self, store: RunStore, optimizer: str) -> None:
        picks = {"optimizer": optimizer, "schedule": "reduce_on_plateau"}
        done = do(store, small_config(picks, network__dropout=0.3))
        first = done.snapshots.nearest(0)
        assert first is not None
        state = torch.get_rng_state()
        assert alike(beginning(done.config, Tuned(1, False)), first)
        assert torch.equal(torch.get_rng_state(), state)

    def test_the_random_numbers_of_a_run_beside_it_stay_as_they_are(self, store: RunStore) -> None:
        done = do(store, small_config(network__dropout=0.3))
        thin(store, done)
        torch.manual_seed(11)
        state = torch.get_rng_state()
        assert checkpoint_of(store, done.id, 7) is not None
        assert torch.equal(torch.get_rng_state(), state)

    def test_a_kept_step_needs_neither_data_nor_training(self, store: RunStore) -> None:
        done = do(store, small_config())
        past = reopen(store, done.id)
        for tick in past.ticks:
            moment = moment_at(past, tick.step)
            assert moment is not None
            assert past.ready is None
        assert len(past.ticks) == LAST + 1

    def test_steps_that_the_run_did_not_do_are_refused(self, store: RunStore) -> None:
        done = do(store, small_config(), doings={8: lambda control: control.stop()})
        with pytest.raises(InputError, match="did 8 steps"):
            checkpoint_of(store, done.id, 9)
        with pytest.raises(InputError, match="did 8 steps"):
            checkpoint_of(store, done.id, -1)

    def test_nobody_who_waits_no_more_is_answered(self, store: RunStore) -> None:
        done = do(store, small_config())
        thin(store, done)
        assert checkpoint_of(store, done.id, 5, wanted=lambda: False) is None

    def test_it_says_what_it_does(self, store: RunStore) -> None:
        done = do(store, small_config())
        thin(store, done)
        steps: list[int] = []
        words: list[str] = []
        checkpoint_of(store, done.id, 3, report=steps.append, say=lambda what, _done: words.append(what))
        assert sorted(set(steps)) == [1, 2, 3]
        assert "Building the network" in words

    def test_numbers_that_come_out_otherwise_are_not_passed_off_as_the_runs(self, store: RunStore) -> None:
        """As on another machine: the record tells other losses than training gives here."""
        done = do(store, small_config())
        other = do(store, small_config(training__seed=5), keep=False)
        thin(store, done, 0)
        shutil.copytree(store.folder(done.id), store.folder(other.id), dirs_exist_ok=True)
        past = reopen(store, other.id)
        assert "seed" in past.note
        (store.folder(other.id) / NAME).unlink()
        past = reopen(store, done.id)
        past._record = store.run(other.id)
        with pytest.raises(InputError, match=r"step 1 has the loss .* where the run had"):
            moment_at(past, 4)
        kept = moment_at(past, 0)
        assert kept is not None
        assert kept.step == 0


class TestChangesOfOldVersions:
    def test_a_schedule_without_its_settings_is_a_border(self, store: RunStore) -> None:
        done = do(store, small_config(), doings=CHANGES)
        thin(store, done, 0, 9, LAST)
        with store._changing("a test") as db:  # as the first version kept it
            db.execute("UPDATE interventions SET params = ''")
        past = reopen(store, done.id)
        for step in (1, 2, 3, 9, 10, LAST):
            moment = moment_at(past, step)
            assert moment is not None
            assert same(moment.live.weights(), done.weights[step])
        with pytest.raises(InputError, match="schedule was changed after step 4"):
            moment_at(past, 4)


class TestBranches:
    def test_a_branch_repeats_its_parent_bit_for_bit(self, store: RunStore) -> None:
        parent = do(store, small_config(network__dropout=0.3), doings=CHANGES)
        thin(store, parent, 0)
        found = checkpoint_of(store, parent.id, 8)
        assert found is not None
        config = branch_config(found)
        child = do(store, config, resume=branch(found, config, parent=str(parent.id)), parent=Branch(parent.id, 8))
        assert same(child.weights[LAST], parent.weights[LAST])
        assert store.run(child.id).summary.parent_step == 8
        [started] = of_kind(child.events, Started)
        assert (started.parent, started.parent_step) == (str(parent.id), 8)

    @pytest.mark.parametrize("kept", [True, False])
    def test_one_can_go_back_along_a_branch_of_a_branch(self, store: RunStore, kept: bool) -> None:
        last = do(store, small_config(network__dropout=0.3), doings={2: CHANGES[2]})
        for step in (4, 9):
            found = checkpoint_of(store, last.id, step)
            assert found is not None
            config = branch_config(found, {"optimizer.learning_rate": 0.1 / step})
            made = branch(found, config, parent=str(last.id))
            last = do(store, config, resume=made, parent=Branch(last.id, step), keep=kept)
            if not kept:
                thin(store, last)
        past = reopen(store, last.id)
        assert past.ticks[0].step == 9
        for step in (12, 10, LAST):
            moment = moment_at(past, step)
            assert moment is not None
            assert same(moment.live.weights(), last.weights[step])
        with pytest.raises(InputError):
            moment_at(past, 8)

    def test_one_whose_parent_is_gone_has_what_was_kept(self, store: RunStore) -> None:
        parent = do(store, small_config())
        found = checkpoint_of(store, parent.id, 4)
        assert found is not None
        child = do(store, parent.config, resume=branch(found, parent.config, parent="1"), parent=Branch(parent.id, 4))
        thin(store, child, 10)
        store.delete(parent.id)
        store.purge()
        past = reopen(store, child.id)
        assert [tick.step for tick in past.ticks] == [10]
        moment = moment_at(past, 12)
        assert moment is not None
        assert same(moment.live.weights(), child.weights[12])
        with pytest.raises(InputError, match="nothing is kept of step 7"):
            moment_at(past, 7)


class TestContinued:
    """A run of two epochs is continued to three."""

    @pytest.fixture
    def longer(self, store: RunStore) -> Done:
        first = do(store, small_config(network__dropout=0.3, training__epochs=2), doings={3: CHANGES[2]})
        resume = load_checkpoint(store.folder(first.id))
        assert resume.step == 2 * PER_EPOCH
        second = do(store, small_config(network__dropout=0.3), resume=resume, again=first.id)
        return replace(second, weights={**first.weights, **second.weights})

    def test_it_is_in_the_history_with_the_set_up_it_went_on_with(self, store: RunStore, longer: Done) -> None:
        record = store.run(longer.id)
        assert record.config == longer.config
        assert record.summary.epochs == record.config.training.epochs == 3
        check_same_run(record.config, load_checkpoint(store.folder(longer.id)))

    @pytest.mark.parametrize("kept", [(), (0, 3), (8, LAST), (9, 2 * PER_EPOCH)])
    def test_one_can_go_back_along_both_parts(self, store: RunStore, longer: Done, kept: tuple[int, ...]) -> None:
        thin(store, longer, *kept)
        past = reopen(store, longer.id)
        for step in (LAST, 1, 5, 2 * PER_EPOCH, 2 * PER_EPOCH + 1, LAST - 1):
            moment = moment_at(past, step)
            assert moment is not None
            assert same(moment.live.weights(), longer.weights[step]), step
            assert moment.checkpoint.config == longer.config

    def test_the_one_that_goes_on_has_all_of_its_past(self, longer: Done) -> None:
        assert [tick.step for tick in longer.snapshots.ticks] == list(range(LAST + 1))
        assert all(snapshot.checkpoint.config == longer.config for snapshot in longer.snapshots.snapshots)

    def test_a_branch_of_its_later_part_repeats_it(self, store: RunStore, longer: Done) -> None:
        step = 2 * PER_EPOCH + 2
        for kept in ((8,), (step + 1,)):
            thin(store, longer, *kept)
            found = checkpoint_of(store, longer.id, step)
            assert found is not None
            config = branch_config(found)
            assert config.training == longer.config.training
            made = branch(found, config, parent=str(longer.id))
            child = do(store, config, resume=made, parent=Branch(longer.id, step))
            assert same(child.weights[LAST], longer.weights[LAST])


class TestInterrupted:
    def test_what_was_kept_before_is_kept_on(self, store: RunStore) -> None:
        """Killed after step 14 with a checkpoint of step 10; what was done after that is left behind."""
        config = small_config(network__dropout=0.3)
        first = do(store, config, doings={3: CHANGES[2]}, until=14)
        resume = load_checkpoint(store.folder(first.id))
        assert resume.step == 10
        doings: Doings = {11: lambda control: control.change(Change("learning_rate", 0.5))}
        second = do(store, config, resume=resume, again=first.id, doings=doings)
        assert second.id == first.id
        assert [tick.step for tick in second.snapshots.ticks] == list(range(LAST + 1))
        weights = {**first.weights, **second.weights}
        for kept in ((0, LAST), (0, 2, 9, 13)):
            for step in (LAST, 3, 9, 13, 12, 16):
                thin(store, second, *kept)
                moment = moment_at(reopen(store, second.id), step)
                assert moment is not None
                assert same(moment.live.weights(), weights[step]), step
        moment = moment_at(second.snapshots, 4)
        assert moment is not None
        assert same(moment.live.weights(), first.weights[4])

    def test_what_was_changed_before_is_not_changed_twice(
        self, store: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.rewind.snapshots.ALLOWANCE", -1e9)  # nothing but the first, the last and changes
        config = small_config()
        first = do(store, config, doings={3: CHANGES[2]}, until=14)
        resume = load_checkpoint(store.folder(first.id))
        doings: Doings = {11: lambda control: control.change(Change("learning_rate", 0.5))}
        second = do(store, config, resume=resume, again=first.id, doings=doings)
        for step, changes in ((5, 1), (10, 1), (13, 2), (LAST, 2)):
            found = checkpoint_at(second.snapshots, step)
            assert found is not None
            assert [change.step for change in found.interventions] == [3, 11][:changes]
            assert same(found.weights, {**first.weights, **second.weights}[step])

    def test_snapshots_of_a_course_that_was_left_behind_are_not_the_runs(self, store: RunStore) -> None:
        config = small_config()
        first = do(store, config, doings={11: lambda control: control.change(Change("learning_rate", 0.5))}, until=14)
        left = (store.folder(first.id) / NAME).read_bytes()
        second = do(store, config, resume=load_checkpoint(store.folder(first.id)), again=first.id, keep=False)
        (store.folder(first.id) / NAME).write_bytes(left)
        past = reopen(store, first.id)
        for step in (12, 13, 14, 17):
            moment = moment_at(past, step)
            assert moment is not None
            assert same(moment.live.weights(), second.weights[step])


class TestFile:
    def test_what_is_read_is_what_was_written(self, store: RunStore, tmp_path: Path) -> None:
        done = do(store, small_config(network__dropout=0.3), doings=CHANGES)
        written = done.snapshots.snapshots
        assert write_snapshots(tmp_path, written) == (tmp_path / NAME).stat().st_size
        read = read_snapshots(tmp_path / NAME)
        assert [s.marks for s in read] == [s.marks for s in written]
        for one, other in zip(read, written, strict=True):
            assert same(one.checkpoint.tensors, other.checkpoint.tensors)
            assert one.checkpoint.progress == other.checkpoint.progress
            assert one.checkpoint.manifest == other.checkpoint.manifest

    def test_tensors_that_several_hold_lie_in_it_once_and_are_one_in_memory(self, store: RunStore) -> None:
        done = do(store, small_config())
        size = sum(t.nbytes for s in done.snapshots.snapshots for t in s.checkpoint.tensors.values())
        write_snapshots(store.folder(done.id), done.snapshots.snapshots)
        read = read_snapshots(store.folder(done.id) / NAME)
        tensors = {id(t): t.nbytes for s in read for t in s.checkpoint.tensors.values()}
        assert sum(tensors.values()) < size / 2

    def test_the_budget_holds_and_what_matters_most_stays(self, store: RunStore) -> None:
        done = do(store, small_config(training__epochs=10))
        snapshots = done.snapshots.snapshots
        whole = write_snapshots(store.folder(done.id), snapshots)
        for share in (2, 4, 8):
            chosen = choose(snapshots, budget=whole // share)
            steps = [snapshot.checkpoint.step for snapshot in chosen]
            assert steps == sorted(steps)
            assert steps[0] == 0
            assert steps[-1] == 10 * PER_EPOCH
            assert any("best" in snapshot.marks for snapshot in chosen)
            assert 0 < write_snapshots(store.folder(done.id), snapshots, budget=whole // share) <= whole // share * 1.1
        assert choose(snapshots, budget=100) == []
        assert write_snapshots(store.folder(done.id), snapshots, budget=100) == 0

    def test_those_that_are_chosen_spread_evenly(self, store: RunStore) -> None:
        done = do(store, small_config(training__epochs=40))
        steps = [s.checkpoint.step for s in choose(done.snapshots.snapshots, most=17)]
        gaps = [after - before for before, after in pairwise(steps)]
        assert max(gaps) <= 4 * PER_EPOCH
        plain = [replace(snapshot, marks=frozenset()) for snapshot in done.snapshots.snapshots[:129]]
        steps = [s.checkpoint.step for s in choose(plain, most=33)]
        assert steps == list(range(0, 129, 4))

    def test_a_full_disk_costs_nothing_but_this_file(self, store: RunStore) -> None:
        done = do(store, small_config())
        path = store.folder(done.id) / NAME
        before = path.read_bytes()

        def full(_path: Path, pieces: Iterable[memoryview]) -> None:
            next(iter(pieces))
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            write_snapshots(path.parent, done.snapshots.snapshots, write=full)
        assert path.read_bytes() == before

    def test_damage_is_refused_and_the_run_opens_without_it(self, store: RunStore) -> None:
        done = do(store, small_config(), checkpoints=False)
        path = store.folder(done.id) / NAME
        sound = path.read_bytes()
        rng = random.Random(3)
        for number in range(60):
            data = bytearray(sound[: rng.randrange(len(sound))] if number % 3 == 0 else sound)
            if number % 3:
                span = len(data) if number % 3 == 1 else 20_000
                data[rng.randrange(span)] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            with pytest.raises(InputError):
                read_snapshots(path)
        past = reopen(store, done.id)
        assert past.note.startswith("Not all that was kept")
        assert [tick.step for tick in past.ticks] == [0]
        moment = moment_at(past, 3)
        assert moment is not None
        assert same(moment.live.weights(), done.weights[3])

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace(b'\\"step\\":6', b'\\"step\\":7', 1),
            lambda text: text.replace(b'"F32","shape":[8,2]', b'"I32","shape":[8,2]'),
            lambda text: text.replace(b'"F32","shape":[8,2]', b'"F32","shape":[2,8]'),
            lambda text: text.replace(b'\\"snapshots\\":1', b'\\"snapshots\\":2'),
            lambda text: text.replace(b'\\"model.', b'\\"mouse.'),
        ],
        ids=["steps out of order", "dtype", "shape", "version", "names"],
    )
    def test_contents_that_contradict_the_set_up_are_refused_even_with_a_right_checksum(
        self, store: RunStore, change: Callable[[bytes], bytes]
    ) -> None:
        import hashlib

        done = do(store, small_config())
        path = store.folder(done.id) / NAME
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        head, zeros = change(data[8 : 8 + length]), b"0" * 64
        assert head != data[8 : 8 + length]
        head = head[:29] + zeros + head[93:]
        whole = len(head).to_bytes(8, "little") + head + data[8 + length :]
        digest = hashlib.blake2b(whole, digest_size=32).hexdigest().encode()
        path.write_bytes(whole.replace(zeros, digest, 1))
        with pytest.raises(InputError):
            read_snapshots(path)

    def test_huge_sizes_are_refused_before_memory_is_taken(self, store: RunStore) -> None:
        done = do(store, small_config())
        path = store.folder(done.id) / NAME
        os.truncate(path, 2**40)
        with pytest.raises(InputError, match="longer than its header says"):
            read_snapshots(path)

    def test_a_checkpoint_is_no_file_of_snapshots(self, store: RunStore) -> None:
        done = do(store, small_config())
        shutil.copy(store.folder(done.id) / LATEST, store.folder(done.id) / NAME)
        with pytest.raises(InputError, match="makes no sense"):
            read_snapshots(store.folder(done.id) / NAME)

    def test_it_goes_with_the_run(self, store: RunStore) -> None:
        done = do(store, small_config())
        store.delete(done.id)
        assert (store.folder(done.id) / NAME).exists()
        store.purge()
        assert not (store.folder(done.id) / NAME).exists()


def test_of_all_runs_those_kept_longest_ago_make_room(store: RunStore) -> None:
    runs = [do(store, small_config(training__epochs=1)).id for _ in range(4)]
    files = [store.folder(run) / NAME for run in runs]
    for age, file in enumerate(reversed(files)):
        os.utime(file, (1000 - age, 1000 - age))
    size = max(file.stat().st_size for file in files)
    make_room(files[0].parent.parent, newest=files[1].parent, most=4 * size)
    assert all(file.exists() for file in files)
    make_room(files[0].parent.parent, newest=files[1].parent, most=2 * size)
    assert [file.exists() for file in files] == [False, True, False, True]
    make_room(files[0].parent.parent, newest=files[1].parent, most=1)
    assert [file.exists() for file in files] == [False, True, False, False]
    assert checkpoint_of(store, runs[0], 3) is not None


def test_what_another_window_removes_meanwhile_is_gone_back_along_to_the_end(store: RunStore, tmp_path: Path) -> None:
    done = do(store, small_config())
    thin(store, done, 0, 9)
    past = reopen(store, done.id)
    with RunStore(tmp_path) as other:
        other.delete(done.id)
        other.purge()
    for step in (4, 9, 12):
        moment = moment_at(past, step)
        assert moment is not None
        assert same(moment.live.weights(), done.weights[step])
    with pytest.raises(InputError):
        reopen(store, done.id)


def test_the_network_given_is_one_moment_of_many(store: RunStore) -> None:
    done = do(store, small_config())
    live = untrained(done.config)
    moment = moment_at(reopen(store, done.id, live=live), 5)
    assert moment is not None
    assert moment.live.is_moment_of(live)


def test_unknown_changes_are_told_apart() -> None:
    assert Unknown(1, "schedule") != Unknown(2, "schedule")
