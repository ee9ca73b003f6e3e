"""What outlives a run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.datasets.library import Library

if TYPE_CHECKING:
    from engine.runs.store import RunStore
    from engine.tuning import Tuner


class Kept:
    """What all threads share from run to run.

    Attributes:
        library: loaded datasets.
        ready: set once torch is imported.
    """

    def __init__(self) -> None:
        self.library = Library()
        self.ready = threading.Event()
        self._tuner: Tuner | None = None
        self._store: RunStore | None = None
        self._opening = threading.Lock()

    def store(self) -> RunStore:
        """The history, opened by the first who asks; not for the window's thread. Raises StoreError."""
        from engine.runs.store import RunStore  # here: start-up has no time for pydantic

        with self._opening:
            if self._store is None:
                self._store = RunStore()
            return self._store

    def close(self) -> None:
        """Let go of the history."""
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None

    def tuner(self) -> Tuner:
        """Measurements of networks; for the runs' threads, once torch is imported."""
        from engine.tuning import Tuner

        if self._tuner is None:
            self._tuner = Tuner()
        return self._tuner
