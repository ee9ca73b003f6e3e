"""What a branch goes on from: the run before it, and where in its own count it begins. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.config import Choice, RunConfig
from engine.control import Change, ScheduleChange
from engine.errors import InputError
from engine.events import Intervened
from engine.optimizers import OPTIMIZERS
from engine.rewind.snapshots import Recorded
from engine.schedules import SCHEDULES
from engine.script.interventions import interventions_of

MOST_PARTS = 50  # runs that branch off one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A run up to the step at which another one branches off.

    Attributes:
        config, interventions: its set-up, and what was changed during it; what came later is passed over.
        step: its step after which the branch begins.
        threads, memory_format, device, precision: as its `Started` says them.
        left_open: the step ends an epoch, whose evaluation was left to the branch.
        past: what this run is itself a branch of.
    """

    config: RunConfig
    step: int
    threads: int
    memory_format: str
    interventions: Sequence[Intervened | Recorded] = ()
    device: str = ""
    precision: str = ""
    left_open: bool = False
    past: Past | None = None

    def line(self) -> Iterator[Past]:
        """This run and those before it, the newest first. Raises InputError where there are too many."""
        run: Past | None = self
        for _ in range(MOST_PARTS):
            if run is None:
                return
            yield run
            run = run.past
        raise InputError("script", "too many runs branch off one another", f"up to {MOST_PARTS}")


@dataclass(frozen=True, slots=True)
class Scale:
    """The sum of an epoch's losses counts for `samples` of those `seen`, once batches have another size."""

    samples: int
    seen: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Where and how a branch begins, by the rules of engine.rewind.branch.

    Attributes:
        step: updates so far, as the branch counts them.
        epoch: the first in which it does anything.
        seen: batches of that epoch that are behind it.
        resumes: that epoch was begun before: its losses are summed up further.
        moved: steps are counted in another way than before.
        scale: what becomes of the sum of the epoch's losses; None: it stays.
        begins_optimizer: the optimizer begins anew; else its state is kept.
        settings: of the kept optimizer that are other ones than before.
        reseeded: random numbers come from another seed.
        keeps_plateau: the schedule remembers what it has seen.
        keeps_best: so does early stopping.
        new_schedule, new_dataset, new_loss: they are other ones than before.
    """

    step: int
    epoch: int
    seen: int
    resumes: bool
    moved: bool
    scale: Scale | None
    begins_optimizer: bool
    settings: tuple[Change, ...]
    reseeded: bool
    keeps_plateau: bool
    keeps_best: bool
    new_schedule: bool
    new_dataset: bool
    new_loss: bool


def entry_of(past: Past, config: RunConfig) -> Entry:
    """How a run of `config` goes on from `past`. Raises InputError where it cannot."""
    _refuse_unlike(past, config)
    size, new_size = past.config.dataset_info().train_size, config.dataset_info().train_size
    old, new = (size, past.config.training.batch_size), (new_size, config.training.batch_size)
    interventions = interventions_of(past.config, past.interventions)
    made = [item for item in interventions if item.step <= past.step]
    kept = _kept_settings(past, config, made)
    schedule, since = _schedule(past.config, made)
    same_goal = past.config.dataset == config.dataset and past.config.loss == config.loss
    place = _moved(past, old, new) if new != old else _stayed(past, old)
    step, epoch, closed, scale = place
    per_epoch = math.ceil(new[0] / new[1])
    return Entry(
        step=step,
        epoch=epoch + closed,
        seen=0 if closed else step - (epoch - 1) * per_epoch,
        resumes=not closed,
        moved=new != old,
        scale=scale,
        begins_optimizer=kept is None,
        settings=() if kept is None else tuple(kept),
        reseeded=past.config.training.seed != config.training.seed,
        # A schedule that was picked at this very step has seen nothing yet.
        keeps_plateau=SCHEDULES[config.schedule.name].plateau and schedule == config.schedule and since < past.step,
        keeps_best=bool(same_goal and config.training.patience and past.config.training.patience),
        new_schedule=schedule != config.schedule,
        new_dataset=past.config.dataset != config.dataset,
        new_loss=past.config.loss != config.loss,
    )


def _refuse_unlike(past: Past, config: RunConfig) -> None:
    if past.config.network != config.network:
        raise InputError(
            "script",
            f"the run branches off from one whose network has other settings ({past.config.network.name})",
            "a branch with the network as it was",
        )
    per_epoch = math.ceil(past.config.dataset_info().train_size / past.config.training.batch_size)
    total = past.config.training.epochs * per_epoch
    total = min(total, past.config.training.steps or total)
    if type(past.step) is not int or not 0 <= past.step <= total:
        raise InputError("script", f"no branch can begin after step {past.step!r} of its parent", f"0 to {total:,}")


Pace = tuple[int, int]
"""Training samples, and samples a batch."""


def _stayed(past: Past, pace: Pace) -> tuple[int, int, bool, Scale | None]:
    """The step, the epoch of it, whether that is over, and what becomes of the sum of losses."""
    per_epoch = math.ceil(pace[0] / pace[1])
    epoch = math.ceil(past.step / per_epoch)
    return past.step, epoch, _closed(past, per_epoch), None


def _closed(past: Past, per_epoch: int) -> bool:
    return past.step % per_epoch == 0 and not (past.left_open and past.step)


def _moved(past: Past, old: Pace, new: Pace) -> tuple[int, int, bool, Scale | None]:
    """The same where batches or epochs have another size: as if all epochs so far had had it."""
    (size, batch), (new_size, new_batch) = old, new
    per_epoch, new_per_epoch = math.ceil(size / batch), math.ceil(new_size / new_batch)
    _, epoch, closed, _ = _stayed(past, old)
    if not epoch:
        return 0, 0, True, None
    seen = min((past.step - (epoch - 1) * per_epoch) * batch, size)
    done = new_per_epoch if seen == size else seen * new_size // (size * new_batch)
    step = (epoch - 1) * new_per_epoch + done
    if not done:  # not even the epoch's first batch is behind it
        return step, epoch - 1, True, None
    return step, epoch, closed, Scale(min(done * new_batch, new_size), seen)


def _kept_settings(past: Past, config: RunConfig, made: Sequence[Recorded]) -> list[Change] | None:
    """What differs in the optimizer's settings; None where it begins anew."""
    was, now = past.config.optimizer, config.optimizer
    if was.name != now.name:
        return None
    entry = OPTIMIZERS[now.name]
    before = dict(was.params)
    early = dict(was.params)  # without what was changed at the very step: the script ends before that
    for item in made:
        if not isinstance(item.change, ScheduleChange):
            param = next(param for param in entry.params if param.name == item.change.name)
            value = param.check(item.change.value, part="optimizer")
            before[item.change.name] = value
            if item.step < past.step:
                early[item.change.name] = value
    if not all(param.live for param in entry.params if before.get(param.name) != now.params[param.name]):
        return None
    found = []
    for param in entry.params:
        value = now.params[param.name]
        if early.get(param.name) != value and isinstance(value, int | float):
            found.append(Change(param.name, value))
    return found


def _schedule(config: RunConfig, made: Sequence[Recorded]) -> tuple[Choice, int]:
    """The schedule as it was at last, and the step after which it was picked; −1: from the beginning."""
    schedule, since = config.schedule, -1
    for item in made:
        if isinstance(item.change, ScheduleChange):
            schedule = Choice(name=item.change.name, params=dict(item.change.params))
            since = item.step
    return schedule, since
