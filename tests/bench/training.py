"""An epoch of `mnist_mlp` and of `lenet5`, against the tutorials' way and against the best bare loop."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from engine.config import RunConfig, make_config
from engine.datasets.library import Library
from engine.tuning import thread_counts
from tests.bench import baselines
from tests.bench.figure import Baseline, Figure, Pairs, Plan, Target
from tests.bench.turns import Side, described, fastest, learnscope, take_turns

IMAGES = 55_000
STEPS = 430  # an epoch; 2 turns of 215 and 10 of 43 make one, so that no evaluation falls into a turn
LONG_TURN, SHORT_TURN = 215, 43
TUTORIAL = "torchvision.datasets.MNIST, transforms, DataLoader"
BARE = "bare loop, best of threads and memory formats"
NOTE = "steps alone, without loading, tuning and evaluation; in turns of {turn} steps"


def measure_mlp(plan: Plan) -> list[Figure]:
    config = adam_config("mnist_mlp")
    library = Library()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        baselines.write_mnist(root)
        threads = torch.get_num_threads()
        loop = baselines.tutorial_loop(baselines.mlp(), root)
        tutorial = Side(loop, threads=threads, label=described(threads, "contiguous"))
        ours = learnscope(config, library)
        turn = plan.times(SHORT_TURN, 10)
        slow = epoch_figure(
            "mnist_mlp: epoch, against the tutorials' way",
            take_turns(ours, tutorial, steps=turn, pairs=plan.times(8, 2)),
            Baseline(TUTORIAL, 0.0),
            at_least=15.0,
            note=f"{NOTE.format(turn=turn)}; ours {ours.label}, theirs {tutorial.label}",
        )
        images, labels = baselines.bare_images(root, count=IMAGES, side=28)
    flat = images.flatten(1)

    def bare() -> Side:
        candidates = [
            Side(baselines.bare_loop(baselines.mlp(), flat, labels), threads=n, label=described(n, "contiguous"))
            for n in thread_counts()
        ]
        return fastest(candidates, steps=LONG_TURN, rounds=plan.times(5, 2))

    return [slow, _against_bare("mnist_mlp", config, library, bare, plan, turn=LONG_TURN, pairs=plan.times(10, 2))]


def measure_lenet(plan: Plan) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        baselines.write_mnist(root)
        images, labels = baselines.bare_images(root, count=IMAGES, side=32)

    def bare() -> Side:
        candidates = [
            _bare_lenet(images, labels, threads=threads, channels_last=channels_last, pool_first=pool_first)
            for threads in thread_counts()
            for channels_last in (False, True)
            for pool_first in (False, True)
        ]
        return fastest(candidates, steps=plan.times(SHORT_TURN, 10), rounds=plan.times(3, 1))

    config = adam_config("lenet5")
    return [_against_bare("lenet5", config, Library(), bare, plan, turn=SHORT_TURN, pairs=plan.times(10, 2))]


def adam_config(network: str, *, epochs: int = 1000, batch_size: int = baselines.BATCH, threads: int = 0) -> RunConfig:
    """Adam on all of MNIST but what is set aside for validation, without an evaluation before the first step.

    `threads`: 0: the best number is measured.
    """
    return make_config(
        {"network": network, "optimizer": "adam", "loss": "cross_entropy", "schedule": "constant"},
        {
            "dataset.validation": 60_000 - IMAGES,
            "optimizer.learning_rate": baselines.LEARNING_RATE,
            "training.batch_size": batch_size,
            "training.epochs": epochs,
            "training.threads": threads,
            "training.evaluate_first": False,
        },
    )


def _bare_lenet(images: Tensor, labels: Tensor, *, threads: int, channels_last: bool, pool_first: bool) -> Side:
    network = baselines.lenet(padding=0, pool_first=pool_first)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    loop = baselines.bare_loop(
        network.to(memory_format=memory_format), images.contiguous(memory_format=memory_format), labels
    )
    name = "channels_last" if channels_last else "contiguous"
    order = "ReLU after the pool" if pool_first else "ReLU before the pool"
    return Side(loop, threads=threads, label=f"{described(threads, name)}, {order}")


def _against_bare(
    name: str,
    config: RunConfig,
    library: Library,
    bare: Callable[[], Side],
    plan: Plan,
    *,
    turn: int,
    pairs: int,
) -> Figure:
    """The bare loop is set up once; ours several times, tuned anew each time, as its users have it."""
    theirs = bare()
    seconds = Pairs((), ())
    labels = []
    for _ in range(plan.times(3, 1)):
        ours = learnscope(config, library)
        taken = take_turns(ours, theirs, steps=turn, pairs=pairs)
        seconds = Pairs((*seconds.ours, *taken.ours), (*seconds.theirs, *taken.theirs))
        labels.append(ours.label)
    return epoch_figure(
        f"{name}: epoch, against the best bare loop",
        seconds,
        Baseline(BARE, 0.0),
        at_least=0.97,
        note=f"{NOTE.format(turn=turn)}; ours {' / '.join(sorted(set(labels)))}, theirs {theirs.label}",
    )


def epoch_figure(name: str, seconds: Pairs, baseline: Baseline, *, at_least: float, note: str) -> Figure:
    """Of seconds a step, told as seconds an epoch. `baseline`'s own value does not count."""
    return Figure(
        name=name,
        value=seconds.our_median * STEPS,
        unit="s",
        baseline=Baseline(baseline.what, seconds.their_median * STEPS),
        ratio=seconds.time_ratio,
        target=Target("ratio", "at least", at_least),
        note=note,
    )
