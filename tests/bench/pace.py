"""How fast a run went, the same way for a run with and one without a window."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 20  # steps that do not count: threads and caches wake up


def samples_per_second(seconds_at: Callable[[int], float], *, steps: int, batch_size: int) -> float:
    """Over the steps of one epoch, between which no evaluation falls.

    Args:
        seconds_at: from a step's number to the run's own time at its end.
        steps: in the epoch, more than twice FIRST.
    """
    if steps <= 2 * FIRST:
        raise RuntimeError(f"{steps} steps are too few to tell a speed")
    return (steps - FIRST) * batch_size / (seconds_at(steps) - seconds_at(FIRST))
