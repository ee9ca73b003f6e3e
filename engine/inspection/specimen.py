"""Specimen: a copy of all that the next step of a run needs."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.assembly import Assembly, assemble
from engine.augmentation import augmentation_of
from engine.batches import Batch, Batches
from engine.config import RunConfig
from engine.data_order import order_of
from engine.datasets.data import Dataset, DatasetInfo, Samples
from engine.devices import Device, pick_device
from engine.errors import InputError
from engine.inspection.private_random import State, random_kept, random_state
from engine.losses import Loss
from engine.optimizers import OPTIMIZERS
from engine.optimizers.optimizer import hyperparameter, set_hyperparameter
from engine.schedules import SCHEDULES

if TYPE_CHECKING:
    from engine.datasets.library import Library


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specimen:
    """A copy of all that the next step of a run needs; the run shares none of it.

    Attributes:
        config: the run's set-up.
        of_run: it was taken from a run under way, not made from a set-up.
        step, epoch: which step it would be, and in which epoch; both from 1.
        learning_rate: what the schedule gives for it, already set in `optimizer`.
        network: in training mode, on its device, in its memory format, with the gradients of the step before.
        optimizer: of the network's parameters, with the run's state and hyper-parameters.
        loss, info, input_shape: what the network was built for.
        inputs, targets, labels: the batch, as `Batches.take` gives it.
        random: what torch's generators draw from next.
        device: a copy of its own where it scales the loss.
        threads: of the CPU that the run computes with.
    """

    config: RunConfig
    of_run: bool
    step: int
    epoch: int
    learning_rate: float
    network: nn.Module
    optimizer: Optimizer
    loss: Loss
    info: DatasetInfo
    input_shape: tuple[int, ...]
    inputs: Tensor
    targets: Tensor
    labels: Tensor | None
    random: State
    device: Device
    threads: int

    @property
    def parameters(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes, in the order of declaration."""
        return tuple((name, tuple(parameter.shape)) for name, parameter in self.network.named_parameters())

    @property
    def closure(self) -> bool:
        """The optimizer computes the batch itself, as often as it likes (LBFGS)."""
        return OPTIMIZERS[self.config.optimizer.name].closure


def take_specimen(
    config: RunConfig,
    parts: Assembly,
    network: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    *,
    device: Device,
    learning_rate: float,
    step: int,
    epoch: int,
    of_run: bool,
) -> Specimen:
    """Copy what the step needs. To be called on the thread that trains, between two steps; it changes nothing there."""
    random = random_state(device.handle)
    with random_kept(device.handle):
        twin = copy_network(network).train()
        twins_optimizer = copy_optimizer(config, optimizer, twin)
    if learning_rate != hyperparameter(twins_optimizer, "learning_rate"):
        set_hyperparameter(twins_optimizer, "learning_rate", learning_rate)
    inputs, targets, labels = batch
    return Specimen(
        config=config,
        of_run=of_run,
        step=step,
        epoch=epoch,
        learning_rate=learning_rate,
        network=twin,
        optimizer=twins_optimizer,
        loss=parts.loss,
        info=parts.info,
        input_shape=parts.input_shape,
        inputs=inputs,
        targets=targets,
        labels=labels,
        random=random,
        device=copy_device(device),
        threads=torch.get_num_threads(),
    )


def specimen_of(config: RunConfig, library: Library) -> Specimen:
    """The untrained network of a set-up and its first batch. Only while no run is under way: it seeds torch's generator
    and restores it. Raises InputError for data that cannot be had, parts that do not fit, a device that is not there.
    """
    device = pick_device(config.training.device, config.training.precision)
    entry, training = OPTIMIZERS[config.optimizer.name], config.training
    if device.scaler is not None and entry.closure:
        raise InputError("training.precision", f"{entry.label} cannot do {device.precision}", "use float32")
    data = _load(config, library)
    size = len(data.train)
    order = order_of(training, size, epoch=1)
    first = order[: training.batch_size]
    channels_last = training.memory_format == "channels_last" and not entry.closure
    with random_kept(device.handle):
        parts = assemble(config)
        samples = Samples(data.train.inputs[first], data.train.targets[first])
        batches = Batches(samples, parts, device.handle, channels_last=channels_last)
        network = parts.network.to(device.handle)
        if channels_last:
            network = network.to(memory_format=torch.channels_last)
        per_epoch = math.ceil(size / training.batch_size)
        total = min(training.epochs * per_epoch, training.steps or training.epochs * per_epoch)
        factor = SCHEDULES[config.schedule.name].multiplier(
            0, total=total, steps_per_epoch=per_epoch, params=config.schedule.params
        )
        optimizer = entry.build(network, config.optimizer.params)
        inputs, targets, labels = batches.take(torch.arange(len(first), device=device.handle))
        augmentation = config.augmentation
        augment = augmentation_of(augmentation.name, augmentation.params, parts.info, seed=training.seed)
        if augment is not None:
            inputs = augment(inputs, 0)
        return take_specimen(
            config,
            parts,
            network,
            optimizer,
            (inputs, targets, labels),
            device=device,
            learning_rate=hyperparameter(optimizer, "learning_rate") * factor,
            step=1,
            epoch=1,
            of_run=False,
        )


def copy_network(network: nn.Module) -> nn.Module:
    """With its gradients, which `copy.deepcopy` leaves behind."""
    twin = copy.deepcopy(network)
    for ours, theirs in zip(twin.parameters(), network.parameters(), strict=True):
        ours.grad = None if theirs.grad is None else theirs.grad.detach().clone()
    return twin


def copy_optimizer(config: RunConfig, optimizer: Optimizer, network: nn.Module) -> Optimizer:
    """One of its kind for `network`, which is a copy of the other's, with the other's state and hyper-parameters."""
    twin = OPTIMIZERS[config.optimizer.name].build(network, config.optimizer.params)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return twin


def copy_device(device: Device) -> Device:
    if device.scaler is None:
        return device
    scaler = torch.amp.GradScaler(device.handle.type)
    scaler.load_state_dict(device.scaler.state_dict())
    return replace(device, scaler=scaler)


def _load(config: RunConfig, library: Library) -> Dataset:
    loading = library.load(config.dataset.name, config.dataset.params)
    with contextlib.closing(loading):
        while True:
            try:
                next(loading)
            except StopIteration as end:
                data: Dataset = end.value
                return data
