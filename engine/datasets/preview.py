"""What a dataset shows of itself before training, as plain arrays. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import Dataset, DatasetInfo, Samples
from engine.datasets.levels import grey_levels

if TYPE_CHECKING:
    from torch import Tensor

MOST_POINTS = 2_000
_PIECE_IMAGES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetPreview:
    """Owned arrays that cannot be written to.

    Attributes:
        info: of the dataset.
        counts: int64 (3, classes), samples of each class in training, validation and test; (3, 0) in regression.
        thumbnails: uint8 (n, H, W) grey or (n, H, W, 3) colour, the first training images of every class, class by
            class; n is 0 where samples are not images. Of raw images the first that are not black, each scaled by its
            own largest value.
        thumbnail_labels: int64 (n,), their class numbers, ascending.
        mean_image: float32 (H, W) or (H, W, 3) in 0 … 255, the mean of the training images, of raw ones scaled by its
            largest value; (0, 0) where samples are not images.
        points: float32 (m, 2), the first two features of the first training points, at most 2,000; m is 0 for images.
        point_labels: int64 (m,), their class numbers; −1 in regression.
    """

    info: DatasetInfo
    counts: NDArray[np.int64]
    thumbnails: NDArray[np.uint8]
    thumbnail_labels: NDArray[np.int64]
    mean_image: NDArray[np.float32]
    points: NDArray[np.float32]
    point_labels: NDArray[np.int64]


def make_preview(dataset: Dataset, *, per_class: int = 6) -> DatasetPreview:
    """The preview of a loaded dataset, with up to `per_class` thumbnails of each class (of all in regression)."""
    info, train = dataset.info, dataset.train
    labels = _labels(dataset)
    thumbnails = np.empty((0, 0, 0), dtype=np.uint8)
    thumbnail_labels = np.empty(0, dtype=np.int64)
    mean_image = np.empty((0, 0), dtype=np.float32)
    points = np.empty((0, 2), dtype=np.float32)
    point_labels = np.empty(0, dtype=np.int64)
    if info.is_image:
        chosen = first_images(dataset, per_class)
        thumbnail_labels = labels[chosen]
        images, mean = _owned(train.inputs[chosen]), _mean_image(train)
        thumbnails = _picture(grey_levels(images) if info.raw else images)
        mean_image = _picture(grey_levels(mean).astype(np.float32) if info.raw else mean)
    else:
        point_labels = labels[:MOST_POINTS].copy()
        flat = _owned(train.inputs[:MOST_POINTS]).astype(np.float32)
        points = np.zeros((len(flat), 2), dtype=np.float32)
        points[:, : flat.shape[1]] = flat[:, :2]
    return DatasetPreview(
        info=info,
        counts=_locked(np.stack([_counts(split, info) for split in (train, dataset.validation, dataset.test)])),
        thumbnails=_locked(thumbnails),
        thumbnail_labels=_locked(thumbnail_labels),
        mean_image=_locked(mean_image),
        points=_locked(points),
        point_labels=_locked(point_labels),
    )


def first_images(dataset: Dataset, per_class: int) -> NDArray[np.int64]:
    """Numbers of the first `per_class` training images of every class, class by class; of raw ones black ones last."""
    train = dataset.train
    return _first_of_each(_labels(dataset), per_class, _order(train) if dataset.info.raw else np.arange(len(train)))


def picture_of_test(dataset: Dataset, number: int) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Test image `number`, counted round, (H, W) grey or (H, W, 3) colour: uint8, or float32 as it is where raw."""
    return _locked(_picture(_owned(dataset.test.inputs[number % len(dataset.test)])))


def _labels(dataset: Dataset) -> NDArray[np.int64]:
    """Class numbers of the training samples; −1 in regression."""
    train = dataset.train
    return _owned(train.targets) if dataset.info.classes else np.full(len(train), -1, dtype=np.int64)


def _owned(tensor: Tensor) -> NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy())


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def _counts(samples: Samples, info: DatasetInfo) -> NDArray[np.int64]:
    if not info.classes:
        return np.empty(0, dtype=np.int64)
    return np.bincount(_owned(samples.targets), minlength=len(info.classes)).astype(np.int64)


def _order(samples: Samples) -> NDArray[np.int64]:
    """The samples' numbers, those of black images after all others."""
    black = _owned((samples.inputs <= 0).flatten(start_dim=1).all(dim=1))
    return np.argsort(black, kind="stable")


def _first_of_each(labels: NDArray[np.int64], most: int, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first `most` samples of each class in `order`, class by class."""
    return np.concatenate(
        [np.empty(0, dtype=np.int64), *(order[labels[order] == label][:most] for label in np.unique(labels))]
    )


def _picture(channels_first: NDArray[Any]) -> NDArray[Any]:
    """(…, C, H, W) to (…, H, W) for one channel and (…, H, W, C) for several."""
    if channels_first.shape[-3] == 1:
        return channels_first[..., 0, :, :]
    return np.moveaxis(channels_first, -3, -1)


def _mean_image(samples: Samples) -> NDArray[np.float32]:
    import torch

    # Integer sums are exact; a piece at a time they stay in the cache, which is 20 times as fast as all at once.
    whole = samples.inputs.dtype == torch.uint8
    total = torch.zeros(samples.inputs.shape[1:], dtype=torch.int64 if whole else torch.float64)
    for piece in torch.split(samples.inputs, _PIECE_IMAGES):
        total += piece.sum(dim=0, dtype=torch.int32 if whole else torch.float64)
    return _owned(total.to(torch.float64) / max(1, len(samples))).astype(np.float32)
