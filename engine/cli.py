"""The terminal: `python -m engine train`, `race`, `list` and `runs`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO, assert_never

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from engine import cli_race, cli_runs, cli_script
from engine.catalog import Entry, Param
from engine.cli_checkpoints import (
    add_checkpoint_options,
    check_checkpoint_options,
    check_resumable,
    checkpoint_policy,
    resumed_run,
)
from engine.config import CATALOGS, RunConfig, load_config, make_config, settings_of
from engine.control import RunControl
from engine.errors import InputError
from engine.events import (
    CheckpointFailed,
    CheckpointSaved,
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Paused,
    Preparing,
    Resumed,
    Started,
    StepFinished,
    as_json,
)
from engine.lessons import find_lesson, lessons
from engine.lessons.comparison import Comparison, correct
from engine.lessons.keeping import kept_folder, pick_up
from engine.lessons.lesson import Lesson
from engine.preload import share_cores

_MOST_LINES = 50  # about epochs, of a run in people's words
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # exit statuses

_PLURALS = {part: "losses" if part == "loss" else f"{part}s" for part in CATALOGS}
_SHORTCUTS = {
    "batch_size": ("training.batch_size", "samples in one update"),
    "epochs": ("training.epochs", "passes over the training set"),
    "steps": ("training.steps", "updates at most"),
    "lr": ("optimizer.learning_rate", "learning rate"),
    "seed": ("training.seed", "initial weights and data order follow from it"),
    "device": ("training.device", "auto, cpu, cuda or mps"),
    "threads": ("training.threads", "CPU threads; 0 measures the best number"),
}


class _Parser(argparse.ArgumentParser):
    """Answers bad arguments in one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    try:
        commands = {"list": _list, "race": _race, "runs": cli_runs.run, "script": cli_script.run, "train": _train}
        return commands[options.command](options)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except BrokenPipeError:  # whoever read our output has gone, and Python's own flush at the end would say so again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:  # a second Ctrl-C
        return INTERRUPTED


def _make_parser() -> _Parser:
    parser = _Parser(prog="python -m engine", description="Train networks without the window.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="train|race|list|runs|script")
    train = commands.add_parser("train", help="train a network", allow_abbrev=False)
    _add_setup_options(train)
    train.add_argument("--lesson", metavar="NAME", help="a lesson's set-up; see `list lessons`")
    train.add_argument("--stage", metavar="N", help="one stage of the lesson")
    train.add_argument("--save", metavar="FOLDER", help="write config.json and weights.safetensors there at the end")
    add_checkpoint_options(train)
    listing = commands.add_parser("list", help="print a catalogue", allow_abbrev=False)
    listing.add_argument("catalogue", choices=[*_PLURALS.values(), "lessons"])
    listing.add_argument("--json", action="store_true", help="as JSON, with every setting")
    cli_runs.add_parser(commands)
    cli_script.add_parser(commands)
    _add_setup_options(cli_race.add_parser(commands))
    return parser


def _add_setup_options(parser: argparse.ArgumentParser) -> None:
    """What is to be trained, and where it is told and kept."""
    for part in CATALOGS:
        parser.add_argument(f"--{part}", metavar="NAME", help=f"see `list {_PLURALS[part]}`")
    for name, (_, text) in _SHORTCUTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N" if name != "device" else "NAME", help=text)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.PARAM=VALUE",
        help="any other setting, such as optimizer.momentum=0.9",
    )
    parser.add_argument("--config", metavar="FILE", help="start from a saved set-up; other options change it")
    parser.add_argument("--events", metavar="-|FILE", help="write one JSON object a line, to - for the standard output")
    parser.add_argument("--no-record", action="store_true", help="leave the run out of the history, see `runs`")


# train


def _train(options: argparse.Namespace) -> int:
    check_checkpoint_options(options)
    share_cores()
    checkpoint = resumed_run(options)
    lesson, runs = _runs(options, None if checkpoint is None else checkpoint.config)
    check_resumable(options, runs=len(runs))
    for field, folder in (("--save", options.save), ("--checkpoints", options.checkpoints)):
        if folder:
            _prepare_folder(field, Path(folder))
    control = RunControl()
    comparison = None if lesson is None else Comparison(lesson)
    out = Console(highlight=False) if options.events != "-" else None
    status = 0
    with ExitStack() as stack:
        stack.enter_context(_stopping_at_interrupt(control))
        write = stack.enter_context(_events_sink(options.events))
        progress = stack.enter_context(_progress())
        task = progress.add_task("Starting", total=None, speed="")
        reporter = _Reporter(out, progress, task)
        store = stack.enter_context(cli_runs.history(wanted=not options.no_record))
        # Torch takes seconds to import and a mistake in the arguments should be answered at once.
        from engine.datasets.library import Library
        from engine.training import train
        from engine.tuning import Tuner

        library, tuner = Library(), Tuner()
        for stage, config in runs:
            if stage is not None and lesson is not None:
                reporter.say_stage(lesson, stage)
            resume, policy = checkpoint, checkpoint_policy(options, stage=stage if len(runs) > 1 else None)
            if policy is None and resume is None and lesson and stage and lesson.stage(stage).goes_on:
                kept = pick_up(config, kept_folder(lesson, stage))
                reporter.say(kept.note)
                config, resume, policy = kept.config, kept.checkpoint, kept.policy
            with cli_runs.recorded(store, config, lesson=lesson, stage=stage) as keep:
                for event in train(config, control, library=library, tuner=tuner, resume=resume, checkpoints=policy):
                    keep(event)
                    write(event, stage)
                    reporter.report(event)
                    if comparison is not None and stage is not None:
                        comparison.take([event], stage=stage)
                    if isinstance(event, Failed):
                        status = BAD_INPUT if event.kind == "input" else FAILED
                    if isinstance(event, Finished) and event.reason == "stopped":
                        status = INTERRUPTED
            if status or control.stopping:
                break
        if comparison is not None and out is not None:
            _print_comparison(out, comparison)
    if reporter.message:
        sys.stderr.write(reporter.message + "\n")
    if options.save and control.live is not None:
        from engine.results import save_result

        try:
            save_result(Path(options.save), control.live, runs[-1][1])
        except OSError as error:
            raise _unwritable("--save", options.save, error) from None
    return status


def _prepare_folder(field: str, folder: Path) -> None:
    """Make `folder` and see that it can be written to, before hours of training are at stake."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(field, str(folder), error) from None


def _unwritable(field: str, where: str, error: OSError) -> InputError:
    return InputError(field, f"{where} cannot be written: {error.strerror or error}")


def _runs(
    options: argparse.Namespace, resumed: RunConfig | None
) -> tuple[Lesson | None, list[tuple[int | None, RunConfig]]]:
    """What to run, one after the other; a lesson's runs with the numbers of their stages.

    `resumed`: the set-up of the run that goes on.
    """
    if options.lesson is None:
        if options.stage is not None:
            raise InputError("--stage", "there is no lesson it could be a stage of", "--lesson NAME with it")
        return None, [(None, _config(options, resumed))]
    if options.config is not None:
        raise InputError("--config", "a lesson is a set-up already", "--lesson or --config")
    lesson = find_lesson(options.lesson)
    numbers = list(range(1, len(lesson.stages) + 1))
    if options.stage is not None:
        if not options.stage.isascii() or not options.stage.isdigit() or len(options.stage) > 9:
            raise InputError("--stage", f"{options.stage!r} is not a stage", f"1 to {len(lesson.stages)}")
        numbers = [int(options.stage)]
    picks, settings = _given(options)
    return lesson, [(number, lesson.stage(number).config(picks, settings)) for number in numbers]


def _print_comparison(out: Console, comparison: Comparison) -> None:
    if comparison.time_told():
        out.print(comparison.time_told())
    rows = [row for row in comparison.rows() if row.obtained is not None]
    if rows:
        table = Table("stage", "what", "printed there", "obtained here", "", box=None, pad_edge=False)
        for row in rows:
            sign = "same" if row.text == row.printed.value else "same but for rounding" if row.agrees else "differs"
            table.add_row(str(row.printed.stage), row.label, row.printed.value, row.text, sign)
        out.print(table)


def _given(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, object]]:
    """Picks and settings from the options, as `make_config` takes them."""
    picks = {part: getattr(options, part) for part in CATALOGS if getattr(options, part) is not None}
    settings: dict[str, object] = {}
    for pair in options.set:
        field, equals, value = pair.partition("=")
        if not equals or not field.strip():
            raise InputError("--set", f"{pair!r} is not a setting and its value", "write PART.PARAM=VALUE")
        settings[field.strip()] = value.strip()
    for name, (field, _) in _SHORTCUTS.items():
        if getattr(options, name) is not None:
            settings[field] = getattr(options, name)
    return picks, settings


def _config(options: argparse.Namespace, resumed: RunConfig | None) -> RunConfig:
    return _changed(resumed or _saved(options), *_given(options))


def _saved(options: argparse.Namespace) -> RunConfig | None:
    return None if options.config is None else load_config(Path(options.config))


def _changed(saved: RunConfig | None, picks: Mapping[str, str], settings: Mapping[str, object]) -> RunConfig:
    """`saved` with these picks and settings, or what they make alone."""
    if saved is None:
        return make_config(picks, settings)
    saved_picks, saved_settings = settings_of(saved)
    for part, name in picks.items():  # another entry brings its own settings
        if saved_picks[part] != name:
            saved_settings = {k: v for k, v in saved_settings.items() if not k.startswith(f"{part}.")}
    return make_config(
        {**saved_picks, **picks}, {**saved_settings, **settings}, initial_parameters=saved.initial_parameters
    )


@contextmanager
def _events_sink(where: str | None) -> Iterator[Callable[[Event, int | None], None]]:
    """A function that writes an event and its stage to the file `where`, to the standard output (`-`), or nowhere.

    Raises InputError where the file cannot be written, BrokenPipeError where nobody reads the output any more.
    """
    if where is None:
        yield lambda _event, _stage: None
    elif where == "-":
        yield partial(_write, sys.stdout, where)
    else:
        file = _open_events(where)
        try:
            yield partial(_write, file, where)
        finally:
            with suppress(OSError):  # the last event was flushed: what did not fit has been said
                file.close()


def _open_events(where: str) -> TextIO:
    try:
        return Path(where).open("w", encoding="utf-8")
    except OSError as error:
        raise _unwritable("--events", where, error) from None


def _write(file: TextIO, where: str, event: Event, stage: int | None) -> None:
    try:
        file.write(as_json(event, stage=stage) + "\n")
        if not isinstance(event, StepFinished):
            file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable("--events", where, error) from None


@contextmanager
def _stopping_at_interrupt(control: RunControl) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run; a second Ctrl-C interrupts whatever is still going on."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal module's own signature
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


class _Reporter:
    """Events for people: a bar on stderr, a line an epoch on `out` (None: nothing there)."""

    def __init__(self, out: Console | None, progress: Progress, task: TaskID) -> None:
        self._out = out
        self._progress = progress
        self._task = task
        self._epochs = 0
        self._batch = 0
        self._tested = 0
        self._shown = 0.0
        self.message = ""

    def say(self, line: str) -> None:
        if line:
            self._say(line)

    def say_stage(self, lesson: Lesson, number: int) -> None:
        if len(lesson.stages) > 1:
            title = lesson.stage(number).title
            self._say(f"stage {number} of {len(lesson.stages)}" + (f": {title}" if title else ""))
        self._shown = 0.0

    def report(self, event: Event) -> None:
        match event:
            case StepFinished():
                if event.seconds - self._shown > 0.1:
                    self._shown = event.seconds
                    self._progress.update(
                        self._task,
                        completed=event.step,
                        description=f"epoch {event.epoch}/{self._epochs}  loss {event.loss:.4f}",
                        speed=f"{event.step * self._batch / event.seconds:,.0f} samples/s",
                    )
            case Preparing():
                share = "" if event.done is None else f" {event.done:.0%}"
                self._progress.update(self._task, description=f"{event.what}{share}")
            case Started():
                self._epochs = -(-event.total_steps // event.steps_per_epoch)
                self._batch = event.batch_size
                self._tested = event.test_size
                self._progress.update(self._task, total=event.total_steps)
                threads = f"{event.threads} thread{'s' * (event.threads > 1)}"
                self._say(f"{event.network} on {event.dataset}: {event.parameters:,} parameters")
                self._say(f"{event.train_size:,} training samples, {event.device}, {threads}, {event.memory_format}")
                if event.resumed_from:
                    self._say(f"continued after step {event.resumed_from:,}. {event.caution}".rstrip())
            case Evaluated():
                self._say(f"step {event.step}: " + _figures(event, tested=self._tested))
            case EpochFinished():
                if event.epoch % max(1, self._epochs // _MOST_LINES) == 0 or event.epoch == self._epochs:
                    train = f"epoch {event.epoch}/{self._epochs}: train loss {event.train_loss:.4f}, "
                    self._say(train + _figures(event, tested=self._tested))
            case Intervened():
                self._say(f"step {event.step}: {event.name} {event.old} → {event.new}")
            case Finished():
                restored = "" if event.restored_epoch is None else f", weights of epoch {event.restored_epoch} restored"
                self._say(
                    f"{event.reason.replace('_', ' ')} after step {event.step}, {event.seconds:.1f} s, "
                    f"{event.samples_per_second:,.0f} samples/s{restored}"
                )
            case Failed():
                self.message = event.message
            case CheckpointFailed():
                sys.stderr.write(f"step {event.step}: {event.path} was not written: {event.problem}\n")
            case Paused() | Resumed() | CheckpointSaved():
                pass
            case _:
                assert_never(event)

    def _say(self, line: str) -> None:
        if self._out is not None:
            self._out.print(line)


def _figures(event: Evaluated | EpochFinished, *, tested: int) -> str:
    pieces = []
    for name, loss, accuracy in (
        ("validation", event.validation_loss, event.validation_accuracy),
        ("test", event.test_loss, event.test_accuracy),
    ):
        if loss is None:
            continue
        piece = f"{name} loss {loss:.4f}"
        if accuracy is not None and name == "test" and tested:
            piece += f", {correct(accuracy, of=tested)}"
        elif accuracy is not None:
            piece += f" ({accuracy:.2%})"
        pieces.append(piece)
    return ", ".join(pieces)


# race


def _race(options: argparse.Namespace) -> int:
    race = cli_race.make_race(options, *_given(options), partial(_changed, _saved(options)))
    return cli_race.run(options, race, stopping=_stopping_at_interrupt, history=cli_runs.history)


# list


def _list(options: argparse.Namespace) -> int:
    part = {"losses": "loss", "lessons": "lesson"}.get(options.catalogue, options.catalogue.removesuffix("s"))
    if part == "lesson":
        return _list_lessons(as_json=options.json)
    entries: list[Entry] = list(CATALOGS[part])
    if options.json:
        sys.stdout.write(json.dumps([_entry_as_json(entry) for entry in entries], indent=2, ensure_ascii=False) + "\n")
        return 0
    table = Table("name", "what it is", "settings and defaults", box=None, pad_edge=False)
    for entry in entries:
        settings = ", ".join(f"{param.name}={_shown(param)}" for param in entry.params)
        table.add_row(entry.name, f"{entry.label}: {entry.summary}", settings)
    Console(highlight=False).print(table)
    return 0


def _list_lessons(*, as_json: bool) -> int:
    if as_json:
        rows = [
            {
                "name": lesson.name,
                "label": lesson.title,
                "summary": lesson.summary,
                "chapter": lesson.chapter,
                "stages": [stage.title for stage in lesson.stages],
                "printed": len(lesson.printed),
            }
            for lesson in lessons()
        ]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    table = Table("name", "what it is", "stages", box=None, pad_edge=False)
    for lesson in lessons():
        table.add_row(lesson.name, f"{lesson.title}: {lesson.summary}", str(len(lesson.stages)))
    Console(highlight=False).print(table)
    return 0


def _shown(param: Param) -> str:
    default = param.default
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _entry_as_json(entry: Entry) -> dict[str, object]:
    params = [
        {
            "name": param.name,
            "kind": param.kind,
            "default": param.default,
            "accepts": param.accepts(),
            "choices": list(param.choices),
            "live": param.live,
            "help": param.help,
        }
        for param in entry.params
    ]
    return {"name": entry.name, "label": entry.label, "summary": entry.summary, "params": params}
