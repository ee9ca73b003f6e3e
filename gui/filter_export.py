"""Filters to take away: a picture with its title and scale, or the numbers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator

from engine.snapshots import FilterImages
from gui.color_bar import BAR_HEIGHT, BAR_WIDTH, paint_bar
from gui.theme import PANEL_MARGIN, SPACING, Theme, base_font

PICTURE_DENSITY = 2  # px of a PNG for each px of the window: sharp in print
TITLE_HEIGHT = 20  # px
MIN_WIDTH = BAR_WIDTH + 2 * PANEL_MARGIN  # px


class FilterPicture:
    """A page with a title, the filters, and the bar that belongs to them.

    Args:
        image: the filters, `PICTURE_DENSITY` px for each px of the page.
        title: one line that says what they are.
        limit: of the bar; None where each filter has its own.
        theme: whose colours to draw in.
    """

    def __init__(self, image: QImage, *, title: str, limit: float | None, theme: Theme) -> None:
        self._image = image
        self._title = title
        self._limit = limit
        self._theme = theme
        width, height = image.width() // PICTURE_DENSITY, image.height() // PICTURE_DENSITY
        chrome = 2 * PANEL_MARGIN + TITLE_HEIGHT + BAR_HEIGHT + 2 * SPACING
        self.size = QSize(max(MIN_WIDTH, width + 2 * PANEL_MARGIN), height + chrome)

    def image(self) -> QImage:
        """The page as pixels, `PICTURE_DENSITY` a px."""
        page = QImage(self.size * PICTURE_DENSITY, QImage.Format.Format_RGB32)
        painter = QPainter(page)
        painter.scale(PICTURE_DENSITY, PICTURE_DENSITY)
        self._paint(painter)
        painter.end()
        return page

    def png(self) -> bytes:
        buffer = _buffer()
        QImageWriter(buffer, QByteArray(b"png")).write(self.image())
        return _bytes(buffer)

    def svg(self) -> bytes:
        """Words and bar as shapes; the filters as an embedded image, one picture instead of a shape for each weight."""
        buffer = _buffer()
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setTitle(self._title)
        generator.setSize(self.size)
        generator.setViewBox(QRectF(0, 0, self.size.width(), self.size.height()))
        painter = QPainter(generator)
        self._paint(painter)
        painter.end()
        return _bytes(buffer)

    def _paint(self, painter: QPainter) -> None:
        page = QRectF(0, 0, self.size.width(), self.size.height())
        painter.fillRect(page, QColor(self._theme.panel))
        inner = page.adjusted(PANEL_MARGIN, PANEL_MARGIN, -PANEL_MARGIN, -PANEL_MARGIN)
        painter.setFont(base_font())
        painter.setPen(self._theme.color("text"))
        title = QRectF(inner.left(), inner.top(), inner.width(), TITLE_HEIGHT)
        painter.drawText(title, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, self._title)
        size = self._image.size() / PICTURE_DENSITY
        left = inner.left() + (inner.width() - size.width()) / 2
        painter.drawImage(QRectF(left, title.bottom() + SPACING, size.width(), size.height()), self._image)
        bar = QRectF(inner.right() - BAR_WIDTH, inner.bottom() - BAR_HEIGHT, BAR_WIDTH, BAR_HEIGHT)
        paint_bar(painter, bar, theme=self._theme, limit=self._limit)


def values_csv(images: FilterImages, initial: FilterImages | None) -> bytes:
    """A line for each weight: filter, channel, row and column from 0, the value, and the value at the start if known.

    Nine significant digits give every float32 back bit for bit.
    """
    places = np.indices(images.values.shape).reshape(4, -1)
    columns = [map(str, axis.tolist()) for axis in places] + [_numbers(images)]
    header = "filter,channel,row,column,value"
    if initial is not None:
        header += ",initial_value"
        columns.append(_numbers(initial))
    lines = [header, *map(",".join, zip(*columns, strict=True)), ""]
    return "\r\n".join(lines).encode("ascii")  # RFC 4180 ends lines so


def _numbers(images: FilterImages) -> map[str]:
    return map("{:.9g}".format, images.values.ravel().tolist())


def _buffer() -> QBuffer:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    return buffer


def _bytes(buffer: QBuffer) -> bytes:
    buffer.close()
    return bytes(buffer.data().data())
