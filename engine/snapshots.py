"""A network's weights as owned arrays to look at. Importing this imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

KERNEL_LIMIT = 256  # kernels in one snapshot; more are too small to see
VALUE_LIMIT = 2**20  # weights in one snapshot: 4 MiB, copied several times a second

FilterKind = Literal["conv", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLayer:
    """A layer whose weights can be drawn.

    Attributes:
        name: the module's path in the network, such as `features.0`.
        label: for people: `conv1 · 6 of 1×5×5`, the filters and the shape of each.
        kind: `conv` for any convolution, `linear` for a fully connected layer that sees the image itself.
        count: filters: output channels, or units.
    """

    name: str
    label: str
    kind: FilterKind
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilterImages:
    """The filters of one layer at one moment.

    Attributes:
        layer: the layer's name.
        values: float32 (filters, channels, H, W), owned and not writeable. `values[o, i]` is the kernel from input
            channel i to output channel o. One-dimensional kernels have H = 1; of three-dimensional ones every depth
            slice is a channel of its own.
        filters, channels: how many the layer has; `values` holds the first of them.
    """

    layer: str
    values: NDArray[np.float32]
    filters: int
    channels: int

    @property
    def is_part(self) -> bool:
        """Not every kernel of the layer is in `values`."""
        return self.values.shape[:2] != (self.filters, self.channels)


def filter_layers(network: nn.Module, input_shape: Sequence[int]) -> tuple[FilterLayer, ...]:
    """The layers of `network` that can be drawn, in the order of declaration.

    These are all convolutions, transposed ones too; and the first fully connected layer where no convolution comes
    before it and its inputs are the flattened image.

    Args:
        network: any module; layers whose weights have no shape yet (lazy ones) are passed over.
        input_shape: of one sample: (C, H, W) for images; a fully connected layer needs one.
    """
    return tuple(
        FilterLayer(name=name, label=_label(name, module, weight), kind=kind, count=weight.shape[0])
        for name, module, kind, weight in _drawable(network, input_shape)
    )


def capture_filters(
    network: nn.Module, layer_name: str, *, input_shape: Sequence[int], limit: int = KERNEL_LIMIT
) -> FilterImages:
    """A copy of one layer's weights, from any device and any memory format.

    Of a layer with more than `limit` kernels the first are taken, as a block of filters by channels that is as near
    to square as it can be: 16 × 16 of 64 × 128.

    Args:
        network: the network the layer is in. No one may be changing its weights meanwhile.
        layer_name: a `FilterLayer.name`.
        input_shape: of one sample, as given to `filter_layers`.
        limit: kernels at most, 1 or more. There are also never more than `VALUE_LIMIT` weights, but for one kernel.

    Raises:
        InputError: `filter_layer`: the network has no such layer to draw.
    """
    import torch

    weights = {name: weight for name, _, _, weight in _drawable(network, input_shape)}
    if layer_name not in weights:
        known = ", ".join(weights)
        raise InputError(
            "filter_layer",
            f"the network has no layer {layer_name!r} to draw",
            f"known are {known}" if known else "it has no convolution, nor a fully connected layer that sees an image",
        )
    weight = weights[layer_name]
    filters, channels, height, width = weight.shape
    rows, columns = _block(
        filters=filters, channels=channels, limit=max(1, min(limit, VALUE_LIMIT // max(1, height * width)))
    )
    block = weight[:rows, :columns].to(device="cpu", dtype=torch.float32)
    # A CPU tensor shares memory with the live weights: copy whatever `to` did.
    values = np.array(block.numpy(), dtype=np.float32, order="C", copy=True)
    values.setflags(write=False)
    return FilterImages(layer=layer_name, values=values, filters=filters, channels=channels)


def _drawable(network: nn.Module, input_shape: Sequence[int]) -> Iterator[tuple[str, nn.Module, FilterKind, Tensor]]:
    """Name, module, kind and weight as (filters, channels, H, W), a view where possible, for every layer to draw."""
    from torch import nn
    from torch.nn.modules.conv import _ConvNd
    from torch.nn.parameter import is_lazy

    sees_image = len(input_shape) == 3
    for name, module in network.named_modules():
        if not isinstance(module, _ConvNd | nn.Linear) or is_lazy(module.weight):
            continue
        if isinstance(module, _ConvNd):
            sees_image = False
            yield name, module, "conv", _kernels(module.weight.detach(), module.groups, transposed=module.transposed)
        elif sees_image:
            sees_image = False
            if module.in_features == math.prod(input_shape):
                yield name, module, "linear", module.weight.detach().reshape(-1, *input_shape)


def _kernels(weight: Tensor, groups: int, *, transposed: bool) -> Tensor:
    """A convolution's weight as (filters, channels, H, W)."""
    if transposed:  # (in, out / groups, …) → (out, in / groups, …)
        weight = weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    if weight.ndim == 3:  # (out, in, L) → (out, in, 1, L)
        return weight.unsqueeze(2)
    if weight.ndim == 5:  # (out, in, D, H, W) → (out, in · D, H, W)
        return weight.flatten(1, 2)
    return weight


def _block(*, filters: int, channels: int, limit: int) -> tuple[int, int]:
    """How many filters and channels of each to take for at most `limit` kernels."""
    columns = min(channels, max(math.isqrt(limit), limit // filters))
    return min(filters, limit // columns), columns


def _label(name: str, module: nn.Module, weight: Tensor) -> str:
    """`conv1 · 6 of 1×5×5`; a place in a sequence, a bare number, gets its class beside it."""
    title = name or type(module).__name__
    if title.rpartition(".")[2].isdigit():
        title += f" {type(module).__name__}"
    filters, channels, height, width = weight.shape
    return f"{title} · {filters} of {channels}×{height}×{width}"
