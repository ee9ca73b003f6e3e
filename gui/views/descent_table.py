"""What gradient descent obtained, beside what a formula says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from gui.descent import Compared
from gui.theme import SPACING

NONE = "–"
COLUMNS = ("obtained", "formula", "difference")
WIDEST = {"obtained": "−0.000000", "formula": "−0.000000", "difference": "−0.0e−00"}  # what a column has room for
ROWS = 3
WIDTH = 480  # px at most: figures far from their names are hard to read


class DescentTable(QWidget):
    """Three quantities, a row each. The cells are called `descent_COLUMN_ROW`, rows counted from 0."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("descent_table")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(WIDTH)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACING)
        grid.setVerticalSpacing(SPACING)
        grid.setColumnStretch(0, 1)
        self._heads = {name: _label(name, role="note", right=True) for name in COLUMNS}
        self._names = [_label(NONE, role="secondary", right=False) for _ in range(ROWS)]
        self._cells = {(row, name): _label(NONE, role="", right=True) for row in range(ROWS) for name in COLUMNS}
        self._heads["formula"].setTextFormat(Qt.TextFormat.RichText)
        for column, name in enumerate(COLUMNS, start=1):
            grid.addWidget(self._heads[name], 0, column)
            grid.setColumnMinimumWidth(column, self.fontMetrics().horizontalAdvance(WIDEST[name]))
        for row, name_label in enumerate(self._names):
            grid.addWidget(name_label, row + 1, 0)
            for column, name in enumerate(COLUMNS, start=1):
                cell = self._cells[row, name]
                cell.setObjectName(f"descent_{name}_{row}")
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                grid.addWidget(cell, row + 1, column)

    def set_formula(self, formula: str, explanation: str) -> None:
        """The head of the formula's column, which may have exponents in HTML, and in sentences what it is."""
        head = self._heads["formula"]
        head.setText(formula)
        head.setToolTip(f"<p>{explanation}</p>")

    def set_rows(self, rows: Sequence[Compared]) -> None:
        """Show up to three quantities."""
        for row, name_label in enumerate(self._names):
            quantity = rows[row] if row < len(rows) else Compared("", "", None, None)
            name_label.setText(quantity.name)
            name_label.setToolTip(quantity.meaning)
            difference = quantity.difference
            texts = (
                figure(quantity.obtained),
                figure(quantity.formula),
                NONE if difference is None else _scientific(difference, digits=1),
            )
            for name, text in zip(COLUMNS, texts, strict=True):
                cell = self._cells[row, name]
                cell.setText(text)
                cell.setAccessibleName(f"{quantity.name}, {name}: {text}")


def figure(value: float | None) -> str:
    """Six decimals, or four digits and an exponent where those would not do: 0.980000, 9.571e−8, inf."""
    if value is None:
        return NONE
    plain = value == 0 or 1e-4 <= abs(value) < 100
    return f"{value:.6f}".replace("-", "−") if plain else _scientific(value, digits=3)


def _scientific(value: float, *, digits: int) -> str:
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def _label(text: str, *, role: str, right: bool) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    label.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return label
