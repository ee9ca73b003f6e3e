"""The losses as source: a function of outputs and targets, and how outputs become classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.catalog import Params, number
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.script.layout import call, fill, indented


@dataclass(frozen=True, slots=True)
class LossSource:
    """A loss in a script.

    Attributes:
        code: defines `loss_function(outputs, targets)`, targets being class numbers, or values in regression.
        classes: the expression for the classes that `outputs` mean; empty in regression.
    """

    code: str
    classes: str


def loss_source(name: str, info: DatasetInfo, params: Params) -> LossSource:
    """The source of the loss called `name`, for the dataset `info`. Raises InputError for one that is not ours."""
    if name not in _WRITERS:
        raise InputError(
            "script",
            f"the loss {name!r} comes from another package, whose code cannot be written out",
            "these can be written: " + ", ".join(_WRITERS),
        )
    docstring, body = _WRITERS[name](info, params)
    code = fill(
        '''
        def loss_function(outputs, targets):
            """$docstring"""
        $body
        ''',
        docstring=docstring,
        body=indented(body),
    )
    if not info.classes:
        return LossSource(code, "")
    one_output = name in ("bce_with_logits", "bce_written_out") and len(info.classes) == 2
    return LossSource(code, "(outputs[:, 0] > 0).long()" if one_output else "outputs.argmax(dim=1)")


_Written = tuple[str, str]
"""A docstring and a body."""


def _cross_entropy(_info: DatasetInfo, params: Params) -> _Written:
    smoothing = number(params, "label_smoothing")
    arguments = ["outputs", "targets", *([f"label_smoothing={smoothing!r}"] if smoothing else [])]
    return "−log of the probability of the right class.", f"return F.cross_entropy({', '.join(arguments)})"


def _bce_with_logits(info: DatasetInfo, _params: Params) -> _Written:
    if len(info.classes) == 2:
        body = """
            targets = targets.float().unsqueeze(1)
            return F.binary_cross_entropy_with_logits(outputs, targets)
        """
        return "Binary cross entropy: is it class 1?", fill(body)
    body = """
        targets = F.one_hot(targets, $classes).float()
        return F.binary_cross_entropy_with_logits(outputs, targets)
    """
    return "Binary cross entropy: one question a class.", fill(body, classes=len(info.classes))


def _bce_written_out(_info: DatasetInfo, params: Params) -> _Written:
    body = """
        targets = targets.float().unsqueeze(1)
        p = outputs.sigmoid()
        # The logarithm of 0 would be infinite.
        right = targets * p.clamp(min=$least).log()
        wrong = (1 - targets) * (1 - p).clamp(min=$least).log()
        return -(right + wrong).mean()
    """
    return "−(y·log p + (1 − y)·log(1 − p)), as the formula says.", fill(body, least=repr(number(params, "clamp")))


def _distance(docstring: str, function: str, *settings: str) -> Callable[[DatasetInfo, Params], _Written]:
    def write(info: DatasetInfo, params: Params) -> _Written:
        arguments = ["outputs", "targets", *(f"{name}={number(params, name)!r}" for name in settings)]
        lines = [call(f"F.{function}", arguments, levels=1, before="return ")]
        if info.classes:
            lines.insert(0, f"targets = F.one_hot(targets, {len(info.classes)}).float()")
        return docstring, "\n".join(lines)

    return write


_WRITERS: Mapping[str, Callable[[DatasetInfo, Params], _Written]] = {
    "cross_entropy": _cross_entropy,
    "mse": _distance("Mean squared error.", "mse_loss"),
    "bce_with_logits": _bce_with_logits,
    "bce_written_out": _bce_written_out,
    "l1": _distance("Mean absolute error.", "l1_loss"),
    "huber": _distance("Squared for small errors, linear for large ones.", "huber_loss", "delta"),
}
