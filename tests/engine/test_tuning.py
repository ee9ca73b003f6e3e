"""Measuring threads and memory format touches nothing, respects what is fixed, and is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine import tuning
from engine.assembly import assemble
from engine.config import RunConfig
from engine.events import Started
from engine.training import train
from engine.tuning import Tuned, Tuner, thread_counts
from tests.engine.runs import of_kind, tiny_library, toy_config


class Trials:
    """Stands in for training steps: counts them, draws random numbers, changes the network it was given."""

    def __init__(self, cost: Callable[[int, bool], float] = lambda *_: 0.0) -> None:
        self.steps: list[Tuned] = []
        self.networks: list[nn.Module] = []
        self._cost = cost

    def __call__(self, network: nn.Module, channels_last: bool) -> Callable[[], object]:
        self.networks.append(network)

        def step() -> None:
            self.steps.append(Tuned(torch.get_num_threads(), channels_last))
            torch.rand(3)
            next(network.parameters()).data.add_(1.0)
            clock[0] += self._cost(torch.get_num_threads(), channels_last)

        return step


clock = [0.0]  # s; what the tests' time.perf_counter says


@pytest.fixture(autouse=True)
def own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes by only where a step costs some, and a little with every look at the clock."""

    def now() -> float:
        clock[0] += 1e-6
        return clock[0]

    monkeypatch.setattr(tuning, "time", SimpleNamespace(perf_counter=now))
    monkeypatch.setattr(tuning, "thread_counts", lambda: (1, 2))


def config_of(network: str, **settings: object) -> RunConfig:
    given = {"training__threads": 0, "training__memory_format": "auto", "training__batch_size": 16, **settings}
    return toy_config({"dataset": "mnist", "network": network}, **given)


def choice(tuner: Tuner, config: RunConfig, trials: Trials, network: nn.Module | None = None) -> Tuned:
    *_, last = tuner.tune(config, network or assemble(config).network, trials)
    assert last is not None
    return last


def cheapest(best: Tuned, cost: float = 5e-3) -> Trials:
    return Trials(lambda threads, last: cost if (threads, last) == (best.threads, best.channels_last) else 2 * cost)


class TestChoice:
    @pytest.mark.parametrize("best", [Tuned(1, False), Tuned(2, False), Tuned(1, True), Tuned(2, True)])
    def test_is_the_fastest(self, best: Tuned) -> None:
        assert choice(Tuner(), config_of("lenet5"), cheapest(best)) == best

    def test_is_not_led_astray_by_a_single_slow_moment(self) -> None:
        trials = cheapest(Tuned(2, True))
        hiccups = iter([1e-2] * 4)
        cost = trials._cost
        trials._cost = lambda threads, last: cost(threads, last) + next(hiccups, 0.0)
        assert choice(Tuner(), config_of("lenet5"), trials) == Tuned(2, True)

    def test_tries_the_memory_format_of_convolutions_only(self) -> None:
        trials = Trials(lambda *_: 5e-3)
        choice(Tuner(), config_of("mnist_mlp"), trials)
        assert {tried.channels_last for tried in trials.steps} == {False}
        assert {tried.threads for tried in trials.steps} == {1, 2}

    @pytest.mark.parametrize(
        ("fixed", "tried"),
        [
            ({"training__threads": 1}, {Tuned(1, False), Tuned(1, True)}),
            ({"training__memory_format": "channels_last"}, {Tuned(1, True), Tuned(2, True)}),
            ({"training__memory_format": "contiguous"}, {Tuned(1, False), Tuned(2, False)}),
        ],
    )
    def test_keeps_to_what_is_fixed(self, fixed: dict[str, object], tried: set[Tuned]) -> None:
        trials = Trials(lambda *_: 5e-3)
        assert choice(Tuner(), config_of("lenet5", **fixed), trials) in tried
        assert set(trials.steps) == tried

    def test_measures_nothing_where_all_is_fixed(self) -> None:
        trials = Trials()
        fixed = config_of("lenet5", training__threads=3, training__memory_format="channels_last")
        assert choice(Tuner(), fixed, trials) == Tuned(3, True)
        assert trials.steps == []

    def test_of_a_network_without_convolutions_is_contiguous(self) -> None:
        fixed = config_of("mlp", training__threads=2, training__memory_format="channels_last")
        assert choice(Tuner(), fixed, Trials()) == Tuned(2, False)

    def test_of_a_slow_network_takes_a_few_steps_with_all_threads(self) -> None:
        trials = cheapest(Tuned(2, True), cost=10.0)
        assert choice(Tuner(), config_of("lenet5"), trials) == Tuned(2, True)
        assert len(trials.steps) == 4
        assert {tried.threads for tried in trials.steps} == {2}


class TestManners:
    def test_leaves_network_random_state_and_threads_as_they_were(self) -> None:
        config = config_of("fast_cnn")
        network = assemble(config).network
        before = {name: value.clone() for name, value in network.state_dict().items()}
        state, threads, trials = torch.get_rng_state(), torch.get_num_threads(), Trials(lambda *_: 5e-3)
        choice(Tuner(), config, trials, network)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert all(other is not network for other in trials.networks)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads

    def test_leaves_all_as_it_was_when_given_up(self) -> None:
        config = config_of("lenet5")
        network = assemble(config).network
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        measuring: Iterator[Tuned | None] = Tuner().tune(config, network, Trials(lambda *_: 5e-3))
        assert next(measuring) is None
        del measuring
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads

    def test_leaves_all_as_it_was_when_a_step_fails(self) -> None:
        def trial(_network: nn.Module, _last: bool) -> Callable[[], object]:
            def step() -> None:
                torch.rand(1)
                raise RuntimeError("no step")

            return step

        config = config_of("lenet5")
        network = assemble(config).network
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        with pytest.raises(RuntimeError, match="no step"):
            list(Tuner().tune(config, network, trial))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads


class TestMemory:
    def test_the_same_set_up_is_measured_once_whatever_the_seed(self) -> None:
        tuner, first = Tuner(), cheapest(Tuned(2, True))
        choice(tuner, config_of("lenet5"), first)
        again = cheapest(Tuned(1, False))
        assert choice(tuner, config_of("lenet5", training__seed=9, training__epochs=2), again) == Tuned(2, True)
        assert again.steps == []

    @pytest.mark.parametrize(
        "other",
        [
            config_of("lenet3"),
            config_of("lenet5", training__batch_size=17),
            config_of("lenet5", training__threads=2),
            config_of("lenet5", training__precision="mixed"),
        ],
        ids=["network", "batch size", "threads", "precision"],
    )
    def test_another_set_up_is_measured_anew(self, other: RunConfig) -> None:
        tuner = Tuner()
        choice(tuner, config_of("lenet5"), cheapest(Tuned(2, True)))
        anew = Trials(lambda *_: 5e-3)
        choice(tuner, other, anew)
        assert anew.steps

    def test_runs_that_share_a_tuner_run_alike(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tuner, config = Tuner(), config_of("mnist_mlp", training__steps=1)
        monkeypatch.setattr(tuning, "time", time)
        first = of_kind(train(config, library=tiny_library(), tuner=tuner), Started)[0]
        monkeypatch.setattr(tuning, "_measure", None)  # a second measurement would fail
        second = of_kind(train(config, library=tiny_library(), tuner=tuner), Started)[0]
        assert first == second


@pytest.mark.parametrize(
    ("cores", "counts"),
    [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (16, (1, 2, 4, 8, 16)), (96, (1, 2, 4, 8, 16, 32, 64))],
)
def test_the_thread_counts_are_powers_of_two_and_all_cores(
    cores: int, counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cores.count", lambda: cores)
    assert thread_counts() == counts
