"""From a RunConfig's names to the things themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.config import RunConfig
from engine.datasets.data import DatasetInfo
from engine.eager import leave_compiler_out
from engine.errors import InputError
from engine.inspection.private_random import PrivateRandom
from engine.inspection.shapes import LayerTable, describe
from engine.losses import LOSSES, Loss
from engine.networks import NETWORKS


@dataclass(frozen=True, slots=True)
class Assembly:
    """An untrained network and what it was built for. `input_shape` is that of one input, (C, H, W) or (F,).

    `random` is the state of torch's generator for the CPU after the parameters were drawn, which a run goes on from.
    """

    network: nn.Module
    info: DatasetInfo
    input_shape: tuple[int, ...]
    loss: Loss
    random: Tensor | None = None


def assemble(config: RunConfig, *, aside: bool = False) -> Assembly:
    """The network of `config` on the CPU with its initial parameters, which follow from the seed alone.

    Args:
        aside: leave torch's global generator as it is, as has to be beside a run that draws from it; else it is seeded,
            and a run goes on to draw from it. The parameters are the same.

    Raises InputError where the parts do not fit or `initial_parameters` do not match.
    """
    leave_compiler_out()  # whoever makes an optimizer has made its network first
    info = config.dataset_info()
    entry, loss_entry = NETWORKS[config.network.name], LOSSES[config.loss.name]
    input_shape = entry.fit(info, config.network.params)
    seed = config.training.seed
    drawing: PrivateRandom | None = None
    if aside:
        drawing = PrivateRandom(torch.device("cpu"), {"cpu": torch.Generator().manual_seed(seed).get_state()})
    else:
        torch.manual_seed(seed)
    with drawing or contextlib.nullcontext():
        network = entry.build(input_shape, loss_entry.outputs(info), config.network.params)
    random = torch.get_rng_state() if drawing is None else drawing.state["cpu"]
    if config.initial_parameters is not None:
        set_parameters(network, config.initial_parameters)
    return Assembly(network, info, input_shape, loss_entry.build(config.loss.params, info), random)


def describe_network(config: RunConfig) -> LayerTable:
    """The layer table of `config`'s network; nothing is computed and torch's random state stays as it is."""
    info = config.dataset_info()
    return describe(NETWORKS[config.network.name], info, LOSSES[config.loss.name].outputs(info), config.network.params)


@torch.no_grad()
def set_parameters(network: nn.Module, values: Mapping[str, object]) -> None:
    """Overwrite the named parameters with nested lists of numbers. Raises InputError for names or sizes that differ."""
    parameters = dict(network.named_parameters())
    for name, value in values.items():
        field = f"initial_parameters.{name}"
        if name not in parameters:
            raise InputError(field, "the network has no such parameter", "known are " + ", ".join(parameters))
        try:
            tensor = torch.tensor(value, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise InputError(field, "is not a nested list of numbers") from None
        if not torch.isfinite(tensor).all():
            raise InputError(field, "has values that are not finite", "finite numbers")
        if tensor.shape != parameters[name].shape:
            raise InputError(
                field, f"has the shape {tuple(tensor.shape)}", f"it must be {tuple(parameters[name].shape)}"
            )
        parameters[name].copy_(tensor)
