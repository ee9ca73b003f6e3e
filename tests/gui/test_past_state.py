"""A run of the past on screen: the same from columns as if the window had followed its events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.events import Event, Failed, Intervened, StopReason
from engine.runs.query import RunQuery
from engine.runs.store import RunStore
from gui.history import NEWEST, read_newest, read_runs, state_of
from gui.run_state import RunState
from tests.engine.history import CONFIG, keep, told

SERIES = (
    "loss",
    "accuracy",
    "learning_rate",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "epoch_loss",
)
PLAIN = (
    "status",
    "step",
    "epoch",
    "total_steps",
    "seconds",
    "evaluations",
    "interventions",
    "finished",
    "failure",
    "preparing",
    "device",
    "network",
)


def check_same(state: RunState, other: RunState) -> None:
    for name in PLAIN:
        assert getattr(state, name) == getattr(other, name), name
    for name in SERIES:
        ours, theirs = getattr(state, name), getattr(other, name)
        assert ours.count == theirs.count, name
        for part in ("first_steps", "last_steps", "seconds", "lows", "highs", "lasts"):
            np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part), err_msg=f"{name}.{part}")
        np.testing.assert_allclose(ours.means, theirs.means, rtol=1e-12)
        if ours.has_smoothing:
            np.testing.assert_allclose(ours.smoothed(6), theirs.smoothed(6), rtol=1e-9)
    assert state.track.names == other.track.names
    for part in ("steps", "parameters", "gradients"):
        np.testing.assert_array_equal(getattr(state.track, part), getattr(other.track, part), err_msg=part)


@pytest.mark.parametrize(
    ("steps", "per_epoch", "tracked", "reason"),
    [
        (30, 10, True, "completed"),
        (25, 10, False, "stopped"),
        (9000, 1000, False, "early_stopping"),
        (13, 10, True, None),
    ],
)
def test_columns_say_what_events_say(
    tmp_path: Path, *, steps: int, per_epoch: int, tracked: bool, reason: StopReason | None
) -> None:
    events: list[Event] = told(steps, per_epoch=per_epoch, tracked=tracked, reason=reason)
    events.insert(12, Intervened(10, "learning_rate", "0.01", "0.02"))
    followed = RunState()
    followed.apply(events)
    if reason is None:
        words = f"The program ended while this run went on, after step {steps}."
        followed.apply([Failed("error", words, steps)])
    with RunStore(tmp_path) as store:
        found = state_of(store.run(keep(store, events)))
    check_same(found, followed)
    assert found.samples_per_second is not None or steps < 100


def test_a_run_that_never_began_has_nothing_to_show(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        failed = Failed("input", "There is no such file.", 0)
        state = state_of(store.run(keep(store, [failed])))
    assert (state.status, state.step, state.failure) == ("failed", 0, failed)


def test_the_newest_runs_come_first_with_their_tags(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        for number in range(NEWEST + 3):
            store.record(CONFIG, tags=(f"run {number}",) if number % 50 == 2 else ()).close()
        newest, all_of_them = read_newest(store), read_runs(store, first=False).runs
        assert [run.id for run in all_of_them] == list(range(NEWEST + 3, 0, -1))
        assert newest == all_of_them[:NEWEST]
        assert [run.tags for run in newest if run.tags] == [(f"run {n}",) for n in (202, 152, 102, 52)]
        assert store.runs(RunQuery(limit=0)) == []
