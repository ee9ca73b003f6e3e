"""The optimizers as source: torch's own with the arguments the run gave them, and the rules that are written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.catalog import Params
from engine.errors import InputError
from engine.script.layout import call, fill
from engine.script.rules import MUON, RULES

RATE = "LEARNING_RATE"  # the constant that holds it


@dataclass(frozen=True, slots=True)
class OptimizerSource:
    """`code` defines its class where torch has none; `make` is the expression that makes one, to stand at one level."""

    code: str
    make: str


# torch's class, and whether it has a fused kernel there.
_ON_BOTH = ("cpu", "cuda")
_PLAIN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sgd": ("SGD", _ON_BOTH),
    "adam": ("Adam", _ON_BOTH),
    "adamw": ("AdamW", _ON_BOTH),
    "nadam": ("NAdam", ()),
    "radam": ("RAdam", ()),
    "adamax": ("Adamax", ()),
    "adagrad": ("Adagrad", ("cpu",)),
    "adadelta": ("Adadelta", ()),
    "rmsprop": ("RMSprop", ()),
    "asgd": ("ASGD", ()),
}
# What torch does where nothing is said; AdamW alone decays the weights by itself.
_UNSAID: Mapping[str, object] = {
    "amsgrad": False,
    "centered": False,
    "decoupled_weight_decay": False,
    "initial_accumulator_value": 0.0,
    "lr_decay": 0.0,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 0.0,
}


def optimizer_source(name: str, params: Params, *, device: str) -> OptimizerSource:
    """The source of the optimizer called `name`, with its settings, on `cpu`, `cuda` or `mps`.

    Raises InputError for one that is not ours.
    """
    if name in _PLAIN:
        title, fused_on = _PLAIN[name]
        arguments = _arguments(params, unsaid={} if name == "adamw" else _UNSAID)
        if device in fused_on:
            arguments.append("fused=True")
        return _made(f"torch.optim.{title}", arguments)
    if name in RULES:
        rule = RULES[name]
        return _made(rule.title, _arguments(params, unsaid={}), code=rule.code)
    match name:
        case "rprop":
            etas, sizes = _pair(params, "eta_minus", "eta_plus"), _pair(params, "step_min", "step_max")
            return _made("torch.optim.Rprop", [f"lr={RATE}", f"etas={etas}", f"step_sizes={sizes}"])
        case "adafactor":
            arguments = [
                f"lr={RATE}",
                f"beta2_decay={params['beta2_decay']!r}",
                f"eps=(None, {params['scale_floor']!r})",
                f"d={params['clipping']!r}",
                f"weight_decay={params['weight_decay']!r}",
            ]
            return _made("torch.optim.Adafactor", arguments)
        case "lbfgs":
            arguments = [f"lr={RATE}", f"max_iter={params['max_iter']}", f"history_size={params['history_size']}"]
            if params["line_search"] != "none":
                arguments.append(f'line_search_fn="{params["line_search"]}"')
            return _made("torch.optim.LBFGS", arguments)
        case "muon":
            return _muon(params, device=device)
    raise InputError(
        "script",
        f"the optimizer {name!r} comes from another package, whose code cannot be written out",
        "these can be written: " + ", ".join((*_PLAIN, "rprop", "adafactor", "lbfgs", "muon", *RULES)),
    )


def _muon(params: Params, *, device: str) -> OptimizerSource:
    shared = [f"lr={RATE}", f"weight_decay={params['weight_decay']!r}"]
    muon = [
        *shared,
        *(f"{name}={params[name]!r}" for name in ("momentum", "nesterov", "ns_steps")),
        f'adjust_lr_fn="{params["scaling"]}"',
    ]
    adamw = [*shared, f"betas={_pair(params, 'beta1', 'beta2')}", *(["fused=True"] if device in _ON_BOTH else [])]
    halves = [call("dict", half, levels=2, before=f"{name}=") for name, half in (("muon", muon), ("adamw", adamw))]
    inner = ["network", *(half.replace("\n", "\n    ") for half in halves)]
    make = "\n".join(["MuonWithAdamW(", *(f"    {argument}," for argument in inner), ")"])
    return OptimizerSource(fill(MUON), make)


def _made(title: str, arguments: list[str], *, code: str = "") -> OptimizerSource:
    # Nested in `optimizer = …`, which is twelve characters longer.
    make = call(title, ["network.parameters()", *arguments], levels=1, before="optimizer = ")
    return OptimizerSource(code, make.removeprefix("optimizer = "))


def _arguments(params: Params, *, unsaid: Mapping[str, object]) -> list[str]:
    """Under torch's names: `lr`, and `betas` for the two."""
    arguments = [f"lr={RATE}"]
    for name, value in params.items():
        if name == "beta1":
            arguments.append(f"betas={_pair(params, 'beta1', 'beta2')}")
        elif name not in ("learning_rate", "beta2") and (name not in unsaid or unsaid[name] != value):
            arguments.append(f"{name}={value!r}")
    return arguments


def _pair(params: Params, first: str, second: str) -> str:
    return f"({params[first]!r}, {params[second]!r})"
