"""What it costs that nothing is lost: recording, checkpoints, rewinding, and a history of many runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.config import RunConfig
from engine.datasets.library import Library
from engine.events import Event, Failed, Started
from engine.runs.opening import FILE
from engine.runs.query import RunQuery
from engine.runs.store import RunStore
from engine.training import train
from engine.tuning import Tuner
from gui.history import read_run, read_runs
from tests.bench.checkpoint_times import checkpoint_figures
from tests.bench.figure import Baseline, Figure, Plan, Target
from tests.bench.past_runs import forget, make_history
from tests.bench.rewinding import rewind_figures
from tests.bench.training import STEPS, adam_config, epoch_figure
from tests.bench.turns import alternate

PAGE = 100  # runs


def measure(plan: Plan) -> list[Figure]:
    library = Library()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return [
            _recording(plan, library, root / "recorded"),
            *checkpoint_figures("mnist_mlp", plan, library, root / "mlp"),
            *checkpoint_figures("lenet5", plan, library, root / "lenet"),
            *rewind_figures(plan, library),
            _opening(plan, root / "many"),
        ]


def _recording(plan: Plan, library: Library, home: Path) -> Figure:
    epochs = plan.times(2, 1)
    config, tuner = adam_config("mnist_mlp", epochs=epochs), Tuner()

    def alone() -> float:
        began = _run(config, library, tuner, lambda _: None)
        return (time.perf_counter() - began) / (epochs * STEPS)

    with RunStore(home) as store:

        def recorded() -> float:
            with store.record(config) as recorder:
                began = _run(config, library, tuner, recorder.put)
            seconds = time.perf_counter() - began
            if recorder.problem:
                raise RuntimeError(recorder.problem)
            return seconds / (epochs * STEPS)

        pairs = alternate(recorded, alone, pairs=plan.times(12, 2))
    return epoch_figure(
        "history: epoch of mnist_mlp, recorded",
        pairs,
        Baseline("the same run, not recorded", 0.0),
        at_least=0.97,
        note=f"whole runs of epochs with their evaluations, {epochs} each, until the record is closed; "
        f"{len(pairs.ours)} pairs",
    )


def _run(config: RunConfig, library: Library, tuner: Tuner, keep: Callable[[Event], None]) -> float:
    """Train to the end and hand every event to `keep`. Returns when the run was set up."""
    began = 0.0
    for event in train(config, library=library, tuner=tuner):
        if isinstance(event, Started):
            began = time.perf_counter()
        elif isinstance(event, Failed):
            raise RuntimeError(event.message)
        keep(event)
    return began


def _opening(plan: Plan, home: Path) -> Figure:
    runs, points = plan.times(10_000, 500), plan.times(50_000_000, 2_000_000)
    began = time.perf_counter()
    longest = make_history(home, runs=runs, points=points)
    made = time.perf_counter() - began
    path = home / FILE
    first = _open(home, longest) if forget(path) else None
    times = np.array([_open(home, longest) for _ in range(plan.times(5, 2))])
    opened, page, listed, curve = np.median(times, axis=0)
    from_disk = f"; {sum(first) - first[1]:.2f} s where none of the file was in memory" if first else ""
    return Figure(
        name=f"history: {runs:,} runs with {points:,} points opened",
        value=float(np.median(times.sum(axis=1) - times[:, 1])),
        unit="s",
        target=Target("value", "at most", 1.0),
        note=f"the store in {1000 * opened:.1f} ms, all its runs listed in {1000 * listed:.0f} ms (the first {PAGE} "
        f"in {1000 * page:.1f} ms), the curves of a long one read in {1000 * curve:.0f} ms{from_disk}; "
        f"{path.stat().st_size / 1e6:,.0f} MB, made in {made:.0f} s",
    )


def _open(home: Path, run: int) -> tuple[float, float, float, float]:
    """Seconds for the store, a page of its runs, all of them as the window lists them, and the curves of `run`."""
    moments = [time.perf_counter()]
    with RunStore(home) as store:
        moments.append(time.perf_counter())
        store.runs(RunQuery(limit=PAGE))
        moments.append(time.perf_counter())
        read_runs(store, first=True)
        moments.append(time.perf_counter())
        read_run(store, run)
        moments.append(time.perf_counter())
    opened, page, listed, curve = (float(seconds) for seconds in np.diff(moments))
    return opened, page, listed, curve
