"""Params and entries: what forms and command-line settings are both made from. Imports no torch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Generic, Literal, TypeVar, cast

from engine.errors import InputError

ParamValue = bool | int | float | str | tuple[int, ...]
Kind = Literal["int", "float", "bool", "choice", "ints"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One setting of an entry.

    Attributes:
        name: snake_case, as on the command line and in saved files.
        kind: `int`, `float`, `bool`, `choice` (one of `choices`) or `ints` (a tuple of ints such as hidden sizes).
        low, high: inclusive limits of a number, or of each number of `ints`; None is unlimited.
        above: the value must be strictly greater than this (a learning rate above 0).
        below: the value must be strictly less than this (a momentum below 1).
        log: the form steps by factors, since only the order of magnitude matters.
        live: can be changed while a run is under way.
        unit: shown behind the value.
    """

    name: str
    kind: Kind
    default: ParamValue
    label: str
    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    log: bool = False
    live: bool = False
    unit: str = ""

    def accepts(self) -> str:
        """What would be accepted, in words."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        noun = {"int": "a whole number", "float": "a number", "ints": "whole numbers such as 128,64"}[self.kind]
        limits = [
            f"{word} {value:g}"
            for word, value in (
                ("from", self.low),
                ("above", self.above),
                ("up to", self.high),
                ("below", self.below),
            )
            if value is not None
        ]
        return " ".join([noun, *limits])

    def check(self, value: object, *, part: str) -> ParamValue:
        """`value` as this param's own type. `part` names the config's part for the error.

        Text is parsed, as it comes from a command line. Raises InputError.
        """
        field = f"{part}.{self.name}"
        try:
            checked = self._convert(value)
        except (ValueError, TypeError, OverflowError):
            raise InputError(field, f"{value!r} is not accepted", self.accepts()) from None
        if self.kind == "choice" and checked not in self.choices:
            raise InputError(field, f"{value!r} is not accepted", self.accepts())
        numbers = checked if isinstance(checked, tuple) else (checked,)
        if self.kind in ("int", "float", "ints") and not all(self._within(float(n)) for n in numbers):
            raise InputError(field, f"{value!r} is out of range", self.accepts())
        return checked

    def _within(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def _convert(self, value: object) -> ParamValue:
        match self.kind:
            case "bool":
                return _to_bool(value)
            case "choice":
                if not isinstance(value, str):
                    raise TypeError
                return value
            case "int":
                return _to_int(value)
            case "float":
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise TypeError
                return float(value)
            case "ints":
                if isinstance(value, str):
                    value = [piece for piece in value.replace(" ", ",").split(",") if piece]
                if isinstance(value, int) and not isinstance(value, bool):
                    value = [value]
                if not isinstance(value, list | tuple):
                    raise TypeError
                return tuple(_to_int(piece) for piece in value)


def _to_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError


def _to_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


Params = Mapping[str, ParamValue]


def number(params: Params, name: str) -> float:
    """The value of an `int` or `float` param among checked `params`."""
    return cast("float", params[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A named thing one can pick: a dataset, a network, an optimizer, a loss, a schedule.

    Attributes:
        name: as on the command line and in saved files.
        label: as in the window.
        summary: one sentence that says what it is.
        params: its settings.
    """

    name: str
    label: str
    summary: str
    params: tuple[Param, ...] = ()

    def resolve(self, given: Mapping[str, object], *, part: str) -> dict[str, ParamValue]:
        """All params: the given ones checked, the others at their defaults. Raises InputError."""
        known = {param.name for param in self.params}
        for name in given:
            if name not in known:
                offered = "known are " + ", ".join(sorted(known)) if known else f"{self.label} has no settings"
                raise InputError(f"{part}.{name}", f"{self.label} has no such setting", offered)
        return {param.name: param.check(given.get(param.name, param.default), part=part) for param in self.params}


E = TypeVar("E", bound=Entry, covariant=True)


class Catalog(Generic[E]):
    """Entries by name: ours first, then those other packages add through an entry-point group.

    Args:
        part: the config's part this catalogue fills: `dataset`, `network`, …
        kind: the class of its entries; anything else in the entry-point group is passed over.
        entries: ours.
        group: the entry-point group, empty where others cannot add.

    Attributes:
        ours: the names of our entries.
    """

    def __init__(self, part: str, kind: type[E], entries: Iterable[E], *, group: str = "") -> None:
        self.part = part
        self._kind = kind
        self._entries = {entry.name: entry for entry in entries}
        self.ours = frozenset(self._entries)
        self._group = group

    def __getitem__(self, name: str) -> E:
        """The entry called `name`. Raises InputError that offers the nearest names."""
        self._load_others()
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(self.part, f"unknown {self.part} {name!r}", hint + "known are " + ", ".join(self._entries))

    def __iter__(self) -> Iterator[E]:
        self._load_others()
        return iter(tuple(self._entries.values()))

    def __contains__(self, name: object) -> bool:
        self._load_others()
        return name in self._entries

    def _load_others(self) -> None:
        group, self._group = self._group, ""
        if not group:
            return
        for point in announced(group):
            entry = point.load()
            if isinstance(entry, self._kind):
                self._entries.setdefault(entry.name, entry)


def announced(group: str) -> Sequence[EntryPoint]:
    """What the installed packages announce in the entry-point group."""
    return tuple(point for point in _installed() if point.group == group)


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """All entry points: to read every package's file takes some milliseconds."""
    return tuple(point for distribution in distributions() for point in distribution.entry_points)
