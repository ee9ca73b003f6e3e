"""What is measured, and what is said about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a figure is compared with, measured in the same run, in the figure's unit."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure's value or ratio should keep."""

    of: Literal["value", "ratio"]
    kind: Literal["at least", "at most"]
    bound: float

    def text(self, unit: str) -> str:
        sign = "≥" if self.kind == "at least" else "≤"
        return f"ratio {sign} {self.bound:g}" if self.of == "ratio" else f"{sign} {self.bound:g} {unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        name: group and figure, as in "lenet5: epoch".
        value: in `unit`; shares have an empty unit.
        ratio: how many times as good as the baseline, above 1 where it is better.
        target: None where a figure is there to be known.
        note: how it was taken, and what else was seen.
    """

    name: str
    value: float
    unit: str
    baseline: Baseline | None = None
    ratio: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is kept, None where there is none."""
        if self.target is None:
            return None
        seen = self.value if self.target.of == "value" else self.ratio
        if seen is None:
            return False
        return seen >= self.target.bound if self.target.kind == "at least" else seen <= self.target.bound

    def as_json(self) -> dict[str, object]:
        text = None if self.target is None else self.target.text(self.unit)
        return {**asdict(self), "target": text, "met": self.met}


@dataclass(frozen=True, slots=True)
class Plan:
    """How thoroughly to measure."""

    quick: bool

    def times(self, full: int, quick: int) -> int:
        """How often: `full` times, or `quick` times where only a glance is wanted."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two sides measured in turns, so that whatever else the machine did hit both. Each at least one value."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def our_median(self) -> float:
        return median(self.ours)

    @property
    def their_median(self) -> float:
        return median(self.theirs)

    @property
    def time_ratio(self) -> float:
        """The median over the pairs of their time by ours: how many times as fast ours is."""
        return median(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def speed_ratio(self) -> float:
        """The median over the pairs of our speed by theirs."""
        return median(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def difference(self) -> float:
        """The median over the pairs of ours less theirs."""
        return median(ours - theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 … 1) of all values do not exceed. There must be one."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
