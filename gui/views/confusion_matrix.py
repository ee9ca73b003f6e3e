"""The picture of a confusion matrix: a row a true class, a column for what it was taken for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.inspection.confusion import Confusion
from gui import numbers
from gui.colormap import SIDE, ZERO_LEVEL, diverging, packed, steady_limit
from gui.confusion_layout import LINE, SMALLEST, Cell, MatrixLayout, colour_levels, matrix_layout, named
from gui.sample_charts import Chart
from gui.theme import FONT_BASE, FONT_SMALL, SPACING, Theme

KEY_HEIGHT, KEY_WIDTH = 8, 56  # px, of a gradient
GAPS_FROM = 8  # px: from such cells on there is a line between them
LARGE_FROM = 44  # px: from such cells on counts stand in the larger type
CENTRE = int(Qt.AlignmentFlag.AlignCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
WHATS_THIS = (
    "Every row is a true class, every column what the network takes it for. On the diagonal, in blue, are the samples "
    "that it recognises; beside it, in orange, its mistakes. A colour is the share of the row, and mistakes have a "
    "scale of their own, since in a good network they are few. Point at a cell or walk with the arrow keys to read it; "
    "a click or Enter shows its samples."
)


class ConfusionMatrix(Chart):
    """Shares of the rows as colours, counts in the cells where there is room.

    Signals:
        pointed(cell): the Cell under the mouse, else under the keyboard's cursor, or None.
        chosen(cell): the Cell whose samples are wanted, or None.
    """

    pointed = Signal(object)
    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.theme = theme
        self._confusion: Confusion | None = None
        self._limit: float | None = None
        self._under: Cell | None = None
        self._cursor: Cell | None = None
        self._choice: Cell | None = None
        self.setObjectName("confusion_matrix")
        self.setAccessibleName("Confusion matrix")
        self.setWhatsThis(WHATS_THIS)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    # What is shown

    @property
    def limit(self) -> float:
        """The share of a row that a mistake in the strongest colour has."""
        return self._limit or 1.0

    def set_confusion(self, confusion: Confusion | None) -> None:
        """Show another one; where its classes are others, nothing is chosen any more."""
        before, self._confusion = self._confusion, confusion
        if confusion is None or before is None or confusion.classes != before.classes:
            self._limit = None
            self._under = self._cursor = None
            self._choose(None)
            self.updateGeometry()
        if confusion is not None:
            mistakes = confusion.shares
            np.fill_diagonal(mistakes, 0.0)
            self._limit = min(steady_limit(float(mistakes.max(initial=0.0)), self._limit), 1.0)
        self._tell()
        self.update()

    @property
    def choice(self) -> Cell | None:
        """The cell whose samples are wanted."""
        return self._choice

    @property
    def reading(self) -> Cell | None:
        """The cell under the mouse; else, while the keyboard is here, the one under the cursor."""
        return self._under if self._under is not None else self._cursor if self.hasFocus() else None

    def describe(self, position: QPointF) -> str:
        """What a class's name stands for."""
        confusion = self._confusion
        if confusion is None:
            return ""
        row, column = self._layout().at(position.x(), position.y())
        if (row is None) == (column is None):
            return ""
        return about_class(confusion, row if row is not None else column or 0)

    def picture(self, painter: QPainter, size: QSize) -> None:
        """Paint the matrix alone on `size` px, without cursor and choice."""
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), self.theme.color("panel"))
        painter.setFont(self.font())
        self._paint(painter, self._layout(size))

    def box(self, cell: Cell) -> QRectF:
        """Where a cell is."""
        return _box(self._layout(), cell)

    def height_in(self, width: int, height: int) -> int:
        """The height that it fills of an area."""
        return self._layout(QSize(width, height)).height

    # Painting

    def sizeHint(self) -> QSize:
        return QSize(440, 440)

    def minimumSizeHint(self) -> QSize:
        size = 10 if self._confusion is None else len(self._confusion.classes)
        side = min(size, 10) * 15 + max(0, size - 10) * SMALLEST + 4 * LINE
        return QSize(min(side, 280), side)

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        layout = self._layout()
        self._paint(painter, layout)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for cell, role, width in (
            (self._under, "text", 1.0),
            (self._cursor if self.hasFocus() else None, "text", 1.0),
            (self._choice, "accent", 2.0),
        ):
            if cell is not None and self._confusion is not None:
                painter.setPen(QPen(self.theme.color(role), width, j=Qt.PenJoinStyle.MiterJoin))
                painter.drawRect(_box(layout, cell).adjusted(-0.5, -0.5, -0.5, -0.5))
        painter.end()

    def _layout(self, size: QSize | None = None) -> MatrixLayout:
        room = self.size() if size is None else size
        names = () if self._confusion is None else self._confusion.classes
        metrics = QFontMetricsF(self.font())
        longest = max((metrics.horizontalAdvance(name) for name in names), default=1.0)
        return matrix_layout(
            size=max(1, len(names)),
            width=room.width(),
            height=room.height(),
            longest=longest,
            line=metrics.height(),
        )

    def _paint(self, painter: QPainter, layout: MatrixLayout) -> None:
        confusion = self._confusion
        if confusion is None:
            return
        levels = colour_levels(confusion.shares, limit=self.limit)
        lut = packed(diverging(self.theme))
        pixels = np.ascontiguousarray(lut[levels])
        size = layout.size
        image = QImage(pixels.data, size, size, 4 * size, QImage.Format.Format_RGB32)
        area = QRectF(layout.left, layout.top, layout.side, layout.side)
        painter.drawImage(area, image)
        painter.setPen(self.theme.color("grid"))
        for place in range(1, size) if layout.cell >= GAPS_FROM else ():
            x, y = layout.left + place * layout.cell - 0.5, layout.top + place * layout.cell - 0.5
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(self.theme.color("border"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(-0.5, -0.5, -0.5, -0.5))
        self._paint_names(painter, layout, confusion.classes)
        self._paint_counts(painter, layout, confusion.counts, pixels)
        self._paint_key(painter, layout)

    def _paint_names(self, painter: QPainter, layout: MatrixLayout, names: Sequence[str]) -> None:
        painter.setFont(self.font())
        metrics = painter.fontMetrics()
        painter.setPen(self.theme.color("secondary"))
        across = QRectF(layout.left, 0, max(layout.side, 8.0 * LINE), LINE)
        painter.drawText(across, CENTRE if layout.side >= 6 * LINE else LEFT, "taken for")
        corner = QRectF(0, layout.top - LINE, layout.left - SPACING, LINE)
        painter.drawText(corner, RIGHT, "true")
        reading = self.reading
        true, given = (None, None) if reading is None else reading
        for number, name in enumerate(names):
            if named(number, every=layout.every_row, pointed=true):
                painter.setPen(self.theme.color("text"))
                row = QRectF(0, layout.top + (number + 0.5) * layout.cell - LINE / 2, layout.left - SPACING, LINE)
                shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(row.width()))
                painter.drawText(row, RIGHT, shown)
            if named(number, every=layout.every_column, pointed=given):
                self._paint_column_name(painter, layout, number, name)

    def _paint_column_name(self, painter: QPainter, layout: MatrixLayout, number: int, name: str) -> None:
        metrics = painter.fontMetrics()
        painter.setPen(self.theme.color("text"))
        x = layout.left + (number + 0.5) * layout.cell
        room = layout.top - LINE
        if not layout.upright:
            wide = max(layout.cell * layout.every_column, float(metrics.horizontalAdvance(name)) + 1)
            painter.drawText(QRectF(x - wide / 2, LINE, wide, room - 1), CENTRE, name)
            return
        painter.save()
        painter.translate(x, layout.top - SPACING / 2)
        painter.rotate(-90)
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(0, -LINE / 2, room, LINE), LEFT, shown)
        painter.restore()

    def _paint_counts(
        self, painter: QPainter, layout: MatrixLayout, counts: NDArray[np.int64], pixels: NDArray[np.uint32]
    ) -> None:
        font = QFont(self.font())
        large = layout.cell >= LARGE_FROM
        font.setPixelSize(FONT_BASE if large else FONT_SMALL)
        write = numbers.count if large else str
        metrics = QFontMetricsF(font)
        widest = metrics.horizontalAdvance(write(int(counts.max(initial=0))))
        if widest + 2 > layout.cell or metrics.capHeight() + 2 * SPACING > layout.cell:
            return
        painter.setFont(font)
        for true, given in np.argwhere(counts).tolist():
            painter.setPen(self._ink(QColor.fromRgb(int(pixels[true, given]))))
            painter.drawText(_box(layout, Cell(true, given)), CENTRE, write(int(counts[true, given])))

    def _paint_key(self, painter: QPainter, layout: MatrixLayout) -> None:
        """The two scales, side by side under the matrix."""
        painter.setFont(self.font())
        lut = packed(diverging(self.theme))
        metrics = painter.fontMetrics()
        bar_width = min(KEY_WIDTH, max(12.0, layout.side / 8))
        texts = ["recognised, to 100\u2009%", f"mistaken, to {_short_percent(self.limit)}"]
        if 2 * (bar_width + 5 * SPACING) + sum(map(metrics.horizontalAdvance, texts)) > layout.width:
            texts[0] = "recognised"
        wide = [bar_width + SPACING + metrics.horizontalAdvance(text) + 4 * SPACING for text in texts]
        step = max(wide[0], layout.side / 2)
        x, y = max(0.0, min(layout.left, layout.width - step - wide[1])), layout.top + layout.side + SPACING
        right, mistaken = lut[ZERO_LEVEL : ZERO_LEVEL - SIDE - 1 : -1], lut[ZERO_LEVEL : ZERO_LEVEL + SIDE + 1]
        for colours, text in zip((right, mistaken), texts, strict=True):
            words = np.ascontiguousarray(colours)[None]
            image = QImage(words.data, words.shape[1], 1, words.nbytes, QImage.Format.Format_RGB32)
            bar = QRectF(x, y + (LINE - KEY_HEIGHT) / 2, bar_width, KEY_HEIGHT)
            painter.drawImage(bar, image)
            painter.setPen(self.theme.color("border"))
            painter.drawRect(bar.adjusted(-0.5, -0.5, -0.5, -0.5))
            painter.setPen(self.theme.color("secondary"))
            painter.drawText(QRectF(x + bar_width + SPACING, y, wide[1] + 8 * LINE, LINE), LEFT, text)
            x += step

    def _ink(self, ground: QColor) -> QColor:
        """The text colour or the panel's, whichever stands out more."""
        return max((self.theme.color("text"), self.theme.color("panel")), key=lambda color: contrast(color, ground))

    # Mouse and keys

    def _cell_at(self, position: QPointF) -> Cell | None:
        if self._confusion is None:
            return None
        row, column = self._layout().at(position.x(), position.y())
        return None if row is None or column is None else Cell(row, column)

    def _point_at(self, cell: Cell | None) -> None:
        if cell != self._under:
            self._under = cell
            self._tell()
            self.update()

    def _choose(self, cell: Cell | None) -> None:
        if cell != self._choice:
            self._choice = cell
            self.chosen.emit(cell)
            self.update()

    def _tell(self) -> None:
        cell = self.reading
        if self._confusion is not None:
            text = f"Accuracy {numbers.percent(self._confusion.accuracy)}"
            self.setAccessibleDescription(text if cell is None else sentence(self._confusion, cell))
        self.pointed.emit(cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self._cell_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or cell is None:
            event.ignore()
            return
        self._cursor = cell
        self._choose(None if cell == self._choice else cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._confusion is None:
            event.ignore()
            return
        last = len(self._confusion.classes) - 1
        true, given = self._cursor or Cell(0, 0)
        match event.key():
            case Qt.Key.Key_Left:
                given -= 1
            case Qt.Key.Key_Right:
                given += 1
            case Qt.Key.Key_Up:
                true -= 1
            case Qt.Key.Key_Down:
                true += 1
            case Qt.Key.Key_Home:
                true = given = 0
            case Qt.Key.Key_End:
                true = given = last
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                cell = Cell(true, given)
                self._choose(None if cell == self._choice else cell)
            case _:
                event.ignore()
                return
        self._under = None
        self._cursor = Cell(min(max(true, 0), last), min(max(given, 0), last))
        self._tell()
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._cursor is None:
            self._cursor = Cell(0, 0)
        self._tell()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._tell()
        self.update()


def _box(layout: MatrixLayout, cell: Cell) -> QRectF:
    return QRectF(*layout.corner(cell), layout.cell, layout.cell)


def sentence(confusion: Confusion, cell: Cell) -> str:
    """4 taken for 9: 23 of 982 (2.3 %)."""
    count, row = int(confusion.counts[cell]), int(confusion.counts[cell.true].sum())
    names = confusion.classes
    what = "recognised" if cell.true == cell.given else f"taken for {names[cell.given]}"
    share = f" ({numbers.percent(count / row)})" if row else ""
    return f"{names[cell.true]} {what}: {numbers.count(count)} of {numbers.count(row)}{share}"


def about_class(confusion: Confusion, number: int) -> str:
    """4: recall 96.7 %, precision 97.1 %, 982 samples."""
    recall, precision = (
        "–" if math.isnan(share) else numbers.percent(share)
        for share in (float(confusion.recall[number]), float(confusion.precision[number]))
    )
    row = int(confusion.counts[number].sum())
    samples = "1 sample" if row == 1 else f"{numbers.count(row)} samples"
    return f"{confusion.classes[number]}: recall {recall}, precision {precision}, {samples}"


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2.1's contrast ratio, 1 … 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: QColor) -> float:
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _short_percent(share: float) -> str:
    """0.5 %, 3 %: limits are round."""
    return f"{100 * share:.3g}\u2009%"
