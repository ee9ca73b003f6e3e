"""A clock of the time spent training, which stands still while the run is paused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Starts when made, with what has been spent before. All times in seconds."""

    def __init__(self, *, seconds: float = 0.0, evaluating: float = 0.0) -> None:
        self._start = time.perf_counter() - seconds
        self._evaluating = evaluating

    def seconds(self) -> float:
        """Since the start, pauses left out."""
        return time.perf_counter() - self._start

    def updating(self) -> float:
        """Since the start, pauses and evaluations left out."""
        return self.seconds() - self._evaluating

    def evaluated(self) -> float:
        """Spent in evaluations."""
        return self._evaluating

    @contextmanager
    def paused(self) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - before

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self._evaluating += time.perf_counter() - before
