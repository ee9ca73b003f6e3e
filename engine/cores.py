"""A core of its own for each of a run's threads."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")
_MANY = 2**20  # numbers: enough that torch divides them among all its threads
_ALL = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []  # before any thread is bound to one of them
_runs: Counter[int] = Counter()  # that go on in a thread, in turns, by its number
_found = threading.local()  # `helper`: of the thread that asks


def count() -> int:
    """How many cores this process may use."""
    return len(_ALL) or os.cpu_count() or 1


def native_threads() -> frozenset[int]:
    """The system's numbers of this process's threads; empty where the system does not tell."""
    try:
        return frozenset(int(entry.name) for entry in _TASKS.iterdir())
    except OSError:
        return frozenset()


@contextmanager
def own_cores(threads: int, *, since: frozenset[int]) -> Iterator[None]:
    """Each of the calling thread's two OpenMP threads has a core of its own meanwhile, where there are two on Linux.

    They wait for each other many times a step. Whenever something else wants a core for a moment, a window that draws
    or another program, the scheduler may put both on the other one and leave them there for milliseconds: a window's
    redraw cost twice to three times what it took, and beside one busy program LeNet lost half of its speed.

    More threads than two are left alone: OpenMP ends and makes such ones as it goes, and new ones would all be born on
    the caller's core.

    Args:
        threads: how many torch uses.
        since: `native_threads` of a moment before the calling thread's first operation that used them.
    """
    if not threads == len(_ALL) == 2:
        yield
        return
    here = threading.get_native_id()
    helper = _helper(here, since)
    if helper is None:
        yield
        return
    _runs[here] += 1
    try:
        _pin({here: _ALL[:1], helper: _ALL[1:]})
        yield
    finally:
        _runs[here] -= 1
        if not _runs[here]:
            del _runs[here]
            _pin({here: _ALL, helper: _ALL})


def leave() -> None:
    """Let the calling thread go on any core again: it may have been started by one that was bound to its own."""
    _pin({threading.get_native_id(): _ALL})


def _helper(here: int, since: frozenset[int]) -> int | None:
    """OpenMP's thread beside `here`: of those that it has started and Python does not know, the one that works most.

    None where there is none.
    """
    import torch  # here: others ask only how many cores there are

    torch.zeros(_MANY).add_(1)
    known = {thread.native_id for thread in threading.enumerate()}
    now = native_threads()
    started = {number for number in now - since - known if _name(number) == _name(here)}
    if (before := getattr(_found, "helper", None)) in now:
        started.add(before)
    _found.helper = max(started, key=_worked, default=None)
    helper: int | None = _found.helper
    return helper


def _worked(number: int) -> int:
    """Nanoseconds that a thread has had a core."""
    with suppress(OSError, ValueError):
        return int((_TASKS / str(number) / "schedstat").read_text().split()[0])
    return 0


def _name(number: int) -> str:
    with suppress(OSError):
        return (_TASKS / str(number) / "comm").read_text()
    return ""


def _pin(places: dict[int, Iterable[int]]) -> None:
    if sys.platform == "linux":
        for number, cores in places.items():
            with suppress(OSError):  # it has ended, or may not be told
                os.sched_setaffinity(number, cores)
