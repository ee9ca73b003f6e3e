"""What a run was made with."""

from __future__ import annotations

import importlib.metadata
import platform
import sys


def versions() -> dict[str, str]:
    """Of `learnscope`, `python`, `torch`, `numpy`, and the `system`. Loads none of them."""
    found = {"learnscope": _of("learnscope"), "python": platform.python_version()}
    for name in ("torch", "numpy"):
        module = sys.modules.get(name)
        found[name] = str(getattr(module, "__version__", "")) or _of(name)
    return {**found, "system": f"{platform.system()} {platform.release()} {platform.machine()}".strip()}


def _of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
