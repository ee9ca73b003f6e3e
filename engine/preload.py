"""Importing torch beside a window that must go on answering."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from pathlib import Path


def import_torch() -> None:
    """Import torch and the training on this thread.

    Python holds its lock while it loads a shared library, and torch's take half a second: on Linux they are loaded
    first through a plain C call, which lets other threads go on, and the import then finds them in memory.
    """
    found = importlib.util.find_spec("torch")
    if sys.platform == "linux" and found is not None and found.origin is not None and "torch" not in sys.modules:
        libraries = Path(found.origin).parent / "lib"
        load = ctypes.CDLL(None).dlopen
        load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
        for name, scope in (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch_python.so", os.RTLD_LOCAL)):
            load(os.fsencode(libraries / name), os.RTLD_NOW | scope)
    importlib.import_module("engine.training")


def use_one_thread() -> None:
    """Keep torch's work on the calling thread out of the way of a run on another one.

    To be called before the run sets its own thread count: MKL's setting is shared by all threads.
    """
    import torch

    torch.set_num_threads(1)
