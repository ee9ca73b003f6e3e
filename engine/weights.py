"""A copy of a network's parameters and buffers that can be brought back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def named_tensors(network: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers by name, shared ones once, those a `state_dict` leaves out too."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


class Weights:
    """Attributes: `step`, `epoch`: after which the copy was taken."""

    def __init__(self, network: nn.Module, *, step: int = 0, epoch: int = 0) -> None:
        named = named_tensors(network)
        self._names: list[str] = list(named)
        self._live: list[Tensor] = list(named.values())
        self._copies = [tensor.detach().clone() for tensor in self._live]
        self._frozen: Mapping[str, Tensor] | None = None
        self.step, self.epoch = step, epoch

    @torch.no_grad()
    def keep(self, *, step: int, epoch: int) -> None:
        """Take the copy anew."""
        for copy, tensor in zip(self._copies, self._live, strict=True):
            copy.copy_(tensor)
        self._frozen = None
        self.step, self.epoch = step, epoch

    @torch.no_grad()
    def restore(self) -> None:
        """Bring the copy back into the network."""
        for tensor, copy in zip(self._live, self._copies, strict=True):
            tensor.copy_(copy)

    def frozen(self) -> Mapping[str, Tensor]:
        """The copy by name, on the CPU: the same one until another is taken, which does not change it."""
        if self._frozen is None:
            copies = (tensor.to("cpu", copy=True) for tensor in self._copies)
            self._frozen = dict(zip(self._names, copies, strict=True))
        return self._frozen

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], *, step: int, epoch: int) -> None:
        """Take over a copy that was taken elsewhere, of the same names and shapes."""
        for name, copy in zip(self._names, self._copies, strict=True):
            copy.copy_(tensors[name])
        self._frozen = None
        self.step, self.epoch = step, epoch
