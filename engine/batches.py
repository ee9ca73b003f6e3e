"""One split of a dataset, prepared and resident on the device: a batch is one index_select."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.assembly import Assembly
from engine.datasets.data import Samples
from engine.datasets.prepare import to_inputs

Batch = tuple[Tensor, Tensor, Tensor | None]
"""Inputs float32 (B, *input shape), targets as the loss encodes them, class numbers int64 (B,) or None."""


class Batches:
    """Prepared samples.

    Args:
        samples: uint8 images or float32 points with their targets.
        parts: decides the shape of an input and how targets are encoded.
        device: where all of it is kept.
        channels_last: images are laid out (N, H, W, C) in memory.
    """

    def __init__(self, samples: Samples, parts: Assembly, device: torch.device, *, channels_last: bool) -> None:
        inputs = to_inputs(samples.inputs, parts.info, parts.input_shape)
        self._last = channels_last and inputs.dim() == 4
        # Rows are contiguous whatever the layout, so that taking some of them copies whole stretches of memory.
        if self._last:
            inputs = inputs.permute(0, 2, 3, 1).contiguous()
        self._inputs = inputs.to(device)
        self._targets = parts.loss.encode(samples.targets).to(device)
        self.labels = samples.targets.to(device) if parts.info.classes else None

    def __len__(self) -> int:
        return len(self._inputs)

    def take(self, index: Tensor) -> Batch:
        """The samples whose numbers are in `index`, int64 (B,)."""
        targets = self._targets.index_select(0, index)
        labels = self.labels
        if labels is not None:
            labels = targets if labels is self._targets else labels.index_select(0, index)
        return self._shaped(self._inputs.index_select(0, index)), targets, labels

    def slice(self, start: int, end: int) -> Batch:
        """Samples `start` … `end` − 1 in their own order."""
        labels = None if self.labels is None else self.labels[start:end]
        return self._shaped(self._inputs[start:end]), self._targets[start:end], labels

    def _shaped(self, inputs: Tensor) -> Tensor:
        return inputs.permute(0, 3, 1, 2) if self._last else inputs
