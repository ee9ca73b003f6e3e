"""Training samples as an augmentation shows them to the network, to be looked at. Imports no torch by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.augmentation import augmentation_of
from engine.datasets.data import Dataset, DatasetInfo
from engine.datasets.levels import grey_levels
from engine.datasets.prepare import to_inputs
from engine.datasets.preview import MOST_POINTS, first_images
from engine.networks import NETWORKS

if TYPE_CHECKING:
    from torch import Tensor

    from engine.config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AugmentedSamples:
    """Owned arrays that cannot be written to.

    Attributes:
        pictures: uint8 (n, H, W) grey or (n, H, W, 3) colour, the first training image of every class, of the size that
            the network gets; n is 0 where samples are not images.
        points: float32 (m, 2), the first two features of the first training points, in the dataset's own units; m is 0
            for images.
    """

    pictures: NDArray[np.uint8]
    points: NDArray[np.float32]


def augmented_samples(dataset: Dataset, config: RunConfig, *, step: int = 0) -> AugmentedSamples | None:
    """What `config`'s augmentation makes of the first training samples; None where it has none.

    Args:
        dataset: that of `config`, loaded.
        step: for which it is drawn; another one shows the same samples changed in another way.
    """
    import torch

    info, choice = dataset.info, config.augmentation
    augment = augmentation_of(choice.name, choice.params, info, seed=config.training.seed)
    if augment is None:
        return None
    chosen = torch.from_numpy(first_images(dataset, 1)) if info.is_image else torch.arange(MOST_POINTS)
    chosen = chosen[chosen < len(dataset.train)]
    input_shape = NETWORKS[config.network.name].fit(info, config.network.params)
    changed = augment(to_inputs(dataset.train.inputs[chosen], info, input_shape), step)
    values = _as_stored(changed, info).numpy()
    pictures, points = np.empty((0, 0, 0), np.uint8), np.zeros((0, 2), np.float32)
    if info.is_image:
        levels = grey_levels(values) if info.raw else np.rint(values * 255).clip(0, 255).astype(np.uint8)
        pictures = levels[:, 0] if levels.shape[1] == 1 else np.moveaxis(levels, 1, -1)
    else:
        points = np.zeros((len(values), 2), np.float32)
        points[:, : values.shape[1]] = values[:, :2]
    return AugmentedSamples(pictures=_locked(pictures), points=_locked(points))


def _as_stored(inputs: Tensor, info: DatasetInfo) -> Tensor:
    """Normalised inputs in the units that they had before."""
    import torch

    across = (-1,) + (1,) * (inputs.dim() - 2)
    return inputs * torch.tensor(info.std).reshape(across) + torch.tensor(info.mean).reshape(across)


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
