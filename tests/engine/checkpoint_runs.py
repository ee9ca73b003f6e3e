"""What the tests of checkpoints share: a run that is interrupted and goes on, and what to compare of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoint_folder import CheckpointPolicy
from engine.config import RunConfig
from engine.control import RunControl
from engine.datasets.library import Library
from engine.events import (
    CheckpointFailed,
    CheckpointSaved,
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    Preparing,
    Resumed,
    Started,
    StepFinished,
)
from engine.training import train
from tests.engine.runs import toy_config

Doings = Mapping[int, Callable[[RunControl], None]]
"""What is asked of the run after a step; after step 0, before it starts."""

SMALL: Mapping[str, object] = {"dataset__samples": 140, "training__batch_size": 10, "training__epochs": 3}


def small_config(picks: Mapping[str, str] | None = None, **settings: object) -> RunConfig:
    """Three epochs of a few steps."""
    return toy_config(picks, **{**SMALL, **settings})


@dataclass
class Run:
    """A run that has ended: its events, its weights, and its checkpoint's folder."""

    events: list[Event] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)

    def told(self) -> list[Event]:
        """What a run of the same set-up always tells, but for the time it took and how it was prepared."""
        return [
            replace(event, seconds=0.0)
            if isinstance(event, StepFinished | EpochFinished | Evaluated)
            else replace(event, seconds=0.0, samples_per_second=0.0)
            if isinstance(event, Finished)
            else event
            for event in self.events
            if not isinstance(event, Preparing | Started | Paused | Resumed | CheckpointSaved | CheckpointFailed)
        ]


def run(
    config: RunConfig,
    *,
    doings: Doings | None = None,
    library: Library | None = None,
    resume: Checkpoint | None = None,
    checkpoints: CheckpointPolicy | None = None,
) -> Run:
    """From the first event to the last."""
    control, done, doings = RunControl(), Run(), doings or {}
    if 0 in doings:
        doings[0](control)
    for event in train(config, control, library=library, resume=resume, checkpoints=checkpoints):
        done.events.append(event)
        if isinstance(event, StepFinished) and event.step in doings:
            doings[event.step](control)
    if control.live is not None:
        done.weights = control.live.weights()
    return done


def interrupted(
    config: RunConfig, folder: Path, *, stop: int, doings: Doings | None = None, library: Library | None = None
) -> tuple[Run, Run]:
    """A run that is stopped after the step `stop`, and the one that goes on from its checkpoint."""

    def do_and_stop(control: RunControl) -> None:
        if doings and stop in doings:
            doings[stop](control)
        control.stop()

    policy = CheckpointPolicy(folder=folder)
    first = run(config, doings={**(doings or {}), stop: do_and_stop}, library=library, checkpoints=policy)
    later = {step: doing for step, doing in (doings or {}).items() if step > stop}
    torch.manual_seed(1)  # nothing of the first run is left in torch
    return first, run(config, doings=later, library=library, resume=load_checkpoint(folder))


def assert_unbroken(whole: Run, first: Run, second: Run) -> None:
    """The two parts tell what the whole run tells, number by number, and end with its weights."""
    [*told, stopped] = first.told()
    assert isinstance(stopped, Finished)
    assert stopped.reason == "stopped"
    assert not [event for event in second.events if isinstance(event, Failed)] or isinstance(whole.events[-1], Failed)
    assert told + second.told() == whole.told()
    assert second.weights.keys() == whole.weights.keys()
    assert all(torch.equal(second.weights[name], value) for name, value in whole.weights.items())


def rewritten(checkpoint: Checkpoint, path: Path, **fields: object) -> Path:
    """`checkpoint` at `path` with other `tensors` or another `manifest`, and a checksum that is right."""
    path.write_bytes(b"".join(replace(checkpoint, **fields).pieces()))  # type: ignore[arg-type]
    return path
