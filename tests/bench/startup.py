"""From the command to the window, and to the first moment at which it can train."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.child import PATIENCE, ROOT, environment
from tests.bench.figure import Baseline, Figure, Pairs, Plan, Target

IMPORT_TORCH = "import json, time, torch; print(json.dumps({'ready': time.time()}))"


def measure(plan: Plan) -> list[Figure]:
    _start("-m", "tests.bench.startup_child")  # compiles what is not compiled yet, and fills the disk's cache
    _start("-c", IMPORT_TORCH)
    painted, ready, imported = [], [], []
    for _ in range(plan.times(6, 1)):
        times = _start("-m", "tests.bench.startup_child")
        painted.append(times["painted"])
        ready.append(times["ready"])
        imported.append(_start("-c", IMPORT_TORCH)["ready"])
    pairs = Pairs(ready, imported)
    note = f"processes of their own, from their start; median of {len(ready)}"
    return [
        Figure(
            name="startup: window on screen",
            value=median(painted),
            unit="s",
            target=Target("value", "at most", 1.0),
            note=f"{note}; the slowest {max(painted):.2f} s",
        ),
        Figure(
            name="startup: ready to train, beyond what importing torch takes",
            value=pairs.difference,
            unit="s",
            baseline=Baseline("import torch alone", pairs.their_median),
            target=Target("value", "at most", 0.5),
            note=f"{note}; ready {pairs.our_median:.2f} s after the start",
        ),
    ]


def _start(*arguments: str) -> dict[str, float]:
    """Seconds from the start of a process to each of the moments that it reports. Each has a new home."""
    with tempfile.TemporaryDirectory() as home:
        began = time.time()
        run = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment(Path(home)),
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    moments: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return {name: moment - began for name, moment in moments.items()}
