"""What one layer gives: its feature maps as tiles, or its units as bars or cells, under a line with name and scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.inspection.activations import LayerActivations
from gui import numbers
from gui.colormap import packed, steady_limit, viridis
from gui.figure_table import figures, strong_font
from gui.sample_charts import CAPTION_HEIGHT, Chart
from gui.shape_steps import by
from gui.theme import SPACING, Theme
from gui.tiles import Box, Mosaic, Place

Floats = NDArray[np.float32]

HEADER = 18  # px
GAP = 3  # px between tiles
TILE, SMALLEST_TILE = 64, 14  # px, side of a tile where there are few, and where there are many
MOST_HEIGHT = 180  # px of one layer's tiles, as long as they are not too small
BARS_HEIGHT = 64  # px
BAR_WIDTH = 3  # px that a bar needs; of more units than that cells are shown
WIDEST_BAR = 28  # px
CELL = 10  # px, side of a unit's cell
GRADIENT_WIDTH, GRADIENT_HEIGHT = 40, 6  # px
VERTICAL = Qt.AlignmentFlag.AlignVCenter
LEFT, RIGHT = int(VERTICAL | Qt.AlignmentFlag.AlignLeft), int(VERTICAL | Qt.AlignmentFlag.AlignRight)
CENTRE = int(Qt.AlignmentFlag.AlignCenter)
OWN = "each on its own scale"


class ActivationStrip(Chart):
    """One layer. Its height follows from its width, unless it shall fill the panel.

    Args:
        names: of the units, where they have any.
        limits: the ends of the scale, where they are known beforehand.

    Signals:
        pointed(text): what is read under the mouse or the keyboard's cursor, or nothing.
        opened: a double click or Enter: this layer alone is wanted, or all again.
    """

    pointed = Signal(str)
    opened = Signal()

    def __init__(
        self,
        theme: Theme,
        *,
        names: Sequence[str] = (),
        limits: tuple[float, float] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent=parent)
        self.theme = theme
        self._layer: LayerActivations | None = None
        self._names = tuple(names)
        self._own = False
        self._fills = False
        self._fixed = limits
        self._limits = limits or (0.0, 1.0)
        self._image: QImage | None = None
        self._mosaic: Mosaic | None = None
        self._cursor: Place | None = None
        self._under: Place | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWhatsThis(
            "What one layer gives for the input. Feature maps are tiles, units are bars or cells. Point at a value to "
            "read it; a double click shows this layer alone."
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    # What is shown

    @property
    def layer(self) -> LayerActivations | None:
        return self._layer

    @property
    def limits(self) -> tuple[float, float]:
        """What the ends of the scale stand for, where all maps have the same; 0 lies between or at one of them."""
        return self._limits

    def set_layer(self, layer: LayerActivations, *, own: bool) -> None:
        """Show other values.

        Args:
            own: every map, or the units, fills the scale by itself; else limits are round and change seldom.
        """
        before = self._layer
        other = before is None or before.values.shape != layer.values.shape
        if other:
            self._cursor = self._under = None
        self._limits = self._fixed or _limits(layer.values, None if other else self._limits)
        self._layer, self._own, self._image = layer, own, None
        if other:
            self._mosaic = None
            self.updateGeometry()
        self.setAccessibleName(f"{layer.name}, {layer.kind}, {by(layer.shape)}")
        low, high = figures(self._limits, digits=3)
        self.setAccessibleDescription(OWN if own else f"from {low} to {high}")
        self._tell()
        self.update()

    def set_fills(self, fills: bool) -> None:
        """Whether it takes all the room there is, and the keyboard's focus."""
        if fills != self._fills:
            self._fills = fills
            vertical = QSizePolicy.Policy.Expanding if fills else QSizePolicy.Policy.Fixed
            self.setSizePolicy(QSizePolicy.Policy.Expanding, vertical)
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if fills else Qt.FocusPolicy.ClickFocus)
            self.updateGeometry()

    def set_theme(self, theme: Theme) -> None:
        self._image = None
        super().set_theme(theme)

    def describe(self, position: QPointF) -> str:
        """Nothing: what is read stands below all layers."""
        del position
        return ""

    # Geometry

    @property
    def _bars(self) -> bool:
        """Whether units are few enough to be bars."""
        layer = self._layer
        return layer is not None and not layer.is_maps and len(layer.values) * BAR_WIDTH <= self.width()

    def sizeHint(self) -> QSize:
        return QSize(320, HEADER + math.ceil(self._height(self.width())) + 2 * SPACING)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, HEADER + 48 if self._fills else self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._image = self._mosaic = None
        if event.oldSize().width() != event.size().width() and not self._fills:
            self.updateGeometry()  # the height follows from the width

    def _height(self, width: int) -> float:
        """Of the picture, px."""
        layer = self._layer
        if layer is None:
            return 0.0
        if self._bars:
            return BARS_HEIGHT + (CAPTION_HEIGHT if self._names else 0)
        if not layer.is_maps:
            return math.ceil(len(layer.values) / max(1, width // CELL)) * CELL + 2
        maps, tall, wide = layer.values.shape
        return tiles_size(maps, width=width, aspect=wide / tall)[1]

    def _area(self) -> QRectF:
        """The picture's."""
        width = self.width()
        if self._layer is not None and self._layer.is_maps and not self._fills:
            maps, tall, wide = self._layer.values.shape
            width = tiles_size(maps, width=width, aspect=wide / tall)[0]
        return QRectF(0, HEADER, width, max(1, self.height() - HEADER - 2 * SPACING))

    def _shape(self) -> tuple[int, int, int, int]:
        """Of the mosaic."""
        assert self._layer is not None
        values = self._layer.values
        if self._layer.is_maps:
            return len(values), 1, values.shape[1], values.shape[2]
        columns = max(1, min(len(values), self.width() // CELL))
        if self._fills:  # near to square cells of any size
            area = self._area()
            columns = max(1, min(len(values), round(math.sqrt(len(values) * area.width() / area.height()))))
        return 1, 1, math.ceil(len(values) / columns), columns

    # Painting

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        if self._layer is None:
            return
        painter = QPainter(self)
        self._paint_header(painter, self._layer)
        if self._bars:
            self._paint_bars(painter, self._layer.values)
        else:
            picture = self._picture()
            painter.drawImage(QPointF(-self._inset(), HEADER), picture)
            place = self._under or (self._cursor if self.hasFocus() else None)
            if place is not None and self._mosaic is not None:
                painter.setPen(QPen(self.theme.color("text"), 1))
                painter.drawRect(self._on_screen(self._mosaic.value_box(place)).adjusted(-0.5, -0.5, 0.5, 0.5))
        if self._fills and self.hasFocus():
            painter.setPen(QPen(self.theme.color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, HEADER - 1.5, self.width() - 1, self.height() - HEADER))
        painter.end()

    def _paint_header(self, painter: QPainter, layer: LayerActivations) -> None:
        low, high = figures(self._limits, digits=2)
        scale = OWN if self._own and layer.is_maps else f"{low} … {high}"
        metrics = painter.fontMetrics()
        line = QRectF(0, 0, self.width(), HEADER - 2)
        painter.setPen(self.theme.color("secondary"))
        painter.drawText(line, RIGHT, scale)
        room = self.width() - metrics.horizontalAdvance(scale) - 2 * SPACING
        if not self._bars:
            bar = QRectF(room - GRADIENT_WIDTH, (HEADER - 2 - GRADIENT_HEIGHT) / 2, GRADIENT_WIDTH, GRADIENT_HEIGHT)
            words = np.ascontiguousarray(packed(viridis()))[None]
            painter.drawImage(bar, QImage(words.data, 256, 1, words.nbytes, QImage.Format.Format_RGB32))
            room -= GRADIENT_WIDTH + 2 * SPACING
        font = self.font()
        painter.setFont(strong_font(font))
        painter.setPen(self.theme.color("text"))
        strong = painter.fontMetrics()
        name = strong.elidedText(layer.name, Qt.TextElideMode.ElideMiddle, max(0, room))
        painter.drawText(line, LEFT, name)
        left = strong.horizontalAdvance(name) + 2 * SPACING
        painter.setFont(font)
        painter.setPen(self.theme.color("secondary"))
        part = f", first {numbers.count(len(layer.values))}" if layer.is_part else ""
        kind = f"{layer.kind} · " if layer.kind and layer.kind != layer.name else ""
        words_left = metrics.elidedText(f"{kind}{by(layer.shape)}{part}", Qt.TextElideMode.ElideRight, room - left)
        painter.drawText(QRectF(left, 0, max(0, room - left), HEADER - 2), LEFT, words_left)

    def _picture(self) -> QImage:
        """The tiles or cells, made when they are first seen."""
        if self._image is None:
            assert self._layer is not None
            density = self.devicePixelRatioF()
            area = self._area()
            width, height = max(1, round(area.width() * density)), max(1, round(area.height() * density))
            line = max(1, round(density))
            if self._mosaic is None:
                self._mosaic = Mosaic(self._shape(), width=width, height=height, line=line, gap=GAP * line)
            colours = _colours(self._layer.values, self._limits, own=self._own, theme=self.theme)
            shape = self._mosaic.shape
            filled = np.full(math.prod(shape), self.theme.color("panel").rgb(), np.uint32)
            filled[: colours.size] = colours.ravel()
            pixels = self._mosaic.compose(
                filled.reshape(shape), ground=self.theme.color("panel").rgb(), border=self.theme.color("border").rgb()
            )
            form = QImage.Format.Format_RGB32
            self._image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], form).copy()
            self._image.setDevicePixelRatio(density)
        return self._image

    def _paint_bars(self, painter: QPainter, values: Floats) -> None:
        area = self._area()
        if self._names:
            area.setHeight(area.height() - CAPTION_HEIGHT)
        low, high = self._limits
        zero = area.bottom() - area.height() * -low / (high - low)
        pitch = self._pitch()
        metrics = painter.fontMetrics()
        under = self._index()
        fits = self._names and max(metrics.horizontalAdvance(name) for name in self._names) < pitch - 1
        for index, value in enumerate(np.nan_to_num(values, nan=0.0).tolist()):
            y = area.bottom() - area.height() * (min(max(value, low), high) - low) / (high - low)
            bar = QRectF(index * pitch, min(y, zero), max(1.0, pitch - (1 if pitch < 8 else 3)), abs(y - zero))
            role = "weight_positive" if value >= 0 else "weight_negative"
            painter.fillRect(bar, self.theme.color("text" if index == under else role))
            if fits or (self._names and index == under):
                painter.setPen(self.theme.color("text"))
                name = self._names[index]
                wide = max(pitch, float(metrics.horizontalAdvance(name)) + 2)
                left = min(max(0.0, (index + 0.5) * pitch - 1.5 - wide / 2), self.width() - wide)
                painter.drawText(QRectF(left, area.bottom() + 1, wide, CAPTION_HEIGHT), CENTRE, name)
        painter.setPen(self.theme.color("border"))
        painter.drawLine(QPointF(0, zero), QPointF(len(values) * pitch, zero))

    def _pitch(self) -> float:
        """Px from a bar to the next."""
        units = 1 if self._layer is None else max(1, len(self._layer.values))
        return min(self.width() / units, WIDEST_BAR)

    # Reading

    def _index(self) -> int | None:
        """The unit that is read, of bars and cells."""
        place = self._under if self._under is not None else self._cursor if self.hasFocus() else None
        return None if place is None else place.row * self._columns() + place.column

    def _columns(self) -> int:
        assert self._layer is not None
        return len(self._layer.values) if self._bars else self._shape()[3]

    def reading(self) -> str:
        """What is pointed at, in words; empty where nothing is."""
        layer = self._layer
        place = self._under if self._under is not None else self._cursor if self.hasFocus() else None
        if layer is None or place is None:
            return ""
        if layer.is_maps:
            value = float(layer.values[place.filter, place.row, place.column])
            where = f"map {place.filter}, row {place.row}, column {place.column}"
        else:
            index = self._index() or 0
            if index >= len(layer.values):
                return ""
            value = float(layer.values[index])
            where = self._names[index] if index < len(self._names) else f"unit {index}"
        return f"{layer.name}, {where}: {figures([value])[0]}"

    def _tell(self) -> None:
        self.pointed.emit(self.reading())

    def _place_at(self, position: QPointF) -> Place | None:
        if self._layer is None:
            return None
        area = self._area()
        if self._bars:
            index = int(position.x() // self._pitch())
            inside = 0 <= index < len(self._layer.values) and position.y() >= area.top()
            return Place(0, 0, 0, index) if inside else None
        if self._mosaic is None:
            self._picture()
        assert self._mosaic is not None
        density = self.devicePixelRatioF()
        x = position.x() + self._inset()
        return self._mosaic.locate(int(x * density), int((position.y() - area.top()) * density))

    def _inset(self) -> float:
        """Px that the mosaic leaves at its left, for whole pixels a value: all strips begin at the same place."""
        if self._mosaic is None or self._fills:
            return 0.0
        return self._mosaic.box(0).left / self.devicePixelRatioF()

    def _on_screen(self, box: Box) -> QRectF:
        density = self.devicePixelRatioF()
        left, top = box.left / density - self._inset(), box.top / density + HEADER
        return QRectF(left, top, box.width / density, box.height / density)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._place_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and place is not None:
            self._cursor = place
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit()

    def _point_at(self, place: Place | None) -> None:
        if place != self._under:
            self._under = place
            self._tell()
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() in steps and self._layer is not None:
            right, down = steps[Qt.Key(event.key())]
            cursor = self._cursor or Place(0, 0, 0, 0)
            if self._bars:
                last = len(self._layer.values) - 1
                self._cursor = cursor._replace(column=min(max(cursor.column + right, 0), last))
            else:
                self._picture()
                assert self._mosaic is not None
                self._cursor = self._mosaic.moved(cursor, right=right, down=down)
            self._under = None
            self._tell()
            self.update()
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._cursor = self._cursor or Place(0, 0, 0, 0)
        self._tell()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._tell()
        self.update()


def tiles_size(count: int, *, width: int, aspect: float) -> tuple[int, int]:
    """Width and height, px, of `count` tiles in rows of `width` px: as large as fit in `MOST_HEIGHT`, if not too small.

    Args:
        aspect: a tile's width divided by its height.
    """
    tile, columns, high = TILE, 1, 0.0
    while True:
        columns = max(1, int((width + GAP) // (tile * min(aspect, 1.0) + GAP + 2)))
        high = tile / max(aspect, 1.0) + GAP + 2
        if math.ceil(count / columns) * high <= MOST_HEIGHT or tile <= SMALLEST_TILE:
            break
        tile -= 2
    rows = math.ceil(count / columns)
    across = math.ceil(count / rows) * (tile * min(aspect, 1.0) + GAP + 2)
    return min(width, math.ceil(across)), math.ceil(rows * high)


def _limits(values: Floats, before: tuple[float, float] | None) -> tuple[float, float]:
    """Round limits with 0 between or at one of them; those before stay as long as they suit."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    old_low, old_high = before or (0.0, 0.0)
    low = -steady_limit(-low, -old_low or None) if low < 0 else 0.0
    high = steady_limit(high, old_high or None) if high > 0 else 0.0
    return (low, high) if low < high else (0.0, 1.0)


def _colours(values: Floats, limits: tuple[float, float], *, own: bool, theme: Theme) -> NDArray[np.uint32]:
    """A colour for each value; the text's for what is no number."""
    low, high = (np.float32(limit) for limit in limits)
    scaled: Floats
    if own and values.ndim == 3 and values.size:
        finite = np.where(np.isfinite(values), values, 0.0)
        lows = finite.min(axis=(1, 2), keepdims=True)
        spread = finite.max(axis=(1, 2), keepdims=True) - lows
        scaled = (values - lows) / np.where(spread > 0, spread, 1)
    else:
        scaled = (values - low) / (high - low)
    levels = np.rint(np.nan_to_num(np.clip(scaled, 0, 1) * 255, nan=0.0)).astype(np.uint8)
    return np.where(np.isnan(values), np.uint32(theme.color("text").rgb()), packed(viridis())[levels])
