"""One picture of numbers, pixel by pixel: grey or colour as an image has them, or a map with its limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.colormap import LINE_LEVEL, diverging, diverging_levels, packed, steady_limit
from gui.figure_table import figures
from gui.sample_charts import Chart, to_image
from gui.theme import Theme

MAPPED_CHANNELS = 16  # side by side at most


class ValuePicture(Chart):
    """A sample or a gradient, its pixels enlarged by a whole number where they fit.

    uint8 images are shown as they are, bright on black in both themes: these are the numbers that the network gets.
    float32 values are shown in the diverging map, a channel beside the other, and points as a row.

    Args:
        name: for those who hear the window.
        side: px of the picture's height, and of its width for a single channel, at most.
    """

    def __init__(self, name: str, *, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName(name)
        self._side = side
        self._values: NDArray[Any] | None = None
        self._limit = 0.0
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def limit(self) -> float | None:
        """The magnitude of the strongest colour; None for an image that is shown as it is, and where there is none."""
        return None if self._values is None or self._values.dtype == np.uint8 else self._limit

    def set_values(self, values: NDArray[Any] | None) -> None:
        """Show uint8 or float32 (C, H, W), or float32 (F,); None shows an empty frame. The array is kept."""
        self._values = values if values is None or values.ndim == 3 else values.reshape(1, 1, -1)
        if self._values is not None and self._values.dtype != np.uint8:
            finite = self._values[np.isfinite(self._values)]
            self._limit = steady_limit(float(np.abs(finite).max(initial=0.0)), None)
        self._make_image()
        self.updateGeometry()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._make_image()

    def sizeHint(self) -> QSize:
        width, height = self._size(room=QSize(self._side * MAPPED_CHANNELS, self._side))
        return QSize(math.ceil(width) + 2, max(math.ceil(height), self._side if self._values is None else 1) + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self.sizeHint().width(), self._side // 2), self.sizeHint().height())

    def describe(self, position: QPointF) -> str:
        frame = self._frame()
        if self._values is None or not frame.contains(position):
            return ""
        channels, rows, columns = self._values.shape
        mapped = self._values.dtype != np.uint8
        across = self._across()
        column = min(int((position.x() - frame.left()) / frame.width() * across), across - 1)
        row = min(int((position.y() - frame.top()) / frame.height() * rows), rows - 1)
        channel, column = divmod(column, columns + 1) if mapped and channels > 1 else (0, column)
        if column >= columns:
            return ""
        place = f"row {row}, column {column}" if rows > 1 else f"number {column}"
        if channels > 1 and mapped:
            place = f"channel {channel}, {place}"
        values = self._values[channel : channel + 1, row, column] if mapped else self._values[:, row, column]
        return f"{place}: {', '.join(figures(values) if mapped else map(str, values))}"

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        frame = self._frame()
        line = Qt.PenStyle.DashLine if self._image is None else Qt.PenStyle.SolidLine
        if self._image is not None:
            painter.drawImage(frame, self._image)
        painter.setPen(QPen(self.theme.color("border"), 1, line))
        painter.drawRect(frame.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.end()

    def _make_image(self) -> None:
        values = self._values
        if values is None or not values.size:
            self._image = None
        elif values.dtype == np.uint8:
            self._image = to_image(values[0] if len(values) != 3 else values.transpose(1, 2, 0))
        else:
            levels = diverging_levels(values[:MAPPED_CHANNELS].astype(np.float32), self._limit)
            parted = np.pad(levels, ((0, 0), (0, 0), (0, 1)), constant_values=LINE_LEVEL)
            row = np.concatenate(list(parted), axis=1)[:, :-1]
            pixels = packed(diverging(self.theme))[row]
            height, width = row.shape
            self._image = QImage(
                np.ascontiguousarray(pixels).data, width, height, 4 * width, QImage.Format.Format_RGB32
            ).copy()
        self.update()

    def _across(self) -> int:
        """Pixels of the image across, lines between channels included."""
        return 1 if self._image is None else self._image.width()

    def _size(self, *, room: QSize) -> tuple[float, float]:
        """Width and height on screen: whole device pixels a value, where they fit."""
        if self._image is None:
            return float(self._side), float(self._side)
        rows, columns = self._image.height(), self._image.width()
        density = self.devicePixelRatioF()
        scale = min(self._side / rows, (room.width() - 2) / columns) * density
        if rows == 1:
            scale = min(scale, self._side / 4 * density)
        scale = math.floor(scale) if scale >= 1 else max(scale, 1e-3)
        return columns * scale / density, rows * scale / density

    def _frame(self) -> QRectF:
        width, height = self._size(room=self.size())
        return QRectF(1, 1, width, height)
