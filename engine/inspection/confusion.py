"""Which classes a network takes for which. Importing this imports no torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo, Samples
from engine.datasets.levels import grey_levels
from engine.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from engine.live import LiveNetwork

CHUNK = 100  # samples at once: beyond it a network of convolutions takes longer for each, not shorter
FIRST_CHUNK = 10  # before it is known how long one takes
PATIENCE = 0.02  # s: chunks shrink so that one takes no longer, where a single sample does not

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion:
    """How often each class was taken for each. Owned arrays that cannot be written to.

    Attributes:
        classes: their names.
        numbers: int64 (done,), which samples were asked about.
        true, given: int64 (done,), their classes, and those that the network gave.
        of: how many samples there are.
        counts: int64 (classes, classes), a row for the true class, a column for the given one.
    """

    classes: tuple[str, ...]
    numbers: Numbers
    true: Numbers
    given: Numbers
    of: int
    counts: Numbers

    @property
    def done(self) -> int:
        return len(self.numbers)

    @property
    def whole(self) -> bool:
        """Whether no sample is missing."""
        return self.done == self.of

    @property
    def accuracy(self) -> float:
        """The share of samples, 0 … 1, that were given their own class; NaN without samples."""
        return int(np.trace(self.counts)) / self.done if self.done else float("nan")

    @property
    def shares(self) -> NDArray[np.float64]:
        """`counts` as shares of their rows, float64 (classes, classes); 0 in the rows of classes without samples."""
        return np.asarray(self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1))

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of each class's samples that were given it, float64 (classes,); NaN without samples."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of the samples given a class that are of it, float64 (classes,); NaN where none was given it."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=0))

    def samples_in(self, *, true: int, given: int) -> Numbers:
        """The numbers of the samples of one cell, ascending."""
        return np.sort(self.numbers[(self.true == true) & (self.given == given)])


class Tally:
    """Counts what a network of one moment takes the samples of a split for, a part at a time.

    The weights are copied at once; what is counted later belongs to the same moment, and a run under way is not
    disturbed. For one thread at a time.

    Args:
        live: the network that answers.
        samples: of its dataset.
        order: a permutation of the samples' numbers, such as `balanced_order`; as they stand where it is None.

    Attributes:
        done: how many are counted.
        spent: seconds of processor time that counting took, all in all.

    Raises InputError in regression.
    """

    def __init__(self, live: LiveNetwork, samples: Samples, order: Numbers | None = None) -> None:
        refuse_without_classes(live.info)
        self._live = live
        self._samples = samples
        self._order = np.arange(len(samples)) if order is None else order
        self._network: nn.Module = live.copy()
        self._given = np.zeros(len(samples), dtype=np.int64)
        self._chunk = FIRST_CHUNK
        self.done = 0
        self.spent = 0.0

    def __len__(self) -> int:
        """How many samples there are to count."""
        return len(self._samples)

    @property
    def whole(self) -> bool:
        """Whether nothing is left to count."""
        return self.done == len(self)

    def count(self, until: int, *, seconds: float = float("inf"), wanted: Callable[[], bool] = lambda: True) -> None:
        """Go on until so many samples are counted in all, or so many seconds have passed; some are counted always.

        Args:
            wanted: asked before every further hundred samples; it ends where this says no.
        """
        import torch

        began, worked = time.perf_counter(), time.thread_time()
        until = min(until, len(self))
        while self.done < until:
            started = time.perf_counter()
            stop = min(self.done + self._chunk, until)
            numbers = torch.from_numpy(self._order[self.done : stop])
            given = self._live.classify(self._samples.inputs.index_select(0, numbers), self._network)
            self._given[self.done : stop] = given.numpy()
            taken = time.perf_counter() - started
            self._chunk = max(1, min(CHUNK, round(PATIENCE * (stop - self.done) / max(taken, 1e-9))))
            self.done = stop
            if time.perf_counter() - began >= seconds or not wanted():
                break
        self.spent += time.thread_time() - worked

    def found(self) -> Confusion:
        """What is counted so far."""
        numbers = self._order[: self.done].copy()
        true, given = self._samples.targets.numpy()[numbers], self._given[: self.done].copy()
        size = len(self._live.info.classes)
        counts = np.bincount(true * size + given, minlength=size * size).reshape(size, size)
        for array in (numbers, true, given, counts):
            array.flags.writeable = False
        return Confusion(
            classes=self._live.info.classes,
            numbers=numbers,
            true=true,
            given=given,
            of=len(self._samples),
            counts=counts,
        )


def balanced_order(samples: Samples) -> Numbers:
    """All samples' numbers, int64 (N,), such that those in front are of all classes alike and from all over the split.

    The classes take turns until they have no samples left; within a class the order is drawn by chance, always the
    same: splits are seldom mixed well, and the front of MNIST's test set is easier than its end.
    """
    targets = samples.targets.numpy()
    drawn = np.random.default_rng(0).permutation(len(targets))
    by_class = drawn[np.argsort(targets[drawn], kind="stable")]
    _, starts = np.unique(targets[by_class], return_index=True)
    turn = np.arange(len(targets)) - np.repeat(starts, np.diff([*starts, len(targets)]))
    return by_class[np.argsort(turn, kind="stable")].astype(np.int64)


def look_at(samples: Samples, info: DatasetInfo, numbers: Numbers) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Some samples to look at, owned: pictures uint8 (n, H, W) grey or (n, H, W, 3) colour, or points float32 (n, F).

    Raw images are scaled each by its own largest value.
    """
    values: NDArray[Any] = samples.inputs.numpy()[numbers]
    if not info.is_image:
        points: NDArray[np.float32] = values.astype(np.float32)
        return points
    pictures: NDArray[np.uint8] = grey_levels(values) if info.raw else values
    return pictures[:, 0] if pictures.shape[1] == 1 else np.ascontiguousarray(np.moveaxis(pictures, 1, -1))


def confusion_matrix(
    live: LiveNetwork, samples: Samples, *, wanted: Callable[[], bool] = lambda: True
) -> Numbers | None:
    """How often each class was taken for each, int64 (classes, classes): a row for the true, a column for the given.

    All answers are those of one moment, and a run under way is not disturbed.

    Args:
        live: the network that answers.
        samples: of its dataset.
        wanted: asked again and again; None is returned where it says no.

    Raises InputError in regression.
    """
    tally = Tally(live, samples)
    while not tally.whole:
        if not wanted():
            return None
        tally.count(len(samples), seconds=PATIENCE)
    return tally.found().counts


def refuse_without_classes(info: DatasetInfo) -> None:
    """Raises InputError in regression."""
    if not info.classes:
        raise InputError("dataset", f"{info.label} has no classes to confuse", "a dataset with classes")


def _ratio(part: Numbers, of: Numbers) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, of, out=np.full(len(part), np.nan), where=of > 0))
