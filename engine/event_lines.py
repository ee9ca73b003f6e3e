"""Events from the lines that `engine.events.as_json` writes."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from functools import cache

from pydantic import TypeAdapter, ValidationError

from engine.events import (
    CheckpointFailed,
    CheckpointSaved,
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Intervened,
    Paused,
    Preparing,
    Resumed,
    Started,
    StepFinished,
)

_CLASSES: dict[str, type[Event]] = {
    "preparing": Preparing,
    "started": Started,
    "step": StepFinished,
    "evaluation": Evaluated,
    "epoch": EpochFinished,
    "intervention": Intervened,
    "paused": Paused,
    "resumed": Resumed,
    "finished": Finished,
    "failed": Failed,
    "checkpoint": CheckpointSaved,
    "checkpoint_failed": CheckpointFailed,
}


def event_of(line: str) -> Event:
    """The event in `line`; what stands in it beside the event, such as a stage, is passed over.

    A number that JSON lacks comes back as NaN, whichever it was. Raises ValueError for a line that holds no event.
    """
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError(f"{line[:80]!r} is no event")
    name = str(told.get("type"))
    if name not in _CLASSES:
        raise ValueError(f"{line[:80]!r} is no event")
    values: dict[str, object] = {}
    for field in fields(_CLASSES[name]):
        value = told.get(field.name)
        if isinstance(value, list):
            values[field.name] = [math.nan if number is None else number for number in value]
        elif field.name in told:
            values[field.name] = math.nan if value is None and field.type == "float" else value
    try:
        return _reader(name).validate_python(values)
    except ValidationError as error:
        raise ValueError(f"{line[:80]!r} is no event: {error.error_count()} fields are wrong") from None


@cache
def _reader(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(_CLASSES[name])
