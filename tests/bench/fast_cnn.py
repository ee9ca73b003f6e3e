"""The short road: `fast_cnn` with its recipe to 99 %, against the tutorials' LeNet to 98.5 %."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import nn

from engine.config import make_config
from engine.events import EpochFinished, Failed, Started, StepFinished
from engine.training import train
from tests.bench import baselines
from tests.bench.figure import Baseline, Figure, Plan, Target
from tests.bench.turns import described

ACCURACY = 0.990
GOAL, QUICK_GOAL = 0.985, 0.90  # of the tutorials' loop
STEPS, QUICK_STEPS = 469, 100  # between two of its evaluations: an epoch of 60,000 images, or less
MOST_EVALUATIONS = 12


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One epoch: the test accuracy, seconds from the start of everything, seconds of the steps alone."""

    accuracy: float
    seconds: float
    training: float
    label: str


def measure(plan: Plan) -> list[Figure]:
    default_threads = torch.get_num_threads()
    goal = QUICK_GOAL if plan.quick else GOAL
    runs = [_one_epoch()]
    torch.set_num_threads(default_threads)
    tutorial, reached = _tutorial(goal, every=plan.times(STEPS, QUICK_STEPS))
    runs.append(_one_epoch())
    baseline = Baseline(f"tutorials' LeNet with DataLoader to {goal:.1%}, training alone", tutorial)
    seconds, training = mean(run.seconds for run in runs), mean(run.training for run in runs)
    note = f"one run before and one after the baseline; {runs[0].label}; theirs reached {reached:.2%}"
    return [
        Figure(
            name="fast_cnn: test accuracy after one epoch",
            value=min(run.accuracy for run in runs),
            unit="",
            target=Target("value", "at least", ACCURACY),
            note="the lower of two runs",
        ),
        Figure(
            name="fast_cnn: from Start to the evaluated epoch",
            value=seconds,
            unit="s",
            baseline=baseline,
            ratio=tutorial / seconds,
            note=f"with loading, tuning and evaluations; {note}",
        ),
        Figure(
            name="fast_cnn: steps of the epoch alone",
            value=training,
            unit="s",
            baseline=baseline,
            ratio=tutorial / training,
            note=note,
        ),
    ]


def _one_epoch() -> _Epoch:
    """`fast_cnn` as it is when nothing else is chosen, with nothing kept from before."""
    begun = time.perf_counter()
    first = last = begun
    label = ""
    for event in train(make_config({"network": "fast_cnn"})):
        match event:
            case Started():
                label = described(event.threads, event.memory_format)
            case StepFinished():
                last = time.perf_counter()
                if event.step == 1:
                    first = last
            case EpochFinished(test_accuracy=float(accuracy)):
                return _Epoch(accuracy, time.perf_counter() - begun, last - first, label)
            case Failed():
                raise RuntimeError(event.message)
            case _:
                pass
    raise RuntimeError("the run ended before its first epoch did")


def _tutorial(goal: float, *, every: int) -> tuple[float, float]:
    """Seconds of training until an evaluation, one each `every` steps, shows the goal, and what it shows."""
    torch.manual_seed(0)
    network = baselines.lenet(padding=2, pool_first=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        baselines.write_mnist(root)
        steps = baselines.tutorial_loop(network, root)
        seconds = accuracy = 0.0
        for _ in range(MOST_EVALUATIONS):
            start = time.perf_counter()
            for _ in range(every):
                next(steps)
            seconds += time.perf_counter() - start
            accuracy = _accuracy(network, root)
            if accuracy >= goal:
                return seconds, accuracy
    raise RuntimeError(f"the baseline stayed below {goal:.1%}: {accuracy:.2%}")


@torch.inference_mode()
def _accuracy(network: nn.Module, root: Path) -> float:
    """On the 10,000 test images. Not part of the baseline's time."""
    network.eval()
    images, labels = baselines.bare_images(root, count=10_000, side=28, train=False)
    correct = float((network(images).argmax(1) == labels).float().mean())
    network.train()
    return correct
