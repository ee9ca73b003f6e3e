"""A small table of figures, painted: as wide as it needs, numbers under each other digit by digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.sample_charts import Chart

ROW_HEIGHT = 18  # px
COLUMN_GAP = 8  # px
SMALLEST_NAME = 48  # px of the first column at least
DIGITS = 4  # of the largest number in a column
MINUS = "−"
VERTICAL = Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and its meaning, for the tooltip."""

    title: str
    meaning: str = ""


class FigureTable(Chart):
    """Headings and rows of text; the first column stands left and takes what width is left, the others stand right.

    Args:
        name: for those who hear the window.
        columns: from left to right, one at least.
    """

    def __init__(self, name: str, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName(name)
        self._columns = tuple(columns)
        self._rows: tuple[tuple[str, ...], ...] = ()
        self._strong: frozenset[int] = frozenset()
        self._widths: list[int] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_rows(())

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """What stands there, without the headings."""
        return self._rows

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._columns

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other headings; the rows go."""
        self._columns = tuple(columns)
        self.set_rows(())

    def set_rows(self, rows: Sequence[tuple[str, ...]], *, strong: Sequence[int] = ()) -> None:
        """Show `rows`, each with a text for every column; those numbered in `strong` stand out."""
        self._rows, self._strong = tuple(rows), frozenset(strong)
        lines = [tuple(column.title for column in self._columns), *self._rows]
        plain, bold = self.fontMetrics(), QFontMetrics(strong_font(self.font()), self)
        metrics = [bold if number - 1 in self._strong else plain for number in range(len(lines))]
        self._widths = [
            max(metric.horizontalAdvance(line[place]) for metric, line in zip(metrics, lines, strict=True)) + 1
            for place in range(len(self._columns))
        ]
        self.setAccessibleDescription("; ".join(", ".join(filter(None, row)) for row in self._rows))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(sum(self._widths) + COLUMN_GAP * (len(self._widths) - 1), (len(self._rows) + 1) * ROW_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        least = sum(self._widths[1:]) + COLUMN_GAP * (len(self._widths) - 1) + min(self._widths[0], SMALLEST_NAME)
        return QSize(least, self.sizeHint().height())

    def describe(self, position: QPointF) -> str:
        line = int(position.y() // ROW_HEIGHT) - 1
        if line < 0:
            for column, (left, width) in zip(self._columns, self._places(), strict=True):
                if left - COLUMN_GAP / 2 <= position.x() < left + width + COLUMN_GAP / 2:
                    return column.meaning
            return ""
        return self._rows[line][0] if line < len(self._rows) else ""

    def paintEvent(self, event: QPaintEvent, /) -> None:
        painter = QPainter(self)
        painter.setPen(self.theme.color("border"))
        painter.drawLine(QPointF(0, ROW_HEIGHT - 0.5), QPointF(self.width(), ROW_HEIGHT - 0.5))
        top, bottom = event.rect().top(), event.rect().bottom()
        lines = [tuple(column.title for column in self._columns), *self._rows]
        plain, bold = self.font(), strong_font(self.font())
        for number in range(max(top // ROW_HEIGHT, 0), min(bottom // ROW_HEIGHT + 1, len(lines))):
            strong = number - 1 in self._strong
            painter.setFont(bold if strong else plain)
            self._paint_line(painter, number, lines[number], role="text" if number else "secondary")
        painter.end()

    def _paint_line(self, painter: QPainter, number: int, texts: tuple[str, ...], *, role: str) -> None:
        painter.setPen(self.theme.color(role))
        metrics = painter.fontMetrics()
        for place, (text, (left, width)) in enumerate(zip(texts, self._places(), strict=True)):
            side = Qt.AlignmentFlag.AlignRight if place else Qt.AlignmentFlag.AlignLeft
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRectF(left, number * ROW_HEIGHT, width, ROW_HEIGHT), side | VERTICAL, shown)

    def _places(self) -> list[tuple[int, int]]:
        """Left end and width of each column, in px."""
        others = sum(self._widths[1:]) + COLUMN_GAP * (len(self._widths) - 1)
        places = [(0, max(self.width() - others, min(self._widths[0], SMALLEST_NAME)))]
        for width in self._widths[1:]:
            left, taken = places[-1]
            places.append((left + taken + COLUMN_GAP, width))
        return places


def strong_font(font: QFont) -> QFont:
    """`font` in the weight of what stands out."""
    strong = QFont(font)
    strong.setWeight(QFont.Weight.DemiBold)
    return strong


def figures(values: NDArray[np.floating] | Sequence[float], *, digits: int = DIGITS) -> list[str]:
    """The values as texts with as many decimals each, so that the largest magnitude has `digits` digits.

    All are scientific where the largest is below 0.0001 or has 7 digits or more before the point. Only what is 0 is
    written as 0.
    """
    numbers = [float(value) for value in values]
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    fixed = -4 <= exponent < 7
    decimals = max(digits - 1 - exponent, 0) if fixed else digits - 1
    return [_figure(number, decimals=decimals, fixed=fixed) for number in numbers]


def _figure(number: float, *, decimals: int, fixed: bool) -> str:
    if math.isnan(number):
        return "not a number"
    if math.isinf(number):
        return "∞" if number > 0 else f"{MINUS}∞"
    if number == 0:
        return "0"
    text = f"{number:.{decimals}f}" if fixed else scientific(number, decimals)
    if fixed and not float(text):  # too small beside the others, and yet not 0
        text = scientific(number, 0)
    return text.replace("-", MINUS)


def scientific(number: float, decimals: int) -> str:
    """5.643e-6: without the zero that Python puts before a single digit."""
    mantissa, _, exponent = f"{number:.{decimals}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
