"""The groups of figures by name, and how one is measured."""

from __future__ import annotations

import importlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.bench.figure import Figure, Plan

GROUPS = {
    "mnist_mlp": ("tests.bench.training", "measure_mlp"),
    "lenet5": ("tests.bench.training", "measure_lenet"),
    "fast_cnn": ("tests.bench.fast_cnn", "measure"),
    "window": ("tests.bench.window", "measure"),
    "startup": ("tests.bench.startup", "measure"),
    "long_run": ("tests.bench.long_run", "measure"),
    "history": ("tests.bench.history", "measure"),
}


def measure(name: str, plan: Plan) -> list[Figure]:
    """A group's figures, taken in a process of its own: torch's threads, memory and Qt as after a fresh start."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, name, plan).result()


def _measure(name: str, plan: Plan) -> list[Figure]:
    module, function = GROUPS[name]
    figures: list[Figure] = getattr(importlib.import_module(module), function)(plan)
    return figures
