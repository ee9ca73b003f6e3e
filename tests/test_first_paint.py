"""The window is on screen before torch is loaded, and torch is loaded beside it, not in its way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


def test_the_window_is_painted_before_torch_is_loaded_on_another_thread() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout.splitlines()[-1])
    assert seen["torch_at_first_paint"] is False
    assert seen["torch_in_gui_thread"] is False
