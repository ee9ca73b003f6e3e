"""The terminal: `python -m engine train`, `race`, `list`, `runs` and `script`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.table import Table

from engine import cli_list, cli_race, cli_runs, cli_script
from engine.cli_checkpoints import (
    add_checkpoint_options,
    check_checkpoint_options,
    check_resumable,
    checkpoint_policy,
    recorded_policy,
    resumed_run,
)
from engine.cli_events import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    EventWriter,
    LeftError,
    events_sink,
    follow,
    stopping_at_interrupt,
    unwritable,
)
from engine.cli_history import history, recording, run_of_folder
from engine.cli_report import reporting
from engine.cli_setup import add_setup_options, changed, given, saved
from engine.config import RunConfig
from engine.control import RunControl
from engine.errors import InputError
from engine.events import CheckpointSaved, Event
from engine.lessons import find_lesson
from engine.lessons.comparison import Comparison
from engine.lessons.keeping import kept_folder, pick_up
from engine.lessons.lesson import Lesson
from engine.preload import share_cores
from engine.runs.recorder import RunRecorder
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint

__all__ = ["BAD_INPUT", "FAILED", "INTERRUPTED", "main"]


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
        commands = {
            "list": cli_list.run,
            "race": _race,
            "runs": cli_runs.run,
            "script": cli_script.run,
            "train": _train,
        }
        return commands[options.command](options)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except BrokenPipeError:  # whoever read our output has gone, and Python's own flush at the end would say so again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, LeftError):  # a second Ctrl-C, or one where nothing is lost
        return INTERRUPTED


def _make_parser() -> _Parser:
    parser = _Parser(prog="python -m engine", description="Train networks without the window.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="train|race|list|runs|script")
    train = commands.add_parser("train", help="train a network", allow_abbrev=False)
    add_setup_options(train)
    train.add_argument("--lesson", metavar="NAME", help="a lesson's set-up; see `list lessons`")
    train.add_argument("--stage", metavar="N", help="one stage of the lesson")
    train.add_argument("--save", metavar="FOLDER", help="write config.json and weights.safetensors there at the end")
    add_checkpoint_options(train)
    cli_list.add_parser(commands)
    cli_runs.add_parser(commands)
    cli_script.add_parser(commands)
    add_setup_options(cli_race.add_parser(commands))
    return parser


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
        stack.enter_context(stopping_at_interrupt(control))
        write = stack.enter_context(events_sink(options.events))
        reporter = stack.enter_context(reporting(out))
        store = stack.enter_context(history(wanted=not options.no_record))
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
            begin = partial(_begin, options, config, checkpoint, lesson=lesson, stage=stage)
            with recording(store, begin) as recorder:
                asked = policy is not None
                if policy is None and recorder.folder is not None:
                    policy = recorded_policy(config, recorder.folder)
                events = train(config, control, library=library, tuner=tuner, resume=resume, checkpoints=policy)
                status = follow(
                    events,
                    recorder.put,
                    partial(_write, write, stage=stage, checkpoints=asked),
                    reporter.report,
                    partial(_compare, comparison, stage=stage),
                )
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
            raise unwritable("--save", options.save, error) from None
    reporter.warn()
    return status


def _begin(
    options: argparse.Namespace,
    config: RunConfig,
    checkpoint: Checkpoint | None,
    store: RunStore,
    *,
    lesson: Lesson | None,
    stage: int | None,
) -> RunRecorder:
    """The record of a run: that of the run which goes on, where the history has it, else a new one."""
    if checkpoint is not None:
        from engine.checkpoint import check_same_run

        check_same_run(config, checkpoint)
        run_id = run_of_folder(store, Path(options.resume), checkpoint)
        if run_id is not None:
            return store.resume(run_id, checkpoint.interventions, config=config)
    return store.record(config, lesson="" if lesson is None else lesson.name, stage=stage)


def _write(write: EventWriter, event: Event, *, stage: int | None, checkpoints: bool) -> None:
    """`checkpoints`: they were asked for, and so are tidings of them."""
    if checkpoints or not isinstance(event, CheckpointSaved):
        write(event, stage)


def _compare(comparison: Comparison | None, event: Event, *, stage: int | None) -> None:
    if comparison is not None and stage is not None:
        comparison.take([event], stage=stage)


def _prepare_folder(field: str, folder: Path) -> None:
    """Make `folder` and see that it can be written to, before hours of training are at stake."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(field, str(folder), error) from None


def _runs(
    options: argparse.Namespace, resumed: RunConfig | None
) -> tuple[Lesson | None, list[tuple[int | None, RunConfig]]]:
    """What to run, one after the other; a lesson's runs with the numbers of their stages.

    `resumed`: the set-up of the run that goes on.
    """
    if options.lesson is None:
        if options.stage is not None:
            raise InputError("--stage", "there is no lesson it could be a stage of", "--lesson NAME with it")
        return None, [(None, changed(resumed or saved(options), *given(options)))]
    if options.config is not None:
        raise InputError("--config", "a lesson is a set-up already", "--lesson or --config")
    lesson = find_lesson(options.lesson)
    numbers = list(range(1, len(lesson.stages) + 1))
    if options.stage is not None:
        if not options.stage.isascii() or not options.stage.isdigit() or len(options.stage) > 9:
            raise InputError("--stage", f"{options.stage!r} is not a stage", f"1 to {len(lesson.stages)}")
        numbers = [int(options.stage)]
    picks, settings = given(options)
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


# race


def _race(options: argparse.Namespace) -> int:
    race = cli_race.make_race(options, *given(options), partial(changed, saved(options)))
    return cli_race.run(options, race, stopping=stopping_at_interrupt, history=history)
