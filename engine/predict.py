"""From a drawing or a picture to the pixels that a dataset's network receives. Imports no torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo
from engine.errors import InputError

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

_BOX_SHARE = 20 / 28  # MNIST: digits fill a 20×20 box in a field of 28×28
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as grey is commonly made of RGB
_LEAST_CONTRAST = 24  # grey levels between paper and ink below which a picture counts as blank


def to_sample(picture: Pixels | Values | None, info: DatasetInfo) -> Pixels | Values | None:
    """The sample that a network for `info` receives for `picture`.

    Args:
        picture: uint8 or float32, (H, W) or (H, W, 3); None is an empty canvas. A picture of the dataset's own height
            and width is a sample already and passes bit for bit. Others are fitted as the dataset was made: strokes by
            `fit_drawing`, anything else by `fit_picture`. Values of a float picture are grey levels, rounded and kept
            within 0 … 255, wherever the dataset's samples are not raw.

    Returns uint8 (C, H, W), or float32 where samples are raw, in the dataset's shape, owned by the caller, or None
    where nothing is drawn. Raises InputError where the dataset holds no images.
    """
    if not info.is_image:
        raise InputError(
            "dataset", f"{info.label} holds points, not pictures, so nothing can be drawn", "an image dataset"
        )
    if picture is None:
        return None
    channels, height, width = info.shape
    own_size = picture.shape[:2] == (height, width)
    if info.raw and own_size:
        values = picture.astype(np.float32)
        if values.ndim == 2:
            return np.repeat(values[np.newaxis], channels, axis=0)
        if values.shape[2] == channels:
            return values.transpose(2, 0, 1).copy()
    pixels = _as_pixels(picture)
    if own_size:
        fitted: Pixels | None = pixels
    elif info.drawable:
        fitted = fit_drawing(with_channels(pixels, 1), size=(height, width))
    else:
        fitted = fit_picture(pixels, size=(height, width))
    if fitted is None:
        return None
    fitted = with_channels(fitted, channels)
    planes = fitted[np.newaxis] if fitted.ndim == 2 else fitted.transpose(2, 0, 1)
    return np.array(planes, dtype=np.float32, order="C") if info.raw else planes.copy()


def _as_pixels(picture: Pixels | Values) -> Pixels:
    """Grey levels, uint8, of values of either kind."""
    pixels: Pixels = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    return pixels


def fit_drawing(raster: Pixels, *, size: tuple[int, int] = (28, 28), box: int | None = None) -> Pixels | None:
    """Bright strokes on black, fitted as MNIST's images are.

    "The original black and white images were size normalized to fit in a 20x20 pixel box while preserving their aspect
    ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used by the normalization
    algorithm. The images were centered in a 28x28 image by computing the center of mass of the pixels, and translating
    the image so as to position this point at the center of the 28x28 field." (LeCun, Cortes and Burges, THE MNIST
    DATABASE.) The published images say what that means in pixels: the larger side of the ink is exactly 20 in 59,987 of
    the 60,000, and the centre of mass lies between 13.48 and 14.50 in pixel indices, evenly, with means of 14.00 and
    14.01. So they were shifted by whole pixels to bring it nearest to index 14, half of 28, and so does this.

    Args:
        raster: uint8 (H, W), 0 where there is no ink.
        size: height and width of the result.
        box: pixels of the longer side of the ink; by default 20/28 of the shorter side of `size`.

    Returns uint8 of `size`, or None where there is no ink. Ink is never cut off by the shift.
    """
    rows, columns = np.flatnonzero(raster.any(axis=1)), np.flatnonzero(raster.any(axis=0))
    if not len(rows):
        return None
    box = min(box or max(round(min(size) * _BOX_SHARE), 1), *size)
    ink = raster[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    cell = max(ink.shape) / box  # one length for both axes keeps the aspect ratio exact
    counts = [math.ceil(side / cell - 1e-6) for side in ink.shape]
    down, across = (_area_weights(side, cell=cell, count=count) for side, count in zip(ink.shape, counts, strict=True))
    small = np.rint(down @ ink @ across.T)
    mass = float(small.sum())
    if not mass:  # specks too faint or too thin to leave a grey level
        return None
    top, left = (
        min(max(round(field // 2 - float(profile @ np.arange(count)) / mass), 0), field - count)
        for field, count, profile in zip(size, counts, (small.sum(axis=1), small.sum(axis=0)), strict=True)
    )
    fitted = np.zeros(size, dtype=np.uint8)
    fitted[top : top + counts[0], left : left + counts[1]] = small
    return fitted


def fit_picture(picture: Pixels, *, size: tuple[int, int]) -> Pixels:
    """The whole picture, uint8 (H, W) or (H, W, 3), averaged over areas to `size` (height, width)."""
    down, across = (
        _area_weights(side, cell=side / count, count=count) for side, count in zip(picture.shape[:2], size, strict=True)
    )
    planes = picture[..., np.newaxis] if picture.ndim == 2 else picture
    fitted = np.empty((*size, planes.shape[2]), dtype=np.uint8)
    for channel in range(planes.shape[2]):
        fitted[..., channel] = np.rint(down @ planes[..., channel].astype(np.float32) @ across.T)
    return fitted[..., 0] if picture.ndim == 2 else fitted


def with_channels(picture: Pixels, channels: int) -> Pixels:
    """`picture`, uint8 (H, W) or (H, W, K), as (H, W) for one channel and (H, W, channels) for more.

    Grey is repeated; colours are weighted into grey. A picture that fits already is returned as it is.
    """
    if picture.ndim == 3 and picture.shape[2] != channels:
        weights = _LUMA if picture.shape[2] == 3 else np.full(picture.shape[2], 1 / picture.shape[2], np.float32)
        picture = np.rint(picture.astype(np.float32) @ weights).astype(np.uint8)
    if picture.ndim == 3:
        return picture[..., 0] if channels == 1 else picture
    return picture if channels == 1 else np.repeat(picture[..., np.newaxis], channels, axis=2)


def ink_of(grey: Pixels) -> Pixels | None:
    """Bright ink on black from a picture of a drawing: a scan, a photo, a sample saved as a file.

    The border tells the paper: where it is brighter than the middle of the range, the ink is dark and the picture is
    inverted. The paper becomes 0 with its unevenness, as far as the border shows it, and the strongest ink 255. A
    clean image of bright ink on black comes back unchanged.

    Args:
        grey: uint8 (H, W).

    Returns uint8 (H, W), or None where nothing stands out from the paper.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).astype(np.float32)
    darkest, brightest = float(grey.min()), float(grey.max())
    if brightest - darkest < _LEAST_CONTRAST:
        return None
    levels = grey.astype(np.float32)
    paper = float(np.median(border))
    if paper > (darkest + brightest) / 2:
        levels, border, paper, brightest = 255 - levels, 255 - border, 255 - paper, 255 - darkest
    # The tenth of the border that deviates most may be ink that runs off the picture; the rest is paper.
    unevenness = 2 * float(np.quantile(np.abs(border - paper), 0.9))
    floor = paper + min(unevenness, (brightest - paper) / 2)
    ink: Pixels = np.rint(np.clip((levels - floor) * (255 / (brightest - floor)), 0, 255)).astype(np.uint8)
    return ink


def _area_weights(side: int, *, cell: float, count: int) -> NDArray[np.float32]:
    """float32 (count, side): the share of each of `side` pixels in `count` cells of `cell` pixels, centred on them."""
    edges = (side - count * cell) / 2 + cell * np.arange(count + 1)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: NDArray[np.float32] = (np.clip(overlap, 0, None) / cell).astype(np.float32)
    return weights
