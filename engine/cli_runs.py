"""The terminal's way to the history: `python -m engine runs`, and the recording of what `train` runs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

from engine.cli_export import add_export_options, export, import_run, open_run
from engine.cli_go_on import add_branch_options, add_resume_options, branch, resume
from engine.cli_history import local_time, print_json, print_pairs, print_table, run_number, whole_number
from engine.cli_verify import verify
from engine.errors import InputError
from engine.runs.exports import record_as_json, summary_as_json
from engine.runs.query import SORTS, RunQuery
from engine.runs.run_record import STATUSES, RunRecord, RunSummary
from engine.runs.store import RunStore

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

_DAY = 86_400.0  # s
_FILTERS = ("dataset", "network", "optimizer", "lesson", "tag")
_ACTIONS = "list|show|resume|branch|export|verify|open|import|rename|note|tag|delete|undelete|purge"


def add_parser(commands: Commands) -> None:
    """The command `runs` and its own commands."""
    parser = commands.add_parser(
        "runs", help="the history: show, go on, branch, export, verify, name, tag, delete", allow_abbrev=False
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar=_ACTIONS)

    def add(name: str, text: str, *, many: bool | None = False, more: str = "") -> argparse.ArgumentParser:
        about = f"{text[:1].upper()}{text[1:]}. {more}".rstrip() if more else None
        action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=about, allow_abbrev=False)
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
    going_on = "It goes on from its newest checkpoint, bit for bit, and is recorded further as the same run."
    add_resume_options(
        add("resume", "let a run go on that was stopped or interrupted, or train it longer", more=going_on)
    )
    branching = (
        "The exact state after that step comes from the nearest checkpoint before, or from the beginning, by training "
        "forward. With nothing changed the new run repeats its parent bit for bit."
    )
    add_branch_options(
        add("branch", "a new run that goes on from a step of another one, in its own way", more=branching)
    )
    exporting = (
        "The figures of all steps as CSV, or with all that is known as JSON; the set-up; the weights as safetensors or "
        "as a state_dict; a plain PyTorch script that repeats the run; or all of it in a folder or zip for another "
        "computer, which `runs open` checks. Only figures are written where no more was kept and nothing can be "
        "trained again."
    )
    add_export_options(add("export", "write a run's figures, set-up, weights or script to a file", more=exporting))
    verifying = (
        "The exit status is 0 where they are equal to the last bit, 1 where they are not, 2 where neither is found."
    )
    add("verify", "run a run's script and compare its final weights with the run's", more=verifying)
    opening = add("open", "check a folder or zip that `export` wrote elsewhere, and say what is in it", many=None)
    opening.add_argument("path", metavar="FOLDER|ZIP", help="where it lies")
    taking = add("import", "take a folder or zip that `export` wrote elsewhere into the history", many=None)
    taking.add_argument("path", metavar="FOLDER|ZIP", help="where it lies")
    add("rename", "give a run a name").add_argument("name", metavar="NAME")
    add("note", "replace a run's notes").add_argument("text", metavar="TEXT", help="- reads the standard input")
    tag = add("tag", "add tags to a run")
    tag.add_argument("tags", nargs="+", metavar="TAG")
    tag.add_argument("--remove", action="store_true", help="remove them instead")
    add("delete", "delete runs; undelete brings them back", many=True)
    add("undelete", "bring deleted runs back", many=True)
    purge = add("purge", "remove deleted runs and their files for good", many=None)
    purge.add_argument("--days", metavar="N", default="0", help="only those deleted so many days ago")


def run(options: argparse.Namespace) -> int:
    """Do what `runs` was asked for; returns the exit status. Raises InputError."""
    if options.action == "open":
        return open_run(options)
    with RunStore() as store:
        if store.problem:
            sys.stderr.write(store.problem + "\n")
        match options.action:
            case "resume":
                return resume(store, options)
            case "branch":
                return branch(store, options)
            case "export":
                return export(store, options)
            case "verify":
                return verify(store, options)
            case "import":
                return import_run(store, options)
            case "list":
                _list(store, options)
            case "show":
                _show(store, options)
            case "purge":
                _purge(store, options)
            case _:
                _change(store, options)
    return 0


def _list(store: RunStore, options: argparse.Namespace) -> None:
    query = RunQuery(
        text=" ".join(options.text),
        **{name: getattr(options, name) for name in (*_FILTERS, "status", "deleted", "sort")},
        descending=not options.ascending,
        limit=None if options.limit is None else whole_number("--limit", options.limit, "a number from 0"),
    )
    _answer(store.runs(query), as_json=options.json)


def _answer(summaries: list[RunSummary], *, as_json: bool) -> None:
    if as_json:
        print_json([summary_as_json(summary) for summary in summaries])
    elif summaries:
        print_table(_table(summaries))
    else:
        sys.stderr.write("no runs\n")


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
            local_time(run.began),
            run.status,
            f"{run.title}, {run.optimizer}{tags}",
            f"{run.epoch}/{max(run.epoch, run.epochs)}",  # more where a lesson was picked up
            _figure(run.test_loss, ".4f"),
            _figure(run.test_accuracy, ".2%"),
        )
    return table


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _show(store: RunStore, options: argparse.Namespace) -> None:
    run_id = run_number(store, options.run)
    record = store.run(run_id)
    above, below = store.parents(run_id), store.children(run_id)
    if options.json:
        files = {"folder": str(store.folder(run_id)), "children": [run.id for run in below]}
        print_json({**record_as_json(record), **files})
        return
    print_pairs(_lines(record, [run.id for run in above], [run.id for run in below]))


def _lines(record: RunRecord, above: list[int], below: list[int]) -> Iterator[tuple[str, str]]:
    run = record.summary
    yield "run", f"{run.id}: {run.title}"
    yield "began", local_time(run.began)
    yield "status", ", ".join(filter(None, (run.status, run.reason.replace("_", " "), "deleted" * bool(run.deleted))))
    yield "message", run.message
    yield "lesson", run.lesson + (f", stage {run.stage}" if run.stage is not None else "")
    if run.parent is not None:
        chain = "".join(f", of run {number}" for number in above[1:])
        yield "branch", f"of run {run.parent}, after step {run.parent_step:,}{chain}"
    yield "branches", ", ".join(map(str, below))
    parts = (f"{run.network} on {run.dataset}", run.optimizer, run.loss, run.schedule, _augmentation(record))
    yield "set-up", ", ".join(filter(None, parts))
    yield "", f"learning rate {run.learning_rate:g}, batch size {run.batch_size}, seed {run.seed}"
    if run.threads:
        threads = f"{run.threads} thread{'s' * (run.threads > 1)}"
        yield "on", f"{run.device}, {threads}, {run.memory_format}, {run.precision}"
    yield "with", ", ".join(f"{name} {version}" for name, version in record.versions.items())
    started = record.started  # its epochs are fewer than the set-up's where the steps are limited
    epochs = run.epochs if started is None else -(-started.total_steps // started.steps_per_epoch)
    yield "steps", f"{run.step:,} of {run.total_steps or 0:,}, epoch {run.epoch} of {epochs}, {run.seconds:.1f} s"
    for name in ("validation", "test"):
        for prefix, text in (("", name), ("best_", f"best {name}")):
            loss, accuracy = getattr(run, f"{prefix}{name}_loss"), getattr(run, f"{prefix}{name}_accuracy")
            share = "" if accuracy is None else f", accuracy {accuracy:.2%}"
            yield text, "" if loss is None else f"loss {loss:.4f}{share}"
    for change in record.interventions:
        yield "changed", f"after step {change.step:,}: {change.name} {change.old} → {change.new}"
    yield "tags", ", ".join(run.tags)
    yield "notes", run.notes


def _augmentation(record: RunRecord) -> str:
    """What the training images go through; empty where nothing, or where the set-up cannot be used any more."""
    try:
        name = record.config.augmentation.name
    except InputError:
        return ""
    return "" if name == "none" else f"augmented: {name}"


def _change(store: RunStore, options: argparse.Namespace) -> None:
    given = options.run if isinstance(options.run, list) else [options.run]
    numbers = [run_number(store, text) for text in given]
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
    days = whole_number("--days", options.days, "a number of days from 0")
    gone = store.purge(before=time.time() - days * _DAY if days else None)
    if options.json:
        print_json(gone)
    else:
        sys.stdout.write(f"removed {len(gone)} run{'s' * (len(gone) != 1)}\n")
