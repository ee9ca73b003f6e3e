"""What was changed during a run, in a form that can be repeated. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from engine.config import RunConfig
from engine.control import Change, ScheduleChange
from engine.errors import InputError
from engine.events import Intervened
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES


@dataclass(frozen=True, slots=True)
class Intervention:
    """What was asked of a run, taken over after `step` steps."""

    step: int
    change: Change | ScheduleChange


def interventions_of(config: RunConfig, told: Iterable[Intervened | Intervention]) -> tuple[Intervention, ...]:
    """The same, checked, in the order of their steps.

    The text of an `Intervened` event holds a number as it was printed, and a schedule's name without its settings:
    those are then the set-up's own where it has that schedule, else its defaults. An `Intervention` is exact.

    Raises InputError for settings that cannot be changed in a run of `config`, and for values that are not accepted.
    """
    found = [_checked(config, item if isinstance(item, Intervention) else _parsed(config, item)) for item in told]
    return tuple(sorted(found, key=lambda item: item.step))


def _parsed(config: RunConfig, event: Intervened) -> Intervention:
    if event.name == "schedule":
        own = config.schedule.params if event.new == config.schedule.name else {}
        return Intervention(event.step, ScheduleChange(event.new, own))
    try:
        value = float(event.new)
    except ValueError:
        raise InputError("script", f"the change of {event.name} to {event.new!r} is not a number") from None
    return Intervention(event.step, Change(event.name, value))


def _checked(config: RunConfig, intervention: Intervention) -> Intervention:
    step, change = intervention.step, intervention.change
    if type(step) is not int or step < 0:
        raise InputError("script", f"an intervention after step {step!r}", "a whole number from 0")
    if isinstance(change, ScheduleChange):
        params = SCHEDULES[change.name].resolve(change.params, part="schedule")
        return Intervention(step, ScheduleChange(change.name, params))
    entry = OPTIMIZERS[config.optimizer.name]
    param = next((param for param in entry.params if param.name == change.name and param.live), None)
    if param is None:
        raise InputError("script", f"{entry.label} has no setting {change.name!r} that can change during a run")
    if not math.isfinite(change.value):
        raise InputError(f"optimizer.{change.name}", f"{change.value!r} is not accepted", param.accepts())
    param.check(change.value, part="optimizer")
    return intervention
