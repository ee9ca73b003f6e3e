"""torch's optimizers without torch.compile, which nothing here uses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

_LATER = "__dynamo_disable"  # where torch keeps, on a function, what is called in its place


def leave_compiler_out() -> None:
    """Let optimizers work without loading torch.compile. To be called before the first one is made, and often as liked.

    Making an optimizer and each of its steps import `torch._dynamo`, for code that is being compiled: nine hundred
    modules, and more time than torch itself takes, between Start and the first step. What it would do to code that is
    not compiled is nothing. Optimizers of other packages are left alone, and compiled code goes torch's own way.
    """
    for kind in vars(torch.optim).values():
        if isinstance(kind, type) and issubclass(kind, Optimizer):
            step = vars(kind).get("step")
            if _defined_as(step, "_use_grad"):
                kind.step = _eager(step)  # type: ignore[method-assign]  # each has its own signature
    for method in vars(Optimizer).values():
        if _defined_as(method, "inner") and not hasattr(method.__wrapped__, _LATER):
            setattr(method.__wrapped__, _LATER, method.__wrapped__)


def _defined_as(method: Any, name: str) -> bool:
    """Whether `method` is the wrapper of that name, rather than a method of torch's that has none, or ours."""
    code = getattr(method, "__code__", None)
    return code is not None and code.co_name == name and hasattr(method, "__wrapped__")


def _eager(step: Any) -> Callable[..., Any]:
    plain = step.__wrapped__

    @functools.wraps(plain)
    def eager(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return step(self, *args, **kwargs)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return plain(self, *args, **kwargs)

    return eager
