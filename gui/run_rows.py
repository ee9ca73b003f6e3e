"""The history's rows: which runs, in which order, and what each column says of them. No Qt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from engine.parts import CATALOGS
from engine.runs.run_record import RunSummary
from gui import numbers

SortKey = tuple[Any, ...]

STATUSES = {
    "running": "Running",
    "finished": "Completed",
    "stopped": "Stopped",
    "failed": "Failed",
    "interrupted": "Interrupted",
}
_REASONS = {"early_stopping": "Stopped early", "diverged": "Diverged"}


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column of the history.

    Attributes:
        name: short, for the code; `title` stands above it; `meaning` is its tooltip.
        text: what it says of a run.
        key: what it is sorted by; empty for what is not known, which stands last in both directions.
        widest: a text that fits without being cut.
        right: numbers stand right.
        editable: a person may write in it.
    """

    name: str
    title: str
    meaning: str
    text: Callable[[RunSummary], str]
    key: Callable[[RunSummary], SortKey]
    widest: str
    right: bool = False
    editable: bool = False


def title_of(run: RunSummary) -> str:
    """The name that a person gave it, or what it is."""
    return run.name or f"{_label('dataset', run.dataset)} · {_label('network', run.network)} · {_optimizer(run)}"


def status_of(run: RunSummary) -> str:
    return _REASONS.get(run.reason) or STATUSES[run.status]


def began(run: RunSummary) -> str:
    """Date and time where the person is."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began))
    except (OverflowError, OSError, ValueError):  # a clock that was far off
        return ""


@lru_cache(maxsize=1024)  # asked for every run, answered for a few names
def _label(part: str, name: str) -> str:
    catalog = CATALOGS[part]
    return catalog[name].label if name in catalog else name


def _optimizer(run: RunSummary) -> str:
    return f"{_label('optimizer', run.optimizer)} {run.learning_rate:g}"


def _figure(accuracy: float | None, loss: float | None) -> str:
    if accuracy is not None:
        return numbers.percent(accuracy, 2)
    return "" if loss is None else numbers.loss(loss)


def _rank(accuracy: float | None, loss: float | None) -> SortKey:
    """The better the higher; accuracies above losses."""
    if accuracy is not None:
        return (1, accuracy)
    return () if loss is None else (0, -loss)


def _words(text: str) -> SortKey:
    return (text.casefold(),) if text else ()


def _lesson(run: RunSummary) -> str:
    return run.lesson if run.stage is None or not run.lesson else f"{run.lesson} {run.stage}"


def branch_of(run: RunSummary) -> str:
    """Where it began, empty for a run that is no branch."""
    return "" if run.parent is None else f"branch of {run.parent} @ {numbers.count(run.parent_step or 0)}"


COLUMNS = (
    RunColumn(
        "color", "", "How the run is drawn where runs are compared.", lambda _: "", lambda run: (run.id,), "00000"
    ),
    RunColumn(
        "number",
        "No.",
        "The run's number, which stays with it.",
        lambda run: str(run.id),
        lambda run: (run.id,),
        "0000",
        right=True,
    ),
    RunColumn(
        "name",
        "Run",
        "Dataset, network, optimizer and learning rate, unless the run was given a name. F2 renames it.",
        title_of,
        lambda run: _words(title_of(run)),
        "MNIST · LeNet-5 · AdamW 0.001 and",
        editable=True,
    ),
    RunColumn(
        "branch",
        "Branch",
        "The number of the run that this one goes on from, and the step.",
        branch_of,
        lambda run: () if run.parent is None else (run.parent, run.parent_step or 0),
        f"branch of 100 @ {numbers.count(1_000)}",
    ),
    RunColumn("began", "When", "When the run began.", began, lambda run: (run.began,), "2026-12-28 20:58"),
    RunColumn("status", "Status", "How the run ended.", status_of, lambda run: (status_of(run),), "Stopped early"),
    RunColumn(
        "steps",
        "Steps",
        "Updates of the weights.",
        lambda run: numbers.count(run.step),
        lambda run: (run.step,),
        numbers.count(1_000_000),
        right=True,
    ),
    RunColumn(
        "time",
        "Time",
        "Spent in training, pauses left out.",
        lambda run: numbers.duration(run.seconds),
        lambda run: (run.seconds,),
        "0:00:00",
        right=True,
    ),
    RunColumn(
        "best",
        "Best",
        "The highest test accuracy of all evaluations; where there is no accuracy, the lowest test loss.",
        lambda run: _figure(run.best_test_accuracy, run.best_test_loss),
        lambda run: _rank(run.best_test_accuracy, run.best_test_loss),
        numbers.percent(1.0, 2),
        right=True,
    ),
    RunColumn(
        "final",
        "Final",
        "The test accuracy of the last evaluation; where there is no accuracy, the test loss.",
        lambda run: _figure(run.test_accuracy, run.test_loss),
        lambda run: _rank(run.test_accuracy, run.test_loss),
        numbers.percent(1.0, 2),
        right=True,
    ),
    RunColumn(
        "seed",
        "Seed",
        "Initial weights and data order follow from it.",
        lambda run: str(run.seed),
        lambda run: (run.seed,),
        "0000",
        right=True,
    ),
    RunColumn(
        "lesson", "Lesson", "The lesson and its stage.", _lesson, lambda run: _words(_lesson(run)), "points-and-lines 1"
    ),
    RunColumn(
        "tags",
        "Tags",
        "Words of your own, with commas between them.",
        lambda run: ", ".join(run.tags),
        lambda run: _words(", ".join(run.tags)),
        "baseline, good",
        editable=True,
    ),
    RunColumn(
        "notes",
        "Note",
        "What you want to remember of the run.",
        lambda run: run.notes,
        lambda run: _words(run.notes),
        "A note of some words, not too long",
        editable=True,
    ),
)
PLACES = {column.name: place for place, column in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are listed, and how.

    Attributes:
        search: words that all have to occur in what is said of a run, without regard to case.
        filters: values by attribute of RunSummary, such as `{"dataset": "mnist"}`.
        sort: a column's name; `descending`: the highest first.
        tree: branches stand below the run that they go on from.
    """

    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = "began"
    descending: bool = True
    tree: bool = True

    @property
    def narrows(self) -> bool:
        """Whether there may be runs that are not listed."""
        return bool(self.search.split() or self.filters)


@dataclass(frozen=True, slots=True)
class Row:
    """A run and where it stands in the tree.

    Attributes:
        guides: for each level that it stands below others, from the left, whether more of that level comes below.
    """

    run: RunSummary
    guides: tuple[bool, ...] = ()

    @property
    def depth(self) -> int:
        return len(self.guides)


_SAID = tuple(column.text for column in COLUMNS if not column.right)


def search_text(run: RunSummary) -> str:
    """What a search looks through."""
    made_of = _names_and_labels(run.dataset, run.network, run.optimizer, run.loss, run.schedule)
    return "\n".join((f"#{run.id}", *[say(run) for say in _SAID], made_of, run.device)).casefold()


@lru_cache(maxsize=1024)  # as _label
def _names_and_labels(*names: str) -> str:
    """`names` of the parts in the order of CATALOGS."""
    return "\n".join((*names, *map(_label, CATALOGS, names)))


class SearchTexts:
    """What a search looks through, made when a run is first searched, and anew once the run says something else."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[RunSummary, str]] = {}

    def of(self, run: RunSummary) -> str:
        known = self._known.get(run.id)
        if known is None or known[0] != run:
            known = self._known[run.id] = run, search_text(run)
        return known[1]

    def keep(self, runs: Mapping[int, RunSummary]) -> None:
        """Forget all others."""
        self._known = {run: known for run, known in self._known.items() if run in runs}


def listed(runs: Iterable[RunSummary], texts: SearchTexts, wanted: Wanted) -> list[Row]:
    """The rows of the table."""
    found = [run for run in runs if all(getattr(run, name) == value for name, value in wanted.filters.items())]
    if words := wanted.search.casefold().split():
        found = [run for run in found if _has(texts.of(run), words)]
    found = _sorted(found, COLUMNS[PLACES[wanted.sort]].key, descending=wanted.descending)
    return _as_tree(found) if wanted.tree else [Row(run) for run in found]


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def _sorted(runs: Iterable[RunSummary], key: Callable[[RunSummary], SortKey], *, descending: bool) -> list[RunSummary]:
    keyed = [(key(run), run) for run in runs]
    known = [pair for pair in keyed if pair[0]]
    known.sort(key=lambda pair: (*pair[0], pair[1].id), reverse=descending)
    return [run for _, run in known] + [run for found, run in keyed if not found]


def _as_tree(runs: Sequence[RunSummary]) -> list[Row]:
    """Each run in its order, its branches right below it; a run whose parent is not listed stands by itself."""
    there = {run.id for run in runs}
    branches: dict[int, list[RunSummary]] = {}
    roots: list[RunSummary] = []
    for run in runs:
        # A parent comes before its branches: in a damaged history too there is no circle.
        if run.parent in there and run.parent is not None and run.parent < run.id:
            branches.setdefault(run.parent, []).append(run)
        else:
            roots.append(run)
    rows: list[Row] = []
    waiting = [Row(run) for run in reversed(roots)]
    while waiting:
        row = waiting.pop()
        rows.append(row)
        below = branches.get(row.run.id, ())
        waiting += [Row(run, (*row.guides, place > 0)) for place, run in enumerate(reversed(below))]
    return rows
