"""The line at the bottom: who gets the room, and what is said where there is too little of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from engine.events import Started, StepFinished
from gui.run_state import RunState
from gui.views.status_line import StatusLine

LONG = "No run of the history is on screen: press Start, or open one under Runs, and then take it away."


@pytest.fixture
def line(qtbot: QtBot) -> StatusLine:
    line = StatusLine()
    qtbot.addWidget(line)
    line.resize(1100, 28)
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


def test_figures_keep_their_places_while_the_sentence_fits(line: StatusLine) -> None:
    line.refresh(RunState(), cost=None)
    parts = [label(line, name) for name in ("device", "step", "epoch", "speed", "left", "cost")]
    assert all(part.isVisible() for part in parts)
    line.refresh(running(), cost=0.02)
    assert all(part.isVisible() for part in parts)


def test_figures_are_shown_whole(line: StatusLine) -> None:
    line.setStyleSheet("QLabel { padding: 1px 8px; }")
    QApplication.processEvents()
    for state in (running(), RunState(), running()):
        line.refresh(state, cost=0.02)
        QApplication.processEvents()
        for name in ("device", "step", "epoch", "speed", "left", "cost"):
            shown = label(line, name)
            words, room = shown.fontMetrics().size(0, shown.text()), shown.contentsRect()
            assert room.width() >= words.width(), (name, shown.text())
            assert room.height() >= words.height()


class Layouts(QObject):
    """Counts how often a widget is laid out anew."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.LayoutRequest
        return super().eventFilter(watched, event)


def test_other_figures_lay_nothing_out_anew(line: StatusLine) -> None:
    state = running()
    line.refresh(state, cost=0.02)
    QApplication.processEvents()
    layouts, place = Layouts(line), label(line, "step").geometry()
    for step in range(6, 21):
        state.apply([StepFinished(step, 1 + step // 10, 0.1 * step, 0.1, step / 10, None)])
        line.refresh(state, cost=0.001 * step)
        QApplication.processEvents()
    assert label(line, "step").text() == "step 20/30"
    assert (layouts.count, label(line, "step").geometry()) == (0, place)


def test_a_long_sentence_takes_the_room_of_what_says_less(line: StatusLine, qtbot: QtBot) -> None:
    line.resize(900, 28)
    line.refresh(running(), cost=0.02, note=LONG[: len(LONG) // 2])
    message, progress = label(line, "message"), line.findChild(QWidget, "run_progress")
    assert progress is not None
    assert not progress.isVisible()
    assert label(line, "step").isVisible()
    qtbot.waitUntil(lambda: message.width() > 200)
    assert message.toolTip() == ""
    line.refresh(running(), cost=0.02)
    line.resize(1100, 28)
    qtbot.waitUntil(progress.isVisible)


def test_a_sentence_without_room_ends_in_an_ellipsis_and_is_whole_in_its_tooltip(
    line: StatusLine, qtbot: QtBot
) -> None:
    message = label(line, "message")

    line.refresh(RunState(), cost=None, note="Saved.")
    whole = message.grab().toImage()
    assert message.toolTip() == ""
    line.resize(600, 28)
    line.refresh(running(), cost=0.02, note=LONG)
    assert message.text() == LONG
    qtbot.waitUntil(lambda: message.toolTip() == LONG)
    assert message.grab().toImage() != whole
