"""The variables of a program as torch sees them, and which keep their gradient."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QCheckBox, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from engine.inspection.autograd_graph import AutogradGraph, Variable
from gui.autograd_words import grad_reason, number
from gui.theme import SPACING, Theme

COLUMNS = {
    "Name": "The variable.",
    "Value": "Its value after the forward pass, in float32.",
    "grad": "What .grad holds after the steps done so far.",
    "retain_grad": "Tick it to keep the gradient of a variable that is not a leaf.",
    "requires_grad": "Whether torch notes what is computed from it.",
    "Leaf": "is_leaf: not the result of an operation that torch noted.",
    "grad_fn": "The node that made it, which knows how to go back.",
}
RETAIN = list(COLUMNS).index("retain_grad")
ROW_HEIGHT = 26  # px
ROWS = 6  # in view at once without scrolling, at least where there are so many


class VariableTable(QTableWidget):
    """A row a variable.

    Signals:
        retain_changed: a variable's name, and whether the person wants its gradient kept.
    """

    retain_changed = Signal(str, bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self._theme = theme
        self._graph: AutogradGraph | None = None
        self._done = 0
        self.setObjectName("autograd_variables")
        self.setAccessibleName("Variables")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.setHorizontalHeaderLabels(list(COLUMNS))
        for column, meaning in enumerate(COLUMNS.values()):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(meaning)
                item.setTextAlignment(_side(column))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        self._set_height()

    def set_graph(self, graph: AutogradGraph) -> None:
        """Show the variables of a graph before its first step."""
        self._graph, self._done = graph, 0
        self._fill()

    def set_position(self, done: int) -> None:
        """How many steps of the backward pass are done."""
        self._done = done
        self._fill()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._fill()

    def _fill(self) -> None:
        graph = self._graph
        if graph is None:
            return
        visited = {step.node for step in graph.steps[: self._done]}
        self.setRowCount(len(graph.variables))
        for row, variable in enumerate(graph.variables):
            arrived = variable.grad is not None and variable.node in visited
            texts = (
                variable.name,
                number(variable.value),
                number(variable.grad) if arrived and variable.grad is not None else "None",
                "",
                str(variable.requires_grad),
                str(variable.is_leaf),
                variable.grad_fn or "None",
            )
            done = self._done >= len(graph.steps)
            why = grad_reason(graph, variable) if done or arrived else "The backward pass has not come here yet."
            for column, text in enumerate(texts):
                self._put(row, column, text, color=self._color(column, text, arrived=arrived))
                self._tip(row, column, why if column == 2 else "")
            self._put_check(row, variable)
        self._set_height()

    def _put(self, row: int, column: int, text: str, *, color: QColor) -> None:
        """The items stay, so that the keyboard's place in the table does."""
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            item.setTextAlignment(_side(column))
            self.setItem(row, column, item)
        item.setText(text)
        item.setForeground(color)

    def _tip(self, row: int, column: int, text: str) -> None:
        item = self.item(row, column)
        if item is not None:
            item.setToolTip(text)

    def _put_check(self, row: int, variable: Variable) -> None:
        name, item = variable.name, self.item(row, RETAIN)
        box: QWidget | None = self.cellWidget(row, RETAIN)
        able = variable.requires_grad and not variable.is_leaf
        if isinstance(box, QCheckBox) and (not able or box.objectName() != f"retain_{name}"):
            self.removeCellWidget(row, RETAIN)
            box = None
        if able and box is None:
            box = QCheckBox()
            box.setObjectName(f"retain_{name}")
            box.setAccessibleName(f"{name}.retain_grad()")
            box.setToolTip(f"<p>{name} is not a leaf: torch keeps its gradient only after {name}.retain_grad().</p>")
            box.setContentsMargins(SPACING, 0, 0, 0)
            box.clicked.connect(lambda wanted: self.retain_changed.emit(name, wanted))
            self.setCellWidget(row, RETAIN, box)
        if isinstance(box, QCheckBox):
            box.setChecked(variable.retained)
        elif item is not None:
            item.setText("–")
            reason = "is a leaf, and keeps its gradient anyway" if variable.requires_grad else "requires no gradient"
            item.setToolTip(f"{name} {reason}.")

    def _color(self, column: int, text: str, *, arrived: bool) -> QColor:
        if text in ("inf", "-inf", "nan"):
            return self._theme.color("warning")
        if column == 2 and arrived:
            return self._theme.color("accent")
        return self._theme.color("text" if column < 2 else "secondary")

    def _set_height(self) -> None:
        """As high as its rows, up to ROWS of them."""
        header = self.horizontalHeader().sizeHint().height()
        bar = self.horizontalScrollBar().sizeHint().height()
        rows = max(self.rowCount(), 2)
        self.setMinimumHeight(header + min(rows, ROWS) * ROW_HEIGHT + bar + 4)
        self.setMaximumHeight(header + rows * ROW_HEIGHT + bar + 4)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in (1, 2) else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
