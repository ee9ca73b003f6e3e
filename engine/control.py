"""RunControl: what may be asked of a run from another thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalog import ParamValue

if TYPE_CHECKING:
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork


@dataclass(frozen=True, slots=True)
class Change:
    """A hyper-parameter of the optimizer and its new value."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """Another schedule and all its settings."""

    name: str
    params: Mapping[str, ParamValue]


class RunControl:
    """Thread-safe. Every request takes effect before the run's next step; a run that waits wakes up at once.

    Attributes:
        attention: whether the run has anything to look at before its next step. It is read without the lock once a
            step, so that a run nobody touches pays nothing for being steerable.
        live: the network under training, for predictions and filters; None before it is built.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._allowed: int | None = None  # steps before the next pause; None: no pause
        self._pause_after_epoch = False
        self._stopping = False
        self._speed: float | None = None
        self._changes: list[Change | ScheduleChange] = []
        self._examinations: list[Future[Specimen]] = []
        self._last_step = -math.inf  # on time.monotonic's clock
        self.attention = False
        self.live: LiveNetwork | None = None

    # Asked from any thread.

    def pause(self) -> None:
        """Wait before the next step until resumed."""
        with self._condition:
            self._allowed = 0
            self._pause_after_epoch = False
            self._notify()

    def resume(self) -> None:
        with self._condition:
            self._allowed = None
            self._pause_after_epoch = False
            self._notify()

    def step_once(self) -> None:
        """Do one step at once, also in slow motion, then pause; several requests add up."""
        with self._condition:
            self._allowed = (self._allowed or 0) + 1
            self._pause_after_epoch = False
            self._notify()

    def run_epoch(self) -> None:
        """Go on to the end of the epoch, then pause."""
        with self._condition:
            self._allowed = None
            self._pause_after_epoch = True
            self._notify()

    def stop(self) -> None:
        """End the run before its next step. Final."""
        with self._condition:
            self._stopping = True
            self._notify()

    def set_speed(self, steps_per_second: float | None) -> None:
        """Slow motion: at most so many steps a second; None is full speed."""
        with self._condition:
            self._speed = steps_per_second
            self._notify()

    def change(self, request: Change | ScheduleChange) -> None:
        with self._condition:
            self._changes.append(request)
            self._notify()

    def examine(self) -> Future[Specimen]:
        """A copy of all that the next step needs, taken before it, in a pause or between two steps.

        The run's own course stays as it is. A run that has ended answers no more: then who drives it calls
        `end_examinations`.
        """
        asked: Future[Specimen] = Future()
        with self._condition:
            self._examinations.append(asked)
            self._notify()
        return asked

    def end_examinations(self, reason: Exception) -> None:
        """Answer all that were asked and not answered with `reason`."""
        for asked in self.take_examinations():
            if asked.set_running_or_notify_cancel():
                asked.set_exception(reason)

    @property
    def speed(self) -> float | None:
        return self._speed

    @property
    def stopping(self) -> bool:
        return self._stopping

    # Asked by the run.

    @property
    def must_pause(self) -> bool:
        return self._allowed == 0 and not self._stopping

    @property
    def has_requests(self) -> bool:
        """Whether there is a change to take over or an examination to answer."""
        return bool(self._changes) or bool(self._examinations)

    def wait_while_paused(self) -> None:
        """Block until there is a step to do, a request to answer, or the run must stop."""
        with self._condition:
            self._condition.wait_for(lambda: self._allowed != 0 or self._stopping or self.has_requests)

    def wait_for_turn(self) -> None:
        """Block until the speed allows the next step, or something else is asked."""
        with self._condition:
            while self._speed and not self._stopping and self._allowed is None and not self.has_requests:
                left = self._last_step + 1 / self._speed - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)

    def count_step(self) -> None:
        """A step begins: use up one of those allowed."""
        with self._condition:
            self._last_step = time.monotonic()
            if self._allowed:
                self._allowed -= 1
            self._update()

    def epoch_ended(self) -> None:
        with self._condition:
            if self._pause_after_epoch:
                self._pause_after_epoch = False
                self._allowed = 0
                self._update()

    def take_changes(self) -> list[Change | ScheduleChange]:
        with self._condition:
            changes, self._changes = self._changes, []
            self._update()
            return changes

    def take_examinations(self) -> list[Future[Specimen]]:
        with self._condition:
            examinations, self._examinations = self._examinations, []
            self._update()
            return examinations

    def _notify(self) -> None:
        self._update()
        self._condition.notify_all()

    def _update(self) -> None:
        self.attention = self._stopping or self._allowed is not None or self._speed is not None or self.has_requests
