"""Trains without a window, some steps whenever it is told, as `tests.bench.child` asks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from engine.config import make_config
from engine.datasets.library import Library
from engine.events import Event, Failed, Started, StepFinished
from engine.training import train
from engine.tuning import Tuner
from tests.bench.pace import TURN, samples_per_second


class Run:
    """One run that goes on by a turn whenever it is told. `settings` are those of the set-up."""

    def __init__(self, settings: dict[str, object], library: Library, tuner: Tuner) -> None:
        self._config = make_config({"network": "lenet5"}, settings)
        self._events: Iterator[Event] = train(self._config, library=library, tuner=tuner)
        self._seconds: dict[int, float] = {}
        self.started = self._until_started()

    def _until_started(self) -> Started:
        for event in self._events:
            if isinstance(event, Failed):
                raise RuntimeError(event.message)
            if isinstance(event, Started):
                return event
        raise RuntimeError("the run did not start")

    def turn(self) -> float:
        """Samples a second over the next TURN steps."""
        began = len(self._seconds)
        for event in self._events:
            if isinstance(event, StepFinished):
                self._seconds[event.step] = event.seconds
                if event.step == began + TURN:
                    break
        return samples_per_second(
            self._seconds.__getitem__,
            began=began,
            ended=len(self._seconds),
            steps_per_epoch=self.started.steps_per_epoch,
            batch_size=self._config.training.batch_size,
        )


def main() -> None:
    """A question with settings begins a run; an empty one asks for a turn."""
    library, tuner = Library(), Tuner()
    run: Run | None = None
    say({})
    for line in sys.stdin:
        if question := json.loads(line):
            run = Run(question, library, tuner)
            say({"threads": run.started.threads, "memory_format": run.started.memory_format})
        elif run is not None:
            say({"samples_per_second": run.turn()})


def say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
