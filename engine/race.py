"""A race: runs from one set-up that differ in a choice, in a grid of settings, or in their seeds. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING

from engine.catalog import Param, ParamValue
from engine.errors import InputError
from engine.parts import CATALOGS, PARTS, params_of

if TYPE_CHECKING:
    from engine.config import RunConfig

MOST_RUNS = 64  # in one race
SEED = "training.seed"
_WRITE = "write PART=NAME,NAME, PART.PARAM=VALUE,VALUE or seeds=N"


@dataclass(frozen=True, slots=True)
class Axis:
    """What differs from run to run, and how.

    Attributes:
        field: a part, such as `optimizer`, whose `values` are names of entries; or a setting, such as
            `optimizer.learning_rate`.
        values: each once, in the order in which the runs start.
    """

    field: str
    values: tuple[ParamValue, ...]

    @property
    def is_part(self) -> bool:
        return self.field in CATALOGS


@dataclass(frozen=True, slots=True)
class Race:
    """A grid: one run for every combination of the axes' values.

    Attributes:
        base: what all runs have in common. An entry that it does not have comes with its own settings: those of the
            network's recipe where they are meant for it, else its defaults.
        axes: one at least; the last one differs between neighbours.
        fixed: settings by `part.param` that hold for every run, also beside another entry.
    """

    base: RunConfig
    axes: tuple[Axis, ...]
    fixed: Mapping[str, object] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many runs."""
        return math.prod(len(axis.values) for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Entrant:
    """One run of a race. `label` says in what it differs from the others."""

    label: str
    config: RunConfig


def entries(race: Race) -> list[Entrant]:
    """The runs in their order, of which the same seed gives all the same initial weights, whatever the optimizer.

    Raises InputError where there are too few or too many, an axis comes twice, or a run's set-up does not fit together.
    """
    named = [axis.field for axis in race.axes]
    for name in named:
        if named.count(name) > 1:
            raise InputError(name, "is given twice", "all values of a choice at once")
    if race.size > MOST_RUNS:
        counts = " × ".join(str(len(axis.values)) for axis in race.axes)
        counts = f"{counts} = {race.size:,}" if len(race.axes) > 1 else f"{race.size:,}"
        raise InputError("race", f"{counts} runs are too many", f"up to {MOST_RUNS}")
    if race.size < 2:
        raise InputError("race", "it takes two runs at least", "two values or more of a choice, a setting, or seeds")
    combinations = product(*(axis.values for axis in race.axes))
    return [_entrant(race, dict(zip(named, values, strict=True))) for values in combinations]


def _entrant(race: Race, values: Mapping[str, ParamValue]) -> Entrant:
    from engine.config import make_config, settings_of  # here: start-up has no time for pydantic

    label = ", ".join(_said(name, value) for name, value in values.items())
    saved_picks, settings = settings_of(race.base)
    picks = {**saved_picks, **{part: str(name) for part, name in values.items() if part in CATALOGS}}
    other = {part for part in picks if picks[part] != saved_picks[part]}
    settings = {name: value for name, value in settings.items() if name.partition(".")[0] not in other}
    settings |= race.fixed
    settings |= {name: value for name, value in values.items() if name not in CATALOGS}
    # Explicit starting values fit one network only.
    initial = None if other & {"network", "dataset"} else race.base.initial_parameters
    try:
        return Entrant(label, make_config(picks, settings, initial_parameters=initial))
    except InputError as error:
        raise InputError(error.field, f"{error.problem} (in the run “{label}”)", error.accepted) from None


def _said(name: str, value: ParamValue) -> str:
    return str(value) if name in CATALOGS else f"{name.partition('.')[2].replace('_', ' ')} {written(value)}"


def written(value: ParamValue) -> str:
    """A value as one types it: 0.001, on, 64,32."""
    match value:
        case bool():
            return "on" if value else "off"
        case tuple():
            return ",".join(map(str, value)) or "none"
        case float():
            return repr(value).removesuffix(".0")
        case _:
            return str(value)


def seeds_axis(base: RunConfig, count: int) -> Axis:
    """`count` seeds from the set-up's own on. Raises InputError."""
    if not 1 <= count <= MOST_RUNS:
        raise InputError("seeds", f"{count} runs are not accepted", f"a whole number from 1 up to {MOST_RUNS}")
    seed = next(param for param in params_of("training", "training") if param.name == "seed")
    first = base.training.seed
    return Axis(SEED, tuple(seed.check(first + number, part="training") for number in range(count)))


def make_axes(texts: Sequence[str], base: RunConfig) -> tuple[Axis, ...]:
    """Axes as they are typed: `optimizer=sgd,adam`, `optimizer.learning_rate=0.1,0.01`, `seeds=5`.

    A value that is a list itself stands between slashes: `network.hidden=128/64,32`. Raises InputError.
    """
    pairs = [_pair(text) for text in texts]
    parts = {name: _names(name, text) for name, text in pairs if name in CATALOGS}
    return tuple(
        Axis(name, parts[name]) if name in parts else _setting_axis(name, text, base, parts) for name, text in pairs
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise InputError("race", f"{text!r} does not say what differs", _WRITE)
    return name.strip(), values.strip()


def _names(part: str, text: str) -> tuple[str, ...]:
    names = [piece.strip() for piece in text.split(",")]
    for name in names:
        CATALOGS[part][name]
    _check_each_once(part, names)
    return tuple(names)


def _setting_axis(name: str, text: str, base: RunConfig, parts: Mapping[str, Sequence[str]]) -> Axis:
    if name == "seeds":
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InputError("seeds", f"{text!r} is not accepted", f"a whole number from 1 up to {MOST_RUNS}")
        return seeds_axis(base, int(text))
    part, dot, setting = name.partition(".")
    if not dot or part not in PARTS:
        raise InputError(name, "is neither a choice nor a setting", f"{_WRITE}, with PART one of {', '.join(PARTS)}")
    picked = parts.get(part, [part if part == "training" else getattr(base, part).name])
    return values_axis(part, _param(part, picked, setting), text)


def _param(part: str, picked: Sequence[str], name: str) -> Param:
    """The setting of whichever entry has it. Raises InputError where none does."""
    known = {param.name: param for entry in picked for param in params_of(part, entry)}
    if name not in known:
        raise InputError(f"{part}.{name}", f"{' and '.join(picked)} lacks it", "known are " + ", ".join(sorted(known)))
    return known[name]


def values_axis(part: str, param: Param, text: str) -> Axis:
    """The values of one setting as they are typed, between commas, or between slashes where each is a list.

    Raises InputError.
    """
    pieces = text.split("/" if param.kind == "ints" else ",")
    name = f"{part}.{param.name}"
    values = tuple(param.check(piece.strip(), part=part) for piece in pieces)
    _check_each_once(name, values)
    return Axis(name, values)


def _check_each_once(name: str, values: Sequence[ParamValue]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(name, f"{written(value)} is given twice", "each value once")


def race_tag(moment: datetime) -> str:
    """The tag that the runs of one race have in common in the history."""
    return f"race {moment:%Y-%m-%d %H:%M:%S}"
