"""Colour maps as look-up tables, and the limits they are drawn with. Pure numpy, no Qt.

A look-up table is uint8 (256, 4): red, green, blue and an alpha of 255.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gui.theme import Theme

Lut = NDArray[np.uint8]

# Levels of the diverging map: neither sign reaches those of what is no number and of lines between weights.
ZERO_LEVEL = 127
SIDE = 126  # steps to either side of zero
NAN_LEVEL = 0
LINE_LEVEL = 255

NICE_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # mantissas of limits
SHRINK_BELOW = 0.5  # of the old limit: less is needed before the limit comes down
SMALLEST_LIMIT, LARGEST_LIMIT = 1e-30, 1e30

# Björn Ottosson, "A perceptual color space for image processing" (2020): linear sRGB to LMS, cube root of LMS to OKLab.
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

# Every eighth entry of Stéfan van der Walt and Nathaniel Smith's viridis (CC0), and the last.
_VIRIDIS = (
    "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e "
    "21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b "
    "fde725"
)


def diverging(theme: Theme) -> Lut:
    """Weights: level 1 is the theme's `weight_negative`, 127 its panel colour, 253 its `weight_positive`.

    Between them colours go in equal perceived steps (straight lines in OKLab). Level 0 is for what is not a number, in
    the text colour, which no weight has; 255 for lines, in the border's colour. `diverging_levels` makes levels from
    values.
    """
    negative, zero, positive = (
        _to_oklab(_rgb(role)) for role in (theme.weight_negative, theme.panel, theme.weight_positive)
    )
    rising = np.linspace(0.0, 1.0, SIDE + 1)[:, None]
    lab = np.concatenate([negative + (zero - negative) * rising, zero + (positive - zero) * rising[1:]])
    lut = np.concatenate([_rgb(theme.text)[None], _from_oklab(lab), np.tile(_rgb(theme.border), (2, 1))])
    # The ends and the middle are the theme's own colours to the last bit.
    lut[[1, ZERO_LEVEL, 253]] = [_rgb(theme.weight_negative), _rgb(theme.panel), _rgb(theme.weight_positive)]
    return _with_alpha(lut)


def diverging_levels(values: NDArray[np.float32], limit: NDArray[np.float32] | float) -> NDArray[np.uint8]:
    """Levels of the diverging map: −limit is 1, 0 is 127, +limit is 253; beyond it is cut; NaN is 0.

    Args:
        values: any shape.
        limit: above 0, or 0 where all values are 0; a number, or an array that broadcasts against `values`.
    """
    scale = SIDE / np.maximum(limit, SMALLEST_LIMIT)
    with np.errstate(over="ignore"):  # what overflows is beyond the limit anyway
        levels = np.multiply(values, scale, dtype=np.float32)
    np.clip(levels, -SIDE, SIDE, out=levels)
    np.rint(levels, out=levels)
    levels += ZERO_LEVEL
    np.nan_to_num(levels, copy=False, nan=NAN_LEVEL)
    return levels.astype(np.uint8)


def viridis() -> Lut:
    """Activations: dark violet is low, yellow is high; at most two levels off the published table."""
    anchors = np.array([_rgb(word) for word in _VIRIDIS.split()], dtype=np.float64)
    places = np.append(np.arange(0, 249, 8), 255)
    return _with_alpha(np.stack([np.interp(np.arange(256), places, anchors[:, k]) for k in range(3)], axis=1))


def grey() -> Lut:
    """Images as they are: 0 is black, 255 is white."""
    return _with_alpha(np.repeat(np.arange(256.0)[:, None], 3, axis=1))


def packed(lut: Lut) -> NDArray[np.uint32]:
    """The table as 256 words 0xAARRGGBB, as QImage's 32-bit formats have them."""
    red, green, blue, alpha = lut.astype(np.uint32).T
    return np.asarray((alpha << 24) | (red << 16) | (green << 8) | blue)


def steady_limit(largest: float, previous: float | None) -> float:
    """A round limit that covers `largest` and changes seldom, so that a live picture does not flicker.

    It grows as soon as it must; it shrinks only when `largest` falls under half of it. Limits are 1, 1.5, 2, 3, 5 or 7
    times a power of ten.

    Args:
        largest: the largest magnitude to show, 0 or more. 0, NaN and infinity keep the previous limit.
        previous: the limit before, None at first.
    """
    if not math.isfinite(largest) or largest <= 0.0:
        return 1.0 if previous is None else previous
    largest = min(max(largest, SMALLEST_LIMIT), LARGEST_LIMIT)
    if previous is not None and previous * SHRINK_BELOW <= largest <= previous:
        return previous
    exponent = math.floor(math.log10(largest))
    return next(
        limit
        for power in (exponent, exponent + 1)
        for step in NICE_STEPS
        if (limit := float(f"{step}e{power}")) >= largest
    )


def _rgb(colour: str) -> NDArray[np.float64]:
    """`#RRGGBB` as three numbers in 0 … 255."""
    return np.array([float(byte) for byte in bytes.fromhex(colour.removeprefix("#"))])


def _with_alpha(rgb: NDArray[np.float64]) -> Lut:
    alpha = np.full((len(rgb), 1), 255.0)
    return np.concatenate([np.clip(np.rint(rgb), 0, 255), alpha], axis=1).astype(np.uint8)


def _to_oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T)


def _from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0.0, 1.0)
    return np.asarray(255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))
