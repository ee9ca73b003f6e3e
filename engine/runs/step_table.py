"""Steps of a run as columns: from events, to events, to bytes, and thinned to what a screen can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from engine.events import StepFinished
from engine.runs.columns import Floats, Ints, pack_floats, pack_ints, unpack_floats, unpack_ints

CHUNK = 8192  # steps in a chunk that is complete
MOST_STEPS = 2 * CHUNK  # in any chunk: what claims more is damaged
MOST_VALUES = 1024  # parameters told by a step
_PICKED_FROM = 256  # steps, of which those with the extremes stand in a chunk's overview
_PICKS = 4  # at most, of steps whose loss is finite: the lowest and highest loss, the lowest and highest accuracy

_STEP, _EPOCH, _LOSS = attrgetter("step"), attrgetter("epoch"), attrgetter("loss")
_RATE, _SECONDS = attrgetter("learning_rate"), attrgetter("seconds")

# As the store's tables have them.
COLUMNS = ("steps", "epochs", "loss", "learning_rate", "seconds", "accuracy", "parameters", "gradients")
Packed = tuple[bytes, ...]  # one a column


@dataclass(frozen=True, slots=True)
class StepTable:
    """n steps in order, one array a column, not to be written to.

    Attributes:
        step, epoch: int64 (n,), counted from 1.
        loss, learning_rate, seconds: float64 (n,), see StepFinished.
        accuracy: float64 (n,), 0 … 1; NaN where it was not measured.
        parameters, gradients: float64 (n, K), K = 0 where the network is too large to tell them.
    """

    step: Ints
    epoch: Ints
    loss: Floats
    learning_rate: Floats
    seconds: Floats
    accuracy: Floats
    parameters: Floats
    gradients: Floats

    def __len__(self) -> int:
        return len(self.step)

    @property
    def ints(self) -> tuple[Ints, ...]:
        return self.step, self.epoch

    @property
    def floats(self) -> tuple[Floats, ...]:
        return self.loss, self.learning_rate, self.seconds, self.accuracy, self.parameters, self.gradients

    @property
    def width(self) -> int:
        """K, the number of parameters that a step tells."""
        return int(self.parameters.shape[1])

    def take(self, which: Ints | NDArray[np.bool_] | slice) -> StepTable:
        """The rows `which`."""
        return _table([c[which] for c in self.ints], [c[which] for c in self.floats])

    def events(self) -> Iterator[StepFinished]:
        """The steps as they were told."""
        accuracies = [None if value != value else value for value in self.accuracy.tolist()]  # NaN differs from itself
        whole = zip(self.step.tolist(), self.epoch.tolist(), strict=True)
        figures = zip(self.loss.tolist(), self.learning_rate.tolist(), self.seconds.tolist(), accuracies, strict=True)
        if not self.width:
            for (step, epoch), (loss, rate, seconds, accuracy) in zip(whole, figures, strict=True):
                yield StepFinished(step, epoch, loss, rate, seconds, accuracy)
            return
        values = zip(map(tuple, self.parameters.tolist()), map(tuple, self.gradients.tolist()), strict=True)
        for (step, epoch), (loss, rate, seconds, accuracy), told in zip(whole, figures, values, strict=True):
            yield StepFinished(step, epoch, loss, rate, seconds, accuracy, *told)

    def thinned(self, limit: int) -> StepTable:
        """At most `limit` of the steps, 6 or more, where there are more of them.

        Of groups of neighbours those with the lowest and the highest loss and accuracy stay, in order; so do the first
        and the last step. No extreme is lost.
        """
        return self if len(self) <= limit else self._picked(-(-len(self) // max((limit - 2) // _PICKS, 1)))

    def overview(self) -> StepTable:
        """What stands for this chunk where a long run is shown."""
        return self._picked(_PICKED_FROM)

    def _picked(self, width: int) -> StepTable:
        chosen = [np.array([0, len(self) - 1])]
        for values in (self.loss, self.accuracy):
            chosen += [_extremes(values, width, sign) for sign in (1.0, -1.0)]
        return self.take(np.unique(np.concatenate(chosen)))

    def packed(self) -> Packed:
        """In the order of COLUMNS."""
        ints, floats = map(pack_ints, self.ints), map(pack_floats, map(np.ravel, self.floats))
        return (*ints, *floats)


def _table(ints: Sequence[Ints], floats: Sequence[Floats]) -> StepTable:
    step, epoch = ints
    loss, learning_rate, seconds, accuracy, parameters, gradients = floats
    return StepTable(step, epoch, loss, learning_rate, seconds, accuracy, parameters, gradients)


def _extremes(values: Floats, width: int, sign: float) -> Ints:
    """The places of the lowest (`sign` 1) or highest (−1) value of every `width` neighbours; NaN counts as neither."""
    groups = -(-len(values) // width)
    ranked = np.full(groups * width, np.inf)
    ranked[: len(values)] = np.where(np.isnan(values), np.inf, sign * values)
    rows = ranked.reshape(groups, width)
    places = rows.argmin(axis=1)
    found = np.isfinite(rows[np.arange(groups), places])
    return np.asarray((np.arange(groups) * width + places)[found], np.int64)


def table_of(events: Sequence[StepFinished]) -> StepTable:
    """`events` as columns."""
    n = len(events)
    width = len((events[0].parameters if events else None) or ())
    if width and any(len(event.parameters or ()) != width or len(event.gradients or ()) != width for event in events):
        width = 0
    return StepTable(
        np.fromiter(map(_STEP, events), np.int64, n),
        np.fromiter(map(_EPOCH, events), np.int64, n),
        np.fromiter(map(_LOSS, events), np.float64, n),
        np.fromiter(map(_RATE, events), np.float64, n),
        np.fromiter(map(_SECONDS, events), np.float64, n),
        np.array([event.accuracy for event in events], np.float64),  # None becomes NaN
        np.array([event.parameters for event in events] if width else [], np.float64).reshape(n, width),
        np.array([event.gradients for event in events] if width else [], np.float64).reshape(n, width),
    )


def joined(tables: Sequence[StepTable]) -> StepTable:
    """`tables` one after the other. Parameters are there where all of them have equally many."""
    if len(tables) == 1:
        return tables[0]
    if not tables:
        return table_of(())
    if len({table.width for table in tables}) > 1:
        tables = [_table(table.ints, [*table.floats[:4], *[np.empty((len(table), 0))] * 2]) for table in tables]
    return _table(
        [np.concatenate(columns) for columns in zip(*(table.ints for table in tables), strict=True)],
        [np.concatenate(columns) for columns in zip(*(table.floats for table in tables), strict=True)],
    )


def unpacked(count: object, width: object, packed: Sequence[object]) -> StepTable:
    """The table that was packed: `count` steps, each with `width` parameters. Raises ValueError where it contradicts
    itself.
    """
    if not isinstance(count, int) or not 0 < count <= MOST_STEPS:
        raise ValueError(f"it claims {count!r} steps")
    if not isinstance(width, int) or not 0 <= width <= MOST_VALUES:
        raise ValueError(f"it claims {width!r} parameters")
    blobs = [blob for blob in packed if isinstance(blob, bytes)]
    if len(blobs) != len(COLUMNS):
        raise ValueError("a column is missing")
    ints = [unpack_ints(blob, count) for blob in blobs[:2]]
    if ints[0][0] < 0 or (np.diff(ints[0]) <= 0).any():
        raise ValueError("its steps are out of order")
    floats = [unpack_floats(blob, count) for blob in blobs[2:6]]
    values = [unpack_floats(blob, count * width).reshape(count, width) for blob in blobs[6:]]
    return _table(ints, [*floats, *values])
