"""Strokes as geometry: where a pen is on the canvas, the smooth path it takes, the pixels it covers. No Qt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIDE = 280  # pixels of the canvas, at any size on screen: what is recognised does not depend on the window
BRUSH_MIN, BRUSH_DEFAULT, BRUSH_MAX = 8, 24, 64  # canvas pixels; 24 gives strokes as wide as MNIST's
_SPACING = 3.0  # canvas pixels between the points by which a curve is approached
_RESIDUE = 16  # grey levels; what an eraser's soft edge leaves below this is not ink


@dataclass(frozen=True, slots=True)
class Dab:
    """The pen at one moment: its centre and radius in canvas pixels, (0, 0) being the upper left corner."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Square:
    """The drawing area within a widget, in the widget's pixels."""

    left: float
    top: float
    side: float

    def to_canvas(self, *, x: float, y: float) -> tuple[float, float]:
        scale = SIDE / self.side
        return (x - self.left) * scale, (y - self.top) * scale

    def to_widget(self, *, x: float, y: float) -> tuple[float, float]:
        scale = self.side / SIDE
        return self.left + x * scale, self.top + y * scale


def square_in(*, width: float, height: float, margin: float) -> Square:
    """The largest square of whole pixels centred in `width`×`height` with `margin` around it, at least one pixel."""
    side = max(1.0, math.floor(min(width, height) - 2 * margin))
    return Square(left=math.floor((width - side) / 2), top=math.floor((height - side) / 2), side=side)


def pressed_radius(brush: float, pressure: float) -> float:
    """Half the width of a brush of `brush` pixels under `pressure` (0 … 1): three quarters to five quarters of it."""
    return brush / 2 * (0.75 + 0.5 * min(max(pressure, 0.0), 1.0))


def between(a: Dab, b: Dab) -> Dab:
    return Dab((a.x + b.x) / 2, (a.y + b.y) / 2, (a.radius + b.radius) / 2)


def distance(a: Dab, b: Dab) -> float:
    return math.hypot(b.x - a.x, b.y - a.y)


def curve(start: Dab, control: Dab, end: Dab) -> Iterator[tuple[Dab, Dab]]:
    """Short segments along the quadratic Bézier curve from `start` to `end` that `control` pulls at."""
    pieces = max(1, math.ceil((distance(start, control) + distance(control, end)) / _SPACING))
    last = start
    for piece in range(1, pieces + 1):
        t = piece / pieces
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        point = Dab(
            a * start.x + b * control.x + c * end.x,
            a * start.y + b * control.y + c * end.y,
            a * start.radius + b * control.radius + c * end.radius,
        )
        yield last, point
        last = point


def paint(raster: Pixels, a: Dab, b: Dab) -> None:
    """Adds ink along the segment from `a` to `b`, with round ends, to `raster`: uint8 (H, W) or (H, W, C)."""
    window, cover = _cover(raster.shape[0], raster.shape[1], a, b)
    ink = np.rint(cover * 255).astype(np.uint8)
    view = raster[window]
    np.maximum(view, ink if raster.ndim == 2 else ink[..., np.newaxis], out=view)


def erase(raster: Pixels, a: Dab, b: Dab) -> None:
    """Takes the ink along the segment from `a` to `b` away."""
    window, cover = _cover(raster.shape[0], raster.shape[1], a, b)
    left = np.rint((1 - cover) * 255).astype(np.uint8)
    left[left < _RESIDUE] = 0
    view = raster[window]
    np.minimum(view, left if raster.ndim == 2 else left[..., np.newaxis], out=view)


def enlarge(picture: Pixels, side: int = SIDE) -> Pixels:
    """`picture`, (H, W) or (H, W, C), as `side`×`side` with each of its pixels kept sharp."""
    rows = np.arange(side) * picture.shape[0] // side
    columns = np.arange(side) * picture.shape[1] // side
    enlarged: Pixels = picture[rows[:, None], columns]
    return enlarged


def _cover(height: int, width: int, a: Dab, b: Dab) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """The window that the segment touches, and how much of each of its pixels is covered: (h, w) in 0 … 1."""
    reach = max(a.radius, b.radius) + 1
    top, bottom = _clamped(min(a.y, b.y) - reach, max(a.y, b.y) + reach, height)
    left, right = _clamped(min(a.x, b.x) - reach, max(a.x, b.x) + reach, width)
    y = np.arange(top, bottom)[:, None] + (0.5 - a.y)
    x = np.arange(left, right) + (0.5 - a.x)
    run, rise = b.x - a.x, b.y - a.y
    along = np.clip((x * run + y * rise) / max(run * run + rise * rise, 1e-12), 0, 1)
    radius = a.radius + along * (b.radius - a.radius)
    cover: NDArray[np.float64] = np.clip(radius + 0.5 - np.hypot(x - along * run, y - along * rise), 0, 1)
    return (slice(top, bottom), slice(left, right)), cover


def _clamped(low: float, high: float, limit: int) -> tuple[int, int]:
    start = min(max(math.floor(low), 0), limit)
    return start, min(max(math.ceil(high), start), limit)
