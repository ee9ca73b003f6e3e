"""Where the events of the terminal's runs go, and how its runs are stopped."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from engine.control import RunControl
from engine.errors import InputError
from engine.events import Event, Failed, Finished, StepFinished, as_json

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # exit statuses


class LeftError(BaseException):
    """The person does not want the answer any more. No error that anything on the way may take for its own."""


EventWriter = Callable[[Event, int | None], None]


def follow(events: Iterable[Event], *takers: Callable[[Event], None]) -> int:
    """Hand every event to all `takers`; returns the exit status that the run ends with."""
    status = 0
    for event in events:
        for take in takers:
            take(event)
        if isinstance(event, Failed):
            status = BAD_INPUT if event.kind == "input" else FAILED
        if isinstance(event, Finished) and event.reason == "stopped":
            status = INTERRUPTED
    return status


@contextmanager
def events_sink(where: str | None) -> Iterator[EventWriter]:
    """A function that writes an event and its stage to the file `where`, to the standard output (`-`), or nowhere.

    Raises InputError where the file cannot be written, BrokenPipeError where nobody reads the output any more.
    """
    if where is None:
        yield lambda _event, _stage: None
    elif where == "-":
        yield partial(_write, sys.stdout, where)
    else:
        file = _open(where)
        try:
            yield partial(_write, file, where)
        finally:
            with suppress(OSError):  # the last event was flushed: what did not fit has been said
                file.close()


def unwritable(field: str, where: str, error: OSError) -> InputError:
    """What is raised where a file or folder that was named cannot be written."""
    return InputError(field, f"{where} cannot be written: {error.strerror or error}")


@contextmanager
def stopping_at_interrupt(control: RunControl) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run; a second Ctrl-C interrupts whatever is still going on."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal module's own signature
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()

    with _handling(stop):
        yield


@contextmanager
def leaving_at_interrupt() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise LeftError, on whose way out what was begun is tidied up."""

    def leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal module's own signature
        raise LeftError

    with _handling(leave):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _open(where: str) -> TextIO:
    try:
        return Path(where).open("w", encoding="utf-8")
    except OSError as error:
        raise unwritable("--events", where, error) from None


def _write(file: TextIO, where: str, event: Event, stage: int | None) -> None:
    try:
        file.write(as_json(event, stage=stage) + "\n")
        if not isinstance(event, StepFinished):
            file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable("--events", where, error) from None
