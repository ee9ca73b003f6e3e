"""What a tool panel may ask of the window around it, and what the window asks of a tool panel. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from gui.run_state import RunState
from gui.theme import Theme

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork
    from engine.runs.store import RunStore

T = TypeVar("T")


class Workbench(Protocol):
    """The window, as a tool sees it. All methods are for the window's thread but `dataset` and `live`."""

    @property
    def run_state(self) -> RunState:
        """The run on screen; `status` is `idle` before the first."""

    def config(self) -> RunConfig | None:
        """What is set up, None while there is a mistake in it."""

    def drawing(self) -> np.ndarray | None:
        """What is on the canvas, uint8 (H, W) or (H, W, 3), None while it is empty."""

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """Call `job` on another thread once torch is imported, then `done` with its answer in the window's thread.

        Of one kind only the newest counts: its answer replaces those of jobs asked before. A job's InputError reaches
        `failed` as one sentence; other errors are defects, which are logged and told in the status line. A job must not
        touch widgets.
        """

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        """As `compute`, with the history of runs, and without waiting for torch, which the job must not use."""

    def live(self) -> LiveNetwork | None:
        """The network of this moment: the run's, or the untrained one of the set-up. None before torch is there."""

    def step(self) -> int | None:
        """After which step of the run the network is that `live` gives: its latest, or the one gone back to.

        None where it is untrained. While the run goes on, as far as the window knows.
        """

    def dataset(self, config: RunConfig) -> Dataset:
        """The dataset of `config`, from memory where it is. To be called within a job. Raises InputError."""

    def examine(self, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        """A copy of all that the next step needs: of the paused run, or else of the set-up's untrained network."""

    def step_run(self) -> None:
        """Let the paused run do its next step."""

    def say(self, text: str) -> None:
        """A sentence in the status line."""

    def use(self, config: RunConfig) -> None:
        """Make `config` the set-up."""


class ToolPanel(Protocol):
    """A QWidget made as `Panel(bench, theme)` when it is first shown."""

    def set_theme(self, theme: Theme) -> None: ...

    def refresh(self) -> None:
        """Bring it up to date with the bench. Called once a redraw while a run goes on and it is visible, when it is
        shown, and when the set-up or the network is another. Cheap where nothing has changed.
        """

    def prepare(self, params: Mapping[str, object]) -> None:
        """A lesson opens it with these settings of the lesson's file, checked to be JSON. Raises InputError."""
