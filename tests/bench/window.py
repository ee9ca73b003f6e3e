"""What watching costs, and how the window feels while it trains."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.bench.child import Answer, Child
from tests.bench.figure import Baseline, Figure, Pairs, Plan, Target, percentile
from tests.bench.turns import described

STEPS = 430  # an epoch
PROCESSES = 8  # on each side: how memory happens to lie makes one some per cent faster than the next
TURNS = 8  # of each, about a second long: what else the machine does changes within seconds


def measure(plan: Plan) -> list[Figure]:
    settings: dict[str, object] = {}
    set_up = ""
    watched, alone, stalls = list[Answer](), list[Answer](), list[Answer]()
    pen: Answer = {}
    processes = plan.times(PROCESSES, 1)
    for number in range(processes):
        with (
            tempfile.TemporaryDirectory() as folder,
            Child("tests.bench.headless_child", home=Path(folder) / "headless") as headless,
            Child("tests.bench.window_child", home=Path(folder) / "window") as window,
        ):
            headless.answer()
            window.answer()
            if not settings:
                tuned = headless.ask({"training.steps": 1})
                settings = {"training.threads": tuned["threads"], "training.memory_format": tuned["memory_format"]}
                set_up = described(tuned["threads"], tuned["memory_format"])
            longer = settings | {"training.epochs": 2, "training.steps": plan.times(2 * STEPS, 120)}
            _take_turns(window, headless, settings, watched, alone, turns=plan.times(TURNS, 2))
            if number == processes - 1:
                stalls = [window.ask({"probe": "stalls", **longer}) for _ in range(plan.times(2, 1))]
                pen = window.ask({"probe": "pen", **longer})
    return [*_speed(watched, alone, set_up), *_feel(stalls, pen)]


def _take_turns(
    window: Child,
    headless: Child,
    settings: dict[str, object],
    watched: list[Answer],
    alone: list[Answer],
    *,
    turns: int,
) -> None:
    """Add so many answers of each: one trains while the other rests. A turn before them does not count."""
    run = settings | {"training.epochs": 3}
    headless.ask(run)
    headless.ask({})
    window.ask({"probe": "turns", **run})
    for number in range(turns):
        if number % 2:
            alone.append(headless.ask({}))
        watched.append(window.ask({}))
        if not number % 2:
            alone.append(headless.ask({}))
    window.ask({"probe": "stop"})


def _speed(watched: list[Answer], alone: list[Answer], set_up: str) -> list[Figure]:
    pairs = Pairs([run["samples_per_second"] for run in watched], [run["samples_per_second"] for run in alone])
    ratios = [ours / theirs for ours, theirs in zip(pairs.ours, pairs.theirs, strict=True)]
    return [
        Figure(
            name="window: lenet5 in the open window",
            value=pairs.our_median,
            unit="samples/s",
            baseline=Baseline("the same run without a window", pairs.their_median),
            ratio=pairs.speed_ratio,
            target=Target("ratio", "at least", 0.95),
            note=f"1280 × 800, all panels; both {set_up}; {len(watched)} pairs of turns in several processes; half of "
            f"them between {percentile(ratios, 0.25):.2f} and {percentile(ratios, 0.75):.2f}",
        ),
        Figure(
            name="window: redraws meanwhile",
            value=median(run["redraws_per_second"] for run in watched),
            unit="/s",
            target=Target("value", "at least", 10.0),
            note="paintings of the loss plot in the same runs; the window itself says that drawing took "
            f"{median(run['cost'] for run in watched):.1%} of the time",
        ),
    ]


def _feel(stalls: list[Answer], pen: Answer) -> list[Figure]:
    worst = max(run["worst"] for run in stalls)
    how = f"{sum(run['events'] for run in stalls):,.0f} events, one every 2 ms, due whether the loop answers or not"
    return [
        Figure(
            name="window: event delay while training, p99",
            value=max(run["p99"] for run in stalls),
            unit="ms",
            target=Target("value", "at most", 16.0),
            note=how,
        ),
        Figure(
            name="window: event delay while training, worst",
            value=worst,
            unit="ms",
            target=Target("value", "at most", 50.0),
            note=how,
        ),
        Figure(
            name="window: event delay from Start to the first step, worst",
            value=max(run["starting"] for run in stalls),
            unit="ms",
            note="loading, tuning and the first evaluation",
        ),
        Figure(
            name="window: pen to prediction while training, p95",
            value=pen["p95"],
            unit="ms",
            target=Target("value", "at most", 30.0),
            note=f"{pen['movements']:.0f} movements; median {pen['median']:.1f} ms, worst {pen['worst']:.1f} ms",
        ),
    ]
