"""Snapshots: checkpoints of one run in memory, kept along it within a budget. Importing this imports no torch."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING, Literal

from engine.control import Change, ScheduleChange
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.events import StepFinished
    from engine.live import LiveNetwork
    from engine.preparation import Ready

Mark = Literal["first", "last", "best", "epoch", "intervention"]
"""Why a snapshot is a keyframe: `best` is the epoch's end with the lowest loss so far of those a run goes by."""

Wanted = Callable[[], bool]
Say = Callable[[str, float | None], None]
Check = Callable[["StepFinished"], None]

BUDGET = 256 * 2**20  # bytes
SHARE = 0.005  # of the time spent training that taking snapshots may cost
ALLOWANCE = 0.02  # s that it may cost beyond that, so that short runs are kept step by step
MOST = 1_000  # snapshots
_FRAME = 8_192  # bytes of a snapshot beside its tensors' own
_COSTS = 5  # last costs whose median is taken
_OUTLIER = 4  # times the median: what is more, another program took while the run's thread waited for a core
_NEVER = 2**62
_THINNED: tuple[Mark, ...] = ("epoch", "intervention", "best")  # the order in which keyframes are given up


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was changed during a run, exactly; it counts from the step after `step`."""

    step: int
    change: Change | ScheduleChange


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was changed during a run, of which not all is known."""

    step: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A checkpoint that is kept, and why it is a keyframe, if it is one."""

    checkpoint: Checkpoint
    marks: frozenset[Mark]


@dataclass(frozen=True, slots=True)
class Tick:
    """A step that is kept, and why it is a keyframe, if it is one."""

    step: int
    marks: frozenset[Mark]


@dataclass(slots=True)
class _Frame:
    checkpoint: Checkpoint
    marks: set[Mark] = field(default_factory=set)


class Snapshots:
    """Checkpoints along one run. The run's thread keeps them between its steps; any thread reads them.

    They lie `spacing` steps apart, a power of two that grows where they cost more than `share` of the training's time
    or outgrow `budget`; then every other one is dropped. The first and the last, the best epoch, ends of epochs and
    interventions are keyframes: they stay until nothing else is left to drop. Tensors that two of them hold count
    once.

    Attributes:
        run: the run's name, for branches to remember.
        due: the step after which the run has to call `keep` next.
        ready: what the run works with; None before it has begun. It is kept as long as the snapshots are.
        live: a network of the run, from which that of any of its steps is made; None likewise.
        problem: why nothing is kept any more, a sentence; empty while all is well.

    Args:
        budget: bytes.
        share: of the time spent training, 0 … 1; more than 1 takes every snapshot that fits.
    """

    def __init__(self, *, run: str = "", budget: int = BUDGET, share: float = SHARE) -> None:
        self.run = run
        self.due = 0
        self.ready: Ready | None = None
        self.live: LiveNetwork | None = None
        self.problem = ""
        self._budget = budget
        self._share = share
        self._lock = Lock()
        self._frames: dict[int, _Frame] = {}  # by step, ascending
        self._ticks: tuple[Tick, ...] = ()
        self._holders: Counter[int] = Counter()  # frames that hold a tensor, by its id
        self._bytes = 0
        self._spacing = 1
        self._costs: deque[float] = deque(maxlen=_COSTS)
        self._spent = self._charged = 0.0
        self._begun: tuple[int, float] | None = None
        self._before = 0
        self._recorded: list[Recorded | Unknown] = []
        self._replayed: Checkpoint | None = None

    # Asked from any thread.

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """All steps that are kept, ascending. The same object while nothing has changed."""
        return self._ticks

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._bytes

    @property
    def spacing(self) -> int:
        """Steps between two that are no keyframes."""
        return self._spacing

    @property
    def spent(self) -> float:
        """Seconds of the run's thread so far."""
        return self._spent

    def nearest(self, step: int) -> Checkpoint | None:
        """The newest one at `step` or before; None where there is none."""
        with self._lock:
            steps = list(self._frames)
            place = bisect_right(steps, step)
            found = self._frames[steps[place - 1]].checkpoint if place else None
            replayed = self._replayed
        if replayed is not None and replayed.step <= step and (found is None or replayed.step > found.step):
            return replayed
        return found

    @property
    def snapshots(self) -> list[Snapshot]:
        """All of them, ascending."""
        with self._lock:
            return [Snapshot(frame.checkpoint, frozenset(frame.marks)) for frame in self._frames.values()]

    def changes(self, checkpoint: Checkpoint, *, until: int) -> tuple[Recorded, ...]:
        """What was changed after `checkpoint`, up to and including the pause after the step `until`.

        Raises InputError where not all of it is known.
        """
        with self._lock:
            known = len(checkpoint.interventions) - self._before
            changes = [change for change in self._recorded[known:] if change.step <= until]
        for change in changes:
            if isinstance(change, Unknown):
                raise InputError(
                    "step",
                    f"the {change.name} was changed after step {change.step:,}, and an older version kept no settings "
                    "of the new one, so that the steps from there on cannot be trained again",
                    "a step that is kept, or one before the change",
                )
        return tuple(change for change in changes if isinstance(change, Recorded))

    def prepared(self, wanted: Wanted, say: Say) -> Ready | None:  # noqa: ARG002
        """What the run works with; None where nobody waits for it any more, or the run has not begun.

        Where it must be made first, `say` is told what is done, and its share in 0 … 1 or None; `wanted` is asked.
        Raises InputError where it cannot be had.
        """
        return self.ready

    def begun(self, wanted: Wanted, say: Say) -> Checkpoint | None:  # noqa: ARG002
        """Where the run began, if that must be made first and can be. As `prepared`."""
        return None

    def checker(self, *, after: int, until: int) -> Check:  # noqa: ARG002
        """What is told each step that is trained again, and raises InputError where the run did another."""
        return lambda step: None  # noqa: ARG005

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep what was trained anew as long as nothing else is: the next question is often about its neighbour."""
        self._replayed = checkpoint

    # Asked by the run, between two steps.

    def begin(self, ready: Ready, *, interventions: int = 0) -> None:
        """The run is set up. `interventions`: how many its past has, where it goes on from a checkpoint."""
        self.ready, self.live = ready, ready.live
        self._before = interventions - len(self._recorded)

    def take_over(self, snapshots: Iterable[Snapshot], recorded: Iterable[Recorded | Unknown]) -> None:
        """Have what was kept of the run before it was interrupted, and what was changed; before it goes on."""
        with self._lock:
            self._recorded = list(recorded)
            for snapshot in snapshots:
                self._add(snapshot.checkpoint, set(snapshot.marks))
            self._thin()
            self._list_ticks()

    def _list_ticks(self) -> None:
        self._ticks = tuple(Tick(step, frozenset(frame.marks)) for step, frame in self._frames.items())

    def record(self, step: int, change: Change | ScheduleChange) -> None:
        with self._lock:
            self._recorded.append(Recorded(step, change))

    def keep(self, take: Callable[[], Checkpoint], *marks: Mark, step: int, seconds: float) -> None:
        """Keep what `take` returns if it can be afforded, and say in `due` when to ask next.

        Args:
            marks: why it is a keyframe. The first and the last one and interventions are taken at any cost.
            step, seconds: of the run, now; seconds of updates alone.
        """
        if self.problem:
            return
        if self._begun is None:
            self._begun = (step, seconds)
        sure = bool({"first", "last", "intervention"} & set(marks))
        if not sure and self._charged + self._cost > ALLOWANCE + self._share * (seconds - self._begun[1]):
            self._set_due(step)
            return
        start = time.perf_counter()
        try:
            checkpoint = take()
        except TypeError as error:  # an optimizer of another package remembers what cannot be copied
            self._give_up(f"Nothing of this run is kept to go back to: {error}.")
            return
        except (MemoryError, RuntimeError):
            self._give_up("There is not enough memory to keep more of this run.")
            return
        with self._lock:
            self._add(checkpoint, set(marks))
            self._thin()
            self._list_ticks()
        if not self._frames:
            self._give_up("A snapshot of this network takes more memory than all of them may.")
        cost = time.perf_counter() - start
        self._spent += cost
        self._costs.append(cost)
        self._charged += min(cost, _OUTLIER * self._cost)
        self._space_out(step, seconds)
        self._set_due(step)

    # How much, how often.

    @property
    def _cost(self) -> float:
        return median(self._costs) if self._costs else 0.0

    def _space_out(self, step: int, seconds: float) -> None:
        """Keep so few that they cost no more than the share."""
        assert self._begun is not None
        first, since = self._begun
        if step <= first or self._share > 1:
            return
        wanted = self._cost / (self._share * max((seconds - since) / (step - first), 1e-9))
        while self._spacing < wanted:
            self._spacing *= 2

    def _set_due(self, step: int) -> None:
        self.due = (step // self._spacing + 1) * self._spacing

    def _give_up(self, problem: str) -> None:
        self.problem, self.due = problem, _NEVER

    def _add(self, checkpoint: Checkpoint, marks: set[Mark]) -> None:
        before = self._frames.get(checkpoint.step)
        if before is not None:  # the same weights at a later place between the same two steps
            marks |= before.marks
            self._drop(checkpoint.step)
        if "best" in marks:
            for frame in self._frames.values():
                frame.marks.discard("best")
        for tensor in checkpoint.tensors.values():
            if not self._holders[id(tensor)]:
                self._bytes += tensor.nbytes
            self._holders[id(tensor)] += 1
        self._bytes += _FRAME
        self._frames[checkpoint.step] = _Frame(checkpoint, marks)

    def _drop(self, step: int) -> None:
        frame = self._frames.pop(step)
        self._bytes -= _FRAME
        for tensor in frame.checkpoint.tensors.values():
            self._holders[id(tensor)] -= 1
            if not self._holders[id(tensor)]:
                del self._holders[id(tensor)]
                self._bytes -= tensor.nbytes

    # Dropping.

    @property
    def _too_much(self) -> bool:
        return self._bytes > self._budget or len(self._frames) > MOST

    def _thin(self) -> None:
        while self._too_much and (plain := [step for step, frame in self._frames.items() if not frame.marks]):
            self._spacing *= 2
            for step in plain:
                if step % self._spacing:
                    self._drop(step)
        for mark in _THINNED:
            while self._too_much and (others := self._only(mark)):
                for step in others[::2]:
                    self._drop(step)
        while self._too_much and self._frames:
            self._drop(next(iter(self._frames)))

    def _only(self, mark: Mark) -> list[int]:
        """Keyframes that stand for nothing that is given up later than `mark`."""
        given_up = set(_THINNED[: _THINNED.index(mark) + 1])
        return [step for step, frame in self._frames.items() if mark in frame.marks and frame.marks <= given_up]
