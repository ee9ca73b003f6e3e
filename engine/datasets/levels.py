"""Images of any range as grey levels to look at. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grey_levels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Every image by its own largest value: 0 and less become black, the largest value white.

    Args:
        images: float (…, C, H, W), finite. An image without a value above 0 is black.

    Returns uint8 of the same shape.
    """
    values = np.maximum(images, 0).astype(np.float64)
    largest = values.max(axis=(-3, -2, -1), keepdims=True, initial=0)
    levels: NDArray[np.uint8] = np.rint(values * (255 / np.where(largest > 0, largest, 1))).astype(np.uint8)
    return levels
