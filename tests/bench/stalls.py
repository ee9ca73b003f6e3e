"""How long the window's event loop keeps an event waiting."""

from __future__ import annotations

import time
from itertools import pairwise

from PySide6.QtCore import QObject, Qt, QTimer

from tests.bench.figure import percentile

EVERY = 0.002  # s between ticks


class Stalls:
    """Ticks in the window's thread every 2 ms; where ticks stay out, events that came meanwhile had to wait.

    Ticks alone would count a long stall once, although it keeps every event waiting that comes during it. So a gap
    counts as the delays of events that come every 2 ms whether the loop answers or not.
    """

    def __init__(self, parent: QObject) -> None:
        self._ticks: list[float] = []
        self._mark = 0
        self._timer = QTimer(parent, interval=round(1000 * EVERY), timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def _tick(self) -> None:
        self._ticks.append(time.perf_counter())

    def start(self) -> None:
        self._ticks = [time.perf_counter()]
        self._mark = 0
        self._timer.start()

    def mark(self) -> None:
        """The first step has arrived: what was before counts as getting ready, what follows as training."""
        self._mark = len(self._ticks) - 1

    def stop(self) -> dict[str, float]:
        """In ms: `p99` and `worst` while training, `starting`: the worst before."""
        self._timer.stop()
        before, training = delays(self._ticks[: self._mark + 1]), delays(self._ticks[self._mark :])
        return {
            "p99": 1000 * percentile(training, 0.99),
            "worst": 1000 * max(training),
            "starting": 1000 * max(before, default=0.0),
            "events": len(training),
        }


def delays(ticks: list[float], *, every: float = EVERY) -> list[float]:
    """Seconds that events which come every `every` seconds wait, if they are handled at `ticks`."""
    found = []
    for earlier, later in pairwise(ticks):
        late = later - earlier - every
        found.append(max(late, 0.0))
        found.extend(late - every * n for n in range(1, int(late / every) + 1))
    return found
