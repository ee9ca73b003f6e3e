"""Definitions of several parts in one file: what is the same stands once, what differs gets a name of its own.

Every part is written under the same plain names, such as `BATCH_SIZE` and `load_data`. The second part's own versions
become `BATCH_SIZE_2` and `load_data_2`, wherever that part speaks of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from engine.script.layout import LINE, call

_DEFINITION = re.compile(r"^(?:def|class) (\w+)|^([A-Z][A-Z0-9_]*) = ", re.MULTILINE)


def blocks_of(code: str) -> list[str]:
    """The definitions in `code`, which two empty lines part."""
    return [block for block in code.split("\n\n\n") if block]


def name_of(block: str) -> str:
    """What `block` defines."""
    found = _DEFINITION.search(block)
    assert found is not None, block
    return found[1] or found[2]


def mentions(text: str, name: str) -> bool:
    return any(found[1] for found in _pattern([name]).finditer(text))


class Definitions:
    """All that is defined so far."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, str]] = {}  # by plain name: source by name

    def add(self, blocks: Iterable[str], *, number: int) -> tuple[dict[str, str], dict[str, str]]:
        """Take in those of part `number`, which use each other without a circle.

        Returns the source of those that are new, under the plain name, and every plain name's own one.
        """
        waiting = {name_of(block): block for block in blocks}
        new: dict[str, str] = {}
        names: dict[str, str] = {}
        while waiting:
            name = next(
                name
                for name, block in waiting.items()
                if not any(other != name and mentions(block, other) for other in waiting)
            )
            block = waiting.pop(name)
            versions = self._versions.setdefault(name, {})
            for version, text in versions.items():
                if renamed(block, {**names, name: version}) == text:
                    names[name] = version
                    break
            else:
                names[name] = f"{name}_{number}" if versions else name
                versions[names[name]] = new[name] = renamed(block, names)
        return new, names


def renamed(text: str, names: Mapping[str, str]) -> str:
    """`text` with other names, its lines laid out anew where they have become too long."""
    changed = {name: own for name, own in names.items() if name != own}
    if not changed:
        return text
    for kind in (True, False):
        names = {name: own for name, own in changed.items() if name.isupper() is kind}
        if names:
            text = _pattern(names).sub(partial(_replacement, names), text)
    return "\n".join(map(_laid_out, text.split("\n")))


def _replacement(names: Mapping[str, str], found: re.Match[str]) -> str:
    return names[found[1]] if found[1] else found[0]


def without_unused(sections: Sequence[str], *, used: str) -> list[str]:
    """Those of the blocks in `sections` that `used` needs, or that others need which it does."""
    kept = list(sections)
    while True:
        left = [
            section
            for place, section in enumerate(kept)
            if any(mentions(other, name_of(section)) for other in (used, *kept[:place], *kept[place + 1 :]))
        ]
        if len(left) == len(kept):
            return left
        kept = left


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Finds the names, as the group 1: all of them constants, or none.

    A constant that a comment speaks of is one; any other word in a sentence is no name, so sentences are found as well.
    """
    looked_for = "|".join(map(re.escape, names))
    sentences = "" if looked_for.isupper() else r'"""[\s\S]*?"""|#[^\n]*|"[^"\n]*"|'
    return re.compile(rf"{sentences}(?<![\w.])({looked_for})(?!\w)")


def _laid_out(line: str) -> str:
    """A call that does not fit on its line, an argument a line."""
    text = line.strip().removesuffix(",")
    after = "," if line.endswith(",") else ""
    if len(line) <= LINE or not text.endswith(")"):
        return line
    depth, arguments, opening = 0, [""], 0
    for place, letter in enumerate(text):
        if letter in ")]}":
            depth -= 1
        if depth == 1 and letter == ",":
            arguments.append("")
        elif depth:
            arguments[-1] += letter
        if letter in "([{":
            depth += 1
            if depth == 1:
                opening, arguments = place, [""]
    levels = (len(line) - len(line.lstrip())) // 4
    found = call(text[:opening], [argument.strip() for argument in arguments], levels=levels)
    return "\n".join(" " * 4 * levels + piece for piece in f"{found}{after}".split("\n"))
