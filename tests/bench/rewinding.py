"""What it costs to keep snapshots of a run, and how long it takes to be back at one of its steps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from statistics import median

from engine.config import RunConfig
from engine.datasets.data import Dataset
from engine.datasets.library import Library
from engine.inspection.activations import activations
from engine.inspection.confusion import Tally, balanced_order, confusion_matrix
from engine.live import LiveNetwork
from engine.rewind.moments import Moment, moment_at
from engine.rewind.snapshots import Snapshots
from engine.tuning import Tuner
from gui.confusion_count import FIRST, SUBSET
from tests.bench.figure import Baseline, Figure, Plan, Target
from tests.bench.training import adam_config, epoch_figure
from tests.bench.turns import learnscope, take_turns

TURN = 86  # steps, five of which make an epoch: there are several snapshots in each
AT_MOST = Target("value", "at most", 100.0)  # ms


def rewind_figures(plan: Plan, library: Library) -> list[Figure]:
    config, tuner, snapshots = adam_config("lenet5"), Tuner(), Snapshots()
    ours = learnscope(config, library, tuner=tuner, snapshots=snapshots)
    theirs = learnscope(config, library, tuner=tuner)
    pairs = take_turns(ours, theirs, steps=plan.times(TURN, 43), pairs=plan.times(20, 2))
    kept = [tick.step for tick in snapshots.ticks]
    choose = random.Random(0)
    digits = _dataset(library, config).test
    drawing = digits.inputs[0].numpy()

    def go_back(step: int) -> LiveNetwork:
        live = _moment(snapshots, step).live
        for layer in live.layers:
            live.filters(layer.name)
        live.predict(drawing)
        return live

    order = balanced_order(digits)
    first: list[int] = []

    def look(step: int) -> None:
        live = go_back(step)
        activations(live, drawing)
        tally = Tally(live, digits, order)
        tally.count(SUBSET, seconds=FIRST)
        tally.found()
        first.append(tally.done)

    reached = _seconds_each(go_back, choose.sample(kept, min(len(kept), 50)))
    looked = _seconds_each(look, choose.sample(kept, min(len(kept), 50)))
    judged = _seconds_each(
        lambda step: confusion_matrix(go_back(step), digits), choose.sample(kept, min(len(kept), plan.times(10, 3)))
    )
    gaps = [(step, later) for step, later in pairwise(kept) if later - step > 1]
    gaps = choose.sample(gaps, min(len(gaps), plan.times(10, 3)))
    spent = snapshots.spent / (kept[-1] * pairs.our_median)
    figures = [
        epoch_figure(
            "rewind: epoch of lenet5 with snapshots kept",
            pairs,
            Baseline("the same run, nothing kept", 0.0),
            at_least=0.97,
            note=f"steps alone, in turns of {plan.times(TURN, 43)}; {len(kept)} snapshots, "
            f"{snapshots.spacing} steps apart, took {spent:.1%} of the time by the run's own clock; both {ours.label}",
        ),
        Figure(
            name="rewind: size of a snapshot of lenet5",
            value=snapshots.size / len(kept) / 1e3,
            unit="kB",
            note=f"in memory; what several hold is counted once; mean of {len(kept)}",
        ),
        Figure(
            name="rewind: lenet5 back at a step that is kept",
            value=1000 * median(reached),
            unit="ms",
            target=AT_MOST,
            note=f"its network, filters, and answer for a drawing; median of {len(reached)}, "
            f"the slowest {1000 * max(reached):.1f} ms",
        ),
        Figure(
            name="rewind: the same with activations and a confusion matrix",
            value=1000 * median(looked),
            unit="ms",
            target=AT_MOST,
            note=f"its first part, of {median(first):g} digits, as the window asks for it; median of {len(looked)}, "
            f"the slowest {1000 * max(looked):.1f} ms",
        ),
        Figure(
            name="rewind: until the confusion matrix is of all digits",
            value=1000 * median(judged),
            unit="ms",
            note=f"{len(digits):,} of them; median of {len(judged)}, the slowest {1000 * max(judged):.1f} ms",
        ),
    ]
    if gaps:
        between = _seconds_each(lambda step: _moment(snapshots, step), [(step + later) // 2 for step, later in gaps])
        trained = median((later - step) // 2 for step, later in gaps)
        figures.append(
            Figure(
                name="rewind: lenet5 back at a step between two that are kept",
                value=1000 * median(between),
                unit="ms",
                note=f"{trained:g} steps trained anew; median of {len(between)}, "
                f"the slowest {1000 * max(between):.1f} ms",
            )
        )
    return figures


def _moment(snapshots: Snapshots, step: int) -> Moment:
    moment = moment_at(snapshots, step)
    assert moment is not None
    return moment


def _seconds_each(do: Callable[[int], object], steps: Iterable[int]) -> list[float]:
    seconds = []
    for step in steps:
        start = time.perf_counter()
        do(step)
        seconds.append(time.perf_counter() - start)
    return seconds


def _dataset(library: Library, config: RunConfig) -> Dataset:
    loading = library.load(config.dataset.name, config.dataset.params)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            dataset: Dataset = end.value
            return dataset
