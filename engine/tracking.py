"""Parameters and gradients of networks so small that every step can tell them all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_VALUES = 16  # a network with more tells none

Values = tuple[float, ...]


class Tracked:
    """Reads a small network's parameters and gradients as plain numbers.

    Attributes:
        names: one a value, in the order of declaration: `bias`, or `weight[0]`, `weight[1]` … where a parameter has
            several values. Empty where the network has more than `MOST_VALUES`.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = dict(network.named_parameters())
        few = sum(parameter.numel() for parameter in parameters.values()) <= MOST_VALUES
        self._parameters: tuple[nn.Parameter, ...] = tuple(parameters.values()) if few else ()
        self.names: tuple[str, ...] = tuple(
            name if parameter.numel() == 1 else f"{name}[{number}]"
            for name, parameter in (parameters.items() if few else ())
            for number in range(parameter.numel())
        )

    def parameters(self) -> Values:
        """In the order of `names`."""
        return _flat([parameter.detach() for parameter in self._parameters])

    def gradients(self) -> Values:
        """In the order of `names`; a parameter without a gradient has zeros."""
        return _flat(
            [torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in self._parameters],
        )


def _flat(tensors: list[Tensor]) -> Values:
    return tuple(value for tensor in tensors for value in tensor.flatten().tolist())
