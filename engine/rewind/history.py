"""Runs of the history, opened so that one can go back along them, and their exact state after any step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.checkpoint import Checkpoint, as_of, check_same_run, load_checkpoint, planned_steps
from engine.checkpoint_folder import BEST, LATEST, PREVIOUS, SUFFIX
from engine.config import RunConfig
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Intervened
from engine.live import LiveNetwork, untrained
from engine.rewind.beginning import beginning
from engine.rewind.branch import branch
from engine.rewind.kept_file import NAME, read_snapshots
from engine.rewind.moments import Report, checkpoint_at
from engine.rewind.reopened import Begin, Reopened, recorded_of
from engine.rewind.snapshots import BUDGET, Mark, Recorded, Say, Snapshot, Unknown, Wanted
from engine.runs.run_record import RunRecord
from engine.runs.store import RunStore
from engine.tuning import Tuned

_DEEPEST = 100  # branches of branches


def reopen(
    store: RunStore, run_id: int, *, library: Library | None = None, live: LiveNetwork | None = None
) -> Reopened:
    """A run of the history to go back along: what was kept of it, and its beginning.

    It reads files and trains nothing. What of the run's files cannot be used is left out, and `note` says so.

    Args:
        library: datasets loaded before, to be used again when steps are trained again.
        live: a network of the run; None: one is made.

    Raises InputError where there is no such run, or its set-up cannot be used any more.
    """
    return _reopen(store, run_id, library or Library(), live, depth=0)


def checkpoint_of(
    store: RunStore,
    run_id: int,
    step: int,
    *,
    library: Library | None = None,
    wanted: Wanted = lambda: True,
    report: Report | None = None,
    say: Say = lambda _what, _done: None,
) -> Checkpoint | None:
    """The checkpoint of a run of the history after `step`, bit for bit: one that is kept, or trained from one before.

    torch's random state stays as it is; its thread count becomes the run's.

    Args:
        library: datasets loaded before, to be used again.
        wanted: asked between steps and while data is loaded; None is returned where it says no.
        report: told each step that is trained again. `say`: told what else is done, and its share in 0 … 1 or None.

    Raises InputError where there is no such run, or the step cannot be reached exactly.
    """
    return _checkpoint_of(store, run_id, step, library or Library(), wanted, report=report, say=say, depth=0)


def _checkpoint_of(
    store: RunStore,
    run_id: int,
    step: int,
    library: Library,
    wanted: Wanted,
    *,
    report: Report | None,
    say: Say,
    depth: int,
) -> Checkpoint | None:
    past = _reopen(store, run_id, library, None, depth=depth)
    if not 0 <= step <= past.last:
        raise InputError("step", f"run {run_id} did {past.last:,} steps", f"0 to {past.last}")
    return checkpoint_at(past, step, wanted=wanted, report=report, say=say)


def kept_before(
    store: RunStore, run_id: int, checkpoint: Checkpoint
) -> tuple[list[Snapshot], list[Recorded | Unknown]]:
    """What a run that goes on from `checkpoint`, its own, has of its past: for `Snapshots.take_over`.

    To be asked once `RunStore.resume` knows to which end it goes on.
    """
    record = store.run(run_id)
    kept, _ = _kept(store.folder(run_id), record, record.config, until=checkpoint.step)
    known = checkpoint.interventions
    kept = [snapshot for snapshot in kept if _agrees(snapshot.checkpoint, known)]
    return kept, [recorded_of(event) for event in known]


def _reopen(store: RunStore, run_id: int, library: Library, live: LiveNetwork | None, *, depth: int) -> Reopened:
    record = store.run(run_id)
    config, summary = record.config, record.summary
    kept, note = _kept(store.folder(run_id), record, config, until=summary.step)
    changes = _changes(kept, record.interventions)
    kept = [snapshot for snapshot in kept if _agrees(snapshot.checkpoint, changes)]
    tuned = _tuned(record, kept)
    begin: Begin | None = None
    begins = 0
    if summary.parent is not None:
        begins = _first_step(record) - 1
        if depth < _DEEPEST and _is_there(store, summary.parent):
            begin = partial(_begin_branch, store, record, library, depth)
    elif _first_step(record) == 1 and not (kept and kept[0].checkpoint.step == 0):
        first = beginning(config, tuned)
        kept.insert(0, Snapshot(first, frozenset({"first"})))
    past = Reopened(
        record,
        config=config,
        tuned=tuned,
        live=live or untrained(config),
        library=library,
        begin=begin,
        begins=begins,
    )
    past.note = note
    past.take_over(kept, [recorded_of(event) for event in changes])
    return past


def _begin_branch(
    store: RunStore, record: RunRecord, library: Library, depth: int, wanted: Wanted, say: Say
) -> Checkpoint | None:
    """A branch's beginning, made again from its parent."""
    summary = record.summary
    assert summary.parent is not None
    step = summary.parent_step or 0
    say(f"Going back along run {summary.parent}", None)
    above = _checkpoint_of(store, summary.parent, step, library, wanted, report=None, say=say, depth=depth + 1)
    return None if above is None else branch(above, record.config, parent=str(summary.parent))


def _kept(folder: Path, record: RunRecord, config: RunConfig, *, until: int) -> tuple[list[Snapshot], str]:
    """All that lies in the run's folder and is of it, ascending, and what of it cannot be used, in words.

    `config`: the run's now; what was kept before it was continued to more steps may go on to them.
    """
    found: dict[int, Snapshot] = {}
    problems: list[str] = []
    for snapshot in _in_files(folder, problems):
        checkpoint = snapshot.checkpoint
        try:
            check_same_run(config, checkpoint)
        except InputError as error:
            problems.append(error.problem)
            continue
        before = found.get(checkpoint.step)
        if checkpoint.step <= until and (before is None or before.checkpoint.position <= checkpoint.position):
            marks = snapshot.marks | (before.marks if before else frozenset())
            # A lesson that was picked up did more steps than the set-up it was recorded with.
            if planned_steps(config, checkpoint.manifest.train_size) >= until:
                checkpoint = as_of(config, checkpoint)
            found[checkpoint.step] = Snapshot(checkpoint, marks)
    ended = record.ending is not None and until == record.summary.step
    kept = [found[step] for step in sorted(found)]
    if kept and not (ended and kept[-1].checkpoint.step == until):
        kept[-1] = replace(kept[-1], marks=kept[-1].marks - {"last"})
    note = f"Not all that was kept of this run's steps can be used: {problems[0]}." if problems else ""
    return kept, note


def _in_files(folder: Path, problems: list[str]) -> Iterator[Snapshot]:
    first = [folder / name for name in (NAME, LATEST, BEST, PREVIOUS)]
    paths = [*(path for path in first if path.is_file()), *sorted(set(folder.glob(f"*{SUFFIX}")) - set(first))]
    size = 0
    for path in paths:
        size += path.stat().st_size
        if size > BUDGET and path not in first:
            return
        try:
            if path.name == NAME:
                yield from read_snapshots(path)
            else:
                marks: dict[str, set[Mark]] = {BEST: {"best"}, LATEST: {"last"}}
                yield Snapshot(load_checkpoint(path), frozenset(marks.get(path.name, set())))
        except InputError as error:
            problems.append(error.problem)


def _changes(kept: Sequence[Snapshot], told: Sequence[Intervened]) -> tuple[Intervened, ...]:
    """All that was changed, also before the record begins: a run may have gone on from one that is not in it."""
    if not kept:
        return tuple(told)
    known = kept[0].checkpoint.interventions
    own = next(n for n in range(min(len(known), len(told)), -1, -1) if _same(known[len(known) - n :], told[:n]))
    return (*known[: len(known) - own], *told)


def _agrees(checkpoint: Checkpoint, changes: Sequence[Intervened]) -> bool:
    """Whether it is of the course that was taken in the end: a run that goes on may leave another one behind."""
    known = checkpoint.interventions
    rest = changes[len(known) :]
    return _same(known, changes[: len(known)]) and all(event.step >= checkpoint.step for event in rest)


def _same(some: Sequence[Intervened], others: Sequence[Intervened]) -> bool:
    return [(e.step, e.name, e.new) for e in some] == [(e.step, e.name, e.new) for e in others]


def _tuned(record: RunRecord, kept: Sequence[Snapshot]) -> Tuned:
    if kept:
        return kept[-1].checkpoint.tuned
    if record.started is None:
        raise InputError("run", f"run {record.summary.id} ended before it had begun", "another run")
    return Tuned(record.started.threads, record.started.memory_format == "channels_last")


def _is_there(store: RunStore, run_id: int) -> bool:
    try:
        store.run(run_id)
    except InputError:
        return False
    return True


def _first_step(record: RunRecord) -> int:
    """The first that the record tells; of a run that told none, the one it would have done."""
    for table in record.between(0, record.summary.step):
        if len(table):
            return int(table.step[0])
    return record.started.resumed_from + 1 if record.started is not None else 1
