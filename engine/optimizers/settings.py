"""The settings that optimizers share, each written once."""

from __future__ import annotations

from engine.catalog import Param


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
    """Weight decay, whether as a penalty in the gradient or apart from it."""
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
    """Momentum of the updates."""
    return Param(
        name="momentum",
        kind="float",
        default=default,
        low=0,
        below=1,
        live=True,
        label="Momentum",
        help="How much of the previous updates is carried into the next one. 0 switches it off, 0.9 is usual.",
    )


def beta1(default: float = 0.9) -> Param:
    """Decay of the running mean of the gradient."""
    return Param(
        name="beta1",
        kind="float",
        default=default,
        low=0,
        below=1,
        live=True,
        label="Beta 1",
        help="Decay of the running mean of the gradient, which acts as momentum. Nearer to 1 remembers longer.",
    )


def beta2(default: float = 0.999) -> Param:
    """Decay of the running size of the gradient."""
    return Param(
        name="beta2",
        kind="float",
        default=default,
        low=0,
        below=1,
        live=True,
        label="Beta 2",
        help="Decay of the gradient's running size, which scales each weight's step. Nearer to 1 remembers longer.",
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


def nesterov(default: bool) -> Param:
    """Nesterov's form of momentum."""
    return Param(
        name="nesterov",
        kind="bool",
        default=default,
        label="Nesterov",
        help="Takes the gradient's own step on top of the momentum's, as if it looked ahead. Needs momentum above 0.",
    )


AMSGRAD = Param(
    name="amsgrad",
    kind="bool",
    default=False,
    label="AMSGrad",
    help="Scales steps by the largest squared gradient so far instead of the running one (Reddi et al. 2018).",
)

DECOUPLED = Param(
    name="decoupled_weight_decay",
    kind="bool",
    default=False,
    label="Decoupled weight decay",
    help="Shrinks the weights directly, as AdamW does, instead of adding the decay to the gradient.",
)
