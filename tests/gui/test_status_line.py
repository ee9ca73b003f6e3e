"""The line at the bottom: who gets the room, and what is said where there is too little of it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from engine.events import Finished, Started, StepFinished
from gui.run_state import RunState
from gui.views.status_line import StatusLine

LONG = "No run of the history is on screen: press Start, or open one under Runs, and then take it away."


@pytest.fixture
def line(qtbot: QtBot) -> StatusLine:
    line = StatusLine()
    qtbot.addWidget(line)
    line.resize(1000, 28)
    with qtbot.waitExposed(line):
        line.show()
    return line


def label(line: StatusLine, name: str) -> QLabel:
    found = line.findChild(QLabel, f"status_{name}")
    assert isinstance(found, QLabel), name
    return found


def running() -> RunState:
    state = RunState()
    begun = Started("CPU", 2, "contiguous", "float32", 42, 10, 10, 30, 100, "mlp", "gaussians")
    state.apply([begun, *(StepFinished(step, 1, 0.5, 0.1, step / 10, None) for step in range(1, 6))])
    return state


def test_figures_of_a_run_under_way_leave_their_room_to_the_sentence_when_it_ends(
    line: StatusLine, qtbot: QtBot
) -> None:
    state = running()
    line.refresh(state, cost=0.02)
    narrow = label(line, "message").width()
    assert label(line, "left").isVisible()
    assert label(line, "cost").text().startswith("watching")
    state.apply([Finished("completed", 30, 3, 3.0, 1000.0)])
    line.refresh(state, cost=None)
    assert not label(line, "left").isVisible()
    assert not label(line, "cost").isVisible()
    qtbot.waitUntil(lambda: label(line, "message").width() > narrow)


def test_a_sentence_without_room_ends_in_an_ellipsis_and_is_whole_in_its_tooltip(
    line: StatusLine, qtbot: QtBot
) -> None:
    message = label(line, "message")

    line.refresh(RunState(), cost=None, note="Saved.")
    whole = message.grab().toImage()
    assert message.toolTip() == ""
    line.resize(700, 28)
    line.refresh(running(), cost=0.02, note=LONG)
    assert message.text() == LONG
    qtbot.waitUntil(lambda: message.toolTip() == LONG)
    assert message.grab().toImage() != whole
