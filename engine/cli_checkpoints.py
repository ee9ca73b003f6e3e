"""The terminal's options for checkpoints. Imports no torch before one is opened."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from engine.checkpoint_folder import CheckpointPolicy, holds_checkpoint
from engine.config import RunConfig
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint

DEFAULT_SECONDS = 30.0  # of training between two checkpoints, those after epochs apart
_BEST_FROM = 100  # steps an epoch has at least for its weights to be kept where they are the best, as in the window


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """`--checkpoints`, `--checkpoint-every` and `--resume`."""
    parser.add_argument(
        "--checkpoints", metavar="FOLDER", help="keep there what it takes to go on exactly after an interruption"
    )
    parser.add_argument(
        "--checkpoint-every",
        metavar="N|Ns",
        help=f"steps between two checkpoints, or seconds, written {DEFAULT_SECONDS:g}s, which is the default; "
        "every epoch ends with one too",
    )
    parser.add_argument(
        "--resume",
        metavar="FOLDER|FILE",
        help="go on with the run kept there, set-up and all; --epochs may be raised unless its schedule spans the run",
    )


def check_checkpoint_options(options: argparse.Namespace) -> None:
    """Raises InputError where they do not go together, before anything slow is done."""
    if options.resume is not None and options.config is not None:
        raise InputError("--config", "a checkpoint holds its set-up", "--resume or --config")
    if options.checkpoint_every is not None and not (options.checkpoints or options.resume):
        raise InputError("--checkpoint-every", "no checkpoints are kept", "--checkpoints FOLDER with it")
    check_interval(options.checkpoint_every)
    if options.checkpoints is not None and not _same(options.checkpoints, options.resume):
        folder = Path(options.checkpoints)
        kept = [inside for inside in (folder, *sorted(folder.glob("stage-*"))) if holds_checkpoint(inside)]
        if kept:
            raise InputError(
                "--checkpoints", f"{kept[0]} holds those of another run", f"--resume {kept[0]}, or another folder"
            )


def check_resumable(options: argparse.Namespace, *, runs: int) -> None:
    """Raises InputError where there are several runs and only one of them can go on."""
    if options.resume is not None and runs > 1:
        raise InputError("--resume", "the lesson has several stages", "--stage N with it")


def resumed_run(options: argparse.Namespace) -> Checkpoint | None:
    """The checkpoint to go on from, if any. Raises InputError."""
    if options.resume is None:
        return None
    from engine.checkpoint import load_checkpoint

    return load_checkpoint(Path(options.resume))


def checkpoint_policy(options: argparse.Namespace, *, stage: int | None) -> CheckpointPolicy | None:
    """What to keep of a run: as told, or where the run that goes on was kept.

    `stage`: its number, where others have their checkpoints in the same folder.
    """
    where = options.checkpoints
    if where is None and options.resume is not None and Path(options.resume).is_dir():
        where = options.resume
    if where is None:
        return None
    steps, seconds = check_interval(options.checkpoint_every)
    folder = Path(where) if stage is None else Path(where) / f"stage-{stage}"
    return CheckpointPolicy(folder=folder, every_steps=steps, every_seconds=seconds)


def recorded_policy(config: RunConfig, folder: Path, every: str | None = None) -> CheckpointPolicy:
    """What to keep of a run in its folder of the history, as the window does.

    `every`: as `--checkpoint-every` takes it. Raises InputError.
    """
    steps, seconds = check_interval(every)
    per_epoch = config.dataset_info().train_size / config.training.batch_size
    return CheckpointPolicy(
        folder=folder,
        every_steps=steps,
        every_seconds=seconds,
        every_epochs=0,
        copy_epochs=0,
        at_best=per_epoch >= _BEST_FROM,
    )


def check_interval(text: str | None) -> tuple[int, float]:
    """Steps and seconds between two checkpoints, of which one is 0; as `--checkpoint-every` says. Raises InputError."""
    if text is None:
        return 0, DEFAULT_SECONDS
    try:
        if text.endswith("s"):
            seconds = float(text[:-1])
            if math.isfinite(seconds) and seconds > 0:
                return 0, seconds
        elif text.isascii() and text.isdigit() and 0 < int(text) < 2**63:
            return int(text), 0.0
    except ValueError:
        pass
    raise InputError("--checkpoint-every", f"{text!r} is not accepted", "a number of steps, or of seconds such as 30s")


def _same(one: str, other: str | None) -> bool:
    return other is not None and Path(one).resolve() == Path(other).resolve()
