"""The terminal's way to the history: `python -m engine runs`, and the recording of what `train` runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from engine.config import RunConfig
from engine.errors import InputError
from engine.events import Event
from engine.files import write_pieces_atomically
from engine.lessons.lesson import Lesson
from engine.runs.exports import csv_of_evaluations, csv_of_steps, json_pieces, record_as_json, summary_as_json
from engine.runs.query import SORTS, RunQuery
from engine.runs.run_record import STATUSES, RunRecord, RunSummary
from engine.runs.store import RunStore
from engine.runs.store_error import StoreError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

_DAY = 86_400.0  # s
_FILTERS = ("dataset", "network", "optimizer", "lesson", "tag")


def add_parser(commands: Commands) -> None:
    """The command `runs` and its own commands."""
    parser = commands.add_parser("runs", help="the history: show, name, tag, delete, export", allow_abbrev=False)
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list|show|rename|note|tag|delete|undelete|purge|export"
    )

    def add(name: str, text: str, *, many: bool | None = False) -> argparse.ArgumentParser:
        action: argparse.ArgumentParser = actions.add_parser(name, help=text, allow_abbrev=False)
        if many is not None:
            action.add_argument("run", nargs="+" if many else None, metavar="RUN", help="its number, or latest")
        action.add_argument("--json", action="store_true", help="answer in JSON")
        return action

    listing = add("list", "all runs, or those that are looked for", many=None)
    listing.add_argument("text", nargs="*", metavar="WORD", help="words that stand in names, notes, tags, set-ups")
    for name in _FILTERS:
        listing.add_argument(f"--{name}", metavar="NAME", help=f"only with this {name}")
    listing.add_argument("--status", metavar="STATUS", help="only these: " + ", ".join(STATUSES))
    listing.add_argument("--deleted", action="store_true", help="those that were deleted")
    listing.add_argument("--sort", metavar="COLUMN", default="id", help="one of " + ", ".join(SORTS))
    listing.add_argument("--ascending", action="store_true", help="the lowest first")
    listing.add_argument("--limit", metavar="N", help="so many at most")
    add("show", "all about a run but its steps")
    add("rename", "give a run a name").add_argument("name", metavar="NAME")
    add("note", "replace a run's notes").add_argument("text", metavar="TEXT", help="- reads the standard input")
    tag = add("tag", "add tags to a run")
    tag.add_argument("tags", nargs="+", metavar="TAG")
    tag.add_argument("--remove", action="store_true", help="remove them instead")
    add("delete", "delete runs; undelete brings them back", many=True)
    add("undelete", "bring deleted runs back", many=True)
    purge = add("purge", "remove deleted runs and their files for good", many=None)
    purge.add_argument("--days", metavar="N", default="0", help="only those deleted so many days ago")
    export = add("export", "write a run's figures to a file")
    export.add_argument("file", metavar="FILE|-", help="a .csv or .json; - for the standard output")
    export.add_argument("--evaluations", action="store_true", help="in CSV: the evaluations instead of the steps")


def run(options: argparse.Namespace) -> int:
    """Do what `runs` was asked for; returns the exit status. Raises InputError."""
    with RunStore() as store:
        if store.problem:
            sys.stderr.write(store.problem + "\n")
        match options.action:
            case "list":
                _list(store, options)
            case "show":
                _show(store, options)
            case "export":
                _export(store.run(_number(store, options.run)), options)
            case "purge":
                _purge(store, options)
            case _:
                _change(store, options)
    return 0


def _number(store: RunStore, text: str) -> int:
    if text == "latest":
        return store.latest()
    return _whole("RUN", text, "the number of a run, or latest")


def _whole(field: str, text: str, accepted: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InputError(field, f"{text!r} is not accepted", accepted)
    return int(text)


def _list(store: RunStore, options: argparse.Namespace) -> None:
    query = RunQuery(
        text=" ".join(options.text),
        **{name: getattr(options, name) for name in (*_FILTERS, "status", "deleted", "sort")},
        descending=not options.ascending,
        limit=None if options.limit is None else _whole("--limit", options.limit, "a number from 0"),
    )
    _answer(store.runs(query), as_json=options.json)


def _answer(summaries: list[RunSummary], *, as_json: bool) -> None:
    if as_json:
        _print_json([summary_as_json(summary) for summary in summaries])
    elif summaries:
        _print(_table(summaries))
    else:
        sys.stderr.write("no runs\n")


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _print(table: Table) -> None:
    """What people wrote is no markup; where nobody looks on, lines are as long as they are."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 1000
    console.print(table)


def _table(summaries: list[RunSummary]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("run", "began", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("what")
    for name in ("epoch", "test loss", "accuracy"):
        table.add_column(name, no_wrap=True, justify="right")
    for run in summaries:
        tags = f" ({', '.join(run.tags)})" if run.tags else ""
        table.add_row(
            str(run.id),
            _local(run.began),
            run.status,
            f"{run.title}, {run.optimizer}{tags}",
            f"{run.epoch}/{run.epochs}",
            _figure(run.test_loss, ".4f"),
            _figure(run.test_accuracy, ".2%"),
        )
    return table


def _local(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return ""


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _show(store: RunStore, options: argparse.Namespace) -> None:
    run_id = _number(store, options.run)
    record = store.run(run_id)
    above, below = store.parents(run_id), store.children(run_id)
    if options.json:
        files = {"folder": str(store.folder(run_id)), "children": [run.id for run in below]}
        _print_json({**record_as_json(record), **files})
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, text in _lines(record, [run.id for run in above], [run.id for run in below]):
        if text:
            table.add_row(name, text)
    _print(table)


def _lines(record: RunRecord, above: list[int], below: list[int]) -> Iterator[tuple[str, str]]:
    run = record.summary
    yield "run", f"{run.id}: {run.title}"
    yield "began", _local(run.began)
    yield "status", ", ".join(filter(None, (run.status, run.reason.replace("_", " "), "deleted" * bool(run.deleted))))
    yield "message", run.message
    yield "lesson", run.lesson + (f", stage {run.stage}" if run.stage is not None else "")
    if run.parent is not None:
        chain = "".join(f", of run {number}" for number in above[1:])
        yield "branch", f"of run {run.parent}, after step {run.parent_step:,}{chain}"
    yield "branches", ", ".join(map(str, below))
    yield "set-up", f"{run.network} on {run.dataset}, {run.optimizer}, {run.loss}, {run.schedule}"
    yield "", f"learning rate {run.learning_rate:g}, batch size {run.batch_size}, seed {run.seed}"
    if run.threads:
        threads = f"{run.threads} thread{'s' * (run.threads > 1)}"
        yield "on", f"{run.device}, {threads}, {run.memory_format}, {run.precision}"
    yield "with", ", ".join(f"{name} {version}" for name, version in record.versions.items())
    yield "steps", f"{run.step:,} of {run.total_steps or 0:,}, epoch {run.epoch} of {run.epochs}, {run.seconds:.1f} s"
    for name in ("validation", "test"):
        for prefix, text in (("", name), ("best_", f"best {name}")):
            loss, accuracy = getattr(run, f"{prefix}{name}_loss"), getattr(run, f"{prefix}{name}_accuracy")
            share = "" if accuracy is None else f", accuracy {accuracy:.2%}"
            yield text, "" if loss is None else f"loss {loss:.4f}{share}"
    for change in record.interventions:
        yield "changed", f"after step {change.step:,}: {change.name} {change.old} → {change.new}"
    yield "tags", ", ".join(run.tags)
    yield "notes", run.notes


def _change(store: RunStore, options: argparse.Namespace) -> None:
    given = options.run if isinstance(options.run, list) else [options.run]
    numbers = [_number(store, text) for text in given]
    match options.action:
        case "rename":
            store.rename(numbers[0], options.name)
        case "note":
            store.annotate(numbers[0], sys.stdin.read() if options.text == "-" else options.text)
        case "tag":
            (store.untag if options.remove else store.tag)(numbers[0], *options.tags)
        case "delete":
            store.delete(*numbers)
        case "undelete":
            store.undelete(*numbers)
    _answer([store.run(number).summary for number in numbers], as_json=options.json)


def _purge(store: RunStore, options: argparse.Namespace) -> None:
    days = _whole("--days", options.days, "a number of days from 0")
    gone = store.purge(before=time.time() - days * _DAY if days else None)
    if options.json:
        _print_json(gone)
    else:
        sys.stdout.write(f"removed {len(gone)} run{'s' * (len(gone) != 1)}\n")


def _export(record: RunRecord, options: argparse.Namespace) -> None:
    suffix = Path(options.file).suffix.lower()
    if options.json or (options.file != "-" and suffix == ".json"):
        pieces: Iterable[str] = json_pieces(record)
    elif options.file == "-" or suffix == ".csv":
        pieces = csv_of_evaluations(record) if options.evaluations else csv_of_steps(record)
    else:
        raise InputError("FILE", f"{options.file!r} does not say the format", "a name that ends in .csv or .json")
    if options.file == "-":
        sys.stdout.writelines(pieces)
        return
    try:
        write_pieces_atomically(Path(options.file), (memoryview(piece.encode()) for piece in pieces))
    except OSError as error:
        raise InputError("FILE", f"{options.file} cannot be written: {error.strerror or error}") from None


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
def recorded(
    store: RunStore | None, config: RunConfig, *, lesson: Lesson | None, stage: int | None
) -> Iterator[Callable[[Event], None]]:
    """A function that keeps the events of one run; a problem is told on stderr when the run has ended."""
    if store is None:
        yield lambda _event: None
        return
    recorder = store.record(config, lesson="" if lesson is None else lesson.name, stage=stage)
    try:
        with recorder:
            yield recorder.put
    finally:
        if recorder.problem:
            sys.stderr.write(recorder.problem + "\n")
