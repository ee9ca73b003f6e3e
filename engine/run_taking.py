"""A run of the history taken away, its script verified, and a run from elsewhere taken into the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import safetensors
import safetensors.torch

from engine.archive import open_archive, read_weights
from engine.cli_past import Final, PastRun
from engine.errors import InputError
from engine.events import Event, Started
from engine.export import RunExport
from engine.files import write_atomically
from engine.results import WEIGHTS_FILE
from engine.runs.labels import MOST_NAME
from engine.runs.store import RunStore
from engine.runs.store_error import StoreError
from engine.script.verify import Verdict, Verifying

Report = Callable[[str, float | None], None]
"""Told what is done and its share in 0 … 1, None where that is unknown; what it raises ends the work."""

IMPORTED = "imported"  # the tag of runs from elsewhere
_TOLD_EVERY = 1_000  # events between two reports
_STEP = "step"  # of imported weights, in their file


def script_of(store: RunStore, run: int, report: Report) -> str:
    """The plain PyTorch script that repeats a run of the history. Raises InputError where there is none."""
    report("Writing the script", None)
    return _without_weights(store, run, report).script()


def taken(store: RunStore, run: int, report: Report) -> RunExport:
    """A run of the history with its final weights.

    Where these were not kept, the steps since the nearest state that was kept are trained anew; a run under way goes on
    undisturbed. Raises InputError where there is no such run, it is under way, or its weights cannot be had.
    """
    report("Reading the run", None)
    past = PastRun(store, run, report=report)
    imported = read_weights(past.folder, past.config) if _imported(past.folder) else None
    final = past.final() if imported is None else Final(imported, 0)
    step = None
    if past.record.ending is None:
        step = final.step if imported is None else _step_of(past.folder)
    exported = past.export(final)
    return _with_past(past, replace(exported, step=step, events=_told(exported.events, report)))


def verified(store: RunStore, run: int, report: Report) -> Verdict:
    """Whether the script of a run of the history gives its weights. Raises InputError where that cannot be said."""
    exported = taken(store, run, report)
    exported.script()  # first: what cannot be written is said at once
    checking = exported.verify()
    try:
        while True:
            try:
                told: Verifying = next(checking)
            except StopIteration as end:
                verdict: Verdict = end.value
                return verdict
            report(told.line or "Starting the script", told.done)
    finally:
        checking.close()


def import_run(store: RunStore, path: Path, report: Report) -> int:
    """Take a run that `engine.export` wrote into the history; returns its number there.

    All of it is checked before anything of it is kept. Raises InputError for what is refused, and where the history
    cannot be written.
    """
    report(f"Checking {path.name}", None)
    opened = open_archive(path)
    report(f"Taking {path.name} in", None)
    name = "".join(letter if letter.isprintable() else " " for letter in path.stem)[:MOST_NAME]
    with store.record(opened.config, name=name, tags=(IMPORTED,)) as recorder:
        run, folder = recorder.run_id, recorder.folder
        if run is None or folder is None:
            raise InputError("archive", recorder.problem or "the history cannot be written")
        try:
            metadata = {} if opened.step is None else {_STEP: str(opened.step)}
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / WEIGHTS_FILE, safetensors.torch.save(dict(opened.weights), metadata))
            for number, event in enumerate(opened.events()):
                if number % _TOLD_EVERY == 0:
                    report(f"Taking {path.name} in", None)
                recorder.put(_unrelated(event))
        except BaseException as error:
            recorder.close()
            with suppress(StoreError):
                store.delete(run)
            if isinstance(error, OSError):
                reason = error.strerror or str(error)
                raise InputError("archive", f"its weights could not be kept: {reason}") from None
            raise
    if recorder.problem is not None:
        raise InputError("archive", recorder.problem)
    return run


def _told(events: Iterable[Event], report: Report) -> Iterator[Event]:
    """The same events; it can be ended on the way."""
    for number, event in enumerate(events):
        if number % _TOLD_EVERY == 0:
            report("Writing what the run told", None)
        yield event


def _unrelated(event: Event) -> Event:
    """A run has another number here, and so have those that it knows of."""
    return replace(event, parent="") if isinstance(event, Started) else event


def _without_weights(store: RunStore, run: int, report: Report) -> RunExport:
    """What its script is written from."""
    past = PastRun(store, run, report=report)
    exported = past.export(Final({}, 0))
    if past.record.ending is None:
        exported = replace(exported, step=_last_kept(past))
    return _with_past(past, exported)


def _last_kept(past: PastRun) -> int:
    """Of a run that was interrupted: the step after which its weights are."""
    if _imported(past.folder):
        return _step_of(past.folder)
    newest = past.newest()
    if newest is None:
        raise InputError("run", f"run {past.id} was interrupted before its first checkpoint", "one that has ended")
    return newest.step


def _with_past(past: PastRun, exported: RunExport) -> RunExport:
    """With the runs that it branched off, where they are known; else its script is refused, and nothing more."""
    with suppress(InputError):
        return replace(exported, past=past.behind())
    return exported


def _imported(folder: Path) -> bool:
    return (folder / WEIGHTS_FILE).is_file()


def _step_of(folder: Path) -> int:
    """The step of imported weights, which the record does not tell."""
    try:
        with safetensors.safe_open(folder / WEIGHTS_FILE, "pt") as file:
            return int((file.metadata() or {})[_STEP])
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        raise InputError("run", "it was interrupted, and the step of its weights is not known") from None
