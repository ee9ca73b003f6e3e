"""Figures that stand under each other, and pictures of numbers that can be read off."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from gui.figure_table import ROW_HEIGHT, Column, FigureTable, figures
from gui.theme import DARK
from gui.value_picture import ValuePicture


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.12345, -1.5, 0.0], ["0.123", "−1.500", "0"]),
        ([0.00031, 0.0000001], ["0.0003100", "0.0000001"]),
        ([0.5, 1e-12], ["0.5000", "1e−12"]),
        ([5.643e-6, 0.0], ["5.643e−6", "0"]),
        ([999_999_999.0, 1.0], ["1.000e9", "1.000e0"]),
        ([12345.6], ["12346"]),
        ([float("nan"), float("-inf"), 2.0], ["not a number", "−∞", "2.000"]),
        ([], []),
    ],
)
def test_figures_have_decimals_by_the_largest(values: list[float], texts: list[str]) -> None:
    assert figures(values) == texts


def test_a_table_tells_what_its_columns_mean_and_its_rows_are(qtbot: QtBot) -> None:
    table = FigureTable("Sizes", (Column("Name", "What it is called"), Column("Size")))
    qtbot.addWidget(table)
    table.set_theme(DARK)
    table.set_rows([("a rather long name that needs its room", "12"), ("b", "3")], strong=[1])
    table.resize(90, table.sizeHint().height())
    table.show()
    assert table.describe(QPointF(4, 4)) == "What it is called"
    assert table.describe(QPointF(4, ROW_HEIGHT + 4)) == "a rather long name that needs its room"
    assert table.describe(QPointF(4, 3 * ROW_HEIGHT + 4)) == ""
    assert table.accessibleDescription() == "a rather long name that needs its room, 12; b, 3"
    assert table.minimumSizeHint().width() < table.sizeHint().width()
    table.grab()


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        (np.full((1, 8, 8), 200, np.uint8), QPointF(2, 2), "row 0, column 0: 200"),
        (np.full((3, 8, 8), 7, np.uint8), QPointF(2, 2), "row 0, column 0: 7, 7, 7"),
        (np.array([0.5, -2.0], np.float32), QPointF(2, 2), "number 0: 0.5000"),
        (np.ones((3, 4, 4), np.float32), QPointF(2, 2), "channel 0, row 0, column 0: 1.000"),
        (np.zeros((1, 2, 2), np.float32), QPointF(2, 2), "row 0, column 0: 0"),
        (np.full((1, 2, 2), np.nan, np.float32), QPointF(2, 2), "row 0, column 0: not a number"),
        (None, QPointF(2, 2), ""),
    ],
)
def test_a_picture_tells_the_number_under_the_mouse(
    qtbot: QtBot, values: np.ndarray | None, place: QPointF, words: str
) -> None:
    picture = ValuePicture("A picture", side=64)
    qtbot.addWidget(picture)
    picture.set_values(values)
    picture.resize(picture.sizeHint())
    picture.show()
    assert picture.describe(place) == words
    assert picture.describe(QPointF(5000, 5000)) == ""
    picture.grab()


def test_channels_stand_beside_each_other(qtbot: QtBot) -> None:
    picture = ValuePicture("A picture", side=64)
    qtbot.addWidget(picture)
    values = np.arange(8, dtype=np.float32).reshape(2, 2, 2) + 1
    picture.set_values(values)
    picture.resize(picture.sizeHint())
    last = QPointF(picture.width() - 4, picture.height() - 4)
    assert picture.describe(last) == "channel 1, row 1, column 1: 8.000"
    assert picture.limit == 10.0
