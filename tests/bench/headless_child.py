"""Trains without a window whenever it is told, as `tests.bench.child` asks."""

from __future__ import annotations

import json
import math
import sys

from engine.config import make_config
from engine.datasets.library import Library
from engine.events import Failed, Started, StepFinished
from engine.training import train
from engine.tuning import Tuner
from tests.bench.pace import samples_per_second


def main() -> None:
    library, tuner = Library(), Tuner()
    say({})
    for line in sys.stdin:
        say(run(json.loads(line), library, tuner))


def run(question: dict[str, object], library: Library, tuner: Tuner) -> dict[str, object]:
    """One run with the set-up's picks and settings; its pace, threads and memory format."""
    config = make_config({"network": "lenet5"}, question)
    seconds = {}
    answer: dict[str, object] = {}
    for event in train(config, library=library, tuner=tuner):
        match event:
            case Started():
                answer = {"threads": event.threads, "memory_format": event.memory_format}
            case StepFinished():
                seconds[event.step] = event.seconds
            case Failed():
                raise RuntimeError(event.message)
            case _:
                pass
    epoch = min(len(seconds), math.ceil(config.dataset_info().train_size / config.training.batch_size))
    speed = samples_per_second(seconds.__getitem__, steps=epoch, batch_size=config.training.batch_size)
    return {**answer, "samples_per_second": speed}


def say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
