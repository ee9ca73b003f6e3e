"""A branch in the real window: its parent's curve stands behind it, also when it is opened from the history."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from tests.e2e.conftest import LONG, button
from tests.e2e.test_hard_times import label
from tests.e2e.test_rewind import LAST, go_to, use_small_network


def behind(window: MainWindow) -> dict[str, tuple[float, float]]:
    """From where to where the training lines behind the loss go."""
    shades = window.curves.panels["loss"].plot.backdrop
    return {s.trace.name: (s.trace.x[0], s.trace.x[-1]) for s in shades if " 0 " in s.trace.name}


def marks(window: MainWindow) -> list[tuple[float, str]]:
    return [(mark.x, mark.label) for mark in window.curves.panels["loss"].plot.marks]


def test_a_branch_shows_its_parent_behind_its_curve(window: MainWindow, qtbot: QtBot) -> None:
    use_small_network(window)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.status == "finished" and not window.bridge.running, timeout=LONG)
    assert behind(window) == {}
    go_to(window, qtbot, 8)
    button(window, "rewind_branch").click()
    qtbot.waitUntil(lambda: window.run_state.loss.count == LAST - 8 and not window.bridge.running, timeout=LONG)
    # And no more that it goes on.
    qtbot.waitUntil(lambda: label(window, "status_message").text() == "Finished", timeout=LONG)
    seen = {"1 0 common": (1, 8), "1 0 other": (8, LAST)}
    qtbot.waitUntil(lambda: behind(window) == seen, timeout=LONG)
    assert marks(window) == [(8, "branch of run 1 at step 8")]

    window.history.open(1)
    qtbot.waitUntil(lambda: window.run_state.loss.count == LAST, timeout=LONG)
    assert (behind(window), marks(window)) == ({}, [])
    window.history.open(2)
    qtbot.waitUntil(lambda: behind(window) == seen, timeout=LONG)
    assert marks(window) == [(8, "branch of run 1 at step 8")]
