"""What the tests of scripts share: set-ups with their interventions, tiny image files, many scripts in one process."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from engine.catalog import Catalog, Params
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetEntry, Loading, Samples
from engine.datasets.library import Library
from engine.events import Event, Finished, Intervened, Preparing, Started, StepFinished
from engine.rewind.snapshots import Recorded
from engine.script import write_script
from engine.training import train
from engine.weight_hash import weight_hash

TRAIN, TEST = 14, 6  # images in the files
VALIDATION = 5  # of those for training

# As a reader would run them, but one after the other: to import torch takes longer than all of them.
RUNNER = """
import contextlib, io, json, sys, traceback, warnings
warnings.simplefilter("error")
import torch
import torchvision.datasets

images = json.loads(sys.argv[2])


class Photographs:
    def __init__(self, folder, train, download):
        arrays = images["train" if train else "test"]
        self.data = torch.tensor(arrays[0], dtype=torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        self.targets = arrays[1]


torchvision.datasets.CIFAR10 = Photographs
for name, file, arguments in json.loads(sys.argv[1]):
    sys.argv = [file, *arguments]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), open(file, encoding="utf-8") as source:
            exec(compile(source.read(), name, "exec"), {"__name__": "__main__"})
        failure = ""
    except BaseException:
        failure = traceback.format_exc()
    ours = sorted({module.split(".")[0] for module in sys.modules} & {"engine", "gui", "assets", "safetensors"})
    print(json.dumps([name, out.getvalue(), failure, ours]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A set-up, what is changed after which step, and after which step it is stopped, if it is."""

    config: RunConfig
    changes: Mapping[int, Sequence[Change | ScheduleChange]] = field(default_factory=dict)
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that is over."""

    hash: str
    started: Started
    finished: Finished
    weights: Mapping[str, torch.Tensor]
    events: tuple[Event, ...]
    interventions: tuple[Recorded, ...]

    def script(self, case: Case) -> str:
        return write_script(
            case.config,
            self.interventions,
            threads=self.started.threads,
            memory_format=self.started.memory_format,
            device=self.started.device,
            precision=self.started.precision,
            stopped_after=self.finished.step if self.finished.reason == "stopped" else None,
        )


def trained(case: Case, library: Library) -> Trained:
    """The run of `case`, whose interventions are asked for as soon as their step is done."""
    control = RunControl()
    asked = list(case.changes.get(0, ()))
    for change in asked:
        control.change(change)
    interventions = [Recorded(0, change) for change in asked]
    events = []
    for event in train(case.config, control, library=library):
        events.append(event)
        if isinstance(event, StepFinished):
            for change in case.changes.get(event.step, ()):
                control.change(change)
                interventions.append(Recorded(event.step, change))
            if event.step == case.stop:
                control.stop()
    told = [event.step for event in events if isinstance(event, Intervened)]
    assert told == [intervention.step for intervention in interventions]
    assert control.live is not None, events
    weights = control.live.weights()
    (started,) = [event for event in events if isinstance(event, Started)]
    finished = events[-1]
    assert isinstance(finished, Finished), finished
    return Trained(weight_hash(weights), started, finished, weights, tuple(events), tuple(interventions))


def run_scripts(
    folder: Path, scripts: Mapping[str, str], arguments: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Run them all in one process that does not see the project.

    By name: what was printed, and what went wrong, line by line.
    """
    cases = []
    for name, text in scripts.items():
        file = folder / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        cases.append((name, str(file), list(arguments.get(name, ()))))
    train_images, train_labels, test_images, test_labels = made_images((3, 32, 32), classes=10)
    photographs = {
        "train": (train_images.tolist(), train_labels.tolist()),
        "test": (test_images.tolist(), test_labels.tolist()),
    }
    runner = folder / "runner.py"
    runner.write_text(RUNNER.replace("sys.argv[2]", 'open("photographs.json").read()'), encoding="utf-8")
    (folder / "photographs.json").write_text(json.dumps(photographs), encoding="utf-8")
    command = [sys.executable, "-I", str(runner), json.dumps(cases)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stderr
    outputs = {}
    for line in ran.stdout.splitlines():
        name, printed, failure, ours = json.loads(line)
        assert not ours
        outputs[name] = [*printed.splitlines(), *failure.splitlines()]
    return outputs


def made_images(
    shape: tuple[int, ...], *, classes: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Made-up training images and labels, test images and labels: uint8 (N, C, H, W) and int64 (N,)."""
    generator = torch.Generator().manual_seed(0)
    arrays: list[torch.Tensor] = []
    for count in (TRAIN, TEST):
        arrays.append(torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator))
        arrays.append(torch.randint(classes, (count,), generator=generator))
    return arrays[0], arrays[1], arrays[2], arrays[3]


def image_library() -> Library:
    """All datasets, with the images of `made_images` in place of real ones."""

    def made(entry: DatasetEntry) -> DatasetEntry:
        def load(params: Params) -> Loading:
            yield Preparing("Making samples")
            info = entry.info(params)
            images, labels, test_images, test_labels = made_images(info.shape, classes=len(info.classes))
            cut = TRAIN - info.validation_size
            return Dataset(
                info,
                Samples(images[:cut], labels[:cut]),
                Samples(images[cut:], labels[cut:]),
                Samples(test_images, test_labels),
            )

        return replace(entry, load=load)

    entries = [made(entry) if entry.info({}).is_image and not entry.info({}).raw else entry for entry in DATASETS]
    return Library(catalog=Catalog("dataset", DatasetEntry, entries))


def write_image_files(folder: Path) -> None:
    """`made_images` as the files of MNIST in `folder`, and as torchvision's of the other sets."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    for place, dataset, transposed, first in (
        (".", "mnist", False, 0),
        ("FashionMNIST/raw", "fashion_mnist", False, 0),
        ("KMNIST/raw", "kmnist", False, 0),
        ("EMNIST/raw", "emnist_letters", True, 1),
        ("EMNIST/raw", "emnist_balanced", True, 0),
    ):
        raw = folder / place
        raw.mkdir(parents=True, exist_ok=True)
        arrays = made_images((1, 28, 28), classes=len(DATASETS[dataset].info({}).classes))
        for name, array in zip(names, arrays, strict=True):
            data = _idx(_stored(array, transposed=transposed, first=first))
            if place == ".":
                (raw / f"{name}.gz").write_bytes(gzip.compress(data, compresslevel=1))
                continue
            split = "train" if name.startswith("train") else "test"
            if transposed:
                name = f"emnist-{dataset.removeprefix('emnist_')}-{split}-{name.partition('-')[2]}"
            (raw / name).write_bytes(data)


def _stored(array: torch.Tensor, *, transposed: bool, first: int) -> torch.Tensor:
    """Images without their channel, labels counted from `first`: uint8."""
    if array.dim() == 1:
        return (array + first).to(torch.uint8)
    images = array.squeeze(1)
    return images.transpose(1, 2).contiguous() if transposed else images


def _idx(array: torch.Tensor) -> bytes:
    head = bytes((0, 0, 8, array.dim())) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.numpy().tobytes()
