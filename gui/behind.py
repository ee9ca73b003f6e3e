"""What a panel of curves shows of the runs that its run goes on from: faint lines, and where they were left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gui.ancestors import Ancestor, Pick
from gui.plotting.backdrop import Shade
from gui.plotting.overlay import Mark
from gui.plotting.trace import Trace
from gui.series import Floats, XAxis

ROLE = "secondary"
COMMON, OTHER = 0.85, 0.45  # opacity of what the run has in common with another one, and of how that one went on
EVALUATED: tuple[tuple[float, ...], ...] = ((6, 3), (2, 3))  # dashes of validation and test
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """Lines behind a run's own, what they extend over (NaN where there are none), and marks where they were left.

    Attributes:
        least: the smallest positive value, infinite where there is none.
    """

    shades: tuple[Shade, ...] = ()
    marks: tuple[Mark, ...] = ()
    low: float = math.nan
    high: float = math.nan
    least: float = math.inf


class BehindCache:
    """Makes a `Behind` anew only when something of what it depends on is another.

    Args:
        train: picks the steps' series. evaluated: pick those of validation and test, where there are any.
    """

    def __init__(self, train: Pick, evaluated: Sequence[Pick | None]) -> None:
        self._train = train
        self._evaluated = tuple(evaluated)
        self._key: Key = ()
        self._made = Behind()

    def of(self, ancestors: tuple[Ancestor, ...], x: XAxis, *, steps_per_epoch: int, weight_index: int) -> Behind:
        """For a run with so many steps an epoch. Ancestors are told by their identity: they do not change."""
        key = (ancestors, x, steps_per_epoch, weight_index) if ancestors else ()
        if key != self._key:
            self._key = key
            self._made = self._make(ancestors, x, steps_per_epoch, weight_index) if ancestors else Behind()
        return self._made

    def _make(self, ancestors: tuple[Ancestor, ...], x: XAxis, steps_per_epoch: int, weight_index: int) -> Behind:
        shades: list[Shade] = []
        values: list[Floats] = []
        picks = ((self._train, ()), *zip(self._evaluated, EVALUATED, strict=True))
        for ancestor in reversed(ancestors):  # the nearest on top
            end = ancestor.end(x, steps_per_epoch)
            for number, (pick, dashes) in enumerate(picks):
                if pick is None:
                    continue
                places, line = ancestor.line(pick, x, steps_per_epoch=steps_per_epoch, weight_index=weight_index)
                name = f"{ancestor.run} {number}"
                for part, share, which in _parts(places, end):
                    shades.append(
                        Shade(
                            Trace(f"{name} {part}", ROLE, "line", places[which], line[which], line[which], "", dashes),
                            share,
                        )
                    )
                values.append(line)
        every = np.concatenate(values)
        finite = every[np.isfinite(every)]
        marks = [
            Mark(place, f"run {child.run} begins")
            for child, ancestor in pairwise(ancestors)
            if math.isfinite(place := ancestor.end(x, steps_per_epoch))
        ]
        if not len(finite):
            return Behind(marks=tuple(marks))
        return Behind(
            tuple(shades),
            tuple(marks),
            float(finite.min()),
            float(finite.max()),
            float(np.min(finite, initial=math.inf, where=finite > 0)),
        )


def _parts(places: Floats, end: float) -> list[tuple[str, float, slice]]:
    """Up to where the branch left it, and from there on; the point between is in both."""
    if not len(places):
        return []
    if not math.isfinite(end):
        return [("other", OTHER, slice(None))]
    cut = int(places.searchsorted(end, side="right"))
    parts = [("other", OTHER, slice(max(cut - 1, 0), None)), ("common", COMMON, slice(cut))]
    return [part for part in parts if len(places[part[2]])]
