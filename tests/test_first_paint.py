"""The window is on screen before torch is loaded, and torch is loaded beside it, not in its way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Runs in an interpreter of its own, which nothing has loaded torch into. Nobody presses Start: the window loads torch
# by itself, and is closed while that is under way. Prints what it saw, as JSON.
SCRIPT = """
import json, sys, threading
from importlib.abc import MetaPathFinder

seen = {"torch_at_first_paint": None, "torch_in_gui_thread": None}

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            seen["torch_in_gui_thread"] = threading.current_thread() is threading.main_thread()

sys.meta_path.insert(0, Watch())

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
from gui.app import build_window

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and seen["torch_at_first_paint"] is None:
            seen["torch_at_first_paint"] = "torch" in sys.modules
        return False

app = QApplication([])
window = build_window()
first_paint = FirstPaint()
window.installEventFilter(first_paint)
window.show()

def look():
    if seen["torch_at_first_paint"] is not None and seen["torch_in_gui_thread"] is not None:
        timer.stop()
        window.close()

timer = QTimer(interval=20)
timer.timeout.connect(look)
timer.start()
app.exec()
print(json.dumps(seen))
"""


# Prints what start-up loaded that it has no time for, and which widgets were shown on the way.
CONSTRUCTION = """
import json, sys
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

class Windows(QObject):
    seen = []
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.WinIdChange and isinstance(watched, QWidget):
            self.seen.append(watched.objectName())
        return False

app = QApplication([])
windows = Windows()
app.installEventFilter(windows)
from gui.app import build_window
window = build_window()
unwanted = ("torch", "pydantic", "markdown_it", "pyqtgraph.imageview", "pyqtgraph.parametertree", "rich")
print(json.dumps({"windows": Windows.seen, "loaded": [name for name in unwanted if name in sys.modules]}))
window.show()
QTimer.singleShot(0, window.close)
app.exec()
"""

# Prints what the construction and the first paint start and load while torch's libraries are being loaded.
BESIDE = """
import json, os, sys
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
from gui.app import build_window
from gui.bridge import Bridge

def threads():
    return set(os.listdir("/proc/self/task"))

def libraries():
    with open("/proc/self/maps") as maps:
        return {line.split()[-1] for line in maps if ".so" in line}

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, tell)
        return False

def begin(bridge):
    before.extend((threads(), libraries()))

def tell():
    new = {"threads": len(threads() - before[0]), "libraries": sorted(libraries() - before[1])}
    print(json.dumps(new), flush=True)
    window.close()

before = []
Bridge.load_ahead = begin
Bridge.warm_up = Bridge.history = lambda *what: None  # they come after the first paint
app = QApplication([])
window = build_window()
first_paint = FirstPaint()
window.installEventFilter(first_paint)
window.show()
app.exec()
"""

# Ends once a window that nobody touches has all of torch.
WHOLE = """
import json, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from gui.app import build_window

seen = []

def look():
    rules = sys.modules.get("torch._meta_registrations")
    if type(rules) is type(sys):
        window.close()

def begin():
    seen.append(type(sys.modules["torch._meta_registrations"]) is type(sys))
    timer.start()

app = QApplication([])
window = build_window()
timer = QTimer(interval=20)
timer.timeout.connect(look)
window.bridge.torch_ready.connect(begin)
window.show()
app.exec()
print(json.dumps({"whole_when_ready": seen[0]}))
"""

IMPORTS = """
import json, linecache
from gui.lean import pyqtgraph
import colorsys
from pyqtgraph.imageview import ImageView
from pyqtgraph.widgets.SpinBox import SpinBox
read = [name for name in linecache.cache if "colorsys" in name]
print(json.dumps({"read": read, "whole": hasattr(ImageView, "setImage") and hasattr(SpinBox, "setValue")}))
"""


def _run(script: str) -> dict[str, object]:
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    seen: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return seen


def test_the_construction_loads_nothing_that_can_wait_and_shows_no_window_of_its_own() -> None:
    assert _run(CONSTRUCTION) == {"windows": [], "loaded": []}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody waits while a library is loaded")
def test_nothing_that_would_wait_for_the_libraries_is_done_before_the_first_paint() -> None:
    assert _run(BESIDE) == {"threads": 0, "libraries": []}


def test_imports_read_no_sources_and_what_was_left_out_of_pyqtgraph_can_still_be_had() -> None:
    assert _run(IMPORTS) == {"read": [], "whole": True}


def test_the_window_is_painted_before_torch_is_loaded_on_another_thread() -> None:
    seen = _run(SCRIPT)
    assert seen["torch_at_first_paint"] is False
    assert seen["torch_in_gui_thread"] is False


def test_a_window_that_can_train_gets_the_rest_of_torch_by_itself() -> None:
    assert _run(WHOLE) == {"whole_when_ready": False}
