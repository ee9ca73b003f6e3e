"""How often views redraw: within a budget of time, at least twice a second. No Qt."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

MOST = 0.096  # s between redraws where they are cheap: more often shows no more and costs training
LEAST = 1 / 2  # s between redraws whatever they cost
WINDOW = 2.0  # s over which the share is measured
TYPICAL = 15  # redraws whose median says what the next one will cost


class RefreshBudget:
    """Spaces redraws so that they take no more than `share` of the time.

    What watching costs is the processor time of the window's thread: while it draws, it holds Python's lock and a core
    that training would use. Waiting costs nothing and is not counted.

    Args:
        share: of the time, 0 … 1.
        clock: seconds on the wall.
        spent: seconds of processor time of the window's thread.
    """

    def __init__(
        self,
        share: float = 0.05,
        *,
        clock: Callable[[], float] = time.perf_counter,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self.share = share
        self._clock = clock
        self._spent = spent
        self._marks: deque[tuple[float, float]] = deque()
        self._costs: deque[float] = deque(maxlen=TYPICAL)
        self._drawn = 0.0
        self._interval = MOST
        self.start()

    def start(self) -> None:
        """Forget what was measured: a run begins."""
        self._marks = deque([(self._clock(), self._spent())])
        self._costs.clear()
        self._drawn = -LEAST
        self._interval = MOST

    def due(self, *, slack: float = 0.0) -> bool:
        """Whether it is time to redraw, or nearer to it than `slack` seconds. Asked as often as one likes."""
        return self._clock() - self._drawn >= self._interval - slack

    def drawn(self) -> None:
        """A redraw is done, painting of the one before included: set the distance to the next.

        The median of the latest redraws decides: what happens once, such as a menu that opens, is counted in `cost` but
        does not make the curve stand still.
        """
        now, spent = self._clock(), self._spent()
        self._costs.append(spent - self._marks[-1][1])
        self._marks.append((now, spent))
        while len(self._marks) > 2 and now - self._marks[1][0] > WINDOW:
            self._marks.popleft()
        self._drawn = now
        # The interval that would have held the budget for the redraws seen lately.
        self._interval = min(max(median(self._costs) / max(self.share, 1e-3), MOST), LEAST)

    @property
    def cost(self) -> float:
        """The share of the time that drawing took lately, 0 … 1."""
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - start) if end > start else 0.0

    @property
    def rate(self) -> float:
        """Redraws a second lately."""
        start, end = self._marks[0][0], self._marks[-1][0]
        return (len(self._marks) - 1) / (end - start) if end > start else 0.0
