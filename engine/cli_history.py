"""How the terminal's commands reach the history, and what they answer with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from engine.errors import InputError
from engine.runs.recorder import RunRecorder
from engine.runs.store import RunStore
from engine.runs.store_error import StoreError

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint

OnStore = Callable[[RunStore], RunRecorder]


@contextmanager
def history(*, wanted: bool) -> Iterator[RunStore | None]:
    """The store that runs are recorded in; None where it is not wanted or cannot be used, which is told on stderr."""
    try:
        store = RunStore() if wanted else None
    except StoreError as error:
        sys.stderr.write(f"{error}; runs are not recorded\n")
        store = None
    if store is None:
        yield None
        return
    with store:
        if store.problem:
            sys.stderr.write(store.problem + "\n")
        yield store if store.writable else None


@contextmanager
def recording(store: RunStore | None, begin: OnStore) -> Iterator[RunRecorder]:
    """The recorder of one run that `begin` gives; a problem is told on stderr when the run has ended.

    Without a store it keeps nothing. Raises what `begin` raises.
    """
    recorder = RunRecorder(None) if store is None else begin(store)
    try:
        with recorder:
            yield recorder
    finally:
        if recorder.problem:
            sys.stderr.write(recorder.problem + "\n")


def run_of_folder(store: RunStore, path: Path, checkpoint: Checkpoint) -> int | None:
    """The run of the history in whose folder `checkpoint` was found at `path`; None where it is no run's."""
    from engine.checkpoint import check_same_run

    folder = (path if path.is_dir() else path.parent).resolve()
    name = folder.name
    if not (name.isascii() and name.isdigit() and len(name) < 16) or store.folder(int(name)).resolve() != folder:
        return None
    try:
        check_same_run(store.run(int(name)).config, checkpoint)
    except InputError:  # no such run, or the file was put there
        return None
    return int(name)


def run_number(store: RunStore, text: str) -> int:
    """The run that was meant by a number or by `latest`. Raises InputError."""
    if text == "latest":
        return store.latest()
    return whole_number("RUN", text, "the number of a run, or latest")


def whole_number(field: str, text: str, accepted: str) -> int:
    """`text` as a number from 0. Raises InputError for `field`, which says what is `accepted`."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InputError(field, f"{text!r} is not accepted", accepted)
    return int(text)


def say(line: str) -> None:
    """A line for people, on stderr."""
    sys.stderr.write(line + "\n")


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(table: Table) -> None:
    """What people wrote is no markup; where nobody looks on, lines are as long as they are."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 1000
    console.print(table)


def print_pairs(lines: Iterator[tuple[str, str]]) -> None:
    """Names and texts in two columns; a name without a text is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, text in lines:
        if text:
            table.add_row(name, text)
    print_table(table)


def local_time(seconds: float) -> str:
    """A time in seconds since 1970 as the clock on the wall shows it; empty where there is no such time."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return ""
