"""The figures as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bench.figure import Figure

PACKAGES = ("torch", "torchvision", "PySide6-Essentials", "pyqtgraph", "numpy")


def machine_facts() -> dict[str, object]:
    """What the figures depend on. `load`: how many processes wanted to run in the minute before."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.machine(),
        "cores": cores,
        "system": platform.system(),
        "python": platform.python_version(),
        **{name.lower().replace("-", "_"): version(name) for name in PACKAGES},
        "screen": os.environ.get("QT_QPA_PLATFORM", "default"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def write_json(path: Path, figures: Sequence[Figure], failed: Sequence[str], machine: dict[str, object]) -> None:
    """`failed`: groups that could not be measured."""
    report = {"machine": machine, "figures": [figure.as_json() for figure in figures], "failed": list(failed)}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def print_table(console: Console, figures: Sequence[Figure], machine: dict[str, object]) -> None:
    table = Table(title="What was measured", title_justify="left", show_lines=True)
    table.add_column("Figure", ratio=3)
    table.add_column("Measured", justify="right", no_wrap=True)
    table.add_column("Baseline", ratio=2)
    table.add_column("Ratio", justify="right", no_wrap=True)
    table.add_column("Target", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure in figures:
        baseline = figure.baseline
        name = escape(figure.name) + (f"\n[dim]{escape(figure.note)}[/dim]" if figure.note else "")
        table.add_row(
            name,
            quantity(figure.value, figure.unit),
            "" if baseline is None else f"{quantity(baseline.value, figure.unit)}\n[dim]{escape(baseline.what)}[/dim]",
            "" if figure.ratio is None else f"{figure.ratio:.3g}",
            "" if figure.target is None else figure.target.text(figure.unit),
            {True: "[green]met[/green]", False: "[red]missed[/red]", None: ""}[figure.met],
        )
    console.print(table)
    console.print(escape(", ".join(f"{name} {value}" for name, value in machine.items())), style="dim")


def quantity(value: float, unit: str) -> str:
    """Enough digits to compare by; shares (no unit) as per cent."""
    if not unit:
        return f"{value:.2%}"
    if abs(value) >= 1000:
        return f"{value:,.0f} {unit}"
    return f"{value:.3g} {unit}"
