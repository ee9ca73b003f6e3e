"""What tools, and the panels of the history, have done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from gui.bridge.answerer import Answerer, Asked, Report
from gui.bridge.answers import loaded
from gui.bridge.desk import Desk
from gui.bridge.kept import Kept
from gui.bridge.runs import Runs
from gui.bridge.tool_jobs import Telling, computed, done_with_history, taken, tell_examined

if TYPE_CHECKING:
    from engine.config import Choice, RunConfig
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.runs.store import RunStore

T = TypeVar("T")

_TOOL = "tool: "  # begins the kinds that tools choose, so that none of them is another one's
_TAKE = "take"


class Tools(QObject):
    """Jobs that others give; their answers go to these others, until the program ends."""

    _examined = Signal(object)

    def __init__(self, parent: QObject, *, desk: Desk, runs: Runs, kept: Kept) -> None:
        super().__init__(parent)
        self._desk = desk
        self._runs = runs
        self._kept = kept
        self._examined.connect(desk.tell)

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """See `Workbench.compute`."""
        kept = self._kept
        self._ask(self._desk.tools, _TOOL + kind, lambda asked: computed(asked, kept, job, done, failed))

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        """Call `job` with the history on another thread, then `done` with its answer, or `failed` with a sentence.

        Of one kind only the newest counts: what must not be replaced needs a kind of its own. It does not wait for
        torch, which the job must not use. What waits when the program ends is done first.
        """
        kept = self._kept
        self._ask(self._desk.history, _TOOL + kind, lambda _: done_with_history(kept, job, done, failed))

    def take(
        self,
        job: Callable[[RunStore, Report], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
        progressed: Report,
    ) -> None:
        """Let a run be taken away or in: call `job` with the history on a thread of its own, which may take long.

        Args:
            job: told by its second argument, which it has to call every now and then, to end where nobody waits for it
                any more; what it is called with goes to `progressed`: what is done, and its share or None.
            done, failed: get its answer, or a sentence. Neither is called after `cancel_taking`.
        """
        kept = self._kept
        self._ask(self._desk.taker, _TAKE, lambda asked: taken(asked, kept, job, done, failed), progressed)

    def cancel_taking(self) -> None:
        """Nobody waits for the last `take` any more."""
        self._desk.forget(_TAKE)
        self._desk.taker.cancel(_TAKE)

    def examine(self, config: RunConfig, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        """See `Workbench.examine`; without a run the network is that of `config`."""
        if self._runs.running:
            asked = self._runs.control.examine()
            asked.add_done_callback(lambda found: self._examined.emit(partial(tell_examined, found, done, failed)))
            return

        def job() -> Specimen:
            from engine.inspection.specimen import specimen_of

            if self._runs.running:
                raise InputError("microscope", "a run has begun meanwhile", "take its next batch instead")
            return specimen_of(config, self._kept.library)

        self.compute("examine", job, done, failed)

    def dataset(self, choice: Choice) -> Dataset:
        """A dataset, loaded where it must be. To be called within a job of `compute`. Raises InputError."""
        return loaded(self._kept.library, choice, check=self._desk.check)

    def _ask(
        self, answerer: Answerer, kind: str, work: Callable[[Asked], Telling], progressed: Report | None = None
    ) -> None:
        # Each answer counts: what is asked ten times a second must not starve.
        self._desk.ask(answerer, kind, work, self._desk.tell, progressed=progressed, each=True)
