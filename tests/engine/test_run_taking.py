"""Runs of the history taken away with what they branched off, and runs from elsewhere taken in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.checkpoint_folder import CheckpointPolicy
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.errors import InputError
from engine.events import StepFinished
from engine.export import write_folder, write_zip
from engine.rewind.branch import branch, branch_config
from engine.rewind.moments import checkpoint_at
from engine.rewind.snapshots import Snapshots
from engine.run_taking import import_run, script_of, taken, verified
from engine.runs.run_record import Branch
from engine.runs.store import RunStore
from engine.training import train
from engine.weight_hash import weight_hash
from tests.engine.runs import toy_config


def ignore(_what: str, _share: float | None) -> None:
    pass


def recorded(store: RunStore, config: RunConfig, parent: Branch | None = None, **others: object) -> tuple[int, str]:
    """A run in the history, changed on its way, with a checkpoint at its end: its number, and its weights' hash."""
    control = RunControl()
    with store.record(config, parent=parent) as recorder:
        assert recorder.run_id is not None
        assert recorder.folder is not None
        policy = CheckpointPolicy(folder=recorder.folder, every_epochs=0, copy_epochs=0, at_best=False)
        for event in train(config, control, checkpoints=policy, **others):  # type: ignore[arg-type]
            recorder.put(event)
            if isinstance(event, StepFinished) and event.step == 2:
                control.change(Change("learning_rate", 0.0123))
                control.change(ScheduleChange("step", {"every_epochs": 1, "factor": 0.5}))
    assert control.live is not None
    return recorder.run_id, weight_hash(control.live.weights())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def family(store: RunStore) -> tuple[RunStore, int, str]:
    """A branch of a run that was changed."""
    config, snapshots = toy_config(training__epochs=3, training__batch_size=40), Snapshots(share=2.0)
    run, _ = recorded(store, config, snapshots=snapshots)
    checkpoint = checkpoint_at(snapshots, 5)
    assert checkpoint is not None
    other = branch_config(checkpoint, {"optimizer": "sgd", "training.batch_size": 25})
    child, found = recorded(store, other, Branch(run, 5), resume=branch(checkpoint, other, parent=str(run)))
    return store, child, found


def test_a_branch_in_the_history_is_verified(family: tuple[RunStore, int, str]) -> None:
    store, run, expected = family
    told: list[str] = []
    verdict = verified(store, run, lambda what, _share: told.append(what))
    assert (verdict.outcome, verdict.expected, verdict.found) == ("equal", expected, expected)
    assert told
    assert "# Part 2: after step 5 the run goes on" in script_of(store, run, ignore)


def test_a_run_from_elsewhere_is_as_it_was_and_its_script_gives_its_weights(store: RunStore, tmp_path: Path) -> None:
    run, expected = recorded(store, toy_config(training__epochs=2))
    write_zip(tmp_path / "my run.zip", taken(store, run, ignore))
    write_folder(tmp_path / "folder", taken(store, run, ignore))
    was = store.run(run)
    for path in (tmp_path / "my run.zip", tmp_path / "folder"):
        with RunStore(tmp_path / f"home of {path.stem}") as other:
            number = import_run(other, path, ignore)
            record = other.run(number)
            assert (record.summary.name, record.summary.tags) == (path.stem, ("imported",))
            assert record.config == was.config
            assert record.interventions == was.interventions
            assert record.ending == was.ending
            assert list(record.steps().loss) == list(was.steps().loss)
            assert weight_hash(taken(other, number, ignore).weights) == expected
            assert script_of(other, number, ignore) == script_of(store, run, ignore)


def test_a_branch_without_its_parent_is_taken_in_and_says_why_it_has_no_script(
    family: tuple[RunStore, int, str], tmp_path: Path
) -> None:
    store, run, expected = family
    write_zip(tmp_path / "branch.zip", taken(store, run, ignore))
    with RunStore(tmp_path / "elsewhere") as other:
        number = import_run(other, tmp_path / "branch.zip", ignore)
        exported = taken(other, number, ignore)
        assert weight_hash(exported.weights) == expected
        with pytest.raises(InputError, match="branched off another one, which is not known here"):
            exported.script()


@pytest.mark.parametrize("hostile", ["order", "threads", "large", "negative"])
def test_events_that_the_history_cannot_hold_are_refused_and_leave_nothing(
    hostile: str, store: RunStore, tmp_path: Path
) -> None:
    run, _ = recorded(store, toy_config(training__epochs=1))
    folder = tmp_path / "run"
    write_folder(folder, taken(store, run, ignore))
    (folder / "manifest.json").unlink()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [event for event in events if event["type"] == "step"]
    match hostile:
        case "order":
            steps[1]["step"] = steps[0]["step"]
        case "threads":
            events[0]["threads"] = 100_000
        case "large":
            steps[-1]["step"] = 10**30
        case "negative":
            steps[0]["step"] = -5
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    with pytest.raises(InputError, match=r"^archive: .*events\.jsonl"):
        import_run(store, folder, ignore)
    assert [known.id for known in store.runs()] == [run]


def test_what_is_given_up_on_the_way_is_not_in_the_history(store: RunStore, tmp_path: Path) -> None:
    run, _ = recorded(store, toy_config(training__epochs=1))
    write_zip(tmp_path / "run.zip", taken(store, run, ignore))

    def give_up(what: str, _share: float | None) -> None:
        if what.startswith("Taking"):
            given_up.append(what)
        if len(given_up) == 2:
            raise ValueError("enough")

    given_up: list[str] = []
    with pytest.raises(ValueError, match="enough"):
        import_run(store, tmp_path / "run.zip", give_up)
    assert [known.id for known in store.runs()] == [run]
