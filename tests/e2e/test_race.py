"""A race in the real window: set up in its dialog, run one after the other or at once, kept and compared."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QTableView, QWidget
from pytestqt.qtbot import QtBot

from engine.race import Entrant, Race, entries, make_axes
from engine.runs.run_record import RunSummary
from engine.runs.store import RunStore
from gui.main_window import MainWindow
from gui.race_dialog import RaceDialog
from tests.e2e.conftest import LONG, button, pick, widget
from tests.engine.runs import toy_config


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


def race(*, epochs: int) -> list[Entrant]:
    base = toy_config(training__epochs=epochs)
    return entries(Race(base, make_axes(["optimizer=sgd,adam"], base)))


def cells(table: QWidget, column: int) -> list[str]:
    assert isinstance(table, QTableView)
    model = table.model()
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


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


def test_runs_at_once_have_a_row_each_and_are_compared_in_the_end(window: MainWindow, qtbot: QtBot) -> None:
    window.race.begin(race(epochs=2), 2)
    strip, table = widget(window, "race_strip"), widget(window, "race_table")
    assert isinstance(table, QTableView)
    assert strip.isVisible()
    assert window.race.active
    window.start()
    assert "A race is under way" in status(window)
    assert not window.bridge.running
    with qtbot.waitSignal(window.race.ended, timeout=LONG) as told:
        pass
    assert cells(table, 0) == ["sgd", "adam"]
    assert cells(table, 5) == ["Completed", "Completed"]
    assert all(cells(table, 3))
    assert "The race has ended after 2 runs." in status(window)
    assert told.args == [[run.id for run in history()]]
    assert [run.status for run in history()] == ["finished", "finished"]
    qtbot.waitUntil(lambda: not window.tools.docks["compare"].isHidden(), timeout=LONG)
    qtbot.waitUntil(lambda: window.history.panel.model.total == 2, timeout=LONG)
    button(window, "race_end").click()
    assert not strip.isVisible()
    assert not window.bridge.racing
    window.start()
    assert window.bridge.running


def test_cancel_ends_runs_that_go_on_at_once(window: MainWindow, qtbot: QtBot) -> None:
    window.race.begin(race(epochs=100_000), 2)
    table, cancel = widget(window, "race_table"), button(window, "race_end")
    assert isinstance(table, QTableView)
    assert cancel.text() == "Cancel"
    qtbot.waitUntil(lambda: all(cells(table, 2)), timeout=LONG)
    with qtbot.waitSignal(window.race.ended, timeout=LONG):
        cancel.click()
        assert not cancel.isEnabled()
    assert cells(table, 5) == ["Stopped", "Stopped"]
    assert [run.status for run in history()] == ["stopped", "stopped"]
    assert all(run.step for run in history())


def test_closing_the_window_ends_runs_that_go_on_at_once(window: MainWindow, qtbot: QtBot) -> None:
    window.race.begin(race(epochs=100_000), 2)
    qtbot.waitUntil(lambda: all(cells(widget(window, "race_table"), 2)), timeout=LONG)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=LONG)
    assert [run.status for run in history()] == ["stopped", "stopped"]
