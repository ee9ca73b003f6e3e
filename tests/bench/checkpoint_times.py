"""How long a checkpoint holds up a run, how long it takes to reach the disk, and its size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from engine.checkpoint import Checkpoint
from engine.checkpoint_folder import CheckpointPolicy
from engine.checkpoint_writer import CheckpointWriter
from engine.control import RunControl
from engine.course import Course
from engine.datasets.library import Library
from engine.events import CheckpointFailed, CheckpointSaved, Event, Failed
from engine.rewind.snapshots import Snapshots
from tests.bench.figure import Figure, Plan
from tests.bench.training import adam_config
from tests.bench.turns import learnscope

APART = 200  # steps between two checkpoints, in which all that they hold has changed


class _TimedWriter(CheckpointWriter):
    """Remembers the seconds that each checkpoint has held up the run."""

    def __init__(self, policy: CheckpointPolicy) -> None:
        super().__init__(policy)
        self.held_up: list[float] = []

    def submit(self, names: Iterable[str], take: Callable[[], Checkpoint], *, step: int, seconds: float) -> None:
        names = tuple(names)
        start = time.perf_counter()
        super().submit(names, take, step=step, seconds=seconds)
        if names:
            self.held_up.append(time.perf_counter() - start)


def checkpoint_figures(network: str, plan: Plan, library: Library, folder: Path) -> list[Figure]:
    # Neither the size of a batch nor threads change what a checkpoint holds; small steps lie quickly behind.
    config, snapshots = adam_config(network, batch_size=16, threads=1), Snapshots()
    learnscope(config, library, snapshots=snapshots)  # sets up what the course below works with
    assert snapshots.ready is not None
    policy = CheckpointPolicy(folder=folder, every_steps=APART, every_epochs=0, copy_epochs=0, at_best=False)
    writer = _TimedWriter(policy)
    number = plan.times(6, 2)
    told: list[Event] = []
    for event in Course(config, RunControl(), snapshots.ready, writer=writer).events():
        told.append(event)
        if len(writer.held_up) == number:
            break
    writer.close()
    told += writer.reports()
    for event in told:
        if isinstance(event, CheckpointFailed | Failed):
            raise RuntimeError(f"{event}")
    saved = [event for event in told if isinstance(event, CheckpointSaved)]
    every = f"{number} checkpoints, {APART} steps apart"
    return [
        Figure(
            name=f"checkpoint: {network} held up",
            value=1000 * median(writer.held_up),
            unit="ms",
            note=f"median of {every}; the longest {1000 * max(writer.held_up):.1f} ms",
        ),
        Figure(
            name=f"checkpoint: {network} written beside the run",
            value=1000 * median(event.seconds for event in saved),
            unit="ms",
            note=f"packed, written and synced; median of {len(saved)}, the slowest "
            f"{1000 * max(event.seconds for event in saved):.1f} ms",
        ),
        Figure(
            name=f"checkpoint: {network} on disk",
            value=max(event.size for event in saved) / 1e3,
            unit="kB",
        ),
    ]
