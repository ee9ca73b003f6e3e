"""What a dataset is: its facts before loading, its tensors after."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalog import Entry, Params
from engine.events import Preparing

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What is known of a dataset before it is loaded.

    Attributes:
        shape: of one sample: (C, H, W) for images, (F,) for points.
        classes: their names; empty in regression.
        targets: values a sample's target has in regression; 1 in classification.
        mean, std: a channel, of pixel values scaled to 0 … 1; inputs become (x − mean) / std. Points: a feature.
        train_size, validation_size, test_size: samples in each split.
        drawable: a person can draw a sample as bright strokes on black.
        raw: samples are float32 images of any range, which are not scaled to 0 … 1 before (x − mean) / std.
    """

    name: str
    label: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    targets: int = 1
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_size: int
    validation_size: int
    test_size: int
    drawable: bool = False
    raw: bool = False

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3


@dataclass(frozen=True, slots=True)
class Samples:
    """One split. Inputs: uint8 (N, C, H, W) images, float32 (N, C, H, W) where they are raw, or float32 (N, F) points.

    Targets: int64 (N,) class numbers, or float32 (N, K) values.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A loaded dataset. `validation` is empty (length 0) where no share was set aside."""

    info: DatasetInfo
    train: Samples
    validation: Samples
    test: Samples


Loading = Generator[Preparing, None, Dataset]
"""Yields progress and returns the dataset. Closing it cancels; what was half written is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry(Entry):
    """`info` answers at once and without torch; `load` may download. Both may raise InputError."""

    info: Callable[[Params], DatasetInfo]
    load: Callable[[Params], Loading]
