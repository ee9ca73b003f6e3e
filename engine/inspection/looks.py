"""What the microscope shows: plain numbers, and arrays that cannot be written to. Importing this imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Stage = Literal["zero_grad", "forward", "loss", "backward", "step"]

STAGES: tuple[Stage, ...] = ("zero_grad", "forward", "loss", "backward", "step")
CODE: Mapping[Stage, str] = {
    "zero_grad": "optimizer.zero_grad()",
    "forward": "outputs = network(inputs)",
    "loss": "value = loss(outputs, targets)",
    "backward": "value.backward()",
    "step": "optimizer.step()",
}

SAMPLES = 10  # of the batch whose outputs are told
OUTPUTS = 64  # of one sample that are told
KERNELS = 64  # of a convolution in one picture
ROWS, COLUMNS = 64, 128  # values of a matrix in one picture
NUMBERS = 200  # values told one by one
BINS = 32  # of a histogram

A = TypeVar("A", NDArray[np.float32], NDArray[np.float64], NDArray[np.int64])

Picture = NDArray[np.float32]
"""(filters, channels, H, W); what is no kernel is one matrix (1, 1, rows, columns)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """One tensor in figures, and a part of it in values.

    Attributes:
        picture: the values to draw.
        values: float32 (n,), the first in memory's logical order.
        size: how many values the tensor has.
        norm, smallest, largest, mean: of the values that are finite; 0 where none is.
        odd: how many are not finite.
        counts, edges: histogram of the finite values: int64 (BINS,) and float64 (BINS + 1,).
    """

    picture: Picture
    values: NDArray[np.float32]
    size: int
    norm: float
    smallest: float
    largest: float
    mean: float
    odd: int
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParameterLook:
    """One parameter between two buttons.

    Attributes:
        name, shape: as the network has them.
        part: what of it the pictures show, such as `the first 64 × 128 of 28 × 784`; empty where all of it.
        values: as they are now.
        gradient_before, gradient: `.grad` before and after the last button; None where `.grad` is None, which is not
            the same as zeros.
        change: what the last `optimizer.step()` added to the values; None before there was one.
    """

    name: str
    shape: tuple[int, ...]
    part: str
    values: Figures
    gradient_before: Figures | None
    gradient: Figures | None
    change: Figures | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What the network gave for the first samples of the batch.

    Attributes:
        values: float32 (samples, outputs), `SAMPLES` × `OUTPUTS` at most.
        shape: of all outputs, (B, K).
        predicted, true: names of classes, one a sample; empty in regression.
        targets: float32 (samples, K) in regression, else None.
    """

    values: NDArray[np.float32]
    shape: tuple[int, ...]
    predicted: tuple[str, ...]
    true: tuple[str, ...]
    targets: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """The state after one button.

    Attributes:
        done: which button it was; None at the start.
        text: what changed, in words.
        next: the button that training presses now.
        refused: buttons that cannot be pressed now, each with the reason.
        loss: of the batch; None until it was computed.
        outputs: None until the forward pass.
        gradient_norm: of all gradients together; None where no parameter has one.
        change_norm: of the change of all weights together in the last step; None before there was one.
    """

    done: Stage | None
    text: str
    next: Stage
    refused: Mapping[Stage, str]
    loss: float | None
    outputs: Outputs | None
    gradient_norm: float | None
    change_norm: float | None


def figures(tensor: Tensor, *, input_shape: Sequence[int]) -> Figures:
    """Measure a tensor of any shape and device. Its picture is chosen by `picture_of`."""
    values = owned(tensor)
    flat = values.ravel()
    finite = flat[np.isfinite(flat)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    counts, edges = np.histogram(finite, bins=BINS, range=_span(low, high))
    return Figures(
        picture=sealed(picture_of(values, input_shape=input_shape)),
        values=sealed(flat[:NUMBERS]),
        size=flat.size,
        norm=math.sqrt(float(np.square(finite).sum())),
        smallest=low,
        largest=high,
        mean=float(finite.mean()) if finite.size else 0.0,
        odd=flat.size - finite.size,
        counts=sealed(counts.astype(np.int64)),
        edges=sealed(edges),
    )


def picture_of(values: NDArray[np.float32], *, input_shape: Sequence[int]) -> Picture:
    """The part of a parameter that is drawn, as (filters, channels, H, W).

    Kernels stay kernels; rows that see the whole input image become images of its shape; everything else is one matrix,
    a vector one row.
    """
    if values.ndim >= 3:
        kernels = values if values.ndim == 4 else values.reshape(*values.shape[:2], -1, values.shape[-1])
        channels = min(kernels.shape[1], max(8, KERNELS // max(1, kernels.shape[0])))
        return kernels[: max(1, KERNELS // max(1, channels)), :channels, :ROWS, :COLUMNS]
    if values.ndim == 2 and len(input_shape) == 3 and values.shape[1] == math.prod(input_shape):
        return values[: max(1, KERNELS // input_shape[0])].reshape(-1, *input_shape)[:, :, :ROWS, :COLUMNS]
    matrix = values.reshape(1, -1) if values.ndim < 2 else values
    return matrix[None, None, :ROWS, :COLUMNS]


def part_of(shape: Sequence[int], picture: Picture) -> str:
    """What of a parameter of `shape` the picture shows, in words; empty where it shows everything."""
    if picture.size == math.prod(shape):
        return ""
    whole = " × ".join(str(size) for size in shape)
    filters, channels, rows, columns = picture.shape
    if (filters, channels) == (1, 1):
        shown = f"{rows} × {columns}" if rows > 1 else str(columns)
        return f"the first {shown} of {whole} values"
    if len(shape) == 2:
        return f"the first {filters} of {shape[0]} rows, each as a picture"
    return f"the first {filters} × {channels} of {shape[0]} × {shape[1]} kernels"


def owned(tensor: Tensor) -> NDArray[np.float32]:
    """A float32 copy in logical order: on the CPU `.numpy()` shares memory with the weights."""
    import torch

    return np.array(tensor.detach().to(device="cpu", dtype=torch.float32).numpy(), order="C", copy=True)


def sealed(array: A) -> A:
    """A copy of its own that cannot be written to."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def _span(low: float, high: float) -> tuple[float, float]:
    """The histogram's range: wide enough to be divided into bins."""
    pad = max(abs(low), abs(high), 1e-30) * 1e-3 if high - low <= max(abs(low), abs(high)) * 1e-6 else 0.0
    return low - pad, high + pad
