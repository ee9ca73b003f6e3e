"""Tiles: large, without overlap, each value where it is said to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.tiles import Mosaic, Place, tile_layout

GROUND, BORDER = 1, 2  # words that no test value has


@pytest.mark.parametrize(
    ("count", "width", "height", "aspect", "columns"),
    [(6, 600, 100, 1.0, 6), (6, 100, 600, 1.0, 1), (6, 300, 200, 1.0, 3), (16, 700, 200, 6.0, 3), (1, 50, 50, 3.0, 1)],
)
def test_columns_follow_the_area(count: int, width: int, height: int, aspect: float, columns: int) -> None:
    layout = tile_layout(count, width, height, aspect)
    assert layout.columns == columns
    assert layout.rows == math.ceil(count / columns)


@given(
    count=st.integers(1, 300),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    aspect=st.floats(0.05, 64),
    gap=st.integers(0, 8),
)
def test_tiles_fit_and_no_other_number_of_columns_makes_them_larger(
    count: int, width: int, height: int, aspect: float, gap: int
) -> None:
    layout = tile_layout(count, width, height, aspect, gap=gap)
    assert layout.columns * layout.rows >= count
    if layout.tile_width > 0:
        assert layout.columns * layout.tile_width + gap * (layout.columns - 1) <= width + 1e-6
        assert layout.rows * layout.tile_height + gap * (layout.rows - 1) <= height + 1e-6
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        across = (width - gap * (columns - 1)) / columns
        down = (height - gap * (rows - 1)) / rows * aspect
        assert min(across, down) <= layout.tile_width + 1e-6


SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))


def _picture(mosaic: Mosaic) -> tuple[np.ndarray, np.ndarray]:
    words = np.arange(10, 10 + math.prod(mosaic.shape), dtype=np.uint32).reshape(mosaic.shape)
    return words, mosaic.compose(words, ground=GROUND, border=BORDER)


@settings(max_examples=60)
@given(shape=SHAPES, width=st.integers(1, 500), height=st.integers(1, 300), line=st.integers(1, 2))
def test_every_pixel_shows_the_value_that_locate_names(
    shape: tuple[int, int, int, int], width: int, height: int, line: int
) -> None:
    mosaic = Mosaic(shape, width=width, height=height, line=line)
    words, picture = _picture(mosaic)
    assert picture.shape == (height, width)
    for y in range(0, height, 7):
        for x in range(0, width, 7):
            place = mosaic.locate(x, y)
            shown = int(picture[y, x])
            assert shown in (GROUND, BORDER) if place is None else shown == words[place]
            if place is not None:
                box = mosaic.value_box(place)
                assert box.left <= x < box.left + box.width
                assert box.top <= y < box.top + box.height


@settings(max_examples=60)
@given(shape=SHAPES, width=st.integers(400, 1600), height=st.integers(400, 800))
def test_with_room_enough_every_value_has_a_block_of_its_own_size(
    shape: tuple[int, int, int, int], width: int, height: int
) -> None:
    words, picture = _picture(Mosaic(shape, width=width, height=height))
    shown, counts = np.unique(picture[picture >= 10], return_counts=True)
    assert shown.tolist() == words.ravel().tolist()
    if counts.min() >= 36:
        assert counts.min() == counts.max()


def test_filters_stand_in_boxes_with_the_ground_between() -> None:
    mosaic = Mosaic((4, 2, 3, 3), width=90, height=50, line=1, gap=4)
    _, picture = _picture(mosaic)
    for index in range(4):
        box = mosaic.box(index)
        inside = picture[box.top : box.top + box.height, box.left : box.left + box.width]
        assert (inside[[0, -1]] == BORDER).all()
        assert (inside[:, [0, -1]] == BORDER).all()
        assert (inside != GROUND).all()
        picture[box.top : box.top + box.height, box.left : box.left + box.width] = GROUND
    assert (picture == GROUND).all()


def test_the_kernels_of_a_filter_stand_side_by_side_in_the_order_of_their_channels() -> None:
    mosaic = Mosaic((2, 3, 2, 2), width=200, height=60)
    box = mosaic.box(1)
    middle = box.top + box.height // 4
    places = [mosaic.locate(x, middle) for x in range(box.left, box.left + box.width)]
    met = list(dict.fromkeys(place for place in places if place))
    assert met == [Place(1, channel, 0, column) for channel in range(3) for column in range(2)]


def test_a_picture_has_the_type_of_its_colours() -> None:
    mosaic = Mosaic((1, 1, 2, 2), width=20, height=10)
    picture = mosaic.compose(np.full((1, 1, 2, 2), 9, dtype=np.uint8), ground=GROUND, border=BORDER)
    assert picture.dtype == np.uint8
    assert set(picture.ravel().tolist()) == {9, GROUND, BORDER}


def test_nothing_is_beside_the_picture() -> None:
    mosaic = Mosaic((1, 1, 2, 2), width=20, height=10)
    assert mosaic.locate(-1, 5) is None
    assert mosaic.locate(20, 5) is None
    assert mosaic.locate(10, 10) is None


def test_moving_goes_through_kernels_and_filters_as_they_stand() -> None:
    mosaic = Mosaic((5, 2, 3, 3), width=130, height=60)  # three filters above two
    assert mosaic.columns == 3
    assert mosaic.moved(Place(0, 0, 0, 2), right=1) == Place(0, 1, 0, 0)
    assert mosaic.moved(Place(0, 1, 1, 2), right=1) == Place(1, 0, 1, 0)
    assert mosaic.moved(Place(0, 1, 2, 0), down=1) == Place(3, 1, 0, 0)
    assert mosaic.moved(Place(0, 0, 0, 0), right=-1, down=-1) == Place(0, 0, 0, 0)
    assert mosaic.moved(Place(2, 1, 2, 2), right=1) == Place(2, 1, 2, 2)
    assert mosaic.moved(Place(2, 0, 2, 0), down=1) == Place(2, 0, 2, 0)  # nothing stands below the third
