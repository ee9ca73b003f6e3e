"""What was changed during a run, in a form that can be repeated. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.config import RunConfig
from engine.control import Change, ScheduleChange
from engine.errors import InputError
from engine.events import Intervened
from engine.optimizers import OPTIMIZERS
from engine.rewind.snapshots import Recorded
from engine.schedules import SCHEDULES


def interventions_of(config: RunConfig, told: Iterable[Intervened | Recorded]) -> tuple[Recorded, ...]:
    """The same, checked, in the order of their steps.

    An `Intervened` event of an older version holds a number with six digits, and a schedule's name without its
    settings, which may have been any. A `Recorded` change is exact.

    Raises InputError for those, for settings that cannot be changed in a run of `config`, and for values that are not
    accepted.
    """
    found = [_checked(config, item if isinstance(item, Recorded) else _parsed(item)) for item in told]
    return tuple(sorted(found, key=lambda item: item.step))


def _parsed(event: Intervened) -> Recorded:
    if event.name == "schedule":
        known = SCHEDULES[event.new]
        if known.params and not event.params:
            raise InputError(
                "script",
                f"the run changed its schedule to {known.label} after step {event.step:,}, and the history of an older "
                "version does not say with which settings",
                "a run without that change",
            )
        return Recorded(event.step, ScheduleChange(event.new, event.params))
    try:
        value = float(event.new)
    except ValueError:
        raise InputError("script", f"the change of {event.name} to {event.new!r} is not a number") from None
    return Recorded(event.step, Change(event.name, value))


def _checked(config: RunConfig, recorded: Recorded) -> Recorded:
    step, change = recorded.step, recorded.change
    if type(step) is not int or step < 0:
        raise InputError("script", f"an intervention after step {step!r}", "a whole number from 0")
    if isinstance(change, ScheduleChange):
        params = SCHEDULES[change.name].resolve(change.params, part="schedule")
        return Recorded(step, ScheduleChange(change.name, params))
    entry = OPTIMIZERS[config.optimizer.name]
    param = next((param for param in entry.params if param.name == change.name and param.live), None)
    if param is None:
        raise InputError("script", f"{entry.label} has no setting {change.name!r} that can change during a run")
    if not math.isfinite(change.value):
        raise InputError(f"optimizer.{change.name}", f"{change.value!r} is not accepted", param.accepts())
    param.check(change.value, part="optimizer")
    return recorded
