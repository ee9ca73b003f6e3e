"""Back to a step of a run: from the nearest snapshot, and exactly by training forward from it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from engine.checkpoint import Checkpoint
from engine.config import RunConfig
from engine.control import RunControl
from engine.course import Course, DivergedError
from engine.errors import InputError
from engine.events import Event, StepFinished
from engine.inspection.private_random import PrivateRandom
from engine.inspection.specimen import copy_device
from engine.live import LiveNetwork
from engine.optimizers import OPTIMIZERS
from engine.parts import CATALOGS
from engine.preparation import Ready
from engine.rewind.snapshots import Say, Snapshots, Wanted

Report = Callable[[int], None]


def _always() -> bool:
    return True


def _silent(what: str, done: float | None) -> None:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A run as it was after `step`: its network, and all else that decides how it goes on."""

    step: int
    live: LiveNetwork
    checkpoint: Checkpoint


def moment_at(
    snapshots: Snapshots,
    step: int,
    *,
    exact: bool = True,
    wanted: Wanted = _always,
    report: Report | None = None,
    say: Say = _silent,
) -> Moment | None:
    """The run as it was after `step`, or without `exact` at the nearest step before that is kept.

    The run itself may go on meanwhile; nothing of it is changed, nor of torch's random state. What is trained anew
    takes the thread count that the run has. The other arguments and errors are those of `checkpoint_at`.
    """
    if exact:
        checkpoint = checkpoint_at(snapshots, step, wanted=wanted, report=report, say=say)
    else:
        checkpoint = _nearest(snapshots, step, wanted=wanted, say=say)
    if checkpoint is None:
        return None
    if snapshots.live is None:
        raise _not_begun()
    return Moment(checkpoint.step, snapshots.live.with_weights(checkpoint.weights), checkpoint)


def checkpoint_at(
    snapshots: Snapshots, step: int, *, wanted: Wanted = _always, report: Report | None = None, say: Say = _silent
) -> Checkpoint | None:
    """The run's checkpoint after `step`, bit for bit.

    Args:
        step: from the first that is kept to the last that the run did.
        wanted: asked after every step that is trained anew; None is returned where it says no.
        report: told each of these steps.
        say: told what else is done, as `Snapshots.prepared` does.

    Raises InputError for a step that cannot be reached.
    """
    near = _nearest(snapshots, step, wanted=wanted, say=say)
    if near is None or near.step == step:
        return near
    changes = snapshots.changes(near, until=step)
    check = snapshots.checker(after=near.step, until=step)
    ready = snapshots.prepared(wanted, say)
    if not wanted():
        return None
    if ready is None:
        raise _not_begun()
    if ready.device.handle.type == "cpu":
        # Not set back: a run that is paused has the same number, and part of it is shared by all threads.
        torch.set_num_threads(ready.tuned.threads)
    course = Course(near.config, RunControl(), _twin(near, ready), resume=near, repeat=changes, random=False)
    kinds = {"cpu": "random.cpu", ready.device.handle.type: "random.device"}
    kinds["cpu"] = "random.cpu"
    state = {kind: near.tensors[name].clone() for kind, name in kinds.items()}
    random = PrivateRandom(ready.device.handle, state)
    with closing(_forward(course, step, random, static=_static(near.config))) as events:
        try:
            for event in events:
                if not wanted():
                    return None
                if isinstance(event, StepFinished):
                    check(event)
                if report is not None:
                    report(course.step)
        except DivergedError:
            raise _unreachable(step) from None
    found = course.checkpoint()
    if found.step != step:
        raise _unreachable(step)
    drawn = {name: random.state[kind] for kind, name in kinds.items()}
    found = replace(found, tensors={**found.tensors, **drawn})
    snapshots.remember(found)
    return found


def _forward(course: Course, step: int, random: PrivateRandom, *, static: bool) -> Generator[Event, None, None]:
    """The course up to `step`, which draws from `random`.

    That costs about as much again as a small network's step. Where steps are `static`, what the first one did not draw
    none of them draws, and the others go without.
    """
    events = course.forward(step)
    with random:
        for event in events:
            yield event
            if static and isinstance(event, StepFinished) and not random.drawn:
                break
    yield from events


def _static(config: RunConfig) -> bool:
    """Whether each step draws random numbers or none does: of what Learnscope brings that is known."""
    return all(getattr(config, part).name in catalog.ours for part, catalog in CATALOGS.items())


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


def _nearest(snapshots: Snapshots, step: int, *, wanted: Wanted, say: Say) -> Checkpoint | None:
    """The newest at `step` or before; None where it had to be made, and nobody waits for it any more."""
    found = snapshots.nearest(step)
    if found is None:
        found = snapshots.begun(wanted, say)
        if not wanted():
            return None
    if found is None or found.step > step:
        raise InputError("step", snapshots.problem or f"nothing is kept of step {step:,} or before", "a later step")
    return found


def _not_begun() -> InputError:
    return InputError("step", "the run has not begun", "wait for its first step")


def _unreachable(step: int) -> InputError:
    return InputError("step", f"the run did not do step {step:,}", "an earlier step")
