"""Garbage is collected in the window's thread, between two events."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QObject, QTimerEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from gui.collector import MIDDLE, OLD, YOUNG, Collector

pytestmark = pytest.mark.usefixtures("collector")

PLENTY = 200 * YOUNG  # objects: more than enough for an automatic collection of every generation

MANY = 1 + max(MIDDLE, OLD)


class Cycle(QWidget):
    """Only a collection finds it."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = self


class Allocating(QWidget):
    """Makes many objects in a method that a change of the style sheet calls."""

    kept: list[list[int]]

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange:
            self.kept = allocate()
        return super().event(event)


def allocate() -> list[list[int]]:
    return [[] for _ in range(PLENTY)]


def drop_one(left: list[threading.Thread]) -> weakref.ref[Cycle]:
    """A widget that is garbage; `left` gets the thread that destroys it."""
    cycle = Cycle()
    cycle.ensurePolished()
    cycle.destroyed.connect(lambda: left.append(threading.current_thread()))
    return weakref.ref(cycle)


@pytest.fixture
def collector(qapp: QApplication) -> Iterator[Collector]:
    """In place of Python's own, which is at its keenest before."""
    gc.collect()
    gc.set_threshold(YOUNG, 1, 1)
    owner = QObject(qapp)
    yield Collector(owner, interval=1)
    owner.deleteLater()


def test_what_another_thread_allocates_destroys_no_widget_there(qtbot: QtBot) -> None:
    destroyed: list[threading.Thread] = []
    garbage = drop_one(destroyed)
    collected: list[int] = []

    def note(_phase: str, _info: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            collected.append(1)

    gc.callbacks.append(note)
    try:
        worker = threading.Thread(target=allocate)
        worker.start()
        worker.join()
        assert garbage() is not None
        kept = allocate()
        qtbot.waitUntil(lambda: bool(destroyed))
    finally:
        gc.callbacks.remove(note)
    assert destroyed == [threading.main_thread()]
    assert garbage() is None
    assert not collected
    del kept


def test_a_change_of_the_style_sheet_destroys_nothing(qtbot: QtBot, qapp: QApplication) -> None:
    listener = Allocating()
    qtbot.addWidget(listener)
    before = qapp.styleSheet()
    try:
        qapp.setStyleSheet("QWidget { color: #102030 }")
        listener.show()
        destroyed: list[threading.Thread] = []
        garbage = drop_one(destroyed)
        qapp.setStyleSheet("QWidget { color: #302010 }")
        assert len(listener.kept) == PLENTY
        assert garbage() is not None
        assert not destroyed
        qtbot.waitUntil(lambda: bool(destroyed))
    finally:
        qapp.setStyleSheet(before)


def test_nothing_is_collected_while_collecting_is_disabled(qtbot: QtBot) -> None:
    destroyed: list[threading.Thread] = []
    drop_one(destroyed)
    gc.disable()
    try:
        kept = allocate()
        ticks: list[int] = []
        beside = TickCounter(ticks)
        qtbot.waitUntil(lambda: len(ticks) > 3)
        assert not destroyed
    finally:
        gc.enable()
    qtbot.waitUntil(lambda: bool(destroyed))
    del kept, beside


class TickCounter(QObject):
    """Notes the ticks of a timer like the collector's, only slower."""

    def __init__(self, ticks: list[int]) -> None:
        super().__init__()
        self._ticks = ticks
        self.startTimer(10)

    def timerEvent(self, _event: QTimerEvent) -> None:
        self._ticks.append(1)


def test_the_old_are_collected_too_but_not_again_before_many_more_are_old(qtbot: QtBot) -> None:
    cycle = Cycle()
    gc.collect()  # it is old now
    destroyed: list[threading.Thread] = []
    cycle.destroyed.connect(lambda: destroyed.append(threading.current_thread()))
    del cycle
    collections: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            collections.append(info["generation"])

    def collect_until_all_are_due() -> None:
        for generation in (1, 0):
            for _ in range(MANY):
                gc.collect(generation)
        collections.clear()
        young: list[list[int]] = [[] for _ in range(2 * YOUNG)]
        qtbot.waitUntil(lambda: bool(collections))
        del young

    gc.callbacks.append(note)
    try:
        collect_until_all_are_due()
        assert collections == [2]
        assert destroyed == [threading.main_thread()]
        collect_until_all_are_due()
        assert collections == [1]
    finally:
        gc.callbacks.remove(note)
