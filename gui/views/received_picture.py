"""The picture that the network receives, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.datasets.levels import grey_levels
from gui import numbers
from gui.theme import DARK, FONT_SMALL, SPACING, Theme

_SIDE = 64  # px; 28 and 32 pixels are shown at twice their size


class ReceivedPicture(QWidget):
    """A caption, and beside it the sample, its pixels enlarged by a whole number so that they stay crisp."""

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent)
        self.setObjectName("received_picture")
        self.setAccessibleName("The picture that the network receives")
        self.setToolTip(
            "The picture that the network receives: your drawing, fitted and centred as the dataset's own images are."
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._sample: NDArray[np.uint8] | None = None
        self._largest = ""
        self._theme = theme

    def set_sample(self, sample: NDArray[np.uint8] | NDArray[np.float32] | None) -> None:
        """What the network receives: uint8 (C, H, W) with one or three channels; None when there is nothing.

        A raw image, float32, is shown by its own largest value, which is told beside it.
        """
        self._sample = None
        self._largest = ""
        if sample is not None and sample.dtype != np.uint8:
            largest = float(sample.max())
            self._largest = numbers.count(int(largest)) if largest == int(largest) else f"{largest:.4g}"
            sample = grey_levels(sample.astype(np.float32))
        if sample is not None:
            channels = sample.transpose(1, 2, 0)
            self._sample = np.ascontiguousarray(channels if sample.shape[0] == 3 else channels[..., 0])
        self.setAccessibleDescription(self._size_text())
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(3 * _SIDE, _SIDE + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * _SIDE, _SIDE + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        width, height = self._picture_size()
        frame = QRectF(self.width() - width - 1, (self.height() - height) // 2, width, height)
        if self._sample is None:
            painter.setPen(QPen(self._theme.color("border"), 1, Qt.PenStyle.DashLine))
            painter.drawRect(frame.adjusted(-0.5, -0.5, 0.5, 0.5))
        else:
            # Bright on black in both themes: these are the numbers that the network gets.
            rows, columns = self._sample.shape[:2]
            grey = self._sample.ndim == 2
            kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
            painter.drawImage(frame, QImage(self._sample.data, columns, rows, columns * (1 if grey else 3), kind))
            painter.setPen(self._theme.color("border"))
            painter.drawRect(frame.adjusted(-0.5, -0.5, 0.5, 0.5))
        font = QFont(self.font())
        font.setPixelSize(FONT_SMALL)
        painter.setFont(font)
        painter.setPen(self._theme.color("secondary"))
        room = QRectF(0, 0, frame.left() - 2 * SPACING, self.height())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        painter.drawText(
            room, int(flags), "Seen by the network" + (f"\n{self._size_text()}" if self._size_text() else "")
        )

    def _size_text(self) -> str:
        if self._sample is None:
            return ""
        size = f"{self._sample.shape[0]} × {self._sample.shape[1]} pixels"
        return f"{size}\nWhite is {self._largest}" if self._largest else size

    def _picture_size(self) -> tuple[float, float]:
        """Width and height on screen: whole device pixels a sample's pixel, where they fit."""
        if self._sample is None:
            return 56.0, 56.0
        rows, columns = self._sample.shape[:2]
        density = self.devicePixelRatioF()
        scale = _SIDE * density / max(rows, columns)
        scale = math.floor(scale) if scale >= 1 else scale
        return columns * scale / density, rows * scale / density
