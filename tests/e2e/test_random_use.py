"""Someone who presses, types, drags and closes at random finds nothing broken."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QFileDialog,
    QSlider,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from tests.e2e.conftest import LONG, close

ACTIONS = 400
EVERY = 12  # ms between two actions: faster than any hand
KEYS = (
    Qt.Key.Key_Space,
    Qt.Key.Key_Period,
    Qt.Key.Key_E,
    Qt.Key.Key_Escape,
    Qt.Key.Key_C,
    Qt.Key.Key_T,
    Qt.Key.Key_Tab,
    Qt.Key.Key_Up,
    Qt.Key.Key_Left,
    Qt.Key.Key_Home,
    Qt.Key.Key_Plus,
    Qt.Key.Key_F6,
    Qt.Key.Key_Question,
)
TYPED = ("0", "7", "0.1", "1e-3", "-5", "999999999", "abc", "", "64, 32")
SLOW = ("resnet18", "cifar10", "emnist_balanced", "emnist_letters", "fashion_mnist", "kmnist")


class Monkey(QObject):
    """Acts on whatever window there is, one action a tick."""

    def __init__(self, window: MainWindow, *, seed: int, actions: int) -> None:
        super().__init__()
        self._shown = window
        self._random = random.Random(seed)
        self.left = actions
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self._act)
        self._timer.start()
        # A menu holds the event loop until it is closed, and so holds the timer that opened it.
        self._closer = QTimer(self, interval=2 * EVERY)
        self._closer.timeout.connect(self._close_popup)
        self._closer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._closer.stop()

    def _act(self) -> None:
        if not self.left:
            return
        self.left -= 1
        actions = {
            self._press: 8,
            self._key: 8,
            self._type: 4,
            self._choose: 4,
            self._draw: 6,
            self._drag: 3,
            self._wheel: 3,
            self._slide: 2,
            self._dock: 1,
        }
        self._random.choices(list(actions), weights=list(actions.values()))[0]()

    @staticmethod
    def _close_popup() -> None:
        popup = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if popup is not None:
            popup.close()

    def _one(self, kind: type[QWidget]) -> QWidget | None:
        found = [
            w for w in self._shown.findChildren(kind) if w.isVisible() and w.isEnabled() and w.window() is self._shown
        ]
        return self._random.choice(found) if found else None

    def _press(self) -> None:
        found = self._one(QAbstractButton)
        if found is not None:
            QTest.mouseClick(found, Qt.MouseButton.LeftButton)

    def _key(self) -> None:
        target = QApplication.focusWidget() or self._shown
        QTest.keyClick(target, self._random.choice(KEYS))

    def _type(self) -> None:
        box = self._one(QAbstractSpinBox)
        if isinstance(box, QAbstractSpinBox):
            box.selectAll()
            QTest.keyClicks(box, self._random.choice(TYPED))
            QTest.keyClick(box, Qt.Key.Key_Return)

    def _choose(self) -> None:
        combo = self._one(QComboBox)
        if isinstance(combo, QComboBox):
            rows = [row for row in range(combo.count()) if combo.itemData(row) not in SLOW]
            combo.setCurrentIndex(self._random.choice(rows))

    def _draw(self) -> None:
        self._stroke(self._shown.findChild(QWidget, "digit_canvas"), points=6)

    def _drag(self) -> None:
        name = self._random.choice(("loss_plot", "accuracy_plot", "filter_grid"))
        self._stroke(self._shown.findChild(QWidget, name), points=3)

    def _stroke(self, target: object, *, points: int) -> None:
        if isinstance(target, QAbstractScrollArea):
            target = target.viewport()
        if not isinstance(target, QWidget) or not target.isVisible():
            return
        places = [
            QPoint(self._random.randrange(target.width()), self._random.randrange(target.height()))
            for _ in range(points)
        ]
        held = self._random.choice((Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton))
        QTest.mousePress(target, held, Qt.KeyboardModifier.NoModifier, places[0])
        for place in places[1:]:
            QTest.mouseMove(target, place)
        QTest.mouseRelease(target, held, Qt.KeyboardModifier.NoModifier, places[-1])

    def _wheel(self) -> None:
        target = self._one(QWidget)
        if target is not None:
            place = QPointF(target.rect().center())
            turn = QPoint(0, self._random.choice((-120, 120)))
            event = QWheelEvent(
                place,
                QPointF(target.mapToGlobal(place.toPoint())),
                QPoint(),
                turn,
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(target, event)

    def _slide(self) -> None:
        slider = self._one(QSlider)
        if isinstance(slider, QSlider):
            slider.setValue(self._random.randint(slider.minimum(), slider.maximum()))

    def _dock(self) -> None:
        docks = self._shown.findChildren(QDockWidget)
        dock = self._random.choice(docks)
        dock.setVisible(not dock.isVisible())


@pytest.mark.timeout(300)
@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)  # some platforms cannot raise a popup
def test_random_use_breaks_nothing(
    open_window: Callable[[], MainWindow],
    qtbot: QtBot,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several hundred actions in three windows, each closed in the middle of whatever it does."""
    # The system's own file dialogs are not ours to test, and cannot be closed from here.
    monkeypatch.setattr(QFileDialog, "open", lambda dialog, *_: dialog.deleteLater())
    for seed in range(3):
        _use_at_random(open_window(), qtbot, seed=seed)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def _use_at_random(window: MainWindow, qtbot: QtBot, *, seed: int) -> None:
    monkey = Monkey(window, seed=seed, actions=ACTIONS // 3)
    qtbot.waitUntil(lambda: not monkey.left, timeout=2 * LONG)
    monkey.stop()
    answered: list[bool] = []
    QTimer.singleShot(0, window, lambda: answered.append(True))
    qtbot.waitUntil(lambda: bool(answered), timeout=LONG)
    close(qtbot, window)
