"""How fast a run goes, told the same way with a window and without one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import pairwise
from pathlib import Path
from statistics import median

from engine.events import Event, StepFinished

WAKING = 0.15  # s at the beginning of a turn that do not count: threads and caches wake up
LONG = 4.0  # times the median, from which on an evaluation lies between two steps
FEWEST = 10  # steps that tell a speed

Train = Callable[..., Iterator[Event]]
Turn = tuple[float, float]  # its beginning and end, s of `time.monotonic`, which all processes share


def stamped(train: Train, stamps: list[float]) -> Train:
    """`engine.training.train`, noting when each step ended."""

    @wraps(train)
    def run(*args: object, **named: object) -> Iterator[Event]:
        for event in train(*args, **named):
            if isinstance(event, StepFinished):
                stamps.append(time.monotonic())
            yield event

    return run


def written(stamps: Sequence[float], name: str) -> str:
    """The file in this process's own home that they have been written to: too many for a line between processes."""
    path = Path(os.environ["LEARNSCOPE_HOME"], f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(stamps)), encoding="utf-8")
    return str(path)


def read(path: str) -> list[float]:
    """What `written` wrote."""
    stamps: list[float] = json.loads(Path(path).read_text(encoding="utf-8"))
    return stamps


def steps_per_second(stamps: Sequence[float], turn: Turn) -> float | None:
    """Over the steps that lie in the turn, without evaluations; None where they are too few."""
    begin, end = turn[0] + WAKING, turn[1]
    inside = [stamp for stamp in stamps if begin <= stamp <= end]
    took = [later - earlier for earlier, later in pairwise(inside)]
    if len(took) < FEWEST:
        return None
    longest = LONG * median(took)
    counted = [seconds for seconds in took if seconds <= longest]
    return len(counted) / sum(counted)


def counted(turn: Turn) -> float:
    """Seconds of the turn that count."""
    return turn[1] - turn[0] - WAKING


def number_within(stamps: Sequence[float], turn: Turn) -> int:
    """How often something happened in the part of the turn that counts."""
    return sum(turn[0] + WAKING <= stamp <= turn[1] for stamp in stamps)
