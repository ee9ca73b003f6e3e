"""The microscope: one training step in five buttons, on a copy of all that a run's next step needs."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from engine.errors import InputError
from engine.inspection.looks import (
    OUTPUTS,
    SAMPLES,
    STAGES,
    Figures,
    Look,
    Outputs,
    ParameterLook,
    Stage,
    figures,
    owned,
    part_of,
    sealed,
)
from engine.inspection.private_random import PrivateRandom
from engine.inspection.specimen import Specimen, copy_device, copy_network, copy_optimizer

__all__ = ["Microscope", "Specimen"]


class Microscope:
    """Presses the five buttons on a specimen, in the order and as often as the reader likes.

    What can be pressed and why not is in each Look. Straight through, zero_grad to step, it computes what the run's own
    next step does, bit for bit; the specimen itself is left as it is. Its dropout draws what the run's will, from
    generators of its own. All methods compute and may take as long as a training step; one thread at a time.
    """

    def __init__(self, specimen: Specimen) -> None:
        self.specimen = specimen
        self.again()

    def again(self) -> Look:
        """Back to the specimen's start."""
        specimen = self.specimen
        self._device = copy_device(specimen.device)
        self._random = PrivateRandom(specimen.device.handle, specimen.random)
        with self._random:
            self._network = copy_network(specimen.network).train()
            self._optimizer = copy_optimizer(specimen.config, specimen.optimizer, self._network)
        self._random.state = specimen.random
        self._parameters = dict(self._network.named_parameters())
        self._outputs: Tensor | None = None  # of the last forward pass, with its graph where that is not spent
        self._value: Tensor | None = None
        self._loss: float | None = None
        self._has_graph = False
        self._is_fresh = False  # the gradients are of a backward pass since the last step
        self._steps = 0
        self._gradients = self._copy_gradients()
        self._changes: dict[str, Tensor] | None = None
        self._mark()
        self._at = self._look(None, self._welcome())
        return self._at

    @property
    def at(self) -> Look:
        """The look after the last button."""
        return self._at

    # The five buttons. Each raises InputError where it cannot be pressed now.

    def zero_grad(self) -> Look:
        return self._press("zero_grad", self._zero_grad)

    def forward(self) -> Look:
        return self._press("forward", self._forward)

    def compute_loss(self) -> Look:
        return self._press("loss", self._compute_loss)

    def backward(self) -> Look:
        return self._press("backward", self._backward)

    def step(self) -> Look:
        return self._press("step", self._step)

    def press(self, stage: Stage) -> Look:
        """The button of that name."""
        return {
            "zero_grad": self.zero_grad,
            "forward": self.forward,
            "loss": self.compute_loss,
            "backward": self.backward,
            "step": self.step,
        }[stage]()

    def look(self, name: str) -> ParameterLook:
        """One parameter now. Raises InputError for a name that the network has not."""
        parameter = self._parameters.get(name)
        if parameter is None:
            raise InputError(
                "microscope.parameter",
                f"the network has no parameter {name!r}",
                "known are " + ", ".join(self._parameters),
            )
        shape = tuple(parameter.shape)
        values = self._figures(parameter)
        before = self._gradients[name]
        return ParameterLook(
            name=name,
            shape=shape,
            part=part_of(shape, values.picture),
            values=values,
            gradient_before=None if before is None else self._figures(before),
            gradient=None if parameter.grad is None else self._figures(parameter.grad),
            change=None if self._changes is None else self._figures(self._changes[name]),
        )

    def _figures(self, tensor: Tensor) -> Figures:
        return figures(tensor, input_shape=self.specimen.input_shape)

    # What they do.

    def _press(self, stage: Stage, act: Callable[[], str]) -> Look:
        problem = self._refusals().get(stage)
        if problem:
            raise InputError(f"microscope.{stage}", problem)
        self._gradients = self._copy_gradients()
        text = _with_threads(self.specimen.threads, lambda: self._in_private(act))
        self._at = self._look(stage, text)
        return self._at

    def _in_private(self, act: Callable[[], str]) -> str:
        with self._random:
            return act()

    def _zero_grad(self) -> str:
        cleared = sum(gradient is not None for gradient in self._gradients.values())
        self._optimizer.zero_grad()
        if not cleared:
            return "There was nothing to clear: .grad is None for every parameter."
        return (
            f"The gradients of {_many(cleared, 'parameter')} are gone. .grad is None now: there is no gradient, which "
            "is not the same as a gradient of zeros."
        )

    def _forward(self) -> str:
        before = [buffer.detach().clone() for buffer in self._network.buffers()]
        self._outputs, self._value, self._has_graph = self._run_network(), None, True
        self._loss = None
        text = (
            f"The {_many(len(self.specimen.inputs), 'sample')} went through the network and gave outputs of shape "
            f"{_by(self._outputs.shape)}. No weight and no gradient changed."
        )
        moved = [
            name
            for (name, buffer), old in zip(self._network.named_buffers(), before, strict=True)
            if not torch.equal(buffer, old)
        ]
        if moved:
            text += f" Running statistics moved on: {_names(moved)}."
        return text

    def _compute_loss(self) -> str:
        assert self._outputs is not None
        with self._autocast():
            self._value = self.specimen.loss(self._outputs, self.specimen.targets)
        self._loss = float(self._value.detach())
        return (
            f"The loss over these {_many(len(self.specimen.inputs), 'sample')} is {self._loss:.6g}, one number that "
            "remembers how it came about. Nothing else changed."
        )

    def _backward(self) -> str:
        assert self._value is not None
        before = _norm(self._gradients.values())
        value = self._value if self._device.scaler is None else self._device.scaler.scale(self._value)
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self._has_graph, self._is_fresh = False, True
        now = {name: parameter.grad for name, parameter in self._parameters.items()}
        norm, reached = _norm(now.values()), sum(gradient is not None for gradient in now.values())
        if before is None:
            text = f"{_many(reached, 'parameter')} got a gradient; all together they have the norm {norm or 0.0:.4g}."
        else:
            text = (
                "The new gradients were added to those that were still there: without zero_grad they accumulate. "
                f"The norm of all went from {before:.4g} to {norm or 0.0:.4g}."
            )
        if reached < len(now):
            text += f" The loss does not depend on {_names([name for name, grad in now.items() if grad is None])}."
        if self._device.scaler is not None:
            text += (
                f" The loss was multiplied by {self._device.scaler.get_scale():g} first, so that small gradients do "
                "not vanish in float16; the step divides it out again."
            )
        return text

    def _step(self) -> str:
        before = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        was_fresh = self._is_fresh
        evaluations = self._step_with_closure() if self.specimen.closure else self._step_plainly()
        self._changes = {name: parameter.detach() - before[name] for name, parameter in self._parameters.items()}
        self._has_graph, self._is_fresh, self._value = False, False, None
        self._steps += 1
        self._mark()
        moved = [name for name, change in self._changes.items() if bool(change.any())]
        rate = f"with the learning rate {self.specimen.learning_rate:.4g}"
        if not moved:
            text = f"No weight moved, {rate}."
        else:
            text = (
                f"{_many(len(moved), 'parameter')} moved, {rate}; the whole change has the norm "
                f"{_norm(self._changes.values()) or 0.0:.4g}. The gradients are still there."
            )
        if self.specimen.closure:
            text += (
                f" This optimizer computes the batch itself: it did forward, loss and backward {evaluations} times "
                "from where the step began, so what was done before by hand was only for looking."
            )
        elif not was_fresh:
            text += " It went by the gradients of the step before, since there was no backward pass in between."
        return text

    def _step_plainly(self) -> int:
        if self._device.scaler is None:
            self._optimizer.step()
        else:
            self._device.scaler.step(self._optimizer)
            self._device.scaler.update()
        return 0

    def _step_with_closure(self) -> int:
        self._random.state = self._marked_random
        with torch.no_grad():
            for buffer, value in zip(self._network.buffers(), self._marked_buffers, strict=True):
                buffer.copy_(value)
        first: list[tuple[Tensor, Tensor]] = []
        evaluations = 0

        def evaluate_batch() -> float:
            nonlocal evaluations
            evaluations += 1
            for parameter in self._network.parameters():
                parameter.grad = None
            outputs = self._run_network()
            with self._autocast():
                value = self.specimen.loss(outputs, self.specimen.targets)
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            if not first:
                first.append((value.detach(), outputs.detach()))
            return float(value.detach())

        self._optimizer.step(evaluate_batch)
        value, self._outputs = first[0]
        self._loss = float(value)
        return evaluations

    def _run_network(self) -> Tensor:
        inputs = self.specimen.inputs.clone()  # a network may work in place
        with self._autocast():
            outputs: Tensor = self._network(inputs)
        return outputs

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self._device.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.handle.type, dtype=self._device.autocast)

    def _mark(self) -> None:
        """Here the next step begins: an optimizer that computes the batch itself starts from here."""
        self._marked_random = self._random.state
        self._marked_buffers = [buffer.detach().clone() for buffer in self._network.buffers()]

    # What is told.

    def _welcome(self) -> str:
        batch = _many(len(self.specimen.inputs), "sample")
        if not self.specimen.of_run:
            return f"The untrained network and the first batch, {batch}. Press the buttons from left to right."
        return (
            f"A copy of the run before step {self.specimen.step}, with its next batch, {batch}. "
            "The run itself does not notice what is done here."
        )

    def _look(self, done: Stage | None, text: str) -> Look:
        refused = self._refusals()
        following = STAGES[0] if done is None else STAGES[(STAGES.index(done) + 1) % len(STAGES)]
        return Look(
            done=done,
            text=text,
            next=following,
            refused=refused,
            loss=self._loss,
            outputs=None if self._outputs is None else self._told(self._outputs.detach()),
            gradient_norm=_norm(parameter.grad for parameter in self._parameters.values()),
            change_norm=None if self._changes is None else _norm(self._changes.values()),
        )

    def _refusals(self) -> dict[Stage, str]:
        refused: dict[Stage, str] = {}
        if self._outputs is None:
            refused["loss"] = "there are no outputs yet: do the forward pass first"
        elif not self._has_graph:
            refused["loss"] = "these outputs were used up by the backward pass or the step: do a forward pass first"
        if self._value is None:
            refused["backward"] = "there is no loss of this forward pass yet: compute the loss first"
        elif not self._has_graph:
            refused["backward"] = "backward has used up this graph: do the forward pass and the loss again"
        has_gradients = any(parameter.grad is not None for parameter in self._parameters.values())
        if not self.specimen.closure:
            if not has_gradients:
                refused["step"] = (
                    "no parameter has a gradient, so the step would do nothing: do the backward pass first"
                )
            elif self._device.scaler is not None and not self._is_fresh:
                refused["step"] = "with a scaled loss every step needs a backward pass of its own first"
        return refused

    def _told(self, outputs: Tensor) -> Outputs:
        specimen, first = self.specimen, outputs[:SAMPLES]
        predicted: tuple[str, ...] = ()
        true: tuple[str, ...] = ()
        targets = None
        if specimen.labels is not None:
            classes = specimen.info.classes
            predicted = tuple(classes[number] for number in specimen.loss.predict(first).tolist())
            true = tuple(classes[number] for number in specimen.labels[:SAMPLES].tolist())
        else:
            targets = sealed(owned(specimen.targets[:SAMPLES]))
        return Outputs(
            values=sealed(owned(first.reshape(len(first), -1)[:, :OUTPUTS])),
            shape=tuple(outputs.shape),
            predicted=predicted,
            true=true,
            targets=targets,
        )

    def _copy_gradients(self) -> dict[str, Tensor | None]:
        return {
            name: None if parameter.grad is None else parameter.grad.detach().clone()
            for name, parameter in self._parameters.items()
        }


def _with_threads(threads: int, act: Callable[[], str]) -> str:
    """Call `act` where torch computes with `threads` threads, since the order of a sum depends on their number.

    A thread that has set no number of its own gets the run's. To set it here instead would set MKL's for the run too.
    """
    if torch.get_num_threads() == threads:
        return act()
    answers: list[str] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(act())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=work, name="microscope")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def _norm(tensors: Iterable[Tensor | None]) -> float | None:
    """Of all of them together; None where there is none."""
    squares = [float(tensor.detach().double().square().sum()) for tensor in tensors if tensor is not None]
    return math.sqrt(sum(squares)) if squares else None


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _names(names: Sequence[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _by(shape: Sequence[int]) -> str:
    return " × ".join(str(size) for size in shape)
