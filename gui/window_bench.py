"""WindowBench: the window as its tools see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from engine.errors import InputError
from gui.bridge import Bridge
from gui.canvas_panel import CanvasPanel
from gui.run_state import RunState
from gui.views.setup_panel import SetupPanel

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork
    from engine.runs.store import RunStore

T = TypeVar("T")


class WindowBench:
    """The `Workbench` made of the window's parts.

    Args:
        weights_step: after which step the weights of a run of the history were, None where they are its newest.
    """

    def __init__(
        self,
        *,
        bridge: Bridge,
        setup: SetupPanel,
        canvas: CanvasPanel,
        run_state: RunState,
        weights_step: Callable[[], int | None],
        say: Callable[[str], None],
    ) -> None:
        self._bridge = bridge
        self._setup = setup
        self._canvas = canvas
        self._state = run_state
        self._weights_step = weights_step
        self._say = say
        self._config: RunConfig | None = None  # what is set up while a run goes on, when panels ask ten times a second
        setup.config_changed.connect(self._forget)

    @property
    def run_state(self) -> RunState:
        return self._state

    def _forget(self) -> None:
        self._config = None

    def config(self) -> RunConfig | None:
        if self._config is not None and self._bridge.running:
            return self._config
        try:
            self._config = self._setup.config()
        except InputError:
            self._config = None
        return self._config

    def drawing(self) -> np.ndarray | None:
        return self._canvas.drawing()

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        self._bridge.compute(kind, job, done, failed)

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        self._bridge.history(kind, job, done, failed)

    def live(self) -> LiveNetwork | None:
        return self._bridge.live()

    def step(self) -> int | None:
        if self._bridge.rewound_to is not None:
            return self._bridge.rewound_to
        if not self._bridge.trained:
            return None
        kept = self._weights_step()
        return self._state.step if kept is None else kept

    def dataset(self, config: RunConfig) -> Dataset:
        return self._bridge.dataset(config.dataset)

    def examine(self, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        config = self.config()
        if config is None:
            failed("The set-up has a mistake; mend it first.")
        else:
            self._bridge.examine(config, done, failed)

    def step_run(self) -> None:
        if self._bridge.running:
            self._bridge.step_once()

    def say(self, text: str) -> None:
        self._say(text)

    def use(self, config: RunConfig) -> None:
        if self._bridge.running:
            self._say("A run is under way: stop it before taking another set-up.")
        else:
            self._setup.set_config(config)
