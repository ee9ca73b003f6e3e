"""Runs side by side: differences of set-ups, groups of seeds, means with bands."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.comparison import Band, Spread, differences, mean_band, seed_groups, spread
from tests.engine.runs import toy_config


def told(*configs: object) -> dict[str, dict[int, str]]:
    found = differences(dict(enumerate(configs, 1)))  # type: ignore[arg-type]
    return {difference.field: dict(difference.values) for difference in found}


def test_equal_set_ups_have_no_differences() -> None:
    assert told(toy_config(), toy_config()) == {}
    assert told(toy_config()) == {}
    assert told() == {}


def test_every_setting_that_differs_is_told_with_its_values() -> None:
    one = toy_config(optimizer__learning_rate=0.001, training__seed=0, network__hidden=(8, 4))
    other = toy_config(optimizer__learning_rate=0.1, training__seed=7, training__shuffle=False, network__hidden=(8,))
    assert told(one, other) == {
        "network.hidden": {1: "8, 4", 2: "8"},
        "optimizer.learning_rate": {1: "0.001", 2: "0.1"},
        "training.seed": {1: "0", 2: "7"},
        "training.shuffle": {1: "on", 2: "off"},
    }


def test_another_entry_is_one_difference_and_what_both_have_is_compared() -> None:
    adam = toy_config({"optimizer": "adam"}, optimizer__learning_rate=0.01)
    sgd = toy_config({"optimizer": "sgd"}, optimizer__learning_rate=0.5)
    found = told(adam, sgd)
    assert set(found["optimizer"].values()) == {"Adam", "SGD"}
    assert found["optimizer.learning_rate"] == {1: "0.01", 2: "0.5"}
    assert "optimizer.momentum" not in found


def test_close_numbers_are_told_in_full() -> None:
    found = told(toy_config(optimizer__learning_rate=0.1), toy_config(optimizer__learning_rate=0.1000000001))
    assert found["optimizer.learning_rate"] == {1: "0.1", 2: "0.1000000001"}


def test_labels_are_those_of_the_forms() -> None:
    [found] = differences({1: toy_config(training__batch_size=10), 2: toy_config(training__batch_size=20)})
    assert found.label == "Batch size"


def test_groups_differ_in_the_seed_alone() -> None:
    configs = {
        5: toy_config(training__seed=0),
        3: toy_config(training__seed=1),
        9: toy_config(training__seed=1, training__epochs=9),
        1: toy_config(training__seed=1),
    }
    assert seed_groups(configs) == [(5, 3, 1), (9,)]
    assert seed_groups({}) == []


def curve(x: list[float], y: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(x, np.float64), np.array(y, np.float64)


def test_a_mean_is_taken_over_what_all_curves_span() -> None:
    band = mean_band([curve([0, 10], [0, 10]), curve([2, 4, 8], [4, 4, 4])], points=4)
    assert band is not None
    assert band.x.tolist() == [2, 4, 6, 8]
    assert band.mean.tolist() == [3, 4, 5, 6]
    deviations = [statistics.stdev([x, 4.0]) for x in (2.0, 4.0, 6.0, 8.0)]
    assert (band.high - band.mean).tolist() == pytest.approx(deviations)
    assert (band.mean - band.low).tolist() == pytest.approx(deviations)


def test_what_is_not_finite_is_left_out() -> None:
    band = mean_band([curve([0, 1, 2], [0, math.nan, 2]), curve([0, 2], [0, 2])], points=3)
    assert band is not None
    assert band.mean.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [curve([], [])],
        [curve([0, 1], [math.nan, math.inf]), curve([0, 1], [0, 1])],
        [curve([0, 1], [0, 1]), curve([2, 3], [0, 1])],
    ],
)
def test_without_a_common_stretch_there_is_no_mean(curves: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert mean_band(curves) is None


def test_curves_that_share_one_place_have_a_mean_there() -> None:
    band = mean_band([curve([0, 1], [0, 1]), curve([1, 2], [3, 4])])
    assert isinstance(band, Band)
    assert (band.x.tolist(), band.mean.tolist()) == ([1], [2])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8))
def test_a_spread_is_mean_and_deviation_of_the_sample(values: list[float]) -> None:
    found = spread([*values, None])
    assert found is not None
    assert found.count == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.deviation == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_one_value_does_not_spread_and_none_has_none() -> None:
    assert spread([0.5]) == Spread(0.5, 0.0, 1)
    assert spread([None]) is None


def test_branches_are_alike_only_where_they_began_alike() -> None:
    configs = {run: toy_config(training__seed=run) for run in range(1, 6)}
    assert seed_groups(configs, {2: (1, 10), 3: (1, 10), 4: (1, 20)}) == [(1, 5), (2, 3), (4,)]
