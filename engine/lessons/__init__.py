"""The lessons that come with the program, by name. Importing this imports no torch."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.lessons.lesson import Lesson


@cache
def lessons() -> tuple[Lesson, ...]:
    """All lessons that come with the program, in the order of the menu."""
    from engine.lessons.lesson import SUFFIX, parse_lesson  # here: start-up has no time for pydantic

    folder = files("assets").joinpath("lessons")
    found = [
        parse_lesson(entry.read_text(encoding="utf-8"), name=entry.name.removesuffix(SUFFIX))
        for entry in folder.iterdir()
        if entry.name.endswith(SUFFIX)
    ]
    return tuple(sorted(found, key=lambda lesson: (lesson.order, lesson.name)))


def find_lesson(name: str) -> Lesson:
    """The lesson called `name`, or the one in a file. Raises InputError that offers the nearest name."""
    known = {lesson.name: lesson for lesson in lessons()}
    if name in known:
        return known[name]
    if name.endswith(".md") and Path(name).is_file():
        from engine.lessons.lesson import load_lesson

        return load_lesson(Path(name))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(
        "lesson", f"unknown lesson {name!r}", hint + "known are " + ", ".join(known) + ", and lesson files"
    )
