"""Autograd by hand: a program of scalars, the graph that torch makes of it, and the backward pass step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.errors import InputError
from engine.inspection.autograd_graph import AutogradGraph, record
from engine.inspection.expressions import ExpressionError, Program, parse
from gui.autograd_words import notes, start_sentence, step_sentence, troubles
from gui.panel_parts import fill, scrolling, words
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.autograd_view import AutogradView
from gui.views.program_editor import ProgramEditor
from gui.views.variable_table import VariableTable
from gui.workbench import Workbench

EXAMPLE = "a = 5\na2 = 5\nb = a*5\nc = b/2 + a2*5\nno_grad: d = b*c"
PAUSE = 300  # ms without a key before a program is run
WIDE = 680  # px from which the graph stands beside the program
SENTENCE_LINES = 4  # that a step's sentence has room for, so that the graph above stays where it is
GRAPH_HEIGHT, GRAPH_LIMIT = 190, 420  # px at least; at most where it is below the program
BAR = 12  # px that the panel's scroll bar takes


class AutogradPanel(QWidget):
    """The tool. `graph` is what is shown, `done` how many steps of its backward pass."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("autograd_panel")
        self.graph: AutogradGraph | None = None
        self.done = 0
        self._bench = bench
        self._asked = False
        self._output: str | None = None
        self._retain: frozenset[str] = frozenset()
        self._editor = ProgramEditor(theme)
        self._view = AutogradView(theme)
        self._view.setMinimumHeight(GRAPH_HEIGHT)
        self._table = VariableTable(theme)
        self._trouble = words("autograd_trouble", role="warning", selectable=True)
        self._notes = words("autograd_notes", role="secondary", selectable=True)
        self._sentence = words("autograd_sentence", selectable=True)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._sentence.setMinimumHeight(SENTENCE_LINES * self._sentence.fontMetrics().lineSpacing())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._run)

        self._stage = _column(self._make_outputs(), self._make_buttons(), self._view, self._sentence)
        self._stage_grows(self._view)
        self._list = _column(self._trouble, self._table, self._notes)
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        self._grid.setSpacing(3 * SPACING)
        self._wide: bool | None = None
        self._arrange(wide=False)
        fill(self, scrolling(inside, sideways=False))

        self._editor.edited.connect(self._on_edit)
        self._table.retain_changed.connect(self._on_retain)
        self._choice.activated.connect(self._on_output)
        self._editor.set_text(EXAMPLE)
        self._show()

    def set_theme(self, theme: Theme) -> None:
        for part in (self._editor, self._view, self._table):
            part.set_theme(theme)

    def refresh(self) -> None:
        """Nothing here depends on the run; the first time the program is run without waiting."""
        if not self._asked:
            self._run()

    def prepare(self, params: Mapping[str, object]) -> None:
        """Show a lesson's program.

        Args:
            params: `program`: the text; `retain`: names to keep the gradient of; `output`: the variable to go back
                from, else the last that requires a gradient. All may be left out.

        Raises:
            InputError: a value of another type, a mistake in the program, a name it does not define.
        """
        unknown = set(params) - {"program", "retain", "output"}
        if unknown:
            raise InputError("params", f"there is no {min(unknown)}", "there are program, retain and output")
        source = params.get("program", EXAMPLE)
        if not isinstance(source, str):
            raise InputError("params.program", "is no text", "lines such as a = 5")
        names = {assignment.name for assignment in parse(source).assignments}
        retain = params.get("retain", [])
        if not isinstance(retain, list | tuple) or not all(isinstance(name, str) and name in names for name in retain):
            raise InputError("params.retain", "is no list of the program's variables", f"of {', '.join(sorted(names))}")
        output = params.get("output")
        if output is not None and (not isinstance(output, str) or output not in names):
            raise InputError("params.output", f"the program has no {output}", f"one of {', '.join(sorted(names))}")
        self._retain = frozenset(str(name) for name in retain)
        self._output = output
        self.graph, self.done = None, 0
        self._editor.set_text(source)
        self._run()

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= WIDE)
        self._make_room()

    def _make_outputs(self) -> QWidget:
        self._choice = QComboBox()
        self._choice.setObjectName("autograd_output")
        self._choice.setAccessibleName("Output")
        self._choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._choice.setMinimumWidth(72)
        self._choice.setToolTip("<p>The variable on which backward() is called. It must require a gradient.</p>")
        label = QLabel("Backward from")
        label.setProperty("role", "secondary")
        label.setBuddy(self._choice)
        self._count = QLabel()
        self._count.setObjectName("autograd_count")
        self._count.setProperty("role", "secondary")
        self._count.setAccessibleName("Steps done")
        return _row(label, self._choice, None, self._count)

    def _make_buttons(self) -> QWidget:
        self._buttons: dict[str, QPushButton] = {}
        moves: tuple[tuple[str, str, str, Callable[[], None]], ...] = (
            ("reset", "Forward", "The state after the forward pass, before backward() begins.", lambda: self._go(0)),
            ("back", "Step back", "Undo the last step of the backward pass.", lambda: self._go(self.done - 1)),
            ("step", "Step", "Visit the next node of the backward pass.", lambda: self._go(self.done + 1)),
            ("all", "All", "Go through the whole backward pass.", lambda: self._go(self._steps())),
        )
        for name, text, tip, move in moves:
            button = QPushButton(text)
            button.setObjectName(f"autograd_{name}")
            button.setProperty("tip", tip)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(move)
            self._buttons[name] = button
        return _row(*self._buttons.values(), None)

    def _stage_grows(self, view: QWidget) -> None:
        layout = self._stage.layout()
        if isinstance(layout, QVBoxLayout):
            layout.setStretchFactor(view, 1)

    def _arrange(self, *, wide: bool) -> None:
        """Program and variables beside the graph where there is room, else all below each other."""
        if wide == self._wide:
            return
        self._wide = wide
        grid = self._grid
        for part in (self._editor, self._stage, self._list):
            grid.removeWidget(part)
        if wide:
            grid.addWidget(self._editor, 0, 0)
            grid.addWidget(self._list, 1, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self._stage, 0, 1, 2, 1)
        else:
            grid.addWidget(self._editor, 0, 0)
            grid.addWidget(self._stage, 1, 0)
            grid.addWidget(self._list, 2, 0)
        for column, stretch in enumerate((1, 1) if wide else (1, 0)):
            grid.setColumnStretch(column, stretch)
        grid.setRowStretch(1, 1)
        self._make_room()

    def _make_room(self) -> None:
        """Below each other, the graph is as high as it needs, since all scrolls; else as high as the panel."""
        wanted = 0 if self._wide else self._view.wanted_height(self.width() - 2 * PANEL_MARGIN - BAR)
        self._view.setMinimumHeight(min(max(wanted, GRAPH_HEIGHT), GRAPH_LIMIT))

    def _on_edit(self) -> None:
        self._view.set_stale(True)
        self._choice.setEnabled(False)
        self._enable(stale=True)
        self._timer.start()

    def _on_retain(self, name: str, wanted: bool) -> None:
        self._retain = self._retain | {name} if wanted else self._retain - {name}
        self._run()

    def _on_output(self) -> None:
        self._output = self._choice.currentText()
        self._run()

    def _run(self) -> None:
        """Read the program and have it run; what is wrong is said at once."""
        self._timer.stop()
        self._asked = True
        try:
            program = parse(self._editor.text())
        except ExpressionError as mistake:
            self._editor.show_mistake(mistake)
            self._view.set_stale(True)
            self._show()
            return
        self._editor.show_mistake(None)
        output, retain = self._output, self._retain
        self._bench.compute(
            "autograd", lambda: run(program, output=output, retain=retain), self._on_graph, self._editor.show_problem
        )

    def _on_graph(self, graph: AutogradGraph) -> None:
        if graph.program.source != self._editor.text():
            return  # of a text that was changed meanwhile; its own run follows
        same = self.graph is not None and _shape(self.graph) == _shape(graph)
        self.graph, self.done = graph, self.done if same else 0
        self._view.set_graph(graph if graph.nodes else None, start_sentence(graph))
        self._view.set_stale(False)
        self._make_room()
        self._table.set_graph(graph)
        with QSignalBlocker(self._choice):
            self._choice.clear()
            self._choice.addItems([variable.name for variable in graph.variables if variable.requires_grad])
            self._choice.setCurrentText(graph.output or "")
        self._show()

    def _steps(self) -> int:
        return len(self.graph.steps) if self.graph is not None else 0

    def _go(self, done: int) -> None:
        self.done = min(max(done, 0), self._steps())
        self._show()

    def _show(self) -> None:
        """Bring everything but the graph itself up to date with `graph` and `done`."""
        graph, done = self.graph, self.done
        stale = graph is None or graph.program.source != self._editor.text()
        self._view.set_position(done)
        self._table.set_position(done)
        current = None
        if graph is None:
            sentence = "The graph appears once the program has run."
        elif stale:
            sentence = "What is drawn is of the program before its last change."
        elif done:
            sentence = step_sentence(graph, graph.steps[done - 1])
            current = graph.nodes[graph.steps[done - 1].node].span
        else:
            sentence = start_sentence(graph)
        if graph is not None and not stale:
            self._editor.show_place(current)
        self._sentence.setText(sentence)
        self._count.setText(f"step {done} of {self._steps()}")
        finished = graph is not None and bool(graph.steps) and done == len(graph.steps)
        _say(self._notes, "\n".join(notes(graph)) if graph is not None and finished and not stale else "")
        _say(self._trouble, "\n".join(troubles(graph)) if graph is not None and not stale else "")
        self._choice.setEnabled(bool(self._choice.count()) and not stale)
        self._enable(stale=stale)

    def _enable(self, *, stale: bool) -> None:
        last = self.done >= self._steps()
        for name, button in self._buttons.items():
            reason = ""
            if stale:
                reason = "The program has no graph yet: correct it, or wait until it has run."
            elif not self._steps():
                reason = "There is nothing to go back through: no variable requires a gradient."
            elif name in ("reset", "back") and not self.done:
                reason = "The backward pass has not begun."
            elif name in ("step", "all") and last:
                reason = "The backward pass is done."
            # A disabled button loses the focus: it goes on to the next that can be pressed, not out of the row.
            focused = button.hasFocus()
            button.setEnabled(not reason)
            button.setToolTip(f"<p>{reason or button.property('tip')}</p>")
            if focused and reason:
                other = self._buttons["back" if name in ("step", "all") else "step"]
                other.setEnabled(True)
                other.setFocus()


def run(program: Program, *, output: str | None, retain: frozenset[str]) -> AutogradGraph:
    """The program's graph. What was chosen for an earlier text and does not fit this one is left aside."""
    graph = record(program)
    able = {variable.name for variable in graph.variables if variable.requires_grad}
    kept = sorted(retain & able)
    if output not in able:
        output = None
    return record(program, output=output, retain=kept) if output or kept else graph


def _shape(graph: AutogradGraph) -> tuple[object, ...]:
    """What makes a step of one graph a step of another."""
    kinds = tuple(node.kind for node in graph.nodes)
    return kinds, tuple((edge.source, edge.target) for edge in graph.edges), graph.output


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _column(*parts: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2 * SPACING)
    for part in parts:
        layout.addWidget(part)
    return column


def _row(*parts: QWidget | None) -> QWidget:
    """Widgets side by side; None is room that grows."""
    row = QWidget()
    row.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(SPACING)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        else:
            layout.addWidget(part)
    return row
