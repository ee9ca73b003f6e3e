"""The record of a run's values: bounded, exact where it can be, its averages independent of the merging."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.series import SMOOTHING, Floats, Series

VALUES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf])), min_size=1, max_size=300
)


def filled(values: list[float] | Floats, *, capacity: int = 4096, pieces: int = 1) -> Series:
    """Values at steps 1, 2, …, half a second each, arriving in so many pieces."""
    series = Series(capacity)
    for part in np.array_split(np.arange(len(values)), pieces):
        series.extend(part + 1, np.asarray(values)[part], (part + 1) / 2)
    return series


def plain_averages(values: list[float], weight: float) -> list[float]:
    """The moving average as TensorBoard's loop has it, value by value."""
    last, number, averages = 0.0, 0, []
    for value in values:
        if math.isfinite(value):
            last = last * weight + (1 - weight) * value
            number += 1
        averages.append(last / (1 - weight**number) if number else math.nan)
    return averages


@given(VALUES, st.integers(1, 40), st.integers(1, 17), st.integers(0, len(SMOOTHING) - 1))
@settings(max_examples=60)
def test_averages_are_those_of_the_single_values_whatever_the_capacity(
    values: list[float], half: int, pieces: int, weight_index: int
) -> None:
    series = filled(values, capacity=2 * half, pieces=pieces)
    plain = np.array(plain_averages(values, SMOOTHING[weight_index]))[series.last_steps - 1]
    expected = np.where(np.isfinite(series.lows), plain, np.nan)
    np.testing.assert_allclose(series.smoothed(weight_index), expected, rtol=1e-9, atol=1e-6)


def test_averages_stay_exact_over_many_chunks() -> None:
    values = np.random.default_rng(0).normal(size=9_000)
    series = filled(values, capacity=512, pieces=5)
    for index, weight in enumerate(SMOOTHING):
        plain = np.array(plain_averages(values.tolist(), weight))[series.last_steps - 1]
        np.testing.assert_allclose(series.smoothed(index), plain, rtol=1e-9, atol=1e-12)


@given(VALUES, st.integers(1, 40), st.integers(1, 17))
@settings(max_examples=60)
def test_every_bucket_tells_the_truth_about_its_steps(values: list[float], half: int, pieces: int) -> None:
    series = filled(values, capacity=2 * half, pieces=pieces)
    assert len(series) <= 2 * half
    assert series.count == len(values)
    assert series.first_steps.tolist() == [1, *(series.last_steps[:-1] + 1).tolist()]
    assert series.last_steps[-1] == len(values)
    for i in range(len(series)):
        inside = np.array(values[series.first_steps[i] - 1 : series.last_steps[i]])
        finite = inside[np.isfinite(inside)]
        assert series.lasts[i] == inside[-1] or math.isnan(inside[-1])
        if len(finite):
            assert (series.lows[i], series.highs[i]) == (finite.min(), finite.max())
            assert series.means[i] == pytest.approx(finite.mean(), rel=1e-9, abs=1e-6)
        else:
            assert math.isnan(series.lows[i])
            assert math.isnan(series.means[i])


def test_a_line_touches_every_extreme() -> None:
    values = np.random.default_rng(1).normal(size=5_000)
    values[3_333], values[1_234] = 50.0, -50.0
    series = filled(values, capacity=100, pieces=7)
    x, y = series.line()
    assert len(x) == len(y) <= 200
    assert (y.max(), y.min()) == (50.0, -50.0)
    assert (np.diff(x) >= 0).all()


def test_axes_count_steps_epochs_and_seconds() -> None:
    series = filled([1.0, 2.0, 3.0, 4.0])
    assert series.line("step")[0].tolist() == [1, 2, 3, 4]
    assert series.line("epoch", steps_per_epoch=2)[0].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert series.line("seconds")[0].tolist() == [0.5, 1.0, 1.5, 2.0]


def test_the_value_at_a_place_is_the_nearest_steps_own() -> None:
    series = filled([10.0, 20.0, 30.0])
    for place, value in ((-5.0, 10.0), (1.4, 10.0), (1.6, 20.0), (3.0, 30.0), (99.0, 30.0)):
        reading = series.value_at(place)
        assert reading is not None
        assert (reading.last, reading.minimum, reading.maximum, reading.exact) == (value, value, value, True)
    by_seconds = series.value_at(1.1, "seconds")
    assert by_seconds is not None
    assert by_seconds.last == 20.0


def test_the_value_at_a_place_in_a_bucket_is_its_span() -> None:
    series = filled([float(i) for i in range(8)], capacity=4)
    reading = series.value_at(3.2)
    assert reading is not None
    assert (reading.first_step, reading.last_step, reading.minimum, reading.maximum) == (3, 4, 2.0, 3.0)
    assert reading.mean == 2.5
    assert not reading.exact


def test_an_empty_series_answers() -> None:
    series = Series()
    assert series.value_at(3.0) is None
    assert math.isnan(series.latest)
    assert len(series.line()[0]) == 0
    series.extend([], [], [])
    assert series.count == 0


def test_values_that_are_no_numbers_are_gaps_and_the_last_value_still_says_so() -> None:
    series = filled([1.0, math.nan, math.inf, 2.0])
    assert np.isnan(series.line()[1]).tolist() == [False, True, True, False]
    assert series.lasts[2] == math.inf
    assert np.isnan(series.smoothed(3)).tolist() == [False, True, True, False]


def test_five_million_steps_are_bounded() -> None:
    series = Series(1024, weights=(0.0, 0.99))
    for start in range(0, 5_000_000, 500_000):
        steps = np.arange(start + 1, start + 500_001)
        series.extend(steps, np.where(steps == 3_210_987, -7.0, np.sin(steps / 1e5)), steps / 1e3)
    assert series.count == 5_000_000
    assert len(series) <= 1024
    assert series.last_steps[-1] == 5_000_000
    assert len(series.line()[0]) <= 2048
    assert series.line()[1].min() == -7.0


def test_an_odd_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        Series(7)
