"""What is added to a line's end is what reducing the whole line would have made of it."""

from __future__ import annotations

import numpy as np
import pytest

from gui.plotting.line_end import LineEnd
from gui.plotting.scale import columns, thinned
from gui.series import Series

PIXELS = (0.05, 0.7, 1.0, 1.9, 2.0, 2.3, 7.0, 1e3)


@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_grew_is_the_whole_line_reduced(pixel: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.choice([0.0, 1.0, 1.0, 5.0], 600))
    y = rng.normal(size=600)
    there = int(rng.integers(1, 200))
    ends = {
        "band": LineEnd.of("band", x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel),
        "line": LineEnd.of("line", x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel),
    }
    drawn = {
        "band": columns(x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel),
        "line": thinned(x[:there], y[:there], origin=-3.0, pixel=pixel),
    }
    grown = 0
    while there < 600:
        there = min(there + int(rng.integers(1, 30)), 600)
        for style, end in ends.items():
            if end is None:
                continue
            new = slice(end.settled, there)
            found = end.grow(x[new], y[new], y[new])
            if found is None:  # only where the way of drawing changes
                assert style == "band"
                ends[style] = LineEnd.of("band", x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel)
                drawn[style] = columns(x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel)
                continue
            grown += 1
            kept, more_x, more_y = found
            old_x, old_y = drawn[style]
            drawn[style] = np.concatenate((old_x[:kept], more_x)), np.concatenate((old_y[:kept], more_y))
        np.testing.assert_array_equal(drawn["line"], thinned(x[:there], y[:there], origin=-3.0, pixel=pixel))
        np.testing.assert_array_equal(drawn["band"], columns(x[:there], y[:there], y[:there], origin=-3.0, pixel=pixel))
    assert grown > 30


def test_buckets_that_fill_up_grow_as_the_whole_would() -> None:
    """The last bucket of a long run changes; those before it stay."""
    rng = np.random.default_rng(1)
    series = Series(capacity=64)
    origin, pixel = 0.0, 9.0
    end: LineEnd | None = None
    x = y = np.empty(0)
    width, step, grown = 0, 0, 0
    while step < 1500:
        number = int(rng.integers(1, 12))
        steps = np.arange(step + 1, step + number + 1)
        series.extend(steps, rng.normal(size=number), steps * 0.1)
        step += number
        whole = columns(series.positions(), series.lows, series.highs, origin=origin, pixel=pixel)
        found = None
        if end is not None and series.bucket_width == width:
            places, low, high, _ = series.since(end.settled)
            found = end.grow(places, low, high)
        if found is None:
            end = LineEnd.of("band", series.positions(), series.lows, series.highs, origin=origin, pixel=pixel)
            x, y = whole
        else:
            grown += 1
            x, y = np.concatenate((x[: found[0]], found[1])), np.concatenate((y[: found[0]], found[2]))
        width = series.bucket_width
        np.testing.assert_array_equal((x, y), whole)
    assert grown > 30


def test_settled_points_are_few_to_look_at_again() -> None:
    x, y = np.arange(5000.0), np.zeros(5000)
    end = LineEnd.of("band", x, y, y, origin=0.0, pixel=10.0)
    assert end is not None
    assert end.settled >= 4980


def test_spans_drawn_as_they_are_cannot_grow() -> None:
    x = np.arange(10.0)
    assert LineEnd.of("band", x, x, x + 1, origin=0.0, pixel=0.5) is None
