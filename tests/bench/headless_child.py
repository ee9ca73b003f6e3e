"""Trains without a window whenever it is told, as `tests.bench.child` asks."""

from __future__ import annotations

import json
import sys

from engine.config import make_config
from engine.datasets.library import Library
from engine.events import Failed, Started
from engine.training import train
from engine.tuning import Tuner
from tests.bench.pace import stamped, written


def main() -> None:
    library, tuner = Library(), Tuner()
    say({})
    for line in sys.stdin:
        say(run(json.loads(line), library, tuner))


def run(question: dict[str, object], library: Library, tuner: Tuner) -> dict[str, object]:
    """One run with the set-up's picks and settings; its threads and memory format, and when its steps ended."""
    config = make_config({"network": "lenet5"}, question)
    steps: list[float] = []
    answer: dict[str, object] = {}
    for event in stamped(train, steps)(config, library=library, tuner=tuner):
        match event:
            case Started():
                answer = {"threads": event.threads, "memory_format": event.memory_format}
            case Failed():
                raise RuntimeError(event.message)
            case _:
                pass
    return {**answer, "steps": written(steps, "steps"), "batch_size": config.training.batch_size}


def say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
