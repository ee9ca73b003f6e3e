"""Lessons that go on where they stopped: checkpoints of their runs, picked up again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.home import data_folder

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.checkpoint_folder import CheckpointPolicy
    from engine.config import RunConfig
    from engine.lessons.lesson import Lesson

COPY_EPOCHS = 20  # epochs after which a further copy is kept


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that keeps its checkpoints.

    Attributes:
        config: the set-up; where a run was picked up, its epochs are those done and as many more as were asked for.
        checkpoint: where the run goes on; None: it begins.
        policy: when and where checkpoints are written.
        note: what a person should know of it, in a sentence; empty where it simply begins.
    """

    config: RunConfig
    checkpoint: Checkpoint | None
    policy: CheckpointPolicy
    note: str


def kept_folder(lesson: Lesson, stage: int) -> Path:
    """Where the checkpoints of a lesson's stage lie."""
    return data_folder() / "lessons" / f"{lesson.name}-{stage}"


def pick_up(config: RunConfig, folder: Path) -> Kept:
    """What to run for `config`: on from the newest checkpoint in `folder`, if it is one of the same set-up.

    A checkpoint of another set-up, or a damaged one, is left aside and written over: the note says so. Imports torch.
    """
    from engine.checkpoint import check_same_run, load_checkpoint
    from engine.checkpoint_folder import CheckpointPolicy, holds_checkpoint

    policy = CheckpointPolicy(folder=folder, every_epochs=1, copy_epochs=COPY_EPOCHS, at_best=False)
    if not holds_checkpoint(folder):
        return Kept(config, None, policy, "")
    try:
        checkpoint = load_checkpoint(folder)
        longer = _longer(config, checkpoint)
        check_same_run(longer, checkpoint)
    except InputError as error:
        return Kept(config, None, policy, f"The run begins anew: {error.problem}.")
    note = f"Picked up after step {checkpoint.step:,}, in epoch {checkpoint.epoch:,}."
    return Kept(longer, checkpoint, policy, note)


def _longer(config: RunConfig, checkpoint: Checkpoint) -> RunConfig:
    """A run that was stopped goes on to the end it was to have; one that was completed gets as much once more."""
    asked, target = config.training, checkpoint.config.training.epochs
    finished = checkpoint.epoch >= target and checkpoint.progress.closed
    epochs = checkpoint.epoch + asked.epochs if finished else max(target, asked.epochs)
    steps = checkpoint.step + asked.steps if asked.steps else 0
    training = asked.model_copy(update={"epochs": epochs, "steps": steps})
    return config.model_copy(update={"training": training})
