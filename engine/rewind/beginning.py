"""A run before its first step, from its set-up alone."""

from __future__ import annotations

import torch

from engine.assembly import assemble
from engine.checkpoint import Checkpoint, device_versions
from engine.checkpoint_manifest import Kept, Manifest, Progress
from engine.checkpoint_state import pack_optimizer
from engine.config import RunConfig
from engine.devices import pick_device
from engine.optimizers import OPTIMIZERS
from engine.optimizers.optimizer import hyperparameter
from engine.schedules import SCHEDULES, PlateauState
from engine.tuning import Tuned
from engine.weights import named_tensors


def beginning(config: RunConfig, tuned: Tuned) -> Checkpoint:
    """The checkpoint of a run of `config` before its first step, bit for bit. Loads no data, disturbs no run.

    Args:
        tuned: the thread count and the memory format that the run had.

    Raises InputError where the parts do not fit, or the device is not there.
    """
    seed = config.training.seed
    device = pick_device(config.training.device, config.training.precision)
    parts = assemble(config, aside=True)
    network = parts.network.to(device.handle)
    if tuned.channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS[config.optimizer.name].build(network, config.optimizer.params)
    state, tensors = pack_optimizer(optimizer)
    for name, tensor in named_tensors(network).items():
        weight = tensor.detach().to("cpu", copy=True)
        tensors |= {f"{prefix}.{name}": weight for prefix in ("model", "good", "newer")}
    assert parts.random is not None
    tensors["random.cpu"] = parts.random
    if device.handle.type != "cpu":
        tensors["random.device"] = torch.Generator(device.handle).manual_seed(seed).get_state()
    none = Kept(step=0, epoch=0)
    progress = Progress(
        step=0,
        epoch=0,
        closed=True,
        told=False,
        loss_sum=0.0,
        samples=0,
        base_rate=hyperparameter(optimizer, "learning_rate"),
        schedule=config.schedule,
        plateau=PlateauState() if SCHEDULES[config.schedule.name].plateau else None,
        lowest=None,
        best_loss=None,
        waited=0,
        best=None,
        good=none,
        newer=none,
        seconds=0.0,
        evaluating=0.0,
        interventions=(),
    )
    manifest = Manifest(
        config=config.to_json(),
        progress=progress,
        optimizer=state,
        scaler=None if device.scaler is None else device.scaler.state_dict(),
        threads=tuned.threads,
        channels_last=tuned.channels_last,
        train_size=config.dataset_info().train_size,
        device=device.handle.type,
        versions=device_versions(device),
    )
    return Checkpoint(config, progress, tensors, manifest)
