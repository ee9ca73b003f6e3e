"""How one gets back to a step of a run, and on from it. Plain functions for another thread; torch is loaded there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.runs.run_record import Branch
from gui.bridge.answerer import Asked, Cancelled, Report
from gui.bridge.kept import Kept
from gui.bridge.run_thread import Provenance

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.live import LiveNetwork
    from engine.rewind.moments import Moment
    from engine.rewind.reopened import Reopened
    from engine.rewind.snapshots import Snapshots, Wanted

TELL_EVERY = 0.1  # s between two words on how far it is to a step
TRAINING_AGAIN = "Training up to this step again"


def moment_of(asked: Asked, snapshots: Snapshots, step: int, *, exact: bool, wanted: Wanted) -> Moment:
    """The run as it was after `step`, trained up to it again; without `exact` at the nearest step before that is kept.

    Raises InputError where it cannot be reached, and Cancelled.
    """
    from engine.rewind.moments import moment_at

    report = _Distance(asked.report, step)
    moment = moment_at(snapshots, step, exact=exact, wanted=wanted, report=report, say=asked.report)
    if moment is None:
        raise Cancelled
    return moment


def branch_from(snapshots: Snapshots, step: int, config: RunConfig, *, wanted: Wanted) -> Provenance:
    """What a run of `config` needs to go on from `step`. Raises InputError where it cannot, and Cancelled."""
    from engine.rewind.branch import branch
    from engine.rewind.moments import checkpoint_at

    checkpoint = checkpoint_at(snapshots, step, wanted=wanted)
    if checkpoint is None:
        raise Cancelled
    made = branch(checkpoint, config, parent=snapshots.run)
    return Provenance(parent=Branch(int(snapshots.run), step) if snapshots.run else None, checkpoint=made)


def reopened(asked: Asked, kept: Kept, run: int, live: LiveNetwork | None) -> tuple[Reopened, Moment | None]:
    """A run of the history to go back along, and its newest moment where `live`, its newest network, is None.

    Raises InputError where nothing of it was kept, and Cancelled.
    """
    from engine.rewind.history import reopen
    from engine.rewind.moments import moment_at

    kept.ready.wait()
    asked.check()
    past = reopen(kept.store(), run, library=kept.library, live=live)
    snapshots = past.snapshots if live is None else []
    return past, moment_at(past, snapshots[-1].checkpoint.step) if snapshots else None


def keep(folder: Path, snapshots: Snapshots) -> str:
    """Write what is kept of a run so far to its folder. Gives the reason why that could not be done, else nothing."""
    from engine.rewind.kept_file import make_room, write_snapshots

    try:
        if write_snapshots(folder, snapshots.snapshots):
            make_room(folder.parent, newest=folder)
    except (OSError, TypeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


class _Distance:
    """Says how far it is to the step `last`, told each step on the way; seldom enough for a window."""

    def __init__(self, report: Report, last: int) -> None:
        self._report = report
        self._last = last
        self._first: int | None = None
        self._told = 0.0

    def __call__(self, step: int) -> None:
        if self._first is None:
            self._first = step - 1
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            self._told = now
            share = (step - self._first) / max(self._last - self._first, 1)
            self._report(TRAINING_AGAIN, share)
