"""Every lesson in the real window: opened, read, trained; and a teacher's own, written and opened again."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QMenu, QSlider, QSpinBox, QTableWidget, QTextBrowser, QWidget
from pytestqt.qtbot import QtBot

from engine.lessons import find_lesson, lessons
from engine.lessons.lesson import load_lesson
from engine.runs.store import RunStore
from gui import settings as stored
from gui.main_window import MainWindow
from tests.e2e.conftest import LONG, button, pick, widget

ENOUGH = 30  # steps after which a long run has shown that it works


def run_to_the_end(qtbot: QtBot, window: MainWindow, *, most: int = 300) -> None:
    """Press Start at full speed; a run of more than `most` steps is stopped after some."""
    slider = window.findChild(QSlider, "speed")
    assert isinstance(slider, QSlider)
    slider.setValue(slider.maximum())
    button(window, "start").click()
    assert window.bridge.running
    qtbot.waitUntil(lambda: window.run_state.step >= ENOUGH or window.run_state.status != "running", timeout=LONG)
    if window.run_state.total_steps > most and window.run_state.status == "running":
        button(window, "stop").click()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
    assert window.run_state.status == "finished", window.run_state.failure


@pytest.mark.parametrize("name", [lesson.name for lesson in lessons()])
def test_a_lesson_opens_with_its_tools_and_trains(window: MainWindow, qtbot: QtBot, name: str) -> None:
    lesson = find_lesson(name)
    window.open_lesson(name)
    qtbot.waitUntil(lambda: widget(window, "lesson_text").isVisible(), timeout=LONG)
    text = widget(window, "lesson_text")
    assert isinstance(text, QTextBrowser)
    assert len(text.toPlainText()) > 200
    assert "$" not in text.toPlainText(), "a formula is not shown as one"
    assert not any(window.tools.docks[tool].isHidden() for tool in lesson.tools)
    for panel in ("canvas", "filters", "curves"):
        if panel in lesson.hides:
            assert window.docks[panel].isHidden()
    run_to_the_end(qtbot, window)
    assert window.run_state.step > 0


def cell(window: MainWindow, row: int, column: int) -> str:
    """Of the table of printed and obtained numbers."""
    table = window.findChild(QTableWidget, "lesson_numbers")
    assert isinstance(table, QTableWidget)
    item = table.item(row, column)
    assert item is not None
    return item.text()


def test_printed_and_obtained_numbers_stand_side_by_side(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lesson("logistic-regression")
    rows = range(len(find_lesson("logistic-regression").printed))

    def column(place: int) -> list[str]:
        return [cell(window, row, place) for row in rows]

    assert column(2) == [""] * 12
    run_to_the_end(qtbot, window)
    assert column(2)[:2] == ["0.6412", "0.6407"]
    stages = window.findChild(QComboBox, "lesson_stage")
    assert isinstance(stages, QComboBox)
    stages.setCurrentIndex(1)
    stages.activated.emit(1)
    run_to_the_end(qtbot, window, most=1_000)
    assert column(2) == column(1)
    assert set(column(3)) == {"✓"}
    assert window.guide.is_done(find_lesson("logistic-regression"))
    assert "logistic-regression:2" in window.gather_settings().lessons_done


def test_hidden_controls_come_back(window: MainWindow, qtbot: QtBot) -> None:
    assert window.docks["canvas"].isVisible()
    window.open_lesson("linear-regression")
    qtbot.waitUntil(lambda: widget(window, "lesson_show_all").isVisible(), timeout=LONG)
    assert window.docks["canvas"].isHidden()
    assert widget(window, "schedule").isHidden() or not widget(window, "schedule").isVisible()
    button(window, "lesson_show_all").click()
    assert not window.docks["canvas"].isHidden()
    button(window, "lesson_show_all").click()
    assert window.docks["canvas"].isHidden()
    window.guide.leave()
    assert not window.docks["canvas"].isHidden()


def test_the_reader_changes_a_lesson_and_starts_again(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lesson("linear-regression")
    rate = widget(window, "learning_rate")
    rate.setProperty("value", 0.001)
    run_to_the_end(qtbot, window)
    assert cell(window, 0, 2) == "153.3520"  # the first loss comes before any update
    assert cell(window, 3, 2) != "3.13577"
    assert cell(window, 3, 3) == "≠"


def test_next_and_previous_and_the_menu(window: MainWindow, qtbot: QtBot) -> None:
    names = [lesson.name for lesson in lessons()]
    window.open_lesson(names[0])
    qtbot.waitUntil(lambda: widget(window, "lesson_next").isVisible(), timeout=LONG)
    assert not button(window, "lesson_previous").isEnabled()
    assert button(window, "lesson_previous").toolTip() == "This is the first lesson."
    button(window, "lesson_next").click()
    assert window.guide.lesson is not None
    assert window.guide.lesson.name == names[1]
    menu = window.findChild(QMenu, "lessons_menu")
    assert isinstance(menu, QMenu)
    menu.popup(window.mapToGlobal(QPoint(10, 10)))
    qtbot.waitUntil(menu.isVisible, timeout=LONG)
    action = next(action for action in menu.actions() if action.objectName() == f"lesson_{names[2]}")
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())
    qtbot.waitUntil(lambda: window.guide.lesson is not None and window.guide.lesson.name == names[2], timeout=LONG)


def test_no_lesson_is_opened_over_a_run(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lesson("linear-regression")
    button(window, "start").click()  # in slow motion
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    window.open_lesson("two-patterns")
    assert window.guide.lesson is not None
    assert window.guide.lesson.name == "linear-regression"
    assert "under way" in widget(window, "status_message").property("text")
    button(window, "stop").click()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)


def test_a_teacher_saves_the_set_up_as_a_lesson_that_others_open(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    pick(window, "dataset", "spirals")
    window.tools.open("points")
    window.guide.save_wanted.emit()
    dialog = window.findChild(QDialog, "lesson_dialog")
    assert isinstance(dialog, QDialog)
    dialog.findChild(QWidget, "lesson_title").setProperty("text", "Two arms")  # type: ignore[union-attr]
    dialog.findChild(QWidget, "lesson_words").setProperty("plainText", "See $w^2$ grow.")  # type: ignore[union-attr]
    path = tmp_path / "two-arms.lesson.md"
    with qtbot.waitSignal(window.bridge.saved, timeout=LONG):
        dialog._done(str(path))  # type: ignore[attr-defined]  # what the file dialog calls
    lesson = load_lesson(path)
    assert lesson.title == "Two arms"
    assert lesson.stages[0].picks["dataset"] == "spirals"
    assert set(lesson.tools) == {"points"}
    pick(window, "dataset", "circles")
    window.open_lesson(str(path))
    assert window.setup.config().dataset.name == "spirals"
    run_to_the_end(qtbot, window)


def test_progress_is_kept(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lesson("linear-regression")
    run_to_the_end(qtbot, window)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=LONG)
    assert stored.load().lessons_done == ("linear-regression:1",)


def test_a_lesson_s_run_goes_on_and_the_history_knows_to_which_end(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lesson("mnist-mlp")
    pick(window, "dataset", "gaussians")
    epochs = window.findChild(QSpinBox, "epochs")
    assert isinstance(epochs, QSpinBox)
    epochs.setValue(2)
    run_to_the_end(qtbot, window)
    first = window.run_state.step
    assert window.run_state.total_steps == first
    run_to_the_end(qtbot, window)
    assert window.run_state.step == window.run_state.total_steps == 2 * first
    with RunStore() as store:
        assert [store.run(number).config.training.epochs for number in (1, 2)] == [2, 4]
