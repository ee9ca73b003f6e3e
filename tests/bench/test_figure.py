"""How measurements become figures."""

from __future__ import annotations

from itertools import count
from typing import Literal

import pytest

from tests.bench.figure import Baseline, Figure, Pairs, Target, percentile
from tests.bench.pace import FIRST, TURN, samples_per_second
from tests.bench.stalls import delays
from tests.bench.turns import alternate


@pytest.mark.parametrize(
    ("of", "kind", "bound", "met"),
    [
        ("value", "at most", 4.0, True),
        ("value", "at most", 3.9, False),
        ("value", "at least", 4.0, True),
        ("ratio", "at least", 2.0, True),
        ("ratio", "at least", 2.1, False),
    ],
)
def test_a_target_is_met_at_its_bound(
    of: Literal["value", "ratio"], kind: Literal["at least", "at most"], bound: float, met: bool
) -> None:
    figure = Figure(name="f", value=4.0, unit="ms", ratio=2.0, target=Target(of, kind, bound))
    assert figure.met is met


def test_a_figure_s_json_says_what_was_wanted_and_whether_it_was_so() -> None:
    figure = Figure(
        name="f", value=2.0, unit="s", baseline=Baseline("b", 6.0), ratio=3.0, target=Target("ratio", "at least", 2.5)
    )
    assert figure.as_json() == {
        "name": "f",
        "value": 2.0,
        "unit": "s",
        "baseline": {"what": "b", "value": 6.0},
        "ratio": 3.0,
        "target": "ratio ≥ 2.5",
        "met": True,
        "note": "",
    }
    assert Figure(name="f", value=2.0, unit="s").as_json()["met"] is None


def test_pairs_are_compared_before_they_are_summed_up() -> None:
    pairs = Pairs(ours=(1.0, 10.0, 3.0), theirs=(2.0, 20.0, 3.0))
    assert pairs.time_ratio == 2.0
    assert pairs.speed_ratio == 0.5
    assert pairs.difference == -1.0


def test_two_sides_take_turns_at_beginning_and_the_first_pair_does_not_count() -> None:
    calls = count(1)

    def told() -> float:
        return float(next(calls))

    assert alternate(told, told, pairs=3) == Pairs(ours=[4.0, 5.0, 8.0], theirs=[3.0, 6.0, 7.0])


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 0.5) == 50.0
    assert percentile([7.0], 0.99) == 7.0


def test_a_long_stall_delays_every_event_that_comes_during_it() -> None:
    assert delays([0.0, 2.0, 4.0, 13.0, 15.0], every=2.0) == [0.0, 0.0, 7.0, 5.0, 3.0, 1.0, 0.0]


def test_neither_a_turns_first_steps_nor_an_evaluation_count_for_the_speed() -> None:
    def seconds_at(step: int) -> float:
        return 1000.0 + step * 0.01 + (7.0 if step > 100 + FIRST // 2 else 0.0) + (0.4 if step > 150 else 0.0)

    speed = samples_per_second(seconds_at, began=100, ended=100 + TURN, steps_per_epoch=150, batch_size=128)
    assert speed == pytest.approx(12_800.0)
    with pytest.raises(RuntimeError, match="too short"):
        samples_per_second(seconds_at, began=100, ended=100 + FIRST, steps_per_epoch=150, batch_size=128)
