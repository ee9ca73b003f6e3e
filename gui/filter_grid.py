"""The picture of a layer's filters: one image in a pyqtgraph view, with a cursor that reads values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPen,
    QShowEvent,
    QTextOption,
)
from PySide6.QtWidgets import QGraphicsRectItem, QGraphicsScene, QGraphicsTextItem, QSizePolicy, QWidget

from gui.colormap import LINE_LEVEL, ZERO_LEVEL, Lut, diverging, diverging_levels, packed
from gui.lean import pyqtgraph
from gui.theme import SPACING, Theme
from gui.tiles import Box, Mosaic, Place

Values = NDArray[np.float32]
Levels = NDArray[np.uint8]

GAP = 4  # px between filters
FIRST = Place(0, 0, 0, 0)
LEVELS = (0, 256)  # a level is the number of its colour

WHATS_THIS = (
    "The weights of one layer as pictures. Every framed strip is one filter; its squares, one for each input "
    "channel, stand in it from left to right. Colours say sign and size: the bar below shows which is which. "
    "Point at a weight, or walk with the arrow keys, to read its value; with Ctrl held they go from filter to "
    "filter. A double click or Enter enlarges one filter, and a second one brings all back. Everything is numbered "
    "from 0, as the tensors are."
)


class _LevelItem(pyqtgraph.ImageItem):  # type: ignore[misc]  # pyqtgraph has no type stubs
    """An ImageItem of levels that looks its colours up by itself: the way through Qt's colour tables takes longer."""

    def set_colors(self, lut: Lut) -> None:
        self._packed = packed(lut)
        self.setLookupTable(lut)

    def render(self) -> None:
        pixels = self._packed[self.image]
        height, width = pixels.shape
        self.qimage = QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB32)
        self._pixels = pixels  # the image's memory
        self._renderRequired = self._unrenderable = False


class FilterGrid(pyqtgraph.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no type stubs
    """Filters in a mosaic that fills the widget. What to show and on which limits is told by `set_values`.

    The mosaic is an ImageItem of colour levels, one for each pixel of the screen. It is made anew when values or size
    change, and not before the grid is shown.

    Signals:
        reading_changed: `reading()` names another value, or none.
        enlarged_changed: one filter fills the picture now, or all do again.
    """

    reading_changed = Signal()
    enlarged_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: Values | None = None
        self._limit: NDArray[np.float32] | float = 1.0
        self._enlarged: int | None = None
        self._hover: Place | None = None
        self._cursor = FIRST
        self._mosaic: Mosaic | None = None
        self._is_stale = False
        self._image = _LevelItem(axisOrder="row-major", levels=LEVELS)
        self._image.setAutoLevels(False)
        self._outer_mark, self._inner_mark = QGraphicsRectItem(self._image), QGraphicsRectItem(self._image)
        self._text = QGraphicsTextItem()
        self._text.document().setDefaultTextOption(QTextOption(Qt.AlignmentFlag.AlignCenter))
        self._text.document().setDocumentMargin(0)
        self.setCentralItem(None)
        for item in (self._image, self._text):
            self.addItem(item)
        # Mouse and keys are read below, for values instead of items.
        self.setInteractive(False)
        self.setAcceptDrops(False)
        self.viewport().setMouseTracking(True)
        # What a repaint can go without: a search tree for four items, and two grounds under the picture's own.
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setCacheMode(pyqtgraph.GraphicsView.CacheModeFlag.CacheNone)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setObjectName("filter_grid")
        self.setAccessibleName("Filters")
        self.setWhatsThis(WHATS_THIS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.set_theme(theme)
        self.sigDeviceRangeChanged.connect(self._fit)

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
        self._draw()
        if is_other:
            self.reading_changed.emit()
        if enlarged != self._enlarged:
            self.enlarged_changed.emit()

    def set_empty(self, text: str) -> None:
        """What stands there while there are no values."""
        if text != self._text.toPlainText():
            self._text.setPlainText(text)
            self._place_text()
            if self._values is None:
                self.setAccessibleDescription(text)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.setBackground(QColor(theme.panel))
        self._text.setDefaultTextColor(theme.color("secondary"))
        self._image.set_colors(diverging(theme))
        self._place_marks()

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
        back_at = self._enlarged if filter_index is None else None
        self._cursor = FIRST if back_at is None else Place(back_at, 0, 0, 0)
        self._enlarged, self._hover, self._mosaic = filter_index, None, None
        self._draw()
        self.enlarged_changed.emit()
        self.reading_changed.emit()

    def picture(self, *, width: int, height: int, line: int = 1) -> QImage:
        """The same picture in another size, in px, without the cursor."""
        shown, limit = self._shown()
        mosaic = Mosaic(_shape(shown), width=width, height=height, line=line, gap=GAP * line)
        pixels = packed(diverging(self._theme))[_levels(mosaic, shown, limit)]
        return QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB32).copy()

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

    def _draw(self) -> None:
        """Bring image, text and cursor up to date with values and size, or, while hidden, when shown again."""
        self._is_stale = not self.isVisible()
        if self._is_stale:
            return
        has_values = self._values is not None
        if has_values:
            shown, limit = self._shown()
            self._image.setImage(_levels(self._fitted(shown), shown, limit))
        self._image.setVisible(has_values)
        self._text.setVisible(not has_values)
        self._place_marks()

    def _fitted(self, shown: Values) -> Mosaic:
        """The mosaic for as many px as the screen has here."""
        density = self.devicePixelRatioF()
        width, height = max(1, round(self.width() * density)), max(1, round(self.height() * density))
        if self._mosaic is None or (self._mosaic.width, self._mosaic.height) != (width, height):
            line = max(1, round(density))
            self._mosaic = Mosaic(_shape(shown), width=width, height=height, line=line, gap=GAP * line)
            self._image.setScale(1 / density)
        return self._mosaic

    def _fit(self) -> None:
        """Take another size."""
        self._point_at(None)
        self._place_text()
        self._draw()

    def _place_text(self) -> None:
        self._text.setTextWidth(max(1, self.width() - 8 * SPACING))
        self._text.setPos(4 * SPACING, round((self.height() - self._text.boundingRect().height()) / 2))

    def _place_marks(self) -> None:
        """Frame the cursor's filter and weight while the keyboard is here."""
        mosaic = self._mosaic if self.hasFocus() else None
        for mark in (self._outer_mark, self._inner_mark):
            mark.setVisible(mosaic is not None)
        if mosaic is not None:
            self._frame(self._outer_mark, mosaic.box(self._cursor.filter), role="accent", width=2, grown=1)
            self._frame(self._inner_mark, mosaic.value_box(self._cursor), role="text", width=1, grown=0)

    def _frame(self, mark: QGraphicsRectItem, box: Box, *, role: str, width: int, grown: int) -> None:
        pen = QPen(self._theme.color(role), width * self.devicePixelRatioF())
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        mark.setPen(pen)
        mark.setRect(QRectF(*box).adjusted(-grown, -grown, grown, grown))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._draw()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._mosaic = None
            self._fit()
        return bool(super().event(event))

    def sizeHint(self) -> QSize:
        return QSize(560, 176)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 48)

    # Mouse and keys

    def _located(self, position: QPointF) -> Place | None:
        if self._mosaic is None:
            return None
        density = self.devicePixelRatioF()
        return self._mosaic.locate(int(position.x() * density), int(position.y() * density))

    def _point_at(self, place: Place | None) -> None:
        if place != self._hover:
            self._hover = place
            self.reading_changed.emit()

    def _move_to(self, place: Place) -> None:
        self._hover = None
        self._cursor = place
        self.reading_changed.emit()
        self._place_marks()

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
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = self._located(event.position())
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._enlarged is not None:
            self.enlarge(None)
        elif place is not None:
            self.enlarge(place.filter)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()  # the menu is that of the view around

    def keyPressEvent(self, event: QKeyEvent) -> None:
        mosaic = self._mosaic
        if mosaic is None:
            event.ignore()
            return
        key = event.key()
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
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.reading_changed.emit()
        self._place_marks()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.reading_changed.emit()
        self._place_marks()


def _shape(values: Values) -> tuple[int, int, int, int]:
    filters, channels, height, width = values.shape
    return filters, channels, height, width


def _levels(mosaic: Mosaic, values: Values, limit: NDArray[np.float32] | float) -> Levels:
    return mosaic.compose(diverging_levels(values, limit), ground=ZERO_LEVEL, border=LINE_LEVEL)
