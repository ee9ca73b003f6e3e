"""How fast a run goes in turns, the same way for a run with and one without a window."""

from __future__ import annotations

from collections.abc import Callable

TURN = 86  # steps
FIRST = 16  # of a turn that do not count: threads and caches wake up, and a window shows that the run goes on


def samples_per_second(
    seconds_at: Callable[[int], float], *, began: int, ended: int, steps_per_epoch: int, batch_size: int
) -> float:
    """Of the steps after FIRST from `began` to `ended`. An evaluation after an epoch does not count.

    Args:
        seconds_at: from a step's number to the run's own time at its end.
        began, ended: the last step before the turn, and its own last one.
    """
    first = began + FIRST
    if ended <= first + 1:
        raise RuntimeError(f"a turn from step {began} to {ended} is too short to tell a speed")
    counted, seconds = ended - first, seconds_at(ended) - seconds_at(first)
    for epoch_end in range(steps_per_epoch, ended, steps_per_epoch):
        if epoch_end >= first:
            counted, seconds = counted - 1, seconds - (seconds_at(epoch_end + 1) - seconds_at(epoch_end))
    return counted * batch_size / seconds
