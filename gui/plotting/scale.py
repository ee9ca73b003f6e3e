"""The arithmetic of a plot: ranges that change seldom, ticks, and lines reduced to the screen's columns. No Qt."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gui.numbers import THIN
from gui.series import Floats, Ints, zigzag

GROWTH = 2.0  # by which the x range grows when the data reach its end
_KEEP = 0.55  # of the y range; a range filled less than this shrinks
_LOG_STEP = 0.25  # decades; limits of a logarithmic range are multiples
SMALLEST = 1e-12  # where nothing positive is seen, zeros of a logarithmic axis are drawn here


class Range(NamedTuple):
    """An interval of an axis in the axis' own units: log₁₀ where the axis is logarithmic."""

    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low

    def zoomed(self, factor: float, *, around: float) -> Range:
        """`factor` below 1 shows less. Stops where floats run out."""
        zoomed = Range(around + (self.low - around) * factor, around + (self.high - around) * factor)
        room = max(abs(self.low), abs(self.high), 1e-9)
        return zoomed if 1e-9 * room < zoomed.span < 1e15 else self

    def moved(self, distance: float) -> Range:
        return Range(self.low + distance, self.high + distance)


def grown(current: Range, reached: float, *, total: float | None, least: float) -> Range:
    """The x range that shows 0 … `reached` and has room to grow, changed as seldom as possible.

    Args:
        total: where the run will end, if that is known; the range stops there once it comes near.
        least: the first range's length.
    """
    end = current.high if current.low == 0.0 else 0.0
    if reached <= end and not (total is not None and end > total >= reached):
        return Range(0.0, end) if end > 0 else Range(0.0, least)
    end = max(reached * GROWTH, least)
    if total is not None and total >= reached and end > 0.7 * total:
        end = total
    return Range(0.0, end)


def fitted(current: Range | None, low: float, high: float, *, log: bool) -> Range:
    """The y range that shows `low` … `high`: the current one while that still fits and is well filled."""
    if current is not None and current.low <= low and high <= current.high and high - low >= _KEEP * current.span:
        return current
    if log:
        bottom, top = math.floor(low / _LOG_STEP - 0.2) * _LOG_STEP, math.ceil(high / _LOG_STEP + 0.2) * _LOG_STEP
        return Range(bottom, max(top, bottom + 0.5))
    if low >= 0 and (low < 0.5 * high or high == 0):
        if current is not None and current.low == 0 and _KEEP < high / current.high <= 1:
            return current
        step = nice_step(max(high, 1e-9) / 8)
        return Range(0.0, (math.floor(high / step) + 1) * step)
    step = nice_step(max(high - low, abs(high) * 1e-6, 1e-12) / 4)
    return Range((math.ceil(low / step) - 1) * step, (math.floor(high / step) + 1) * step)


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 · 10ⁿ that is not (or by less than 5 %) below `rough` > 0."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1.0, 2.0, 5.0) if m * power >= rough * 0.95), 10.0 * power)


def linear_ticks(shown: Range, most: int, *, whole: bool = False) -> list[float]:
    """At most about `most` round places in the range; whole numbers only if asked for."""
    step = nice_step(max(shown.span, 1e-300) / max(most, 1))
    if whole:
        step = max(step, 1.0)
    first, last = math.ceil(shown.low / step - 1e-9), math.floor(shown.high / step + 1e-9)
    return [n * step for n in range(first, min(last, first + 50) + 1)]


def log_ticks(shown: Range, most: int) -> list[float]:
    """Round values on a logarithmic axis, as their log₁₀: decades, or 1, 2, 5 where few decades are seen."""
    # Beyond, there are no numbers of double precision.
    seen = Range(max(min(shown.low, 300.0), -300.0), max(min(shown.high, 300.0), -300.0))
    if seen.span < 0.7:
        values = linear_ticks(Range(10.0**seen.low, 10.0**seen.high), most) if seen.span else []
        return [math.log10(v) for v in values if v > 0]
    every = max(1, math.ceil(seen.span / max(most, 1)))
    decades = range(math.floor(seen.low / every) * every, math.ceil(seen.high) + 1, every)
    steps = (1, 2, 5) if seen.span * 3 <= most + 1 or seen.span < 2 else (1,)
    ticks = [decade + math.log10(m) for decade in decades for m in steps]
    return [tick for tick in ticks if seen.low - 1e-9 <= tick <= seen.high + 1e-9]


def tick_text(value: float, step: float) -> str:
    """A tick's number with the digits that its distance to the next calls for, thousands apart by thin spaces."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or abs(value) < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", "−")
    digits = max(0, min(8, -math.floor(math.log10(max(abs(step), 1e-12)) + 1e-9)))
    return f"{value:,.{digits}f}".replace(",", THIN).replace("-", "−")


def to_log(values: Floats, floor: float) -> Floats:
    """log₁₀ with everything at or below `floor` drawn there; NaN stays."""
    return np.log10(np.maximum(values, floor))


def columns(x: Floats, low: Floats, high: Floats, *, origin: float, pixel: float) -> tuple[Floats, Floats]:
    """A polyline through the intervals at `x` (n,), ascending: at most 2 points for each column of pixels.

    The extremes in a column are the extremes of its intervals. NaN where a whole column is a gap.

    Args:
        origin: where on the axis a column begins.
        pixel: a column's width on the axis.
    """
    if not len(x):
        return x, low
    starts = column_starts(x, origin=origin, pixel=pixel)
    if fills(len(starts), points=len(x)):
        return extremes(x, low, high, starts, origin=origin, pixel=pixel)
    return (x, low) if np.array_equal(low, high, equal_nan=True) else zigzag(x, low, high)


def column_starts(x: Floats, *, origin: float, pixel: float) -> Ints:
    """Which of the points `x` (n,), at least one and ascending, are the first in their column of pixels."""
    column = np.floor((x - origin) / pixel)
    first = np.empty(len(x), dtype=bool)
    first[0] = True
    np.not_equal(column[1:], column[:-1], out=first[1:])
    return first.nonzero()[0]


def column_ends(starts: Ints, *, points: int) -> Ints:
    """Which of so many points are the last in their column, of which `starts` are the first."""
    ends = np.empty_like(starts)
    ends[:-1], ends[-1] = starts[1:], points
    return ends - 1


def fills(number: int, *, points: int) -> bool:
    """Whether so many columns have fewer extremes than there are points."""
    return 2 * number <= points


def extremes(
    x: Floats, low: Floats, high: Floats, starts: Ints, *, origin: float, pixel: float
) -> tuple[Floats, Floats]:
    """Down and up through the extremes of each column; `starts` as from `column_starts`."""
    middles = origin + (np.floor((x[starts] - origin) / pixel) + 0.5) * pixel
    return zigzag(middles, np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts))


def thinned(x: Floats, y: Floats, *, origin: float, pixel: float) -> tuple[Floats, Floats]:
    """The last point in each column of pixels, for a line that is smooth already. See `columns`."""
    if len(x) < 2:
        return x, y
    ends = column_ends(column_starts(x, origin=origin, pixel=pixel), points=len(x))
    return x[ends], y[ends]


def with_dots(x: Floats, y: Floats, *, pixel: float) -> tuple[Floats, Floats]:
    """After a point alone between gaps (NaN in y) comes another, a pixel further: else nothing is seen."""
    gap = np.concatenate(([True], ~np.isfinite(y), [True]))
    alone = np.flatnonzero(gap[:-2] & ~gap[1:-1] & gap[2:])
    return np.insert(x, alone + 1, x[alone] + pixel), np.insert(y, alone + 1, y[alone])
