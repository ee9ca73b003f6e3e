"""A drawing becomes the sample that the dataset would have held."""

from __future__ import annotations

import gzip
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.predict import fit_drawing, fit_picture, ink_of, to_sample, with_channels

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def digits() -> Pixels:
    """The first 100 test images of MNIST, uint8 (100, 28, 28)."""
    packed = files("assets").joinpath("mnist", "t10k-images-idx3-ubyte.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, count=100 * 784, offset=16).reshape(100, 28, 28)


def info(*shape: int, drawable: bool = True) -> DatasetInfo:
    return DatasetInfo(
        name="made_up",
        label="Made up",
        shape=shape,
        classes=("a", "b"),
        mean=(0.0,),
        std=(1.0,),
        train_size=1,
        validation_size=0,
        test_size=1,
        drawable=drawable,
    )


def drawn(digit: Pixels, *, scale: int, top: int, left: int) -> Pixels:
    """`digit` enlarged `scale` times, its ink put at (top, left) of a canvas of 280×280."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    ink = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    large = np.kron(ink, np.ones((scale, scale), np.uint8))
    canvas = np.zeros((280, 280), np.uint8)
    canvas[top : top + large.shape[0], left : left + large.shape[1]] = large
    return canvas


def centre_of_mass(picture: Pixels) -> tuple[float, float]:
    places = np.arange(28)
    rows, columns = picture.sum(axis=1, dtype=np.float64), picture.sum(axis=0, dtype=np.float64)
    return float(np.average(places, weights=rows)), float(np.average(places, weights=columns))


def test_an_enlarged_and_shifted_digit_of_the_dataset_is_that_digit_again(digits: Pixels) -> None:
    for index, digit in enumerate(digits):
        canvas = drawn(digit, scale=3 + index % 11, top=index % 17, left=index % 13)
        fitted = fit_drawing(canvas)
        assert fitted is not None
        np.testing.assert_array_equal(fitted, digit)


def test_where_a_digit_is_drawn_does_not_matter(digits: Pixels) -> None:
    at_corner = fit_drawing(drawn(digits[3], scale=7, top=0, left=0))
    elsewhere = fit_drawing(drawn(digits[3], scale=7, top=131, left=97))
    assert at_corner is not None
    assert elsewhere is not None
    np.testing.assert_array_equal(at_corner, elsewhere)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 270), st.integers(0, 270), st.integers(4, 90), st.integers(4, 90), st.integers(60, 255)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_centre_of_mass_lies_at_the_centre_and_no_ink_is_lost(blots: list[tuple[int, int, int, int, int]]) -> None:
    canvas = np.zeros((280, 280), np.uint8)
    for top, left, height, width, grey in blots:
        canvas[top : top + height, left : left + width] = grey
    fitted = fit_drawing(canvas)
    assert fitted is not None
    rows, columns = np.flatnonzero(fitted.any(axis=1)), np.flatnonzero(fitted.any(axis=0))
    extent = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    assert max(extent) <= 20
    for centre, first, last in zip(centre_of_mass(fitted), (rows[0], columns[0]), (rows[-1], columns[-1]), strict=True):
        # Nearer to index 14 than half a pixel, unless the edge of the field stopped the shift.
        assert abs(centre - 14) <= 0.5 + 1e-6 or first == 0 or last == 27
    drawn_rows, drawn_columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    cell = max(np.ptp(drawn_rows) + 1, np.ptp(drawn_columns) + 1) / 20
    rounded = 0.5 * (np.count_nonzero(fitted) + 80)  # half a grey level a pixel, and the faint ones around the ink
    assert float(fitted.sum()) == pytest.approx(float(canvas.sum()) / cell**2, abs=rounded)


def test_the_aspect_ratio_of_a_thin_stroke_is_kept() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    canvas[40:240, 100:124] = 255  # 200 × 24 pixels: 20 × 2.4 in the box
    fitted = fit_drawing(canvas)
    assert fitted is not None
    assert float(fitted[14].sum()) / 255 == pytest.approx(2.4, abs=0.01)


def test_ink_at_one_end_pulls_no_ink_out_of_the_field() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    canvas[10:40, 10:270] = 255
    canvas[10:270, 10] = 40
    fitted = fit_drawing(canvas, box=28)
    assert fitted is not None
    assert fitted.any(axis=1).all()
    assert fitted.any(axis=0).all()


def test_an_empty_canvas_is_no_sample() -> None:
    assert fit_drawing(np.zeros((280, 280), np.uint8)) is None
    assert to_sample(None, info(1, 28, 28)) is None
    assert to_sample(np.zeros((280, 280), np.uint8), info(1, 28, 28)) is None


def test_other_sizes_keep_the_share_of_the_box() -> None:
    canvas = np.zeros((280, 280), np.uint8)
    canvas[50:150, 50:150] = 255
    fitted = fit_drawing(canvas, size=(56, 64))
    assert fitted is not None
    assert fitted.shape == (56, 64)
    assert fitted.any(axis=1).sum() == fitted.any(axis=0).sum() == 40


def test_a_picture_of_the_datasets_own_size_passes_bit_for_bit(digits: Pixels) -> None:
    shifted = np.roll(digits[0], 3, axis=1)  # fitting it would shift it back
    sample = to_sample(shifted, info(1, 28, 28))
    assert sample is not None
    np.testing.assert_array_equal(sample, shifted[np.newaxis])
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    sample = to_sample(colours, info(3, 32, 32, drawable=False))
    assert sample is not None
    np.testing.assert_array_equal(sample, colours.transpose(2, 0, 1))
    assert not np.shares_memory(sample, colours)


def test_a_natural_picture_is_averaged_over_areas() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    sample = to_sample(picture, info(3, 32, 32, drawable=False))
    assert sample is not None
    means = picture.reshape(32, 10, 32, 10, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert np.abs(sample - means).max() <= 0.5 + 1e-3


def test_areas_that_do_not_divide_evenly_keep_the_mean() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (281, 279), dtype=np.uint8)
    fitted = fit_picture(picture, size=(28, 28))
    assert float(fitted.mean()) == pytest.approx(float(picture.mean()), abs=0.5)


def test_channels_follow_the_dataset() -> None:
    grey = np.full((280, 280), 90, np.uint8)
    sample = to_sample(grey, info(3, 32, 32, drawable=False))
    assert sample is not None
    assert sample.shape == (3, 32, 32)
    assert (sample == 90).all()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (with_channels(red, 1) == 76).all()  # 0.299 × 255
    assert with_channels(grey, 1) is grey


def test_points_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="points") as caught:
        to_sample(np.ones((280, 280), np.uint8), info(2))
    assert caught.value.field == "dataset"


def test_dark_ink_on_light_paper_becomes_bright_on_black(digits: Pixels) -> None:
    paper = (210 - digits[5] * (180 / 255)).astype(np.uint8)
    ink = ink_of(paper)
    assert ink is not None
    assert np.abs(ink.astype(int) - digits[5]).max() <= 2


def test_bright_ink_on_black_is_left_as_it_is(digits: Pixels) -> None:
    bright = digits[digits.max(axis=(1, 2)) == 255]
    for digit in bright[:20]:
        ink = ink_of(digit)
        assert ink is not None
        np.testing.assert_array_equal(ink, digit)


def test_the_grain_of_the_paper_is_not_ink(digits: Pixels) -> None:
    grain = np.random.default_rng(0).normal(0, 4, (280, 280))
    photo = np.clip(180 - np.kron(digits[5], np.ones((10, 10))) * (130 / 255) + grain, 0, 255).astype(np.uint8)
    ink = ink_of(photo)
    assert ink is not None
    assert np.mean(ink[np.kron(digits[5], np.ones((10, 10))) == 0] > 0) < 0.02


def test_a_blank_sheet_holds_no_ink() -> None:
    assert ink_of(np.full((50, 50), 230, np.uint8)) is None
