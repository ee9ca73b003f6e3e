"""A window as a tool panel sees it, without the window: what is computed is computed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from engine.config import RunConfig, make_config
from engine.errors import InputError
from gui.run_state import RunState

if TYPE_CHECKING:
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork
    from engine.runs.store import RunStore

T = TypeVar("T")


class FakeBench:
    """Attributes are what the bench will answer; `said`, `used` and `stepped` are what was asked of it.

    With `later` set, jobs wait in `jobs` until `run_jobs`.
    """

    def __init__(self, config: RunConfig | None = None) -> None:
        self.run_state = RunState()
        self.current: RunConfig | None = config or make_config()
        self.drawn: np.ndarray | None = None
        self.network: LiveNetwork | None = None
        self.network_step: int | None = None
        self.data: Dataset | None = None
        self.specimen: Specimen | str = "There is nothing to examine."
        self.store: RunStore | None = None
        self.said: list[str] = []
        self.used: list[RunConfig] = []
        self.stepped = 0
        self.later = False
        self.jobs: dict[str, Callable[[], None]] = {}

    def config(self) -> RunConfig | None:
        return self.current

    def drawing(self) -> np.ndarray | None:
        return self.drawn

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        def work() -> None:
            try:
                answer = job()
            except InputError as error:
                if failed is not None:
                    failed(str(error))
                return
            done(answer)

        self.jobs[kind] = work
        if not self.later:
            self.run_jobs()

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        def work() -> T:
            if self.store is None:
                raise InputError("history", "there is none here")
            return job(self.store)

        self.compute(kind, work, done, failed)

    def run_jobs(self) -> None:
        """Do what waits; of each kind the newest."""
        while self.jobs:
            self.jobs.pop(next(iter(self.jobs)))()

    def live(self) -> LiveNetwork | None:
        return self.network

    def step(self) -> int | None:
        return self.network_step

    def dataset(self, config: RunConfig) -> Dataset:
        if self.data is None:
            raise InputError("dataset", f"{config.dataset.name} is not here")
        return self.data

    def examine(self, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        if isinstance(self.specimen, str):
            failed(self.specimen)
        else:
            done(self.specimen)

    def step_run(self) -> None:
        self.stepped += 1

    def say(self, text: str) -> None:
        self.said.append(text)

    def use(self, config: RunConfig) -> None:
        self.used.append(config)
        self.current = config
