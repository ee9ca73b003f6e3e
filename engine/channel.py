"""Channel: events from the run's thread to the window, bounded, never blocking."""

from __future__ import annotations

import math
import threading

from engine.events import Event, StepFinished

WAITING_STEPS = 8192  # steps that may wait before neighbours are merged


class Channel:
    """One thread puts, another drains once a frame. Thread-safe.

    Steps that wait are merged when there are more than `waiting_steps`: of four neighbours the lowest and the highest
    loss stay, so that no extreme is lost. All other events are kept.
    """

    def __init__(self, waiting_steps: int = WAITING_STEPS) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._steps = 0
        self._limit = max(waiting_steps, 8)

    def put(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
            if type(event) is StepFinished:
                self._steps += 1
                if self._steps > self._limit:
                    self._events = merge_steps(self._events)
                    self._steps = sum(type(event) is StepFinished for event in self._events)

    @property
    def urgent(self) -> bool:
        """Whether more than steps waits."""
        return len(self._events) > self._steps

    def drain(self) -> list[Event]:
        """All that waits, in order."""
        with self._lock:
            events, self._events = self._events, []
            self._steps = 0
            return events


def merge_steps(events: list[Event]) -> list[Event]:
    """`events` with about half the steps.

    Of every four neighbouring steps those with the lowest and the highest loss stay, in order. The first and the last
    step stay in any case, and so does every step whose loss is not finite.
    """
    merged: list[Event] = []
    group: list[StepFinished] = []
    first = next((event for event in events if type(event) is StepFinished), None)
    last = next((event for event in reversed(events) if type(event) is StepFinished), None)

    def close() -> None:
        if len(group) > 2:
            low = min(group, key=lambda step: step.loss)
            high = max(group, key=lambda step: step.loss)
            merged.extend(step for step in group if step is low or step is high)
        else:
            merged.extend(group)
        group.clear()

    for event in events:
        if type(event) is not StepFinished or event is first or event is last or not math.isfinite(event.loss):
            close()
            merged.append(event)
            continue
        group.append(event)
        if len(group) == 4:
            close()
    close()
    return merged
