"""The terminal's races: `python -m engine race`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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

from engine.config import RunConfig
from engine.control import RunControl
from engine.errors import InputError
from engine.events import Failed, Finished, Preparing, StepFinished, as_json
from engine.parts import CATALOGS
from engine.preload import share_cores
from engine.race import MOST_RUNS, Entrant, Race, entries, make_axes, race_tag
from engine.race_results import RaceResult
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from engine.race_runner import Kept, RaceEvent, Record

    Commands = argparse._SubParsersAction[Any]

_FAILED, _INTERRUPTED = 1, 130  # exit statuses
_SHOW_EVERY = 0.1  # s of training between two looks of a bar

MakeConfig = Callable[[Mapping[str, str], Mapping[str, object]], RunConfig]


def add_parser(commands: Commands) -> argparse.ArgumentParser:
    """The command `race`, which lacks the options of a set-up yet."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "race",
        help="train from one set-up in several ways and compare",
        description="Runs from one set-up that differ in a choice, a setting, a grid of them, or their seeds. The same "
        "seed gives all the same initial weights. A lesson is no set-up here. With --events, the first line names the "
        "runs and every other says whose it is in `entrant`. The exit status is 1 where a run failed.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="what differs: optimizer=sgd,adam or optimizer.learning_rate=0.1,0.01 or network.hidden=64/128,64; "
        "given again, a grid",
    )
    parser.add_argument("--seeds", metavar="N", help="so many seeds of each, from --seed on")
    parser.add_argument("--at-once", metavar="N", default="1", help="so many runs at a time, sharing the cores")
    return parser


def make_race(
    options: argparse.Namespace, picks: Mapping[str, str], settings: Mapping[str, object], make: MakeConfig
) -> Race:
    """The race that was asked for. Raises InputError.

    Args:
        picks, settings: of the set-up, as they were typed.
        make: gives the set-up of picks and settings.
    """
    texts = [*options.over, *([] if options.seeds is None else [f"seeds={options.seeds}"])]
    raced = {name.strip(): values for name, equals, values in (text.partition("=") for text in texts) if equals}
    first = {part: values.split(",")[0].strip() for part, values in raced.items() if part in CATALOGS}
    if options.config is None:  # else the set-up is whole without the raced parts
        picks = {**first, **picks}
    fixed = {name: value for name, value in settings.items() if name.partition(".")[0] in first}
    base = make(picks, {name: value for name, value in settings.items() if name not in fixed})
    return Race(base, make_axes(texts, base), fixed=fixed)


def run(
    options: argparse.Namespace,
    race: Race,
    *,
    stopping: Callable[[RunControl], AbstractContextManager[None]],
    history: Callable[..., AbstractContextManager[RunStore | None]],
) -> int:
    """Run the race and print how it went; returns the exit status. Raises InputError.

    Args:
        stopping: gives a context in which interrupts stop what obeys the control.
        history: gives the history to record in, or None, by whether it is `wanted`.
    """
    at_once = _at_once(options.at_once)
    entrants = entries(race)
    share_cores()
    control = RunControl()
    results = [RaceResult(entrant.label) for entrant in entrants]
    with ExitStack() as stack:
        stack.enter_context(stopping(control))
        write = stack.enter_context(_sink(options.events))
        store = stack.enter_context(history(wanted=not options.no_record))
        progress = stack.enter_context(_progress())
        # Torch takes seconds to import and a mistake in the arguments should be answered at once.
        from engine.race_runner import run_race

        reporter = _Reporter(progress, results)
        write(_names(entrants), True)
        for told in run_race(entrants, at_once=at_once, control=control, record=_record(store)):
            results[told.entrant - 1].take(told.event)
            write(_line(told), not isinstance(told.event, StepFinished))
            reporter.report(told)
    console = Console(highlight=False, markup=False, stderr=options.events == "-")
    if not console.is_terminal:
        console.width = 1000
    console.print(_table(results))
    if control.stopping:
        return _INTERRUPTED
    return _FAILED if any(result.standing == "failed" for result in results) else 0


def _at_once(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MOST_RUNS:
        return int(text)
    raise InputError("--at-once", f"{text!r} is not accepted", f"a whole number from 1 up to {MOST_RUNS}")


def _record(store: RunStore | None) -> Record | None:
    """Keeps every run in the history under its label, all of them with one tag."""
    if store is None:
        return None
    from engine.race_runner import Kept

    tag = race_tag(datetime.now())

    @contextmanager
    def keep(entrant: Entrant) -> Iterator[Kept]:
        recorder = store.record(entrant.config, name=entrant.label, tags=(tag,))
        try:
            with recorder:
                yield Kept(recorder.put, recorder.folder)
        finally:
            if recorder.problem:
                sys.stderr.write(recorder.problem + "\n")

    return keep


def _names(entrants: Sequence[Entrant]) -> str:
    runs = [{"entrant": number, "label": entrant.label} for number, entrant in enumerate(entrants, 1)]
    return json.dumps({"type": "race", "runs": runs}, ensure_ascii=False)


def _line(told: RaceEvent) -> str:
    return f'{as_json(told.event)[:-1]}, "entrant": {told.entrant}}}'


@contextmanager
def _sink(where: str | None) -> Iterator[Callable[[str, bool], None]]:
    """A function that writes a line to the file `where`, to the standard output (`-`), or nowhere, at once if told to.

    Raises InputError where the file cannot be written, BrokenPipeError where nobody reads the output any more.
    """
    if where is None:
        yield lambda _line, _at_once: None
        return
    file = sys.stdout if where == "-" else _open(where)

    def write(line: str, at_once: bool) -> None:
        try:
            file.write(line + "\n")
            if at_once:
                file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unwritable(where, error) from None

    try:
        yield write
    finally:
        if file is not sys.stdout:
            _close(file)


def _open(where: str) -> TextIO:
    try:
        return Path(where).open("w", encoding="utf-8")
    except OSError as error:
        raise _unwritable(where, error) from None


def _close(file: TextIO) -> None:
    with suppress(OSError):  # the last event was flushed: what did not fit has been said
        file.close()


def _unwritable(where: str, error: OSError) -> InputError:
    return InputError("--events", f"{where} cannot be written: {error.strerror or error}")


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False, markup=False)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


class _Reporter:
    """For people, on stderr: a bar for each run under way, a line for each that ended."""

    def __init__(self, progress: Progress, results: Sequence[RaceResult]) -> None:
        self._progress = progress
        self._results = results
        self._bars: dict[int, TaskID] = {}
        self._shown: dict[int, float] = {}

    def report(self, told: RaceEvent) -> None:
        number, event, result = told.entrant, told.event, self._results[told.entrant - 1]
        place = f"{number} of {len(self._results)}: {result.label}"
        if number not in self._bars:
            self._bars[number] = self._progress.add_task(place, total=None)
        bar = self._bars[number]
        match event:
            case StepFinished():
                if event.seconds - self._shown.get(number, 0.0) > _SHOW_EVERY:
                    self._shown[number] = event.seconds
                    text = f"{place}  loss {event.loss:.4f}"
                    self._progress.update(bar, completed=event.step, total=result.total_steps, description=text)
            case Preparing(what=what):
                self._progress.update(bar, description=f"{place}  {what}")
            case Finished() | Failed():
                self._progress.remove_task(bar)
                self._progress.console.print(f"{place}: {_ending(result)}")
            case _:
                pass


def _ending(result: RaceResult) -> str:
    if result.standing == "failed":
        return f"failed. {result.message}"
    figures = "" if result.test_loss is None else f", test loss {result.test_loss:.4f}"
    figures += "" if result.test_accuracy is None else f", accuracy {result.test_accuracy:.2%}"
    return f"{result.standing} after step {result.step:,}, {result.seconds:.1f} s{figures}"


def _table(results: Sequence[RaceResult]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("run")
    table.add_column("", no_wrap=True)
    for name in ("test loss", "best", "accuracy", "best", "seconds"):
        table.add_column(name, no_wrap=True, justify="right")
    for result in results:
        table.add_row(
            result.label,
            result.standing,
            _figure(result.test_loss, ".4f"),
            _figure(result.best_test_loss, ".4f"),
            _figure(result.test_accuracy, ".2%"),
            _figure(result.best_test_accuracy, ".2%"),
            "" if result.standing == "waiting" else f"{result.seconds:.1f}",
        )
    return table


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
