"""Has the network of this moment, or of the step gone back to, judge the test set, a part at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer

from engine.datasets.data import DatasetInfo
from engine.inspection.confusion import Confusion, Tally, balanced_order
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import Samples
    from engine.live import LiveNetwork

SUBSET = 500  # samples, counted first: LeNet takes 35 ms for them on one core
FIRST = 0.04  # s after which the first part is told, however many it is of
SLICE = 0.03  # s of counting after which other tools have their turn
LEAST_A_CLASS = 5  # samples that are counted during a run, however long they take
EVERY = 2.0  # s between two counts of a network that is being trained
SHARE = 0.02  # of the time, at most, that counting takes during a run
TELL_EVERY = 400  # ms between two answers while the whole is counted


@dataclass(frozen=True, slots=True)
class Split:
    """A test set with the order in which it is counted."""

    dataset: object
    info: DatasetInfo
    samples: Samples
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is being counted, or was last: whose network, and whether all samples shall be."""

    live: LiveNetwork
    generation: int
    step: int | None
    whole: bool


class ConfusionCount:
    """A part of the test set in which all classes are alike is counted at once, the rest little by little.

    The rest is only counted while no run goes on, since counting takes its time on the cores that train. What is newer
    takes the place of what is being counted, and of what came late only the newest is told: so there are answers while
    one hurries along the run, too.

    Args:
        heard: called with what is counted so far and the step of its network, None where that is untrained.
        refused: called with a sentence where the test set cannot be had.

    Attributes:
        split: the test set, None until it is there.
    """

    def __init__(
        self, bench: Workbench, heard: Callable[[Confusion, int | None], None], refused: Callable[[str], None]
    ) -> None:
        self._bench, self._heard, self._refused = bench, heard, refused
        self._asked: _Asked | None = None
        self._question = 0  # grows with every network that is asked about
        self._newest = 0  # question that was answered
        self._counting = False
        self._rest = 0.0  # s until the next count during a run
        self._since = QElapsedTimer()
        self._told = QElapsedTimer()
        self._shown: LiveNetwork | None = None  # whose confusion was told last
        self.split: Split | None = None

    def refresh(self, config: RunConfig, live: LiveNetwork) -> None:
        """Ask where the network is another, or not all is counted that could be by now. Cheap where neither is so."""
        state = self._bench.run_state
        asked = _Asked(live, state.generation, self._bench.step(), state.status != "running")
        before = self._asked
        if before is not None and before.live is live and before.whole == asked.whole:
            resting = self._counting or (self._since.isValid() and self._since.elapsed() < 1000 * self._rest)
            if asked == before or (not asked.whole and resting):
                return
        self._question += 1
        self._asked, self._counting = asked, True
        split = self.split if self.split is not None and self.split.dataset == config.dataset else None
        job = partial(_begin, self._bench, config, live, split)
        done, failed = partial(self._take_first, self._question, asked), partial(self._refuse, self._question)
        self._bench.compute("confusion", job, done, failed)

    def stop(self) -> None:
        """What is being counted is not wanted any more; it is asked anew at the next `refresh`."""
        if self._counting:
            self.forget()

    def forget(self) -> None:
        """As if nothing had been asked."""
        self._question += 1
        self._newest = self._question
        self._asked, self._counting, self._shown = None, False, None

    def _take_first(self, question: int, asked: _Asked, answer: tuple[Split, Tally, Confusion]) -> None:
        if question <= self._newest:
            return
        self._newest = question
        self.split, tally, confusion = answer
        if question == self._question:
            self._told.invalidate()
            self._take(question, asked, tally, confusion)
        else:
            self._shown = asked.live
            self._heard(confusion, asked.step)

    def _take(self, question: int, asked: _Asked, tally: Tally, confusion: Confusion) -> None:
        """A part is counted: tell it, and go on unless something newer was asked."""
        if question != self._question:
            return
        few = LEAST_A_CLASS * len(confusion.classes)
        enough = confusion.done >= SUBSET or (tally.spent >= 2 * FIRST and confusion.done >= few)
        self._counting = not confusion.whole and (asked.whole or not enough)
        if not self._counting:
            self._rest = max(EVERY, tally.spent / SHARE)
            self._since.start()
        # A picture that lives shows as much each time; one that was asked for is begun at once.
        begins = asked.whole or asked.live is not self._shown
        if not self._counting or (begins and (not self._told.isValid() or self._told.elapsed() >= TELL_EVERY)):
            self._told.start()
            self._shown = asked.live
            self._heard(confusion, asked.step)
        if self._counting and question == self._question:
            job = partial(_go_on, tally, lambda: question == self._question)
            self._bench.compute("confusion", job, partial(self._take, question, asked, tally))

    def _refuse(self, question: int, text: str) -> None:
        if question == self._question:
            self._refused(text)


# Done on another thread


def _begin(
    bench: Workbench, config: RunConfig, live: LiveNetwork, split: Split | None
) -> tuple[Split, Tally, Confusion]:
    if split is None:
        dataset = bench.dataset(config)
        split = Split(config.dataset, dataset.info, dataset.test, balanced_order(dataset.test))
    tally = Tally(live, split.samples, split.order)
    tally.count(SUBSET, seconds=FIRST)
    return split, tally, tally.found()


def _go_on(tally: Tally, wanted: Callable[[], bool]) -> Confusion:
    tally.count(SUBSET if tally.done < SUBSET else len(tally), seconds=SLICE, wanted=wanted)
    return tally.found()
