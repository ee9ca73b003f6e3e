"""Trainings that take turns of a few steps each in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

from engine.config import RunConfig
from engine.datasets.library import Library
from engine.events import Event, Failed, Finished, Started, StepFinished
from engine.rewind.snapshots import Snapshots
from engine.training import train
from engine.tuning import Tuner
from tests.bench.figure import Pairs


class Side:
    """A training that goes on by one step whenever it is told.

    Args:
        steps: does a step each time it is advanced; endless.
        threads: for torch during this side's turns.
        label: how it is set up, for people.
    """

    def __init__(self, steps: Iterator[object], *, threads: int, label: str) -> None:
        self._steps = steps
        self.threads = threads
        self.label = label

    def turn(self, steps: int) -> float:
        """Seconds a step, over all but the first of `steps` steps: that one wakes threads and caches."""
        torch.set_num_threads(self.threads)
        next(self._steps)
        start = time.perf_counter()
        for _ in range(steps - 1):
            next(self._steps)
        return (time.perf_counter() - start) / (steps - 1)


def learnscope(
    config: RunConfig, library: Library, *, tuner: Tuner | None = None, snapshots: Snapshots | None = None
) -> Side:
    """Learnscope's own training, tuned anew unless a `tuner` knows how, with every event consumed.

    Loading, tuning and the evaluations lie outside of its turns, provided that a whole number of turns makes an epoch:
    the evaluation after an epoch then falls to the first step of a turn.
    """
    events = train(config, library=library, tuner=tuner or Tuner(), snapshots=snapshots)
    for event in events:
        if isinstance(event, Failed):
            raise RuntimeError(event.message)
        if isinstance(event, Started):
            return Side(_steps(events), threads=event.threads, label=described(event.threads, event.memory_format))
    raise RuntimeError("the run did not start")


def _steps(events: Iterator[Event]) -> Iterator[StepFinished]:
    for event in events:
        if isinstance(event, StepFinished):
            yield event
        elif isinstance(event, Failed | Finished):
            raise RuntimeError(f"the run ended before it was measured: {event}")


def described(threads: int, memory_format: str) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}, {memory_format}"


def take_turns(ours: Side, theirs: Side, *, steps: int, pairs: int) -> Pairs:
    """Seconds a step of both, as `alternate` takes them."""
    return alternate(partial(ours.turn, steps), partial(theirs.turn, steps), pairs=pairs)


def alternate(ours: Callable[[], float], theirs: Callable[[], float], *, pairs: int) -> Pairs:
    """What both measure, `pairs` times. Who begins alternates. One pair before them does not count."""
    ours()
    theirs()
    sides = (ours, theirs)
    measured: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            measured[which].append(sides[which]())
    return Pairs(*measured)


def fastest(sides: Sequence[Side], *, steps: int, rounds: int) -> Side:
    """The side with the fastest single turn among `rounds` each. They take turns, so a noisy moment hits them alike."""
    turns = [[side.turn(steps) for side in sides] for _ in range(rounds)]
    times = [min(column) for column in zip(*turns, strict=True)]
    return sides[times.index(min(times))]
