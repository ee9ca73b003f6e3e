"""pyqtgraph, imported in half its time: before the window is on screen every tenth of a second is seen.

At its import pyqtgraph asks PySide6 for each of its thousands of names, which makes classes that nobody uses, and loads
OpenGL, and the bindings of CUDA where they are. Here its copies of Qt's modules look a name up when it is asked for,
and what is never used is left out. All of `gui` has pyqtgraph from this module: `from gui.lean import pyqtgraph`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType

__all__ = ["pyqtgraph"]

_COPIED = ("QtCore", "QtGui", "QtWidgets")
_UNUSED = "cuda.bindings"  # for videos that lie on a GPU
_OPENGL = "pyqtgraph.Qt.OpenGLHelpers"


@contextmanager
def _names_on_demand() -> Iterator[None]:
    if "pyqtgraph" in sys.modules:
        yield
        return
    sources = [importlib.import_module(f"PySide6.{name}") for name in _COPIED]
    for name, source in zip(_COPIED, sources, strict=True):
        copied = ModuleType(f"pyqtgraph.Qt.{name}")
        vars(copied)["__getattr__"] = partial(getattr, source)
        sys.modules[copied.__name__] = copied
        vars(source)["__dir__"] = list  # dir() finds nothing to copy
    try:
        yield
    finally:
        for source in sources:
            del vars(source)["__dir__"]


@contextmanager
def _missing(name: str) -> Iterator[None]:
    """Imports of the module fail meanwhile, unless it is already there."""
    if name in sys.modules:
        yield
        return
    vars(sys)["modules"][name] = None
    try:
        yield
    finally:
        del sys.modules[name]


class _NoWidget:
    """Stands for what draws with OpenGL. There is none: nothing asks for it."""


@contextmanager
def _without_opengl() -> Iterator[None]:
    if "pyqtgraph" in sys.modules:
        yield
        return
    helpers = ModuleType(_OPENGL)
    vars(helpers)["GraphicsViewGLWidget"] = _NoWidget
    sys.modules[_OPENGL] = helpers
    try:
        yield
    finally:
        del sys.modules[_OPENGL]


with _names_on_demand(), _without_opengl(), _missing(_UNUSED):
    import pyqtgraph
