"""A network's shapes from the input on, a layer after the other, each with its formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.sample_charts import Chart
from gui.theme import SPACING

if TYPE_CHECKING:
    from engine.inspection.first_look import ShapeStep

LINE_HEIGHT = 18  # px
INDENT = 3 * SPACING  # px, of formulas
STEP_GAP = SPACING  # px between layers
BETWEEN = "between the layers"
VERTICAL = Qt.AlignmentFlag.AlignVCenter


class ShapeSteps(Chart):
    """A line a layer with its name, class and output shape; its formula below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setObjectName("first_look_shapes")
        self.setAccessibleName("Shapes from the input to the outputs")
        self._blocks: list[tuple[int, str, str, str, tuple[str, ...]]] = []  # top, name, kind, shape, formula
        self._height = LINE_HEIGHT
        self._width = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_steps(self, steps: tuple[ShapeStep, ...], *, input_shape: tuple[int, ...]) -> None:
        lines: list[tuple[str, str, str, tuple[str, ...]]] = [("input", "", by(input_shape), ())]
        lines += [(step.name or BETWEEN, step.kind, by(step.output_shape), step.formula) for step in steps]
        self._blocks, self._height, self._width = [], 0, 0
        metrics = self.fontMetrics()
        for name, kind, shape, formula in lines:
            self._blocks.append((self._height, name, kind, shape, formula))
            self._height += LINE_HEIGHT * (1 + len(formula)) + STEP_GAP
            needed = metrics.horizontalAdvance(f"{name}  {shape}") + 2 * SPACING
            self._width = max(self._width, needed, *(INDENT + metrics.horizontalAdvance(line) for line in formula), 0)
        self.setAccessibleDescription(
            "; ".join(" ".join(filter(None, (name, kind, *formula, shape))) for name, kind, shape, formula in lines)
        )
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._width, self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width, self._height)

    def describe(self, position: QPointF) -> str:
        block = next((block for block in reversed(self._blocks) if position.y() >= block[0]), None)
        return "" if block is None else " ".join(filter(None, (block[1], block[2])))

    def paintEvent(self, event: QPaintEvent, /) -> None:
        painter = QPainter(self)
        metrics = painter.fontMetrics()
        text, secondary = self.theme.color("text"), self.theme.color("secondary")
        for top, name, kind, shape, formula in self._blocks:
            if top > event.rect().bottom() or top + LINE_HEIGHT * (1 + len(formula)) < event.rect().top():
                continue
            line = QRectF(0, top, self.width(), LINE_HEIGHT)
            painter.setPen(text)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | VERTICAL, shape)
            room = self.width() - metrics.horizontalAdvance(shape) - 2 * SPACING
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | VERTICAL, shown)
            painter.setPen(secondary)
            left = metrics.horizontalAdvance(shown) + 2 * SPACING
            painter.drawText(
                QRectF(left, top, max(room - left, 0), LINE_HEIGHT),
                Qt.AlignmentFlag.AlignLeft | VERTICAL,
                metrics.elidedText(kind, Qt.TextElideMode.ElideRight, max(room - left, 0)),
            )
            for number, words in enumerate(formula, start=1):
                below = QRectF(INDENT, top + number * LINE_HEIGHT, self.width() - INDENT, LINE_HEIGHT)
                painter.drawText(below, Qt.AlignmentFlag.AlignLeft | VERTICAL, words)
        painter.end()


def by(shape: tuple[int, ...]) -> str:
    """6×28×28."""
    return "×".join(map(str, shape))
