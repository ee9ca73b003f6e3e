"""Pictures of learning on points: ranges, lines and their key, from what is known of a network."""

from __future__ import annotations

import numpy as np

from engine.inspection.surface import Floats, Points, polynomial, segment
from gui.numbers import count
from gui.plotting.scale import Range, fitted
from gui.views.points_key import MARKS, Entry
from gui.views.points_plot import Line, LineStyle, class_role

MARGIN = 0.08  # of the points' extent, around them
REACH = 12.0  # times the points' extent: so far the picture follows a line that leaves them
NEAR = 1.5  # times the points' extent: so far it makes room for the line before training

Picture = tuple[list[Line], list[Entry]]


def regression(
    points: Points, x: Floats, *, now: Floats | None, before: Floats | None, best: bool, shown: Range
) -> Picture:
    """The curves of a regression at `x` (n,).

    Args:
        now: the network's; before: the same before training, None where that is now or is not known.
        best: the best curve is shown, where there is one.
        shown: the y range.
    """
    kept = len(points.inputs)
    name = "points" if kept == points.total else f"{count(kept)} of {count(points.total)} points"
    lines, entries = [], [Entry("disc", "text", name)]
    if now is not None:
        entries.append(Entry("solid", "train", "network"))
    if before is not None:
        lines.append(Line("before", "secondary", "dotted", x, before))
        outside = "" if is_seen(before, shown) else " (outside the picture)"
        entries.append(Entry("dotted", "secondary", f"before training{outside}"))
    if best and points.best is not None:
        lines.append(Line("best", "good", "dashed", x, curve_of(points.best, x)))
        entries.append(Entry("dashed", "good", best_name(points)))
    if now is not None:
        lines.append(Line("now", "train", "solid", x, now))
    return lines, entries


def regions(
    classes: tuple[str, ...], *, now: Floats | None, before: Floats | None, x: Range, y: Range, field: bool
) -> Picture:
    """The lines c + a₁x₁ + a₂x₂ = 0 that cut two classes apart, within the ranges."""
    roles = [class_role(classes, number) for number in range(len(classes))]
    entries = [
        Entry(MARKS[number % len(MARKS)], role, name)
        for number, (role, name) in enumerate(zip(roles, classes, strict=True))
    ]
    lines: list[Line] = []
    cuts: tuple[tuple[str, str, LineStyle, str, Floats | None], ...] = (
        ("before", "secondary", "dotted", "before training", before),
        ("now", "text", "solid", "both equally likely", now),
    )
    for name, role, style, label, cut in cuts:
        if cut is None:
            continue
        ends = segment(cut, x, y)
        if ends is not None:
            lines.append(Line(name, role, style, *ends))
        entries.append(Entry(style, role, label if ends is not None else f"{label} (outside the picture)"))
    if field and len(classes) == 2:
        entries.append(Entry("colors", roles[0], "probability", roles[1]))
    return lines, entries


def best_name(points: Points) -> str:
    return "true curve" if points.exact else "best fit"


def around(values: Floats) -> Range:
    """The values with a margin; a range of length 2 around a single one."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not low < high:
        return Range(low - 1.0, high + 1.0) if low == high else Range(-1.0, 1.0)
    return Range(low, high).zoomed(1 + 2 * MARGIN, around=(low + high) / 2)


def heights(current: Range | None, points: Points, *, now: Floats | None, before: Floats | None) -> Range:
    """The y range of a regression: all points, the curve of now as far as `REACH`, the one before training if `NEAR`.

    It stays at `current` while that still fits.
    """
    base = around(np.asarray(points.targets, np.float64)[:, 0])
    low, high = base
    for curve, reach, whole in ((now, REACH, False), (before, NEAR, True)):
        finite = np.empty(0) if curve is None else curve[np.isfinite(curve)]
        room = base.zoomed(1 + 2 * reach, around=(base.low + base.high) / 2)
        if whole and len(finite) and not (room.low <= finite.min() and finite.max() <= room.high):
            continue
        low = min(low, float(finite.clip(*room).min(initial=low)))
        high = max(high, float(finite.clip(*room).max(initial=high)))
    return fitted(current, low, high, log=False)


def is_seen(curve: Floats, shown: Range) -> bool:
    """Whether any of it is within the range: a line between two of its points counts."""
    finite = curve[np.isfinite(curve)]
    return bool(len(finite)) and bool(finite.min() <= shown.high and finite.max() >= shown.low)


def curve_of(coefficients: Floats, x: Floats) -> Floats:
    """The polynomial at `x`, with what overflows as infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        return polynomial(coefficients, x)
