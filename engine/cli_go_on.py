"""The terminal's `runs resume` and `runs branch`: a run of the history goes on, as it was or in another way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from engine.cli_checkpoints import check_interval, recorded_policy
from engine.cli_events import EventWriter, events_sink, follow, stopping_at_interrupt
from engine.cli_history import OnStore, print_json, recording, run_number, say, whole_number
from engine.cli_report import Reporter, reporting
from engine.cli_setup import add_choice_options, add_events_option, changed, given
from engine.config import RunConfig
from engine.control import RunControl
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import CheckpointSaved, Event, Failed, Finished, Preparing
from engine.preload import share_cores
from engine.runs.exports import summary_as_json
from engine.runs.recorder import RunRecorder
from engine.runs.run_record import Branch
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.cli_past import PastRun
    from engine.rewind.snapshots import Recorded


def add_resume_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", metavar="N", help="passes over the training set, more than it had")
    parser.add_argument("--steps", metavar="N", help="updates at most, of all of them; 0: no limit")
    _add_run_options(parser)


def add_branch_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--step", metavar="N", required=True, help="go on from the state after so many updates")
    parser.add_argument("--name", metavar="NAME", default="", help="of the new run")
    add_choice_options(parser)
    _add_run_options(parser)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    add_events_option(parser)
    parser.add_argument(
        "--checkpoint-every", metavar="N|Ns", help="steps between two checkpoints, or seconds; 30s where it is not said"
    )


def resume(store: RunStore, options: argparse.Namespace) -> int:
    """`runs resume`: the same run goes on from its newest checkpoint, bit for bit; returns the exit status.

    Raises InputError where it cannot, before anything in its record is changed.
    """
    run_id = run_number(store, options.run)
    with _session(store, options) as session:
        past = session.past(run_id)
        lengths = {"training.epochs": options.epochs, "training.steps": options.steps}
        config = changed(past.config, {}, {field: value for field, value in lengths.items() if value is not None})
        _check_way_on(past)
        checkpoint = past.newest()
        if checkpoint is None:
            way_out = f"`runs branch {run_id} --step N` goes on from any step that was recorded"
            raise InputError("RUN", f"run {run_id} has no checkpoint to go on from", way_out)
        _check_unfinished(past, checkpoint, config)
        _check_lengths(past, checkpoint, config)
        if checkpoint.step > past.last:
            say(f"Steps {past.last + 1:,} to {checkpoint.step:,} of run {run_id} were done and are not in its record.")

        def begin(store: RunStore) -> RunRecorder:
            return store.resume(run_id, checkpoint.interventions, config=config)

        return session.train(config, begin, checkpoint)


def branch(store: RunStore, options: argparse.Namespace) -> int:
    """`runs branch`: a new run goes on from a step of another one; returns the exit status. Raises InputError.

    With nothing changed it repeats that run from there on, with what was changed in it by hand.
    """
    run_id = run_number(store, options.run)
    step = whole_number("--step", options.step, "a number of updates from 0")
    picks, settings = given(options)
    with _session(store, options) as session:
        past = session.past(run_id)
        from engine.rewind import branch as branches

        found = past.reach(step)
        same = branches.branch_config(found)
        config = branches.branch_config(found, {**picks, **settings})
        made = branches.branch(found, config, parent=str(run_id))
        later = [change for change in past.changes() if change.step > step] if config == same else ()
        begin = partial(_branched, config=config, parent=Branch(run_id, step), name=options.name)
        return session.train(config, begin, made, repeat=later)


def _branched(store: RunStore, *, config: RunConfig, parent: Branch, name: str) -> RunRecorder:
    """The record of a new run. Raises InputError where there is none."""
    recorder = store.record(config, parent=parent, name=name)
    if recorder.run_id is None:
        recorder.close()
        raise InputError("history", recorder.problem or "the run cannot be recorded")
    return recorder


def _check_way_on(past: PastRun) -> None:
    """Raises InputError where the run would only fail again as it did."""
    ending = past.record.ending
    if isinstance(ending, Failed) and ending.kind == "diverged":
        way_out = f"`runs branch {past.id} --step N --lr …` before that"
        raise InputError("RUN", f"run {past.id} diverged, and would again", way_out)


def _check_unfinished(past: PastRun, checkpoint: Checkpoint, config: RunConfig) -> None:
    """Raises InputError where nothing is left to do."""
    ending, training, progress = past.record.ending, config.training, checkpoint.progress
    if training.patience and progress.waited >= training.patience:
        way_out = f"`runs branch {past.id} --step N --set training.patience=…`"
        raise InputError("RUN", f"run {past.id} was ended by early stopping", way_out)
    from engine.checkpoint import planned_steps

    total = planned_steps(config, checkpoint.manifest.train_size)
    done = isinstance(ending, Finished) and ending.reason == "completed" and ending.step >= total
    if checkpoint.step > total or (checkpoint.step == total and done):
        limited = total == training.steps
        field, more = ("--steps", "a larger number, or 0 for no limit") if limited else ("--epochs", "a larger number")
        raise InputError(field, f"run {past.id} has done all of its {checkpoint.step:,} steps", more)


def _check_lengths(past: PastRun, checkpoint: Checkpoint, config: RunConfig) -> None:
    """Raises InputError where the run cannot be made longer or shorter."""
    from engine.checkpoint import check_same_run

    try:
        check_same_run(config, checkpoint)
    except InputError as error:
        way_out = f"`runs branch {past.id} --step {checkpoint.step} --epochs {config.training.epochs}`"
        raise InputError("RUN", f"run {past.id} cannot go on to another end: {error.problem}", way_out) from None


@dataclass(frozen=True, slots=True)
class _Session:
    """What a run in the terminal goes on with: where its events go, who tells of it, what stops it."""

    store: RunStore
    options: argparse.Namespace
    control: RunControl
    write: EventWriter
    reporter: Reporter
    library: Library

    def past(self, run_id: int) -> PastRun:
        """Raises InputError where there is no such run, or it is under way. Imports torch."""
        self.store.run(run_id)  # a mistake should be answered before torch is there
        from engine.cli_past import PastRun

        def report(what: str, done: float | None) -> None:
            self.reporter.report(Preparing(what, done))

        return PastRun(
            self.store, run_id, report=report, wanted=lambda: not self.control.stopping, library=self.library
        )

    def train(self, config: RunConfig, begin: OnStore, resume: Checkpoint, *, repeat: Sequence[Recorded] = ()) -> int:
        """Train on from `resume`, recorded by what `begin` gives; returns the exit status."""
        from engine.training import train

        with recording(self.store, begin) as recorder:
            policy = None
            if recorder.folder is not None:
                policy = recorded_policy(config, recorder.folder, self.options.checkpoint_every)
            events = train(config, self.control, library=self.library, resume=resume, checkpoints=policy, repeat=repeat)
            status = follow(events, recorder.put, self._tell, self.reporter.report)
        if self.reporter.message:
            say(self.reporter.message)
        self.reporter.warn()
        if self.options.json and recorder.run_id is not None:
            print_json(summary_as_json(self.store.run(recorder.run_id).summary))
        elif recorder.run_id is not None:
            self.reporter.say(f"run {recorder.run_id} of the history")
        return status

    def _tell(self, event: Event) -> None:
        if not isinstance(event, CheckpointSaved):
            self.write(event, None)


@contextmanager
def _session(store: RunStore, options: argparse.Namespace) -> Iterator[_Session]:
    """Raises InputError for options that cannot be, and for a history that takes no run."""
    check_interval(options.checkpoint_every)
    if options.json and options.events == "-":
        raise InputError("--json", "the events go to the standard output already", "--json, or --events -")
    if not store.writable:
        raise InputError("history", "it cannot be written, and the run would not be kept")
    share_cores()
    control = RunControl()
    out = None if options.json or options.events == "-" else Console(file=sys.stdout, highlight=False)
    with (
        stopping_at_interrupt(control),
        events_sink(options.events) as write,
        reporting(out) as reporter,
    ):
        yield _Session(store, options, control, write, reporter, Library())
