"""What every test stands on: a home of its own, fixed seeds, no threads or timers left behind."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LEAVE_WITHIN = 3.0  # seconds a thread has to end after its test

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# How long examples take says more of the machine than of the program; in a new folder, tables are made first.
settings.register_profile("learnscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("learnscope")


@pytest.fixture(autouse=True)
def learnscope_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder this test's runs and settings go to. The program makes it when it needs it."""
    home = tmp_path / "learnscope-home"
    monkeypatch.setenv("LEARNSCOPE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def fixed_seeds() -> Iterator[None]:
    """Every generator starts alike; torch's thread count is put back, since training measures and sets it."""
    random.seed(0)
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_num_threads"):
        yield
        return
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def garbage_waits(request: pytest.FixtureRequest) -> Iterator[None]:
    """Widgets of earlier tests are collected between two tests, or by the window's collector: never amid Qt's work."""
    thresholds = gc.get_threshold()
    if "qapp" in request.fixturenames:
        gc.set_threshold(0)
    yield
    gc.set_threshold(*thresholds)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test after which a thread still runs or a timer still ticks."""
    drawn = "qapp" in request.fixturenames
    if drawn:
        request.getfixturevalue("qapp")
        from gui.lean import pyqtgraph

        pyqtgraph.setConfigOptions(imageAxisOrder="row-major", antialias=False)
    threads = set(_python_threads())
    busy = set(_busy_qt_objects()) if drawn else set()
    yield
    if drawn:
        _delete_what_was_closed()
    deadline = time.monotonic() + LEAVE_WITHIN
    for thread in set(_python_threads()) - threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread.name for thread in _python_threads() if thread not in threads]
    if drawn and set(_busy_qt_objects()) - busy:
        gc.collect()
        _delete_what_was_closed()
        left += [name for key, name in _busy_qt_objects().items() if key not in busy]
    if left:
        pytest.fail("left behind: " + ", ".join(left), pytrace=False)


def _python_threads() -> list[threading.Thread]:
    """Those that Python started. One of Qt's that asked Python who it is stays listed as a dummy after it has ended."""
    return [thread for thread in threading.enumerate() if not thread.name.startswith("Dummy-")]


def _delete_what_was_closed() -> None:
    from PySide6.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _busy_qt_objects() -> dict[int, str]:
    """Running threads and ticking timers that Python knows, by identity."""
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QThread, QTimer

    app = QCoreApplication.instance()
    main = app.thread() if app else None
    busy = {}
    for thing in shiboken6.getAllValidWrappers():
        if (isinstance(thing, QThread) and thing is not main and thing.isRunning()) or (
            isinstance(thing, QTimer) and thing.isActive()
        ):
            owner = thing.parent()
            busy[id(thing)] = f"{type(thing).__name__} of {type(owner).__name__ if owner else 'nobody'}"
    return busy
