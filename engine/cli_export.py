"""The terminal's `runs export` and `runs open`: a run taken away, and one from elsewhere looked at."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli_events import leaving_at_interrupt, unwritable
from engine.cli_history import print_json, print_pairs, run_number, say, whole_number
from engine.cli_report import Announcer
from engine.errors import InputError
from engine.events import Failed, as_json
from engine.files import write_atomically, write_pieces_atomically
from engine.preload import share_cores
from engine.runs.exports import csv_of_evaluations, csv_of_steps, json_pieces, summary_as_json
from engine.runs.run_record import RunRecord
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from engine.archive import OpenedRun
    from engine.export import RunExport

_BY_SUFFIX = {
    ".csv": "steps",
    ".json": "json",
    ".py": "script",
    ".zip": "zip",
    ".safetensors": "weights",
    ".pt": "state-dict",
    ".pth": "state-dict",
}
_TEXTS = ("steps", "evaluations", "json", "config", "script")
KINDS = (*_TEXTS, "weights", "state-dict", "folder", "zip")


def add_export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|FOLDER|-", help="where to; - for the standard output")
    parser.add_argument(
        "--as",
        dest="kind",
        metavar="WHAT",
        help=f"one of {', '.join(KINDS)}; else the name says it: {', '.join(_BY_SUFFIX)}, or a folder's final /",
    )
    parser.add_argument("--evaluations", action="store_true", help="in CSV: the evaluations instead of the steps")
    parser.add_argument("--step", metavar="N", help="the weights after so many updates instead of the final ones")


def export(store: RunStore, options: argparse.Namespace) -> int:
    """`runs export`; returns the exit status. Raises InputError."""
    kind = _kind(options)
    run_id = run_number(store, options.run)
    record = store.run(run_id)
    step = None
    if options.step is not None:
        if kind not in ("weights", "state-dict"):
            raise InputError("--step", "only weights are those of a step", "--as weights or --as state-dict with it")
        step = whole_number("--step", options.step, "a number of updates from 0")
    said: dict[str, object] = {}
    if kind in ("steps", "evaluations", "json"):
        _write_text(options.file, _figures(record, kind))
    else:
        said = _take(store, run_id, kind, options.file, step)
    if options.json and options.file != "-":
        print_json({"run": run_id, "what": kind, "file": options.file, **said})
    return 0


def _kind(options: argparse.Namespace) -> str:
    """What is to be written: as told, or as the file's name says."""
    name, suffix = options.file, Path(options.file).suffix.lower()
    if options.kind is not None:
        if options.kind not in KINDS:
            raise InputError("--as", f"{options.kind!r} is not accepted", "one of " + ", ".join(KINDS))
        kind = str(options.kind)
    elif name.endswith("/") or (suffix not in _BY_SUFFIX and Path(name).is_dir()):
        kind = "folder"
    elif options.json and _BY_SUFFIX.get(suffix) in (None, "steps"):
        kind = "json"
    elif name == "-":
        kind = "steps"
    elif suffix in _BY_SUFFIX:
        kind = _BY_SUFFIX[suffix]
    else:
        others = ", ".join(known for known in _BY_SUFFIX if known not in (".csv", ".json"))
        accepted = f"a name that ends in .csv or .json, or in {others}; or --as WHAT"
        raise InputError("FILE", f"{name!r} does not say the format", accepted)
    return "evaluations" if kind == "steps" and options.evaluations else kind


def _figures(record: RunRecord, kind: str) -> Iterator[str]:
    if kind == "json":
        return json_pieces(record)
    return csv_of_evaluations(record) if kind == "evaluations" else csv_of_steps(record)


def _write_text(file: str, pieces: Iterable[str]) -> None:
    if file == "-":
        sys.stdout.writelines(pieces)
        return
    with _writing(file):
        write_pieces_atomically(Path(file), (memoryview(piece.encode()) for piece in pieces))


@contextmanager
def _writing(file: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable("FILE", file, error) from None


def _take(store: RunStore, run_id: int, kind: str, file: str, step: int | None) -> dict[str, object]:
    """Write what needs more than the record; returns what is to be said of it."""
    if file == "-" and kind not in _TEXTS:
        raise InputError("FILE", f"{kind} cannot go to the standard output", "the name of a file")
    share_cores()
    announcer = Announcer(wanted=sys.stderr.isatty())
    with leaving_at_interrupt():
        from engine.cli_past import PastRun
        from engine.run_taking import script_of, taken

        if kind == "script":
            _write_text(file, [script_of(store, run_id, announcer)])
            return {}
        if kind != "config" and step is None:
            return _write_run(taken(store, run_id, announcer), kind, file)
        past = PastRun(store, run_id, report=announcer)
        if kind == "config":
            _write_text(file, [past.config.to_json()])
            return {}
        final = past.weights(step or 0)
        return _write_run(replace(past.export(final), step=final.step), kind, file)


def _write_run(run: RunExport, kind: str, file: str) -> dict[str, object]:
    from engine.export import save_state_dict, write_folder, write_zip
    from engine.weight_hash import weight_hash

    path = Path(file)
    with _writing(file):
        match kind:
            case "weights":
                write_atomically(path, _safetensors(run))
            case "state-dict":
                save_state_dict(path, run.weights)
            case "folder":
                write_folder(path, run)
            case _:
                write_zip(path, run)
    last = run.step if run.step is not None or run.ending is None else run.ending.step
    if run.ending is None:
        say(f"The run was interrupted: these are the weights after step {last:,}.")
    return {"step": last, "weights": weight_hash(run.weights)}


def _safetensors(run: RunExport) -> bytes:
    """As the window saves weights: with the set-up in the metadata."""
    import safetensors.torch

    weights = {name: tensor.contiguous() for name, tensor in run.weights.items()}
    return safetensors.torch.save(weights, {"learnscope": run.config.to_json()})


# Runs from elsewhere.


def open_run(options: argparse.Namespace) -> int:
    """`runs open`: say what is in a folder or zip that `runs export` wrote, all of it checked. Raises InputError."""
    share_cores()
    from engine.archive import open_archive

    found = open_archive(Path(options.path))
    if options.json:
        print_json(_as_json(found))
    else:
        print_pairs(_lines(found))
    return 0


def import_run(store: RunStore, options: argparse.Namespace) -> int:
    """`runs import`: take such a folder or zip into the history, all of it checked before. Raises InputError."""
    share_cores()
    with leaving_at_interrupt():
        from engine.run_taking import import_run as take_in

        run_id = take_in(store, Path(options.path), Announcer(wanted=sys.stderr.isatty()))
    if options.json:
        print_json(summary_as_json(store.run(run_id).summary))
    else:
        sys.stdout.write(f"run {run_id} of the history\n")
    return 0


def _as_json(found: OpenedRun) -> dict[str, object]:
    ending = found.ending
    return {
        "file": str(found.path),
        "config": json.loads(found.config.to_json()),
        "weights": found.hash,
        "tensors": {name: list(tensor.shape) for name, tensor in found.weights.items()},
        "started": None if found.started is None else json.loads(as_json(found.started)),
        "ending": None if ending is None else json.loads(as_json(ending)),
        "interventions": [json.loads(as_json(event)) for event in found.interventions],
        "script": bool(found.script),
    }


def _lines(found: OpenedRun) -> Iterator[tuple[str, str]]:
    config, started, ending = found.config, found.started, found.ending
    yield "file", f"{found.path}: whole, and all that it claims is so"
    parts = f"{config.optimizer.name}, {config.loss.name}, {config.schedule.name}"
    yield "set-up", f"{config.network.name} on {config.dataset.name}, {parts}"
    rate, training = config.optimizer.params.get("learning_rate"), config.training
    yield "", f"learning rate {rate:g}, batch size {training.batch_size}, seed {training.seed}"
    if started is not None:
        threads = f"{started.threads} thread{'s' * (started.threads > 1)}"
        yield "on", f"{started.device}, {threads}, {started.memory_format}, {started.precision}"
    if ending is not None:
        how = ending.kind if isinstance(ending, Failed) else ending.reason.replace("_", " ")
        yield "ended", f"{how} after step {ending.step:,}"
    for change in found.interventions:
        yield "changed", f"after step {change.step:,}: {change.name} {change.old} → {change.new}"
    yield "weights", found.hash
    yield "script", "is there" if found.script else ""
