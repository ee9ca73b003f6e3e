"""An optimizer's state as JSON and tensors, and back, whatever it remembers: lists, numbers, None.

Before anything from a file reaches the optimizer of a run, another one of the same kind, over a copy of the network,
does steps. What is to be restored must be like what they left, and is given to a third one, which must be able to do a
step with it. So an unfit value is refused here, and does not break the run or, in a fused kernel, its memory.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.catalog import Params
from engine.checkpoint_file import refused
from engine.errors import InputError
from engine.optimizers.optimizer import OptimizerEntry, hyperparameter, match_layout

_HOW = ("foreach", "fused", "capturable", "differentiable", "maximize")  # they belong to this machine, not to the state
_MISFIT = "the optimizer's state in the checkpoint does not fit"

Data = dict[str, Any]
"""What JSON can hold."""


def pack_optimizer(optimizer: Optimizer) -> tuple[Data, dict[str, Tensor]]:
    """Options and state as JSON, and copies on the CPU of its tensors. Raises TypeError for what cannot be kept."""
    tensors: dict[str, Tensor] = {}
    groups: list[Data] = []
    state: Data = {}
    for group in optimizer.param_groups:
        options = {key: value for key, value in group.items() if key != "params"}
        packed = {key: _pack(value, f"group.{len(groups)}.{key}", tensors) for key, value in options.items()}
        groups.append({"parameters": len(group["params"]), "options": packed})
    parameters = _parameters(optimizer)
    if len(optimizer.state) > sum(parameter in optimizer.state for parameter in parameters):
        raise TypeError("the optimizer remembers something that belongs to none of its parameters")
    for index, parameter in enumerate(parameters):
        if parameter in optimizer.state:
            kept = optimizer.state[parameter]
            state[str(index)] = {key: _pack(value, f"{index}.{key}", tensors) for key, value in kept.items()}
    return {"groups": groups, "state": state}, tensors


def restore_optimizer(
    entry: OptimizerEntry,
    params: Params,
    *,
    network: nn.Module,
    optimizer: Optimizer,
    data: Data,
    tensors: Mapping[str, Tensor],
) -> None:
    """Give `optimizer` what `pack_optimizer` made of another one.

    Args:
        entry, params: what `optimizer` was built from, over `network`.
        data, tensors: from a file, and not trusted.

    Raises InputError; `optimizer` is then as it was.
    """
    try:
        saved = _Saved(data, tensors)
        for group, (number, _) in zip(optimizer.param_groups, saved.groups, strict=True):
            if len(group["params"]) != number:
                raise ValueError
        # A first step makes what the rule remembers; a second what it remembers of the first.
        sample = entry.build(copy.deepcopy(network), params)
        saved.give_options(sample)
        for _ in range(2):
            _try_step(sample, closure=entry.closure)
        trial = entry.build(copy.deepcopy(network), params)
        saved.give_options(trial)
        _check_range(entry, trial)
        saved.give_state(trial, like=sample, loosely=entry.closure)
        _try_step(trial, closure=entry.closure)
        saved.give_options(optimizer)
        saved.give_state(optimizer, like=sample, loosely=entry.closure)
    except Exception as error:  # whatever an optimizer makes of values that it would never have made
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        raise refused(_MISFIT, "a checkpoint of this set-up") from error


class _Saved:
    """An optimizer's options and state as they came from a file. Methods raise some Exception where they do not fit."""

    def __init__(self, data: Data, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self.groups = [
            (group["parameters"], {key: self._unpack(value) for key, value in group["options"].items()})
            for group in data["groups"]
        ]
        self._state = {int(index): state for index, state in data["state"].items()}

    def give_options(self, optimizer: Optimizer) -> None:
        for group, (_, options) in zip(optimizer.param_groups, self.groups, strict=True):
            if options.keys() != group.keys() - {"params"}:
                raise ValueError
            for key, value in options.items():
                if key not in _HOW:
                    _check_option(value, group[key])
                    group[key] = copy.deepcopy(value)

    def give_state(self, optimizer: Optimizer, *, like: Optimizer, loosely: bool) -> None:
        """Replace the state. `loosely`: the optimizer checks shapes itself and may keep vectors of all parameters."""
        parameters, samples = _parameters(optimizer), _parameters(like)
        if not all(0 <= index < len(parameters) for index in self._state):
            raise ValueError
        total = sum(parameter.numel() for parameter in parameters)
        optimizer.state.clear()
        for index, packed in self._state.items():
            parameter, sample = parameters[index], like.state.get(samples[index], {})
            shapes = {tuple(parameter.shape), (total,)} if loosely else {tuple(parameter.shape)}
            restored = {}
            for key, data in packed.items():
                value, there = self._unpack(data), sample.get(key)
                if not (_is_like(value, there) if key in sample else _fits(value, parameter.dtype, shapes)):
                    raise ValueError(key)
                restored[key] = _moved(value, there.device if isinstance(there, Tensor) else parameter.device)
            optimizer.state[parameter] = restored
        match_layout(optimizer)

    def _unpack(self, data: Any) -> Any:
        match data:
            case list():
                return [self._unpack(item) for item in data]
            case {"tensor": str(name)}:
                return self._tensors[f"optimizer.{name}"].clone()
            case {"tuple": list(items)}:
                return tuple(self._unpack(item) for item in items)
            case {"float": "nan" | "inf" | "-inf" as number}:
                return float(number)
            case dict():
                raise ValueError
        return data


def _pack(value: object, name: str, tensors: dict[str, Tensor]) -> object:
    match value:
        case Tensor():
            tensors[f"optimizer.{name}"] = value.detach().to("cpu", copy=True)
            return {"tensor": name}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case tuple():
            return {"tuple": [_pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]}
        case list():
            return [_pack(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
    raise TypeError(f"the optimizer remembers {name} as {type(value).__name__}, which cannot be kept")


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@torch.no_grad()
def _try_step(optimizer: Optimizer, *, closure: bool) -> None:
    """A step towards goals at a distance of 1 from every parameter."""
    parameters = _parameters(optimizer)
    goals = [parameter + 1 for parameter in parameters]

    def evaluate() -> float:
        for parameter, goal in zip(parameters, goals, strict=True):
            parameter.grad = parameter.detach() - goal
        return sum(float((p.detach() - goal).square().sum()) for p, goal in zip(parameters, goals, strict=True)) / 2

    if closure:
        optimizer.step(evaluate)
    else:
        evaluate()
        optimizer.step()


def _check_range(entry: OptimizerEntry, optimizer: Optimizer) -> None:
    """Raises ValueError for a setting that nobody could have chosen; a schedule may make any rate."""
    rate = hyperparameter(optimizer, "learning_rate")
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError
    for param in entry.params:
        if param.kind in ("int", "float") and param.name != "learning_rate":
            try:
                value = hyperparameter(optimizer, param.name)
            except InputError:  # torch keeps it under a name of its own, and it cannot be changed
                continue
            param.check(value, part="optimizer")


def _check_option(value: object, fresh: object) -> None:
    """Raises ValueError where `value` is not of the kind of `fresh`."""
    if isinstance(fresh, tuple) and isinstance(value, tuple) and len(fresh) == len(value):
        for one, other in zip(value, fresh, strict=True):
            _check_option(one, other)
        return
    if _is_number(fresh) and _is_number(value):
        return
    if isinstance(fresh, Tensor) and isinstance(value, Tensor):
        if (value.shape, value.dtype) == (fresh.shape, fresh.dtype):
            return
    elif type(value) is type(fresh) and value == fresh:
        return
    raise ValueError


def _fits(value: Any, dtype: torch.dtype, shapes: set[tuple[int, ...]]) -> bool:
    """Whether an optimizer may remember `value` for a parameter, for all that is known without an example."""
    if isinstance(value, Tensor):
        return value.numel() == 1 or (value.dtype is dtype and tuple(value.shape) in shapes)
    if isinstance(value, list):
        return all(not isinstance(item, list) and _fits(item, dtype, shapes) for item in value)
    return _is_single(value)


def _is_like(value: Any, sample: Any) -> bool:
    if isinstance(sample, list):
        kinds = [item for item in sample if item is not None]
        return isinstance(value, list) and all(item is None or not kinds or _is_like(item, kinds[0]) for item in value)
    if isinstance(sample, Tensor) and isinstance(value, Tensor):
        return (value.shape, value.dtype) == (sample.shape, sample.dtype)
    return _is_single(sample) and _is_single(value)


def _is_single(value: Any) -> bool:
    return value is None or _is_number(value) or (isinstance(value, Tensor) and value.numel() == 1)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, list):
        return [_moved(item, device) for item in value]
    return value.to(device) if isinstance(value, Tensor) else value
