"""The runs of the past in the window: listed, renamed, deleted, shown as they were, continued."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QElapsedTimer, QObject, Signal

from engine.checkpoint_folder import holds_checkpoint
from engine.errors import InputError
from engine.events import EpochFinished, Evaluated, Event, Failed, Finished, Intervened, StepFinished
from engine.runs.query import RunQuery
from engine.runs.run_record import MOST_EVENTS, Branch, RunRecord, RunSummary
from engine.runs.store_error import StoreError
from gui.bridge import Bridge, Provenance
from gui.history_panel import HistoryPanel
from gui.numbers import count
from gui.run_rows import began, title_of
from gui.run_state import EVALUATIONS, RunState
from gui.theme import Theme
from gui.tools import ToolDocks
from gui.views.offer import Offer
from gui.views.setup_panel import SetupPanel

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.config import RunConfig
    from engine.live import LiveNetwork
    from engine.runs.store import RunStore

T = TypeVar("T")

FOLLOW_EVERY = 1000  # ms between two looks at the run under way
NEWEST = 200  # runs that are listed before all others
KEEP_DELETED = 30 * 24 * 3600.0  # s after which a deleted run is removed for good
_AT_ONCE = 4096  # events applied at once


@dataclass(frozen=True, slots=True)
class Listing:
    """Runs, newest first; the one to be offered; what was wrong with the history."""

    runs: list[RunSummary]
    offered: RunSummary | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as it was. `checkpoint` and `live`, the network with its weights, are None where none was kept."""

    summary: RunSummary
    config: RunConfig
    state: RunState
    checkpoint: Checkpoint | None
    live: LiveNetwork | None


class History(QObject):
    """Stands between the store, the panel of runs and the run on screen.

    Attributes:
        panel: the table of runs.
        offer: asks whether an interrupted run shall go on.
        on_screen: the number of the run on screen, None where it is none of the history.
        weights_step: after which step the weights were that answer now; None where they are the run's newest.

    Signals:
        shown(lesson): another run is on screen: its state, set-up and network. The name of its lesson, or nothing.
        go_on(config, provenance): this run shall begin; the state on screen is where it goes on.
    """

    shown = Signal(str)
    go_on = Signal(object, object)

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        theme: Theme,
        setup: SetupPanel,
        run_state: RunState,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._setup = setup
        self._state = run_state
        self._say = say
        self._tools: ToolDocks | None = None
        self._run: int | None = None  # the number of the run under way
        self.on_screen: int | None = None
        self._changes = 0
        self._greeted = False
        self._problem: str | None = None
        self._followed = QElapsedTimer()
        self.weights_step: int | None = None
        self.panel = HistoryPanel(theme)
        self.offer = Offer("resume_offer")
        self.panel.opened.connect(self.open)
        self.panel.go_on.connect(self.continue_run)
        self.panel.compared.connect(self.compare)
        self.panel.deleted.connect(self.delete)
        self.panel.edited.connect(self._edit)
        bridge.recorded.connect(self._on_recorded)
        bridge.run_ended.connect(self._on_run_ended)
        bridge.reopened.connect(self._on_reopened)

    def set_tools(self, tools: ToolDocks) -> None:
        """Where runs are compared."""
        self._tools = tools

    def set_theme(self, theme: Theme) -> None:
        self.panel.set_theme(theme)

    # The list

    def reload(self, *_: object) -> None:
        """Read the list anew. Where it was never read, the newest runs come first: all of many take a while."""
        if not self._greeted:
            self._bridge.history("history first", read_newest, self._on_first_read, self._on_unread)
        self._bridge.history("history", partial(read_runs, first=not self._greeted), self._on_read, self._on_unread)

    def _on_first_read(self, runs: list[RunSummary]) -> None:
        if not self.panel.model.total:
            self.panel.set_runs(runs)

    def _on_read(self, listing: Listing) -> None:
        self.panel.set_runs(listing.runs)
        if listing.problem and listing.problem != self._problem:
            self._say(listing.problem)
        self._problem = listing.problem
        if not self._greeted:
            self._greeted = True
            if listing.offered is not None and not self._bridge.running and self._state.status == "idle":
                self._offer(listing.offered)

    def _on_unread(self, sentence: str) -> None:
        self.panel.show_problem(sentence)
        if sentence != self._problem:
            self._problem = sentence
            self._say(sentence)

    def follow(self) -> None:
        """The run under way has come further."""
        if self._run is None or not self.panel.isVisible():
            return
        if not self._followed.isValid() or self._followed.elapsed() >= FOLLOW_EVERY:
            self._followed.start()
            state = self._state
            self.panel.model.follow(self._run, step=state.step, epoch=state.epoch, seconds=state.seconds)

    def begin_run(self) -> None:
        """A run begins: what was offered or shown is out of date."""
        self.offer.clear()
        self.on_screen = self.weights_step = None

    def _on_recorded(self, run: int) -> None:
        self._run = self.on_screen = run
        self.reload()

    def _on_run_ended(self) -> None:
        self._run = None
        self.reload()

    # Changes

    def _change(self, change: Callable[[RunStore], None], then: Callable[[], None] | None = None) -> None:
        """Change the history, then read it anew. Changes are made in their order, and none is left out."""

        def done(_: None) -> None:
            if then is not None:
                then()
            self.reload()

        self._changes += 1
        self._bridge.history(f"history {self._changes}", change, done, self._on_unchanged)

    def _on_unchanged(self, sentence: str) -> None:
        self._say(sentence)
        self.reload()

    def _edit(self, run: int, column: str, text: str) -> None:
        match column:
            case "name":
                self._change(lambda store: store.rename(run, text))
            case "notes":
                self._change(lambda store: store.annotate(run, text))
            case "tags":
                self._change(lambda store: _set_tags(store, run, text))

    def delete(self, runs: list[int]) -> None:
        """Out of the list, with an offer to take it back."""
        if not runs:
            return
        names = [title_of(run) for run in self.panel.model.runs if run.id in runs]
        what = f"“{names[0]}”" if len(names) == 1 else f"{count(len(runs))} runs"
        self._change(lambda store: store.delete(*runs), lambda: self._offer_undo(runs, what))

    def _offer_undo(self, runs: list[int], what: str) -> None:
        self.panel.undo.offer(
            f"Deleted {what}.",
            {
                "Undo": ("Brings back what was deleted.", lambda: self._undelete(runs)),
                "Close": ("Closes this line. What was deleted is removed for good after 30 days.", lambda: None),
            },
        )

    def _undelete(self, runs: list[int]) -> None:
        self._change(lambda store: store.undelete(*runs))

    def compare(self, runs: list[int]) -> None:
        """Lay these runs over each other."""
        if self._tools is not None and runs:
            self._tools.open("compare", {"runs": runs})

    # A run as it was

    def open(self, run: int) -> None:
        """Show a run as it was: its set-up, its curves, and the network with the weights of its last checkpoint."""
        if self._refuses("opening another"):
            return
        self._say("Opening the run …")
        self._bridge.compute("history open", lambda: read_run(self._bridge.store(), run), self._show, self._say)

    def _show(self, past: PastRun) -> None:
        if self._refuses("opening another"):
            return
        self.offer.clear()
        self._take_over(past, run=past.summary.id)
        self.shown.emit(past.summary.lesson)
        self._say(_sentence(past))

    def _take_over(self, past: PastRun, *, run: int | None = None) -> None:
        step = None if past.checkpoint is None else past.checkpoint.step
        self.weights_step = step if step != past.state.step else None
        self.on_screen = past.summary.id
        self._state.take_over(past.state)
        self._bridge.show_run(past.config, past.live, run=run, step=self.weights_step)
        self._setup.set_config(past.config)

    def _on_reopened(self, step: int | None) -> None:
        """One can go back along the run that is shown; `step`: of the weights, where there were none before."""
        if step is not None:
            self.weights_step = step if step != self._state.step else None
            if step:
                self._say(f"The weights are those after step {count(step)}, the last that was kept.")
        elif self._bridge.past_problem:
            self._say(self._bridge.past_problem)

    def _refuses(self, what: str) -> bool:
        if self._bridge.running:
            self._say(f"A run is under way: stop it before {what}.")
        return self._bridge.running

    # Going on

    def _offer(self, run: RunSummary) -> None:
        self.offer.offer(
            f"“{title_of(run)}”, begun {began(run)}, was interrupted after step {count(run.step)}. It can go on from "
            "its last checkpoint.",
            {
                "Go on": ("Continues the run bit for bit.", lambda: self.continue_run(run.id)),
                "Not now": ("The run stays in the history (Ctrl+R) and can go on from there.", lambda: None),
            },
        )

    def continue_run(self, run: int) -> None:
        """Let a run that was interrupted or stopped go on from its last checkpoint."""
        if self._refuses("continuing another"):
            return
        if self._bridge.racing:
            self._say("A race is under way: cancel it, or wait for its end, before continuing a run.")
            return
        self._say("Reading the checkpoint …")
        job = partial(_read_to_go_on, self._bridge, run)
        self._bridge.compute("history open", job, self._continue, self._say)

    def _continue(self, past: PastRun) -> None:
        if self._refuses("continuing another"):
            return
        self._take_over(past)
        self.shown.emit(past.summary.lesson)
        summary = past.summary
        origin = Provenance(lesson=summary.lesson, stage=summary.stage, run=summary.id, checkpoint=past.checkpoint)
        self.go_on.emit(past.config, origin)


# Jobs: on other threads


def read_newest(store: RunStore) -> list[RunSummary]:
    """More runs than a screen has room for, newest first."""
    return store.runs(RunQuery(limit=NEWEST))


def read_runs(store: RunStore, *, first: bool) -> Listing:
    """All runs. `first`: also which one to offer to continue; and what was deleted long ago is removed."""
    if first:
        with suppress(StoreError):
            store.purge(before=time.time() - KEEP_DELETED)
    runs = store.runs()
    newest = runs[0] if first and runs else None
    offered = newest is not None and newest.status == "interrupted" and holds_checkpoint(store.folder(newest.id))
    return Listing(runs, newest if offered else None, store.problem)


def read_run(store: RunStore, run: int) -> PastRun:
    """A run as it was. Raises InputError where its set-up cannot be used any more, or it is damaged."""
    record = store.run(run)
    config = record.config
    checkpoint = live = None
    with suppress(InputError):  # a damaged checkpoint must not keep the curves from being seen
        checkpoint = _checkpoint(store, record, config)
        live = None if checkpoint is None else _network(checkpoint, record.ending)
        live = live or _imported(store.folder(run), config)
    state = state_of(record)
    _set_branch(state, record)
    if state.status in ("running", "paused"):  # it goes on elsewhere; here it is looked at
        state.status = "finished"
    return PastRun(record.summary, config, state, None if live is None else checkpoint, live)


def _read_to_go_on(bridge: Bridge, run: int) -> PastRun:
    """A run as it was at its last checkpoint. Raises InputError where it cannot go on."""
    store = bridge.store()
    record = store.run(run)
    if record.summary.status == "running":
        raise InputError("run", "it is under way elsewhere", "wait for its end")
    config = record.config
    checkpoint = _checkpoint(store, record, config)
    if checkpoint is None:
        raise InputError("run", "it has no checkpoint to go on from", "open it and press Start to run it anew")
    state = RunState()
    _apply(state, _events_until(record, checkpoint))
    _set_branch(state, record)
    state.status = "running"
    return PastRun(record.summary, config, state, checkpoint, _network(checkpoint))


def _checkpoint(store: RunStore, record: RunRecord, config: RunConfig) -> Checkpoint | None:
    from engine.checkpoint import check_same_run, load_checkpoint

    folder = store.folder(record.summary.id)
    if not holds_checkpoint(folder):
        return None
    checkpoint = load_checkpoint(folder)
    check_same_run(config, checkpoint)
    return checkpoint


def _network(checkpoint: Checkpoint, ending: Finished | Failed | None = None) -> LiveNetwork:
    """With the weights of the checkpoint, or with those that early stopping brought back after it."""
    from engine.live import untrained

    weights = dict(checkpoint.weights)
    if isinstance(ending, Finished) and ending.restored_epoch is not None and ending.step == checkpoint.step:
        weights |= {name: checkpoint.tensors.get(f"best.{name}", weight) for name, weight in weights.items()}
    return untrained(checkpoint.config).with_weights(weights)


def _imported(folder: Path, config: RunConfig) -> LiveNetwork | None:
    """With the weights of a run from elsewhere, which came without a checkpoint."""
    from engine.archive import read_weights
    from engine.live import untrained
    from engine.results import WEIGHTS_FILE

    if not (folder / WEIGHTS_FILE).is_file():
        return None
    return untrained(config).with_weights(read_weights(folder, config))


def _events_until(record: RunRecord, checkpoint: Checkpoint) -> Iterator[Event]:
    """What was told until the checkpoint was taken; the run tells the rest again."""
    last, progress = checkpoint.step, checkpoint.progress
    for event in record.events():
        match event:
            case StepFinished(step=step) | Evaluated(step=step) if step > last:
                pass
            case EpochFinished(step=step) if step > last or (step == last and not (progress.closed or progress.told)):
                pass
            case Finished() | Failed() | Intervened():
                pass
            case _:
                yield event
    yield from checkpoint.interventions


def state_of(record: RunRecord) -> RunState:
    """As if the window had followed the run to its last word. Raises StoreError where the record is damaged.

    Steps come as columns, since events of a long run would take ten times as long; for a screen they are thinned.
    """
    state = RunState()
    if record.started is not None:
        state.apply([record.started])
    state.apply_table(record.steps(MOST_EVENTS))
    state.apply([*record.evaluations(EVALUATIONS), *record.interventions])
    if record.last_word is not None:
        state.apply([record.last_word])
    return state


def _apply(state: RunState, events: Iterable[Event]) -> None:
    told = iter(events)
    while batch := list(islice(told, _AT_ONCE)):
        state.apply(batch)


def _set_branch(state: RunState, record: RunRecord) -> None:
    """A run that was made elsewhere tells a number of that place: the history knows better."""
    run = record.summary
    state.branch = None if run.parent is None else Branch(run.parent, run.parent_step or 0)


def _set_tags(store: RunStore, run: int, text: str) -> None:
    wanted = [tag.strip() for tag in text.split(",") if tag.strip()]
    known = store.run(run).summary.tags
    store.tag(run, *wanted)  # first: where one of them cannot be, nothing is changed
    store.untag(run, *(tag for tag in known if tag not in wanted))


def _sentence(past: PastRun) -> str:
    """What is on screen now."""
    said = f"Run {past.summary.id} of {began(past.summary)} as it was"
    if past.live is None:
        return f"{said}; no weights were kept, so the network is the untrained one."
    if past.checkpoint is not None and past.checkpoint.step != past.state.step:
        return f"{said}; the weights are those after step {count(past.checkpoint.step)}, its last checkpoint."
    return f"{said}."
