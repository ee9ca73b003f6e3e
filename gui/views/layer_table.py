"""The network layer by layer: kernel, output shape, parameters and work, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui import numbers
from gui.disclosure import Disclosure
from gui.sample_charts import Chart
from gui.theme import SPACING, Theme

if TYPE_CHECKING:
    from engine.inspection.shapes import LayerRow, LayerTable

ROW_HEIGHT = 18  # px
FIRST_ROWS = 12  # rows of a deeper network shown at once; the rest unfold
COLUMN_GAP, LEAST_GAP = 10, 6  # px; the second where it is narrow
SMALLEST_NAME = 40  # px the first column keeps when the others need much
COLUMNS = ("Layer", "Kernel", "Output", "Params", "FLOPs")
MEANINGS = (
    "The layer's name in the network",
    "Height × width of its kernel or pooling window, in pixels",
    "Shape of what it gives for one sample: channels × height × width, or features",
    "Numbers that training changes",
    "Floating-point operations for one sample, forward; a multiplication and an addition count as two",
)
ELIDE = Qt.TextElideMode.ElideMiddle


class LayerTableView(QWidget):
    """A row a layer and a line of totals. Full values are in the tooltips."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layer_table")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        self._rows = LayerRows(parent=self)
        self._rows.setObjectName("layer_rows")
        self._rows.setAccessibleName("Layers of the network")
        self._rest = LayerRows(headed=False, parent=self)
        self._all = Disclosure("All layers", self._rest, self)
        self._all.setObjectName("layer_all")
        self._totals = QLabel(self)
        self._totals.setObjectName("layer_totals")
        self._totals.setProperty("role", "note")
        self._totals.setTextFormat(Qt.TextFormat.PlainText)
        self._totals.setWordWrap(True)
        last = QHBoxLayout()
        last.addWidget(self._totals, 1)
        last.addWidget(self._all)
        for widget in (self._rows, self._rest):
            column.addWidget(widget)
        column.addLayout(last)
        self.set_message("The network's layers appear here.")

    def set_table(self, table: LayerTable) -> None:
        """Show the layers of a network."""
        first, rest = table.rows[:FIRST_ROWS], table.rows[FIRST_ROWS:]
        widths = column_widths(self._rows, table.rows)
        self._rows.set_rows(first, widths)
        self._rest.set_rows(rest, widths)
        self._rows.setVisible(True)
        self._rest.setVisible(bool(rest) and self._all.isChecked())
        self._all.setVisible(bool(rest))
        self._all.setToolTip(f"<p>{len(rest)} more layers</p>")
        self._totals.setText(totals(parameters=table.parameters, flops=table.flops))
        self.setAccessibleDescription(f"{len(table.rows)} layers, {self._totals.text()}")

    def set_message(self, text: str) -> None:
        """Show a sentence instead: what is awaited, or why there are no layers to show."""
        for widget in (self._rows, self._rest, self._all):
            widget.setVisible(False)
        self._totals.setText(text)

    def set_theme(self, theme: Theme) -> None:
        self._rows.set_theme(theme)
        self._rest.set_theme(theme)


class LayerRows(Chart):
    """The rows, painted: the numbers' columns as wide as they need, the names with what is left.

    Args:
        headed: with the columns' headings.
    """

    def __init__(self, *, headed: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._headed = headed
        self._rows: tuple[LayerRow, ...] = ()
        self._widths: list[int] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: tuple[LayerRow, ...], widths: list[int]) -> None:
        """Show `rows`; `widths` in px of all columns but the first."""
        self._rows, self._widths = rows, widths
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(SMALLEST_NAME + sum(self._widths), (len(self._rows) + self._headed) * ROW_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(SMALLEST_NAME, self.sizeHint().height())

    def describe(self, position: QPointF) -> str:
        line = int(position.y() // ROW_HEIGHT) - self._headed
        if line < 0:
            return next(
                (m for m, (x, w) in zip(MEANINGS, self._places(), strict=True) if x <= position.x() < x + w), ""
            )
        return describe(self._rows[line]) if line < len(self._rows) else ""

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        if self._headed:
            painter.setPen(self.theme.color("border"))
            painter.drawLine(QPointF(0, ROW_HEIGHT - 0.5), QPointF(self.width(), ROW_HEIGHT - 0.5))
            self._paint_line(painter, 0, COLUMNS, role="secondary")
        for number, row in enumerate(self._rows, start=int(self._headed)):
            self._paint_line(painter, number, cells(row), role="text" if row.parameters else "secondary")
        painter.end()

    def _paint_line(self, painter: QPainter, number: int, texts: tuple[str, ...], *, role: str) -> None:
        painter.setPen(self.theme.color(role))
        for place, (text, (x, width)) in enumerate(zip(texts, self._places(), strict=True)):
            side = Qt.AlignmentFlag.AlignRight if place else Qt.AlignmentFlag.AlignLeft
            shown = self.fontMetrics().elidedText(text, ELIDE, width) if width else ""
            painter.drawText(
                QRectF(x, number * ROW_HEIGHT, width, ROW_HEIGHT), side | Qt.AlignmentFlag.AlignVCenter, shown
            )

    def _places(self) -> list[tuple[int, int]]:
        """Left end and width of each column, in px. Where not all fit, the kernels are left to the tooltips."""
        widths, number = list(self._widths), len(self._widths)
        gap = (self.width() - SMALLEST_NAME - sum(widths)) // number if number else 0
        if gap < LEAST_GAP and number:
            widths[0] = 0
        gap = min(max(gap, LEAST_GAP), COLUMN_GAP)
        between = [gap if width else 0 for width in widths]
        places = [(0, max(SMALLEST_NAME, self.width() - sum(widths) - sum(between)))]
        for width, distance in zip(widths, between, strict=True):
            left, taken = places[-1]
            places.append((left + taken + distance, width))
        return places


def column_widths(widget: QWidget, rows: tuple[LayerRow, ...]) -> list[int]:
    """Px that each column but the first needs in the widget's font, headings included."""
    metrics = widget.fontMetrics()
    lines = [COLUMNS, *(cells(row) for row in rows)]
    return [max(metrics.horizontalAdvance(line[place]) for line in lines) + 1 for place in range(1, len(COLUMNS))]


def cells(row: LayerRow) -> tuple[str, str, str, str, str]:
    """A row as the table writes it, an empty cell where there is nothing to count."""
    return (
        row.name,
        _by(row.kernel),
        _by(row.output_shape),
        compact(row.parameters) if row.parameters else "",
        compact(row.flops) if row.flops else "",
    )


def describe(row: LayerRow) -> str:
    """A row in full."""
    kernel = f", kernel {_by(row.kernel)}" if row.kernel else ""
    counts = f"{numbers.count(row.parameters)} parameters, {numbers.count(row.flops)} FLOPs a sample"
    return f"{row.name}: {row.kind}{kernel}\nOutput {_by(row.output_shape)}\n{counts}"


def totals(*, parameters: int, flops: int) -> str:
    """61 706 parameters · 0.83 MFLOPs a sample."""
    value = compact(flops)
    number, _, prefix = value.partition(numbers.THIN)
    return f"{numbers.count(parameters)} parameters · {number}{numbers.THIN}{prefix}FLOPs a sample"


def compact(number: int) -> str:
    """Three significant digits and k, M, G or T: 950, 48.1 k, 235 k, 1.82 G."""
    if number < 1000:
        return str(number)
    value = float(number)
    for prefix in ("k", "M", "G", "T"):
        value /= 1000
        if value < 999.5 or prefix == "T":
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{numbers.THIN}{prefix}"


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
