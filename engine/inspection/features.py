"""What a network, or one of its layers, gives for some inputs."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from engine.errors import InputError


def features(network: nn.Module, inputs: Tensor, layer: str | None = None) -> Tensor:
    """The outputs of `network`, or of its module `layer`, float32 (N, values) on the CPU.

    The inputs go through one at a time: two that are equal give the same values to the last bit, wherever they stand.
    Nothing is recorded for gradients. A module that runs several times in one pass tells its last result. The caller
    sets the mode, and sees to it that no one else runs or changes the network meanwhile.

    Args:
        network: any module that takes one tensor.
        inputs: float (N, *input shape), N at least 1, on the network's device.
        layer: the path of a module in it, such as `conv1`; None or empty for the network's own outputs.

    Raises InputError("layer", …) where there is no such module, or it is not reached or gives no tensor.
    """
    modules = dict(network.named_modules())
    if layer and layer not in modules:
        raise InputError(
            "layer", f"the network has no layer {layer!r}", "known are " + ", ".join(filter(None, modules))
        )
    found: list[Tensor | None] = []

    def take(_module: nn.Module, _inputs: object, output: object) -> None:
        # A copy: an activation that works in place would write over it.
        found.append(output.detach().clone() if isinstance(output, Tensor) else None)

    rows = []
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        handle = modules[layer or ""].register_forward_hook(take)
        stack.callback(handle.remove)
        for place in range(len(inputs)):
            found.clear()
            network(inputs[place : place + 1].clone())
            output = found[-1] if found else None
            if output is None:
                raise InputError("layer", f"{layer or 'the network'} gives no tensor for an input", "another layer")
            rows.append(output.float().cpu().flatten())
    return torch.stack(rows)
