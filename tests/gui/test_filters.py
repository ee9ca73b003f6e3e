"""The filters view: what it shows, reads and writes, and that it draws no more often than it must."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyqtgraph import GraphicsView, ImageItem
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from engine.snapshots import FilterImages, FilterLayer
from gui.color_bar import ColorBar
from gui.colormap import LINE_LEVEL, SIDE, ZERO_LEVEL
from gui.filter_grid import GAP, FilterGrid
from gui.theme import DARK, LIGHT
from gui.tiles import Mosaic, Place
from gui.views.filters import FiltersView
from tests.gui.parts import move_mouse

CONV1 = FilterLayer(name="conv1", label="conv1 · 6 of 1×5×5", kind="conv", count=6)
CONV2 = FilterLayer(name="conv2", label="conv2 · 4 of 3×2×2", kind="conv", count=4)


class _Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget: QObject) -> None:
        super().__init__()
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return super().eventFilter(watched, event)


class _Around(QObject):
    """Takes wheel and context menu events that reach a widget, and remembers their types."""

    def __init__(self, widget: QObject) -> None:
        super().__init__()
        self.met: list[QEvent.Type] = []
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() not in (QEvent.Type.Wheel, QEvent.Type.ContextMenu):
            return False
        self.met.append(event.type())
        return True


def _images(layer: str, values: NDArray[np.float32]) -> FilterImages:
    return FilterImages(layer=layer, values=values, filters=values.shape[0], channels=values.shape[1])


def _values(*shape: int, scale: float = 0.18) -> NDArray[np.float32]:
    values = np.linspace(-scale, scale, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    values.setflags(write=False)
    return values


@pytest.fixture
def view(qtbot: QtBot) -> FiltersView:
    view = FiltersView(LIGHT)
    qtbot.addWidget(view)
    view.resize(640, 240)
    view.set_layers([CONV1, CONV2])
    with qtbot.waitExposed(view):
        view.show()
    return view


def _grid(view: FiltersView) -> FilterGrid:
    grid = view.findChild(FilterGrid, "filter_grid")
    assert grid is not None
    return grid


def _item(view: FiltersView) -> ImageItem:
    return next(item for item in _grid(view).scene().items() if isinstance(item, ImageItem))


def _bar(view: FiltersView) -> ColorBar:
    bar = view.findChild(ColorBar)
    assert bar is not None
    return bar


def _reading(view: FiltersView) -> str:
    label = view.findChild(QLabel, "filter_reading")
    assert label is not None
    return label.text()


def _press(view: FiltersView, name: str) -> None:
    button = view.findChild(QAbstractButton, name)
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def _colours(view: FiltersView) -> set[str]:
    picture = _grid(view).grab().toImage()
    return {
        QColor(picture.pixel(x, y)).name().upper()
        for x in range(0, picture.width(), 2)
        for y in range(0, picture.height(), 2)
    }


def test_layers_are_offered_and_a_choice_is_told(qtbot: QtBot, view: FiltersView) -> None:
    combo = view.findChild(QComboBox, "filter_layer")
    assert combo is not None
    assert [combo.itemText(i) for i in range(combo.count())] == [CONV1.label, CONV2.label]
    assert view.layer() == "conv1"
    with qtbot.waitSignal(view.layer_chosen, check_params_cb=lambda name: name == "conv2"):
        QTest.keyClick(combo, Qt.Key.Key_Down)
    assert view.layer() == "conv2"


def test_the_chosen_layer_survives_new_layers_that_have_it(qtbot: QtBot, view: FiltersView) -> None:
    view.set_layer("conv2")
    with qtbot.assertNotEmitted(view.layer_chosen):
        view.set_layers([CONV2])
        assert view.layer() == "conv2"
        view.set_layers([CONV1])
        assert view.layer() == "conv1"
        view.set_layer("unknown")
        assert view.layer() == "conv1"
        view.set_layers([])
    assert view.layer() == ""


def test_zero_has_the_panels_colour_and_the_ends_the_themes(view: FiltersView) -> None:
    values = np.zeros((3, 1, 1, 1), dtype=np.float32)
    values[0], values[2] = -0.5, 0.5
    view.set_images(_images("conv1", values))
    for theme in (LIGHT, DARK):
        view.set_theme(theme)
        assert {theme.panel, theme.weight_negative, theme.weight_positive} <= _colours(view)


def test_the_shared_limit_is_round_and_steady(view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5, scale=0.18)))
    assert _bar(view).limit == 0.2
    view.set_images(_images("conv1", _values(6, 1, 5, 5, scale=0.12)))
    assert _bar(view).limit == 0.2
    view.set_images(_images("conv1", _values(6, 1, 5, 5, scale=0.25)))
    assert _bar(view).limit == 0.3
    assert "+0.3" in _bar(view).accessibleDescription()


def test_each_filter_on_its_own_scale(qtbot: QtBot, view: FiltersView) -> None:
    values = np.ones((2, 1, 2, 2), dtype=np.float32)
    values[0] = 1e-3
    view.set_images(_images("conv1", values))
    assert view.scale() == "shared"
    shared = _colours(view)
    with qtbot.waitSignal(view.options_changed):
        _press(view, "filter_scale_each")
    assert view.scale() == "each"
    assert _bar(view).limit is None
    assert "own scale" in _bar(view).accessibleDescription()
    assert LIGHT.weight_positive in shared
    assert _colours(view) == {LIGHT.panel, LIGHT.border, LIGHT.weight_positive}


def test_the_change_since_the_start(qtbot: QtBot, view: FiltersView) -> None:
    initial = _values(6, 1, 5, 5)
    view.set_images(_images("conv1", initial + np.float32(0.004)), _images("conv1", initial))
    with qtbot.waitSignal(view.options_changed):
        _press(view, "filter_mode_change")
    assert view.mode() == "change"
    assert _bar(view).limit == 0.005
    _point_at(view, (6, 1, 5, 5), 0)
    assert _reading(view).startswith("+0.004000")


def _point_at(view: FiltersView, shape: tuple[int, int, int, int], filter_index: int) -> None:
    """Move the mouse onto the filter's first weight."""
    grid = _grid(view)
    density = grid.devicePixelRatioF()
    line = max(1, round(density))
    size = (round(grid.width() * density), round(grid.height() * density))
    mosaic = Mosaic(shape, width=size[0], height=size[1], line=line, gap=GAP * line)
    box = mosaic.value_box(Place(filter_index, 0, 0, 0))
    move_mouse(
        grid.viewport(), QPoint(int((box.left + box.width // 2) / density), int((box.top + box.height // 2) / density))
    )


def test_without_the_weights_of_the_start_the_view_says_so(view: FiltersView) -> None:
    view.set_mode("change")
    view.set_images(_images("conv1", _values(6, 1, 5, 5)), _images("conv1", _values(2, 1, 5, 5)))
    assert "not at hand" in _grid(view).accessibleDescription()
    assert _bar(view).limit is None
    view.set_mode("values")
    assert _bar(view).limit == 0.2


def test_pointing_reads_the_exact_value(view: FiltersView) -> None:
    values = _values(4, 3, 2, 2)
    view.set_layer("conv2")
    view.set_images(_images("conv2", values))
    _point_at(view, (4, 3, 2, 2), 2)
    assert _reading(view).split() == f"{values[2, 0, 0, 0]:+.6f} filter 2, channel 0, row 0, column 0".split()


def test_the_keyboard_walks_reads_and_enlarges(qtbot: QtBot, view: FiltersView) -> None:
    values = _values(4, 3, 2, 2)
    view.set_layer("conv2")
    view.set_images(_images("conv2", values))
    grid = _grid(view)
    view.activateWindow()
    grid.setFocus()
    qtbot.waitUntil(grid.hasFocus)
    assert grid.reading() == (0, 0, 0, 0)
    QTest.keyClick(grid, Qt.Key.Key_Right)
    QTest.keyClick(grid, Qt.Key.Key_Down)
    assert grid.reading() == (0, 0, 1, 1)
    QTest.keyClick(grid, Qt.Key.Key_End)
    assert grid.reading() == (3, 0, 0, 0)
    assert "filter 3" in grid.accessibleDescription()
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert grid.enlarged() == 3
    QTest.keyClick(grid, Qt.Key.Key_End)
    assert grid.reading() == (3, 2, 0, 0)  # the last kernel of the enlarged filter
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert grid.enlarged() is None
    assert grid.reading() == (3, 0, 0, 0)
    grid.enlarge(2)
    grid.enlarge(1)
    assert grid.reading() == (1, 0, 0, 0)


def test_a_double_click_enlarges_and_brings_back(view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    grid = _grid(view)
    window = view.windowHandle()
    middle = grid.mapTo(view, grid.rect().center() + QPoint(12, 0))
    QTest.mouseDClick(window, Qt.MouseButton.LeftButton, pos=middle)
    assert grid.enlarged() == 3
    QTest.mouseDClick(window, Qt.MouseButton.LeftButton, pos=middle)
    assert grid.enlarged() is None
    grid.enlarge(1)
    view.set_layer("conv2")
    view.set_images(_images("conv2", _values(4, 3, 2, 2)))
    assert grid.enlarged() is None


def test_nothing_is_painted_when_nothing_changed(qtbot: QtBot, view: FiltersView) -> None:
    paints = _Paints(_grid(view).viewport())
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    qtbot.waitUntil(lambda: paints.count == 1)
    for _ in range(3):
        view.set_images(_images("conv1", _values(6, 1, 5, 5)))
        _let_paint(qtbot)
    assert paints.count == 1
    view.set_images(_images("conv1", _values(6, 1, 5, 5, scale=0.1)))
    qtbot.waitUntil(lambda: paints.count == 2)


def _let_paint(qtbot: QtBot) -> None:
    """Return after everything posted so far, layout and paint events too, has been delivered."""
    with qtbot.waitCallback() as done:
        QTimer.singleShot(0, done)


def test_the_picture_is_a_pyqtgraph_image_of_colour_levels(view: FiltersView) -> None:
    grid = _grid(view)
    assert isinstance(grid, GraphicsView)
    item = _item(view)
    values = np.zeros((3, 1, 1, 1), dtype=np.float32)
    values[0], values[2] = -0.5, 0.5
    view.set_images(_images("conv1", values))
    before = item.image
    assert before.shape == (grid.height(), grid.width())
    assert set(before.ravel().tolist()) == {ZERO_LEVEL - SIDE, ZERO_LEVEL, ZERO_LEVEL + SIDE, LINE_LEVEL}
    kept = before.copy()
    view.set_images(_images("conv1", values[::-1].copy()))
    assert not np.array_equal(item.image, kept)
    assert np.array_equal(before, kept)  # whoever holds a picture may go on reading it
    view.resize(view.width() + 20, view.height())
    assert item.image.shape == (grid.height(), grid.width())
    assert item.isVisible()
    view.set_images(None)
    assert not item.isVisible()


def test_a_hidden_grid_makes_no_picture_before_it_is_shown(qtbot: QtBot, view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    before = _item(view).image
    view.hide()
    _grid(view).enlarge(1)
    assert _item(view).image is before
    with qtbot.waitExposed(view):
        view.show()
    assert not np.array_equal(_item(view).image, before)


def test_a_mouse_that_leaves_reads_nothing(qtbot: QtBot, view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(1, 1, 1, 1)))
    grid, window = _grid(view), view.windowHandle()
    QTest.mouseMove(window, grid.mapTo(view, grid.rect().center() + QPoint(1, 1)))
    qtbot.waitUntil(lambda: grid.reading() == (0, 0, 0, 0))
    QTest.mouseMove(window, QPoint(grid.width() // 2, 1))
    qtbot.waitUntil(lambda: grid.reading() is None)


def test_the_keyboard_leaves_and_its_cursor_goes_with_it(qtbot: QtBot, view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    grid = _grid(view)
    view.activateWindow()
    grid.setFocus()
    qtbot.waitUntil(grid.hasFocus)
    assert LIGHT.accent in _colours(view)
    QTest.keyClick(grid, Qt.Key.Key_Tab)
    assert not grid.hasFocus()
    assert LIGHT.accent not in _colours(view)
    assert grid.reading() is None


def test_the_wheel_and_the_right_button_are_left_to_what_is_around(view: FiltersView) -> None:
    around = _Around(view)
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    before = _grid(view).grab().toImage()
    window = view.windowHandle()
    middle = _grid(view).mapTo(view, _grid(view).rect().center())
    QTest.wheelEvent(window, middle, QPoint(0, 120))
    QTest.mousePress(window, Qt.MouseButton.LeftButton, pos=QPoint(2, view.height() // 2))
    QTest.mouseMove(window, middle)
    QTest.mouseRelease(window, Qt.MouseButton.LeftButton, pos=middle)
    assert _grid(view).grab().toImage() == before
    QTest.mouseClick(window, Qt.MouseButton.RightButton, pos=middle)
    assert around.met == [QEvent.Type.Wheel, QEvent.Type.ContextMenu]


def test_images_of_another_layer_are_late_and_passed_over(view: FiltersView) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    before = _grid(view).grab().toImage()
    view.set_images(_images("conv2", _values(6, 1, 5, 5, scale=0.9)))
    assert _bar(view).limit == 0.2
    assert _grid(view).grab().toImage() == before


def test_a_hidden_view_draws_when_it_is_shown(qtbot: QtBot, view: FiltersView) -> None:
    view.hide()
    paints = _Paints(_grid(view).viewport())
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    assert _bar(view).limit is None
    with qtbot.waitExposed(view):
        view.show()
    qtbot.waitUntil(lambda: paints.count > 0)
    assert _bar(view).limit == 0.2


def test_empty_texts_teach(view: FiltersView) -> None:
    assert "Press Start" in _grid(view).accessibleDescription()
    view.set_layers([])
    view.set_empty("This network has no convolution: nothing to draw.")
    assert "no convolution" in _grid(view).accessibleDescription()
    combo = view.findChild(QComboBox, "filter_layer")
    assert combo is not None
    assert not combo.isEnabled()
    view.set_layers([CONV1])
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    view.set_images(None)
    assert "no convolution" in _grid(view).accessibleDescription()
    assert _colours(view).isdisjoint({LIGHT.weight_negative, LIGHT.weight_positive})


def test_weights_that_ran_off_are_drawn_without_complaint(view: FiltersView) -> None:
    values = _values(6, 1, 5, 5).copy()
    values[0], values[1], values[2] = np.nan, np.inf, -np.inf
    view.set_images(_images("conv1", values), _images("conv1", values))
    assert _bar(view).limit == 0.2
    assert {LIGHT.text, LIGHT.weight_negative, LIGHT.weight_positive} <= _colours(view)
    view.set_scale("each")
    view.set_mode("change")
    assert LIGHT.text in _colours(view)


@pytest.mark.parametrize(("width", "height"), [(400, 150), (1600, 800)])
def test_every_control_fits(qtbot: QtBot, view: FiltersView, width: int, height: int) -> None:
    view.setStyleSheet(LIGHT.stylesheet())  # its controls are narrower than the plain style's
    view.resize(width, height)
    _let_paint(qtbot)
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    controls: list[QWidget] = [*view.findChildren(QAbstractButton), *view.findChildren(QComboBox)]
    controls += [_bar(view), _grid(view)]
    for child in controls:
        if child.isVisible():
            corner = child.mapTo(view, child.rect().bottomRight())
            assert view.rect().contains(corner), child.objectName()
            assert child.accessibleName(), child.objectName()
            assert child.width() >= child.minimumSizeHint().width() or isinstance(child, QComboBox), child.objectName()
    assert _grid(view).height() >= height - 80


def test_pictures_are_saved(view: FiltersView, tmp_path: Path) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    assert view.save_picture(tmp_path / "filters.png")
    picture = QImage(str(tmp_path / "filters.png"))
    assert picture.width() >= 2 * _grid(view).width()
    seen = {
        QColor(picture.pixel(x, y)).name().upper()
        for x in range(0, picture.width(), 3)
        for y in range(0, picture.height(), 3)
    }
    assert LIGHT.panel in seen
    assert len(seen) > 100  # 150 weights that all differ
    assert view.save_picture(tmp_path / "filters.svg")
    svg = (tmp_path / "filters.svg").read_text(encoding="utf-8")
    assert svg.lstrip().startswith("<?xml")
    assert "conv1 · 6 of 1×5×5 · weights" in svg


def test_values_are_exported_bit_for_bit(view: FiltersView, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype(np.float32)
    initial = np.random.default_rng(1).normal(size=(4, 3, 2, 2)).astype(np.float32)
    view.set_layer("conv2")
    view.set_images(_images("conv2", values), _images("conv2", initial))
    assert view.export_values(tmp_path / "filters.csv")
    with (tmp_path / "filters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == values.size
    for row in rows:
        place = tuple(int(row[name]) for name in ("filter", "channel", "row", "column"))
        assert np.float32(row["value"]) == values[place]
        assert np.float32(row["initial_value"]) == initial[place]


def test_a_file_that_cannot_be_written_is_answered_in_a_sentence(
    qtbot: QtBot, view: FiltersView, tmp_path: Path
) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    nowhere = tmp_path / "nowhere"
    for write in (view.save_picture, view.export_values):
        with qtbot.waitSignal(view.export_failed) as failed:
            assert not write(nowhere / "filters.png")
        assert failed.args is not None
        assert str(nowhere) in failed.args[0]
        assert "No such file" in failed.args[0]


def test_nothing_is_exported_where_there_is_nothing(view: FiltersView, tmp_path: Path) -> None:
    assert not view.save_picture(tmp_path / "filters.png")
    assert not view.export_values(tmp_path / "filters.csv")
    assert list(tmp_path.glob("filters.*")) == []
    assert not any(action.isEnabled() for action in _menu(view))


def _menu(view: FiltersView) -> list[QAction]:
    menu = view.findChild(QMenu)
    assert menu is not None
    return menu.actions()


def test_the_menu_saves_where_the_person_says_and_copies(
    view: FiltersView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view.set_images(_images("conv1", _values(6, 1, 5, 5)))
    answers = iter(
        [
            (str(tmp_path / "named"), "SVG picture (*.svg)"),
            (str(tmp_path / "numbers"), "Comma-separated values (*.csv)"),
            ("", ""),
        ]
    )
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: next(answers))
    save, copy, export = _menu(view)
    save.trigger()
    export.trigger()
    save.trigger()  # cancelled
    assert sorted(path.name for path in tmp_path.glob("n*.*")) == ["named.svg", "numbers.csv"]
    QTest.keyClick(_grid(view), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert copy.shortcut().toString() == "Ctrl+C"
    copy.trigger()
    assert QGuiApplication.clipboard().image().width() >= 2 * _grid(view).width()
