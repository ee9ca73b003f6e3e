"""The record of one value a step, for a run of any length in a bounded amount of memory. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

XAxis = Literal["step", "epoch", "seconds"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMOOTHING = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)  # weights of the past
CAPACITY = 4096  # buckets
_CHUNK = 1024  # values smoothed at once
_FEW = 16  # values, about as many as arrive between two redraws

PATIENCE = 64  # additions that wait at most until a deferred series takes them in


@dataclass(frozen=True, slots=True)
class Reading:
    """What a series says at one place.

    `minimum`, `maximum` and `mean` are of the finite values of steps `first_step` … `last_step`, NaN where there are
    none; `last` is the last value as it was. `exact`: a single value stands here. `smoothed` is the moving average
    after `last_step`, NaN in a series without smoothing.
    """

    first_step: int
    last_step: int
    seconds: float
    minimum: float
    maximum: float
    mean: float
    last: float
    smoothed: float
    exact: bool


class Smoother:
    """Exponential moving averages of a stream of values, one for each weight, started without bias.

    After n finite values v₁ … vₙ the average of weight w is Σ wⁿ⁻ᵏ (1 − w) vₖ / (1 − wⁿ): the rule of TensorBoard's
    scalar charts; the division is Adam's bias correction (Kingma & Ba 2015, section 3). Non-finite values are passed
    over.
    """

    def __init__(self, weights: tuple[float, ...]) -> None:
        self._weights = np.array(weights, dtype=np.float64)[:, None]  # (L, 1)
        self._decay = self._weights ** np.arange(1, _CHUNK + 1)  # (L, chunk): what is left of the past
        after = np.subtract.outer(np.arange(_FEW), np.arange(_FEW))  # (n, k): how many values came after the k-th
        shares = (1.0 - self._weights[:, None]) * self._weights[:, None] ** np.maximum(after, 0)
        self._shares = np.where(after >= 0, shares, 0.0)  # (L, few, few): each value's part in each sum
        self._sums = np.zeros_like(self._weights)
        self._count = 0

    def extend(self, values: Floats) -> Floats:
        """Take in `values` (n,); the averages after each of them (n, L), NaN before the first finite one."""
        finite = np.isfinite(values)
        if self._count and len(values) <= _FEW and finite.all():
            return self._scan_few(values).T
        before = self._current()
        kept = values[finite]
        chunks = [self._scan(kept[start : start + _CHUNK]) for start in range(0, len(kept), _CHUNK)]
        averages = np.concatenate([before, *chunks], axis=1).T
        return np.asarray(averages[np.cumsum(finite)])

    def _current(self) -> Floats:
        if not self._count:
            return np.full_like(self._sums, np.nan)
        return np.asarray(self._sums / (1.0 - self._weights**self._count))

    def _scan_few(self, values: Floats) -> Floats:
        """As `_scan`, in a few operations on small arrays."""
        n = len(values)
        decay = self._decay[:, :n]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            sums = (self._shares[:, :n, :n] * values).sum(axis=2) + decay * self._sums
            averages = sums / (1.0 - decay * self._weights**self._count)
        self._sums = sums[:, -1:].copy()
        self._count += n
        return np.asarray(averages)

    def _scan(self, values: Floats) -> Floats:
        # Prefix sums by doubling: log₂ n vector operations. A matrix product would wake the BLAS library's threads,
        # which the training needs.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            sums = (1.0 - self._weights) * values
            factor, shift = self._weights, 1
            while shift < len(values):
                sums[:, shift:] += factor * sums[:, :-shift]
                factor, shift = factor * factor, 2 * shift
            decay = self._decay[:, : len(values)]
            sums += decay * self._sums
            averages = sums / (1.0 - decay * self._weights**self._count)
        self._sums = sums[:, -1:].copy()
        self._count += len(values)
        return np.asarray(averages)


class Series:
    """Bounded, append-only record of a value a step.

    Values lie in at most `capacity` buckets of equally many values each: one at first; whenever the buckets are full,
    neighbours merge. A bucket keeps its steps and seconds, and the minimum, maximum, mean and last of its values, so
    extremes are never lost. Moving averages are taken of the single values as they arrive and read at the buckets'
    ends: they do not depend on the merging. A bucket without a finite value is a gap: NaN.

    Args:
        capacity: buckets at most, an even number.
        weights: of the moving averages; empty where none are wanted.
    """

    def __init__(self, capacity: int = CAPACITY, *, weights: tuple[float, ...] = SMOOTHING) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"capacity must be even and at least 2, not {capacity}")
        self._capacity = capacity
        self._smoother = Smoother(weights)
        self._width = 1  # values in a full bucket
        self._values = 0  # values in all buckets
        self._first: Ints = np.zeros(capacity, dtype=np.int64)
        self._last: Ints = np.zeros(capacity, dtype=np.int64)
        self._begin: Floats = np.zeros(capacity)
        self._end: Floats = np.zeros(capacity)
        self._low: Floats = np.zeros(capacity)
        self._high: Floats = np.zeros(capacity)
        self._sum: Floats = np.zeros(capacity)
        self._finite: Ints = np.zeros(capacity, dtype=np.int64)
        self._value: Floats = np.zeros(capacity)
        self._smoothed: Floats = np.zeros((capacity, len(weights)))

    @property
    def count(self) -> int:
        """Values taken in so far, the non-finite ones included. It only grows, so it tells a change."""
        return self._values

    @property
    def buckets(self) -> int:
        return -(-self._values // self._width)

    @property
    def bucket_width(self) -> int:
        """Values in a bucket: 1 as long as every value stands for itself."""
        return self._width

    @property
    def has_smoothing(self) -> bool:
        return bool(self._smoothed.shape[1])

    def __len__(self) -> int:
        return self.buckets

    def extend(self, steps: ArrayLike, values: ArrayLike, seconds: ArrayLike) -> None:
        """Append values: (n,) steps, values and seconds since the start. Steps and seconds must not decrease."""
        step = np.asarray(steps, dtype=np.int64)
        value = np.asarray(values, dtype=np.float64)
        second = np.asarray(seconds, dtype=np.float64)
        start = 0
        while start < len(step):
            room = self._capacity * self._width - self._values
            if not room:
                self._merge()
                continue
            part = slice(start, start + room)
            append = self._append_single if self._width == 1 else self._append
            append(step[part], value[part], second[part])
            start += room

    def _append_single(self, steps: Ints, values: Floats, seconds: Floats) -> None:
        """While every value has a bucket of its own there is nothing to reduce."""
        where = slice(self._values, self._values + len(steps))
        finite = np.isfinite(values)
        self._first[where] = self._last[where] = steps
        self._begin[where] = self._end[where] = seconds
        self._low[where] = self._high[where] = values if finite.all() else np.where(finite, values, np.nan)
        self._sum[where] = np.where(finite, values, 0.0)
        self._finite[where] = finite
        self._value[where] = values
        if self.has_smoothing:
            self._smoothed[where] = self._smoother.extend(values)
        self._values += len(steps)

    def _append(self, steps: Ints, values: Floats, seconds: Floats) -> None:
        numbers = self._values + np.arange(len(steps))
        bucket = numbers // self._width
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
        ends = np.append(starts[1:], len(steps)) - 1
        where = slice(int(bucket[0]), int(bucket[-1]) + 1)
        finite = np.isfinite(values)
        gapped = values if finite.all() else np.where(finite, values, np.nan)
        low, high = np.fmin.reduceat(gapped, starts), np.fmax.reduceat(gapped, starts)
        with np.errstate(over="ignore"):
            total = np.add.reduceat(np.where(finite, values, 0.0), starts)
        number = np.add.reduceat(finite.astype(np.int64), starts)
        if self._values % self._width:  # the first values belong to a bucket that is there already
            i = where.start
            low[0], high[0] = np.fmin(low[0], self._low[i]), np.fmax(high[0], self._high[i])
            total[0] += self._sum[i]
            number[0] += self._finite[i]
            self._first[where.start + 1 : where.stop] = steps[starts[1:]]
            self._begin[where.start + 1 : where.stop] = seconds[starts[1:]]
        else:
            self._first[where] = steps[starts]
            self._begin[where] = seconds[starts]
        self._last[where], self._end[where] = steps[ends], seconds[ends]
        self._low[where], self._high[where] = low, high
        self._sum[where], self._finite[where] = total, number
        self._value[where] = values[ends]
        if self.has_smoothing:
            self._smoothed[where] = self._smoother.extend(values)[ends]
        self._values += len(steps)

    def _merge(self) -> None:
        half = self._capacity // 2
        for earlier in (self._first, self._begin):
            earlier[:half] = earlier[::2]
        for later in (self._last, self._end, self._value, self._smoothed):
            later[:half] = later[1::2]
        self._low[:half] = np.fmin(self._low[::2], self._low[1::2])
        self._high[:half] = np.fmax(self._high[::2], self._high[1::2])
        with np.errstate(over="ignore"):
            self._sum[:half] = self._sum[::2] + self._sum[1::2]
        self._finite[:half] = self._finite[::2] + self._finite[1::2]
        self._width *= 2

    @property
    def first_steps(self) -> Ints:
        return self._first[: self.buckets]

    @property
    def last_steps(self) -> Ints:
        return self._last[: self.buckets]

    @property
    def seconds(self) -> Floats:
        """At the buckets' ends."""
        return self._end[: self.buckets]

    @property
    def lows(self) -> Floats:
        return self._low[: self.buckets]

    @property
    def highs(self) -> Floats:
        return self._high[: self.buckets]

    @property
    def lasts(self) -> Floats:
        return self._value[: self.buckets]

    @property
    def means(self) -> Floats:
        """Of the finite values; NaN in a gap."""
        number = self._finite[: self.buckets]
        return np.where(number > 0, self._sum[: self.buckets] / np.maximum(number, 1), np.nan)

    @property
    def latest(self) -> float:
        """The last value, NaN while there is none."""
        return float(self._value[self.buckets - 1]) if self._values else float("nan")

    def smoothed(self, weight_index: int) -> Floats:
        """The moving average with the weight of that index, at the buckets' ends; NaN in a gap."""
        averages = self._smoothed[: self.buckets, weight_index]
        gaps = self._finite[: self.buckets] == 0
        return np.where(gaps, np.nan, averages) if gaps.any() else averages

    def positions(self, x: XAxis = "step", *, steps_per_epoch: int = 1) -> Floats:
        """Where on the x axis the buckets end; epochs are fractions, 1.0 after the first."""
        return _positions(x, self.last_steps, self.seconds, steps_per_epoch)

    def since(
        self, bucket: int, x: XAxis = "step", *, steps_per_epoch: int = 1, weight_index: int = 0
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """From that bucket on, (n,) each: positions, lows, highs, and the moving average of that weight's index.

        In a series without moving averages the last values take their place. Gaps are NaN in the lows and highs.
        """
        part = slice(bucket, self.buckets)
        places = _positions(x, self._last[part], self._end[part], steps_per_epoch)
        average = self._smoothed[part, weight_index] if self.has_smoothing else self._value[part]
        return places, self._low[part], self._high[part], average

    def line(self, x: XAxis = "step", *, steps_per_epoch: int = 1) -> tuple[Floats, Floats]:
        """A polyline (x, y) of at most 2 · capacity points that touches every extreme; NaN in gaps."""
        places = self.positions(x, steps_per_epoch=steps_per_epoch)
        if self._width == 1:
            return places, self.lows.copy()
        return zigzag(places, self.lows, self.highs)

    def value_at(
        self, position: float, x: XAxis = "step", *, steps_per_epoch: int = 1, weight_index: int = 0
    ) -> Reading | None:
        """What stands at `position` on the x axis, or nearest to it; None in an empty series."""
        if not self._values:
            return None
        i = self.buckets - 1
        if position != math.inf:  # the latest value is read at every redraw and needs no search
            begins = _positions(x, self.first_steps, self._begin[: self.buckets], steps_per_epoch)
            ends = self.positions(x, steps_per_epoch=steps_per_epoch)
            i = min(int(np.searchsorted(ends, position)), self.buckets - 1)
            if i and begins[i] - position > position - ends[i - 1]:
                i -= 1
        return Reading(
            first_step=int(self._first[i]),
            last_step=int(self._last[i]),
            seconds=float(self._end[i]),
            minimum=float(self._low[i]),
            maximum=float(self._high[i]),
            mean=float(self._sum[i] / self._finite[i]) if self._finite[i] else float("nan"),
            last=float(self._value[i]),
            smoothed=float(self._smoothed[i, weight_index]) if self.has_smoothing else float("nan"),
            exact=self._width == 1 or (i == self.buckets - 1 and self._values % self._width == 1),
        )


class Deferred:
    """A series that takes values in only when it is looked at: one that is seldom drawn costs next to nothing."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._steps: list[Ints] = []
        self._values: list[Floats] = []
        self._seconds: list[Floats] = []

    def add(self, steps: Ints, values: Floats, seconds: Floats) -> None:
        """As Series.extend."""
        self._steps.append(steps)
        self._values.append(values)
        self._seconds.append(seconds)
        if len(self._steps) >= PATIENCE:
            self._take_in()

    @property
    def series(self) -> Series:
        """With everything that was added."""
        self._take_in()
        return self._series

    def _take_in(self) -> None:
        if self._steps:
            parts = [np.concatenate(part) for part in (self._steps, self._values, self._seconds)]
            for waiting in (self._steps, self._values, self._seconds):
                waiting.clear()
            self._series.extend(*parts)


def zigzag(x: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The polyline up and down through intervals `low` … `high` (n,) at `x` (n,): (2n,) x and y."""
    y = np.empty((len(x), 2))
    y[::2, 0], y[::2, 1] = low[::2], high[::2]
    y[1::2, 0], y[1::2, 1] = high[1::2], low[1::2]
    return np.repeat(x, 2), y.ravel()


def _positions(x: XAxis, steps: Ints, seconds: Floats, steps_per_epoch: int) -> Floats:
    match x:
        case "step":
            return steps.astype(np.float64)
        case "epoch":
            return steps / max(steps_per_epoch, 1)
        case "seconds":
            return seconds.copy()
