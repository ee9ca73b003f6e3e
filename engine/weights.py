"""A copy of a network's parameters and buffers that can be brought back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Weights:
    """Attributes: `step`, `epoch`: after which the copy was taken."""

    def __init__(self, network: nn.Module, *, step: int = 0, epoch: int = 0) -> None:
        self._live: list[Tensor] = [*network.parameters(), *network.buffers()]
        self._copies = [tensor.detach().clone() for tensor in self._live]
        self.step, self.epoch = step, epoch

    @torch.no_grad()
    def keep(self, *, step: int, epoch: int) -> None:
        """Take the copy anew."""
        for copy, tensor in zip(self._copies, self._live, strict=True):
            copy.copy_(tensor)
        self.step, self.epoch = step, epoch

    @torch.no_grad()
    def restore(self) -> None:
        """Bring the copy back into the network."""
        for tensor, copy in zip(self._live, self._copies, strict=True):
            tensor.copy_(copy)
