"""Schedules: how the learning rate goes over a run, in closed form, so that any step can be asked for. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from engine.catalog import Catalog, Entry, Param, Params, number


class Multiplier(Protocol):
    """The factor on the base learning rate."""

    def __call__(self, step: int, /, *, total: int, steps_per_epoch: int, params: Params) -> float:
        """For update number `step`, counted from 0, of a run of `total` updates. Past the end the last value stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry(Entry):
    """A schedule to pick.

    Attributes:
        multiplier: the factor on the base learning rate; 1 throughout where `plateau`.
        plateau: the factor depends on the losses seen: keep a PlateauState, let it observe one loss an epoch, and
            multiply by its factor.
        spans: the factor at a step depends on how long the run is.
    """

    multiplier: Multiplier
    plateau: bool = False
    spans: bool = False


@dataclass(frozen=True, slots=True)
class PlateauState:
    """What reduce_on_plateau remembers, by the rule of torch's ReduceLROnPlateau (mode min, relative threshold).

    Attributes:
        multiplier: the factor on the base learning rate now.
        best: the lowest loss so far; None before the first.
        bad_epochs: epochs in a row without a better loss, since the last reduction.
    """

    multiplier: float = 1.0
    best: float | None = None
    bad_epochs: int = 0

    def observe(self, loss: float, params: Params) -> PlateauState:
        """The state after an epoch that ended with `loss`, the validation loss where there is one."""
        bar = math.inf if self.best is None else self.best * (1 - number(params, "threshold"))
        if loss < bar:
            return PlateauState(self.multiplier, loss, 0)
        if self.bad_epochs < number(params, "patience"):
            return PlateauState(self.multiplier, self.best, self.bad_epochs + 1)
        reduced = max(self.multiplier * number(params, "factor"), number(params, "minimum"))
        return PlateauState(min(reduced, self.multiplier), self.best, 0)


def curve(
    entry: ScheduleEntry, params: Params, *, total: int, steps_per_epoch: int, points: int = 200
) -> list[tuple[int, float]]:
    """A preview: (step, factor) at no more than `points` steps, evenly from the first to the last of `total`."""
    last, count = max(total - 1, 0), max(min(points, total), 1)
    steps = [round(last * i / max(count - 1, 1)) for i in range(count)]
    return [
        (step, entry.multiplier(step, total=total, steps_per_epoch=steps_per_epoch, params=params)) for step in steps
    ]


def _constant(_step: int, **_others: object) -> float:
    return 1.0


def _step(step: int, *, total: int, steps_per_epoch: int, params: Params) -> float:
    epoch = min(step, max(total - 1, 0)) // max(steps_per_epoch, 1)
    return float(number(params, "factor") ** (epoch // number(params, "every_epochs")))


def _cosine(step: int, *, total: int, params: Params, **_others: object) -> float:
    final = number(params, "final")
    warm_up = round(number(params, "warm_up") * total)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return _ease(1.0, final, (step - warm_up) / max(total - warm_up, 1))


def _one_cycle(step: int, *, total: int, params: Params, **_others: object) -> float:
    start = 1 / number(params, "start_divisor")
    final = start / number(params, "final_divisor")
    last = total - 1
    if last <= 0:
        return 1.0  # a run of a single step is all peak
    peak = number(params, "warm_up") * total - 1
    if step < peak:
        return _ease(start, 1.0, step / peak)
    return _ease(1.0, final, (step - peak) / (last - peak))


def _ease(start: float, end: float, share: float) -> float:
    """From `start` to `end` along half a cosine, for `share` from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _warm_up(default: float) -> Param:
    return Param(
        name="warm_up",
        kind="float",
        default=default,
        low=0,
        high=0.9,
        live=True,
        label="Warm-up",
        help="The share of the run in which the learning rate rises to its full height.",
    )


SCHEDULES = Catalog(
    "schedule",
    ScheduleEntry,
    (
        ScheduleEntry(
            name="constant",
            label="Constant",
            summary="The learning rate stays as it is.",
            multiplier=_constant,
        ),
        ScheduleEntry(
            name="step",
            label="Step",
            summary="Multiplies the learning rate by a factor every few epochs.",
            params=(
                Param(
                    name="every_epochs",
                    kind="int",
                    default=1,
                    low=1,
                    high=100_000,
                    live=True,
                    label="Every",
                    unit="epochs",
                    help="How many epochs pass from one change to the next.",
                ),
                Param(
                    name="factor",
                    kind="float",
                    default=0.5,
                    above=0,
                    high=1,
                    live=True,
                    label="Factor",
                    help="What the learning rate is multiplied by at each change.",
                ),
            ),
            multiplier=_step,
        ),
        ScheduleEntry(
            name="cosine",
            label="Cosine",
            summary="Falls along half a cosine to the end of the run, after a linear warm-up where wanted "
            "(Loshchilov and Hutter 2017).",
            params=(
                _warm_up(0.0),
                Param(
                    name="final",
                    kind="float",
                    default=0.0,
                    low=0,
                    high=1,
                    live=True,
                    label="Final share",
                    help="The share of the learning rate that is left at the end of the run.",
                ),
            ),
            multiplier=_cosine,
            spans=True,
        ),
        ScheduleEntry(
            name="one_cycle",
            label="One-cycle",
            summary="Rises to the learning rate and then falls to almost nothing, both along half a cosine "
            "(Smith and Topin 2018).",
            params=(
                _warm_up(0.3),
                Param(
                    name="start_divisor",
                    kind="float",
                    default=25.0,
                    low=1,
                    high=1e6,
                    log=True,
                    live=True,
                    label="Start divisor",
                    help="The run starts with the learning rate divided by this.",
                ),
                Param(
                    name="final_divisor",
                    kind="float",
                    default=1e4,
                    low=1,
                    high=1e9,
                    log=True,
                    live=True,
                    label="Final divisor",
                    help="The run ends with the starting rate divided by this.",
                ),
            ),
            multiplier=_one_cycle,
            spans=True,
        ),
        ScheduleEntry(
            name="reduce_on_plateau",
            label="Reduce on plateau",
            summary="Reduces the learning rate when the loss has stopped falling; how it goes is not known beforehand.",
            params=(
                Param(
                    name="factor",
                    kind="float",
                    default=0.1,
                    above=0,
                    below=1,
                    live=True,
                    label="Factor",
                    help="What the learning rate is multiplied by at each reduction.",
                ),
                Param(
                    name="patience",
                    kind="int",
                    default=2,
                    low=0,
                    high=10_000,
                    live=True,
                    label="Patience",
                    unit="epochs",
                    help="How many epochs in a row may pass without a better loss before the one that reduces.",
                ),
                Param(
                    name="threshold",
                    kind="float",
                    default=1e-4,
                    low=0,
                    high=1,
                    log=True,
                    live=True,
                    label="Threshold",
                    help="A loss counts as better only if it is lower than the best by more than this share of it.",
                ),
                Param(
                    name="minimum",
                    kind="float",
                    default=0.0,
                    low=0,
                    high=1,
                    live=True,
                    label="Minimum share",
                    help="The learning rate is never reduced below this share of itself.",
                ),
            ),
            multiplier=_constant,
            plateau=True,
        ),
    ),
)
