"""The canvas: strokes by mouse, pen, touch or keys, and pictures dropped or pasted on it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFocusEvent,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QPointingDevice,
    QResizeEvent,
    QTabletEvent,
    QTouchEvent,
)
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.errors import InputError
from gui import canvas_paint
from gui.drawing import Drawing
from gui.drawing_surface import Contents, DrawingSurface
from gui.pictures import FILTER, canvas_pixels, read_picture
from gui.strokes import BRUSH_DEFAULT, BRUSH_MAX, BRUSH_MIN, SIDE, Dab, Pixels, Square, pressed_radius, square_in
from gui.theme import DARK, Theme

_KEY_STEP = 8.0  # canvas pixels an arrow key moves the pen
_SMALLEST = 140  # px, side of the widget
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class DigitCanvas(DrawingSurface):
    """A square to draw on, centred in the widget.

    Drawings are rasters of 280×280 pixels at any size on screen, bright ink on black as MNIST has it.

    Signals:
        drawing_changed: the pixels as an owned, read-only uint8 array, or None when the canvas is empty. (280, 280) for
            drawings, (280, 280, 3) in colour, and the sample's own (H, W) or (H, W, 3) while a sample is held exactly.
    """

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent, theme=theme, smallest=_SMALLEST)
        self.setObjectName("digit_canvas")
        self.setAccessibleName("Drawing canvas")
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_AcceptTouchEvents)
        self._drawing = Drawing()
        self._drawable = True
        self._subject = "a digit"
        self._brush = float(BRUSH_DEFAULT)
        self._drop_near = False
        self._key_pen: tuple[float, float] | None = None
        self._describe()

    # What the canvas is for

    def set_subject(self, subject: str) -> None:
        """What to draw, with its article, for the empty canvas: "a digit"."""
        self._subject = subject
        self._describe()
        self.update()

    def set_kind(self, *, channels: int, drawable: bool) -> None:
        """Grey (1) or colour (3) pictures; whether they are strokes that a person can draw. A new kind empties it."""
        channels = 1 if channels == 1 else 3
        if (channels, drawable) == (self._drawing.channels, self._drawable):
            return
        self._drawable = drawable
        self._drawing.reset(channels)
        self._describe()
        self._changed()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._refresh_cursor()

    # Tools

    @Slot(int)
    def set_brush_size(self, size: int) -> None:
        """The width of strokes in canvas pixels, of which the canvas has 280 a side. Kept within 8 … 64."""
        self._brush = float(min(max(size, BRUSH_MIN), BRUSH_MAX))
        self._refresh_cursor()

    @Slot(bool)
    def set_eraser(self, on: bool) -> None:
        super().set_eraser(on)
        self._refresh_cursor()

    @Slot()
    def paste(self) -> None:
        """Takes the clipboard's image, or the picture file copied there."""
        mime: QMimeData | None = QGuiApplication.clipboard().mimeData()  # None where another program holds it
        if mime is None or not self._take(mime):
            self.reject("There is no picture in the clipboard; copy one first.")

    @Slot()
    def choose_picture(self) -> None:
        """Asks for a picture file and opens it."""
        dialog = QFileDialog(self, "Open a picture", "", FILTER)
        dialog.setObjectName("picture_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.open_picture)
        dialog.open()

    @Slot(str)
    def open_picture(self, path: str) -> None:
        """Puts the picture in the file `path` on the canvas, or says in one sentence why not."""
        try:
            image, name = read_picture(Path(path)), Path(path).name
        except InputError as error:
            self.reject(error.sentence)
            return
        self._put(image, name=name)

    def show_sample(self, sample: Pixels) -> None:
        """Holds a sample of the dataset exactly until something is drawn over it.

        Args:
            sample: uint8 (H, W), (H, W, 3) or, as datasets hold them, (C, H, W) with one or three channels.
        """
        if sample.ndim == 3 and sample.shape[2] != 3:
            sample = sample[0] if sample.shape[0] == 1 else sample.transpose(1, 2, 0)
        self._drawing.put_exact(sample)
        self._changed()

    def _contents(self) -> Contents:
        return self._drawing

    # Mouse, pen and touch

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self._press(event.position(), erasing=self._eraser or event.button() == Qt.MouseButton.RightButton)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        del event
        self._release()

    def tabletEvent(self, event: QTabletEvent) -> None:
        match event.type():
            case QEvent.Type.TabletPress:
                self.setFocus(Qt.FocusReason.MouseFocusReason)
                turned = event.pointerType() == QPointingDevice.PointerType.Eraser
                self._press(event.position(), erasing=self._eraser or turned, pressure=event.pressure())
            case QEvent.Type.TabletMove:
                self._move(event.position(), pressure=event.pressure())
            case _:
                self._release()
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QTouchEvent):
            self._touch(event)
            return True
        return super().event(event)

    def _touch(self, event: QTouchEvent) -> None:
        """One finger draws; others are passed over."""
        if event.type() == QEvent.Type.TouchCancel:
            self._drawing.cancel()
            self._changed()
        elif event.points():
            position = event.points()[0].position()
            match event.type():
                case QEvent.Type.TouchBegin:
                    self.setFocus(Qt.FocusReason.MouseFocusReason)
                    self._press(position, erasing=self._eraser)
                case QEvent.Type.TouchUpdate:
                    self._move(position)
                case _:
                    self._release()
        event.accept()

    def _press(self, position: QPointF, *, erasing: bool, pressure: float = 0.5) -> None:
        self._key_pen = None
        self._drawing.begin(self._pen(position, pressure), erasing=erasing)
        self._changed()

    def _move(self, position: QPointF, *, pressure: float = 0.5) -> None:
        if self._drawing.is_stroking and self._drawing.extend(self._pen(position, pressure)):
            self._changed()

    def _release(self) -> None:
        if self._drawing.is_stroking:
            self._drawing.end()
            self._changed()

    def _pen(self, position: QPointF, pressure: float) -> Dab:
        x, y = self._square().to_canvas(x=position.x(), y=position.y())
        return Dab(x, y, pressed_radius(self._brush, pressure))

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.clear()
        elif event.key() in _ARROWS:
            self._walk(
                *_ARROWS[Qt.Key(event.key())], drawing=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            )
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Shift and self._key_pen is not None:
            self._release()
        super().keyReleaseEvent(event)

    def _walk(self, right: int, down: int, *, drawing: bool) -> None:
        """Moves the cross-hair by one step, with the pen up or down."""
        x, y = self._key_pen or (SIDE / 2, SIDE / 2)
        radius = self._brush / 2
        if not drawing:
            self._release()
        elif not self._drawing.is_stroking:
            self._drawing.begin(Dab(x, y, radius), erasing=self._eraser)
        x, y = (min(max(at + step * _KEY_STEP, 0.0), float(SIDE)) for at, step in ((x, right), (y, down)))
        self._key_pen = x, y
        if drawing:
            self._drawing.extend(Dab(x, y, radius))
            self._changed()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self._key_pen is not None:
            self._release()
            self._key_pen = None
        super().focusOutEvent(event)
        self.update()

    # Pictures

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() or event.mimeData().hasImage():
            event.acceptProposedAction()
            self._drop_near = True
            self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        del event
        self._drop_near = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_near = False
        if not self._take(event.mimeData()):
            self.reject("Only pictures on this computer can be dropped; save it first, or copy and paste it.")
        event.acceptProposedAction()
        self.update()

    def _take(self, mime: QMimeData) -> bool:
        """Takes the first file of this computer that `mime` names, else its image; whether there was either."""
        files = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
        image = mime.imageData() if mime.hasImage() else None
        if files:
            self.open_picture(files[0])
        elif isinstance(image, QPixmap):
            self._put(image.toImage(), name="The picture")
        elif isinstance(image, QImage) and not image.isNull():
            self._put(image, name="The picture")
        else:
            return False
        return True

    def _put(self, image: QImage, *, name: str) -> None:
        try:
            pixels = canvas_pixels(image, channels=self._drawing.channels, strokes=self._drawable, name=name)
        except InputError as error:
            self.reject(error.sentence)
            return
        self._drawing.put_picture(pixels)
        self._changed()

    # Words

    def _describe(self) -> None:
        self.setAccessibleDescription(
            f"{self._hint()}. Arrow keys move the pen, with Shift they draw; Delete clears, Ctrl+Z takes back a step."
        )
        self.setWhatsThis(
            f"{self._hint()} with the mouse, a pen or a finger; the right button erases. With the keyboard, arrow keys "
            "move the pen and draw while Shift is held. Drop or paste a picture file to have it recognised."
        )

    def _hint(self) -> str:
        return f"Draw {self._subject} here" if self._drawable else "Drop a picture here"

    # Painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refresh_cursor()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        square, theme = self._square(), self._theme
        area = QRectF(square.left, square.top, square.side, square.side)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(canvas_paint.outline(area), canvas_paint.ground_of(theme))
        if not self._drawing.is_empty:
            canvas_paint.paint_pixels(painter, area, self._drawing.pixels, theme=theme, as_ink=self._drawable)
        elif not self._message:
            second = "or drop a picture" if self._drawable else "or show a test example"
            canvas_paint.paint_hint(painter, area, theme=theme, first=self._hint(), second=second)
        if self._message:
            canvas_paint.paint_message(painter, area, theme=theme, message=self._message)
        if self._key_pen is not None:
            x, y = square.to_widget(x=self._key_pen[0], y=self._key_pen[1])
            canvas_paint.paint_cross_hair(painter, QPointF(x, y), theme=theme)
        canvas_paint.paint_frame(painter, area, theme=theme, strong=self.hasFocus() or self._drop_near)

    def _square(self) -> Square:
        return square_in(width=self.width(), height=self.height(), margin=1)

    def _refresh_cursor(self) -> None:
        diameter = self._brush * self._square().side / SIDE
        density = self.devicePixelRatioF()
        self.setCursor(
            canvas_paint.brush_cursor(diameter=diameter, density=density, theme=self._theme, erasing=self._eraser)
        )
