"""Losses: which datasets they fit, what they compute, and how outputs become classes and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.catalog import Catalog, Entry, Param, Params, number
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


def _fits_all(_info: DatasetInfo) -> None:
    return None


def _one_per_class(info: DatasetInfo) -> int:
    return len(info.classes)


def _one_per_value(info: DatasetInfo) -> int:
    return len(info.classes) or info.targets


def _one_for_two_classes(info: DatasetInfo) -> int:
    return 1 if len(info.classes) == 2 else len(info.classes)


def _unchanged(targets: Tensor) -> Tensor:
    return targets


def _one_hot(targets: Tensor, *, classes: int) -> Tensor:
    from torch.nn.functional import one_hot

    return one_hot(targets, classes).float()


def _column(targets: Tensor) -> Tensor:
    return targets.float().unsqueeze(1)


def _largest(outputs: Tensor) -> Tensor:
    return outputs.argmax(dim=1)


def _above_zero(outputs: Tensor) -> Tensor:
    return (outputs[:, 0] > 0).long()


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.float().softmax(dim=1)


def _sigmoid_pair(outputs: Tensor) -> Tensor:
    import torch

    logits = outputs.float()
    return torch.cat((torch.sigmoid(-logits), torch.sigmoid(logits)), dim=1)


def _normalised_sigmoids(outputs: Tensor) -> Tensor:
    # exp(log sigmoid) over its sum is sigmoid over its sum, and stays exact where all sigmoids underflow.
    from torch.nn.functional import logsigmoid

    return logsigmoid(outputs.float()).softmax(dim=1)


def _shares(outputs: Tensor) -> Tensor:
    """Outputs that were trained towards 0 and 1 as shares of their sum, negative ones as 0; uniform if all are 0."""
    import torch

    positive = outputs.float().clamp(min=0, max=1e30)  # so that the sum of a diverged network's outputs stays finite
    total = positive.sum(dim=1, keepdim=True)
    return torch.where(total > 0, positive / total, 1 / outputs.shape[1])


def _cross_entropy(params: Params, _info: DatasetInfo) -> Loss:
    from torch.nn.functional import cross_entropy

    function = partial(cross_entropy, label_smoothing=number(params, "label_smoothing"))
    return Loss(function=function, encode=_unchanged, predict=_largest, probabilities=_softmax)


def _bce_with_logits(_params: Params, info: DatasetInfo) -> Loss:
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    if len(info.classes) == 2:
        return Loss(function=bce, encode=_column, predict=_above_zero, probabilities=_sigmoid_pair)
    encode = partial(_one_hot, classes=len(info.classes))
    return Loss(function=bce, encode=encode, predict=_largest, probabilities=_normalised_sigmoids)


def _written_out(params: Params, _info: DatasetInfo) -> Loss:
    least = number(params, "clamp")

    def function(outputs: Tensor, targets: Tensor) -> Tensor:
        probability = outputs.sigmoid()
        right = targets * probability.clamp(min=least).log()
        wrong = (1 - targets) * (1 - probability).clamp(min=least).log()
        return -(right + wrong).mean()

    return Loss(function=function, encode=_column, predict=_above_zero, probabilities=_sigmoid_pair)


def _refuses_all_but_two_classes(info: DatasetInfo) -> str | None:
    if len(info.classes) == 2:
        return None
    return _refuses_regression(info) or f"it is for two classes and {info.label} has {len(info.classes)}"


def _mse(_params: Params, info: DatasetInfo) -> Loss:
    from torch.nn.functional import mse_loss

    return _distance(mse_loss, info)


def _l1(_params: Params, info: DatasetInfo) -> Loss:
    from torch.nn.functional import l1_loss

    return _distance(l1_loss, info)


def _huber(params: Params, info: DatasetInfo) -> Loss:
    from torch.nn.functional import huber_loss

    return _distance(partial(huber_loss, delta=number(params, "delta")), info)


def _distance(function: Callable[[Tensor, Tensor], Tensor], info: DatasetInfo) -> Loss:
    encode = partial(_one_hot, classes=len(info.classes)) if info.classes else _unchanged
    return Loss(function=function, encode=encode, predict=_largest, probabilities=_shares)


LOSSES = Catalog(
    "loss",
    LossEntry,
    (
        LossEntry(
            name="cross_entropy",
            label="Cross entropy",
            summary="The negative logarithm of the probability that the softmax of the outputs gives the right class.",
            params=(
                Param(
                    name="label_smoothing",
                    kind="float",
                    default=0.0,
                    low=0,
                    high=0.5,
                    label="Label smoothing",
                    help="The share of each target spread evenly over all classes. It keeps the network from being "
                    "too sure.",
                ),
            ),
            refuses=_refuses_regression,
            outputs=_one_per_class,
            build=_cross_entropy,
        ),
        LossEntry(
            name="mse",
            label="Mean squared error",
            summary="The mean square of the difference between outputs and targets; a class is a target of 1 among 0s.",
            refuses=_fits_all,
            outputs=_one_per_value,
            build=_mse,
        ),
        LossEntry(
            name="bce_with_logits",
            label="Binary cross entropy",
            summary="One yes-or-no question per class, each answered by a sigmoid; two classes share one question.",
            refuses=_refuses_regression,
            outputs=_one_for_two_classes,
            build=_bce_with_logits,
        ),
        LossEntry(
            name="bce_written_out",
            label="Binary cross entropy, written out",
            summary="−(y·log p + (1 − y)·log(1 − p)) with p = sigmoid(output), as the formula says, for two classes.",
            params=(
                Param(
                    name="clamp",
                    kind="float",
                    default=1e-12,
                    low=1e-30,
                    high=0.1,
                    log=True,
                    label="Clamp",
                    help="What the logarithm is taken of is at least this: the logarithm of 0 would be infinite.",
                ),
            ),
            refuses=_refuses_all_but_two_classes,
            outputs=_one_for_two_classes,
            build=_written_out,
        ),
        LossEntry(
            name="l1",
            label="Mean absolute error (L1)",
            summary="The mean absolute difference between outputs and targets, which outliers sway little.",
            refuses=_fits_all,
            outputs=_one_per_value,
            build=_l1,
        ),
        LossEntry(
            name="huber",
            label="Huber",
            summary="Squared for small differences and linear for large ones: smooth, and outliers sway it little.",
            params=(
                Param(
                    name="delta",
                    kind="float",
                    default=1.0,
                    above=0,
                    high=1000,
                    log=True,
                    label="Delta",
                    help="The difference at which the loss turns from squared to linear.",
                ),
            ),
            refuses=_fits_all,
            outputs=_one_per_value,
            build=_huber,
        ),
    ),
    group="learnscope.losses",
)
