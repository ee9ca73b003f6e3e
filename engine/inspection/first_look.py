"""A first look at a network: its shapes and parameters, one pass forward and back, and one update, number by number."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.datasets.prepare import to_inputs
from engine.errors import InputError
from engine.inspection.formulas import formula, reshaped
from engine.networks.network import Shape

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from engine.live import LiveNetwork

Values = NDArray[np.float32]

RATE = 0.01  # learning rate of the one update
SHOWN = 8  # values of a parameter that the update is shown with


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeStep:
    """One layer on the way from the input to the outputs. Shapes are those of one sample, without the batch.

    Attributes:
        name: the module's path; empty for what the network does between its layers.
        kind: the module's class, `Conv2d`; empty for what happens between layers.
            formula: how the output's size follows from the input's, in lines; empty where the shape stays.
    """

    name: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    formula: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSize:
    """A parameter tensor: `conv1.weight`, (6, 1, 5, 5), 150."""

    name: str
    shape: Shape
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """The watched parameter's gradient at one moment: float32, flat, or None where there is none."""

    when: str
    gradient: Values | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Update:
    """The first values of the watched parameter before and after w ← w − rate · gradient. Each float32, flat.

    Attributes:
        by_hand: computed as `w.sub(w.grad, alpha=rate)`, one operation, rounded once.
        by_sgd: what `torch.optim.SGD` made of it.
        largest_difference: between the two, over all parameters of the network.
        rounded_twice: the largest difference where the product is rounded before it is taken away, `w - rate * w.grad`.
    """

    rate: float
    before: Values
    gradient: Values
    by_hand: Values
    by_sgd: Values
    largest_difference: float
    rounded_twice: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstLook:
    """What a first look finds. Arrays are owned and cannot be written to.

    Attributes:
        seed: of all that was drawn: input, vector and target.
        drawn_input: whether the input is a drawn one.
        steps: the layers in the order in which the forward pass finishes them.
        parameters: all parameter tensors in the order of declaration.
        input: float32 (*input shape).
        outputs, vector, target: float32 (K,): what the network gives, what is sent back first, what it is told to give.
        largest: place of the largest output.
        vector_gradient: float32 (*input shape): what reaches the input when `vector` is sent back from the outputs.
        loss: mean((outputs − target)²).
        loss_gradient: float32 (*input shape): what reaches the input from the loss.
        watched: name of the parameter whose gradient is followed: the first bias, or the first parameter where there is
            no bias; empty where there is none at all.
        moments: its gradient, step by step.
        update: None where there is no parameter to update.
    """

    seed: int
    drawn_input: bool
    steps: tuple[ShapeStep, ...]
    parameters: tuple[ParameterSize, ...]
    input: Values
    outputs: Values
    largest: int
    vector: Values
    vector_gradient: Values
    target: Values
    loss: float
    loss_gradient: Values
    watched: str
    moments: tuple[Moment, ...]
    update: Update | None


def first_look(
    network: nn.Module, input_shape: Shape, *, seed: int, sample: Values | None = None, rate: float = RATE
) -> FirstLook:
    """Look at `network`, which stays as it is: all is done with a copy on the CPU, in evaluation mode.

    Torch's global random state is neither read nor changed: input, vector and target, all of N(0, 1), come from a
    generator of their own, in this order.

    Args:
        network: maps float (N, *input_shape) to one tensor (N, …). No one may be changing its weights meanwhile.
        input_shape: of one input, without the batch.
        seed: what the drawn numbers follow from.
        sample: float32 (*input_shape), an input to take instead of a drawn one. The other draws stay the same.
        rate: learning rate of the update.

    Raises InputError where the network does not give one tensor, and RuntimeError, as torch words it, where it does not
    take that shape.
    """
    own = copy.deepcopy(network).cpu().eval()
    own.zero_grad(set_to_none=True)
    generator = torch.Generator().manual_seed(seed)
    dtype = next((weight.dtype for weight in own.parameters() if weight.is_floating_point()), torch.float32)
    drawn = torch.randn((1, *input_shape), generator=generator).to(dtype)
    given = drawn if sample is None else torch.from_numpy(np.array(sample, dtype=np.float32)).reshape(drawn.shape)
    inputs = given.to(dtype).requires_grad_()
    watched = _watched(own)

    def gradient() -> Values | None:
        return None if watched is None or watched[1].grad is None else _array(watched[1].grad.flatten())

    with torch.enable_grad():
        moments = [Moment(when="at first", gradient=gradient())]
        steps, outputs = _forward(own, inputs)
        vector = torch.randn(outputs.shape, generator=generator).to(dtype)
        target = torch.randn(outputs.shape, generator=generator).to(dtype)
        torch.autograd.backward(outputs, vector)
        moments.append(Moment(when="after outputs.backward(vector)", gradient=gradient()))
        vector_gradient = _taken(inputs)
        own.zero_grad(set_to_none=False)
        moments.append(Moment(when="after zero_grad()", gradient=gradient()))
        loss = nn.functional.mse_loss(_tensor(own(inputs.clone())), target)
        torch.autograd.backward(loss)
        moments.append(Moment(when="after loss.backward()", gradient=gradient()))
    return FirstLook(
        seed=seed,
        drawn_input=sample is None,
        steps=steps,
        parameters=tuple(
            ParameterSize(name=name, shape=tuple(weight.shape), count=weight.numel())
            for name, weight in own.named_parameters()
        ),
        input=_array(inputs[0]),
        outputs=_array(outputs[0].flatten()),
        largest=int(outputs[0].argmax()),
        vector=_array(vector[0].flatten()),
        vector_gradient=vector_gradient,
        target=_array(target[0].flatten()),
        loss=loss.item(),
        loss_gradient=_taken(inputs),
        watched="" if watched is None else watched[0],
        moments=tuple(moments) if watched is not None else (),
        update=None if watched is None else _update(own, watched[1], rate),
    )


def as_input(network: LiveNetwork, sample: NDArray[Any]) -> Values:
    """What `network` is fed for one sample of its dataset: float32 (*input shape)."""
    inputs = to_inputs(torch.from_numpy(np.array(sample[None])), network.info, network.input_shape)
    return _array(inputs[0])


def _watched(network: nn.Module) -> tuple[str, nn.Parameter] | None:
    """The first bias that is learned, or the first parameter that is."""
    learned = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    biases = (item for item in learned if item[0].rpartition(".")[2] == "bias")
    return next(biases, learned[0] if learned else None)


def _forward(network: nn.Module, inputs: Tensor) -> tuple[tuple[ShapeStep, ...], Tensor]:
    """The outputs, and the steps of the modules that have no modules in them. `network` is its own to hook."""
    steps: list[ShapeStep] = []

    def follow(name: str, module: nn.Module) -> RemovableHandle:
        def note(_module: nn.Module, given: tuple[object, ...], output: object) -> None:
            source = next((part for part in given if isinstance(part, Tensor)), None)
            if source is None or not isinstance(output, Tensor):
                return
            before, after = tuple(source.shape[1:]), tuple(output.shape[1:])
            last = steps[-1].output_shape if steps else tuple(inputs.shape[1:])
            if arranged := reshaped(last, before):
                steps.append(ShapeStep(name="", kind="", input_shape=last, output_shape=before, formula=arranged))
            lines = formula(module, before, after)
            kind = type(module).__name__
            steps.append(ShapeStep(name=name, kind=kind, input_shape=before, output_shape=after, formula=lines))

        return module.register_forward_hook(note)

    with ExitStack() as stack:
        for name, module in network.named_modules():
            if not any(module.children()):
                stack.callback(follow(name or type(module).__name__, module).remove)
        # A clone: an activation that works in place must not write over the input itself.
        outputs = _tensor(network(inputs.clone()))
    return tuple(steps), outputs


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor) or not output.shape or not output[0].numel():
        raise InputError("network", "it does not give one tensor for an input", "a network with one output tensor")
    return output


def _taken(inputs: Tensor) -> Values:
    """The gradient that has reached the inputs; afterwards there is none. 0 where the outputs do not depend on them."""
    found, inputs.grad = inputs.grad, None
    return _array(torch.zeros_like(inputs[0]) if found is None else found[0])


def _update(network: nn.Module, watched: nn.Parameter, rate: float) -> Update:
    """One update by hand and by SGD, with the gradients that are there. The network has the new weights afterwards."""
    learned = [weight for weight in network.parameters() if weight.grad is not None]
    before = watched.detach().clone().flatten()
    gradients = [_gradient(weight) for weight in learned]
    by_hand = [weight.detach().sub(slope, alpha=rate) for weight, slope in zip(learned, gradients, strict=True)]
    twice = [weight.detach() - rate * slope for weight, slope in zip(learned, gradients, strict=True)]
    torch.optim.SGD(learned or [watched], lr=rate).step()
    place = next((index for index, weight in enumerate(learned) if weight is watched), None)
    return Update(
        rate=rate,
        before=_array(before[:SHOWN]),
        gradient=_array(_gradient(watched).flatten()[:SHOWN]),
        by_hand=_array(before[:SHOWN] if place is None else by_hand[place].flatten()[:SHOWN]),
        by_sgd=_array(watched.detach().flatten()[:SHOWN]),
        largest_difference=_largest(by_hand, learned),
        rounded_twice=_largest(twice, learned),
    )


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def _largest(mine: Iterable[Tensor], theirs: Iterable[Tensor]) -> float:
    return max(
        ((a - b.detach()).abs().max().item() for a, b in zip(mine, theirs, strict=True) if a.numel()), default=0.0
    )


def _array(tensor: Tensor) -> Values:
    values = np.array(tensor.detach().numpy(), dtype=np.float32, order="C")
    values.flags.writeable = False
    return values
