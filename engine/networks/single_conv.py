"""A single convolution whose outputs are the answer: a network of which every weight can be looked at."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, cast

from engine.catalog import Param, Params
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.networks.network import NetworkEntry, Recipe, Shape

if TYPE_CHECKING:
    from torch import nn

LABEL = "Single convolution"

_KERNEL = Param(
    name="kernel",
    kind="int",
    default=0,
    low=0,
    high=1024,
    label="Kernel size",
    help="Side of the kernels in pixels. 0: as large as the image, so that each kernel gives one output.",
    unit="px",
)
_BIAS = Param(
    name="bias",
    kind="bool",
    default=False,
    label="Bias",
    help="Adds a learned number to every kernel's output. Without one, a black image gives zeros.",
)


def fit_single_conv(info: DatasetInfo, params: Params) -> Shape:
    """The dataset's own shape. Raises InputError for points, and where the kernels' outputs cannot be the answer."""
    if not info.is_image:
        raise InputError(
            "network",
            f"{LABEL} needs images and {info.label} has {math.prod(info.shape)} numbers a sample",
            "these fit: mnist_mlp, mlp, linear",
        )
    _kernels(info.shape, len(info.classes) or info.targets, params)
    return info.shape


def build_single_conv(shape: Shape, outputs: int, params: Params) -> nn.Sequential:
    """Conv2d and Flatten: float32 (N, C, H, W) to (N, outputs). Raises InputError where they cannot be `outputs`."""
    from torch import nn

    kernels, size = _kernels(shape, outputs, params)
    conv = nn.Conv2d(shape[0], kernels, size, bias=bool(params["bias"]))
    return nn.Sequential(OrderedDict(conv=conv, flatten=nn.Flatten()))


def _kernels(shape: Shape, outputs: int, params: Params) -> tuple[int, tuple[int, int]]:
    """How many kernels of which height and width give `outputs` numbers over all their places in the image."""
    _, height, width = shape
    side = cast("int", params["kernel"])
    if not side:
        return outputs, (height, width)
    if side > min(height, width):
        raise InputError(
            "network.kernel",
            f"a kernel of {side}×{side} pixels is larger than the images of {height}×{width}",
            f"1 to {min(height, width)}, or 0 for the image's own size",
        )
    places = (height - side + 1) * (width - side + 1)
    if outputs % places:
        raise InputError(
            "network.kernel",
            f"kernels of {side}×{side} pixels have {places} places in {height}×{width}, one output each, and {outputs} "
            "outputs are needed",
            "0 for kernels of the image's own size",
        )
    return outputs // places, (side, side)


SINGLE_CONV = NetworkEntry(
    name="single_conv",
    label=LABEL,
    summary="One convolution and nothing else: each kernel is as large as the image and gives one of the outputs.",
    params=(_KERNEL, _BIAS),
    fit=fit_single_conv,
    build=build_single_conv,
    recipe=Recipe(
        optimizer="sgd",
        optimizer_params={"learning_rate": 0.001, "momentum": 0.9},
        batch_size=1,
        epochs=2,
    ),
)
