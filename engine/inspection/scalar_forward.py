"""The forward pass of a program of scalars: each operation as Python and torch would do it, and noted."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.inspection.expressions import (
    Binary,
    Call,
    Expression,
    Name,
    Negative,
    Number,
    Program,
    Span,
    is_constant,
)

if TYPE_CHECKING:
    import torch
    from torch.autograd.graph import Node

    Value: TypeAlias = torch.Tensor | float  # a float comes of numbers alone

OVERFLOW = "overflow, since float32 ends at 3.4e+38"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """What an operation was given: as it is written, and its value."""

    text: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Where inf or nan was made of what was neither: a sentence, without a final stop, that says how."""

    span: Span
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was computed when torch made a node.

    Attributes:
        operation: `+`, `-`, `*`, `/`, `**`, `negative`, `reciprocal` or a function.
        text: the expression as it is written.
        slots: to which operand each input of the node belongs that passes a gradient on.
    """

    operation: str
    text: str
    operands: tuple[Operand, ...]
    slots: dict[int, int]
    value: float
    span: Span


class Forward:
    """Runs a program in float32 on the CPU.

    Attributes:
        tensors: by the program's names, each of shape ().
        made: by torch's node, which is kept alive here.
        troubles: in the order in which they came up.
    """

    def __init__(self, program: Program) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.made: dict[Node, Made] = {}
        self.troubles: list[Trouble] = []
        self._program = program
        self._functions = _functions()

    def run(self) -> None:
        import torch

        for assignment in self._program.assignments:
            with torch.no_grad() if assignment.no_grad else contextlib.nullcontext():
                value = self._evaluate(assignment.value)
            if isinstance(value, float):
                value = _tensor(value).requires_grad_(not assignment.no_grad)
            self.tensors[assignment.name] = value

    def _evaluate(self, expression: Expression) -> Value:
        match expression:
            case Number(value=value, span=span):
                rounded = _tensor(value).item()
                if math.isinf(rounded):
                    self._trouble(span, rounded, OVERFLOW)
                return rounded
            case Name(name=name):
                return self.tensors[name]
            case Negative(operand=operand):
                return self._apply("negative", expression, [operand])
            case Call(function=function, operand=operand):
                return self._apply(function, expression, [operand])
            case Binary(operator=sign, left=left, right=right):
                return self._apply(sign, expression, [left, right])

    def _apply(self, operation: str, expression: Expression, parts: Sequence[Expression]) -> Value:
        import torch

        text, span = self._program.text(expression.span), expression.span
        given = [self._evaluate(part) for part in parts]
        operands = [
            Operand(text=self._program.text(part.span), value=_item(value))
            for part, value in zip(parts, given, strict=True)
        ]
        if all(isinstance(value, float) for value in given):
            # Numbers alone: torch computes them too, so that dividing by zero is no exception but inf.
            result: torch.Tensor = self._functions[operation](*[_tensor(_item(value)) for value in given])
        elif operation == "/" and isinstance(given[0], float) and isinstance(given[1], torch.Tensor):
            # What number / tensor is in torch: two nodes.
            inverse = torch.reciprocal(given[1])
            part = Operand(text=_inverse(operands[1].text), value=inverse.item())
            self._note("reciprocal", part.text, [operands[1]], [given[1]], inverse, span)
            result = inverse * given[0]
            self._note("*", text, [part, operands[0]], [inverse, given[0]], result, span)
        else:
            result = self._functions[operation](*given)
            self._note(operation, text, operands, given, result, span)
        value = result.item()
        if reason := trouble(operation, [operand.value for operand in operands], value):
            self._trouble(span, value, reason)
        return float(value) if is_constant(expression) else result

    def _note(
        self,
        operation: str,
        text: str,
        operands: Sequence[Operand],
        given: Sequence[Value],
        result: torch.Tensor,
        span: Span,
    ) -> None:
        node = result.grad_fn
        if node is None:
            return
        inputs = [slot for slot, (target, _) in enumerate(node.next_functions) if target is not None]
        differentiable = [i for i, value in enumerate(given) if not isinstance(value, float) and value.requires_grad]
        self.made[node] = Made(
            operation=operation,
            text=text,
            operands=tuple(operands),
            slots=dict(zip(inputs, differentiable, strict=True)),
            value=result.item(),
            span=span,
        )

    def _trouble(self, span: Span, value: float, reason: str) -> None:
        sentence = f"Line {span.line}: {self._program.text(span)} is {value}: {reason}"
        self.troubles.append(Trouble(span=span, sentence=sentence))


def trouble(operation: str, operands: Sequence[float], value: float) -> str:
    """Why `operation` made inf or nan; empty where the result is finite or an operand was the same already."""
    if math.isfinite(value) or any(math.isnan(operand) for operand in operands):
        return ""
    first, last = operands[0], operands[-1]
    infinite = any(math.isinf(operand) for operand in operands)
    if math.isinf(value):
        if operation == "/" and last == 0:
            return "division by zero"
        if operation == "**" and first == 0:
            return "division by zero, since a negative power divides"
        if operation == "log" and first == 0:
            return "the logarithm falls without end towards 0"
        return "" if infinite else OVERFLOW
    match operation:
        case "/" if first == 0 and last == 0:
            return "0 divided by 0 has no value"
        case "/" if not infinite:
            return "1 divided by so small a number is inf, and 0 times inf has no value"
        case "/":
            return "inf divided by inf has no value"
        case "+" | "-":
            return "inf minus inf has no value"
        case "*":
            return "0 times inf has no value"
        case "log":
            return "the logarithm of a negative number is not a real number"
        case "sqrt":
            return "the square root of a negative number is not a real number"
        case "**" if not infinite:
            return "a negative number to a power that is not whole is not a real number"
        case _:
            return "it has no value at inf"


def _functions() -> dict[str, Callable[..., Any]]:
    import torch

    return {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "**": operator.pow,
        "negative": operator.neg,
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "sin": torch.sin,
        "cos": torch.cos,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
        "abs": torch.abs,
        "square": torch.square,
        "detach": torch.detach,
    }


def _tensor(value: float) -> torch.Tensor:
    import torch

    return torch.tensor(value, dtype=torch.float32, device="cpu")


def _item(value: Value) -> float:
    return value if isinstance(value, float) else value.item()


def _inverse(text: str) -> str:
    return f"1/{text}" if text.isidentifier() else f"1/({text})"
