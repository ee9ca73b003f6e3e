"""Update rules written out, as catalogue entries. Imports no torch before one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.catalog import Param, Params
from engine.optimizers.optimizer import OptimizerEntry, match_layout
from engine.optimizers.settings import beta1, beta2, learning_rate, momentum

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

DECAY = Param(
    name="decay",
    kind="float",
    default=0.8,
    low=0,
    below=1,
    live=True,
    label="Decay",
    help="The share of the gradient's running mean square that is kept at each step. Nearer to 1 remembers longer.",
)

# The square of a gradient below 1e-23 is zero in float32: a smaller δ would turn such a gradient into a leap.
DELTA = Param(
    name="delta",
    kind="float",
    default=1e-7,
    low=1e-20,
    high=1,
    log=True,
    live=True,
    label="Delta",
    help="Added to the root, so that it is never zero. Larger values damp the steps of rarely moving weights.",
)


def _builder(name: str) -> Callable[[nn.Module, Params], Optimizer]:
    """A builder for the class `name` of `engine.optimizers.rules`."""

    def build(module: nn.Module, params: Params) -> Optimizer:
        from engine.optimizers import rules

        arguments: dict[str, Any] = dict(params)
        arguments["lr"] = arguments.pop("learning_rate")
        if "beta1" in arguments:
            arguments["betas"] = (arguments.pop("beta1"), arguments.pop("beta2"))
        optimizer: Optimizer = getattr(rules, name)(module.parameters(), **arguments)
        optimizer.register_load_state_dict_post_hook(match_layout)
        return optimizer

    return build


RULES = (
    OptimizerEntry(
        name="simple_gd",
        label="Gradient descent, written out",
        summary="w ← w − α g, where α is the learning rate and g the gradient. It is batch, mini-batch or stochastic "
        "gradient descent as the batch size is the whole training set, a part of it or 1.",
        params=(learning_rate(0.1),),
        build=_builder("SimpleGD"),
    ),
    OptimizerEntry(
        name="momentum_rule",
        label="Momentum, written out",
        summary="v ← 0.8 v + 0.2 g; w ← w − α v. Steps follow a running mean of the gradients, which starts at zero.",
        params=(learning_rate(0.1), momentum(0.8)),
        build=_builder("MomentumRule"),
    ),
    OptimizerEntry(
        name="adagrad_rule",
        label="AdaGrad, written out",
        summary="s ← s + g²; w ← w − α / (δ + √s) · g. Each weight's steps shrink with the gradients it has seen "
        "(Duchi et al. 2011).",
        params=(learning_rate(0.01), DELTA),
        build=_builder("AdaGradRule"),
    ),
    OptimizerEntry(
        name="rmsprop_rule",
        label="RMSProp, written out",
        summary="s ← 0.8 s + 0.2 g²; w ← w − α / (√s + δ) · g. Each weight's steps are scaled by its recent gradients "
        "(Hinton 2012).",
        params=(learning_rate(0.001), DECAY, DELTA),
        build=_builder("RMSPropRule"),
    ),
    OptimizerEntry(
        name="adam_rule",
        label="Adam, written out",
        summary="v ← 0.8 v + 0.2 g; s ← 0.8 s + 0.2 g²; w ← w − α / (√s + δ) · v. Momentum and RMSProp together, "
        "without Adam's bias correction (Kingma and Ba 2015).",
        params=(learning_rate(0.001), beta1(0.8), beta2(0.8), DELTA),
        build=_builder("AdamRule"),
    ),
)
"""The rules from the plainest to Adam, each of which adds one idea."""
