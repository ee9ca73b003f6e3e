"""A race whose runs go on at once: fair, recorded as it goes, followed and ended from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from engine import cores, race_run
from engine.checkpoint import load_checkpoint
from engine.checkpoint_folder import holds_checkpoint
from engine.config import RunConfig
from engine.events import Finished, Preparing, StepFinished
from engine.race import Entrant, Race, entries, make_axes
from engine.race_run import RaceRun
from engine.race_runner import RaceEvent, Record, run_race, with_threads
from engine.runs.store import RunStore
from tests.engine.runs import toy_config

PATIENCE = 60.0  # s


def entrants(text: str = "optimizer=sgd,adam", **settings: object) -> list[Entrant]:
    base = toy_config(None, **settings)
    return entries(Race(base, make_axes([text], base)))


def wild() -> Entrant:
    """A run that diverges at once."""
    return Entrant("wild", toy_config({"optimizer": "sgd", "loss": "mse"}, optimizer__learning_rate=1000.0))


def losses_alone(config: RunConfig) -> list[float]:
    """Of the run as it is one after the other, with the threads that it has at once."""
    alone = Entrant("alone", with_threads(config, max(1, cores.count() // 2)))
    return [told.event.loss for told in run_race([alone]) if isinstance(told.event, StepFinished)]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "home")


def test_runs_at_once_are_those_one_after_the_other_and_one_that_fails_ends_no_other(store: RunStore) -> None:
    good = entrants(training__epochs=2)
    race = RaceRun([wild(), *good], at_once=2)
    assert {result.standing for result in race.results} == {"waiting"}
    assert race.recorded == []
    with store:
        race.follow(store)
        assert race.problem == ""
        assert [result.standing for result in race.results] == ["failed", "completed", "completed"]
        assert race.results[0].message
        assert race.recorded == [1, 2, 3]
        starts = []
        for entrant, run, result in zip(good, race.numbers[1:], race.results[1:], strict=True):
            assert run is not None
            record = store.run(run)
            assert record.steps().loss.tolist() == losses_alone(entrant.config)
            assert record.summary.name == entrant.label
            assert record.summary.status == "finished"
            assert (result.step, result.loss) == (record.summary.step, record.summary.batch_loss)
            assert result.test_accuracy == record.summary.test_accuracy
            starts.append(record.evaluations()[0])
            assert load_checkpoint(store.folder(run)).step == result.step
        assert starts[0].test_loss == starts[1].test_loss, "the same seed gives the same initial weights"
        assert store.run(1).summary.status == "failed"
        assert len({run.tags for run in store.runs()}) == 1


def test_stop_keeps_what_each_run_has(store: RunStore) -> None:
    race = RaceRun(entrants("seeds=3", training__epochs=100_000), at_once=2)
    with store:
        thread = threading.Thread(target=race.follow, args=(store,))
        thread.start()
        ends = time.monotonic() + PATIENCE
        while sum(result.step > 0 for result in race.results) < 2 and time.monotonic() < ends:
            thread.join(0.01)
        race.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert [result.standing for result in race.results] == ["stopped", "stopped", "waiting"]
        assert len(race.recorded) == 2
        for run, result in zip(race.recorded, race.results, strict=False):
            record = store.run(run)
            assert isinstance(record.ending, Finished)
            assert record.summary.status == "stopped"
            assert record.summary.step == result.step > 0
            assert holds_checkpoint(store.folder(run))
            assert np.isfinite(record.steps().loss).all()


def broken_race(entrants: Sequence[Entrant], *, record: Record, **_: object) -> Iterator[RaceEvent]:
    """Stands for `run_race`: two runs, of which the second breaks off with a defect."""
    with record(entrants[0]) as kept:
        for event in (Preparing("Loading"), Finished("completed", 3, 1, 0.5, 10.0)):
            kept.put(event)
            yield RaceEvent(1, event)
    with record(entrants[1]) as kept:
        kept.put(Preparing("Loading"))
        yield RaceEvent(2, Preparing("Loading"))
        raise RuntimeError("no such thing")


@pytest.mark.parametrize("recorded", [True, False])
def test_a_defect_is_said_and_leaves_no_run_under_way(
    monkeypatch: pytest.MonkeyPatch, store: RunStore, recorded: bool
) -> None:
    monkeypatch.setattr(race_run, "run_race", broken_race)
    race = RaceRun(entrants("seeds=2"), at_once=64)
    assert race.at_once == 2
    with store:
        race.follow(store if recorded else None)
        assert "no such thing" in race.problem
        assert [result.standing for result in race.results] == ["completed", "failed"]
        assert "no such thing" in race.results[1].message
        assert [run.status for run in store.runs()] == ["interrupted", "finished"] * recorded
    assert race.recorded == [1, 2] * recorded


def test_stopped_before_it_begins_it_does_nothing() -> None:
    race = RaceRun(entrants("seeds=2"), at_once=2)
    race.stop()
    race.follow(None)
    assert {result.standing for result in race.results} == {"waiting"}
