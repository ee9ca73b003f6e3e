"""Runs a network's weightless twin and takes down what each layer does."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.inspection.flop_formulas import flop_registry
from engine.inspection.shapes import LayerRow, LayerTable
from engine.networks.network import Shape


def trace(network: nn.Module, input_shape: Shape) -> LayerTable:
    """See `engine.inspection.shapes.layer_table`."""
    twin = weightless_twin(network).eval()
    counter = FlopCounter()
    recorder = _Recorder(twin, counter)
    with torch.enable_grad():  # without gradients attention takes a path of its own, which no formula counts
        sample = torch.zeros((1, *input_shape), dtype=_input_dtype(twin), requires_grad=True).clone()
        with counter:
            twin(sample)
    return LayerTable(
        input_shape=tuple(input_shape),
        rows=tuple(recorder.rows),
        parameters=sum(parameter.numel() for parameter in twin.parameters()),
        flops=counter.flops,
    )


def weightless_twin(network: nn.Module) -> nn.Module:
    """A copy of `network` on the CPU whose tensors hold a single zero, repeated. Nothing of the original is written to.

    The meta device would do without arithmetic, but its first use imports sympy and torch.compile, which takes as long
    as importing torch.

    Hooks that only watch (forward and backward hooks) are left behind, since they belong to whoever watches the
    original; forward pre-hooks come along, since pruning and the like compute weights in them.
    """
    memo: dict[int, object] = {}  # what deepcopy takes to be copied already, by the original's id
    for module in network.modules():
        for hooks in (module._forward_hooks, module._backward_hooks, module._backward_pre_hooks):
            memo[id(hooks)] = OrderedDict()
        for tensor in (*module._parameters.values(), *module._buffers.values(), *vars(module).values()):
            if isinstance(tensor, Tensor) and id(tensor) not in memo:
                memo[id(tensor)] = _zeros(tensor)
    return copy.deepcopy(network, memo)


def _zeros(tensor: Tensor) -> Tensor:
    zeros = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
    return nn.Parameter(zeros, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else zeros


def _input_dtype(network: nn.Module) -> torch.dtype:
    dtypes = (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    return next(dtypes, torch.float32)


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves the base unannotated
    """Adds up floating-point operations by torch's own formulas, in this thread only.

    `torch.utils.flop_counter.FlopCounterMode` gives the same totals, but hooks every module of the process while it
    counts, and so reaches into a training that runs in another thread.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch.compile is to be loaded and told to leave this alone; nothing is compiled here."""
        return False

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=result)
        return result


@dataclass(slots=True)
class _Call:
    """A module at work: the count when it began, and what the modules it called have counted."""

    began_at: int
    within: int = 0


class _Recorder:
    """Makes a row of every layer that finishes. `network` is its own to hook."""

    def __init__(self, network: nn.Module, counter: FlopCounter) -> None:
        self.rows: list[LayerRow] = []
        self._counter = counter
        self._calls: list[_Call] = []
        self._counted: set[int] = set()  # ids of parameters that stand in a row
        for name, module in network.named_modules():
            module.register_forward_pre_hook(self._begin, prepend=True)
            module.register_forward_hook(self._ending(name or type(network).__name__))

    def _begin(self, _module: nn.Module, _inputs: object) -> None:
        self._calls.append(_Call(self._counter.flops))

    def _ending(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def end(module: nn.Module, _inputs: object, output: object) -> None:
            call = self._calls.pop()
            total = self._counter.flops - call.began_at
            if self._calls:
                self._calls[-1].within += total
            new = [parameter for parameter in module.parameters() if id(parameter) not in self._counted]
            self._counted.update(id(parameter) for parameter in new)
            own = total - call.within
            if new or own or not any(module.children()):
                self.rows.append(
                    LayerRow(
                        name=name,
                        kind=type(module).__name__,
                        kernel=_kernel(module),
                        output_shape=tuple(next((tensor.shape[1:] for tensor in _tensors(output)), ())),
                        parameters=sum(parameter.numel() for parameter in new),
                        flops=own,
                    )
                )

        return end


def _kernel(module: nn.Module) -> Shape:
    """Sides of the kernel or window. An int stands for as many equal sides as the class's name says: MaxPool2d."""
    size = getattr(module, "kernel_size", ())
    if isinstance(size, int):
        digits = [letter for letter in type(module).__name__ if letter in "123"]
        return (size,) * int(digits[0] if digits else 1)
    return tuple(size) if isinstance(size, tuple) else ()


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)
