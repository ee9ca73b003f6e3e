"""The terminal's catalogues: `python -m engine list`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from engine.catalog import Entry, Param
from engine.cli_setup import PLURALS
from engine.lessons import lessons
from engine.parts import CATALOGS

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]


def add_parser(commands: Commands) -> None:
    """The command `list`."""
    parser = commands.add_parser("list", help="print a catalogue", allow_abbrev=False)
    parser.add_argument("catalogue", choices=[*PLURALS.values(), "lessons"])
    parser.add_argument("--json", action="store_true", help="as JSON, with every setting")


def run(options: argparse.Namespace) -> int:
    """Print what `list` was asked for; returns the exit status."""
    part = {"losses": "loss", "lessons": "lesson"}.get(options.catalogue, options.catalogue.removesuffix("s"))
    if part == "lesson":
        return _list_lessons(as_json=options.json)
    entries: list[Entry] = list(CATALOGS[part])
    if options.json:
        return _print_json([_entry_as_json(entry) for entry in entries])
    table = Table("name", "what it is", "settings and defaults", box=None, pad_edge=False)
    for entry in entries:
        settings = ", ".join(f"{param.name}={_shown(param)}" for param in entry.params)
        table.add_row(entry.name, f"{entry.label}: {entry.summary}", settings)
    Console(highlight=False).print(table)
    return 0


def _list_lessons(*, as_json: bool) -> int:
    if as_json:
        rows = [
            {
                "name": lesson.name,
                "label": lesson.title,
                "summary": lesson.summary,
                "chapter": lesson.chapter,
                "stages": [stage.title for stage in lesson.stages],
                "printed": len(lesson.printed),
            }
            for lesson in lessons()
        ]
        return _print_json(rows)
    table = Table("name", "what it is", "stages", box=None, pad_edge=False)
    for lesson in lessons():
        table.add_row(lesson.name, f"{lesson.title}: {lesson.summary}", str(len(lesson.stages)))
    Console(highlight=False).print(table)
    return 0


def _print_json(rows: list[dict[str, object]]) -> int:
    sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    return 0


def _shown(param: Param) -> str:
    default = param.default
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _entry_as_json(entry: Entry) -> dict[str, object]:
    params = [
        {
            "name": param.name,
            "kind": param.kind,
            "default": param.default,
            "accepts": param.accepts(),
            "choices": list(param.choices),
            "live": param.live,
            "help": param.help,
        }
        for param in entry.params
    ]
    return {"name": entry.name, "label": entry.label, "summary": entry.summary, "params": params}
