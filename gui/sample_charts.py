"""Small pictures of data, painted by hand: a grid of thumbnails, a scatter plot, bars of class counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui import numbers
from gui.theme import FONT_SMALL, LIGHT, SPACING, Theme

GAP = 2  # px between thumbnails
LARGEST = 64  # px, side of a thumbnail where there are few
TINY = 8  # px, side of pictures up to which each pixel is shown as a square
BARS_HEIGHT = 56  # px
CAPTION_HEIGHT = 14  # px, one line in the small font
MARK = 2.5  # px, half of a point's mark
CLASS_ROLES = ("train", "validation", "test", "good", "error", "warning", "secondary")
NAMED_ROLES = {"blue": "train", "orange": "validation"}  # classes that are called after a colour are drawn in it


class Chart(QWidget):
    """A picture in a theme's colours."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme: Theme = LIGHT
        font = self.font()
        font.setPixelSize(FONT_SMALL)
        self.setFont(font)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def describe(self, position: QPointF) -> str:
        """What lies at `position`, for the tooltip; empty where nothing does."""
        raise NotImplementedError

    def event(self, event: QEvent, /) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            text = self.describe(QPointF(event.pos()))
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)


class PictureGrid(Chart):
    """Pictures in rows of equal squares that fill the width; what does not fit in `rows` rows is left out.

    A few pictures stand at the left, in squares of `LARGEST` px.

    Args:
        rows: at most so many.
        smallest: side of a square, in px, at least.
    """

    def __init__(self, *, rows: int, smallest: int, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._rows, self._smallest = rows, smallest
        self._pictures: list[QPixmap] = []
        self._names: Sequence[str] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_pictures(self, pictures: NDArray[np.uint8], names: Sequence[str]) -> None:
        """Show uint8 (n, H, W) grey or (n, H, W, 3) pictures, each with its name as tooltip."""
        self._pictures = [QPixmap.fromImage(to_image(picture)) for picture in pictures]
        self._names = tuple(names)
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int, /) -> int:
        columns, rows, side = self._layout(width)
        return rows * (side + GAP) - GAP if columns and rows else 0

    def sizeHint(self) -> QSize:
        return QSize(4 * self._smallest, self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._smallest, self._smallest)

    def describe(self, position: QPointF) -> str:
        for square, name in zip(self._squares(), self._names, strict=False):
            if square.contains(position.toPoint()):
                return name
        return ""

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        for square, picture in zip(self._squares(), self._pictures, strict=False):
            tiny = max(picture.width(), picture.height()) <= TINY
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not tiny)
            painter.drawPixmap(square, picture)
        painter.end()

    def _layout(self, width: int) -> tuple[int, int, int]:
        """Columns, rows and the side of a square. All in one row where they fit."""
        count = len(self._pictures)
        if not count or width <= 0:
            return (0, 0, 0)
        columns = max(1, min(count, (width + GAP) // (self._smallest + GAP)))
        rows = min(self._rows, -(-count // columns))
        return (columns, rows, min((width + GAP) // columns - GAP, LARGEST))

    def _squares(self) -> list[QRect]:
        columns, rows, side = self._layout(self.width())
        if not columns:
            return []
        side = min(side, self.height()) if rows == 1 else side
        fills = rows > 1 or columns == len(self._pictures)
        pitch = min((self.width() + GAP) / columns, side + 4 * GAP) if fills else side + GAP
        shown = min(len(self._pictures), columns * rows)
        return [QRect(round(i % columns * pitch), i // columns * (side + GAP), side, side) for i in range(shown)]


class ScatterPlot(Chart):
    """Points in the plane, a colour and a mark to each class."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._points: NDArray[np.float32] = np.empty((0, 2), np.float32)
        self._labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._classes: tuple[str, ...] = ()

    def set_points(self, points: NDArray[np.float32], labels: NDArray[np.int64], *, classes: tuple[str, ...]) -> None:
        """Show float32 (m, 2) points with their int64 (m,) class numbers."""
        self._points, self._labels, self._classes = points, labels, classes
        self.update()

    def describe(self, position: QPointF) -> str:
        if not len(self._points):
            return ""
        low, scale, origin = self._frame()
        x, y = (position.x() - origin.x()) / scale + low[0], (origin.y() - position.y()) / scale + low[1]
        return f"{x:.1f}, {y:.1f}"

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.theme.color("border"))
        painter.setBrush(self.theme.color("panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), SPACING, SPACING)
        if len(self._points):
            self._paint_axes(painter)
            self._paint_points(painter)
            self._paint_legend(painter)
        painter.end()

    def _frame(self) -> tuple[NDArray[np.float64], float, QPointF]:
        """The lowest corner in data units, px a unit (the same on both axes), and where that corner lies."""
        low, high = self._points.min(axis=0).astype(np.float64), self._points.max(axis=0).astype(np.float64)
        extent = np.maximum(high - low, 1e-9)
        margin, legend = 3 * SPACING, CAPTION_HEIGHT
        width, height = self.width() - 2 * margin, self.height() - 2 * margin - legend
        scale = float(max(min(width / extent[0], height / extent[1]), 1e-9))
        left = (self.width() - extent[0] * scale) / 2
        bottom = margin + (height + extent[1] * scale) / 2
        return low, scale, QPointF(left, bottom)

    def _paint_axes(self, painter: QPainter) -> None:
        low, scale, origin = self._frame()
        x, y = origin.x() - low[0] * scale, origin.y() + low[1] * scale
        painter.setPen(self.theme.color("grid"))
        painter.drawLine(QPointF(x, SPACING), QPointF(x, self.height() - CAPTION_HEIGHT - SPACING))
        painter.drawLine(QPointF(SPACING, y), QPointF(self.width() - SPACING, y))

    def _paint_points(self, painter: QPainter) -> None:
        low, scale, origin = self._frame()
        xs = origin.x() + (self._points[:, 0] - low[0]) * scale
        ys = origin.y() - (self._points[:, 1] - low[1]) * scale
        painter.setPen(Qt.PenStyle.NoPen)
        for x, y, label in zip(xs.tolist(), ys.tolist(), self._labels.tolist(), strict=True):
            self._mark(painter, QPointF(x, y), label)

    def _paint_legend(self, painter: QPainter) -> None:
        baseline = self.height() - SPACING - CAPTION_HEIGHT / 2
        metrics = painter.fontMetrics()
        x = 2.0 * SPACING
        for label, name in enumerate(self._classes):
            painter.setPen(Qt.PenStyle.NoPen)
            self._mark(painter, QPointF(x + MARK, baseline), label)
            painter.setPen(self.theme.color("secondary"))
            painter.drawText(QPointF(x + 2 * MARK + SPACING, baseline + metrics.capHeight() / 2), name)
            x += 2 * MARK + 4 * SPACING + metrics.horizontalAdvance(name)
            if x > self.width():
                break

    def _mark(self, painter: QPainter, at: QPointF, label: int) -> None:
        """Discs, diamonds and triangles in turn: colour alone would not reach everyone."""
        name = self._classes[label] if 0 <= label < len(self._classes) else ""
        painter.setBrush(self.theme.color(NAMED_ROLES.get(name, CLASS_ROLES[label % len(CLASS_ROLES)]), 0.85))
        x, y, r = at.x(), at.y(), MARK
        if label % 3 == 0:
            painter.drawEllipse(at, r, r)
        elif label % 3 == 1:
            r *= 1.2
            painter.drawPolygon(QPolygonF([QPointF(x, y - r), QPointF(x + r, y), QPointF(x, y + r), QPointF(x - r, y)]))
        else:
            painter.drawPolygon(QPolygonF([QPointF(x, y - r), QPointF(x + r, y + r), QPointF(x - r, y + r)]))


class ClassCounts(Chart):
    """A bar a class: how many training samples it has."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._counts: NDArray[np.int64] = np.empty((3, 0), np.int64)
        self._classes: tuple[str, ...] = ()
        self.setFixedHeight(BARS_HEIGHT + 2 * CAPTION_HEIGHT)

    def set_counts(self, counts: NDArray[np.int64], classes: tuple[str, ...]) -> None:
        """Show int64 (3, classes): training, validation, test."""
        self._counts, self._classes = counts, classes
        self.update()

    def describe(self, position: QPointF) -> str:
        for index, bar in enumerate(self._columns()):
            if bar.left() <= position.x() < bar.right() + GAP:
                training, validation, test = (numbers.count(int(n)) for n in self._counts[:, index])
                return f"{self._classes[index]}: {training} training, {validation} validation, {test} test"
        return ""

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        columns = self._columns()
        if not columns:
            return
        painter = QPainter(self)
        most = max(1, int(self._counts[0].max()))
        metrics = painter.fontMetrics()
        painter.setPen(self.theme.color("secondary"))
        top = QRectF(0, 0, self.width(), CAPTION_HEIGHT)
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, f"Samples a class, {numbers.count(most)} at most")
        named = max(metrics.horizontalAdvance(name) for name in self._classes) <= columns[0].width() + GAP
        for bar, count, name in zip(columns, self._counts[0].tolist(), self._classes, strict=True):
            height = max(1.0, bar.height() * count / most) if count else 0.0
            painter.fillRect(QRectF(bar.left(), bar.bottom() - height, bar.width(), height), self.theme.color("train"))
            if named:
                below = QRectF(bar.left() - GAP, bar.bottom() + 1, bar.width() + 2 * GAP, CAPTION_HEIGHT)
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, name)
        painter.end()

    def _columns(self) -> list[QRectF]:
        """The full height of each class's bar."""
        count = len(self._classes)
        if not count:
            return []
        pitch = self.width() / count
        wide = max(1.0, pitch - GAP)
        return [QRectF(i * pitch, CAPTION_HEIGHT + SPACING, wide, BARS_HEIGHT - SPACING) for i in range(count)]


def to_image(picture: NDArray[Any]) -> QImage:
    """An owned QImage of a uint8 (H, W) grey or (H, W, 3) colour picture."""
    data = np.ascontiguousarray(picture, dtype=np.uint8)
    height, width = data.shape[:2]
    form = QImage.Format.Format_Grayscale8 if data.ndim == 2 else QImage.Format.Format_RGB888
    return QImage(data.data, width, height, data.strides[0], form).copy()
