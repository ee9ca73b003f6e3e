"""Figures of one or several curves at a point, and what they mean in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from gui.functions import figure
from gui.theme import SPACING, Theme

WIDEST = "−00.000000"  # what a figure has room for


class FunctionFigures(QWidget):
    """A row a quantity, a column a curve. The figures are called `NAME_QUANTITY_CURVE`.

    Args:
        curves: a curve's name to its title, its colour's role, and a sign that looks like its line.
    """

    def __init__(
        self, theme: Theme, name: str, quantities: tuple[str, ...], curves: Mapping[str, tuple[str, str, str]]
    ) -> None:
        super().__init__()
        self._curves = dict(curves)
        self._heads: dict[str, QLabel] = {}
        self._figures: dict[tuple[str, str], QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACING)
        grid.setVerticalSpacing(SPACING)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column, curve in enumerate(curves, start=1):
            head = self._heads[curve] = QLabel()
            head.setProperty("role", "note")
            head.setTextFormat(Qt.TextFormat.RichText)
            head.setAlignment(right)
            grid.addWidget(head, 0, column)
            grid.setColumnMinimumWidth(column, self.fontMetrics().horizontalAdvance(WIDEST))
        for row, quantity in enumerate(quantities, start=1):
            label = QLabel(quantity)
            label.setProperty("role", "secondary")
            grid.addWidget(label, row, 0)
            for column, (curve, (title, _, _)) in enumerate(curves.items(), start=1):
                text = self._figures[quantity, curve] = QLabel()
                text.setObjectName(f"{name}_{quantity}_{curve}")
                text.setAccessibleName(f"{quantity}, {title}")
                text.setTextFormat(Qt.TextFormat.PlainText)
                text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                text.setAlignment(right)
                grid.addWidget(text, row, column)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        for curve, (title, role, sign) in self._curves.items():
            color = theme.color(role).name()
            self._heads[curve].setText(f'<span style="color: {color}">{sign}</span> {title}')

    def set(self, quantity: str, curve: str, value: float) -> None:
        """Show a figure. Raises KeyError where there is no such row or column."""
        self._figures[quantity, curve].setText(figure(value))
        self._figures[quantity, curve].setToolTip(f"{value!r} in double precision")


class Sentence(QLabel):
    """Text in lines, as high as the highest of `longest`, so that nothing below or above moves while it changes."""

    def __init__(self, name: str, *, longest: Iterable[str]) -> None:
        super().__init__()
        self._longest = tuple(longest)
        self.setObjectName(name)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def heightForWidth(self, width: int, /) -> int:
        room = QRect(0, 0, width, 10_000)
        metrics = self.fontMetrics()
        heights = [metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, text).height() for text in self._longest]
        return max(super().heightForWidth(width), *heights)
