"""A race in the window: its runs begin one after the other, as if each were set up and started by hand, or go on at
once, each in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from engine.errors import InputError
from engine.race import Entrant, race_tag
from gui.bridge import Bridge
from gui.race_strip import RaceStrip
from gui.run_state import RunState
from gui.theme import Theme
from gui.views.offer import Offer
from gui.views.setup_panel import SetupPanel

if TYPE_CHECKING:
    from engine.race_run import RaceRun
    from engine.runs.store import RunStore

LOOK_EVERY = 250  # ms between two looks at a race whose runs go on at once


class RaceQueue(QObject):
    """One race at a time. Its runs stay in the history under their labels, with one tag; at the end they are compared.

    Attributes:
        labels: of all runs of the race, begun or not, in order.
        runs: the numbers in the history of those begun so far.
        offer: asks, where a run was stopped, whether the race shall go on.
        strip: shows the runs that go on at once.

    Signals:
        ended(runs): the race is over; the numbers of its runs in the history.
        problem(error): the set-up has a mistake, an InputError, and there can be no race.
        named: a run of the race has its name in the history, or has ended there.
    """

    ended = Signal(list)
    problem = Signal(object)
    named = Signal()

    def __init__(
        self,
        window: QWidget,
        *,
        bridge: Bridge,
        theme: Theme,
        setup: SetupPanel,
        run_state: RunState,
        start: Callable[[], None],
        keeps: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        """`start` begins a run of what is set up; `keeps`: whether such a run would go on with one kept before."""
        super().__init__(window)
        self._window = window
        self._bridge, self._setup, self._state = bridge, setup, run_state
        self._start, self._keeps, self._say = start, keeps, say
        self._entrants: Sequence[Entrant] = ()
        self._next = 0
        self._active = self._mine = False
        self._failed = 0
        self._tag = ""
        self.runs: list[int] = []
        self.offer = Offer("race_offer")
        self.strip = RaceStrip(theme)
        self.strip.cancelled.connect(self._stop_all)
        self._race: RaceRun | None = None  # whose runs go on at once
        self._seen = (0, 0)
        self._look = QTimer(self, interval=LOOK_EVERY)
        self._look.timeout.connect(self._follow)
        bridge.race_ended.connect(self._on_race_ended)
        bridge.recorded.connect(self._on_recorded)
        # What the window does at a run's end comes first.
        bridge.run_ended.connect(lambda: QTimer.singleShot(0, self, self._on_run_ended))

    @property
    def active(self) -> bool:
        """Whether a race is under way."""
        return self._active

    @property
    def labels(self) -> list[str]:
        return [entrant.label for entrant in self._entrants]

    def ask(self) -> None:
        """Open the dialog that sets up a race, or say why there can be none now."""
        if self._bridge.racing:
            self._say("A race is under way: cancel it, or wait for its end, before starting another.")
        elif self._bridge.running or self._active:
            self._say("A run is under way: stop it before starting a race.")
        elif self._keeps():
            self._say("This lesson goes on with the run that is kept: leave the lesson before starting a race.")
        else:
            try:
                config = self._setup.config()
            except InputError as error:
                self.problem.emit(error)
                return
            from gui.race_dialog import RaceDialog  # here, as what few start-ups need

            RaceDialog(self._window, config, self._state, self.begin).open()

    def begin(self, entrants: Sequence[Entrant], at_once: int = 1) -> None:
        """Start the race with its first run, or with the first `at_once`, each in a process of its own."""
        if self._bridge.running or self._active or not entrants:
            return
        self._entrants, self._next, self._failed = tuple(entrants), 0, 0
        self._tag, self.runs = race_tag(datetime.now()), []
        self._active = True
        self.strip.clear()
        if at_once > 1:
            self._begin_at_once(at_once)
        else:
            self._go_on()

    def end(self) -> None:
        """No further run begins; the one under way is left alone."""
        if self._active:
            self.cancel()
            self._say(self._result())
            self.ended.emit(list(self.runs))

    def cancel(self) -> None:
        """As `end`, without a word: the window closes. Runs that go on at once end with the bridge's threads."""
        self._active = self._mine = False
        self._look.stop()
        self.offer.clear()

    # At once

    def _begin_at_once(self, number: int) -> None:
        from engine.race_run import RaceRun

        self._race, self._seen = RaceRun(self._entrants, at_once=number), (0, 0)
        self._bridge.start_race(self._race)
        if not self._bridge.racing:  # the window closes
            self._active, self._race = False, None
            return
        self.strip.show_race(self._race)
        self._look.start()
        self._say(f"Race of {len(self._entrants)} runs, {self._race.at_once} at a time.")

    def _stop_all(self) -> None:
        if self._race is not None:
            self._race.stop()

    def _follow(self) -> None:
        """Show how the runs stand; the history shows when they begin and end."""
        race = self._race
        if race is None:
            return
        self.runs = race.recorded
        self.strip.refresh()
        ended = sum(result.standing not in ("waiting", "running") for result in race.results)
        if self._seen != (len(self.runs), ended):
            self._seen = len(self.runs), ended
            self.named.emit()

    def _on_race_ended(self) -> None:
        race = self._race
        self._look.stop()
        if race is None or not self._active:
            return
        self._follow()
        self._race, self._active = None, False
        self.strip.end()
        self._next = sum(result.standing != "waiting" for result in race.results)
        self._failed = sum(result.standing == "failed" for result in race.results)
        self._say(" ".join(filter(None, (self._result(), race.problem))))
        self.ended.emit(list(self.runs))

    # One after the other

    def _go_on(self) -> None:
        self.offer.clear()
        if not self._active or self._bridge.running:
            return
        if self._next == len(self._entrants):
            self.end()
            return
        entrant = self._entrants[self._next]
        self._next += 1
        self._setup.set_config(entrant.config)
        self._start()
        if not self._bridge.running:  # the window closes, or refuses this set-up and has said why
            self.end()
            return
        self._mine = True
        self._say(f"Race {self._next} of {len(self._entrants)}: {entrant.label}")

    def _on_recorded(self, run: int) -> None:
        if not self._mine:
            return
        self.runs.append(run)
        label, tag = self._entrants[self._next - 1].label, self._tag

        def name(store: RunStore) -> None:
            store.rename(run, label)
            store.tag(run, tag)

        self._bridge.history(f"race {run}", name, lambda _: self.named.emit(), self._say)

    def _on_run_ended(self) -> None:
        if not self._active or self._race is not None or self._bridge.running:
            return
        if self._mine and self._state.status == "failed":
            self._failed += 1
        left = len(self._entrants) - self._next
        stopped = self._state.finished is not None and self._state.finished.reason == "stopped"
        mine, self._mine = self._mine, False
        if not (mine and stopped and left):
            self._go_on()
            return
        more = f"{left} more runs" if left > 1 else "one more run"
        self.offer.offer(
            f"“{self._entrants[self._next - 1].label}” was stopped; the race has {more}.",
            {
                "Next run": (f"Begins “{self._entrants[self._next].label}”.", self._go_on),
                "End the race": ("The runs so far stay in the history and are compared.", self.end),
            },
        )

    def _result(self) -> str:
        begun, number = self._next, len(self._entrants)
        runs = f"{number} runs" if begun == number else f"{begun} of {number} runs"
        failed = f", of which {self._failed} failed" if self._failed else ""
        return f"The race has ended after {runs}{failed}."
