"""The canvas: what the pen, the keys, files and the clipboard put on it, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDropEvent,
    QGuiApplication,
    QImage,
    QInputDevice,
    QMouseEvent,
    QPixmap,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.strokes import SIDE, square_in
from gui.theme import DARK, LIGHT
from gui.views.digit_canvas import DigitCanvas
from tests.gui.parts import move_mouse

Pixels = NDArray[np.uint8]
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


@pytest.fixture
def canvas(qtbot: QtBot) -> DigitCanvas:
    made = DigitCanvas()
    qtbot.addWidget(made)
    made.resize(282, 282)  # a canvas pixel is a pixel on screen, one pixel in from the corner
    made.show()
    return made


def place(canvas: DigitCanvas, x: float, y: float) -> QPoint:
    """Where on the widget the canvas pixel (x, y) lies."""
    square = square_in(width=canvas.width(), height=canvas.height(), margin=1)
    left, top = square.to_widget(x=x, y=y)
    return QPoint(round(left), round(top))


def draw(canvas: DigitCanvas, *places: tuple[float, float], button: Qt.MouseButton = LEFT) -> None:
    first, *others = (place(canvas, *at) for at in places)
    QTest.mousePress(canvas, button, pos=first)
    for at in others:
        move_mouse(canvas, at, button)
    QTest.mouseRelease(canvas, button, pos=(others or [first])[-1])


def ink(canvas: DigitCanvas) -> Pixels:
    drawing = canvas.drawing()
    assert drawing is not None
    return drawing


def width_at(drawing: Pixels, *, column: int) -> float:
    """The thickness of a level stroke there, in canvas pixels."""
    return float(drawing[:, column].sum()) / 255


# Mouse, pen, touch, keys


def test_the_mouse_draws_a_stroke_of_the_brushs_width(canvas: DigitCanvas) -> None:
    canvas.set_brush_size(20)
    draw(canvas, (60, 140), (100, 140), (160, 140), (220, 140))
    drawing = ink(canvas)
    assert drawing.shape == (SIDE, SIDE)
    assert drawing.dtype == np.uint8
    for column in (70, 140, 210):
        assert width_at(drawing, column=column) == pytest.approx(20, abs=0.2)
    columns = np.flatnonzero(drawing.any(axis=0))
    assert columns[0] == pytest.approx(50, abs=1)  # round ends reach half a brush further
    assert columns[-1] == pytest.approx(229, abs=1)


def test_a_drawing_does_not_depend_on_the_windows_size(canvas: DigitCanvas) -> None:
    path = [(60.0, 60.0), (200.0, 60.0), (120.0, 220.0)]
    canvas.resize(282, 282)
    draw(canvas, *path)
    small = ink(canvas)
    canvas.clear()
    canvas.resize(900, 562)
    draw(canvas, *path)
    assert np.abs(small.astype(int) - ink(canvas)).mean() < 0.5


def test_a_click_leaves_a_dot(canvas: DigitCanvas) -> None:
    canvas.set_brush_size(24)
    draw(canvas, (140, 140))
    assert float(ink(canvas).sum()) / 255 == pytest.approx(np.pi * 12**2, rel=0.01)


def test_what_is_emitted_is_owned_and_cannot_be_written_to(canvas: DigitCanvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.drawing_changed) as emitted:
        draw(canvas, (100, 100), (150, 150))
    drawing = emitted.args[0]
    before = drawing.copy()
    assert not drawing.flags.writeable
    draw(canvas, (200, 200))
    np.testing.assert_array_equal(drawing, before)


def send_mouse(canvas: DigitCanvas, kind: QEvent.Type, *, x: float, y: float) -> None:
    """The event alone, where QTest would also let the event loop turn."""
    at = QPointF(place(canvas, x, y))
    QApplication.sendEvent(
        canvas, QMouseEvent(kind, at, canvas.mapToGlobal(at), LEFT, LEFT, Qt.KeyboardModifier.NoModifier)
    )


def test_many_moves_in_one_turn_are_one_change(canvas: DigitCanvas, qtbot: QtBot) -> None:
    emitted: list[object] = []
    canvas.drawing_changed.connect(emitted.append)
    send_mouse(canvas, QEvent.Type.MouseButtonPress, x=20, y=20)
    for step in range(50):
        send_mouse(canvas, QEvent.Type.MouseMove, x=20 + 4 * step, y=140)
    send_mouse(canvas, QEvent.Type.MouseButtonRelease, x=220, y=140)
    assert emitted == []
    qtbot.waitUntil(lambda: len(emitted) > 0)
    assert len(emitted) == 1


def test_the_change_is_told_while_the_pen_is_down(canvas: DigitCanvas, qtbot: QtBot) -> None:
    QTest.mousePress(canvas, LEFT, pos=place(canvas, 60, 60))
    with qtbot.waitSignal(canvas.drawing_changed) as emitted:
        move_mouse(canvas, place(canvas, 200, 60), Qt.MouseButton.LeftButton)
    assert emitted.args[0].any()
    QTest.mouseRelease(canvas, LEFT, pos=place(canvas, 200, 60))


def pen_event(
    canvas: DigitCanvas, kind: QEvent.Type, *, x: float, y: float, pressure: float, turned: bool = False
) -> QTabletEvent:
    pointer = QPointingDevice.PointerType.Eraser if turned else QPointingDevice.PointerType.Pen
    device = QPointingDevice(
        "pen",
        1,
        QInputDevice.DeviceType.Stylus,
        pointer,
        QInputDevice.Capability.Position | QInputDevice.Capability.Pressure,
        1,
        2,
        "",
        QPointingDeviceUniqueId(),
        canvas,
    )
    at = QPointF(place(canvas, x, y))
    down = Qt.MouseButton.LeftButton
    return QTabletEvent(
        kind, device, at, canvas.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, Qt.KeyboardModifier.NoModifier, down, down
    )


def draw_with_pen(canvas: DigitCanvas, *, pressure: float, turned: bool = False, y: float = 140) -> None:
    for kind, x in (
        (QEvent.Type.TabletPress, 60),
        (QEvent.Type.TabletMove, 140),
        (QEvent.Type.TabletMove, 220),
        (QEvent.Type.TabletRelease, 220),
    ):
        event = pen_event(canvas, kind, x=x, y=y, pressure=pressure, turned=turned)
        QApplication.sendEvent(canvas, event)
        assert event.isAccepted()  # else Qt sends the mouse events too, and the stroke is drawn twice


def test_a_pen_draws_wider_under_pressure(canvas: DigitCanvas) -> None:
    canvas.set_brush_size(20)
    draw_with_pen(canvas, pressure=0.2, y=80)
    draw_with_pen(canvas, pressure=0.9, y=200)
    light, firm = ink(canvas)[:140], ink(canvas)[140:]
    assert width_at(light, column=140) == pytest.approx(20 * 0.85, abs=0.3)
    assert width_at(firm, column=140) == pytest.approx(20 * 1.2, abs=0.3)


def test_a_hovering_pen_draws_nothing(canvas: DigitCanvas) -> None:
    QApplication.sendEvent(canvas, pen_event(canvas, QEvent.Type.TabletMove, x=100, y=100, pressure=0))
    assert canvas.drawing() is None


def test_the_other_end_of_a_pen_erases(canvas: DigitCanvas) -> None:
    draw_with_pen(canvas, pressure=0.5)
    canvas.set_brush_size(60)
    draw_with_pen(canvas, pressure=0.5, turned=True)
    assert canvas.drawing() is None


def test_a_finger_draws(canvas: DigitCanvas) -> None:
    device = QTest.createTouchDevice()
    QTest.touchEvent(canvas, device).press(0, place(canvas, 60, 140), canvas).commit()
    QTest.touchEvent(canvas, device).move(0, place(canvas, 140, 140), canvas).commit()
    QTest.touchEvent(canvas, device).move(0, place(canvas, 220, 140), canvas).commit()
    QTest.touchEvent(canvas, device).release(0, place(canvas, 220, 140), canvas).commit()
    drawing = ink(canvas)
    assert width_at(drawing, column=140) == pytest.approx(24, abs=0.3)
    canvas.undo()
    assert canvas.drawing() is None


def test_arrow_keys_move_the_pen_and_draw_with_shift(canvas: DigitCanvas) -> None:
    for _ in range(5):
        QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.drawing() is None
    for _ in range(10):
        QTest.keyPress(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyRelease(canvas, Qt.Key.Key_Shift)
    columns = np.flatnonzero(ink(canvas).any(axis=0))
    assert columns[0] == pytest.approx(140 - 40 - 12, abs=1)
    assert columns[-1] == pytest.approx(140 + 40 + 12, abs=1)
    canvas.undo()  # one stroke, one step
    assert canvas.drawing() is None


# The way back


def test_undo_takes_back_a_stroke_at_a_time(canvas: DigitCanvas) -> None:
    draw(canvas, (60, 60), (200, 60))
    one = ink(canvas)
    draw(canvas, (60, 200), (200, 200))
    canvas.undo()
    np.testing.assert_array_equal(ink(canvas), one)
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert canvas.drawing() is None
    canvas.undo()
    assert canvas.drawing() is None


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_clearing_can_be_undone(canvas: DigitCanvas, qtbot: QtBot, key: Qt.Key) -> None:
    draw(canvas, (60, 60), (200, 60))
    before = ink(canvas)
    with qtbot.waitSignal(canvas.drawing_changed, check_params_cb=lambda drawing: drawing is None):
        QTest.keyClick(canvas, key)
    canvas.undo()
    np.testing.assert_array_equal(ink(canvas), before)


def test_the_eraser_takes_ink_away_and_is_a_step(canvas: DigitCanvas) -> None:
    draw(canvas, (60, 140), (220, 140))
    before = ink(canvas)
    canvas.set_brush_size(40)
    canvas.set_eraser(True)
    draw(canvas, (140, 60), (140, 220))
    assert not ink(canvas)[:, 130:150].any()
    canvas.undo()
    np.testing.assert_array_equal(ink(canvas), before)


def test_the_right_button_erases(canvas: DigitCanvas) -> None:
    draw(canvas, (140, 140))
    canvas.set_brush_size(64)
    draw(canvas, (140, 140), button=RIGHT)
    assert canvas.drawing() is None


def test_erasing_nothing_is_no_step(canvas: DigitCanvas) -> None:
    draw(canvas, (60, 60))
    canvas.set_eraser(True)
    draw(canvas, (220, 220))
    canvas.undo()
    assert canvas.drawing() is None


def test_undo_and_clear_say_when_there_is_something_to_do(canvas: DigitCanvas, qtbot: QtBot) -> None:
    undoable: list[bool] = []
    clearable: list[bool] = []
    canvas.undo_available.connect(undoable.append)
    canvas.clear_available.connect(clearable.append)
    with qtbot.waitSignal(canvas.drawing_changed):
        draw(canvas, (60, 60))
    with qtbot.waitSignal(canvas.drawing_changed):
        canvas.clear()
    with qtbot.waitSignal(canvas.drawing_changed):
        canvas.undo()
    with qtbot.waitSignal(canvas.drawing_changed):
        canvas.undo()
    assert undoable == [True, False]
    assert clearable == [True, False, True, False]


# Samples


def test_a_sample_is_held_bit_for_bit(canvas: DigitCanvas, qtbot: QtBot) -> None:
    sample = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    with qtbot.waitSignal(canvas.drawing_changed) as emitted:
        canvas.show_sample(sample)
    np.testing.assert_array_equal(emitted.args[0], sample[0])
    colours = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    canvas.set_kind(channels=3, drawable=False)
    canvas.show_sample(colours)
    np.testing.assert_array_equal(ink(canvas), colours.transpose(1, 2, 0))


def test_a_sample_of_zeros_is_a_sample(canvas: DigitCanvas) -> None:
    canvas.show_sample(np.zeros((28, 28), np.uint8))
    assert ink(canvas).shape == (28, 28)


def test_drawing_over_a_sample_makes_it_a_drawing(canvas: DigitCanvas) -> None:
    sample = np.random.default_rng(0).integers(0, 200, (28, 28), dtype=np.uint8)
    canvas.show_sample(sample)
    draw(canvas, (275, 275))
    drawing = ink(canvas)
    assert drawing.shape == (SIDE, SIDE)
    np.testing.assert_array_equal(drawing[5:250:10, 5:250:10], sample[:25, :25])
    canvas.undo()
    np.testing.assert_array_equal(ink(canvas), sample)


def test_another_kind_of_picture_starts_an_empty_canvas(canvas: DigitCanvas, qtbot: QtBot) -> None:
    draw(canvas, (60, 60))
    canvas.set_kind(channels=1, drawable=True)
    assert canvas.drawing() is not None
    with qtbot.waitSignal(canvas.drawing_changed, check_params_cb=lambda drawing: drawing is None):
        canvas.set_kind(channels=3, drawable=False)
    draw(canvas, (60, 60))
    assert ink(canvas).shape == (SIDE, SIDE, 3)


# Pictures


def paper(tmp_path: Path, name: str = "seven.png", *, dark_ink: bool = True) -> Path:
    """A picture file, 560×560, of a bar from (100, 200) to (140, 400) in its own pixels."""
    image = QImage(560, 560, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white if dark_ink else Qt.GlobalColor.black)
    for y in range(200, 400):
        for x in range(100, 140):
            image.setPixel(x, y, 0xFF000000 if dark_ink else 0xFFFFFFFF)
    path = tmp_path / name
    assert image.save(str(path))
    return path


def drop(canvas: DigitCanvas, mime: QMimeData) -> None:
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    canvas.dropEvent(QDropEvent(QPointF(10, 10), action, mime, LEFT, none))


def dropped_file(path: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    return mime


@pytest.mark.parametrize("dark_ink", [True, False])
@pytest.mark.parametrize("name", ["seven.png", "seven.jpg", "seven.bmp", "seven.webp"])
def test_a_dropped_picture_becomes_bright_ink_on_black(
    canvas: DigitCanvas, tmp_path: Path, name: str, dark_ink: bool
) -> None:
    drop(canvas, dropped_file(paper(tmp_path, name, dark_ink=dark_ink)))
    drawing = ink(canvas)
    assert drawing[103:197, 53:67].min() > 240
    assert drawing[:95].max() < 20
    canvas.undo()
    assert canvas.drawing() is None


def test_a_dropped_picture_can_be_drawn_over(canvas: DigitCanvas, tmp_path: Path) -> None:
    canvas.open_picture(str(paper(tmp_path)))
    draw(canvas, (200, 60))
    drawing = ink(canvas)
    assert drawing[60, 200] == drawing[150, 60] == 255


def test_a_saved_sample_comes_back_as_that_sample(canvas: DigitCanvas, tmp_path: Path) -> None:
    sample = np.zeros((28, 28), np.uint8)
    sample[4:24, 10:18] = np.random.default_rng(0).integers(1, 256, (20, 8), dtype=np.uint8)
    sample[8, 12] = 255
    path = tmp_path / "sample.png"
    assert QImage(sample.data, 28, 28, 28, QImage.Format.Format_Grayscale8).save(str(path))
    canvas.open_picture(str(path))
    np.testing.assert_array_equal(ink(canvas)[5::10, 5::10], sample)


def test_an_image_is_pasted_from_the_clipboard(canvas: DigitCanvas, tmp_path: Path) -> None:
    QGuiApplication.clipboard().setImage(QImage(str(paper(tmp_path))))
    QTest.keyClick(canvas, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert ink(canvas)[150, 60] == 255


def test_black_ink_on_a_transparent_ground_is_seen(canvas: DigitCanvas, tmp_path: Path) -> None:
    for colour in (0xFF000000, 0xFFFFFFFF):
        image = QImage(280, 280, QImage.Format.Format_ARGB32)
        image.fill(0)
        for y in range(100, 200):
            for x in range(50, 70):
                image.setPixel(x, y, colour)
        path = tmp_path / f"{colour}.png"
        assert image.save(str(path))
        canvas.open_picture(str(path))
        assert ink(canvas)[150, 60] == 255
        assert ink(canvas)[20, 20] == 0


def test_colours_are_kept_where_the_dataset_has_them(canvas: DigitCanvas, tmp_path: Path) -> None:
    canvas.set_kind(channels=3, drawable=False)
    image = QImage(600, 300, QImage.Format.Format_RGB32)
    image.fill(0xFF2040C0)
    path = tmp_path / "sea.png"
    assert image.save(str(path))
    canvas.open_picture(str(path))
    assert (ink(canvas) == (0x20, 0x40, 0xC0)).all()


def blank(tmp_path: Path) -> Path:
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    path = tmp_path / "blank.png"
    assert image.save(str(path))
    return path


def text(tmp_path: Path) -> Path:
    path = tmp_path / "notes.png"  # the name lies
    path.write_text("no picture at all")
    return path


def damaged(tmp_path: Path) -> Path:
    path = paper(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    return path


def missing(tmp_path: Path) -> Path:
    return tmp_path / "gone.png"


def huge(tmp_path: Path) -> Path:
    """A bitmap whose header claims a hundred million pixels."""
    path = tmp_path / "huge.bmp"
    head = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    size = (10_000).to_bytes(4, "little") * 2 + (1).to_bytes(2, "little") + (24).to_bytes(2, "little")
    path.write_bytes(head + size + bytes(24))
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text, "notes.png is not a picture that can be read; drop a PNG or JPEG."),
        (damaged, "seven.png is damaged and cannot be read"),
        (missing, "gone.png cannot be read: No such file"),
        (huge, "huge.bmp has more than 64 million pixels"),
        (blank, "blank.png shows nothing that stands out"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    canvas: DigitCanvas, qtbot: QtBot, tmp_path: Path, make: Any, says: str
) -> None:
    draw(canvas, (60, 60))
    before = ink(canvas)
    with qtbot.waitSignal(canvas.rejected) as rejected:
        drop(canvas, dropped_file(make(tmp_path)))
    assert rejected.args[0].startswith(says)
    np.testing.assert_array_equal(ink(canvas), before)


def test_what_lies_elsewhere_is_refused(canvas: DigitCanvas, qtbot: QtBot) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/seven.png")])
    with qtbot.waitSignal(canvas.rejected) as rejected:
        drop(canvas, mime)
    assert "on this computer" in rejected.args[0]


def test_an_empty_clipboard_is_no_picture(canvas: DigitCanvas, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("seven")
    with qtbot.waitSignal(canvas.rejected):
        canvas.paste()
    assert canvas.drawing() is None


# Looks


def test_ink_is_bright_in_the_dark_and_dark_on_paper(canvas: DigitCanvas) -> None:
    draw(canvas, (140, 140))
    drawing = ink(canvas)
    brightness = {}
    for theme in (DARK, LIGHT):
        canvas.set_theme(theme)
        shot = canvas.grab().toImage()
        spots = (place(canvas, 140, 140), place(canvas, 40, 140))
        brightness[theme.name] = [shot.pixelColor(spot * shot.devicePixelRatio()).lightness() for spot in spots]
    assert brightness["dark"][0] > 200 > 40 > brightness["dark"][1]
    assert brightness["light"][0] < 60 < 200 < brightness["light"][1]
    np.testing.assert_array_equal(ink(canvas), drawing)


def test_the_empty_canvas_says_what_to_draw(canvas: DigitCanvas) -> None:
    canvas.set_subject("a letter")
    assert canvas.accessibleName() == "Drawing canvas"
    assert canvas.accessibleDescription().startswith("Draw a letter here")
    canvas.set_kind(channels=3, drawable=False)
    assert canvas.accessibleDescription().startswith("Drop a picture here")


@pytest.mark.parametrize("size", [(1, 1), (140, 140), (500, 200)])
def test_every_state_is_painted_at_every_size(canvas: DigitCanvas, size: tuple[int, int]) -> None:
    canvas.setMinimumSize(1, 1)
    canvas.resize(*size)
    assert isinstance(canvas.grab(), QPixmap)
    canvas.open_picture("nowhere.png")
    canvas.grab()
    canvas.show_sample(np.zeros((28, 28), np.uint8))
    canvas.grab()
    canvas.set_kind(channels=3, drawable=False)
    draw(canvas, (10, 10))
    canvas.grab()
