"""What every layer of a network makes of one input. Importing this imports no torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.live import LiveNetwork

MAPS = 256  # feature maps of one layer at most: more are too small to see
VALUES = 2**18  # of one layer at most: 1 MiB

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerActivations:
    """What one layer gave for one input.

    Attributes:
        name: the module's path in the network, with the number of the pass where a module runs several times:
            `relu`, `relu (2)`. The network's class where it is a single layer.
        kind: the module's class, `Conv2d`.
        shape: of the whole output, without the batch.
        values: float32 (maps, H, W) for maps, else (units,); owned and not writeable. The first of them where there
            are more than `MAPS` or `VALUES`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    values: Floats

    @property
    def is_maps(self) -> bool:
        return self.values.ndim == 3

    @property
    def is_part(self) -> bool:
        """Whether not every map or unit is in `values`."""
        whole = self.shape[0] if self.is_maps else int(np.prod(self.shape))
        return len(self.values) != whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activations:
    """One forward pass, layer by layer.

    Attributes:
        sample: the input as the dataset has it.
        layers: in the order in which the forward pass finishes them.
        answer: float32 (classes,), probabilities; in regression the outputs themselves, (targets,).
        spent: seconds of processor time that it took.
    """

    sample: NDArray[Any]
    layers: tuple[LayerActivations, ...]
    answer: Floats
    spent: float


def activations(live: LiveNetwork, sample: NDArray[Any]) -> Activations:
    """Every layer's output for `sample`, with the weights of one moment.

    A copy of the network runs, in evaluation mode: the network itself, its gradients and hooks, and torch's random
    numbers are left alone, and a run under way goes on meanwhile. Layers are the modules that are not made of others;
    those that do nothing in evaluation mode (dropout, identity) are left out.

    Args:
        live: the network that answers.
        sample: uint8 or float32 (C, H, W), or float32 (F,), as the dataset has it.
    """
    import torch
    from torch import nn
    from torch.nn.modules.dropout import _DropoutNd

    from engine.datasets.prepare import to_inputs
    from engine.inspection.private_random import PrivateRandom, random_state

    began = time.thread_time()
    network = live.copy()
    device = next((tensor.device for tensor in (*network.parameters(), *network.buffers())), torch.device("cpu"))
    found: list[LayerActivations] = []
    passes: dict[str, int] = {}

    def watch(name: str, module: nn.Module) -> None:
        def take(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.ndim > 1:
                number = passes[name] = passes.get(name, 0) + 1
                title = name if number == 1 else f"{name} ({number})"
                found.append(_layer(title, type(module).__name__, output.detach()[0]))

        module.register_forward_hook(take)

    for name, module in network.named_modules():
        if not any(module.children()) and not isinstance(module, _DropoutNd | nn.Identity):
            watch(name or type(module).__name__, module)
    inputs = to_inputs(torch.from_numpy(np.array(sample[None])), live.info, live.input_shape).to(device)
    with torch.inference_mode(), PrivateRandom(device, random_state(device)):
        outputs = network(inputs)
        answer = live.probabilities(outputs)[0]
    return Activations(
        sample=_locked(np.array(sample)),
        layers=tuple(found),
        answer=_owned(answer),
        spent=time.thread_time() - began,
    )


def _layer(name: str, kind: str, output: Tensor) -> LayerActivations:
    """Of the output for one sample; copied at once, since what follows may work in place."""
    shape = tuple(output.shape)
    if output.ndim > 3:  # (C, D, H, W): every depth is a map
        output = output.flatten(0, output.ndim - 3)
    if output.ndim == 3:
        most = max(1, min(MAPS, VALUES // max(1, output[0].numel())))
        return LayerActivations(name=name, kind=kind, shape=shape, values=_owned(output[:most]))
    return LayerActivations(name=name, kind=kind, shape=shape, values=_owned(output.flatten()[:VALUES]))


def _owned(tensor: Tensor) -> Floats:
    return _locked(np.array(tensor.float().cpu().numpy(), dtype=np.float32, order="C"))


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
