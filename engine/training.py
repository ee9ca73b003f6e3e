"""train: a run as a generator of events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer

from engine.batches import Batches
from engine.config import RunConfig
from engine.control import RunControl
from engine.course import Course
from engine.datasets.library import Library
from engine.devices import Device
from engine.errors import InputError
from engine.events import (
    Event,
    Failed,
    Finished,
)
from engine.losses import Loss
from engine.optimizers import OPTIMIZERS
from engine.preload import keep_memory
from engine.preparation import prepare
from engine.steps import train_step
from engine.tuning import Tuner


def train(
    config: RunConfig,
    control: RunControl | None = None,
    *,
    library: Library | None = None,
    tuner: Tuner | None = None,
) -> Iterator[Event]:
    """Train as `config` says and yield what happens; the last event is Finished or Failed.

    Args:
        config: a checked set-up.
        control: requests from other threads; it also gets the live network.
        library: datasets loaded before, to be used again.
        tuner: measurements made before, to be used again.
    """
    control = control or RunControl()
    keep_memory()
    step = 0
    try:
        ready = yield from prepare(config, control, library or Library(), tuner or Tuner(), partial(_step_of, config))
        if ready is None:
            yield Finished("stopped", 0, 0, 0.0, 0.0)
            return
        run = Course(config, control, ready)
        for event in run.events():
            step = run.step
            yield event
    except InputError as error:
        yield Failed("input", str(error), step, error.field)
    except MemoryError:
        yield Failed("error", _OUT_OF_MEMORY, step, "training.batch_size")
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            yield Failed("error", _OUT_OF_MEMORY, step, "training.batch_size")
        else:
            yield Failed("error", f"The run ended after step {step}: {error}", step)


_OUT_OF_MEMORY = "The batch does not fit into memory. A smaller batch size or a smaller network would."


def _step_of(
    config: RunConfig, loss: Loss, device: Device, network: nn.Module, optimizer: Optimizer, batch: Batches
) -> Callable[[], object]:
    """A function that does one whole training step, for measuring."""
    network.train()
    index = torch.arange(len(batch), device=device.handle)
    closure = OPTIMIZERS[config.optimizer.name].closure

    def step() -> None:
        inputs, targets, _ = batch.take(index)
        value, _ = train_step(
            network, optimizer, loss, inputs, targets, device=device, closure=closure, lock=contextlib.nullcontext()
        )
        value.item()

    return step
