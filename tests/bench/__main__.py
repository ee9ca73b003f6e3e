"""`python -m tests.bench`: measures what Learnscope promises about speed, each figure beside its baseline.

Prints a table and writes bench.json in the current folder. Figures are reported, not asserted: the exit status is 0
whatever they are, and 1 where one could not be taken.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.figure import Figure, Plan
from tests.bench.groups import GROUPS, measure
from tests.bench.report import machine_facts, print_table, write_json

NARROWEST = 130  # columns of the table, where the output is not a terminal


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if sys.platform == "linux" and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    progress = Console(stderr=True)
    machine = machine_facts()
    figures: list[Figure] = []
    failed = []
    for name in options.only or GROUPS:
        try:
            with progress.status(f"Measuring {name} …"):
                figures += measure(name, Plan(quick=options.quick))
        except Exception:  # whatever one group meets, the others are still worth having
            traceback.print_exc()
            failed.append(name)
    out = Console()
    print_table(out if out.is_terminal else Console(width=NARROWEST), figures, machine)
    write_json(Path("bench.json"), figures, failed, machine)
    if failed:
        sys.stderr.write(f"could not be measured: {', '.join(failed)}\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what is promised about speed.")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="a glance: fewer repetitions, shorter runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
