"""Races: which runs there are, that they start alike, and that no run's end is the end of the others."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import pytest
import torch
from torch import Tensor

from engine import cores
from engine.config import make_config, settings_of
from engine.control import RunControl
from engine.errors import InputError
from engine.event_lines import event_of
from engine.events import (
    CheckpointFailed,
    CheckpointSaved,
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
    as_json,
)
from engine.optimizers import OPTIMIZERS
from engine.parts import CATALOGS
from engine.race import MOST_RUNS, Axis, Entrant, Race, entries, make_axes, race_tag, seeds_axis
from engine.race_results import RaceResult
from engine.race_runner import Kept, RaceEvent, run_race, with_threads
from engine.training import train
from tests.engine.runs import losses, toy_config


def race(*texts: str, **settings: object) -> list[Entrant]:
    base = toy_config(None, **settings)
    return entries(Race(base, make_axes(texts, base)))


def of_entrant(told: list[RaceEvent], number: int) -> list[Event]:
    return [one.event for one in told if one.entrant == number]


class TestEntries:
    def test_of_optimizers_keep_the_rest_of_the_set_up(self) -> None:
        base = toy_config(optimizer__learning_rate=0.05, training__seed=3)
        found = entries(Race(base, make_axes(["optimizer=sgd,adam,muon"], base)))
        assert [entrant.label for entrant in found] == ["sgd", "adam", "muon"]
        assert found[1].config == base
        assert found[0].config.optimizer == make_config({"optimizer": "sgd"}).optimizer
        for entrant in found:
            assert entrant.config.model_copy(update={"optimizer": base.optimizer}) == base

    def test_another_optimizer_comes_as_the_network_s_recipe_has_it(self) -> None:
        base = toy_config({"optimizer": "sgd"})
        recipe_rate = make_config({"dataset": "gaussians", "network": "mlp"}).optimizer.params["learning_rate"]
        assert recipe_rate != make_config({"network": "lenet5", "optimizer": "adam"}).optimizer.params["learning_rate"]
        adam = entries(Race(base, make_axes(["optimizer=sgd,adam"], base)))[1]
        assert adam.config.optimizer.params["learning_rate"] == recipe_rate

    def test_what_is_fixed_holds_beside_every_entry(self) -> None:
        base = toy_config()
        axes = make_axes(["optimizer=sgd,adam"], base)
        found = entries(Race(base, axes, fixed={"optimizer.learning_rate": "0.25"}))
        assert [entrant.config.optimizer.params["learning_rate"] for entrant in found] == [0.25, 0.25]

    def test_of_a_grid_are_all_combinations(self) -> None:
        found = race("optimizer=sgd,adam", "optimizer.learning_rate=0.1,0.001", "seeds=2", training__seed=5)
        assert [entrant.label for entrant in found] == [
            "sgd, learning rate 0.1, seed 5",
            "sgd, learning rate 0.1, seed 6",
            "sgd, learning rate 0.001, seed 5",
            "sgd, learning rate 0.001, seed 6",
            "adam, learning rate 0.1, seed 5",
            "adam, learning rate 0.1, seed 6",
            "adam, learning rate 0.001, seed 5",
            "adam, learning rate 0.001, seed 6",
        ]
        last = found[-1].config
        assert (last.optimizer.name, last.optimizer.params["learning_rate"], last.training.seed) == ("adam", 0.001, 6)

    @pytest.mark.parametrize(
        ("text", "field", "values"),
        [
            ("network.hidden=16/32,8/", "network.hidden", [(16,), (32, 8), ()]),
            ("training.shuffle=on, off", "training.shuffle", [True, False]),
            (" training.batch_size = 8,16 ", "training.batch_size", [8, 16]),
            ("network.activation=relu,tanh", "network.activation", ["relu", "tanh"]),
            ("seeds=2", "training.seed", [0, 1]),
        ],
    )
    def test_are_read_from_text(self, text: str, field: str, values: list[object]) -> None:
        assert [settings_of(entrant.config)[1][field] for entrant in race(text)] == values

    @pytest.mark.parametrize("part", list(CATALOGS))
    def test_may_differ_in_any_part(self, part: str) -> None:
        base = make_config()
        names = [entry.name for entry in CATALOGS[part]]
        assert make_axes([f"{part}={','.join(names)}"], base) == (Axis(part, tuple(names)),)

    def test_of_another_network_leave_starting_values_behind(self) -> None:
        base = toy_config().model_copy(update={"initial_parameters": {"fc1.weight": [[1.0]]}})
        wide, deep = entries(Race(base, (Axis("network", ("mlp", "linear")),)))
        assert wide.config.initial_parameters is not None
        assert deep.config.initial_parameters is None

    def test_a_tag_is_one_that_the_history_takes(self) -> None:
        assert race_tag(datetime(2031, 2, 3, 4, 5, 6)) == "race 2031-02-03 04:05:06"


class TestRefusals:
    @pytest.mark.parametrize(
        ("texts", "field", "words"),
        [
            (["seeds=1"], "race", "two runs"),
            (["optimizer=sgd"], "race", "two runs"),
            ([], "race", "two runs"),
            (["seeds=65"], "seeds", "65"),
            (["seeds=0"], "seeds", "0"),
            (["seeds=many"], "seeds", "whole number"),
            (["seeds=99999999999999999999"], "seeds", "whole number"),
            (["seeds=9", "optimizer.learning_rate=1,2,3,4,5,6,7,8"], "race", "9 × 8 = 72 runs"),
            (["optimizer=sgd,adm"], "optimizer", "did you mean adam"),
            (["optimizer=sgd,adam,sgd"], "optimizer", "twice"),
            (["optimizer.learning_rate=0.1,0.10"], "optimizer.learning_rate", "0.1 is given twice"),
            (["optimizer=sgd,adam", "optimizer=muon,rprop"], "optimizer", "twice"),
            (["seeds=2", "training.seed=7,8"], "training.seed", "twice"),
            (["optimizer.learning_rate=0.1,-1"], "optimizer.learning_rate", "out of range"),
            (["optimizer.learning_rate=0.1,"], "optimizer.learning_rate", "not accepted"),
            (["optimizer.warp=1,2"], "optimizer.warp", "known are"),
            (["optimizer=sgd,adam", "optimizer.momentum=0,0.9"], "optimizer.momentum", "“adam, momentum 0”"),
            (["training.batch_size=8,5000"], "training.batch_size", "“batch size 5000”"),
            (["wheels=3,4"], "wheels", "PART one of"),
            (["carts.wheels=3,4"], "carts.wheels", "PART one of"),
            (["optimizer"], "race", "PART=NAME"),
            (["=1,2"], "race", "PART=NAME"),
        ],
    )
    def test_name_the_field_and_the_way_out(self, texts: list[str], field: str, words: str) -> None:
        with pytest.raises(InputError) as caught:
            race(*texts)
        assert caught.value.field == field
        assert words in str(caught.value)

    def test_no_seed_beyond_the_largest(self) -> None:
        with pytest.raises(InputError, match=r"training\.seed"):
            seeds_axis(toy_config(training__seed=2**31 - 1), 2)

    def test_as_many_as_allowed_are_allowed(self) -> None:
        assert len(race(f"seeds={MOST_RUNS}")) == MOST_RUNS


def test_the_same_seed_gives_every_optimizer_the_same_initial_weights() -> None:
    found = race("optimizer=" + ",".join(entry.name for entry in OPTIMIZERS), "seeds=2", training__steps=1)
    starts: dict[tuple[str, int], dict[str, Tensor]] = {}
    for entrant in found:
        control = RunControl()
        for event in train(entrant.config, control):
            if isinstance(event, Evaluated) and event.step == 0:
                assert control.live is not None
                weights = {name: tensor.clone() for name, tensor in control.live.weights().items()}
                starts[entrant.config.optimizer.name, entrant.config.training.seed] = weights
            assert not isinstance(event, Failed), event
    assert len(starts) == len(found)
    for (_, seed), weights in starts.items():
        reference = starts["sgd", seed]
        assert weights.keys() == reference.keys()
        assert all(torch.equal(weights[name], reference[name]) for name in reference)
    assert not torch.equal(*(next(iter(starts["sgd", seed].values())) for seed in (0, 1)))


class Records:
    """Keeps what is recorded, and which record is open."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Event]] = {}
        self.open: list[str] = []

    @contextmanager
    def __call__(self, entrant: Entrant) -> Iterator[Kept]:
        self.kept[entrant.label] = []
        self.open.append(entrant.label)
        try:
            yield Kept(self.kept[entrant.label].append)
        finally:
            self.open.remove(entrant.label)


def wild() -> Entrant:
    """A run that diverges at once."""
    return Entrant("wild", toy_config({"optimizer": "sgd", "loss": "mse"}, optimizer__learning_rate=1000.0))


class TestOneByOne:
    def test_every_entrant_is_what_it_would_be_alone(self) -> None:
        entrants = race("optimizer=sgd,adam", training__epochs=1)
        records = Records()
        told = list(run_race(entrants, record=records))
        assert [one.entrant for one in told] == sorted(one.entrant for one in told)
        for number, entrant in enumerate(entrants, 1):
            events = of_entrant(told, number)
            assert losses(events) == losses(train(entrant.config))
            assert isinstance(events[-1], Finished)
            assert events == records.kept[entrant.label]
        assert not records.open

    def test_one_that_fails_does_not_end_the_race(self) -> None:
        told = list(run_race([wild(), *race("seeds=2", training__steps=3)]))
        ends = [of_entrant(told, number)[-1] for number in (1, 2, 3)]
        assert isinstance(ends[0], Failed)
        assert ends[0].kind == "diverged"
        assert all(isinstance(end, Finished) and end.reason == "completed" for end in ends[1:])

    def test_stop_ends_all(self) -> None:
        check_stop(at_once=1)

    def test_where_nobody_listens_any_more_the_record_is_closed(self) -> None:
        check_closing(at_once=1)


class TestAtOnce:
    def test_runs_are_what_they_would_be_alone_and_none_ends_the_others(self) -> None:
        good = race("optimizer=sgd,adam", training__epochs=1)
        # As if a newer version had written it: its process ends before it says anything.
        broken = Entrant("broken", good[0].config.model_copy(update={"schema_version": 999}))
        records = Records()
        told = list(run_race([broken, wild(), *good], at_once=2, record=records))
        failures = [of_entrant(told, number)[-1] for number in (1, 2)]
        assert isinstance(failures[0], Failed)
        assert "newer Learnscope" in failures[0].message
        assert isinstance(failures[1], Failed)
        assert failures[1].kind == "diverged"
        for number, entrant in enumerate(good, 3):
            events = of_entrant(told, number)
            assert losses(events) == losses(train(entrant.config))
            assert isinstance(events[-1], Finished)
            assert events == records.kept[entrant.label]
        assert not records.open

    def test_stop_ends_all(self) -> None:
        check_stop(at_once=2)

    def test_where_nobody_listens_any_more_nothing_is_left(self) -> None:
        check_closing(at_once=2)


def check_stop(*, at_once: int) -> None:
    control, records = RunControl(), Records()
    told = []
    entrants = race("seeds=3", training__epochs=100_000)
    for one in run_race(entrants, at_once=at_once, control=control, record=records):
        told.append(one)
        if isinstance(one.event, StepFinished):
            control.stop()
    begun = {one.entrant for one in told}
    assert 1 <= len(begun) <= at_once
    for number in begun:
        end = of_entrant(told, number)[-1]
        assert isinstance(end, Finished)
        assert end.reason == "stopped"
        if losses(of_entrant(told, number)):
            assert end.samples_per_second > 0, "it was killed instead of asked"
    assert len(records.kept) <= at_once
    assert not records.open


def check_closing(*, at_once: int) -> None:
    records = Records()
    with closing(run_race(race("seeds=2", training__epochs=100_000), at_once=at_once, record=records)) as events:
        next(events)
        assert records.open
    assert not records.open


def test_cores_are_shared_where_the_set_up_leaves_it_open() -> None:
    assert with_threads(toy_config(training__threads=0), 3).training.threads == 3
    assert with_threads(toy_config(training__threads=5), 3).training.threads == 5
    assert cores.count() >= 1


class TestResult:
    def test_follows_a_run(self) -> None:
        result = RaceResult("adam")
        events = list(train(toy_config(training__epochs=3)))
        for event in events:
            result.take(event)
        told = [event for event in events if isinstance(event, Evaluated | EpochFinished)]
        assert result.standing == "completed"
        assert result.step == result.total_steps == len(losses(events))
        assert (result.test_loss, result.test_accuracy) == (told[-1].test_loss, told[-1].test_accuracy)
        assert result.best_test_loss == min(event.test_loss for event in told)
        assert result.best_test_accuracy == max(event.test_accuracy or 0 for event in told)

    def test_says_why_a_run_failed(self) -> None:
        result = RaceResult("wild")
        for event in train(wild().config):
            result.take(event)
        assert result.standing == "failed"
        assert "learning rate" in result.message


class TestEventLines:
    @pytest.mark.parametrize(
        "event",
        [
            Preparing("Loading", 0.5),
            Started("cpu", 2, "contiguous", "float32", 10, 4, 5, 6, 7, "mlp", "Spirals", ("w", "b"), 9, 1, "!", "p", 3),
            StepFinished(3, 1, 0.1 + 0.2, 1e-5, 0.25, None, (0.1, -2.0), (1.0, 2.5)),
            Evaluated(0, 0.7, 0.5, None, None, 0.1),
            EpochFinished(1, 4, 0.5, 0.6, None, 0.7, 0.8, 0.01, 2.0),
            Intervened(4, "optimizer.learning_rate", "0.1", "0.01"),
            Paused(3),
            Resumed(3),
            Finished("early_stopping", 9, 3, 1.5, 1000.0, 2),
            Failed("diverged", "The loss is no number.", 4, "optimizer.learning_rate"),
            CheckpointSaved(4, "best", "a/b", 100, 0.01),
            CheckpointFailed(4, "latest", "a/b", "disk full"),
        ],
        ids=lambda event: type(event).__name__,
    )
    def test_come_back_as_they_were(self, event: Event) -> None:
        assert event_of(as_json(event)) == event
        assert event_of(as_json(event, stage=2)) == event

    def test_what_json_lacks_comes_back_as_no_number(self) -> None:
        event = event_of(as_json(StepFinished(1, 1, math.inf, 0.1, 0.2, None, (math.nan, 1.0))))
        assert isinstance(event, StepFinished)
        assert math.isnan(event.loss)
        assert event.parameters is not None
        assert math.isnan(event.parameters[0])
        assert event.accuracy is None

    @pytest.mark.parametrize(
        "line",
        ["", "{", "3", "{}", '{"type": "lunch"}', '{"type": "paused"}', '{"type": "paused", "step": "many"}'],
    )
    def test_other_lines_are_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match=r"event|JSON|Expecting"):
            event_of(line)

    def test_everything_a_run_says_can_be_read(self) -> None:
        events = list(train(toy_config({"dataset": "gaussians"}, training__steps=4)))
        assert [event_of(json.dumps(json.loads(as_json(event)))) for event in events] == events
