"""PyTorch's own optimizers as catalogue entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.catalog import Param, Params
from engine.errors import InputError
from engine.optimizers.optimizer import OptimizerEntry

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


def learning_rate(default: float) -> Param:
    """The learning rate: every optimizer has one, each with a default of its own."""
    return Param(
        name="learning_rate",
        kind="float",
        default=default,
        above=0,
        high=1000,
        log=True,
        live=True,
        label="Learning rate",
        help="How far each update moves the weights. Too high and the loss jumps or diverges, too low and it crawls.",
    )


def weight_decay(default: float) -> Param:
    """Weight decay, as an L2 penalty or decoupled from the gradient."""
    return Param(
        name="weight_decay",
        kind="float",
        default=default,
        low=0,
        high=10,
        log=True,
        live=True,
        label="Weight decay",
        help="Pulls every weight towards zero, which counters overfitting. 0 switches it off.",
    )


def momentum(default: float) -> Param:
    """Momentum of the update."""
    return Param(
        name="momentum",
        kind="float",
        default=default,
        low=0,
        below=1,
        live=True,
        label="Momentum",
        help="The share of the last update that is carried into the next. 0 switches it off, 0.9 is usual.",
    )


def beta(number: int, default: float) -> Param:
    """Decay of Adam's running mean (1) or running square (2) of the gradient."""
    of_what = {1: "gradient: momentum", 2: "squared gradient: the scale of each weight's step"}[number]
    return Param(
        name=f"beta{number}",
        kind="float",
        default=default,
        low=0,
        below=1,
        live=True,
        label=f"Beta {number}",
        help=f"Decay of the running mean of the {of_what}. Nearer to 1 remembers longer.",
    )


def eps(default: float) -> Param:
    """The constant that keeps a denominator from zero."""
    return Param(
        name="eps",
        kind="float",
        default=default,
        above=0,
        high=1,
        log=True,
        live=True,
        label="Epsilon",
        help="Added to the denominator for numerical stability. Larger values damp the steps of rarely moving weights.",
    )


NESTEROV = Param(
    name="nesterov",
    kind="bool",
    default=False,
    label="Nesterov",
    help="Looks ahead: the gradient is corrected by where momentum is about to go. Needs momentum above 0.",
)
AMSGRAD = Param(
    name="amsgrad",
    kind="bool",
    default=False,
    label="AMSGrad",
    help="Divides by the largest squared gradient so far instead of the running one (Reddi et al. 2018).",
)


def fused(module: nn.Module) -> bool | None:
    """True where PyTorch's fused kernels can update all of `module`'s parameters, else None: PyTorch chooses."""
    return (
        True if all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in module.parameters()) else None
    )


def _sgd(module: nn.Module, params: Params) -> Optimizer:
    import torch

    if params["nesterov"] and not params["momentum"]:
        raise InputError("optimizer.nesterov", "Nesterov's look-ahead needs momentum", "set optimizer.momentum above 0")
    return torch.optim.SGD(module.parameters(), fused=fused(module), **torch_arguments(params))


def _adam(module: nn.Module, params: Params) -> Optimizer:
    import torch

    return torch.optim.Adam(module.parameters(), fused=fused(module), **torch_arguments(params))


def _adamw(module: nn.Module, params: Params) -> Optimizer:
    import torch

    return torch.optim.AdamW(module.parameters(), fused=fused(module), **torch_arguments(params))


def torch_arguments(params: Params) -> dict[str, Any]:
    """`params` under PyTorch's names: `lr` for `learning_rate`, `betas` for the two."""
    arguments: dict[str, Any] = dict(params)
    arguments["lr"] = arguments.pop("learning_rate")
    if "beta1" in arguments:
        arguments["betas"] = (arguments.pop("beta1"), arguments.pop("beta2"))
    return arguments


TORCH_OPTIMIZERS = (
    OptimizerEntry(
        name="sgd",
        label="SGD",
        summary="Gradient descent, with momentum, Nesterov's look-ahead and weight decay where wanted.",
        params=(learning_rate(0.01), momentum(0.0), weight_decay(0.0), NESTEROV),
        build=_sgd,
    ),
    OptimizerEntry(
        name="adam",
        label="Adam",
        summary="Momentum, and a step size of its own for each weight (Kingma and Ba 2015).",
        params=(learning_rate(0.001), beta(1, 0.9), beta(2, 0.999), eps(1e-8), weight_decay(0.0), AMSGRAD),
        build=_adam,
    ),
    OptimizerEntry(
        name="adamw",
        label="AdamW",
        summary="Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019).",
        params=(learning_rate(0.001), beta(1, 0.9), beta(2, 0.999), eps(1e-8), weight_decay(0.01), AMSGRAD),
        build=_adamw,
    ),
)
