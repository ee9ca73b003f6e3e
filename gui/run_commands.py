"""Start, step, epoch, stop: the runs that the person begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.errors import InputError
from gui.bridge import Bridge, Provenance
from gui.history import History
from gui.lesson_guide import LessonGuide
from gui.run_screen import RunScreen
from gui.run_state import RunState
from gui.views.setup_panel import SetupPanel

if TYPE_CHECKING:
    from engine.config import RunConfig


class RunCommands(QObject):
    """Begins runs of what is set up, from a step of another, or where one of the history ended; and ends them.

    Args:
        say: shows a sentence in the status line.
    """

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        setup: SetupPanel,
        run_state: RunState,
        screen: RunScreen,
        history: History,
        guide: LessonGuide,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self._bridge, self._setup, self._state, self._screen = bridge, setup, run_state, screen
        self._history, self._guide, self._say = history, guide, say
        self._closed = False

    def start(self) -> None:
        """Begin a run of what is set up; a mistake in it is shown where it was made."""
        self._begin(None)

    def step(self) -> None:
        """One step, then pause; without a run, the first step of one."""
        if self._bridge.running:
            self._bridge.step_once()
        else:
            self._begin(1)

    def epoch(self) -> None:
        """To the end of the epoch, then pause; without a run, the first epoch of one."""
        if not self._bridge.running:
            self._begin(None)
        if self._bridge.running:
            self._bridge.run_epoch()

    def stop(self) -> None:
        if self._bridge.running:
            self._bridge.stop()
            self._screen.show_ending()

    def close(self) -> None:
        """No other run begins from now on."""
        self._closed = True

    def branch(self, config: RunConfig, origin: Provenance) -> None:
        """A run that goes on from a step of the last one."""
        if self._may_begin():
            self._setup.clear_errors()
            self._state.reset()
            self._launch(config, provenance=origin)

    def go_on(self, config: RunConfig, origin: Provenance) -> None:
        """A run of the history goes on, whose state is on screen."""
        self._launch(config, provenance=origin)

    def refuse(self, error: InputError) -> None:
        """A mistake in the set-up keeps a run from beginning."""
        self._setup.show_error(error)
        self._say(error.sentence)

    def _begin(self, steps: int | None) -> None:
        if not self._may_begin():
            return
        self._setup.clear_errors()
        try:
            config = self._setup.config()
        except InputError as error:
            self.refuse(error)
            return
        self._state.reset()
        self._guide.begin_run()
        lesson = self._guide.lesson
        origin = Provenance() if lesson is None else Provenance(lesson=lesson.name, stage=self._guide.stage)
        self._launch(config, steps=steps, checkpoints=self._guide.checkpoints(), provenance=origin)

    def _may_begin(self) -> bool:
        """Not beside another run; nor beside a race's runs, to which it would not be fair: then that is said."""
        if self._bridge.running or self._closed:
            return False
        if self._bridge.racing:
            self._say("A race is under way: cancel it, or wait for its end, before starting a run.")
        return not self._bridge.racing

    def _launch(
        self, config: RunConfig, *, provenance: Provenance, steps: int | None = None, checkpoints: Path | None = None
    ) -> None:
        """Let the run begin whose state is on screen: empty, or where it goes on."""
        self._screen.clear_words()
        self._history.begin_run()
        self._bridge.start(config, steps=steps, checkpoints=checkpoints, provenance=provenance)
        self._screen.begin()
