"""What it costs that nothing is lost: recording, checkpoints, rewinding, and a history of many runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.config import RunConfig
from engine.datasets.library import Library
from engine.events import Event, Failed, Started
from engine.runs.opening import FILE
from engine.runs.store import RunStore
from engine.training import train
from engine.tuning import Tuner
from gui.history import NEWEST, read_newest, read_run, read_runs
from gui.run_rows import SearchTexts, Wanted, listed
from tests.bench.checkpoint_times import checkpoint_figures
from tests.bench.figure import Baseline, Figure, Plan, Target
from tests.bench.past_runs import LONG, SHORT_STEPS, forget, make_history
from tests.bench.rewinding import rewind_figures
from tests.bench.training import STEPS, adam_config, epoch_figure
from tests.bench.turns import alternate


def measure(plan: Plan) -> list[Figure]:
    library = Library()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return [
            _recording(plan, library, root / "recorded"),
            *checkpoint_figures("mnist_mlp", plan, library, root / "mlp"),
            *checkpoint_figures("lenet5", plan, library, root / "lenet"),
            *rewind_figures(plan, library),
            *_opening(plan, root / "many"),
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


def _opening(plan: Plan, home: Path) -> list[Figure]:
    runs, points = plan.times(10_000, 500), plan.times(50_000_000, 2_000_000)
    began = time.perf_counter()
    longest = make_history(home, runs=runs, points=points)
    made = time.perf_counter() - began
    path = home / FILE
    from_disk = _open(home, longest) if forget(path) else None
    rounds = [_open(home, longest) for _ in range(plan.times(7, 2))]
    opened, first, all_of_them, curve = (
        1000 * float(part) for part in np.median([one.parts for one in rounds], axis=0)
    )
    what = f"{runs:,} runs with {points:,} points"
    cold = "" if from_disk is None else f"; {from_disk.rows:.2f} s where none of the file was in memory"
    cold_all = "" if from_disk is None else f"; {from_disk.all:.2f} s where none of the file was in memory"
    return [
        Figure(
            name=f"history: first rows of {runs:,} runs",
            value=float(np.median([one.rows for one in rounds])),
            unit="s",
            target=Target("value", "at most", 0.2),
            note=f"the store opened in {opened:.1f} ms and the newest {NEWEST} runs read and put in order in "
            f"{first:.1f} ms, as the window does at its start, without drawing{cold}",
        ),
        Figure(
            name=f"history: {what} opened",
            value=float(np.median([one.all for one in rounds])),
            unit="s",
            target=Target("value", "at most", 1.0),
            note=f"the first rows as above, then all runs read and put in order in {all_of_them:.0f} ms, then a run of "
            f"{(points - (runs - LONG) * SHORT_STEPS) // LONG:,} steps read and its curves made in {curve:.0f} ms, "
            f"without drawing and with torch imported; processor time of all "
            f"{np.median([one.processor for one in rounds]):.2f} s{cold_all}; {path.stat().st_size / 1e6:,.0f} MB, "
            f"made in {made:.0f} s",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Opening:
    """Seconds for the store, its first rows, all its rows, and the curves of a run; `processor`: of all of it."""

    parts: tuple[float, float, float, float]
    processor: float

    @property
    def rows(self) -> float:
        return self.parts[0] + self.parts[1]

    @property
    def all(self) -> float:
        return sum(self.parts)


def _open(home: Path, run: int) -> _Opening:
    """What the window does, on its threads, from its start until a run of the past can be drawn."""
    moments, processor = [time.perf_counter()], time.process_time()
    with RunStore(home) as store:
        moments.append(time.perf_counter())
        listed(read_newest(store), SearchTexts(), Wanted())
        moments.append(time.perf_counter())
        listed(read_runs(store, first=True).runs, SearchTexts(), Wanted())
        moments.append(time.perf_counter())
        read_run(store, run)
        moments.append(time.perf_counter())
    opened, first, all_of_them, curve = (float(seconds) for seconds in np.diff(moments))
    return _Opening((opened, first, all_of_them, curve), time.process_time() - processor)
