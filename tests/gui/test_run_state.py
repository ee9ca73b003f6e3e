"""What the window knows of a run, from its events."""

from __future__ import annotations

import math

import pytest

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
    Started,
    StepFinished,
)
from gui.run_state import EVALUATIONS, RunState

STARTED = Started(
    device="cpu",
    threads=2,
    memory_format="contiguous",
    precision="float32",
    parameters=61_706,
    batch_size=100,
    steps_per_epoch=10,
    total_steps=30,
    train_size=1_000,
    network="lenet5",
    dataset="mnist",
)


def step(number: int, *, loss: float = 1.0, seconds: float | None = None) -> StepFinished:
    return StepFinished(
        step=number,
        epoch=(number - 1) // 10 + 1,
        loss=loss,
        learning_rate=0.1,
        seconds=number / 10 if seconds is None else seconds,
        accuracy=0.5 if number % 10 == 0 else None,
    )


def epoch(number: int) -> EpochFinished:
    return EpochFinished(number, number * 10, 0.9, 0.8, 0.7, 0.85, 0.75, 0.1, number * 1.0)


FIRST = Evaluated(0, 2.3, 0.1, 2.2, 0.11, 0.0)


def after(*events: Event) -> RunState:
    state = RunState()
    state.apply(events)
    return state


def test_a_run_from_start_to_end() -> None:
    finished = Finished("completed", 30, 3, 3.0, 1000.0)
    steps = [step(i) for i in range(1, 31)]
    state = after(Preparing("Loading", 0.5), STARTED, FIRST, *steps[:10], epoch(1), *steps[10:], finished)
    assert (state.status, state.step, state.epoch) == ("finished", 30, 3)
    assert state.finished is finished
    assert (state.device, state.threads, state.network, state.dataset) == ("cpu", 2, "lenet5", "mnist")
    assert (state.steps_per_epoch, state.total_steps, state.batch_size) == (10, 30, 100)
    assert state.progress == 1.0
    assert state.preparing is None
    assert state.loss.last_steps.tolist() == list(range(1, 31))
    assert state.accuracy.last_steps.tolist() == [10, 20, 30]
    assert state.learning_rate.latest == 0.1
    assert [e.step for e in state.evaluations] == [0, 10]
    assert state.evaluations[0].train_loss is None
    assert (state.evaluations[1].epoch, state.evaluations[1].train_loss) == (1, 0.9)
    assert state.test_accuracy.lasts.tolist() == [0.1, 0.7]
    assert state.validation_loss.lasts.tolist() == [2.2, 0.85]
    assert state.epoch_loss.lasts.tolist() == [0.9]


def test_before_anything_it_is_idle() -> None:
    state = RunState()
    assert (state.status, state.step, state.epoch, state.seconds_left, state.progress) == ("idle", 0, 0, None, None)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([Preparing("Loading")], "running"),
        ([STARTED], "running"),
        ([STARTED, step(1), Paused(1)], "paused"),
        ([STARTED, step(1), Paused(1), step(2)], "paused"),  # a single step leaves it paused
        ([STARTED, step(1), Paused(1), Resumed(1)], "running"),
        ([STARTED, Finished("stopped", 0, 0, 0.0, 0.0)], "finished"),
        ([STARTED, Failed("diverged", "The loss became infinite.", 1)], "failed"),
        ([Preparing("Loading"), Failed("input", "No such file.", 0, "dataset")], "failed"),
    ],
)
def test_status(events: list[Event], status: str) -> None:
    assert after(*events).status == status


def test_a_failure_is_kept() -> None:
    failure = Failed("diverged", "The loss became infinite.", 4)
    assert after(STARTED, step(1), failure).failure is failure


def test_what_is_being_prepared_is_known_until_the_run_starts() -> None:
    state = after(Preparing("Downloading", 0.25))
    assert state.preparing == ("Downloading", 0.25)
    state.apply([STARTED])
    assert state.preparing is None


def test_the_next_run_begins_anew() -> None:
    state = after(STARTED, FIRST, *(step(i) for i in range(1, 31)), Finished("completed", 30, 3, 3.0, 1.0))
    before = state.generation
    state.apply([Preparing("Loading"), STARTED, step(1, loss=7.0)])
    assert state.generation == before + 1
    assert (state.status, state.step, state.loss.count, state.finished) == ("running", 1, 1, None)
    assert state.evaluations == []


def test_steps_of_two_runs_in_one_frame_do_not_mix() -> None:
    state = after(STARTED, step(1), step(2), STARTED, step(1, loss=7.0))
    assert state.loss.lasts.tolist() == [7.0]


def test_reset_forgets_the_run() -> None:
    state = after(STARTED, step(1), Intervened(1, "learning_rate", "0.1", "0.01"))
    state.reset()
    assert (state.status, state.step, state.loss.count, state.interventions) == ("idle", 0, 0, [])


def test_interventions_are_kept_in_order() -> None:
    changes = [Intervened(1, "learning_rate", "0.1", "0.01"), Intervened(2, "momentum", "0", "0.9")]
    assert after(STARTED, step(1), changes[0], step(2), changes[1]).interventions == changes


def test_speed_and_time_left_follow_the_last_two_seconds_of_training() -> None:
    state = after(STARTED)
    for i in range(1, 11):
        state.apply([step(i, seconds=i * 1.0)])  # one step a second
    assert state.samples_per_second == pytest.approx(100)
    assert state.seconds_left == pytest.approx(20)
    for i in range(11, 31):
        state.apply([step(i, seconds=10 + (i - 10) * 0.25)])  # four steps a second, for five seconds
    assert state.samples_per_second == pytest.approx(400)
    assert state.seconds_left == 0


def test_speed_does_not_jump_between_frames_of_one_step() -> None:
    state = after(STARTED)
    for i in range(1, 40):
        jitter = 0.004 if i % 2 else -0.004
        state.apply([step(i, seconds=i / 10 + jitter)])
    assert state.samples_per_second == pytest.approx(1000, rel=0.01)


def test_a_run_without_accuracy_and_validation() -> None:
    state = after(STARTED, Evaluated(0, 2.0, None, None, None, 0.0), StepFinished(1, 1, 0.5, 0.1, 0.1))
    assert (state.accuracy.count, state.test_accuracy.count, state.validation_loss.count) == (0, 0, 0)
    assert state.test_loss.latest == 2.0


def test_a_loss_that_is_no_number_is_kept_as_such() -> None:
    assert math.isnan(after(STARTED, step(1), step(2, loss=math.nan)).loss.latest)


def test_evaluations_are_bounded_and_keep_the_first_and_the_last() -> None:
    state = after(STARTED, FIRST)
    state.apply([epoch(i) for i in range(1, 3 * EVALUATIONS)])
    assert len(state.evaluations) <= EVALUATIONS
    assert state.evaluations[0].step == 0
    assert state.evaluations[-1].epoch == 3 * EVALUATIONS - 1
    assert [e.step for e in state.evaluations] == sorted(e.step for e in state.evaluations)


def test_how_the_events_are_cut_into_frames_makes_no_difference() -> None:
    events: list[Event] = [STARTED, FIRST, *(step(i, loss=1 / i) for i in range(1, 11)), epoch(1)]
    whole, single = after(*events), RunState()
    for event in events:
        single.apply([event])
    assert single.loss.smoothed(5).tolist() == pytest.approx(whole.loss.smoothed(5).tolist(), rel=1e-12)
    assert single.evaluations == whole.evaluations
    assert (single.step, single.epoch, single.seconds) == (whole.step, whole.epoch, whole.seconds)
