"""train: a run as a generator of events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer

from engine.batches import Batches
from engine.checkpoint import Checkpoint, check_same_run
from engine.checkpoint_folder import CheckpointPolicy
from engine.checkpoint_writer import CheckpointWriter
from engine.config import RunConfig
from engine.control import RunControl
from engine.cores import native_threads, own_cores
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
from engine.rewind.snapshots import Recorded, Snapshots
from engine.steps import train_step
from engine.tuning import Tuner


def train(
    config: RunConfig,
    control: RunControl | None = None,
    *,
    library: Library | None = None,
    tuner: Tuner | None = None,
    resume: Checkpoint | None = None,
    checkpoints: CheckpointPolicy | None = None,
    snapshots: Snapshots | None = None,
    repeat: Sequence[Recorded] = (),
) -> Iterator[Event]:
    """Train as `config` says and yield what happens; the last event is Finished or Failed.

    Args:
        config: a checked set-up.
        control: requests from other threads; it also gets the live network.
        library: datasets loaded before, to be used again.
        tuner: measurements made before, to be used again.
        resume: where a run of this set-up was interrupted. It goes on bit for bit, with the threads and the memory
            format it had; what it told before is not told again. Its `training.epochs` and `steps` may be raised.
        checkpoints: when and where the run's state is kept; None: nowhere.
        snapshots: keep the run in memory, to be gone back to; fresh ones.
        repeat: changes of another run that are made again after their steps.
    """
    control = control or RunControl()
    keep_memory()
    step = epoch = 0
    seconds = 0.0
    writer = None
    since = native_threads()
    try:
        if resume is not None:
            check_same_run(config, resume)
            step, epoch, seconds = resume.step, resume.epoch, resume.progress.seconds
        settled = None if resume is None else resume.tuned
        ready = yield from prepare(
            config, control, library or Library(), tuner or Tuner(), partial(_step_of, config), settled=settled
        )
        if ready is None:
            yield Finished("stopped", step, epoch, seconds, 0.0)
            return
        if checkpoints is not None:
            writer = CheckpointWriter(checkpoints, seconds=seconds)
        run = Course(config, control, ready, resume=resume, writer=writer, snapshots=snapshots, repeat=repeat)
        with own_cores(ready.tuned.threads if ready.device.handle.type == "cpu" else 0, since=since):
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
    finally:
        if writer is not None:
            writer.close()


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
