"""Back to a step of a run: from the nearest snapshot, and exactly by training forward from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from engine.checkpoint import Checkpoint
from engine.control import RunControl
from engine.course import Course, DivergedError
from engine.errors import InputError
from engine.inspection.private_random import PrivateRandom
from engine.inspection.specimen import copy_device
from engine.live import LiveNetwork
from engine.optimizers import OPTIMIZERS
from engine.preparation import Ready
from engine.rewind.snapshots import Snapshots

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A run as it was after `step`: its network, and all else that decides how it goes on."""

    step: int
    live: LiveNetwork
    checkpoint: Checkpoint


def moment_at(
    snapshots: Snapshots, step: int, *, exact: bool = True, wanted: Callable[[], bool] = lambda: True
) -> Moment | None:
    """The run as it was after `step`, or without `exact` at the nearest step before that is kept.

    The run itself may go on meanwhile; nothing of it is changed, nor of torch's random state. What is trained anew
    takes the thread count that the run has. The other arguments and errors are those of `checkpoint_at`.
    """
    checkpoint = checkpoint_at(snapshots, step, wanted=wanted) if exact else _nearest(snapshots, step)
    if checkpoint is None:
        return None
    return Moment(checkpoint.step, _ready(snapshots).live.with_weights(checkpoint.weights), checkpoint)


def checkpoint_at(
    snapshots: Snapshots, step: int, *, wanted: Callable[[], bool] = lambda: True, report: Report | None = None
) -> Checkpoint | None:
    """The run's checkpoint after `step`, bit for bit.

    Args:
        step: from the first that is kept to the last that the run did.
        wanted: asked after every step that is trained anew; None is returned where it says no.
        report: told each of these steps.

    Raises InputError for a step that cannot be reached.
    """
    near = _nearest(snapshots, step)
    if near.step == step:
        return near
    ready = _ready(snapshots)
    if ready.device.handle.type == "cpu":
        # Not set back: a run that is paused has the same number, and part of it is shared by all threads.
        torch.set_num_threads(ready.tuned.threads)
    changes = snapshots.changes(near, until=step)
    course = Course(near.config, RunControl(), _twin(near, ready), resume=near, repeat=changes, random=False)
    kinds = {"cpu": "random.cpu", ready.device.handle.type: "random.device"}
    kinds["cpu"] = "random.cpu"
    state = {kind: near.tensors[name].clone() for kind, name in kinds.items()}
    with PrivateRandom(ready.device.handle, state) as random:
        try:
            for _ in course.forward(step):
                if not wanted():
                    return None
                if report is not None:
                    report(course.step)
        except DivergedError:
            raise _unreachable(step) from None
        found = course.checkpoint()
        drawn = {name: random.state[kind] for kind, name in kinds.items()}
    if found.step != step:
        raise _unreachable(step)
    found = replace(found, tensors={**found.tensors, **drawn})
    snapshots.remember(found)
    return found


def _twin(checkpoint: Checkpoint, ready: Ready) -> Ready:
    """The run's data with a network, an optimizer and a scaler of its own."""
    network = ready.live.copy()
    return replace(
        ready,
        network=network,
        optimizer=OPTIMIZERS[checkpoint.config.optimizer.name].build(network, checkpoint.config.optimizer.params),
        device=copy_device(ready.device),
        live=LiveNetwork(network, info=ready.parts.info, input_shape=ready.parts.input_shape, loss=ready.parts.loss),
    )


def _nearest(snapshots: Snapshots, step: int) -> Checkpoint:
    found = snapshots.nearest(step)
    if found is None:
        raise InputError("step", snapshots.problem or f"nothing is kept of step {step:,} or before", "a later step")
    return found


def _ready(snapshots: Snapshots) -> Ready:
    if snapshots.ready is None:
        raise InputError("step", "the run has not begun", "wait for its first step")
    return snapshots.ready


def _unreachable(step: int) -> InputError:
    return InputError("step", f"the run did not do step {step:,}", "an earlier step")
