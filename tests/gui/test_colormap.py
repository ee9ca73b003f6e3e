"""Colour maps: zero is the panel, both signs are alike, limits are round and steady."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.colormap import (
    LINE_LEVEL,
    NAN_LEVEL,
    ZERO_LEVEL,
    diverging,
    diverging_levels,
    grey,
    packed,
    steady_limit,
    viridis,
)
from gui.lean import pyqtgraph
from gui.theme import DARK, LIGHT, Theme


def _hex(entry: np.ndarray) -> str:
    return "#" + bytes(entry[:3].tolist()).hex().upper()


def _luminance(lut: np.ndarray) -> np.ndarray:
    """WCAG relative luminance."""
    share = lut[:, :3] / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_diverging_map_has_the_themes_colours(theme: Theme) -> None:
    lut = diverging(theme)
    assert lut.shape == (256, 4)
    assert lut.dtype == np.uint8
    assert (lut[:, 3] == 255).all()
    assert _hex(lut[1]) == theme.weight_negative
    assert _hex(lut[ZERO_LEVEL]) == theme.panel
    assert _hex(lut[253]) == theme.weight_positive
    assert _hex(lut[NAN_LEVEL]) == theme.text
    assert _hex(lut[LINE_LEVEL]) == theme.border


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_diverging_map_moves_one_way_from_zero_and_treats_both_signs_alike(theme: Theme) -> None:
    away = 1 if theme is DARK else -1
    luminance = _luminance(diverging(theme))
    negative, positive = luminance[127:0:-1] * away, luminance[127:254] * away
    assert (np.diff(negative) >= -1e-3).all()
    assert (np.diff(positive) >= -1e-3).all()
    assert negative[-1] == pytest.approx(positive[-1], abs=0.08)
    steps = np.abs(np.diff(diverging(theme)[1:254, :3].astype(int), axis=0)).max(axis=1)
    assert steps.max() <= 8  # no banding


def test_levels_are_symmetric_and_cut_and_mark_what_is_no_number() -> None:
    values = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, np.inf, -np.inf, np.nan], dtype=np.float32)
    levels = diverging_levels(values, 1.0)
    assert levels.dtype == np.uint8
    assert levels.tolist() == [1, 1, 64, 127, 190, 253, 253, 1, 0]


def test_levels_broadcast_a_limit_for_each_filter() -> None:
    values = np.array([[1.0, -1.0], [10.0, -5.0], [0.0, 0.0]], dtype=np.float32)
    limits = np.abs(values).max(axis=1, keepdims=True)
    assert diverging_levels(values, limits).tolist() == [[253, 1], [253, 64], [127, 127]]


def test_viridis_and_grey() -> None:
    published = pyqtgraph.colormap.get("viridis").getLookupTable(nPts=256)[:, :3].astype(int)
    assert np.abs(viridis()[:, :3].astype(int) - published).max() <= 2
    assert viridis().shape == grey().shape == (256, 4)
    assert grey()[77].tolist() == [77, 77, 77, 255]


def test_packed_words() -> None:
    assert packed(np.array([[0x12, 0x34, 0x56, 0xFF]], dtype=np.uint8)).tolist() == [0xFF123456]


@pytest.mark.parametrize(
    ("largest", "limit"),
    [(0.19, 0.2), (0.2, 0.2), (0.201, 0.3), (1.0, 1.0), (7.1, 10.0), (0.0031, 0.005), (1400, 1500)],
)
def test_a_first_limit_is_the_next_round_number(largest: float, limit: float) -> None:
    assert steady_limit(largest, None) == limit


def test_a_limit_grows_at_once_and_shrinks_late() -> None:
    assert steady_limit(0.21, 0.2) == 0.3
    assert steady_limit(0.16, 0.3) == 0.3
    assert steady_limit(0.14, 0.3) == 0.15
    assert steady_limit(0.0, 0.3) == 0.3
    assert steady_limit(0.0, None) == 1.0
    assert steady_limit(math.nan, 0.3) == 0.3
    assert steady_limit(math.inf, None) == 1.0


@given(st.floats(0, 3.4e38), st.none() | st.floats(1e-30, 1e30))
def test_a_limit_covers_and_stays_on_the_second_look(largest: float, previous: float | None) -> None:
    limit = steady_limit(largest, previous)
    assert limit >= min(largest, 1e30)
    assert steady_limit(largest, limit) == limit
