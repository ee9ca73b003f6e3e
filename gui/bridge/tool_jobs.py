"""A job that somebody in the window gave: done on another thread, it becomes the call that tells what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.errors import InputError
from gui.bridge.answerer import Asked, Cancelled, Report
from gui.bridge.kept import Kept

if TYPE_CHECKING:
    from engine.runs.store import RunStore

T = TypeVar("T")

Telling = Callable[[], None]
"""Tells an answer to the one who asked; to be called in the window's thread."""


def computed(
    asked: Asked, kept: Kept, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None
) -> Telling:
    """Once torch is imported. Raises the job's InputError where there is no `failed`, and Cancelled."""
    kept.ready.wait()
    asked.check()
    try:
        return partial(done, job())
    except InputError as error:
        if failed is None:
            raise
        return partial(failed, error.sentence)


def done_with_history(
    kept: Kept, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
) -> Telling:
    """Without waiting for torch."""
    try:
        return partial(done, job(kept.store()))
    except InputError as error:
        return partial(failed, error.sentence)


def taken(
    asked: Asked,
    kept: Kept,
    job: Callable[[RunStore, Report], T],
    done: Callable[[T], None],
    failed: Callable[[str], None],
) -> Telling:
    """A run taken away or in: the job ends at its next report where nobody waits for it any more. Raises Cancelled."""
    kept.ready.wait()

    def report(what: str, share: float | None) -> None:
        asked.check()
        asked.report(what, share)

    asked.check()
    try:
        return partial(done, job(kept.store(), report))
    except InputError as error:
        return partial(failed, error.sentence)
    except Cancelled:
        raise
    except Exception as error:  # whatever it is, somebody waits for it
        logging.getLogger(__name__).exception("a run could not be taken away or in")
        return partial(failed, f"Something went wrong: {error}")


def tell_examined(found: Future[T], done: Callable[[T], None], failed: Callable[[str], None]) -> None:
    """Tell what the run answered to the wish for a copy of its next step."""
    error = found.exception(timeout=0)
    if error is None:
        done(found.result(timeout=0))
    elif isinstance(error, InputError):
        failed(error.sentence)
    else:
        logging.getLogger(__name__).error("the next step could not be copied", exc_info=error)
        failed(f"The next step could not be copied: {error}")
