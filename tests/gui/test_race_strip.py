"""The rows of a race under way: what each says, and the button that ends it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLabel, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from engine.events import Evaluated, Failed, Finished, Preparing, Started, StepFinished
from engine.race import Entrant
from engine.race_run import RaceRun
from gui.race_model import COLUMNS, PROGRESS_ROLE
from gui.race_strip import MOST_ROWS, ROW_HEIGHT, RaceStrip
from gui.run_colors import SWATCH
from gui.theme import DARK, LIGHT
from tests.engine.runs import toy_config

STARTED = Started("cpu", 1, "contiguous", "float32", 10, 40, 10, 2000, 400, "mlp", "gaussians")


def race(*labels: str) -> RaceRun:
    return RaceRun([Entrant(label, toy_config(None)) for label in labels], at_once=2)


@pytest.fixture
def strip(qtbot: QtBot) -> RaceStrip:
    made = RaceStrip(DARK)
    made.resize(640, 200)
    qtbot.addWidget(made)
    assert not made.isVisible()
    return made


def table(strip: RaceStrip) -> QTableView:
    found = strip.findChild(QTableView, "race_table")
    assert isinstance(found, QTableView)
    return found


def cell(strip: RaceStrip, row: int, title: str, role: int = Qt.ItemDataRole.DisplayRole) -> object:
    place = [column.title for column in COLUMNS].index(title)
    return table(strip).model().index(row, place).data(role)


def title(strip: RaceStrip) -> str:
    found = strip.findChild(QLabel, "race_title")
    assert isinstance(found, QLabel)
    return found.text()


def end(strip: RaceStrip) -> QPushButton:
    found = strip.findChild(QPushButton, "race_end")
    assert isinstance(found, QPushButton)
    return found


def test_a_row_says_how_its_run_stands(strip: RaceStrip) -> None:
    shown = race("sgd", "adam", "muon")
    strip.show_race(shown)
    QAbstractItemModelTester(table(strip).model(), QAbstractItemModelTester.FailureReportingMode.Warning, strip)
    assert [cell(strip, row, "State") for row in range(3)] == ["Waits"] * 3
    first, second, _ = shown.results
    for event in (
        Preparing("Loading"),
        STARTED,
        StepFinished(500, 1, 0.25, 0.1, 61.0),
        Evaluated(500, 0.3, 0.9, None, None, 62.0),
    ):
        first.take(event)
    second.take(Preparing("Loading"))
    strip.refresh()
    assert title(strip) == "Race: 0 of 3 runs ended, 2 under way"
    said = [cell(strip, 0, column.title) for column in COLUMNS]
    assert said == ["sgd", "500", "0.2500", "90.00\u2009%", "1:02", "Trains"]
    assert cell(strip, 0, "Steps", PROGRESS_ROLE) == 0.25
    assert "500 of 2\u2009000" in str(cell(strip, 0, "Steps", Qt.ItemDataRole.ToolTipRole))
    assert cell(strip, 1, "State") == "Prepares"
    assert cell(strip, 1, "Steps", PROGRESS_ROLE) is None
    strip.grab()  # paints every cell


def test_one_that_failed_says_why_in_its_row_and_stands_out(strip: RaceStrip) -> None:
    shown = race("wild", "good")
    strip.show_race(shown)
    shown.results[0].take(Failed("diverged", "The loss is no number.", 3))
    shown.results[1].take(Finished("completed", 10, 1, 1.0, 10.0))
    strip.end()
    assert cell(strip, 0, "State") == "Failed: The loss is no number."
    for theme in (DARK, LIGHT):
        strip.set_theme(theme)
        assert cell(strip, 0, "State", Qt.ItemDataRole.ForegroundRole) == theme.color("error")
    assert title(strip) == "Race: 2 of 2 runs ended, 1 of them failed"


def test_the_button_cancels_first_and_closes_in_the_end(strip: RaceStrip, qtbot: QtBot) -> None:
    shown = race("sgd", "adam")
    strip.cancelled.connect(shown.stop)
    strip.show_race(shown)
    assert strip.isVisible()
    assert "with what it has" in end(strip).toolTip()
    with qtbot.waitSignal(strip.cancelled):
        end(strip).click()
    assert not end(strip).isEnabled()
    assert "after the step" in end(strip).toolTip()
    strip.end()
    assert end(strip).text() == "Close"
    end(strip).click()
    assert not strip.isVisible()
    assert table(strip).model().rowCount() == 0


def test_where_it_is_narrow_the_time_gives_way_then_the_loss_and_nothing_is_cut(strip: RaceStrip) -> None:
    strip.show_race(race("seed 0", "seed 1"))
    seen = []
    for width in range(640, 380, -4):
        strip.resize(width, 200)
        hidden = [column for column in range(6) if table(strip).isColumnHidden(column)]
        if hidden not in seen:
            seen.append(hidden)
        shown = [table(strip).columnWidth(column) for column in range(5) if column not in hidden]
        assert sum(shown) + 88 <= width
    assert seen == [[], [4], [2, 4]]
    strip.show_race(race("seed 0"))
    strip.resize(640, 200)
    assert not any(table(strip).isColumnHidden(column) for column in range(6))


def test_a_long_name_is_shown_whole_where_there_is_room(strip: RaceStrip) -> None:
    strip.show_race(race("learning rate 0.0003, seed 0"))
    needed = QFontMetrics(strip.font()).horizontalAdvance("learning rate 0.0003, seed 0")
    strip.resize(900, 200)
    assert table(strip).columnWidth(0) > needed + SWATCH.width()
    strip.resize(400, 200)
    assert table(strip).columnWidth(0) < needed + SWATCH.width()


def test_of_many_runs_some_are_in_sight_and_the_time_gives_way_where_it_is_narrow(strip: RaceStrip) -> None:
    strip.show_race(race("sgd", "adam"))
    few = table(strip).height()
    strip.show_race(race(*(f"seed {number}" for number in range(40))))
    assert table(strip).height() == few + (MOST_ROWS - 2) * ROW_HEIGHT
    assert not table(strip).isColumnHidden(4)
    strip.resize(400, 200)
    assert table(strip).isColumnHidden(4)
    assert table(strip).height() > few
