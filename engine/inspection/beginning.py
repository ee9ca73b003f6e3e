"""The network that a run starts with, made beside any run without drawing from torch's global generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.assembly import set_parameters
from engine.config import RunConfig
from engine.errors import InputError
from engine.live import LiveNetwork
from engine.losses import LOSSES
from engine.networks import NETWORKS


class OwnDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves the base unannotated
    """While it is entered, all random numbers that this thread's tensors draw come from `generator`.

    They are the numbers that torch's global generator would give from the same seed. That generator is neither read
    nor moved on, and other threads notice nothing. A draw that cannot be redirected raises InputError.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._generator = generator

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        given = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and given.get("generator") is None:
            drawing = _taking_a_generator(func)
            if drawing is None:
                raise InputError("network", f"{func} draws random numbers that cannot be told apart from a run's")
            func, given["generator"] = drawing, self._generator
        return func(*args, **given)


def _taking_a_generator(func: torch._ops.OpOverload[..., object]) -> torch._ops.OpOverload[..., object] | None:
    """`func`, or its sister with the same arguments and a generator: randn.generator for randn.default."""
    names = [argument.name for argument in func._schema.arguments]
    if "generator" in names:
        return func
    for overload in func.overloadpacket.overloads():
        other: torch._ops.OpOverload[..., object] = getattr(func.overloadpacket, overload)
        if [argument.name for argument in other._schema.arguments if argument.name != "generator"] == names:
            has_generator = len(other._schema.arguments) > len(names)
            if has_generator:
                return other
    return None


def beginning(config: RunConfig) -> LiveNetwork:
    """The untrained network of `config` on the CPU: the weights that a run of it starts with, bit for bit.

    As `engine.live.untrained`, but torch's global random state stays as it is, so it may be called from any thread
    while a run draws from that. Raises InputError where the parts do not fit, `initial_parameters` do not match, or the
    network draws its weights in a way that cannot be followed.
    """
    info = config.dataset_info()
    entry, loss_entry = NETWORKS[config.network.name], LOSSES[config.loss.name]
    input_shape = entry.fit(info, config.network.params)
    with OwnDraws(torch.Generator().manual_seed(config.training.seed)):
        network = entry.build(input_shape, loss_entry.outputs(info), config.network.params)
    if config.initial_parameters is not None:
        set_parameters(network, config.initial_parameters)
    loss = loss_entry.build(config.loss.params, info)
    return LiveNetwork(network, info=info, input_shape=input_shape, loss=loss)
