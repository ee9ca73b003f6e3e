"""All that is settled before the first step: data in memory, the network, the device and its best settings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from engine.assembly import Assembly, assemble
from engine.batches import Batches
from engine.config import RunConfig
from engine.control import RunControl
from engine.datasets.data import Dataset, Samples
from engine.datasets.library import Library
from engine.devices import Device, pick_device
from engine.errors import InputError
from engine.events import Preparing
from engine.live import LiveNetwork
from engine.losses import Loss
from engine.optimizers import OPTIMIZERS
from engine.tuning import Tuned, Tuner

StepOf = Callable[[Loss, Device, nn.Module, Optimizer, Batches], Callable[[], object]]
"""From a loss, a device, a copy of the network, its optimizer and one batch to a function that does a training step."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run works with. `parts.network` is the untrained network as it came; `network` lies on the device."""

    parts: Assembly
    network: nn.Module
    optimizer: Optimizer
    device: Device
    tuned: Tuned
    train: Batches
    validation: Batches
    test: Batches
    live: LiveNetwork


def prepare(
    config: RunConfig,
    control: RunControl,
    library: Library,
    tuner: Tuner,
    step_of: StepOf | None = None,
    *,
    settled: Tuned | None = None,
    aside: bool = False,
) -> Generator[Preparing, None, Ready | None]:
    """Yields progress and returns what is ready, or None where the run is told to stop meanwhile.

    `settled` is taken instead of measuring the thread count and memory format; without `step_of` nothing is measured
    either. `aside`: torch's random state and its thread count stay as they are, as they must where a run may be under
    way.
    Raises InputError for data that cannot be had, parts that do not fit and a device that is not there.
    """
    device = pick_device(config.training.device, config.training.precision)
    optimizer = OPTIMIZERS[config.optimizer.name]
    if device.scaler is not None and optimizer.closure:
        raise InputError("training.precision", f"{optimizer.label} cannot do {device.precision}", "use float32")
    if optimizer.closure:  # torch's LBFGS views every gradient as a flat vector
        training = config.training.model_copy(update={"memory_format": "contiguous"})
        config = config.model_copy(update={"training": training})
    data = yield from _load(config, control, library)
    if data is None:
        return None
    batch_size = config.training.batch_size
    if batch_size > len(data.train):
        size = len(data.train)
        raise InputError(
            "training.batch_size", f"{batch_size:,} is more than the {size:,} training samples", f"up to {size:,}"
        )
    if not len(data.test):
        raise InputError("dataset", f"{data.info.label} has no test samples", "another dataset")
    yield Preparing("Building the network")
    parts = assemble(config, aside=aside)
    first = Samples(data.train.inputs[:batch_size], data.train.targets[:batch_size])
    tuned = Tuned(config.training.threads or torch.get_num_threads(), config.training.memory_format == "channels_last")
    if settled is not None:
        tuned = settled
    elif step_of is not None and device.handle.type == "cpu":

        def trial(network: nn.Module, channels_last: bool) -> Callable[[], object]:
            network = _arranged(network, channels_last=channels_last)
            batch = Batches(first, parts, device.handle, channels_last=channels_last)
            return step_of(parts.loss, device, network, optimizer.build(network, config.optimizer.params), batch)

        yield Preparing("Measuring the best thread count and memory format")
        for choice in tuner.tune(config, parts.network, trial):
            if control.stopping:
                return None
            tuned = choice or tuned
    if device.handle.type == "cpu" and not aside:
        torch.set_num_threads(tuned.threads)
    yield Preparing("Arranging the data in memory")
    splits = []
    for samples in (data.train, data.validation, data.test):
        splits.append(Batches(samples, parts, device.handle, channels_last=tuned.channels_last))
        if control.stopping:
            return None
    network = _arranged(parts.network.to(device.handle), channels_last=tuned.channels_last)
    return Ready(
        parts=parts,
        network=network,
        optimizer=optimizer.build(network, config.optimizer.params),
        device=device,
        tuned=tuned,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        live=LiveNetwork(network, info=parts.info, input_shape=parts.input_shape, loss=parts.loss),
    )


def _load(config: RunConfig, control: RunControl, library: Library) -> Generator[Preparing, None, Dataset | None]:
    loading = library.load(config.dataset.name, config.dataset.params)
    with contextlib.closing(loading):
        while not control.stopping:
            try:
                yield next(loading)
            except StopIteration as end:
                data: Dataset = end.value
                return data
    return None


def _arranged(network: nn.Module, *, channels_last: bool) -> nn.Module:
    if not channels_last:
        return network
    arranged: nn.Module = network.to(memory_format=torch.channels_last)
    return arranged
