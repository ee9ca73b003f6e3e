"""What an optimizer entry is, and how a setting of a live optimizer is read and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog import Entry, Params, ParamValue
from engine.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

# Where torch keeps a setting under another name than ours: the key in its param groups, and the place in a pair.
_GROUP_KEYS: dict[str, tuple[str, int | None]] = {
    "learning_rate": ("lr", None),
    "beta1": ("betas", 0),
    "beta2": ("betas", 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerEntry(Entry):
    """An optimizer to pick.

    Attributes:
        build: (module, params) to an optimizer of all the module's parameters. Call it once the module is on its device
            and in its memory format.
        closure: `step` wants a function that computes the batch's loss and gradients anew, and calls it repeatedly.
        check: raises InputError where settings, each sound by itself, do not fit each other.
    """

    build: Callable[[nn.Module, Params], Optimizer]
    closure: bool = False
    check: Callable[[Params], None] | None = None

    def resolve(self, given: Mapping[str, object], *, part: str) -> dict[str, ParamValue]:
        """As `Entry.resolve`; also raises InputError where settings do not fit each other."""
        params = Entry.resolve(self, given, part=part)
        if self.check is not None:
            self.check(params)
        return params


def hyperparameter(optimizer: Optimizer, name: str) -> float:
    """The present value of the setting `name`, such as `learning_rate`. Raises InputError where there is none."""
    key, place = _GROUP_KEYS.get(name, (name, None))
    for group in optimizer.param_groups:
        if key in group:
            return float(group[key] if place is None else group[key][place])
    raise _unknown(optimizer, name)


def set_hyperparameter(optimizer: Optimizer, name: str, value: float) -> None:
    """Changes the setting `name` of every parameter group that has it, effective at the next step.

    The value is taken as it is: check it with the entry's Param first. Raises InputError where there is none.
    """
    key, place = _GROUP_KEYS.get(name, (name, None))
    found = False
    for group in optimizer.param_groups:
        if key in group:
            group[key] = value if place is None else (*group[key][:place], value, *group[key][place + 1 :])
            found = True
            if "centered" in group and key == "momentum" and value:
                _add_momentum_buffers(optimizer, group)
            elif "lambd" in group and key == "lr":
                _renew_averaged_rate(optimizer, group)
    if not found:
        raise _unknown(optimizer, name)


def match_layout(optimizer: Optimizer) -> None:
    """Lays the optimizer's state out in memory as the parameters are.

    The fused kernels read state and parameter side by side without looking at their strides: a contiguous average
    beside a channels_last kernel would be silently mixed up. The entries' optimizers do this by themselves after
    `load_state_dict`; do it by hand where the module's memory format changes under a live optimizer.
    """
    import torch

    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if not isinstance(value, torch.Tensor) or value.shape != parameter.shape:
                continue
            if value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _add_momentum_buffers(optimizer: Optimizer, group: dict[str, Any]) -> None:
    # torch's RMSprop makes them at the first step only, and fails where momentum is switched on later.
    import torch

    for parameter in group["params"]:
        state = optimizer.state.get(parameter)
        if state and "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)


def _renew_averaged_rate(optimizer: Optimizer, group: dict[str, Any]) -> None:
    # torch's ASGD prepares the next step's rate at the end of each step, so a new one would come a step late.
    for parameter in group["params"]:
        state = optimizer.state.get(parameter)
        if state:
            steps = float(state["step"])
            state["eta"].fill_(group["lr"] / (1 + group["lambd"] * group["lr"] * steps) ** group["alpha"])


def _unknown(optimizer: Optimizer, name: str) -> InputError:
    return InputError(f"optimizer.{name}", f"{type(optimizer).__name__} has no such setting")
