"""Back along the run on screen, and on from there in another way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.rewind.snapshots import Snapshots
from gui.bridge.answerer import Asked, Question
from gui.bridge.desk import Desk
from gui.bridge.going_back import branch_from, keep, moment_of, reopened
from gui.bridge.kept import Kept
from gui.bridge.networks import Networks
from gui.bridge.news import News
from gui.bridge.run_thread import Provenance
from gui.bridge.tool_jobs import Telling

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.live import LiveNetwork
    from engine.rewind.moments import Moment
    from engine.rewind.reopened import Reopened

_READING = "The steps that were kept of this run are being read."
_UNKEPT = "The steps of this run could not be kept to go back along it later"


class Past:
    """What the last run, the one under way included, or a run of the history keeps of its steps; one may be shown.

    Attributes:
        snapshots: of that run; None before there is one, and while one of the history is read.
        refusal: why there are none of the run of the history that is shown, a sentence; else empty.
        newest_step: after which step the newest weights of a run of the history were; None where that was its last.
    """

    def __init__(self, news: News, *, desk: Desk, kept: Kept, networks: Networks) -> None:
        self._news = news
        self._desk = desk
        self._kept = kept
        self._networks = networks
        self.snapshots: Snapshots | None = None
        self.refusal = ""
        self.newest_step: int | None = None
        self._unkept: set[tuple[Path, str]] = set()  # runs whose steps could not be kept, and why: it is told once

    def begin(self, snapshots: Snapshots) -> None:
        """A run begins that keeps these."""
        self.forget()
        self.snapshots = snapshots

    def forget(self) -> None:
        """Another run is about to begin, or to be shown."""
        self.snapshots = self.newest_step = None
        self.refusal = ""
        self._desk.forget("reopen")
        self._networks.forget_moment()

    # To a step.

    def rewind(self, step: int | None, *, exact: bool) -> None:
        """See `Bridge.rewind`."""
        snapshots = self.snapshots
        if step is None or snapshots is None:
            self._networks.leave_moment()
            return

        def work(asked: Asked) -> tuple[Snapshots, Moment]:
            def wanted() -> bool:
                return not asked.cancelled and self._desk.is_newest("rewind", asked)

            return snapshots, moment_of(asked, snapshots, step, exact=exact, wanted=wanted)

        # One hurries through many: the last is not the only one that counts.
        self._desk.ask(
            self._desk.rewinder,
            "rewind",
            work,
            self._show,
            failed=self._on_unreached,
            progressed=self._news.rewind_progressed.emit,
            each=True,
        )

    def _show(self, answer: tuple[Snapshots, Moment]) -> None:
        snapshots, moment = answer
        if snapshots is self.snapshots:
            self._networks.show_moment(moment)

    def _on_unreached(self, error: Exception) -> None:
        if isinstance(error, InputError):
            self._news.rewound.emit(self._networks.step)
            self._news.problem.emit(error.sentence)
        else:
            self._desk.tell_defect("rewind", error)

    # On from a step.

    def branch(
        self, config: RunConfig, step: int, done: Callable[[Provenance], None], failed: Callable[[InputError], None]
    ) -> None:
        """See `Bridge.branch`."""
        snapshots = self.snapshots
        if snapshots is None:
            return

        def work(asked: Asked) -> Telling:
            def wanted() -> bool:
                return not asked.cancelled and self.snapshots is snapshots

            try:
                return partial(done, branch_from(snapshots, step, config, wanted=wanted))
            except InputError as error:
                return partial(failed, error)

        self._desk.ask(self._desk.rewinder, "branch", work, self._desk.tell, each=True)

    # From run to run.

    def keep(self, folder: Path, snapshots: Snapshots) -> None:
        """Write what is kept of a run so far to its folder, though the program may end; from any thread."""

        def work(_: Asked) -> None:
            reason = keep(folder, snapshots)
            if reason and (folder, reason) not in self._unkept:
                self._unkept.add((folder, reason))
                self._news.problem.emit(f"{_UNKEPT}: {reason}. All else of the run is kept.")

        self._desk.keeper.ask(Question(f"keep {folder.name}", work))

    def reopen(self, config: RunConfig, run: int, live: LiveNetwork | None) -> None:
        """Read what was kept of a run of the history, whose newest network is `live` where that is known."""
        self.refusal = _READING
        self._desk.ask(
            self._desk.keeper,
            "reopen",
            lambda asked: reopened(asked, self._kept, run, live),
            partial(self._on_reopened, config),
            failed=self._on_unread,
        )

    def _on_reopened(self, config: RunConfig, answer: tuple[Reopened, Moment | None]) -> None:
        past, newest = answer
        self.snapshots, self.refusal = past, ""
        if past.note:
            self._news.problem.emit(past.note)
        if newest is not None:
            self.newest_step = newest.step
            self._networks.take(config, newest.live)
        self._news.reopened.emit(None if newest is None else newest.step)

    def _on_unread(self, error: Exception) -> None:
        if isinstance(error, InputError):
            self.refusal = error.sentence
            self._news.reopened.emit(None)
        else:
            self._desk.tell_defect("reopen", error)
