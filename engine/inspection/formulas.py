"""How a layer's output size comes about: the formula with the numbers put in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd

from engine.networks.network import Shape

_POOLS = (
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.LPPool1d,
    nn.LPPool2d,
    nn.LPPool3d,
)


def formula(module: nn.Module, input_shape: Shape, output_shape: Shape) -> tuple[str, ...]:
    """Lines that say how `module` comes from `input_shape` to `output_shape`, both of one sample without the batch.

    A convolution or a pooling layer has one line where all sides are alike, else one a side, after the formulas that
    torch's documentation gives: ⌊(n + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1, which with a dilation of 1 is
    ⌊(n + 2·padding − kernel)/stride⌋ + 1. The brackets are left out where the division leaves no rest. Layers that keep
    the shape have no line.
    """
    sides, results = input_shape[1:], output_shape[1:]
    if isinstance(module, nn.Linear):
        return (f"{module.in_features} → {module.out_features}",)
    if isinstance(module, _AdaptiveAvgPoolNd | _AdaptiveMaxPoolNd):
        return (f"{by(results)}, whatever comes in",)
    if isinstance(module, _ConvTransposeNd):
        return _once(_widened(module, sides, results))
    if isinstance(module, _ConvNd) and module.padding == "same":
        return (f"padding “same”: {by(sides)} stays",)
    if isinstance(module, (_ConvNd, *_POOLS)):
        return _once(_slid(module, sides))
    return reshaped(input_shape, output_shape)


def reshaped(input_shape: Shape, output_shape: Shape) -> tuple[str, ...]:
    """16·5·5 = 400, where the same numbers are arranged anew; empty where nothing of the kind happened."""
    if input_shape == output_shape or math.prod(input_shape) != math.prod(output_shape):
        return ()
    return (f"{'·'.join(map(str, input_shape))} = {'·'.join(map(str, output_shape))}",)


def by(shape: Sequence[int]) -> str:
    """6×28×28."""
    return "×".join(map(str, shape))


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    """All lines, or a single one where they are all the same."""
    every = tuple(lines)
    return every[:1] if len(set(every)) == 1 else every


def _slid(module: nn.Module, sides: Shape) -> Iterator[str]:
    """A line a side for a window that slides over the input: a convolution's kernel, or a pooling window."""
    kernels = _a_side(module, "kernel_size", len(sides))
    strides = _a_side(module, "stride", len(sides)) or kernels  # LPPool has no stride where it is that of its kernel
    paddings = _a_side(module, "padding", len(sides)) or (0,) * len(sides)
    dilations = _a_side(module, "dilation", len(sides)) or (1,) * len(sides)
    rounds_up = bool(getattr(module, "ceil_mode", False))
    for n, kernel, stride, padding, dilation in zip(sides, kernels, strides, paddings, dilations, strict=True):
        span = n + 2 * padding - dilation * (kernel - 1) - 1
        window = f"{kernel}" if dilation == 1 else f"{dilation}·({kernel} − 1) − 1"
        fraction = f"({n} + 2·{padding} − {window})/{stride}"
        if span % stride:
            fraction = f"⌈{fraction}⌉" if rounds_up else f"⌊{fraction}⌋"
        windows = (-(-span // stride) if rounds_up else span // stride) + 1
        if (windows - 1) * stride >= n + padding:  # torch leaves out a window that would begin in the padding behind
            yield f"{fraction} + 1 − 1 = {windows - 1}, as no window begins beyond the image"
        else:
            yield f"{fraction} + 1 = {windows}"


def _widened(module: _ConvTransposeNd, sides: Shape, results: Shape) -> Iterator[str]:
    """A line a side for a transposed convolution. What `output_size` asks for shows as the output padding it takes."""
    dims = len(sides)
    parts = zip(
        sides,
        results,
        _a_side(module, "kernel_size", dims),
        _a_side(module, "stride", dims),
        _a_side(module, "padding", dims),
        _a_side(module, "dilation", dims),
        strict=True,
    )
    for n, result, kernel, stride, padding, dilation in parts:
        extra = result - ((n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1)
        window = f"{kernel}" if dilation == 1 else f"{dilation}·({kernel} − 1) + 1"
        more = f" + {extra}" if extra else ""
        yield f"({n} − 1)·{stride} − 2·{padding} + {window}{more} = {result}"


def _a_side(module: nn.Module, name: str, count: int) -> Shape:
    """A setting for each of `count` sides; empty where the module has none. One number stands for all sides."""
    value = getattr(module, name, None)
    if isinstance(value, int):
        return (value,) * count
    if value == "valid":
        return (0,) * count
    return tuple(value) if isinstance(value, tuple | list) else ()
