"""Fully connected networks."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping

from torch import nn

from engine.networks.network import Shape

ACTIVATION_MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
}


class MLP(nn.Sequential):
    """Multilayer perceptron: flatten, then `fc1`, activation, dropout, `fc2`, … The last layer has no activation.

    Args:
        shape: of one input, without the batch.
        outputs: number of logits.
        hidden: units in each hidden layer; empty is one linear layer, with cross entropy a softmax regression.
        activation: a name in `ACTIVATION_MODULES`.
        dropout: probability that a hidden unit is zeroed in training, 0 … 1; at 0 there is no such layer.

    Input: float32 (N, *shape).
    Output: float32 (N, outputs).
    """

    def __init__(self, shape: Shape, outputs: int, *, hidden: tuple[int, ...], activation: str, dropout: float) -> None:
        units = math.prod(shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())  # (N, *shape) to (N, units)
        for number, wider in enumerate(hidden, start=1):
            layers[f"fc{number}"] = nn.Linear(units, wider)  # (N, hidden[number - 1])
            layers[f"{activation}{number}"] = ACTIVATION_MODULES[activation]()
            if dropout:
                layers[f"dropout{number}"] = nn.Dropout(dropout)
            units = wider
        layers[f"fc{len(hidden) + 1}"] = nn.Linear(units, outputs)  # (N, outputs)
        super().__init__(layers)
