"""Runs side by side: in what their set-ups differ, which differ in the seed alone, and the mean of such a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.errors import InputError
from engine.parts import CATALOGS, PARTS, params_of

Floats = NDArray[np.float64]

POINTS = 1024  # of a mean curve


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting in which runs differ.

    Attributes:
        field: `part` for an entry, such as `optimizer`; `part.param` for one of its settings.
        label: for people.
        values: by the run's number; runs whose entry has no such setting are missing.
    """

    field: str
    label: str
    values: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Band:
    """The mean of several curves and what they spread over, on a common grid `x` (n,), ascending.

    `low` and `high` are the mean less and plus the standard deviation of the sample (n − 1 in the denominator).
    """

    x: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of `count` values and the standard deviation of the sample, 0 where there is one value."""

    mean: float
    deviation: float
    count: int


def differences(configs: Mapping[int, RunConfig]) -> list[Difference]:
    """In what the set-ups differ, by the runs' numbers: entries, and settings that at least two runs have.

    A setting of an entry that only one run has is no difference: it comes with the entry.
    """
    found = []
    for part in PARTS:
        entries: dict[int, Any] = {
            run: config.training if part == "training" else getattr(config, part) for run, config in configs.items()
        }
        if part in CATALOGS:
            names = {run: choice.name for run, choice in entries.items()}
            if len(set(names.values())) > 1:
                labels = {run: _entry_label(part, name) for run, name in names.items()}
                found.append(Difference(part, part.capitalize(), labels))
            params = {run: dict(choice.params) for run, choice in entries.items()}
        else:
            names = dict.fromkeys(configs, part)
            params = {run: training.model_dump() for run, training in entries.items()}
        for name in dict.fromkeys(name for values in params.values() for name in values):
            values = {run: given[name] for run, given in params.items() if name in given}
            if len(values) > 1 and len({repr(value) for value in values.values()}) > 1:
                label = _param_label(part, names[next(iter(values))], name)
                found.append(Difference(f"{part}.{name}", label, {run: _text(v) for run, v in values.items()}))
    starts = {run: config.initial_parameters for run, config in configs.items()}
    if len({repr(start) for start in starts.values()}) > 1:
        said = {run: "drawn from the seed" if start is None else "given" for run, start in starts.items()}
        found.append(Difference("initial_parameters", "Initial parameters", said))
    return found


def seed_groups(
    configs: Mapping[int, RunConfig], origins: Mapping[int, tuple[int, int]] | None = None
) -> list[tuple[int, ...]]:
    """The runs' numbers in groups that differ in nothing but the seed; a run without a like is a group of its own.

    Args:
        origins: of branches the run and the step that they go on from: it must be the same in a group.
    """
    groups: dict[tuple[str, tuple[int, int] | None], list[int]] = {}
    for run, config in configs.items():
        alike = config.model_copy(update={"training": config.training.model_copy(update={"seed": 0})})
        origin = (origins or {}).get(run)
        groups.setdefault((alike.model_dump_json(), origin), []).append(run)
    return [tuple(group) for group in groups.values()]


def mean_band(curves: Sequence[tuple[Floats, Floats]], *, points: int = POINTS) -> Band | None:
    """The mean of curves (x, y) over what all of them span, each interpolated linearly.

    Args:
        curves: x (n,) ascending and y (n,) of each; values that are not finite are left out.
        points: of the common grid.

    Returns None where there is no curve, one is empty, or they have nothing of the x axis in common.
    """
    clean = []
    for x, y in curves:
        finite = np.isfinite(x) & np.isfinite(y)
        if not finite.any():
            return None
        clean.append((np.asarray(x[finite], np.float64), np.asarray(y[finite], np.float64)))
    if not clean:
        return None
    low, high = max(x[0] for x, _ in clean), min(x[-1] for x, _ in clean)
    if low > high:
        return None
    grid = np.linspace(low, high, points) if high > low else np.array([low])
    values = np.stack([np.interp(grid, x, y) for x, y in clean])
    mean = values.mean(axis=0)
    deviation = values.std(axis=0, ddof=1) if len(clean) > 1 else np.zeros_like(mean)
    return Band(grid, mean, mean - deviation, mean + deviation)


def spread(values: Sequence[float | None]) -> Spread | None:
    """Of the values that are there; None where there is none."""
    known = np.array([value for value in values if value is not None], np.float64)
    if not len(known):
        return None
    return Spread(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0, len(known))


def _entry_label(part: str, name: str) -> str:
    return CATALOGS[part][name].label if name in CATALOGS[part] else name


def _param_label(part: str, entry: str, name: str) -> str:
    try:
        return next((param.label for param in params_of(part, entry) if param.name == name), name) or name
    except InputError:
        return name


def _text(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case float():
            short = f"{value:g}"
            return short if float(short) == value else repr(value)
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
