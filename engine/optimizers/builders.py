"""How entries become torch's optimizers. Imports no torch before one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.catalog import Params, number
from engine.errors import InputError
from engine.optimizers.optimizer import match_layout

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

CPU_AND_CUDA = ("cpu", "cuda")


def torch_builder(name: str, *, fused_on: tuple[str, ...] = ()) -> Callable[[nn.Module, Params], Optimizer]:
    """A builder for torch.optim's class `name`, with its fused kernels on the devices in `fused_on`."""

    def build(module: nn.Module, params: Params) -> Optimizer:
        return _make(name, module, _torch_arguments(params), fused_on=fused_on)

    return build


def _make(name: str, module: nn.Module, arguments: dict[str, Any], *, fused_on: tuple[str, ...] = ()) -> Optimizer:
    import torch

    if _fits_fused(module, fused_on):
        arguments = {**arguments, "fused": True}
    optimizer: Optimizer = getattr(torch.optim, name)(module.parameters(), **arguments)
    optimizer.register_load_state_dict_post_hook(match_layout)
    return optimizer


def _fits_fused(module: nn.Module, devices: tuple[str, ...]) -> bool:
    # One fused kernel for all parameters halves an update's time for small networks on the CPU.
    return all(p.device.type in devices and p.is_floating_point() for p in module.parameters())


def _torch_arguments(params: Params) -> dict[str, Any]:
    """`params` under PyTorch's names: `lr` for `learning_rate`, `betas` for the two."""
    arguments: dict[str, Any] = dict(params)
    arguments["lr"] = arguments.pop("learning_rate")
    if "beta1" in arguments:
        arguments["betas"] = (arguments.pop("beta1"), arguments.pop("beta2"))
    return arguments


def check_nesterov(params: Params) -> None:
    """Raises InputError where Nesterov's form is asked for without momentum."""
    if params["nesterov"] and not params["momentum"]:
        raise InputError(
            "optimizer.nesterov", "Nesterov's form needs momentum, which is 0", "set optimizer.momentum above 0"
        )


def check_steps(params: Params) -> None:
    """Raises InputError where Rprop's smallest step is not below its largest."""
    smallest, largest = number(params, "step_min"), number(params, "step_max")
    if smallest >= largest:
        raise InputError(
            "optimizer.step_min", f"{smallest:g} is not below the largest step", f"a number below {largest:g}"
        )


def build_rprop(module: nn.Module, params: Params) -> Optimizer:
    arguments = {
        "lr": params["learning_rate"],
        "etas": (params["eta_minus"], params["eta_plus"]),
        "step_sizes": (params["step_min"], params["step_max"]),
    }
    return _make("Rprop", module, arguments)


def build_adafactor(module: nn.Module, params: Params) -> Optimizer:
    arguments = {
        "lr": params["learning_rate"],
        "beta2_decay": params["beta2_decay"],
        "eps": (None, params["scale_floor"]),
        "d": params["clipping"],
        "weight_decay": params["weight_decay"],
    }
    return _make("Adafactor", module, arguments)


def build_lbfgs(module: nn.Module, params: Params) -> Optimizer:
    arguments = {
        "lr": params["learning_rate"],
        "max_iter": params["max_iter"],
        "history_size": params["history_size"],
        "line_search_fn": None if params["line_search"] == "none" else params["line_search"],
    }
    return _make("LBFGS", module, arguments)


def build_muon(module: nn.Module, params: Params) -> Optimizer:
    from engine.optimizers.muon import MuonWithAdamW

    shared = {"lr": params["learning_rate"], "weight_decay": params["weight_decay"]}
    muon = {
        **shared,
        "momentum": params["momentum"],
        "nesterov": params["nesterov"],
        "ns_steps": params["ns_steps"],
        "adjust_lr_fn": params["scaling"],
    }
    adamw = {**shared, "betas": (params["beta1"], params["beta2"])}
    if _fits_fused(module, CPU_AND_CUDA):
        adamw["fused"] = True
    optimizer = MuonWithAdamW(module, muon=muon, adamw=adamw)
    optimizer.register_load_state_dict_post_hook(match_layout)
    return optimizer
