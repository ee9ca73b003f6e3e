"""Writes checkpoints on a thread of its own, so that a slow disk or a full one costs the run nothing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine import cores
from engine.checkpoint_folder import BEST, LATEST, PREVIOUS, CheckpointPolicy
from engine.events import CheckpointFailed, CheckpointKind, CheckpointSaved
from engine.files import remove_temporaries, write_pieces_atomically

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint

MOST_WAITING = 4  # checkpoints that wait for the disk; each is as large as its file
PATIENCE = 30.0  # s that the end of a run waits for a disk that does not answer

_SLOW = "the disk is slower than the checkpoints"


class Write(Protocol):
    """`engine.files.write_pieces_atomically`, or what a test puts in its place."""

    def __call__(self, path: Path, pieces: Iterable[memoryview], *, previous: Path | None = None) -> None: ...


class CheckpointWriter:
    """Keeps a run's checkpoints as its policy says.

    `submit` returns at once. What waits for the disk is replaced by a newer checkpoint for the same file; where
    `MOST_WAITING` wait, the oldest is given up. What became of each is told by `reports`, never by an exception.

    Args:
        policy: when and where.
        seconds: of training so far; a run that is resumed starts with more than 0.
        write: puts pieces of a file where they belong. Raises OSError.
    """

    def __init__(
        self, policy: CheckpointPolicy, *, seconds: float = 0.0, write: Write = write_pieces_atomically
    ) -> None:
        self.policy = policy
        self._write = write
        self._written_at = seconds
        self._condition = threading.Condition()
        self._waiting: dict[str, Checkpoint] = {}  # by the name of the file, the oldest first
        self._writing = ""
        self._ending = False
        self._reports: deque[CheckpointSaved | CheckpointFailed] = deque()
        self._positions: dict[str, object] = {}  # of what each file holds or will hold
        self._problems: dict[str, str] = {}  # told last, by the name of the file
        self._thread: threading.Thread | None = None

    # Asked by the run, between two steps.

    def wants(self, step: int, seconds: float) -> bool:
        """Whether there is a `latest` to write after update number `step`, or something to tell."""
        return bool(self._reports) or self.due(step, seconds)

    def due(self, step: int, seconds: float) -> bool:
        every_steps, every_seconds = self.policy.every_steps, self.policy.every_seconds
        return (every_steps > 0 and step % every_steps == 0) or (
            every_seconds > 0 and seconds - self._written_at >= every_seconds
        )

    def submit(self, names: Iterable[str], take: Callable[[], Checkpoint], *, step: int, seconds: float) -> None:
        """Write what `take` returns to the files called `names`. `step` and `seconds` are the run's own, now.

        Nothing is taken where there are no names.
        """
        names = tuple(names)
        if not names:
            return
        if LATEST in names:
            self._written_at = seconds
        try:
            checkpoint = take()
        except Exception as error:  # such as an optimizer that remembers what no file can hold: the run goes on
            for name in names:
                self._tell_failure(name, step, str(error))
            return
        with self._condition:
            for name in names:
                if self._positions.get(name) == checkpoint.position:
                    continue
                self._positions[name] = checkpoint.position
                self._waiting.pop(name, None)
                self._waiting[name] = checkpoint
            while len({id(waiting) for waiting in self._waiting.values()}) > MOST_WAITING:
                oldest = next(iter(self._waiting))
                self._tell_failure(oldest, self._waiting.pop(oldest).step, _SLOW)
            self._condition.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
            self._thread.start()

    def reports(self) -> list[CheckpointSaved | CheckpointFailed]:
        """What became of checkpoints since the last call. A problem that repeats itself is told once."""
        told = []
        while self._reports:
            told.append(self._reports.popleft())
        return told

    def flush(self) -> None:
        """Wait until all that was submitted is on disk or has failed."""
        with self._condition:
            done = self._condition.wait_for(lambda: not self._waiting and not self._writing, PATIENCE)
            if not done:
                for name, checkpoint in self._waiting.items():
                    self._tell_failure(name, checkpoint.step, f"the disk did not answer for {PATIENCE:g} s")
                self._waiting.clear()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self.flush()
        with self._condition:
            self._ending = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(0.0 if self._writing else PATIENCE)

    # The thread.

    def _work(self) -> None:
        cores.leave()
        for name in (LATEST, BEST):
            remove_temporaries(self.policy.folder / name)
        packed: tuple[Checkpoint, list[memoryview]] | None = None  # the last one: several files may hold the same
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ending or bool(self._waiting))
                if not self._waiting:
                    return
                self._writing = name = next(iter(self._waiting))
                checkpoint = self._waiting.pop(name)
                shared = checkpoint in self._waiting.values()
            try:
                start = time.perf_counter()
                if packed is None or packed[0] is not checkpoint:
                    packed = (checkpoint, checkpoint.pieces())
                size = self._put(name, packed[1])
            except Exception as error:  # most often the disk; whatever it is, the run goes on
                self._tell_failure(name, checkpoint.step, getattr(error, "strerror", None) or str(error))
            else:
                self._problems.pop(name, None)
                path, seconds = str(self.policy.folder / name), time.perf_counter() - start
                self._reports.append(CheckpointSaved(checkpoint.step, kind_of(name), path, size, seconds))
            if not shared:
                packed = None
            del checkpoint  # its memory is not held while nothing waits
            with self._condition:
                self._writing = ""
                self._condition.notify_all()

    def _put(self, name: str, pieces: list[memoryview]) -> int:
        folder = self.policy.folder
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder / name, pieces, previous=folder / PREVIOUS if name == LATEST else None)
        return sum(piece.nbytes for piece in pieces)

    def _tell_failure(self, name: str, step: int, problem: str) -> None:
        self._positions.pop(name, None)
        if self._problems.get(name) != problem:
            self._problems[name] = problem
            self._reports.append(CheckpointFailed(step, kind_of(name), str(self.policy.folder / name), problem))


def kind_of(name: str) -> CheckpointKind:
    """What the file called `name` is."""
    return "latest" if name == LATEST else "best" if name == BEST else "copy"
