"""The grid of cells: geometry, what mouse and keys paint, the way back, the clipboard, and the panel around it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSlider, QSpinBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.datasets import DATASETS
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from gui.canvas_panel import CanvasPanel
from gui.cells import (
    HIGHEST,
    HIGHEST_GREY,
    Cell,
    as_text,
    frame_in,
    highest_of,
    is_painted_by_cell,
    ladder,
    levels,
    line_of,
    nearest_stop,
    parse_cells,
    short,
)
from gui.numbers import THIN
from gui.theme import DARK, LIGHT
from gui.views.pattern_grid import PatternGrid
from gui.views.pattern_tools import PatternTools
from tests.gui.parts import move_mouse

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
PATTERNS: DatasetInfo = DATASETS["two_patterns"].info({})
MNIST: DatasetInfo = DATASETS["mnist"].info({})
POINTS: DatasetInfo = DATASETS["xor"].info({})

sizes = st.integers(1, 2000)
sides = st.integers(1, 8)


class TestGeometry:
    @given(sizes, sizes, sides, sides)
    def test_every_cell_is_found_under_its_middle_and_lies_inside(
        self, width: int, height: int, rows: int, columns: int
    ) -> None:
        frame = frame_in(width=width, height=height, rows=rows, columns=columns, margin=1)
        assert frame.side == int(frame.side) >= 1
        for cell in (Cell(row, column) for row in range(rows) for column in range(columns)):
            left, top = frame.corner(cell)
            middle = (left + frame.side / 2, top + frame.side / 2)
            assert frame.cell_at(x=middle[0], y=middle[1]) == frame.nearest(x=middle[0], y=middle[1]) == cell
            if width >= 2 + columns and height >= 2 + rows:
                assert left >= 1
                assert top >= 1
                assert left + frame.side <= width - 1
                assert top + frame.side <= height - 1

    def test_beside_the_cells_is_none_and_the_nearest_is_at_the_edge(self) -> None:
        frame = frame_in(width=402, height=602, rows=4, columns=4, margin=1)
        assert (frame.left, frame.top, frame.side) == (1, 101, 100)
        assert frame.cell_at(x=50, y=100) is None
        assert frame.cell_at(x=401, y=150) is None
        assert frame.nearest(x=-9, y=9999) == Cell(3, 0)

    @given(st.tuples(sides, sides), st.tuples(sides, sides))
    def test_a_line_has_no_gaps(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        cells = list(line_of(Cell(*start), Cell(*end)))
        assert (cells[0], cells[-1]) == (start, end)
        for one, other in pairwise(cells):
            assert max(abs(one.row - other.row), abs(one.column - other.column)) <= 1


class TestNumbers:
    def test_the_ladder_reaches_from_nothing_to_the_highest(self) -> None:
        assert ladder(255) == (0, 1, 2, 5, 10, 20, 50, 100, 200, 255)
        stops = ladder(HIGHEST)
        assert stops[-3:] == (200_000_000, 500_000_000, 999_999_999)
        assert [nearest_stop(stop, stops) for stop in stops] == list(range(len(stops)))
        assert stops[nearest_stop(17, stops)] == 20

    @pytest.mark.parametrize(
        ("value", "text"),
        [(19, "19"), (0.25, "0.25"), (1e9, "1e9"), (12_345, "1.234e4"), (1e-9, "1e-9"), (9999, "9999")],
    )
    def test_values_are_short_in_a_cell(self, value: float, text: str) -> None:
        assert short(value) == text

    def test_every_lit_cell_is_told_from_an_unlit_one(self) -> None:
        shown = levels(np.array([[0, 1, 5e8, 1e9]], np.float32))[0].tolist()
        assert shown[0] == 0
        assert shown[1] >= 40
        assert shown[1] < shown[2] < shown[3] == 255
        assert not levels(np.zeros((2, 2), np.float32)).any()

    @given(st.lists(st.floats(0, 1e9, width=32), min_size=6, max_size=6))
    def test_a_table_comes_back_exactly(self, numbers: list[float]) -> None:
        values = np.array(numbers, np.float32).reshape(2, 3)
        again = parse_cells(as_text(values), rows=2, columns=3, highest=HIGHEST)
        assert again.dtype == np.float32
        assert np.array_equal(again, values)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "nothing"),
            ("1 2 3", "3 words"),
            ("1 2 3 four", "'four' is no number"),
            ("1 2 3 -4", "-4 is not a value"),
            ("1 2 3 nan", "nan is not a value"),
            ("1 2 3 1e10", "1e10 is not a value"),
        ],
    )
    def test_other_text_is_refused(self, text: str, says: str) -> None:
        with pytest.raises(InputError, match=says) as caught:
            parse_cells(text, rows=2, columns=2, highest=HIGHEST)
        assert caught.value.accepted == "2 rows of 2 numbers from 0 to 999,999,999"


def test_tiny_images_that_are_no_drawings_are_painted_by_cell() -> None:
    assert is_painted_by_cell(PATTERNS)
    assert highest_of(PATTERNS) == HIGHEST
    for name in ("mnist", "cifar10", "xor"):
        assert not is_painted_by_cell(DATASETS[name].info({}))
    assert highest_of(MNIST) == HIGHEST_GREY


@pytest.fixture
def grid(qtbot: QtBot) -> PatternGrid:
    made = PatternGrid()
    qtbot.addWidget(made)
    made.resize(402, 402)  # cells of 100 px
    made.show()
    return made


def at(row: int, column: int) -> QPoint:
    return QPoint(51 + 100 * column, 51 + 100 * row)


def painted(grid: PatternGrid) -> NDArray[np.float32]:
    drawing = grid.drawing()
    assert drawing is not None
    assert drawing.dtype == np.float32
    return drawing


def lit(grid: PatternGrid) -> dict[tuple[int, int], float]:
    """The cells that are not 0, with their values."""
    drawing = grid.drawing()
    return {} if drawing is None else {(r, c): float(drawing[r, c]) for r, c in np.argwhere(drawing).tolist()}


def drag(grid: PatternGrid, *cells: tuple[int, int], button: Qt.MouseButton = LEFT) -> None:
    QTest.mousePress(grid, button, pos=at(*cells[0]))
    for cell in cells[1:]:
        move_mouse(grid, at(*cell), button)
    QTest.mouseRelease(grid, button, pos=at(*cells[-1]))


# Mouse


def test_a_click_paints_the_chosen_intensity(grid: PatternGrid, qtbot: QtBot) -> None:
    grid.set_intensity(7.0)
    with qtbot.waitSignal(grid.drawing_changed) as emitted:
        QTest.mouseClick(grid, LEFT, pos=at(1, 2))
    assert lit(grid) == {(1, 2): 7.0}
    assert np.array_equal(emitted.args[0], painted(grid))
    assert not emitted.args[0].flags.writeable


def test_a_drag_paints_all_cells_on_its_way(grid: PatternGrid) -> None:
    grid.set_intensity(3.0)
    drag(grid, (0, 0), (3, 3))  # in one leap, as a fast hand does
    assert lit(grid) == {(i, i): 3.0 for i in range(4)}
    grid.undo()
    assert grid.drawing() is None


def test_the_right_button_and_the_eraser_set_cells_to_nothing(grid: PatternGrid, qtbot: QtBot) -> None:
    drag(grid, (0, 0), (0, 3))
    drag(grid, (0, 1), button=RIGHT)
    assert sorted(lit(grid)) == [(0, 0), (0, 2), (0, 3)]
    grid.set_eraser(True)
    with qtbot.waitSignal(grid.drawing_changed, check_params_cb=lambda drawing: drawing is None):
        drag(grid, (0, 0), (0, 3))
    assert grid.drawing() is None


def test_beside_the_cells_nothing_is_painted(grid: PatternGrid) -> None:
    grid.resize(402, 602)
    QTest.mouseClick(grid, LEFT, pos=QPoint(200, 40))
    assert grid.drawing() is None
    QTest.mousePress(grid, LEFT, pos=QPoint(51, 151))
    move_mouse(grid, QPoint(51, 599), LEFT)  # out of the grid: along its edge
    QTest.mouseRelease(grid, LEFT, pos=QPoint(51, 599))
    assert sorted(lit(grid)) == [(row, 0) for row in range(4)]


def test_values_are_those_of_float32(grid: PatternGrid) -> None:
    grid.set_intensity(999_999_999.0)
    QTest.mouseClick(grid, LEFT, pos=at(0, 0))
    assert painted(grid)[0, 0] == np.float32(999_999_999)
    assert f"Row 1, column 1: 1{THIN}000{THIN}000{THIN}000" in grid.accessibleDescription()
    grid.set_intensity(1e12)
    QTest.mouseClick(grid, LEFT, pos=at(0, 1))
    assert painted(grid)[0, 1] == np.float32(999_999_999)


# Keys


def test_keys_move_paint_and_erase(grid: PatternGrid) -> None:
    grid.set_intensity(5.0)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Return):
        QTest.keyClick(grid, key)
    assert lit(grid) == {(1, 1): 5.0}
    QTest.keyClick(grid, Qt.Key.Key_Delete)
    assert lit(grid) == {}
    for _ in range(9):  # the edge holds
        QTest.keyClick(grid, Qt.Key.Key_Up)
    QTest.keyClick(grid, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert lit(grid) == {(0, 0): 5.0, (0, 1): 5.0}


def test_digits_are_the_cells_value_and_one_step(grid: PatternGrid) -> None:
    QTest.keyClicks(grid, "19")
    assert lit(grid) == {(0, 0): 19.0}
    QTest.keyClick(grid, Qt.Key.Key_Right)
    QTest.keyClicks(grid, "4")
    assert lit(grid) == {(0, 0): 19.0, (0, 1): 4.0}
    grid.undo()
    assert lit(grid) == {(0, 0): 19.0}
    grid.undo()
    assert lit(grid) == {}
    QTest.keyClicks(grid, "99999999999999")
    assert painted(grid)[0, 1] == np.float32(999_999_999)


# The way back


def test_every_step_can_be_taken_back(grid: PatternGrid, qtbot: QtBot) -> None:
    with qtbot.waitSignals([grid.undo_available, grid.clear_available]):
        drag(grid, (0, 0), (0, 1))
    drag(grid, (2, 2))
    QTest.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert sorted(lit(grid)) == [(0, 0), (0, 1)]
    with qtbot.waitSignal(grid.clear_available, check_params_cb=lambda available: not available):
        grid.clear()
    assert grid.drawing() is None
    grid.undo()
    assert sorted(lit(grid)) == [(0, 0), (0, 1)]
    with qtbot.waitSignal(grid.undo_available, check_params_cb=lambda available: not available):
        grid.undo()
    grid.undo()
    assert grid.drawing() is None


def test_a_stroke_that_changes_nothing_is_no_step(grid: PatternGrid) -> None:
    drag(grid, (0, 0))
    drag(grid, (0, 0))
    grid.undo()
    assert grid.drawing() is None


def test_a_sample_is_held_bit_for_bit_and_can_be_painted_over(grid: PatternGrid) -> None:
    sample = np.random.default_rng(0).normal(0, 1e6, (4, 4)).astype(np.float32)
    grid.show_sample(sample)
    assert np.array_equal(painted(grid), sample)
    grid.show_sample(sample[np.newaxis] + 1)
    grid.undo()
    assert np.array_equal(painted(grid), sample)
    grid.show_sample(np.ones((28, 28), np.uint8))  # of a dataset that was just replaced
    assert np.array_equal(painted(grid), sample)
    grid.set_intensity(2.0)
    drag(grid, (3, 0))
    assert painted(grid)[3, 0] == 2
    assert np.array_equal(painted(grid)[:3], sample[:3])


def test_another_kind_empties_the_grid(grid: PatternGrid, qtbot: QtBot) -> None:
    drag(grid, (0, 0))
    grid.set_kind(rows=4, columns=4)
    assert grid.drawing() is not None
    with qtbot.waitSignal(grid.drawing_changed, check_params_cb=lambda drawing: drawing is None):
        grid.set_kind(rows=2, columns=8, highest=255)
    grid.undo()
    assert grid.drawing() is None
    grid.set_intensity(1000.0)
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert painted(grid).shape == (2, 8)
    assert painted(grid)[0, 0] == 255


# The clipboard


def test_values_are_copied_and_pasted_as_a_table(grid: PatternGrid) -> None:
    sample = np.arange(16, dtype=np.float32).reshape(4, 4) / 3
    grid.show_sample(sample)
    QTest.keyClick(grid, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().splitlines()[0].split("\t")[0] == "0"
    grid.clear()
    QTest.keyClick(grid, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(painted(grid), sample)


def test_what_is_no_table_is_refused_in_a_sentence(grid: PatternGrid, qtbot: QtBot) -> None:
    drag(grid, (0, 0))
    before = painted(grid)
    QGuiApplication.clipboard().setText("seven")
    with qtbot.waitSignal(grid.rejected) as rejected:
        grid.paste()
    assert "4 rows of 4 numbers" in rejected.args[0]
    assert np.array_equal(painted(grid), before)
    grid.grab()


# Looks


@pytest.mark.parametrize("size", [(1, 1), (120, 120), (500, 200)])
def test_every_state_is_painted_at_every_size(grid: PatternGrid, size: tuple[int, int]) -> None:
    grid.setMinimumSize(1, 1)
    grid.resize(*size)
    grid.grab()
    grid.show_sample(np.array([[-1, 0, 1e-9, 1e9]] * 4, np.float32))
    grid.setFocus()
    grid.grab()
    grid.reject("Something was wrong.")
    grid.set_theme(LIGHT)
    grid.grab()


def test_bright_cells_look_bright_in_the_dark_and_dark_on_paper(grid: PatternGrid) -> None:
    drag(grid, (1, 1))
    brightness = {}
    for theme in (DARK, LIGHT):
        grid.set_theme(theme)
        shot = grid.grab().toImage()
        spots = (at(1, 1) + QPoint(30, 30), at(3, 3) + QPoint(30, 30))
        brightness[theme.name] = [shot.pixelColor(spot * shot.devicePixelRatio()).lightness() for spot in spots]
    assert brightness["dark"][0] > 200 > 40 > brightness["dark"][1]
    assert brightness["light"][0] < 60 < 200 < brightness["light"][1]


# The tools


def tool(widget: QWidget, name: str) -> QToolButton:
    button = widget.findChild(QToolButton, f"pattern_{name}")
    assert isinstance(button, QToolButton)
    return button


def test_the_tools_say_what_is_wanted(qtbot: QtBot) -> None:
    tools = PatternTools()
    qtbot.addWidget(tools)
    tools.set_undo_available(True)
    tools.set_clear_available(True)
    for name, wanted in (
        ("undo", tools.undo_requested),
        ("clear", tools.clear_requested),
        ("copy", tools.copy_requested),
        ("paste", tools.paste_requested),
        ("sample", tools.sample_requested),
    ):
        button = tool(tools, name)
        assert button.accessibleName()
        assert button.toolTip().endswith(".")
        with qtbot.waitSignal(wanted):
            button.click()
    with qtbot.waitSignal(tools.eraser_toggled, check_params_cb=bool):
        tool(tools, "eraser").click()


def test_slider_and_field_are_one_intensity(qtbot: QtBot) -> None:
    tools = PatternTools()
    qtbot.addWidget(tools)
    slider, field = tools.findChild(QSlider, "intensity_slider"), tools.findChild(QSpinBox, "intensity")
    assert isinstance(slider, QSlider)
    assert isinstance(field, QSpinBox)
    told: list[float] = []
    tools.intensity_changed.connect(told.append)
    slider.setValue(slider.maximum())
    assert (tools.intensity, told) == (999_999_999, [999_999_999.0])
    field.setValue(17)
    assert told[-1] == 17.0
    assert slider.value() == nearest_stop(17, ladder(HIGHEST))
    assert tools.intensity == 17  # the slider, which has no stop there, follows and does not pull
    slider.setValue(0)
    assert told[-1] == 0.0
    tools.set_highest(255)
    slider.setValue(slider.maximum())
    assert tools.intensity == 255


def test_an_intensity_that_is_none_is_refused_in_a_sentence(qtbot: QtBot) -> None:
    tools = PatternTools()
    qtbot.addWidget(tools)
    field = tools.findChild(QSpinBox, "intensity")
    assert isinstance(field, QSpinBox)
    with qtbot.waitSignal(tools.refused) as refused:
        field.lineEdit().setText("1e12")
        QTest.keyClick(field, Qt.Key.Key_Return)
    assert refused.args[0] == "1e12 is no intensity: type a whole number from 0 to 999,999,999."
    assert tools.intensity == 10


def test_the_tools_fit_a_narrow_dock(qtbot: QtBot) -> None:
    tools = PatternTools()
    qtbot.addWidget(tools)
    tools.setStyleSheet(LIGHT.stylesheet())
    tools.set_theme(LIGHT)
    assert tools.minimumSizeHint().width() <= 220 - 24


# The panel


@pytest.fixture
def panel(qtbot: QtBot) -> CanvasPanel:
    made = CanvasPanel(DARK)
    qtbot.addWidget(made)
    made.resize(300, 700)
    made.show()
    return made


def test_the_dataset_decides_between_strokes_and_cells(panel: CanvasPanel) -> None:
    views = (panel.canvas, panel.tools, panel.grid, panel.grid_tools)
    for info, visible in (
        (MNIST, (True, True, False, False)),
        (PATTERNS, (False, False, True, True)),
        (POINTS, (False, False, False, False)),
        (PATTERNS, (False, False, True, True)),
        (MNIST, (True, True, False, False)),
    ):
        panel.set_dataset(info)
        assert tuple(view.isVisible() for view in views) == visible


def test_the_panel_speaks_for_the_one_that_is_shown(panel: CanvasPanel, qtbot: QtBot) -> None:
    digit, pattern = np.full((28, 28), 9, np.uint8), np.full((4, 4), 0.5, np.float32)
    panel.set_dataset(MNIST)
    panel.show_sample(pattern)  # came too late
    assert panel.drawing() is None
    panel.show_sample(digit)
    panel.set_dataset(PATTERNS)
    assert panel.drawing() is None
    panel.show_sample(digit)  # came too late
    assert panel.drawing() is None
    with qtbot.waitSignal(panel.drawing_changed) as told:
        panel.show_sample(pattern)
    assert told.args[0].dtype == np.float32
    assert np.array_equal(told.args[0], pattern)
    panel.clear()
    assert panel.drawing() is None
    panel.undo()
    drawing = panel.drawing()
    assert drawing is not None
    assert np.array_equal(drawing, pattern)
    panel.set_dataset(MNIST)
    drawing = panel.drawing()
    assert drawing is not None
    assert np.array_equal(drawing, digit)


def test_the_hidden_one_says_nothing(panel: CanvasPanel, qtbot: QtBot) -> None:
    told: list[object] = []
    panel.drawing_changed.connect(told.append)
    panel.set_dataset(PATTERNS)
    with qtbot.waitSignal(panel.canvas.drawing_changed):
        panel.canvas.show_sample(np.full((28, 28), 9, np.uint8))
    assert told == []


def test_the_tools_are_the_grids(panel: CanvasPanel, qtbot: QtBot) -> None:
    panel.set_dataset(PATTERNS)
    panel.grid_tools.set_intensity(6)
    cell = panel.grid.rect().center() + QPoint(3, 3)
    with qtbot.waitSignal(panel.grid.undo_available):
        QTest.mouseClick(panel.grid, LEFT, pos=cell)
    assert lit(panel.grid) == {(2, 2): 6.0}
    with qtbot.waitSignal(panel.sample_requested):
        tool(panel, "sample").click()
    tool(panel, "copy").click()
    tool(panel, "clear").click()
    assert lit(panel.grid) == {}
    tool(panel, "paste").click()
    assert lit(panel.grid) == {(2, 2): 6.0}
    tool(panel, "undo").click()
    tool(panel, "undo").click()
    assert lit(panel.grid) == {(2, 2): 6.0}
    tool(panel, "eraser").click()
    QTest.mouseClick(panel.grid, LEFT, pos=cell)
    assert lit(panel.grid) == {}


def test_the_answer_tells_what_white_is(panel: CanvasPanel) -> None:
    panel.set_dataset(PATTERNS)
    sample = np.zeros((1, 4, 4), np.float32)
    sample[0, 1] = 999_999_999
    panel.set_answer(sample, np.array([0.5, 0.5, 0.0, 0.0]))
    received = panel.findChild(QWidget, "received_picture")
    assert received is not None
    assert f"White is 1{THIN}000{THIN}000{THIN}000" in received.accessibleDescription()
    panel.grab()
