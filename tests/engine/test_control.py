"""A run is steered between its steps, from its own thread and from others, and never hangs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.module import register_module_forward_hook

from engine.catalog import Catalog, Params
from engine.control import Change, RunControl, ScheduleChange
from engine.course import data_order
from engine.datasets import DATASETS
from engine.datasets.data import DatasetEntry, Loading
from engine.datasets.library import Library
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
from engine.schedules import SCHEDULES
from engine.training import train
from tests.engine.runs import RunInThread, dataset_of, losses, of_kind, toy_config

NEVER = 1e-6  # steps a second: the next one comes in eleven days

Act = Callable[[RunControl], object]


def drive(
    config_changes: dict[str, object], acts: dict[int, Act], *, picks: dict[str, str] | None = None
) -> list[Event]:
    """All events of a run on which `acts` are done after the steps of those numbers, 0 before the first one."""
    control = RunControl()
    events: list[Event] = []
    for event in train(toy_config(picks, **config_changes), control):
        events.append(event)
        if isinstance(event, Started) and 0 in acts:
            acts[0](control)
        if isinstance(event, StepFinished) and event.step in acts:
            acts[event.step](control)
        if isinstance(event, Paused):
            control.resume()
    return events


def steps_before(events: list[Event], kind: type[Event]) -> list[int]:
    """How many steps were done before each event of `kind`."""
    return [len(of_kind(events[:place], StepFinished)) for place, event in enumerate(events) if isinstance(event, kind)]


def paused_times(count: int, events: list[Event]) -> bool:
    return len(of_kind(events, Paused)) == count


class TestPausing:
    def test_takes_effect_before_the_next_step_and_changes_nothing_else(self) -> None:
        events = drive({"training__epochs": 2}, {3: RunControl.pause, 7: RunControl.pause})
        assert steps_before(events, Paused) == steps_before(events, Resumed) == [3, 7]
        assert [event.step for event in of_kind(events, Paused)] == [3, 7]
        assert losses(events) == losses(train(toy_config(training__epochs=2)))

    def test_before_the_first_step(self) -> None:
        events = drive({"training__steps": 2}, {0: RunControl.pause})
        assert steps_before(events, Paused) == [0]

    def test_after_the_last_step_comes_too_late(self) -> None:
        events = drive({"training__steps": 2}, {2: RunControl.pause})
        assert not of_kind(events, Paused)
        assert isinstance(events[-1], Finished)

    def test_taken_back_before_the_next_step_is_no_pause(self) -> None:
        def hesitate(control: RunControl) -> None:
            control.pause()
            control.resume()

        events = drive({"training__steps": 4}, {2: hesitate})
        assert not of_kind(events, Paused)

    def test_holds_the_run_until_another_thread_resumes_it(self) -> None:
        with RunInThread(toy_config(training__epochs=2), paused=True) as run:
            run.wait_until(lambda events: of_kind(events, Paused))
            run.control.resume()
            ending = run.join()
        assert isinstance(ending, Finished)
        assert ending.reason == "completed"
        assert losses(run.events) == losses(train(toy_config(training__epochs=2)))

    def test_time_stands_still_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lost = [0.0]  # seconds that went by in pauses
        now = time.perf_counter
        monkeypatch.setattr("engine.clock.time", SimpleNamespace(perf_counter=lambda: now() + lost[0]))

        control = RunControl()
        control.pause()
        events: list[Event] = []
        for event in train(toy_config(training__steps=5), control):
            events.append(event)
            if isinstance(event, Paused):
                lost[0] += 1e6
                control.resume()
        assert lost == [1e6]
        assert all(event.seconds < 1e6 for event in of_kind(events, StepFinished) + of_kind(events, Finished))


class TestSingleSteps:
    def test_each_request_is_one_step_then_a_pause(self) -> None:
        with RunInThread(toy_config(training__epochs=2), paused=True) as run:
            run.wait_until(lambda events: of_kind(events, Paused))
            for number in range(1, 4):
                run.control.step_once()
                run.wait_until(partial(paused_times, number + 1))
                assert len(of_kind(run.events, StepFinished)) == number

    def test_several_requests_add_up(self) -> None:
        with RunInThread(toy_config(training__epochs=2), paused=True) as run:
            run.wait_until(lambda events: of_kind(events, Paused))
            run.control.step_once()
            run.control.step_once()
            run.wait_until(lambda events: len(of_kind(events, StepFinished)) >= 2 and isinstance(events[-1], Paused))
            assert len(of_kind(run.events, StepFinished)) == 2

    def test_from_full_speed_pauses_after_the_next_step(self) -> None:
        events = drive({"training__epochs": 1}, {3: RunControl.step_once})
        assert steps_before(events, Paused) == [4]

    def test_comes_at_once_in_slow_motion(self) -> None:
        with RunInThread(toy_config(), speed=NEVER) as run:
            run.wait_until(lambda events: of_kind(events, StepFinished))
            run.control.step_once()
            run.wait_until(lambda events: isinstance(events[-1], Paused))
            assert len(of_kind(run.events, StepFinished)) == 2

    def test_an_epoch_goes_to_its_end_and_pauses(self) -> None:
        events = drive({"training__epochs": 3}, {2: RunControl.run_epoch, 9: RunControl.run_epoch})
        assert steps_before(events, Paused) == [7, 14]
        ended = [event for event in events if isinstance(event, EpochFinished | Paused)]
        assert [type(event) for event in ended] == [EpochFinished, Paused, EpochFinished, Paused, EpochFinished]

    def test_an_epoch_wakes_a_paused_run(self) -> None:
        with RunInThread(toy_config(training__epochs=2), paused=True) as run:
            run.wait_until(lambda events: of_kind(events, Paused))
            run.control.run_epoch()
            run.wait_until(lambda events: of_kind(events, EpochFinished) and isinstance(events[-1], Paused))
            assert len(of_kind(run.events, StepFinished)) == 7

    def test_the_last_epoch_ends_the_run_without_a_pause(self) -> None:
        events = drive({"training__epochs": 1}, {2: RunControl.run_epoch})
        assert not of_kind(events, Paused)


class TestSlowMotion:
    def test_waits_between_steps_and_goes_on_when_it_ends(self) -> None:
        with RunInThread(toy_config(training__epochs=1), speed=NEVER) as run:
            run.wait_until(lambda events: of_kind(events, StepFinished))
            assert len(of_kind(run.events, StepFinished)) == 1
            assert run.control.speed == NEVER
            run.control.set_speed(None)
            ending = run.join()
        assert isinstance(ending, Finished)
        assert ending.step == 7

    def test_another_speed_counts_at_once(self) -> None:
        with RunInThread(toy_config(training__epochs=1), speed=NEVER) as run:
            run.wait_until(lambda events: of_kind(events, StepFinished))
            run.control.set_speed(10_000.0)
            assert isinstance(run.join(), Finished)

    def test_changes_are_taken_over_while_it_waits(self) -> None:
        with RunInThread(toy_config(), speed=NEVER) as run:
            run.wait_until(lambda events: of_kind(events, StepFinished))
            run.control.change(Change("learning_rate", 0.5))
            run.wait_until(lambda events: of_kind(events, Intervened))
            run.control.pause()
            run.wait_until(lambda events: of_kind(events, Paused))


class TestStopping:
    @pytest.mark.parametrize("waiting", ["paused", "slow motion", "training"])
    def test_ends_a_run_at_once_whatever_it_does(self, waiting: str) -> None:
        speed = NEVER if waiting == "slow motion" else None
        with RunInThread(toy_config(training__epochs=100_000), paused=waiting == "paused", speed=speed) as run:
            expected = Paused if waiting == "paused" else StepFinished
            run.wait_until(lambda events: of_kind(events, expected))
            run.control.stop()
            ending = run.join()
        assert isinstance(ending, Finished)
        assert (ending.reason, ending.step) == ("stopped", len(of_kind(run.events, StepFinished)))
        assert not of_kind(run.events, Resumed)

    def test_while_loading(self) -> None:
        closed: list[str] = []

        def load(params: Params) -> Loading:
            try:
                while params:
                    yield Preparing("Downloading", 0.5)
            finally:
                closed.append("the download")
            return (yield from DATASETS["gaussians"].load(params))

        slow = replace(DATASETS["gaussians"], load=load)
        with RunInThread(toy_config(), Library(catalog=Catalog("dataset", DatasetEntry, [slow]))) as run:
            run.wait_until(lambda events: len(events) > 3)
            run.control.stop()
            ending = run.join()
        assert isinstance(ending, Finished)
        assert (ending.reason, ending.step) == ("stopped", 0)
        assert closed == ["the download"]

    @pytest.mark.parametrize("events", range(7))
    def test_at_any_moment_before_the_first_step(self, events: int) -> None:
        """Loading, building, measuring, arranging, evaluating: 0 is before the run was asked for its first event."""
        control = RunControl()
        run = train(toy_config(training__threads=0), control)
        seen = [next(run) for _ in range(events)]
        assert not of_kind(seen, StepFinished)
        control.stop()
        *_, ending = run
        assert isinstance(ending, Finished)
        assert (ending.reason, ending.step) == ("stopped", 0)

    @pytest.mark.parametrize("steps", [0, 7, 9], ids=["the first", "an epoch's", "the last"])
    def test_while_evaluating(self, steps: int) -> None:
        """The evaluation is given up, and a run whose last one is missing did not complete."""
        control = RunControl()
        done: list[Event] = []

        def stop_in_evaluation(module: nn.Module, *_: object) -> None:
            if not module.training and len(of_kind(done, StepFinished)) == steps:
                control.stop()

        handle = register_module_forward_hook(stop_in_evaluation)
        try:
            for event in train(toy_config(training__steps=9), control):
                done.append(event)
        finally:
            handle.remove()
        ending = done[-1]
        assert isinstance(ending, Finished)
        assert (ending.reason, ending.step) == ("stopped", steps)
        assert not of_kind(done, EpochFinished) or steps == 9
        assert len(of_kind(done, Evaluated)) == (0 if steps == 0 else 1)

    def test_after_everything_was_done_is_still_a_completed_run(self) -> None:
        control = RunControl()
        events: list[Event] = []
        for event in train(toy_config(training__epochs=1), control):
            events.append(event)
            if isinstance(event, EpochFinished):
                control.stop()
        assert isinstance(events[-1], Finished)
        assert events[-1].reason == "completed"

    def test_keeps_the_weights_of_the_last_step(self) -> None:
        stopped, control = RunControl(), RunControl()
        for event in train(toy_config(), stopped):
            if isinstance(event, StepFinished) and event.step == 5:
                stopped.stop()
        list(train(toy_config(training__steps=5), control))
        assert stopped.live is not None
        assert control.live is not None
        weights = control.live.weights()
        assert all(torch.equal(value, weights[name]) for name, value in stopped.live.weights().items())


def bare_sgd(act: Callable[[torch.optim.Optimizer, int], object], **settings: float) -> list[float]:
    """Losses of 14 steps of SGD on the toy set; `act` is called before each with the number of steps done."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(network.parameters(), **settings, fused=True)  # type: ignore[arg-type]
    data = dataset_of(toy_config())
    found: list[float] = []
    for epoch in (1, 2):
        for index in torch.split(data_order(400, seed=0, epoch=epoch), 64):
            act(optimizer, len(found))
            optimizer.zero_grad()
            loss = cross_entropy(network(data.train.inputs[index] / 2.5), data.train.targets[index])
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            optimizer.step()
            found.append(loss.item())
    return found


class TestChanges:
    @pytest.mark.parametrize(
        ("name", "key", "value"),
        [("learning_rate", "lr", 0.5), ("momentum", "momentum", 0.3), ("weight_decay", "weight_decay", 0.2)],
    )
    @pytest.mark.parametrize("step", [0, 5, 7])
    def test_count_from_exactly_the_next_step(self, name: str, key: str, value: float, step: int) -> None:
        sgd = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01}
        events = drive(
            {"training__epochs": 2, **{f"optimizer__{setting}": number for setting, number in sgd.items()}},
            {step: lambda control: control.change(Change(name, value))},
            picks={"optimizer": "sgd"},
        )

        def act(optimizer: torch.optim.Optimizer, done: int) -> None:
            if done == step:
                optimizer.param_groups[0][key] = value

        assert losses(events) == bare_sgd(act, lr=0.1, momentum=0.9, weight_decay=0.01)
        [intervened] = of_kind(events, Intervened)
        assert intervened == Intervened(step, name, f"{sgd[name]:g}", f"{value:g}")
        assert steps_before(events, Intervened) == [step]

    def test_of_the_learning_rate_scale_the_schedule_that_goes_on(self) -> None:
        events = drive(
            {"training__epochs": 2, "optimizer__learning_rate": 0.1},
            {5: lambda control: control.change(Change("learning_rate", 0.4))},
            picks={"schedule": "cosine"},
        )
        cosine = SCHEDULES["cosine"]
        factors = [
            cosine.multiplier(step, total=14, steps_per_epoch=7, params={"warm_up": 0.0, "final": 0.0})
            for step in range(14)
        ]
        rates = [event.learning_rate for event in of_kind(events, StepFinished)]
        assert rates == pytest.approx([0.1 * f for f in factors[:5]] + [0.4 * f for f in factors[5:]])

    def test_of_the_schedule_take_the_new_one_at_its_place_in_the_run(self) -> None:
        request = ScheduleChange("step", {"every_epochs": 1, "factor": 0.1})
        events = drive({"training__epochs": 2, "optimizer__learning_rate": 0.1}, {9: lambda c: c.change(request)})
        rates = [event.learning_rate for event in of_kind(events, StepFinished)]
        assert rates == pytest.approx([0.1] * 9 + [0.01] * 5)
        assert of_kind(events, Intervened) == [Intervened(9, "schedule", "constant", "step", request.params)]

    def test_of_the_schedule_fill_in_settings_that_were_left_out(self) -> None:
        events = drive({"training__epochs": 1}, {2: lambda c: c.change(ScheduleChange("one_cycle", {}))})
        assert isinstance(events[-1], Finished)

    def test_are_taken_in_the_order_in_which_they_were_asked(self) -> None:
        def ask(control: RunControl) -> None:
            for value in (0.5, 0.25, 0.125):
                control.change(Change("learning_rate", value))

        events = drive({"training__steps": 4, "optimizer__learning_rate": 1.0}, {2: ask})
        assert [(e.old, e.new) for e in of_kind(events, Intervened)] == [
            ("1", "0.5"),
            ("0.5", "0.25"),
            ("0.25", "0.125"),
        ]
        assert of_kind(events, StepFinished)[2].learning_rate == 0.125

    def test_are_taken_over_while_paused(self) -> None:
        with RunInThread(toy_config(), paused=True) as run:
            run.wait_until(lambda events: of_kind(events, Paused))
            run.control.change(Change("learning_rate", 0.5))
            run.wait_until(lambda events: of_kind(events, Intervened))
            assert isinstance(run.events[-1], Intervened)

    def test_that_the_optimizer_does_not_know_name_the_setting(self) -> None:
        events = drive({}, {2: lambda control: control.change(Change("momentum", 0.5))})
        assert isinstance(events[-1], Failed)
        assert events[-1].field == "optimizer.momentum"


class TestAttention:
    def test_is_asked_for_only_while_there_is_something_to_look_at(self) -> None:
        """What the run reads at every step is off again once all requests are done with."""
        control = RunControl()
        assert not control.attention
        for ask, undo in (
            (control.pause, control.resume),
            (lambda: control.set_speed(2.0), lambda: control.set_speed(None)),
            (lambda: control.change(Change("learning_rate", 0.1)), control.take_changes),
            (control.step_once, control.resume),
        ):
            ask()
            assert control.attention
            undo()
            assert not control.attention
        control.run_epoch()
        assert not control.attention
        control.epoch_ended()
        assert control.attention

    @pytest.mark.parametrize("seed", range(3))
    def test_any_requests_in_any_order_leave_a_run_that_ends(self, seed: int) -> None:
        chance = random.Random(seed)
        with RunInThread(toy_config(training__epochs=100_000)) as run:
            control = run.control
            acts: list[Callable[[], object]] = [
                control.pause,
                control.resume,
                control.step_once,
                control.run_epoch,
                lambda: control.set_speed(chance.choice([None, NEVER, 1.0, 1e5])),
                lambda: control.change(Change("learning_rate", chance.uniform(1e-4, 1e-2))),
                lambda: control.change(ScheduleChange(chance.choice(["constant", "cosine", "reduce_on_plateau"]), {})),
            ]
            for _ in range(300):
                chance.choice(acts)()
            control.set_speed(None)
            control.resume()
            done = len(run.events)
            run.wait_until(lambda events: of_kind(events[done:], StepFinished))
            control.stop()
            ending = run.join()
        assert isinstance(ending, Finished)
        steps = [event.step for event in of_kind(run.events, StepFinished)]
        assert steps == list(range(1, len(steps) + 1))
        assert waits_alternate(run.events)


def waits_alternate(events: list[Event]) -> bool:
    """Every pause is followed by its end, but for the last one."""
    waits: Iterator[Event] = (event for event in events if isinstance(event, Paused | Resumed))
    return all(isinstance(event, Resumed if place % 2 else Paused) for place, event in enumerate(waits))


def test_changes_are_told_with_all_their_digits() -> None:
    exact = 0.1 / 3
    events = drive(
        {"training__epochs": 1, "optimizer__learning_rate": 0.1},
        {2: lambda control: control.change(Change("learning_rate", exact))},
    )
    [intervened] = of_kind(events, Intervened)
    assert intervened.old == "0.1"
    assert float(intervened.new) == exact
