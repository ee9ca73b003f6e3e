"""PrivateRandom: random numbers of one's own, beside a run that draws from torch's generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

State = Mapping[str, Tensor]
"""The state of torch's generators by type of device: `cpu`, and the accelerator's where there is one."""


def random_state(device: torch.device) -> dict[str, Tensor]:
    """What torch's generators for the CPU and for `device` will draw from. Reading it changes nothing."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


@contextmanager
def random_kept(device: torch.device) -> Iterator[None]:
    """Afterwards torch's generators for the CPU and for `device` are as they were before."""
    before = random_state(device)
    try:
        yield
    finally:
        for kind, state in before.items():
            _set_global(state, device if kind == device.type else torch.device(kind))


class PrivateRandom(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    """A context in which the calling thread draws from generators of its own, which go on from one use to the next.

    torch's generators belong to all threads: to set and restore them, as `random_kept` does, would give a run on
    another thread other numbers meanwhile. Here every operation that draws is handed a generator instead. The few that
    take none, a fused dropout on an accelerator among them, borrow torch's for the length of one call.

    Args:
        device: where is computed.
        state: what to draw from first.

    Attributes:
        drawn: whether anything was, so far.
    """

    def __init__(self, device: torch.device, state: State) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self._device = device
        self._generators = {kind: torch.Generator(device if kind == device.type else kind) for kind in state}
        self.state = state
        self.drawn = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing here is compiled: else torch loads its compiler at the first operation, which takes seconds."""
        return False

    @property
    def state(self) -> State:
        return {kind: generator.get_state() for kind, generator in self._generators.items()}

    @state.setter
    def state(self, state: State) -> None:
        for kind, generator in self._generators.items():
            generator.set_state(state[kind])

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        generator = self._generators[self._kind_of(args, kwargs)]
        drawing = _with_generator(func)
        if drawing is None:
            if torch._C._dispatch_has_kernel_for_dispatch_key(func._name, "CompositeImplicitAutograd"):
                with self:  # what it is made of comes here in its turn, as of dropout where no gradients are kept
                    return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
            self.drawn = True
            with self._lent(generator):
                return func(*args, **kwargs)
        place = [argument.name for argument in drawing._schema.arguments].index("generator")
        if len(args) <= place and kwargs.get("generator") is None:  # else the network brought one of its own
            self.drawn = True
            kwargs["generator"] = generator
        return drawing(*args, **kwargs)

    def _kind_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The type of the device that an operation computes on."""
        device = kwargs.get("device")
        tensor = next((argument for argument in args if isinstance(argument, Tensor)), None)
        if tensor is not None:
            device = tensor.device
        kind = torch.device(device).type if device is not None else "cpu"
        return kind if kind in self._generators else "cpu"

    @contextmanager
    def _lent(self, generator: torch.Generator) -> Iterator[None]:
        device = generator.device
        with random_kept(device):
            _set_global(generator.get_state(), device)
            yield
            generator.set_state(random_state(device)[device.type])


def _with_generator(func: torch._ops.OpOverload) -> torch._ops.OpOverload | None:
    """The same operation with a generator among its arguments, None where there is no such one."""
    name = func._schema.overload_name
    for candidate in (name, f"{name}_generator" if name else "generator"):
        if candidate != name and candidate not in func.overloadpacket.overloads():
            continue
        found: torch._ops.OpOverload = getattr(func.overloadpacket, candidate or "default")
        if any(argument.name == "generator" for argument in found._schema.arguments):
            return found
    return None


def _set_global(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
