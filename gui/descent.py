"""Gradient descent of a single number on a known curve: the way it went and the way a formula says. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from gui.plotting.scale import Range
from gui.track import Track

Floats = NDArray[np.float64]

MOST_FRAMES = 120  # of a film of the way
FAR = 1e100  # beyond, a place is taken for lost: its square is near the end of floats
NEAR = 1e-150  # half of what is in view, at least
NEWEST = 30  # steps that the close view shows
MARGIN = 1.2  # of the way's reach that is in view

SETTINGS = ("function", "start", "factor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A function of one number.

    Attributes:
        formula, slope_formula: as they are written.
        value, slope: the function and its derivative, of float64 arrays.
        place: where the slope has a value; the inverse of `slope`.
        factor: by which plain gradient descent of a learning rate multiplies the number with every step.
    """

    formula: str
    slope_formula: str
    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    place: Callable[[float], float]
    factor: Callable[[float], float]


PARABOLA = Curve(
    formula="x²",
    slope_formula="2x",
    value=lambda x: x * x,
    slope=lambda x: 2 * x,
    place=lambda slope: slope / 2,
    factor=lambda rate: float(f"{1 - 2 * rate:.12g}"),  # 0.98, not 0.9799999999999999
)
CURVES: Mapping[str, Curve] = {"parabola": PARABOLA, "x**2": PARABOLA}  # two names of one curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a lesson says of its run: the curve, where it begins, and the factor of the formula start · factor^k."""

    curve: Curve = PARABOLA
    start: float = 1.0
    factor: float | None = None


def task(settings: Mapping[str, object]) -> Task:
    """From a lesson's settings, each of which may be missing. Raises InputError."""
    for name in settings:
        if name not in SETTINGS:
            raise InputError(f"descent.{name}", "is no setting of this panel", "one of " + ", ".join(SETTINGS))
    function = settings.get("function", "parabola")
    if not isinstance(function, str) or function not in CURVES:
        raise InputError("descent.function", f"{function!r} is not known", "one of " + ", ".join(CURVES))
    factor = settings.get("factor")
    return Task(
        curve=CURVES[function],
        start=_number("start", settings.get("start", 1.0)),
        factor=None if factor is None else _number("factor", factor),
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e6:
        raise InputError(f"descent.{name}", f"{value!r} is not accepted", "a number from -1000000 to 1000000")
    return float(value)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Where the number was, row by row; row 0 is the start.

    Attributes:
        steps: int64 (n + 1,), ascending from 0.
        x: float64 (n + 1,), after that many steps.
        gradients: float64 (n + 1,), the gradient that led there; NaN at the start.
    """

    steps: NDArray[np.int64]
    x: Floats
    gradients: Floats

    @property
    def last(self) -> int:
        """The last row."""
        return len(self.steps) - 1

    def reach(self, row: int, *, close: bool) -> float:
        """How far from 0 the picture goes at that row, so that it changes seldom.

        Whole: as far as the start, or the next power of two times as far as the way led. Close: the next power of two
        beyond the newest steps.
        """
        shown = np.abs(self.x[max(row - NEWEST, 0) * close : row + 1])
        furthest = float(shown.max(initial=0.0, where=shown <= FAR))
        start = abs(float(self.x[0]))
        if close or not 0 < start <= FAR:
            return max(_power_of_two(furthest), NEAR) if furthest else 1.0
        return max(start * _power_of_two(max(furthest / start, 1.0)), NEAR)


def _power_of_two(value: float) -> float:
    """The smallest that is not below `value` > 0, give or take a rounding."""
    return 2.0 ** math.ceil(math.log2(value) - 1e-9)


def walk(track: Track, task: Task) -> Walk:
    """Of a track of one value, or of nothing yet.

    Where the run began is told by its first gradient, which was taken there; before it, by the lesson.
    """
    gradients = track.gradients[:, 0] if len(track) else np.empty(0)
    x = track.parameters[:, 0] if len(track) else np.empty(0)
    begun = len(gradients) > 0 and math.isfinite(gradients[0])
    start = task.curve.place(float(gradients[0])) if begun else task.start
    return Walk(np.append(0, track.steps[: len(x)]), np.append(start, x), np.append(math.nan, gradients))


def predicted(task: Task, step: int, factor: float) -> float:
    """start · factor^step, infinite where floats end."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return float(np.float64(task.start) * np.float64(factor) ** step)


@dataclass(frozen=True, slots=True)
class Compared:
    """A quantity at a step: what the run obtained and what the formula says, None where there is none.

    `name` is short, `meaning` a sentence.
    """

    name: str
    meaning: str
    obtained: float | None
    formula: float | None

    @property
    def difference(self) -> float | None:
        if self.obtained is None or self.formula is None or not math.isfinite(self.obtained - self.formula):
            return None
        return self.obtained - self.formula


def compared(task: Task, walk: Walk, row: int, factor: float | None) -> tuple[Compared, Compared, Compared]:
    """x, y and the last step's gradient at a row of the walk. `factor`: of the formula, None where there is none."""
    curve, step, x = task.curve, int(walk.steps[row]), float(walk.x[row])
    said = before = math.nan
    if factor is not None:
        said, before = predicted(task, step, factor), predicted(task, max(step - 1, 0), factor)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        y, said_y = curve.value(np.array([x, said])).tolist()
        slope = float(curve.slope(np.array([before]))[0])
    known, moved = factor is not None, step > 0
    after = f"after {step} step{'' if step == 1 else 's'}"
    return (
        Compared("x", f"The parameter x {after}.", x, said if known else None),
        Compared(curve.formula, f"The value {curve.formula} {after}.", y, said_y if known else None),
        Compared(
            "grad",
            f"The gradient {curve.slope_formula} from which step {step} was made."
            if moved
            else "No step was made yet.",
            float(walk.gradients[row]) if moved else None,
            slope if known and moved else None,
        ),
    )


def film_rows(last: int, most: int = MOST_FRAMES) -> list[int]:
    """Rows 0 … `last`, at most `most` of them, evenly spread, with both ends."""
    count = min(last + 1, max(most, 2))
    return [round(i * last / (count - 1)) for i in range(count)] if count > 1 else [0]


def window(curve: Curve, reach: float) -> tuple[Range, Range]:
    """The ranges of x and y that show the curve to both sides of 0."""
    wide = reach * MARGIN
    top = float(curve.value(np.array([wide]))[0])
    return Range(-wide, wide), Range(-0.08 * top, top)
