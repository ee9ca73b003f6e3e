"""What watching costs, and how the window feels while it trains."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.bench.child import Answer, Child
from tests.bench.figure import Baseline, Figure, Pairs, Plan, Target
from tests.bench.pace import Turn, counted, number_within, read, steps_per_second
from tests.bench.time_sharing import TURN, share
from tests.bench.turns import described

STEPS = 430  # an epoch
EPOCHS = 4  # trained by turns
ROUNDS = 6  # each with processes of their own: how memory happens to lie makes one some per cent faster than the next


def measure(plan: Plan) -> list[Figure]:
    pace = _Pace()
    settings: dict[str, object] = {}
    set_up = ""
    stalls: list[Answer] = []
    pen: Answer = {}
    rounds = plan.times(ROUNDS, 1)
    for number in range(rounds):
        with (
            tempfile.TemporaryDirectory() as folder,
            Child("tests.bench.headless_child", home=Path(folder) / "headless") as headless,
            Child("tests.bench.window_child", home=Path(folder) / "window") as window,
        ):
            headless.answer()
            window.answer()
            if not settings:
                tuned = headless.ask({"training.steps": 60})
                set_up = described(tuned["threads"], tuned["memory_format"])
                settings = {"training.threads": tuned["threads"], "training.memory_format": tuned["memory_format"]}
            longer = settings | {"training.epochs": 2, "training.steps": plan.times(2 * STEPS, 120)}
            long = settings | {"training.epochs": EPOCHS, "training.steps": plan.times(EPOCHS, 2) * STEPS}
            headless.ask(longer)  # one that does not count on either side: memory is taken, caches fill
            cost = window.ask({"probe": "speed", **longer})["cost"]
            pace.take(share((window, {"probe": "speed", **long}), (headless, long)), cost)
            if number == rounds - 1:
                stalls = [window.ask({"probe": "stalls", **longer}) for _ in range(plan.times(2, 1))]
                pen = window.ask({"probe": "pen", **longer})
    return [*pace.figures(set_up), *_feel(stalls, pen)]


class _Pace:
    """What the turns of all processes say together."""

    def __init__(self) -> None:
        self._ours: list[float] = []
        self._theirs: list[float] = []
        self._costs: list[float] = []
        self._paints, self._seconds = 0.0, 0.0

    def take(self, shared: tuple[tuple[Answer, list[Turn]], tuple[Answer, list[Turn]]], cost: float) -> None:
        """Of a window's process and one without."""
        (ours, our_turns), (theirs, their_turns) = shared
        batch = theirs["batch_size"]
        steps, their_steps, paints = read(ours["steps"]), read(theirs["steps"]), read(ours["paints"])
        for turn, other in zip(our_turns, their_turns, strict=True):
            speed, their_speed = steps_per_second(steps, turn), steps_per_second(their_steps, other)
            if speed is not None and their_speed is not None:
                self._ours.append(speed * batch)
                self._theirs.append(their_speed * batch)
                self._paints += number_within(paints, turn)
                self._seconds += counted(turn)
        self._costs.append(cost)

    def figures(self, set_up: str) -> list[Figure]:
        pairs = Pairs(self._ours, self._theirs)
        return [
            Figure(
                name="window: lenet5 in the open window",
                value=pairs.our_median,
                unit="samples/s",
                baseline=Baseline("the same run without a window", pairs.their_median),
                ratio=pairs.speed_ratio,
                target=Target("ratio", "at least", 0.95),
                note=f"1280 × 800, all panels; both {set_up}; median of {len(self._ours)} pairs of turns of {TURN} s "
                f"in {len(self._costs)} pairs of processes",
            ),
            Figure(
                name="window: redraws meanwhile",
                value=self._paints / self._seconds,
                unit="/s",
                target=Target("value", "at least", 10.0),
                note="paintings of the loss plot in the same turns; the window itself says that drawing takes "
                f"{median(self._costs):.1%} of the time",
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
