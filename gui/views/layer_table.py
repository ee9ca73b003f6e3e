"""The network layer by layer: kernel, output shape, parameters and work, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui import numbers
from gui.theme import FONT_SMALL, SPACING

if TYPE_CHECKING:
    from engine.inspection.shapes import LayerRow, LayerTable

ROW_HEIGHT = 20  # px
MOST_ROWS = 14  # rows shown at once; more of them scroll
COLUMNS = ("Layer", "Kernel", "Output", "Params", "FLOPs")
HEADINGS = (
    "The layer's name in the network",
    "Height × width of its kernel, in pixels",
    "Shape of what it gives for one sample: channels × height × width, or features",
    "Numbers that training changes",
    "Floating-point operations for one sample forward; a multiplication and an addition count as two",
)


class LayerTableView(QWidget):
    """A row a layer and a line of totals. Full values are in the tooltips."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layer_table")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        self._totals = QLabel(self)
        self._totals.setObjectName("layer_totals")
        self._totals.setProperty("role", "note")
        self._totals.setTextFormat(Qt.TextFormat.PlainText)
        self._totals.setWordWrap(True)
        self._rows = _Rows(self)
        column.addWidget(self._rows)
        column.addWidget(self._totals)
        self.set_message("The network's layers appear here.")

    def set_table(self, table: LayerTable) -> None:
        """Show the layers of a network."""
        self._rows.show_rows(table.rows)
        self._rows.setVisible(True)
        self._totals.setText(totals(parameters=table.parameters, flops=table.flops))
        self.setAccessibleDescription(f"{len(table.rows)} layers, {self._totals.text()}")

    def set_message(self, text: str) -> None:
        """Show a sentence instead: what is awaited, or why there are no layers to show."""
        self._rows.setVisible(False)
        self._totals.setText(text)


class _Rows(QTableWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setObjectName("layer_rows")
        self.setAccessibleName("Layers of the network")
        font = self.font()
        font.setPixelSize(FONT_SMALL)
        self.setFont(font)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setFont(font)
        header.setFixedHeight(ROW_HEIGHT + SPACING)
        header.setMinimumSectionSize(24)
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place, (name, meaning) in enumerate(zip(COLUMNS, HEADINGS, strict=True)):
            item = QTableWidgetItem(name)
            item.setTextAlignment(_side(place))
            item.setToolTip(f"<p>{meaning}</p>")
            self.setHorizontalHeaderItem(place, item)

    def show_rows(self, rows: tuple[LayerRow, ...]) -> None:
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            tip = f"<p>{describe(row)}</p>"
            for place, text in enumerate(cells(row)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(_side(place))
                item.setToolTip(tip)
                self.setItem(number, place, item)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        rows = min(self.rowCount(), MOST_ROWS)
        frame = 2 * self.frameWidth()
        return QSize(200, rows * ROW_HEIGHT + self.horizontalHeader().height() + frame)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())


def cells(row: LayerRow) -> tuple[str, str, str, str, str]:
    """A row as the table writes it, an empty cell where there is nothing to count."""
    return (
        row.name,
        row.kernel,
        row.output_shape and "×".join(str(n) for n in row.output_shape),
        compact(row.parameters) if row.parameters else "",
        compact(row.flops) if row.flops else "",
    )


def describe(row: LayerRow) -> str:
    """A row in full."""
    shape = "×".join(str(n) for n in row.output_shape)
    kernel = f", kernel {row.kernel}" if row.kernel else ""
    counts = f"{numbers.count(row.parameters)} parameters, {numbers.count(row.flops)} FLOPs a sample"
    return f"{row.name}: {row.kind}{kernel}<br>Output {shape}<br>{counts}"


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


def _side(place: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if place == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
