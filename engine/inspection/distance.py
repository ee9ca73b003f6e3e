"""Feature distance: how far apart two inputs are for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo

if TYPE_CHECKING:
    from engine.live import LiveNetwork

Sample = NDArray[Any]

SLIGHT_NOISE = 0.05  # standard deviation, as a share of a pixel's full range
CHANGE_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """Mean squared errors between what a network, or one of its layers, gives for the first input and for others.

    Attributes:
        same: to the same input again: exactly 0.
        slight: to the slightly changed first input.
        other: to quite another one.
        second: to the second input.
        values: how many numbers each mean is of.
    """

    same: float
    slight: float
    other: float
    second: float
    values: int


def distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The mean squared error between two arrays of one shape, in float64: mean((a − b)²). 0 for empty ones."""
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} and {other.shape} cannot be compared")
    if not one.size:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # features of a network that diverged
        return float(np.mean(np.square(one.astype(np.float64) - other.astype(np.float64))))


def distances(
    network: LiveNetwork, *, first: Sample, second: Sample, slight: Sample, other: Sample, layer: str | None = None
) -> Distances:
    """Distances under the weights of one moment.

    Args:
        network: asked once, so that all answers belong to the same step.
        first, second, slight, other: samples as the dataset has them: uint8 or float32 (C, H, W), or float32 (F,).
        layer: see `LiveNetwork.features`.

    Raises InputError for a layer that there is not.
    """
    return _from_first(network.features(np.stack([first, first, slight, other, second]), layer))


def input_distances(network: LiveNetwork, *, first: Sample, second: Sample, slight: Sample, other: Sample) -> Distances:
    """The same between the inputs themselves, as `network` receives them: scaled, padded and normalised."""
    import torch

    from engine.datasets.prepare import to_inputs

    samples = torch.from_numpy(np.stack([first, first, slight, other, second]))
    return _from_first(to_inputs(samples, network.info, network.input_shape).flatten(1).numpy())


def _from_first(found: NDArray[np.float32]) -> Distances:
    """Of five rows: the first input, the same again, the slight change, the other and the second input."""
    same, slight, other, second = (distance(found[0], row) for row in found[1:])
    return Distances(same=same, slight=slight, other=other, second=second, values=found.shape[1])


def random_sample(info: DatasetInfo, *, seed: int) -> Sample:
    """An input without any meaning, in the form of the dataset's own, which follows from `seed` alone.

    Images: every pixel uniform in 0 … 255, uint8 (C, H, W). Raw images and points: float32, normal, with the mean and
    the standard deviation that the dataset says it has.
    """
    generator = np.random.default_rng(seed)
    if info.is_image and not info.raw:
        return generator.integers(0, 256, info.shape, dtype=np.uint8)
    across = (-1,) + (1,) * (len(info.shape) - 1)
    mean, std = np.reshape(info.mean, across), np.reshape(info.std, across)
    values: Sample = (generator.standard_normal(info.shape) * std + mean).astype(np.float32)
    return values


def changed(sample: Sample, *, noise: float = SLIGHT_NOISE, right: int = 0, down: int = 0) -> Sample:
    """A changed copy of `sample`, always the same for the same change.

    Args:
        sample: uint8 or float32 (C, H, W), or float32 (F,).
        noise: standard deviation of what is added to every value: a share of a uint8 pixel's full range; of the largest
            magnitude in a float32 sample, or of 1 where that is 0. 0 adds nothing.
        right, down: pixels that an image is moved by; black, 0, comes in. Points are not moved.
    """
    moved = _moved(sample, right=right, down=down) if sample.ndim == 3 else sample
    drawn = np.random.default_rng(CHANGE_SEED).standard_normal(sample.shape)
    if sample.dtype == np.uint8:
        return np.clip(np.rint(moved + 255 * noise * drawn), 0, 255).astype(np.uint8)
    scale = float(np.abs(sample).max(initial=0.0)) or 1.0
    values: Sample = (moved + scale * noise * drawn).astype(np.float32)
    return values


def _moved(image: Sample, *, right: int, down: int) -> Sample:
    height, width = image.shape[1:]
    result = np.zeros_like(image)
    rows, columns = max(height - abs(down), 0), max(width - abs(right), 0)
    if rows and columns:
        top, left = max(down, 0), max(right, 0)
        from_top, from_left = max(-down, 0), max(-right, 0)
        result[:, top : top + rows, left : left + columns] = image[
            :, from_top : from_top + rows, from_left : from_left + columns
        ]
    return result
