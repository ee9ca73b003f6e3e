"""How far the curves' x axis reaches while it follows a run, and the same stretch of a run on another axis. No Qt."""

from __future__ import annotations

import math

import numpy as np

from gui.ancestors import Ancestor
from gui.plotting.scale import Range, grown
from gui.run_state import RunState
from gui.series import XAxis

FIRST_STEPS, FIRST_SECONDS = 50, 5.0  # what the x axis spans at least


def following(state: RunState, x: XAxis, *, shown: Range, ancestors: tuple[Ancestor, ...]) -> Range:
    """The whole run so far; of one that goes on, with room for more, so that it grows from `shown` in steps."""
    per_epoch = max(state.steps_per_epoch, 1)
    step = max(state.step, state.evaluations[-1].step if state.evaluations else 0)
    match x:
        case "step":
            reached, total, least = float(step), float(state.total_steps), float(FIRST_STEPS)
        case "epoch":
            reached, total, least = step / per_epoch, state.total_steps / per_epoch, FIRST_STEPS / per_epoch
        case "seconds":
            reached, total, least = state.seconds, 0.0, FIRST_SECONDS
    if state.status in ("finished", "failed") and reached > 0:
        return Range(0.0, max(reached, min(_reached_before(state, x, ancestors), total or 2 * reached)))
    return grown(shown, reached, total=total or None, least=least)


def _reached_before(state: RunState, x: XAxis, ancestors: tuple[Ancestor, ...]) -> float:
    """How far the run came that was branched from, 0 where there is none."""
    if not ancestors:
        return 0.0
    nearest = ancestors[0]
    places = nearest.state.loss.positions(x, steps_per_epoch=nearest.state.steps_per_epoch)
    return float(places[-1]) * nearest.scale(x, state.steps_per_epoch) if len(places) else 0.0


def converted(shown: Range, state: RunState, *, old: XAxis, new: XAxis) -> Range | None:
    """The same stretch of the run on another axis; beyond the data in proportion. None where there are no data."""
    loss, per_epoch = state.loss, state.steps_per_epoch
    old_places = np.append(0.0, loss.positions(old, steps_per_epoch=per_epoch))
    new_places = np.append(0.0, loss.positions(new, steps_per_epoch=per_epoch))
    if old_places[-1] <= 0 or new_places[-1] <= 0:
        return None

    def place(x: float) -> float:
        if 0 <= x <= old_places[-1]:
            return float(np.interp(x, old_places, new_places))
        return float(x * new_places[-1] / old_places[-1])

    low, high = place(shown.low), place(shown.high)
    return Range(low, high) if math.isfinite(high - low) and high > low else shown
