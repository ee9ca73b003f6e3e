"""How often a run's checkpoints are kept, and the names of their files. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError

SUFFIX = ".safetensors"
LATEST, PREVIOUS, BEST = f"latest{SUFFIX}", f"previous{SUFFIX}", f"best{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPolicy:
    """When checkpoints are written, and where.

    Attributes:
        folder: of this run alone; made where it is missing.
        every_steps: steps between two `latest`; 0: not by steps.
        every_seconds: seconds of training between two `latest`, pauses left out; 0: not by time.
        every_epochs: epochs after whose evaluation `latest` is written; 0: not by epochs.
        copy_epochs: epochs after which a further copy is written that stays, `epoch-0020`; 0: none.
        at_best: write `best` after each epoch with the lowest loss so far, of the validation set, or of the training
            set where there is none.
        at_end: write `latest` when the run ends, also where it is stopped; not where it fails.
    """

    folder: Path
    every_steps: int = 0
    every_seconds: float = 0.0
    every_epochs: int = 1
    copy_epochs: int = 20
    at_best: bool = True
    at_end: bool = True

    def __post_init__(self) -> None:
        for name in ("every_steps", "every_seconds", "every_epochs", "copy_epochs"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"checkpoints.{name}", f"{value!r} is not accepted", "a number from 0")

    def after_epoch(self, epoch: int, *, best: bool) -> tuple[str, ...]:
        """The names of the files to write after the evaluation that ends `epoch`."""
        names = []
        if self.every_epochs and epoch % self.every_epochs == 0:
            names.append(LATEST)
        if self.copy_epochs and epoch % self.copy_epochs == 0:
            names.append(epoch_file(epoch))
        if self.at_best and best:
            names.append(BEST)
        return tuple(names)


def epoch_file(epoch: int) -> str:
    return f"epoch-{epoch:04}{SUFFIX}"


def holds_checkpoint(folder: Path) -> bool:
    """Whether a run that kept its checkpoints in `folder` can be offered to be continued."""
    return any((folder / name).is_file() for name in (LATEST, PREVIOUS))
