"""What a run says: a closed union of frozen events, consumed by one `match` that ends in `assert_never`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.catalog import ParamValue

StopReason = Literal["completed", "stopped", "early_stopping"]
CheckpointKind = Literal["latest", "best", "copy"]


@dataclass(frozen=True, slots=True)
class Preparing:
    """Work before the first step: loading, downloading, measuring. `done` is a share in 0 … 1, None if unknown."""

    what: str
    done: float | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The run is set up; the next event is an evaluation or a step.

    `tracked` names the values that every step tells of a network small enough, see `engine.tracking`. A run that goes
    on from a checkpoint says after which step in `resumed_from`, and in `caution`, for people, why it may not continue
    bit for bit, where that is so. A branch names its `parent`, where that has a name, and the parent's step at which it
    begins.
    """

    device: str
    threads: int
    memory_format: str
    precision: str
    parameters: int
    batch_size: int
    steps_per_epoch: int
    total_steps: int
    train_size: int
    network: str
    dataset: str
    tracked: tuple[str, ...] = ()
    test_size: int = 0
    resumed_from: int = 0
    caution: str = ""
    parent: str = ""
    parent_step: int | None = None


@dataclass(frozen=True, slots=True)
class StepFinished:
    """One update of the weights.

    `step` and `epoch` count from 1. `loss` is the batch's mean loss before the update. `seconds` is the time spent in
    training since the start, pauses left out. `accuracy` (0 … 1) of the batch, before the update, is measured on the
    first step and as often afterwards as the set-up says. `parameters` after the update and the `gradients` that led to
    it are there where `Started.tracked` names them.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    accuracy: float | None = None
    parameters: tuple[float, ...] | None = None
    gradients: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The evaluation before the first step. Losses are means a sample; accuracies in 0 … 1, None in regression."""

    step: int
    test_loss: float
    test_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """One pass over the training set and the evaluation after it. `train_loss` is the mean over the epoch's samples."""

    epoch: int
    step: int
    train_loss: float
    test_loss: float
    test_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Intervened:
    """A setting was changed during the run, effective from the step after `step`.

    `old` and `new` are numbers with all their digits, or the names of schedules; `params` are all settings of the new
    schedule, empty where it has none or an older version kept none.
    """

    step: int
    name: str
    old: str
    new: str
    params: Mapping[str, ParamValue] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Paused:
    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    step: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended as it should. `restored_epoch`: whose weights early stopping brought back, or None."""

    reason: StopReason
    step: int
    epoch: int
    seconds: float
    samples_per_second: float
    restored_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The run could not go on. `message` is for people and says the way out; `step` is the last good one."""

    kind: Literal["diverged", "input", "error"]
    message: str
    step: int
    field: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A checkpoint of the run as it was after `step` is safely on disk: `size` bytes, written in `seconds`."""

    step: int
    kind: CheckpointKind
    path: str
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointFailed:
    """A checkpoint could not be written, and the run goes on. What was in the file before is still there."""

    step: int
    kind: CheckpointKind
    path: str
    problem: str


Event = (
    Preparing
    | Started
    | StepFinished
    | Evaluated
    | EpochFinished
    | Intervened
    | Paused
    | Resumed
    | Finished
    | Failed
    | CheckpointSaved
    | CheckpointFailed
)

_OF_SOME_RUNS = ("tracked", "parameters", "gradients", "resumed_from", "caution", "parent", "parent_step", "params")

_TYPES: dict[type, str] = {
    Preparing: "preparing",
    Started: "started",
    StepFinished: "step",
    Evaluated: "evaluation",
    EpochFinished: "epoch",
    Intervened: "intervention",
    Paused: "paused",
    Resumed: "resumed",
    Finished: "finished",
    Failed: "failed",
    CheckpointSaved: "checkpoint",
    CheckpointFailed: "checkpoint_failed",
}


def as_json(event: Event, *, stage: int | None = None) -> str:
    """One line of JSON with the event's `type` first, and the lesson's stage where there is one.

    Numbers that JSON lacks (NaN, ±∞) become null. What only some runs tell is left out for others.
    """
    fields: dict[str, object] = {"type": _TYPES[type(event)]}
    if stage is not None:
        fields["stage"] = stage
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        if name in _OF_SOME_RUNS and not value:
            continue
        fields[name] = [_number(number) for number in value] if isinstance(value, tuple) else _number(value)
    return json.dumps(fields, ensure_ascii=False)


def _number(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
