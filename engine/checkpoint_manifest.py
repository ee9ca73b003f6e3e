"""What a checkpoint says of its run in plain numbers and words; the tensors lie beside it."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.checkpoint_file import refused
from engine.config import Choice
from engine.events import Intervened
from engine.schedules import SCHEDULES, PlateauState

FORMAT = 1  # as Manifest has it


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Kept(_Frozen):
    """After which step and epoch a copy of the weights was taken."""

    step: int = Field(ge=0)
    epoch: int = Field(ge=0)


class Origin(_Frozen):
    """The run that this one is a branch of, by its name, which may be empty, and the step at which they part."""

    run: str
    step: int = Field(ge=0)


class Progress(_Frozen):
    """Where a run is and what it remembers.

    Attributes:
        step: updates done.
        epoch: that of the last update, from 1; 0 before the first.
        closed: the epoch's end has been told; else the run is within it, or its evaluation is still to come.
        told: the evaluation after an unfinished last epoch has been told too.
        loss_sum: of this epoch's losses, each times its samples.
        samples: of all steps.
        base_rate, schedule: as interventions left them; the schedule multiplies the rate.
        plateau: what the schedule remembers, if it does.
        lowest: the lowest loss so far of those that `best` goes by.
        best_loss, waited, best: early stopping's memory, and when its weights were taken.
        good, newer: when the weights to fall back on were taken.
        seconds, evaluating: in training and, of these, in evaluations.
        interventions: all so far.
        origin: of a branch.
    """

    step: int = Field(ge=0)
    epoch: int = Field(ge=0)
    closed: bool
    told: bool
    loss_sum: float
    samples: int = Field(ge=0)
    base_rate: float = Field(ge=0)
    schedule: Choice
    plateau: PlateauState | None
    lowest: float | None
    best_loss: float | None
    waited: int = Field(ge=0)
    best: Kept | None
    good: Kept
    newer: Kept
    seconds: float = Field(ge=0)
    evaluating: float = Field(ge=0)
    interventions: tuple[Intervened, ...]
    origin: Origin | None = None

    def checked(self) -> Progress:
        """With the schedule's settings complete. Raises InputError for what contradicts itself."""
        schedule = SCHEDULES[self.schedule.name]
        params = schedule.resolve(self.schedule.params, part="schedule")
        plateau = self.plateau
        if schedule.plateau != (plateau is not None):
            raise refused("its schedule and what the schedule remembers differ")
        if plateau is not None and not (0 <= plateau.multiplier <= 1 and math.isfinite(plateau.best or 0)):
            raise refused("what its schedule remembers makes no sense")
        if any(copy is not None and copy.step > self.step for copy in (self.good, self.newer, self.best)):
            raise refused("it keeps weights of a later step than its own")
        if (self.best is None) != (self.best_loss is None):
            raise refused("its best weights and its best loss differ")
        return self.model_copy(update={"schedule": Choice(name=schedule.name, params=params)})


class Manifest(_Frozen):
    """Everything but the tensors.

    Attributes:
        config: a RunConfig's JSON.
        optimizer: as `pack_optimizer` makes it.
        scaler: the state of the loss's scale, where float16 needs one.
        threads, channels_last: what was measured to be the fastest.
        device: `cpu`, `cuda` or `mps`.
        versions: `torch`, `python`, `machine`, `device`, `precision`, `instructions`.
    """

    format: Literal[1] = 1
    config: str
    progress: Progress
    optimizer: dict[str, Any]
    scaler: dict[str, float | int] | None
    threads: int = Field(ge=1, le=1024)
    channels_last: bool
    train_size: int = Field(ge=1)
    device: str
    versions: dict[str, str]
