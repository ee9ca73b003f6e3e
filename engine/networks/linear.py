"""The linear model."""

from __future__ import annotations

import torch
from torch import nn

from engine.networks.network import Shape


def linear(shape: Shape, outputs: int, *, bias: bool, initial: str) -> nn.Linear:
    """w·x + b as one nn.Linear, with the parameters `weight` (outputs, F) and `bias` (outputs,).

    Args:
        shape: (F,).
        outputs: values it computes.
        initial: `torch` leaves PyTorch's draw; `normal` and `uniform` draw w as randn(F, outputs) or rand(F, outputs),
            the first numbers of torch's generator, as tutorials do; `zeros` draws nothing. b is 0 in all three.

    Input: float32 (N, F).
    Output: float32 (N, outputs).
    """
    (features,) = shape
    if initial == "torch":
        return nn.Linear(features, outputs, bias=bias)
    layer = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        nn.Linear, features, outputs, bias=bias, device=torch.get_default_device()
    )
    draw = {"normal": torch.randn, "uniform": torch.rand, "zeros": torch.zeros}[initial]
    with torch.no_grad():
        layer.weight.copy_(draw(features, outputs).T)
        if bias:
            layer.bias.zero_()
    assert isinstance(layer, nn.Linear)
    return layer
