"""RunRecorder: what a run says goes to the history, on another thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from engine.events import Event, Intervened, StepFinished
from engine.runs.opening import ERRORS, connect, is_busy, note_damage, reason_of
from engine.runs.run_writer import RunWriter, Told
from engine.runs.step_table import StepTable, table_of

FLUSH_EVERY = 0.5  # s
BEAT_EVERY = 10.0  # s between two signs of life while the run says nothing
BUSY_PATIENCE = 0.5  # s that one attempt to write waits for another program
END_PATIENCE = 10.0  # s that the end of a run waits for another program
MOST_WAITING = 1_000_000  # steps that wait for another program before they are given up
_HANGS_AFTER = 30.0  # s: a disk that does not answer is not waited for


class RunRecorder:
    """Keeps what one run says. To be used as a context manager by the thread that runs it, and by no other.

    A recorder whose store cannot be written keeps nothing, says why in `problem`, and the run goes on.

    Attributes:
        run_id: the run's number in the history, None where it has none.
        folder: for the run's files, None likewise. It may not exist yet.
        problem: why the record ends before the run does, for people; None while it is complete. It is told once and
            does not change any more.
    """

    def __init__(
        self,
        run_id: int | None,
        *,
        path: Path | None = None,
        folder: Path | None = None,
        problem: str | None = None,
        interventions: Sequence[Intervened] | None = None,
    ) -> None:
        self.run_id = run_id
        self.folder = folder
        self.problem = problem
        self._path = path
        self._interventions = interventions
        self._events: deque[Event] = deque()  # its ends are safe to use from two threads
        self._open = path is not None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"record of run {run_id}", daemon=True)
        if path is not None:
            self._thread.start()

    def __enter__(self) -> RunRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def put(self, event: Event) -> None:
        """Keep `event`. Takes less than a microsecond, whatever the disk does."""
        if self._open:
            self._events.append(event)

    def close(self) -> None:
        """Write what is left and end; a run that said nothing of its end was interrupted. May be called twice."""
        if not self._thread.is_alive():
            self._open = False
            return
        self._ending.set()
        self._thread.join(_HANGS_AFTER)
        self._open = False
        if self._thread.is_alive():
            self._tell("the disk does not answer")

    # On the thread of its own.

    def _work(self) -> None:
        try:
            self._record()
        except Exception as error:  # whatever it is, the run must not end for it
            self._open = False
            self._events.clear()
            self._tell(reason_of(error))
            if self._path is not None:
                note_damage(self._path.parent, error)
                with contextlib.suppress(*ERRORS, OSError):
                    self._end_record(self._path)

    def _record(self) -> None:
        assert self._path is not None
        assert self.run_id is not None
        waiting: list[Told] = []
        writer: RunWriter | None = None
        written, deadline = time.monotonic(), 0.0
        with contextlib.ExitStack() as stack:
            while True:
                last = self._ending.wait(FLUSH_EVERY)
                if last and not deadline:
                    deadline = time.monotonic() + END_PATIENCE
                self._take(waiting)
                if not waiting and not last and time.monotonic() - written < BEAT_EVERY:
                    continue
                try:
                    if writer is None:
                        db = stack.enter_context(contextlib.closing(connect(self._path, patience=BUSY_PATIENCE)))
                        writer = RunWriter(db, self.run_id, interventions=self._interventions)
                    writer.write(waiting)
                    waiting.clear()
                    written = time.monotonic()
                    if last and not self._events:
                        writer.interrupt()
                        return
                except sqlite3.Error as error:
                    if not is_busy(error) or (last and time.monotonic() > deadline):
                        raise
                    if sum(len(told) for told in waiting if isinstance(told, StepTable)) > MOST_WAITING:
                        raise

    def _end_record(self, path: Path) -> None:
        """Say in the history that it knows no more of this run, if that much can be written."""
        with contextlib.closing(connect(path, patience=BUSY_PATIENCE)) as db:
            db.execute(
                "UPDATE runs SET status = 'interrupted', message = ? WHERE id = ? AND status = 'running'",
                (self.problem, self.run_id),
            )

    def _take(self, waiting: list[Told]) -> None:
        """Move the events to `waiting`, steps as tables."""
        steps: list[StepFinished] = []
        for _ in range(len(self._events)):
            event = self._events.popleft()
            if isinstance(event, StepFinished):
                steps.append(event)
                continue
            if steps:
                waiting.append(table_of(steps))
                steps = []
            waiting.append(event)
        if steps:
            waiting.append(table_of(steps))

    def _tell(self, reason: str) -> None:
        if self.problem is None:
            where = self._path.parent if self._path else "its folder"
            self.problem = f"The history in {where} could not be written: {reason}. The run goes on without a record."
