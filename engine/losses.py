"""Losses: which datasets they fit, what they compute, and how outputs become classes and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.catalog import Catalog, Entry, Param, Params
from engine.datasets.data import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor

    TensorMap = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss made for one dataset; call it with a network's outputs and encoded targets.

    Attributes:
        function: (outputs float (N, K), encoded targets) to a scalar, the mean over the batch and, where an error is
            taken per output, over the outputs.
        encode: a split's targets, int64 (N,) class numbers or float32 (N, K) values, to the form `function` wants. On
            the same device. Meant to be done once, before training.
        predict: outputs (N, K) to int64 (N,) class numbers. Not for regression.
        probabilities: outputs (N, K) to float32 (N, classes), each row in 0 … 1 with the sum 1. Not for regression.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    encode: TensorMap
    predict: TensorMap
    probabilities: TensorMap

    def __call__(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        return self.function(outputs, encoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossEntry(Entry):
    """A loss to pick.

    Attributes:
        refuses: why it does not fit a dataset, without a final stop; None where it fits.
        outputs: how many outputs of the network it needs for a dataset that it fits.
        build: the loss itself, for a dataset that it fits.
    """

    refuses: Callable[[DatasetInfo], str | None]
    outputs: Callable[[DatasetInfo], int]
    build: Callable[[Params, DatasetInfo], Loss]


def _refuses_regression(info: DatasetInfo) -> str | None:
    return None if info.classes else f"it compares classes and {info.label} has numbers as targets"


def _one_per_class(info: DatasetInfo) -> int:
    return len(info.classes)


def _largest(outputs: Tensor) -> Tensor:
    return outputs.argmax(dim=1)


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.float().softmax(dim=1)


def _cross_entropy(params: Params, info: DatasetInfo) -> Loss:  # noqa: ARG001
    from torch.nn.functional import cross_entropy

    return Loss(
        function=partial(cross_entropy, label_smoothing=float(params["label_smoothing"])),
        encode=lambda targets: targets,
        predict=_largest,
        probabilities=_softmax,
    )


LOSSES = Catalog(
    "loss",
    LossEntry,
    (
        LossEntry(
            name="cross_entropy",
            label="Cross entropy",
            summary="The negative log of the probability that the softmax gives the right class.",
            params=(
                Param(
                    name="label_smoothing",
                    kind="float",
                    default=0.0,
                    low=0,
                    high=0.5,
                    label="Label smoothing",
                    help="The share of each target that is spread over all classes, which keeps the network from being too sure.",
                ),
            ),
            refuses=_refuses_regression,
            outputs=_one_per_class,
            build=_cross_entropy,
        ),
    ),
    group="learnscope.losses",
)
