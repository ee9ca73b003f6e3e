"""Strokes as geometry, and the steps of a drawing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.drawing import Drawing
from gui.strokes import SIDE, Dab, curve, erase, paint, pressed_radius, square_in


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1))
def test_the_square_is_centred_and_its_mapping_is_undone_by_its_inverse(
    width: int, height: int, across: float, down: float
) -> None:
    square = square_in(width=width, height=height, margin=1)
    assert square.side == max(1, min(width, height) - 2)
    assert abs((width - square.side) / 2 - square.left) <= 0.5
    assert abs((height - square.side) / 2 - square.top) <= 0.5
    x, y = square.to_widget(x=across * SIDE, y=down * SIDE)
    assert square.to_canvas(x=x, y=y) == pytest.approx((across * SIDE, down * SIDE), abs=1e-6)


def test_a_stroke_covers_the_area_of_a_capsule() -> None:
    raster = np.zeros((SIDE, SIDE), np.uint8)
    paint(raster, Dab(80, 90, 10), Dab(180, 150, 10))
    assert float(raster.sum()) / 255 == pytest.approx(np.pi * 100 + 20 * np.hypot(100, 60), rel=0.01)
    erase(raster, Dab(80, 90, 14), Dab(180, 150, 14))
    assert not raster.any()


def test_an_eraser_leaves_no_ghost_of_ink() -> None:
    raster = np.full((SIDE, SIDE), 255, np.uint8)
    erase(raster, Dab(80.3, 90.7, 10), Dab(180.1, 150.2, 10))
    left = set(raster.ravel().tolist())
    assert {0, 255} < left
    assert not left & set(range(1, 16))


def test_strokes_beyond_the_edge_are_cut_off() -> None:
    raster = np.zeros((SIDE, SIDE), np.uint8)
    paint(raster, Dab(-500, -500, 10), Dab(-400, -450, 10))
    assert not raster.any()
    paint(raster, Dab(-20, 100, 10), Dab(900, 100, 10))
    assert raster[100].all()


def test_a_curve_starts_and_ends_where_it_should_in_small_steps() -> None:
    segments = list(curve(Dab(0, 0, 5), Dab(50, 0, 6), Dab(50, 50, 7)))
    assert segments[0][0] == Dab(0, 0, 5)
    assert segments[-1][1] == Dab(50, 50, 7)
    assert all(first[1] == second[0] for first, second in pairwise(segments))
    assert max(np.hypot(b.x - a.x, b.y - a.y) for a, b in segments) < 4


def test_corners_of_a_fast_mouse_are_rounded() -> None:
    """Between far apart places the path is a curve: it does not reach the corner itself."""
    drawing = Drawing()
    drawing.begin(Dab(40, 40, 6), erasing=False)
    drawing.extend(Dab(240, 40, 6))
    drawing.extend(Dab(240, 240, 6))
    drawing.end()
    assert drawing.pixels[40, 240] == 0
    assert drawing.pixels[40, 100] == drawing.pixels[200, 240] == 255


def test_pressure_is_kept_within_bounds() -> None:
    assert pressed_radius(20, 0.5) == 10
    assert pressed_radius(20, -1) == 7.5
    assert pressed_radius(20, 9) == 12.5


def test_the_history_is_bounded() -> None:
    drawing = Drawing()
    for step in range(150):
        drawing.begin(Dab(10 + step, 20, 5), erasing=False)
        drawing.end()
    undone = 0
    while drawing.undo():
        undone += 1
    assert undone == 100
