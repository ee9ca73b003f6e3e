"""run_race: the runs of a race, one after the other in this process, or several at once in processes of their own."""

from __future__ import annotations

import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from engine import cores
from engine.cli_checkpoints import recorded_policy
from engine.config import RunConfig
from engine.control import RunControl
from engine.datasets.library import Library
from engine.event_lines import event_of
from engine.events import CheckpointSaved, Event, Failed, Finished, StepFinished
from engine.race import Entrant

ASK_EVERY = 0.1  # s between two looks at whether the race is to end
MOST_WAITING = 10_000  # events of processes that are read ahead
ENDS_WITHIN = 30.0  # s that a process has for its end, once it is asked for it
_MOST_WORDS = 2_000  # characters of what a process said on its way out

Told = queue.Queue[tuple[int, Event | None]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an entrant is kept: `put` takes its events; `folder` is for its checkpoints, None where none are wanted."""

    put: Callable[[Event], None]
    folder: Path | None = None


Record = Callable[[Entrant], AbstractContextManager[Kept]]
"""Gives where an entrant is kept: entered before its first event, left after its last one."""


@dataclass(frozen=True, slots=True)
class RaceEvent:
    """What one entrant said. `entrant` is its number, from 1; each one's last event is Finished or Failed."""

    entrant: int
    event: Event


def run_race(
    entrants: Sequence[Entrant],
    *,
    at_once: int = 1,
    control: RunControl | None = None,
    library: Library | None = None,
    record: Record | None = None,
) -> Generator[RaceEvent, None, None]:
    """Run all entrants and yield what they say; those that run at once take turns event by event.

    An entrant that fails does not end the race. `control.stop` ends all: those under way say so.

    Args:
        at_once: how many may run at a time. From 2 on each is a process of its own, and those whose set-up leaves the
            number of threads open get an equal share of the cores.
        control: takes the request to stop; in one process, all others as well.
        library: datasets loaded before, to be used again in one process.
        record: keeps an entrant; events are put in the caller's thread.
    """
    control = control or RunControl()
    record = record or (lambda _entrant: nullcontext(Kept(lambda _event: None)))
    if at_once <= 1:
        yield from _one_by_one(entrants, control, library or Library(), record)
    else:
        yield from _at_once(entrants, min(at_once, len(entrants)), control, record)


def _one_by_one(
    entrants: Sequence[Entrant], control: RunControl, library: Library, record: Record
) -> Iterator[RaceEvent]:
    from engine.training import train
    from engine.tuning import Tuner

    tuner = Tuner()
    for number, entrant in enumerate(entrants, 1):
        if control.stopping:
            return
        with record(entrant) as kept:
            policy = None if kept.folder is None else recorded_policy(entrant.config, kept.folder)
            for event in train(entrant.config, control, library=library, tuner=tuner, checkpoints=policy):
                if not isinstance(event, CheckpointSaved):
                    kept.put(event)
                    yield RaceEvent(number, event)


def _at_once(entrants: Sequence[Entrant], at_once: int, control: RunControl, record: Record) -> Iterator[RaceEvent]:
    waiting = deque(enumerate(entrants, 1))
    told: Told = queue.Queue(MOST_WAITING)
    running: dict[int, _Process] = {}
    threads = max(1, cores.count() // at_once)
    deadline = math.inf
    with tempfile.TemporaryDirectory(prefix="learnscope-race-") as folder:
        try:
            while True:
                while waiting and len(running) < at_once and not control.stopping:
                    number, entrant = waiting.popleft()
                    entrant = Entrant(entrant.label, with_threads(entrant.config, threads))
                    running[number] = _Process(number, entrant, Path(folder), told=told, record=record)
                if not running:
                    return
                if control.stopping and deadline == math.inf:
                    deadline = time.monotonic() + ENDS_WITHIN
                    for process in running.values():
                        process.stop()
                if time.monotonic() > deadline:
                    for process in running.values():
                        process.kill()
                try:
                    number, event = told.get(timeout=ASK_EVERY)
                except queue.Empty:
                    continue
                for one in running[number].take(event, stopping=control.stopping):
                    yield RaceEvent(number, one)
                if event is None:
                    running.pop(number).close()
        finally:
            for process in running.values():
                process.kill()
            for process in running.values():
                while process.reading:  # its thread may wait for room
                    with suppress(queue.Empty):
                        told.get(timeout=ASK_EVERY)
                process.close()


class _Process:
    """One entrant in a process of its own, its record, and a thread that reads what it says into `told`."""

    def __init__(self, number: int, entrant: Entrant, folder: Path, *, told: Told, record: Record) -> None:
        self._number, self._told = number, told
        self._step, self._epoch, self._seconds = 0, 0, 0.0
        self._ended = False
        setup = folder / f"{number}.json"
        setup.write_text(entrant.config.to_json(), encoding="utf-8")
        with ExitStack() as stack:
            self._words = stack.enter_context((folder / f"{number}.txt").open("w+", encoding="utf-8", errors="replace"))
            kept = stack.enter_context(record(entrant))
            self._keep = kept.put
            checkpoints = [] if kept.folder is None else [str(kept.folder)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.race_process", str(setup), *checkpoints],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._words,
                env=_environment(),
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C reaches the race, which stops its runs
            )
            assert self._process.stdout is not None
            stack.enter_context(self._process.stdout)
            self._stack = stack.pop_all()
        lines = self._process.stdout
        self._thread = threading.Thread(target=self._read, args=(lines,), name=f"run {number} of a race", daemon=True)
        self._thread.start()

    @property
    def reading(self) -> bool:
        return self._thread.is_alive()

    def _read(self, lines: Iterable[str]) -> None:
        """On the thread of its own."""
        for line in lines:
            with suppress(ValueError):  # half a line, from a process that was killed
                self._told.put((self._number, event_of(line)))
        self._told.put((self._number, None))

    def take(self, event: Event | None, *, stopping: bool) -> Iterator[Event]:
        """Record `event` and give it on; at the end of what the process says (None) also an end that it did not say."""
        if event is None:
            if self._ended:
                return
            event = self._silent_end(stopping=stopping)
        match event:
            case StepFinished():
                self._step, self._epoch, self._seconds = event.step, event.epoch, event.seconds
            case Finished() | Failed():
                self._ended = True
        self._keep(event)
        yield event

    def _silent_end(self, *, stopping: bool) -> Event:
        status = self._process.wait()
        if stopping:
            return Finished("stopped", self._step, self._epoch, self._seconds, 0.0)
        self._words.seek(0)
        lines = self._words.read().split("\n")
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "")[:_MOST_WORDS]
        said = f": {reason}" if reason else f", with status {status}."
        return Failed("error", f"The process of this run ended after step {self._step}{said}", self._step)

    def stop(self) -> None:
        """Ask it to end after its step."""
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Wait for its end, which has begun, and close its record."""
        self._process.wait()
        self._thread.join()
        self._stack.close()


def _environment() -> dict[str, str]:
    """This process's, in which the engine is found wherever the program was started."""
    places = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": os.pathsep.join(places)}


def with_threads(config: RunConfig, threads: int) -> RunConfig:
    """`config` with so many threads, where it leaves their number open."""
    if config.training.threads:
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"threads": threads})})
