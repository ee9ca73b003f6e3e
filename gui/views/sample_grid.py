"""Samples as small pictures, each with its number below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.sample_charts import CAPTION_HEIGHT, TINY, Chart, to_image
from gui.theme import SPACING, Theme

SIDE = 40  # px of a picture
CENTRE = int(Qt.AlignmentFlag.AlignCenter)


class SampleGrid(Chart):
    """Pictures in rows, as many as fit beside each other."""

    def __init__(self, theme: Theme, *, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.theme = theme
        self._pictures: list[QPixmap] = []
        self._numbers: tuple[int, ...] = ()
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the samples that are shown."""
        return self._numbers

    def set_samples(self, pictures: NDArray[np.uint8], numbers: Sequence[int]) -> None:
        """Show uint8 (n, H, W) grey or (n, H, W, 3) pictures with their numbers."""
        self._pictures = [QPixmap.fromImage(to_image(picture)) for picture in pictures]
        self._numbers = tuple(numbers)
        self.setAccessibleDescription("Numbers " + ", ".join(map(str, self._numbers)) if self._numbers else "")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        rows = -(-len(self._pictures) // self._columns(self.width()))
        return QSize(6 * (SIDE + SPACING), rows * (SIDE + CAPTION_HEIGHT + SPACING))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._columns(event.oldSize().width()) != self._columns(event.size().width()):
            self.updateGeometry()  # the height follows from the width

    def minimumSizeHint(self) -> QSize:
        return QSize(SIDE, self.sizeHint().height())

    def describe(self, position: QPointF) -> str:
        for square, number in zip(self._squares(), self._numbers, strict=True):
            if square.contains(position.toPoint()):
                return f"Test sample {number}"
        return ""

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setPen(self.theme.color("secondary"))
        for square, picture, number in zip(self._squares(), self._pictures, self._numbers, strict=True):
            tiny = max(picture.width(), picture.height()) <= TINY
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not tiny)
            painter.drawPixmap(square, picture)
            painter.drawText(QRect(square.left(), square.bottom() + 1, SIDE, CAPTION_HEIGHT), CENTRE, str(number))
        painter.end()

    def _columns(self, width: int) -> int:
        return max(1, (width + SPACING) // (SIDE + SPACING))

    def _squares(self) -> list[QRect]:
        columns = self._columns(self.width())
        return [
            QRect(i % columns * (SIDE + SPACING), i // columns * (SIDE + CAPTION_HEIGHT + SPACING), SIDE, SIDE)
            for i in range(len(self._pictures))
        ]
