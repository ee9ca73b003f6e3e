"""Five update rules written out as a textbook prints them: w is a weight, g its gradient, α the learning rate.

Each is a whole `torch.optim.Optimizer` in a few lines. They take no short cuts: torch's own are faster and have more
settings. What a rule remembers from step to step starts at zero and lies in `state`, so that `state_dict` and
`load_state_dict` carry it exactly. The annotation of `step` is that loose because torch declares it twice, with a
closure and without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class SimpleGD(Optimizer):
    """Gradient descent.

        w ← w − α g

    It serves batch, mini-batch and stochastic gradient descent alike: the rule is the same, and only the number of
    samples behind g differs, which the batch size decides.
    """

    def __init__(self, params: ParamsT, *, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = loss_of(closure)
        for w, g, group in gradients(self):
            w -= group["lr"] * g
        return loss


class MomentumRule(Optimizer):
    """Gradient descent along a running mean of the gradients.

        v ← 0.8 v + 0.2 g
        w ← w − α v

    `momentum` is the 0.8, and the 0.2 is what is missing to 1. v starts at zero; torch's SGD, given `dampening=0.8`
    for the same rule, lets its v be the whole g at the first step and so starts with a step five times as long.
    """

    def __init__(self, params: ParamsT, *, lr: float = 0.1, momentum: float = 0.8) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = loss_of(closure)
        for w, g, group in gradients(self):
            v = remembered(self, w, "v")
            v *= group["momentum"]
            v += (1 - group["momentum"]) * g
            w -= group["lr"] * v
        return loss


class AdaGradRule(Optimizer):
    """A step size for each weight, which shrinks with every gradient it has seen.

        s ← s + g²
        w ← w − α / (δ + √s) · g

    Goodfellow, Bengio and Courville, Deep Learning (2016), algorithm 8.4, which adds δ to the root and proposes 1e-7;
    the method is from Duchi, Hazan and Singer (2011).
    """

    def __init__(self, params: ParamsT, *, lr: float = 0.01, delta: float = 1e-7) -> None:
        super().__init__(params, {"lr": lr, "delta": delta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = loss_of(closure)
        for w, g, group in gradients(self):
            s = remembered(self, w, "s")
            s += g * g
            w -= group["lr"] / (group["delta"] + s.sqrt()) * g
        return loss


class RMSPropRule(Optimizer):
    """AdaGrad that forgets: a running mean of the squared gradients in place of their sum.

        s ← 0.8 s + 0.2 g²
        w ← w − α / (√s + δ) · g

    `decay` is the 0.8. The method is from Hinton's lectures (2012). δ stands outside the root, as in torch;
    Goodfellow, Bengio and Courville (2016), algorithm 8.5, put it inside, √(δ + s), with δ = 1e-6.
    """

    def __init__(self, params: ParamsT, *, lr: float = 0.001, decay: float = 0.8, delta: float = 1e-7) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "delta": delta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = loss_of(closure)
        for w, g, group in gradients(self):
            s = remembered(self, w, "s")
            s *= group["decay"]
            s += (1 - group["decay"]) * g * g
            w -= group["lr"] / (s.sqrt() + group["delta"]) * g
        return loss


class AdamRule(Optimizer):
    """Momentum's direction with RMSProp's step sizes.

        v ← 0.8 v + 0.2 g
        s ← 0.8 s + 0.2 g²
        w ← w − α / (√s + δ) · v

    `betas` are the 0.8 of v and the 0.8 of s. Kingma and Ba (2015), without their correction of the first steps'
    bias. They divide v and s by 1 − 0.8ᵏ in step k, so step k here is one of theirs with α and δ both times
    √(1 − 0.8ᵏ): less than half as long in the first step and soon the same.
    """

    def __init__(
        self, params: ParamsT, *, lr: float = 0.001, betas: tuple[float, float] = (0.8, 0.8), delta: float = 1e-7
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "delta": delta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = loss_of(closure)
        for w, g, group in gradients(self):
            v, s = remembered(self, w, "v"), remembered(self, w, "s")
            beta1, beta2 = group["betas"]
            v *= beta1
            v += (1 - beta1) * g
            s *= beta2
            s += (1 - beta2) * g * g
            w -= group["lr"] / (s.sqrt() + group["delta"]) * v
        return loss


def loss_of(closure: Callable[[], float] | None) -> float | None:
    """The loss that `closure` computes, together with its gradients; None without one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def gradients(optimizer: Optimizer) -> Iterator[tuple[Tensor, Tensor, dict[str, Any]]]:
    """Each parameter that has a gradient, that gradient, and the group with the settings for both."""
    for group in optimizer.param_groups:
        for w in group["params"]:
            if w.grad is not None:
                yield w, w.grad, group


def remembered(optimizer: Optimizer, w: Tensor, name: str) -> Tensor:
    """What `optimizer` keeps for `w` under `name`: of its shape, dtype and strides, and zeros before the first step."""
    state = optimizer.state[w]
    if name not in state:
        state[name] = torch.zeros_like(w, requires_grad=False)
    kept: Tensor = state[name]
    return kept
