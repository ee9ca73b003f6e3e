"""The update rules that torch lacks, as source: those of a textbook, and Muon together with AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.script.layout import fill, indented


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of the script, its name and its source."""

    title: str
    code: str


def _rule(title: str, docstring: str, *, settings: tuple[str, ...], kept: str, update: str) -> Rule:
    """A whole optimizer.

    Args:
        settings: its arguments besides the parameters.
        kept: names of what is remembered for each parameter.
        update: what is done to the parameter `w` with its gradient `g`.
    """
    remember = ""
    if kept:
        zeros = ", ".join(f"{name}=torch.zeros_like(w)" for name in kept.split())
        unpack = "\n".join(f'{name} = state["{name}"]' for name in kept.split())
        remember = f"state = self.state[w]\nif not state:  # the first step\n    state.update({zeros})\n{unpack}\n"
    code = fill(
        '''
        class $title(torch.optim.Optimizer):
            """$docstring"""

            def __init__(self, params, $settings):
                super().__init__(params, dict($passed))

            @torch.no_grad()
            def step(self):
                for group in self.param_groups:
                    for w in group["params"]:
                        g = w.grad
        $body
        ''',
        title=title,
        docstring=docstring,
        settings=", ".join(settings),
        passed=", ".join(f"{name}={name}" for name in settings),
        body=indented(remember + fill(update), 4),
    )
    return Rule(title, code)


RULES: Mapping[str, Rule] = {
    "simple_gd": _rule(
        "SimpleGD",
        "Gradient descent: w ← w − α g.",
        settings=("lr",),
        kept="",
        update='w -= group["lr"] * g',
    ),
    "momentum_rule": _rule(
        "MomentumRule",
        "v ← β v + (1 − β) g; w ← w − α v.",
        settings=("lr", "momentum"),
        kept="v",
        update="""
            v *= group["momentum"]
            v += (1 - group["momentum"]) * g
            w -= group["lr"] * v
        """,
    ),
    "adagrad_rule": _rule(
        "AdaGradRule",
        "s ← s + g²; w ← w − α / (δ + √s) · g (Duchi et al. 2011).",
        settings=("lr", "delta"),
        kept="s",
        update="""
            s += g * g
            w -= group["lr"] / (group["delta"] + s.sqrt()) * g
        """,
    ),
    "rmsprop_rule": _rule(
        "RMSPropRule",
        "s ← ρ s + (1 − ρ) g²; w ← w − α / (√s + δ) · g (Hinton 2012).",
        settings=("lr", "decay", "delta"),
        kept="s",
        update="""
            s *= group["decay"]
            s += (1 - group["decay"]) * g * g
            w -= group["lr"] / (s.sqrt() + group["delta"]) * g
        """,
    ),
    "adam_rule": _rule(
        "AdamRule",
        "Momentum's direction with RMSProp's step sizes, without bias correction.",
        settings=("lr", "betas", "delta"),
        kept="v s",
        update="""
            beta1, beta2 = group["betas"]
            v *= beta1
            v += (1 - beta1) * g
            s *= beta2
            s += (1 - beta2) * g * g
            w -= group["lr"] / (s.sqrt() + group["delta"]) * v
        """,
    ),
}

MUON = '''
    class MuonWithAdamW(torch.optim.Optimizer):
        """Muon (Jordan 2024) for hidden weights, AdamW for everything else.

        Hidden weights are all parameters of two or more dimensions but the last one, which
        is the output layer's.
        """

        def __init__(self, network, muon, adamw):
            parameters = list(network.parameters())
            self.hidden = [p for p in parameters if p.ndim >= 2][:-1]
            rest = [p for p in parameters if not any(p is other for other in self.hidden)]
            # torch's Muon takes matrices: kernels (out, in, h, w) become (out, in · h · w).
            self.matrices = [p.detach().flatten(1).clone() for p in self.hidden]
            parts = []
            if self.hidden:
                parts.append(torch.optim.Muon(self.matrices, **muon))
            if rest:
                parts.append(torch.optim.AdamW(rest, **adamw))
            self.parts = parts
            super().__init__(parameters, {})
            # Settings changed in these groups change in the two optimizers.
            self.param_groups = [group for part in parts for group in part.param_groups]

        def zero_grad(self):
            for p in self.hidden:
                p.grad = None
            super().zero_grad()

        @torch.no_grad()
        def step(self):
            for p, matrix in zip(self.hidden, self.matrices):
                matrix.copy_(p.flatten(1))
                matrix.grad = p.grad.flatten(1)
            for part in self.parts:
                part.step()
            for p, matrix in zip(self.hidden, self.matrices):
                p.copy_(matrix.view_as(p))
'''
