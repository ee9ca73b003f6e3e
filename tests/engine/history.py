"""What the tests of the history share: runs that are made up, so that nothing is trained."""

from __future__ import annotations

import math
from pathlib import Path

from engine.config import RunConfig, make_config
from engine.events import EpochFinished, Evaluated, Event, Finished, Started, StepFinished, StopReason
from engine.runs.opening import FILE
from engine.runs.store import RunStore

CONFIG = make_config({"dataset": "gaussians", "network": "mlp"}, {"training.epochs": 3})
PER_EPOCH = 10


def started(*, tracked: tuple[str, ...] = (), resumed_from: int = 0, total: int = 30) -> Started:
    return Started(
        device="CPU",
        threads=1,
        memory_format="contiguous",
        precision="float32",
        parameters=26,
        batch_size=40,
        steps_per_epoch=PER_EPOCH,
        total_steps=total,
        train_size=400,
        network="mlp",
        dataset="gaussians",
        tracked=tracked,
        resumed_from=resumed_from,
    )


def step(number: int, *, per_epoch: int = PER_EPOCH, tracked: bool = False) -> StepFinished:
    loss = 1.0 + math.sin(number) / 3
    accuracy = (number % 40) / 40 if number % 10 == 1 else None
    values = ((number / 7, -1.0 / number), (0.0, loss)) if tracked else (None, None)
    epoch = (number - 1) // per_epoch + 1
    return StepFinished(number, epoch, loss, 0.01 / epoch, number * 0.0017, accuracy, *values)


def epoch_end(epoch: int, *, per_epoch: int = PER_EPOCH, test_loss: float | None = None) -> EpochFinished:
    figures = (1.0 / epoch if test_loss is None else test_loss, epoch / 10, 1.1 / epoch, epoch / 11)
    return EpochFinished(epoch, epoch * per_epoch, 1.2 / epoch, *figures, 0.01, epoch * per_epoch * 0.0017 + 0.001)


def told(
    steps: int,
    *,
    first: int = 1,
    per_epoch: int = PER_EPOCH,
    tracked: bool = False,
    reason: StopReason | None = "completed",
) -> list[Event]:
    """What a run of `steps` steps tells, from step `first` on; `reason` None: it breaks off."""
    resumed = first - 1
    events: list[Event] = [
        started(tracked=("weight", "bias") if tracked else (), resumed_from=resumed, total=steps),
        *([Evaluated(0, 2.5, 0.1, None, None, 0.01)] if first == 1 else []),
    ]
    for number in range(first, steps + 1):
        events.append(step(number, per_epoch=per_epoch, tracked=tracked))
        if number % per_epoch == 0:
            events.append(epoch_end(number // per_epoch, per_epoch=per_epoch))
    if reason is not None:
        events.append(Finished(reason, steps, -(-steps // per_epoch), steps * 0.0017 + 0.002, 4321.0))
    return events


def keep(store: RunStore, events: list[Event], *, config: RunConfig = CONFIG, name: str = "") -> int:
    """The number of a run that told `events`."""
    with store.record(config, name=name) as recorder:
        for event in events:
            recorder.put(event)
    assert recorder.problem is None
    assert recorder.run_id is not None
    return recorder.run_id


def file_of(home: Path) -> Path:
    return home / FILE
