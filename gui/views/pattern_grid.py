"""A grid of cells to paint intensities on, for images so small that each of their values is set by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from engine.errors import InputError
from gui import canvas_paint, numbers
from gui.cells import HIGHEST, Cell, Cells, Frame, as_text, frame_in, levels, line_of, parse_cells, short
from gui.drawing_surface import Contents, DrawingSurface
from gui.theme import DARK, FONT_BASE, FONT_SMALL, SPACING, Theme

INTENSITY = 10.0  # what is painted at first: amid the training images of the two patterns
_SMALLEST = 120  # px, side of the widget
_HINT_HEIGHT = 14 * SPACING
_CENTRE = int(Qt.AlignmentFlag.AlignCenter)
_HINT = "Paint a pattern here"
_ARROWS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class PatternGrid(DrawingSurface):
    """Square cells, each with its value; the brightest one is the largest.

    Signals:
        drawing_changed: the values as an owned, read-only float32 array (rows, columns), or None when all are 0.
    """

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent, theme=theme, smallest=_SMALLEST)
        self.setObjectName("pattern_grid")
        self.setAccessibleName("Pattern")
        self.setWhatsThis(
            "Click or drag to give cells the chosen intensity; the right button sets them to 0. With the keyboard, "
            "arrow keys move, Enter paints, Shift paints along the way, and digits are the cell's value itself. Ctrl+C "
            "and Ctrl+V copy and paste the values as a table."
        )
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._highest = HIGHEST
        self._intensity = INTENSITY
        self._shape = (4, 4)
        self._cells = Cells(rows=4, columns=4)
        self._cursor = self._reached = Cell(0, 0)
        self._under: Cell | None = None
        self._stroke: float | None = None  # the value that the pressed button paints
        self._typed: int | None = None  # the digits that the cell was given so far
        self._describe()

    # What the grid is for

    def set_kind(self, *, rows: int, columns: int, highest: int = HIGHEST) -> None:
        """The number of cells and the largest value of one. Another kind empties it, with nothing to undo."""
        if (rows, columns, highest) == (*self._shape, self._highest):
            return
        self._shape, self._highest = (rows, columns), highest
        self._intensity = min(self._intensity, float(highest))
        self._cells = Cells(rows=rows, columns=columns)
        self._cursor = self._reached = Cell(0, 0)
        self._stroke = self._typed = self._under = None
        self._changed()

    # Tools

    @Slot(float)
    def set_intensity(self, value: float) -> None:
        """What is painted, kept within 0 and the largest value of a cell."""
        self._intensity = min(max(value, 0.0), float(self._highest))

    @Slot()
    def copy(self) -> None:
        """Puts the values on the clipboard, as text that spreadsheets take for a table."""
        QGuiApplication.clipboard().setText(as_text(self._cells.values))

    @Slot()
    def paste(self) -> None:
        """Takes the clipboard's table of numbers, or says in a sentence why not."""
        rows, columns = self._shape
        try:
            values = parse_cells(QGuiApplication.clipboard().text(), rows=rows, columns=columns, highest=self._highest)
        except InputError as error:
            self.reject(f"In the clipboard {error.problem}; {error.accepted} can be pasted.")
            return
        self._lift()
        self._cells.put(values)
        self._changed()

    def show_sample(self, sample: NDArray[np.generic]) -> None:
        """Puts a sample of the dataset on the grid, its values bit for bit.

        Args:
            sample: float32 or uint8, (rows, columns) or (1, rows, columns). Of any other size it is a late answer, of
                a dataset that was just replaced, and is passed over.
        """
        if sample.shape in (self._shape, (1, *self._shape)):
            self._lift()
            self._cells.put(sample.reshape(self._shape).astype(np.float32))
            self._changed()

    def _contents(self) -> Contents:
        return self._cells

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return
        cell = self._cell_at(event.position())
        if cell is not None:
            self._lift()
            erasing = self._eraser or event.button() == Qt.MouseButton.RightButton
            self._stroke = 0.0 if erasing else self._intensity
            self._cells.begin()
            self._cursor = self._reached = cell
            self._cells.paint(cell, self._stroke)
            self._changed()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x, y = event.position().x(), event.position().y()
        under = self._frame().cell_at(x=x, y=y)
        if under != self._under:
            self._under = under
            self.update()
        if self._stroke is None:
            return
        cell = self._frame().nearest(x=x, y=y)
        painted = [self._cells.paint(passed, self._stroke) for passed in line_of(self._reached, cell)]
        self._cursor = self._reached = cell
        if any(painted):
            self._changed()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        del event
        self._lift()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._under = None
        self.update()

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, text = event.key(), event.text()
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
        elif key in _ARROWS:
            self._walk(*_ARROWS[Qt.Key(key)], painting=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._set_cell(0.0 if self._eraser else self._intensity)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._set_cell(0.0)
        elif len(text) == 1 and text in "0123456789":
            self._type(int(text))
        else:
            super().keyPressEvent(event)

    def _walk(self, down: int, right: int, *, painting: bool) -> None:
        """Moves the cursor by one cell, and with Shift paints the cells that it leaves and reaches."""
        self._lift()
        rows, columns = self._shape
        row, column = self._cursor
        before = self._cursor
        self._cursor = Cell(min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1))
        if painting:
            value = 0.0 if self._eraser else self._intensity
            self._cells.begin()
            for cell in (before, self._cursor):
                self._cells.paint(cell, value)
            self._lift()
            self._changed()
        self._describe()
        self.update()

    def _set_cell(self, value: float) -> None:
        self._lift()
        self._cells.begin()
        self._cells.paint(self._cursor, value)
        self._lift()
        self._changed()

    def _type(self, digit: int) -> None:
        """Digits one after the other are one number, which the cell holds at once."""
        if self._typed is None:
            self._lift()
            self._cells.begin()
        self._typed = min(10 * (self._typed or 0) + digit, self._highest)
        self._cells.paint(self._cursor, float(self._typed))
        self._changed()

    def _lift(self) -> None:
        """Whatever was being painted or typed is one step now."""
        self._stroke = self._typed = None
        self._cells.end()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._lift()
        super().focusOutEvent(event)
        self.update()

    # Words

    def _describe(self) -> None:
        text = self._reading(self._cursor)
        self.setAccessibleDescription(f"{_HINT}. {text}" if self._cells.is_empty else text)

    def _reading(self, cell: Cell) -> str:
        """Row 1, column 2: 1 000 000 000, as the network receives it."""
        value = float(self._cells.values[cell])
        exact = numbers.count(int(value)) if value == int(value) else repr(value)
        return f"Row {cell.row + 1}, column {cell.column + 1}: {exact}"

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self._cell_at(QPointF(event.pos()))
            if cell is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self._reading(cell), self)
            return True
        return super().event(event)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        frame, theme = self._frame(), self._theme
        area = QRectF(frame.left, frame.top, frame.width, frame.height)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(canvas_paint.outline(area))
        painter.fillRect(area, canvas_paint.ground_of(theme))
        self._paint_cells(painter, frame)
        painter.setClipping(False)
        if self._message:
            canvas_paint.paint_message(painter, area, theme=theme, message=self._message)
        elif self._cells.is_empty:
            self._paint_hint(painter, area)
        canvas_paint.paint_frame(painter, area, theme=theme, strong=False)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(_box(frame, self._cursor).adjusted(1, 1, -1, -1))

    def _paint_cells(self, painter: QPainter, frame: Frame) -> None:
        theme, values = self._theme, self._cells.values
        shown = levels(values)
        tones = canvas_paint.tones(theme, as_ink=True)
        font = QFont(self.font())
        font.setFeature(QFont.Tag("tnum"), 1)
        for row in range(frame.rows):
            for column in range(frame.columns):
                cell = Cell(row, column)
                box, level, value = _box(frame, cell), int(shown[cell]), float(values[cell])
                if level:
                    painter.fillRect(box, QColor.fromRgb(int(tones[level])))
                if value:
                    font.setPixelSize(FONT_BASE if _fits(font, short(value), box, size=FONT_BASE) else FONT_SMALL)
                    painter.setFont(font)
                    painter.setPen(QColor.fromRgb(int(tones[0 if level > 127 else 255])))
                    if _fits(font, short(value), box, size=font.pixelSize()):
                        painter.drawText(box, _CENTRE, short(value))
        painter.setPen(theme.color("border"))
        for column in range(1, frame.columns):
            x = frame.left + column * frame.side + 0.5
            painter.drawLine(QPointF(x, frame.top), QPointF(x, frame.top + frame.height))
        for row in range(1, frame.rows):
            y = frame.top + row * frame.side + 0.5
            painter.drawLine(QPointF(frame.left, y), QPointF(frame.left + frame.width, y))
        if self._under is not None:
            painter.setPen(QPen(theme.color("accent", 0.6), 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(_box(frame, self._under).adjusted(0.5, 0.5, 0.5, 0.5))

    def _paint_hint(self, painter: QPainter, area: QRectF) -> None:
        """The words lie on the ground, not on the lines."""
        band = QRectF(area)
        band.setHeight(min(area.height() - 2, float(_HINT_HEIGHT)))
        band.moveCenter(area.center())
        painter.fillRect(band.adjusted(1, 0, -1, 0), canvas_paint.ground_of(self._theme))
        canvas_paint.paint_hint(painter, area, theme=self._theme, first=_HINT, second="or show a test example")

    def _frame(self) -> Frame:
        rows, columns = self._shape
        return frame_in(width=self.width(), height=self.height(), rows=rows, columns=columns, margin=1)

    def _cell_at(self, position: QPointF) -> Cell | None:
        return self._frame().cell_at(x=position.x(), y=position.y())


def _box(frame: Frame, cell: Cell) -> QRectF:
    left, top = frame.corner(cell)
    return QRectF(left, top, frame.side, frame.side)


def _fits(font: QFont, text: str, box: QRectF, *, size: int) -> bool:
    sized = QFont(font)
    sized.setPixelSize(size)
    return QFontMetricsF(sized).horizontalAdvance(text) <= box.width() - 2
