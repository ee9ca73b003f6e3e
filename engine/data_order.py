"""The order in which a run sees its training samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from engine.config import Training


def data_order(size: int, *, seed: int, epoch: int) -> Tensor:
    """The shuffled order of the training samples in an epoch, int64 (size,): it depends on seed and epoch alone."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))


def order_of(training: Training, size: int, *, epoch: int) -> Tensor:
    """The order that a run takes in an epoch, shuffled or not, int64 (size,)."""
    return data_order(size, seed=training.seed, epoch=epoch) if training.shuffle else torch.arange(size)
