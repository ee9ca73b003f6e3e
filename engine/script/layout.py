"""Python source as a formatter leaves it: literals and calls on one line where they fit, else one item a line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from string import Template
from textwrap import dedent, indent, wrap

from engine.errors import InputError

LINE = 88  # characters; what formatters take where nothing else is said
_STEP = 4  # spaces


def fill(template: str, **values: object) -> str:
    """`template` without its own indentation and outer blank lines, `$name` replaced by the value of that name."""
    return Template(dedent(template).strip("\n")).substitute(values)


def indented(text: str, levels: int = 1) -> str:
    """`text` so many levels further in; empty lines stay empty."""
    return indent(text, " " * _STEP * levels)


def comment(text: str, *, levels: int = 0) -> str:
    """`text` as a comment of as many lines as it needs, to stand at that depth; the depth itself is not added."""
    return "\n".join(wrap(text, LINE - _STEP * levels, initial_indent="# ", subsequent_indent="# "))


def call(head: str, arguments: Sequence[str], *, levels: int = 0, before: str = "") -> str:
    """`before` and `head(arguments)`, to stand at that depth; the depth itself is not added to the first line."""
    line = f"{before}{head}({', '.join(arguments)})"
    if _STEP * levels + len(line) <= LINE and "\n" not in line:
        return line
    inner = " " * _STEP
    return "\n".join([f"{before}{head}(", *(f"{inner}{argument}," for argument in arguments), ")"])


def literal(value: object, *, levels: int = 0, before: str = "", after: str = "") -> str:
    """`before`, `value` as a Python literal, `after`, to stand at that depth, which is not added to the first line.

    Args:
        value: booleans, finite numbers, strings, and lists, tuples and dictionaries of them.

    Raises InputError for anything else: a value in a script is data and never code.
    """
    line = before + _flat(value) + after
    if _STEP * levels + len(line) <= LINE or not isinstance(value, list | tuple | Mapping) or not value:
        return line
    opening, closing = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    if isinstance(value, tuple):
        opening, closing = "(", ")"
    if isinstance(value, Mapping):
        items = [literal(item, levels=levels + 1, before=f"{_flat(key)}: ", after=",") for key, item in value.items()]
    else:
        items = [literal(item, levels=levels + 1, after=",") for item in value]
    return "\n".join([before + opening, indented("\n".join(items)), closing + after])


def name_literal(name: str) -> str:
    """The name of a parameter or a setting as a string literal. Raises InputError for anything but such a name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.]*", name):
        raise InputError("script", f"{name!r} is not a name", "letters, digits, _ and dots")
    return json.dumps(name)


def _flat(value: object) -> str:
    match value:
        case bool() | None:
            return repr(value)
        case int():
            return repr(value)
        case float() if math.isfinite(value):
            return repr(value)
        case str():
            return name_literal(value)
        case list():
            return "[" + ", ".join(map(_flat, value)) + "]"
        case tuple():
            return "(" + ", ".join(map(_flat, value)) + ("," if len(value) == 1 else "") + ")"
        case Mapping():
            return "{" + ", ".join(f"{_flat(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    raise InputError("script", f"{value!r} cannot be written into a script", "finite numbers and lists of them")
