"""A race in the real window: set up in its dialog, run one after the other, kept and compared."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from engine.runs.run_record import RunSummary
from engine.runs.store import RunStore
from gui.main_window import MainWindow
from gui.race_dialog import RaceDialog
from tests.e2e.conftest import LONG, button, pick, widget


def begin_race(window: MainWindow, qtbot: QtBot, *optimizers: str, epochs: int) -> None:
    """Open the dialog by its key, tick these optimizers and no other, and start."""
    pick(window, "dataset", "gaussians")
    pick(window, "network", "mlp")
    widget(window, "epochs").setProperty("value", epochs)
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dialog = window.findChild(RaceDialog, "race_dialog")
    assert isinstance(dialog, RaceDialog)
    qtbot.waitUntil(dialog.isVisible, timeout=LONG)
    for box in dialog.findChildren(QCheckBox):
        box.setChecked(box.objectName().removeprefix("race_optimizer_") in optimizers)
    start = dialog.findChild(QPushButton, "race_start")
    assert isinstance(start, QPushButton)
    start.click()


def history() -> list[RunSummary]:
    """The oldest first."""
    with RunStore() as store:
        return store.runs()[::-1]


def status(window: MainWindow) -> str:
    return str(widget(window, "status_message").property("text"))


def test_two_runs_one_after_the_other_are_kept_and_compared(window: MainWindow, qtbot: QtBot) -> None:
    begin_race(window, qtbot, "sgd", "adam", epochs=1)
    assert window.race.labels == ["sgd", "adam"]
    assert "Race 1 of 2: sgd" in status(window)
    with qtbot.waitSignal(window.race.ended, timeout=LONG) as told:
        qtbot.waitUntil(lambda: "Race 2 of 2: adam" in status(window) or not window.race.active, timeout=LONG)
    assert window.setup.config().optimizer.name == "adam"
    assert window.run_state.status == "finished"
    assert "The race has ended after 2 runs." in status(window)
    assert told.args is not None
    (numbers,) = told.args
    qtbot.waitUntil(lambda: [run.name for run in history()] == ["sgd", "adam"], timeout=LONG)
    runs = history()
    assert [run.id for run in runs] == numbers
    assert [run.optimizer for run in runs] == ["sgd", "adam"]
    assert runs[0].tags == runs[1].tags
    assert runs[0].tags[0].startswith("race ")
    qtbot.waitUntil(lambda: not window.tools.docks["compare"].isHidden(), timeout=LONG)


def test_stop_offers_to_go_on_or_to_end_the_race(window: MainWindow, qtbot: QtBot) -> None:
    begin_race(window, qtbot, "sgd", "adam", "adamw", epochs=100_000)
    offer = widget(window, "race_offer")
    for answer, label in (("race_offer_0", "sgd"), ("race_offer_1", "adam")):
        qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
        button(window, "stop").click()
        qtbot.waitUntil(offer.isVisible, timeout=LONG)
        text = window.findChild(QLabel, "race_offer_text")
        assert isinstance(text, QLabel)
        assert f"“{label}” was stopped" in text.text()
        assert not window.bridge.running
        button(window, answer).click()
    assert not offer.isVisible()
    assert not window.race.active
    assert not window.bridge.running
    assert "The race has ended after 2 of 3 runs." in status(window)
    qtbot.waitUntil(lambda: [run.name for run in history()] == ["sgd", "adam"], timeout=LONG)


def test_there_is_no_race_beside_a_run_and_none_after_the_window(window: MainWindow, qtbot: QtBot) -> None:
    begin_race(window, qtbot, "sgd", "adam", epochs=100_000)
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    window.menu.race.emit()
    assert "under way" in status(window)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=LONG)
    assert [run.optimizer for run in history()] == ["sgd"]
