"""The courses of a run's loss and of each parameter or gradient, as small plots want them. No Qt widgets."""

from __future__ import annotations

import numpy as np

from gui.run_state import RunState
from gui.views.parameter_traces import Course

QUANTITIES = {
    "parameters": ("Values", "Shows each parameter after every step, and the loss."),
    "gradients": ("Gradients", "Shows the gradient that led to every step, and the loss."),
}


def courses(state: RunState, quantity: str, *, row: int | None) -> list[Course]:
    """The loss, then each tracked value.

    Args:
        quantity: of `QUANTITIES`.
        row: of the track whose values are told; None for the latest.
    """
    track = state.track
    of = track.parameters if quantity == "parameters" else track.gradients
    prefix = "" if quantity == "parameters" else "∂loss/∂"
    at = -1 if row is None else row
    steps = track.steps.astype(np.float64)
    told = [
        Course(
            f"{prefix}{name}",
            steps,
            of[:, number],
            number_text(float(of[at, number])) if len(of) else "",
            "validation" if quantity == "gradients" else "train",
        )
        for number, name in enumerate(track.names)
    ]
    return [_loss(state, step=None if row is None else int(track.steps[row])), *told]


def _loss(state: RunState, *, step: int | None) -> Course:
    series = state.loss
    reading = series.value_at(np.inf if step is None else step)
    positive = series.count > 0 and bool(np.nanmin(series.lows, initial=np.inf) > 0)
    places, values = series.positions("step"), series.lasts.copy()
    name = "loss (logarithmic)" if positive else "loss"
    return Course(name, places, values, "" if reading is None else number_text(reading.last), "test", log=positive)


def number_text(value: float) -> str:
    """Four decimals, a true minus; scientific where four decimals would not say much."""
    if not np.isfinite(value):
        return str(value)
    small = 0 < abs(value) < 1e-3
    text = f"{value:.2e}" if small or abs(value) >= 1e5 else f"{value:.4f}"
    return text.replace("-", "−")
