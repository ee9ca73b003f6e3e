"""PySide6 and pyqtgraph, imported in a third of their time: every tenth of a second before the window is seen counts.

PySide6 replaces Python's import by one that reads the source of every module it imports, torch's sixteen megabytes too,
in search of modules that switch its names to other spellings. Nothing here does, and Python's own import is put back.

At its import pyqtgraph asks PySide6 for each of its thousands of names, which makes classes that nobody uses, and loads
OpenGL, the bindings of CUDA where they are, and each of its widgets. Here its copies of Qt's modules look a name up
when it is asked for, and what nobody uses is left out; a module left out can still be imported later. All of `gui` has
pyqtgraph from this module: `from gui.lean import pyqtgraph`.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType

__all__ = ["pyqtgraph"]

_COPIED = ("QtCore", "QtGui", "QtWidgets")
_BINDINGS = "cuda.bindings"  # for videos that lie on a GPU
_ITEMS = (
    "ArrowItem BoxplotItem ColorBarItem CurvePoint DateAxisItem ErrorBarItem FillBetweenItem GradientEditorItem "
    "GradientLegend GraphItem GraphicsLayout GridItem HistogramLUTItem IsocurveItem LinearRegionItem PColorMeshItem "
    "ROI ScaleBar TargetItem VTickGroup"
)
_WIDGETS = (
    "BusyCursor CheckTable ColorButton ColorMapWidget ComboBox DataFilterWidget DataTreeWidget DiffTreeWidget "
    "FeedbackButton GradientWidget GraphicsLayoutWidget GroupBox HistogramLUTWidget JoystickButton LayoutWidget "
    "PathButton ProgressDialog RawImageWidget RemoteGraphicsView ScatterPlotWidget SpinBox TableWidget TreeWidget "
    "ValueLabel VerticalLabel"
)
_LEFT_OUT = (
    "Qt.OpenGLHelpers",
    "imageview",
    *(f"graphicsItems.{name}" for name in _ITEMS.split()),
    *(f"widgets.{name}" for name in _WIDGETS.split()),
)


@contextmanager
def _names_on_demand() -> Iterator[None]:
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


class _Unused:
    """Stands for a class that is left out. Nothing asks for one."""


def _class_named(name: str) -> type[_Unused]:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Unused


@contextmanager
def _left_out() -> Iterator[None]:
    names = [f"pyqtgraph.{name}" for name in _LEFT_OUT]
    for name in names:
        empty = ModuleType(name)
        vars(empty)["__getattr__"] = _class_named
        sys.modules[name] = empty
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def _leave_import_alone() -> None:
    import PySide6.QtCore  # noqa: F401  # which replaces it

    own = getattr(builtins, "__orig_import__", None)
    if own is not None:
        vars(builtins)["__import__"] = own


_leave_import_alone()
if "pyqtgraph" in sys.modules:
    import pyqtgraph
else:
    with _names_on_demand(), _left_out(), _missing(_BINDINGS):
        import pyqtgraph
