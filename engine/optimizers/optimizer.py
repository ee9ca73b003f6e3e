"""What an optimizer entry is, and how a setting of a live optimizer is read and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog import Entry, Params
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
            and in its memory format. Raises InputError where settings do not fit each other.
        closure: `step` wants a function that computes the batch's loss and gradients anew, and calls it repeatedly.
    """

    build: Callable[[nn.Module, Params], Optimizer]
    closure: bool = False


def hyperparameter(optimizer: Optimizer, name: str) -> float:
    """The present value of the setting `name`, such as `learning_rate`. Raises InputError where there is none."""
    key, place = _GROUP_KEYS.get(name, (name, None))
    for group in optimizer.param_groups:
        if key in group:
            return float(group[key] if place is None else group[key][place])
    raise _unknown(optimizer, name)


def set_hyperparameter(optimizer: Optimizer, name: str, value: float) -> None:
    """Changes the setting `name` of every parameter group that has it, effective at the next step.

    The value is taken as it is: check it with the entry's Param first. Raises InputError where there is no such setting.
    """
    key, place = _GROUP_KEYS.get(name, (name, None))
    found = False
    for group in optimizer.param_groups:
        if key in group:
            group[key] = value if place is None else _replaced(group[key], place=place, value=value)
            found = True
    if not found:
        raise _unknown(optimizer, name)


def _replaced(pair: tuple[Any, ...], *, place: int, value: float) -> tuple[Any, ...]:
    return (*pair[:place], value, *pair[place + 1 :])


def _unknown(optimizer: Optimizer, name: str) -> InputError:
    return InputError(f"optimizer.{name}", f"{type(optimizer).__name__} has no such setting")
