"""The terminal's way to scripts: `python -m engine script`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import RunConfig, load_config
from engine.errors import InputError
from engine.files import write_atomically
from engine.lessons import find_lesson
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.script import write_script

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

_UNEQUAL = 1  # exit status


def add_parser(commands: Commands) -> None:
    """The command `script`."""
    parser = commands.add_parser(
        "script",
        help="a set-up as one plain PyTorch script",
        description="Write a set-up as one plain PyTorch script. What a run would measure is settled: one thread and "
        "contiguous images where the set-up does not say, and the CPU for an automatic device.",
        allow_abbrev=False,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--config", metavar="FILE", help="a saved set-up")
    which.add_argument("--lesson", metavar="NAME", help="a lesson's set-up; see `list lessons`")
    parser.add_argument("--stage", metavar="N", help="the stage of a lesson that has several")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to the standard output")
    parser.add_argument("--verify", action="store_true", help="train, run the script, and compare the weights")


def run(options: argparse.Namespace) -> int:
    """Do what `script` was asked for; returns the exit status. Raises InputError."""
    config = settled(_config(options))
    channels_last = config.training.memory_format == "channels_last"
    text = write_script(
        config,
        threads=config.training.threads,
        memory_format="channels_last" if channels_last else "contiguous",
        device=config.training.device,
    )
    if options.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        try:
            write_atomically(Path(options.output), text.encode())
        except OSError as error:
            raise InputError("--output", f"{options.output} cannot be written: {error.strerror or error}") from None
    return _verify(config) if options.verify else 0


def _config(options: argparse.Namespace) -> RunConfig:
    if options.config is not None:
        if options.stage is not None:
            raise InputError("--stage", "there is no lesson it could be a stage of", "--lesson NAME with it")
        return load_config(Path(options.config))
    lesson = find_lesson(options.lesson)
    stages = len(lesson.stages)
    if options.stage is None and stages > 1:
        raise InputError("--stage", f"the lesson has {stages} stages, and a script is of one", f"1 to {stages}")
    number = options.stage or "1"
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise InputError("--stage", f"{number!r} is not a stage", f"1 to {stages}")
    return lesson.stage(int(number)).config()


def settled(config: RunConfig) -> RunConfig:
    """`config` with nothing left to measure or look up, as a run without surprises would have it."""
    training = config.training
    images = len(NETWORKS[config.network.name].fit(config.dataset_info(), config.network.params)) == 3
    convolves = images and config.network.name not in ("mnist_mlp", "mlp")
    last = training.memory_format == "channels_last" and convolves and not OPTIMIZERS[config.optimizer.name].closure
    update = {
        "threads": training.threads or 1,
        "memory_format": "channels_last" if last else "contiguous",
        "device": "cpu" if training.device == "auto" else training.device,
    }
    return config.model_copy(update={"training": training.model_copy(update=update)})


def _verify(config: RunConfig) -> int:
    from engine.control import RunControl
    from engine.events import EpochFinished, Failed, Started
    from engine.script.verify import verify
    from engine.training import train
    from engine.weight_hash import weight_hash

    control = RunControl()
    started = None
    _say("training the run")
    for event in train(config, control):
        if isinstance(event, Started):
            started = event
        elif isinstance(event, EpochFinished) and config.training.epochs <= 50:
            _say(f"epoch {event.epoch}: test loss {event.test_loss:.4f}")
        elif isinstance(event, Failed):
            raise InputError(event.field or "script", event.message.removesuffix("."))
    assert started is not None
    assert control.live is not None
    weights = weight_hash(control.live.weights())
    _say(f"weights {weights}")
    _say("running the script")
    checking = verify(
        config,
        (),
        weights,
        threads=started.threads,
        memory_format=started.memory_format,
        device=started.device,
        precision=started.precision,
    )
    shown = ""
    while True:
        try:
            line = next(checking).line
        except StopIteration as end:
            verdict = end.value
            break
        if line != shown:
            _say(line)
            shown = line
    _say(verdict.message)
    if verdict.outcome == "failed":
        _say(verdict.output)
    return 0 if verdict.outcome == "equal" else _UNEQUAL


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
