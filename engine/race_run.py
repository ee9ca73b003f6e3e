"""RaceRun: a race whose runs go on at once, recorded as they go and followed from any thread. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime

from engine.control import RunControl
from engine.events import Failed
from engine.race import Entrant, race_tag
from engine.race_results import RaceResult
from engine.race_runner import Kept, Record, run_race
from engine.runs.store import RunStore


class RaceRun:
    """One race, to be followed once.

    Args:
        at_once: runs at a time, 2 or more.

    Attributes:
        entrants: the runs in their order.
        results: where each of them is. They are read while they change: each figure is right, two may be a step apart.
        problem: why the history does not have all of it, empty where it has.
    """

    def __init__(self, entrants: Sequence[Entrant], *, at_once: int) -> None:
        self.entrants = tuple(entrants)
        self.at_once = min(at_once, len(self.entrants))
        self.results = tuple(RaceResult(entrant.label) for entrant in self.entrants)
        self.problem = ""
        self._numbers: list[int | None] = [None] * len(self.entrants)
        self._control = RunControl()
        self._tag = race_tag(datetime.now())

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """Of the entrants in the history, None for those that are not there."""
        return tuple(self._numbers)

    @property
    def recorded(self) -> list[int]:
        """The numbers in the history of those begun so far, in the entrants' order."""
        return [number for number in self._numbers if number is not None]

    @property
    def stopping(self) -> bool:
        return self._control.stopping

    def stop(self) -> None:
        """Those under way end after their step and keep what they have; no other begins. From any thread."""
        self._control.stop()

    def follow(self, store: RunStore | None) -> None:
        """Run the race to its end, recorded in `store`. What goes wrong is said in `results` and `problem`."""
        try:
            race = run_race(self.entrants, at_once=self.at_once, control=self._control, record=self._keep(store))
            with closing(race):
                for one in race:
                    self.results[one.entrant - 1].take(one.event)
        except Exception as error:  # a defect must not lose what the others have
            self.problem = self.problem or f"The race broke off: {error}"
            for result in self.results:
                if result.standing == "running":
                    result.take(Failed("error", self.problem, result.step))

    def _keep(self, store: RunStore | None) -> Record:
        @contextmanager
        def keep(entrant: Entrant) -> Iterator[Kept]:
            if store is None:
                yield Kept(lambda _event: None)
                return
            recorder = store.record(entrant.config, name=entrant.label, tags=(self._tag,))
            place = self._place(entrant)
            self._numbers[place] = recorder.run_id
            try:
                with recorder:
                    yield Kept(recorder.put, recorder.folder)
            finally:
                self.problem = self.problem or recorder.problem or ""

        return keep

    def _place(self, entrant: Entrant) -> int:
        """The first with this label that has not begun."""
        return next(
            place
            for place, known in enumerate(self.entrants)
            if known.label == entrant.label and self._numbers[place] is None
        )
