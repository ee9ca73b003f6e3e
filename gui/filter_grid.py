"""The picture of a layer's filters: one image, drawn in one go, with a cursor that reads values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.colormap import diverging, diverging_levels, packed
from gui.theme import SPACING, Theme
from gui.tiles import Mosaic, Place

Values = NDArray[np.float32]

GAP = 4  # px between filters
FIRST = Place(0, 0, 0, 0)

WHATS_THIS = (
    "The weights of one layer as pictures. Every framed strip is one filter; its squares, one for each input "
    "channel, stand in it from left to right. Colours say sign and size: the bar below shows which is which. "
    "Point at a weight, or walk with the arrow keys, to read its value; with Ctrl held they go from filter to "
    "filter. A double click or Enter enlarges one filter, and a second one brings all back. Everything is numbered "
    "from 0, as the tensors are."
)


class FilterGrid(QWidget):
    """Filters in a mosaic that fills the widget. What to show and on which limits is told by `set_values`.

    Signals:
        reading_changed: `reading()` names another value, or none.
        enlarged_changed: one filter fills the picture now, or all do again.
    """

    reading_changed = Signal()
    enlarged_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = packed(diverging(theme))
        self._values: Values | None = None
        self._limit: NDArray[np.float32] | float = 1.0
        self._empty = ""
        self._enlarged: int | None = None
        self._hover: Place | None = None
        self._cursor = FIRST
        self._mosaic: Mosaic | None = None
        self._buffer = np.empty((0, 0), dtype=np.uint32)
        self._image = QImage()
        self._is_stale = True
        self.setObjectName("filter_grid")
        self.setAccessibleName("Filters")
        self.setWhatsThis(WHATS_THIS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    # What is shown

    def set_values(self, values: Values | None, limit: NDArray[np.float32] | float = 1.0) -> None:
        """Show `values`, float32 (filters, channels, H, W), or the empty text where there are none.

        `limit` is the magnitude of the strongest colour: one, or float32 (filters, 1, 1, 1) with one for each filter.
        The arrays are kept, not copied: they must not change any more.
        """
        if values is not None and 0 in values.shape:
            values = None
        enlarged = self._enlarged
        is_other = values is None or self._values is None or values.shape != self._values.shape
        if is_other:
            self._enlarged, self._hover, self._cursor, self._mosaic = None, None, FIRST, None
        self._values, self._limit = values, limit
        self._is_stale = True
        self.update()
        if is_other:
            self.reading_changed.emit()
        if enlarged != self._enlarged:
            self.enlarged_changed.emit()

    def set_empty(self, text: str) -> None:
        """What stands there while there are no values."""
        if text != self._empty:
            self._empty = text
            if self._values is None:
                self.setAccessibleDescription(text)
                self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._words = packed(diverging(theme))
        self._is_stale = True
        self.update()

    # What is read

    def reading(self) -> Place | None:
        """The weight under the mouse; else, while the keyboard is here, the one under the cursor."""
        if self._values is None:
            return None
        if self._hover is not None:
            return self._absolute(self._hover)
        return self._absolute(self._cursor) if self.hasFocus() else None

    def enlarged(self) -> int | None:
        """The filter that fills the picture, None while all are shown."""
        return self._enlarged

    def enlarge(self, filter_index: int | None) -> None:
        """Let one filter, its kernels side by side, fill the picture; None brings all back."""
        if self._values is None or filter_index == self._enlarged:
            return
        if filter_index is not None and not 0 <= filter_index < len(self._values):
            return
        self._cursor = FIRST if self._enlarged is None else Place(self._enlarged, 0, 0, 0)
        self._enlarged, self._hover, self._mosaic = filter_index, None, None
        self.update()
        self.enlarged_changed.emit()
        self.reading_changed.emit()

    def picture(self, *, width: int, height: int, line: int = 1) -> QImage:
        """The same picture in another size, in px, without the cursor."""
        shown, limit = self._shown()
        mosaic = Mosaic(_shape(shown), width=width, height=height, line=line, gap=GAP * line)
        pixels = self._compose(mosaic, shown, limit)
        return _image(pixels).copy()

    def _shown(self) -> tuple[Values, NDArray[np.float32] | float]:
        """What the mosaic is made of: all filters, or each kernel of the enlarged one as a tile of its own."""
        assert self._values is not None
        if self._enlarged is None:
            return self._values, self._limit
        limit = self._limit if isinstance(self._limit, float) else float(self._limit[self._enlarged].item())
        return self._values[self._enlarged][:, None], limit

    def _absolute(self, place: Place) -> Place:
        if self._enlarged is None:
            return place
        return Place(self._enlarged, place.filter, place.row, place.column)

    # Drawing

    def _compose(
        self,
        mosaic: Mosaic,
        shown: Values,
        limit: NDArray[np.float32] | float,
        out: NDArray[np.uint32] | None = None,
    ) -> NDArray[np.uint32]:
        ground, border = (QColor(role).rgba() for role in (self._theme.panel, self._theme.border))
        return mosaic.compose(self._words[diverging_levels(shown, limit)], ground=ground, border=border, out=out)

    def _renew(self) -> Mosaic:
        """Bring mosaic and image up to date with values, size and screen."""
        density = self.devicePixelRatioF()
        width, height = max(1, round(self.width() * density)), max(1, round(self.height() * density))
        shown, limit = self._shown()
        mosaic = self._mosaic
        if mosaic is None or (mosaic.width, mosaic.height) != (width, height):
            line = max(1, round(density))
            mosaic = Mosaic(_shape(shown), width=width, height=height, line=line, gap=GAP * line)
            self._buffer = np.empty((height, width), dtype=np.uint32)
            self._image = _image(self._buffer)
            self._image.setDevicePixelRatio(density)
            self._mosaic, self._is_stale = mosaic, True
        if self._is_stale:
            self._compose(mosaic, shown, limit, self._buffer)
            self._is_stale = False
        return mosaic

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._values is None:
            painter.fillRect(self.rect(), QColor(self._theme.panel))
            painter.setPen(self._theme.color("secondary"))
            words = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignCenter
            area = self.rect().adjusted(4 * SPACING, 0, -4 * SPACING, 0)
            painter.drawText(area, int(words), self._empty)
        else:
            mosaic = self._renew()
            painter.drawImage(0, 0, self._image)
            if self.hasFocus():
                self._paint_cursor(painter, mosaic)
        painter.end()

    def _paint_cursor(self, painter: QPainter, mosaic: Mosaic) -> None:
        density = self._image.devicePixelRatio()
        outer, inner = mosaic.box(self._cursor.filter), mosaic.value_box(self._cursor)
        painter.scale(1 / density, 1 / density)
        for box, role, grown, width in ((outer, "accent", 1, 2), (inner, "text", 0, 1)):
            pen = QPen(self._theme.color(role), width * density)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            painter.drawRect(QRectF(*box).adjusted(-grown, -grown, grown, grown))

    def sizeHint(self) -> QSize:
        return QSize(560, 176)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 48)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._point_at(None)

    # Mouse and keys

    def _located(self, position: QPointF) -> Place | None:
        if self._values is None:
            return None
        density = self.devicePixelRatioF()
        return self._renew().locate(int(position.x() * density), int(position.y() * density))

    def _point_at(self, place: Place | None) -> None:
        if place != self._hover:
            self._hover = place
            self.reading_changed.emit()

    def _move_to(self, place: Place) -> None:
        self._hover = None
        self._cursor = place
        self.reading_changed.emit()
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._located(event.position()))

    def enterEvent(self, event: QEnterEvent) -> None:
        self._point_at(self._located(event.position()))

    def leaveEvent(self, _event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._located(event.position())
        if event.button() == Qt.MouseButton.LeftButton and place is not None:
            self._move_to(place)
            self._point_at(place)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = self._located(event.position())
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._enlarged is not None:
            self.enlarge(None)
        elif place is not None:
            self.enlarge(place.filter)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._values is None:
            super().keyPressEvent(event)
            return
        key = event.key()
        mosaic = self._renew()
        filters, channels, tall, wide = mosaic.shape
        whole_filter = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        across, down = (channels * wide, tall) if whole_filter else (1, 1)
        steps = {
            Qt.Key.Key_Left: (-across, 0),
            Qt.Key.Key_Right: (across, 0),
            Qt.Key.Key_Up: (0, -down),
            Qt.Key.Key_Down: (0, down),
        }
        if key in steps:
            right, below = steps[Qt.Key(key)]
            self._move_to(mosaic.moved(self._cursor, right=right, down=below))
        elif key == Qt.Key.Key_Home:
            self._move_to(FIRST)
        elif key == Qt.Key.Key_End:
            self._move_to(Place(filters - 1, 0, 0, 0))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enlarge(self._cursor.filter if self._enlarged is None else None)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.reading_changed.emit()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.reading_changed.emit()
        self.update()


def _shape(values: Values) -> tuple[int, int, int, int]:
    filters, channels, height, width = values.shape
    return filters, channels, height, width


def _image(pixels: NDArray[np.uint32]) -> QImage:
    """A view of `pixels`, which must outlive it."""
    height, width = pixels.shape
    return QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB32)
