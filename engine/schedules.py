"""Schedules: the learning rate over a run, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.catalog import Catalog, Entry, Params


class Multiplier(Protocol):
    """The factor on the base learning rate."""

    def __call__(self, step: int, *, total: int, steps_per_epoch: int, params: Params) -> float:
        """For update number `step`, counted from 0, of `total`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry(Entry):
    """A schedule to pick.

    Attributes:
        multiplier: the factor on the base learning rate; 1 throughout where `plateau`.
        plateau: the factor depends on the losses seen, through a PlateauState that observes one loss an epoch.
    """

    multiplier: Multiplier
    plateau: bool = False


@dataclass(frozen=True, slots=True)
class PlateauState:
    """What reduce_on_plateau remembers. `multiplier` is the factor on the base learning rate."""

    multiplier: float = 1.0
    best: float | None = None
    bad_epochs: int = 0

    def observe(self, loss: float, params: Params) -> PlateauState:
        """The state after an epoch that ended with `loss`."""
        raise NotImplementedError


def _constant(step: int, *, total: int, steps_per_epoch: int, params: Params) -> float:  # noqa: ARG001
    return 1.0


def curve(
    entry: ScheduleEntry, params: Params, *, total: int, steps_per_epoch: int, points: int = 200
) -> list[tuple[int, float]]:
    """(step, factor on the base learning rate) at up to `points` steps from the first to the last, for a preview."""
    count = max(min(points, total), 1)
    steps = [i * (total - 1) // max(count - 1, 1) for i in range(count)]
    return [(s, entry.multiplier(s, total=total, steps_per_epoch=steps_per_epoch, params=params)) for s in steps]


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
    ),
)
