"""The autograd panel: typed programs, their mistakes in place, the backward pass step by step; its layout and words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QPlainTextEdit, QPushButton, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from engine.errors import InputError
from engine.inspection.autograd_graph import AutogradGraph, record
from engine.inspection.expressions import parse
from gui.autograd_panel import EXAMPLE, AutogradPanel
from gui.autograd_words import grad_reason, notes, start_sentence, step_sentence, troubles
from gui.graph_layout import Spacing, lay_out, layers_of
from gui.theme import DARK, LIGHT
from gui.views.autograd_view import AutogradView
from gui.views.program_editor import ProgramEditor
from tests.gui.fake_bench import FakeBench

SPACING = Spacing(width=100, height=40, beside=10, between=50)


def graph_of(text: str, **options: object) -> AutogradGraph:
    return record(parse(text), **options)  # type: ignore[arg-type]  # passed on as they are


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench()


@pytest.fixture
def panel(qtbot: QtBot, bench: FakeBench) -> AutogradPanel:
    panel = AutogradPanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.refresh()
    return panel


def button(panel: QWidget, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, f"autograd_{name}")
    assert isinstance(found, QPushButton)
    return found


def text(panel: QWidget, name: str) -> str:
    label = panel.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text() if label.isVisible() else ""


def editor(panel: QWidget) -> QPlainTextEdit:
    found = panel.findChild(QPlainTextEdit, "program")
    assert isinstance(found, QPlainTextEdit)
    return found


def cells(panel: QWidget, column: int) -> list[str]:
    table = panel.findChild(QTableWidget, "autograd_variables")
    assert isinstance(table, QTableWidget)
    items = [table.item(row, column) for row in range(table.rowCount())]
    return [item.text() for item in items if item is not None]


def retain(panel: QWidget, name: str) -> QCheckBox:
    box = panel.findChild(QCheckBox, f"retain_{name}")
    assert isinstance(box, QCheckBox)
    return box


def marked(panel: QWidget) -> list[str]:
    return [selection.cursor.selectedText() for selection in editor(panel).extraSelections()]


def test_shows_the_lesson_s_program_before_the_first_step(panel: AutogradPanel) -> None:
    assert editor(panel).toPlainText() == EXAMPLE
    assert cells(panel, 0) == ["a", "a2", "b", "c", "d"]
    assert cells(panel, 1) == ["5", "5", "25", "37.5", "937.5"]
    assert cells(panel, 2) == ["None"] * 5
    assert cells(panel, 4) == ["True", "True", "True", "True", "False"]
    assert text(panel, "autograd_count") == "step 0 of 6"
    assert "c = 37.5" in text(panel, "autograd_sentence")
    assert not button(panel, "back").isEnabled()
    assert "not begun" in button(panel, "back").toolTip()


def test_steps_go_forth_and_back(panel: AutogradPanel) -> None:
    button(panel, "step").click()
    assert "AddBackward0" in text(panel, "autograd_sentence")
    assert marked(panel) == ["b/2 + a2*5"]
    for _ in range(2):
        button(panel, "step").click()
    assert cells(panel, 2) == ["None", "5", "None", "None", "None"]
    button(panel, "back").click()
    assert cells(panel, 2) == ["None"] * 5
    button(panel, "all").click()
    assert cells(panel, 2) == ["2.5", "5", "None", "None", "None"]
    assert "b.grad and c.grad are None" in text(panel, "autograd_notes")
    assert "d requires no gradient" in text(panel, "autograd_notes")
    assert not button(panel, "step").isEnabled()
    button(panel, "reset").click()
    assert panel.done == 0
    assert text(panel, "autograd_notes") == ""


def test_all_can_be_done_with_the_keyboard(panel: AutogradPanel, qtbot: QtBot) -> None:
    step = button(panel, "step")
    panel.activateWindow()
    step.setFocus()
    qtbot.waitUntil(step.hasFocus)
    for _ in range(6):
        QTest.keyClick(step, Qt.Key.Key_Space)
    assert panel.done == 6
    back = button(panel, "back")
    assert back.hasFocus()  # the last step disables Step: the focus stays within the row
    QTest.keyClick(back, Qt.Key.Key_Space)
    assert panel.done == 5


def test_retain_grad_keeps_the_gradient_and_the_place(panel: AutogradPanel) -> None:
    button(panel, "all").click()
    retain(panel, "b").click()
    assert panel.done == 6
    assert cells(panel, 2) == ["2.5", "5", "0.5", "None", "None"]
    assert panel.findChild(QCheckBox, "retain_a") is None
    retain(panel, "b").click()
    assert cells(panel, 2)[2] == "None"


def test_another_output(panel: AutogradPanel) -> None:
    choice = panel.findChild(QComboBox, "autograd_output")
    assert isinstance(choice, QComboBox)
    assert [choice.itemText(i) for i in range(choice.count())] == ["a", "a2", "b", "c"]
    assert choice.currentText() == "c"
    choice.setCurrentText("b")
    choice.activated.emit(choice.currentIndex())
    button(panel, "all").click()
    assert cells(panel, 2) == ["5", "None", "None", "None", "None"]
    assert "a2.grad is None: b does not depend on a2." in text(panel, "autograd_notes")


def test_typing_runs_the_program_after_a_pause(panel: AutogradPanel, qtbot: QtBot) -> None:
    editor(panel).setPlainText("x = 3\ny = x**2")
    assert not button(panel, "step").isEnabled()
    qtbot.waitUntil(lambda: cells(panel, 0) == ["x", "y"])
    assert button(panel, "step").isEnabled()
    button(panel, "all").click()
    assert cells(panel, 2) == ["6", "None"]


def test_a_mistake_is_said_and_marked_in_its_place(panel: AutogradPanel, qtbot: QtBot) -> None:
    editor(panel).setPlainText("a = 5\nb = a*wrong + 1")
    qtbot.waitUntil(lambda: text(panel, "program_error") != "")
    assert text(panel, "program_error").startswith("Line 2, column 7: wrong is not defined")
    assert marked(panel) == ["wrong"]
    assert not button(panel, "all").isEnabled()
    assert "correct it" in button(panel, "all").toolTip()
    assert "before its last change" in text(panel, "autograd_sentence")
    editor(panel).setPlainText("a = 5\nb = a")
    assert marked(panel) == []
    qtbot.waitUntil(lambda: text(panel, "program_error") == "")
    assert button(panel, "all").isEnabled()


@pytest.mark.parametrize(
    ("source", "mark"),
    [
        ("a = (1 +", "+"),
        ("\U0001d44e = 1", "\U0001d44e"),
        ("a = 1 # \U0001d44e\nb = 2 ^ 3", "^"),
        ("no_grad:\n", "no_grad:"),
    ],
)
def test_what_is_missing_marks_the_end_and_any_character_can_be_marked(
    panel: AutogradPanel, qtbot: QtBot, source: str, mark: str
) -> None:
    editor(panel).setPlainText(source)
    qtbot.waitUntil(lambda: text(panel, "program_error") != "")
    assert marked(panel) == [mark]


def test_inf_and_nan_are_shown_and_explained(panel: AutogradPanel) -> None:
    panel.prepare({"program": "x = 0\ny = 1/x\nz = y - y\nw = x*2"})
    assert cells(panel, 1) == ["0", "inf", "nan", "0"]
    said = text(panel, "autograd_trouble")
    assert "Line 2: 1/x is inf: division by zero." in said
    assert "Line 3: y - y is nan: inf minus inf has no value." in said


def test_an_empty_program_teaches(panel: AutogradPanel) -> None:
    panel.prepare({"program": ""})
    assert "a = 5" in text(panel, "autograd_sentence")
    assert cells(panel, 0) == []
    panel.prepare({"program": "no_grad: a = 5"})
    assert "No variable requires a gradient" in text(panel, "autograd_sentence")
    assert not button(panel, "step").isEnabled()


def test_a_lesson_s_settings(panel: AutogradPanel) -> None:
    panel.prepare({"program": "u = 2\nv = u*u\nw = v*3", "retain": ["v"], "output": "w"})
    button(panel, "all").click()
    assert cells(panel, 2) == ["12", "3", "None"]
    assert retain(panel, "v").isChecked()
    panel.prepare({})
    assert editor(panel).toPlainText() == EXAMPLE


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"program": 5}, "program"),
        ({"program": "a = "}, "line 1, column 4"),
        ({"retain": "b"}, "retain"),
        ({"retain": ["zz"]}, "retain"),
        ({"retain": [[1]]}, "retain"),
        ({"output": "zz"}, "output"),
        ({"output": ["a"]}, "output"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_lesson_s_wrong_settings_are_refused(panel: AutogradPanel, params: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        panel.prepare(params)
    assert editor(panel).toPlainText() == EXAMPLE


def test_an_answer_to_an_earlier_text_is_left_aside(panel: AutogradPanel, bench: FakeBench, qtbot: QtBot) -> None:
    bench.later = True
    shown = panel.graph
    retain(panel, "b").click()
    editor(panel).setPlainText("q = 1")
    bench.run_jobs()
    assert panel.graph is shown
    assert cells(panel, 0) == ["a", "a2", "b", "c", "d"]
    qtbot.waitUntil(lambda: bool(bench.jobs))
    bench.run_jobs()
    assert cells(panel, 0) == ["q"]


def test_what_no_longer_fits_the_program_is_left_aside(panel: AutogradPanel) -> None:
    retain(panel, "b").click()
    panel._editor.set_text("no_grad: b = 2\nx = 3")
    panel._run()
    assert cells(panel, 0) == ["b", "x"]
    assert text(panel, "program_error") == ""


def test_graph_stands_beside_the_program_where_there_is_room(panel: AutogradPanel) -> None:
    view, program = panel.findChild(AutogradView), panel.findChild(ProgramEditor)
    assert isinstance(view, AutogradView)
    assert isinstance(program, ProgramEditor)

    def corner(widget: QWidget) -> tuple[int, int]:
        at = widget.mapTo(panel, widget.rect().topLeft())
        return at.x(), at.y()

    assert corner(view)[0] > corner(program)[0] + program.width()
    panel.resize(360, 400)
    assert corner(view)[1] > corner(program)[1]
    panel.set_theme(DARK)
    assert not panel.grab().isNull()


def test_nodes_say_what_they_are(qtbot: QtBot) -> None:
    view = AutogradView(DARK)
    qtbot.addWidget(view)
    view.set_graph(None, "Nothing yet")
    view.resize(700, 300)
    view.show()
    assert view.picture.describe(QPointF(5, 5)) == ""
    assert view.picture.accessibleDescription() == "Nothing yet"
    view.set_graph(graph_of(EXAMPLE, output="b"))
    found = {view.picture.describe(QPointF(x, y)) for x in range(0, 700, 8) for y in range(0, 300, 8)}
    assert "MulBackward0\nb = a*5 = 25\nderivative by a: 5" in found
    assert any("b does not depend on it" in said for said in found)
    assert view.picture.accessibleDescription() == "6 nodes, 5 edges"
    view.set_position(1)
    assert "visited: MulBackward0 of b" in view.picture.accessibleDescription()
    assert not view.grab().isNull()


def test_a_large_graph_scrolls_and_follows_the_step(qtbot: QtBot) -> None:
    lines = ["a0 = 1"] + [f"a{i} = a{i - 1}*1.1 + a0" for i in range(1, 40)]
    view = AutogradView(LIGHT)
    qtbot.addWidget(view)
    view.resize(400, 300)
    with qtbot.waitExposed(view):
        view.show()
    graph = graph_of("\n".join(lines))
    view.set_graph(graph)
    assert max(view.picture.width() / 400, view.picture.height() / 300) > 3
    bars = (view.horizontalScrollBar(), view.verticalScrollBar())
    seen = []
    for done in (1, len(graph.steps)):
        view.set_position(done)
        place = view.picture.current_place()
        assert place is not None
        assert view.viewport().rect().contains(view.picture.mapTo(view.viewport(), place.center().toPoint()))
        seen.append(tuple(bar.value() for bar in bars))
    assert seen[0] != seen[1]


def test_words_for_each_step() -> None:
    graph = graph_of(EXAMPLE, retain=["b"])
    said = [step_sentence(graph, step) for step in graph.steps]
    assert said[0].startswith("AddBackward0, c = b/2 + a2*5, receives ∂c/∂c = 1.")
    assert "Its derivative by b is 0.5 (1/2): b is handed 1 × 0.5 = 0.5." in said[3]
    assert said[4].endswith("a is handed 0.5 × 5 = 2.5.\nretain_grad keeps 0.5 in b.grad.")
    assert said[5] == "AccumulateGrad: a is a leaf.\na.grad = ∂c/∂a = 2.5"
    assert "retain_grad was called" in grad_reason(graph, graph.variable("b"))
    assert notes(graph)[0].startswith("c.grad is None: c is not a leaf but the result of AddBackward0")


def test_words_for_sums_and_for_infinite_gradients() -> None:
    graph = graph_of("x = 3\ny = x*x - 2*x")
    assert step_sentence(graph, graph.steps[-1]).endswith("added.\nx.grad = ∂y/∂x = -2 + 3 + 3 = 4")
    steep = graph_of("x = 0\ny = sqrt(x)\nz = y*0")
    said = "\n".join(step_sentence(steep, step) for step in steep.steps)
    assert "is inf (1/(2 · sqrt(x))): x is handed 0 × inf = nan. 0 times inf has no value: nan." in said
    large = graph_of("x = 1\ny = x*1e30\nz = y*1e30")
    assert "Overflow" in "\n".join(step_sentence(large, step) for step in large.steps)
    assert troubles(large) == ["Line 3: y*1e30 is inf: overflow, since float32 ends at 3.4e+38."]
    assert "Write a = 5" in start_sentence(graph_of(""))


@st.composite
def drawn_graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    count = draw(st.integers(0, 12))
    pairs = [(source, target) for source in range(count) for target in range(source)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    return count, edges


@settings(max_examples=80)
@given(case=drawn_graphs(), across=st.booleans())
def test_layouts_keep_nodes_apart_and_edges_in_one_direction(
    case: tuple[int, list[tuple[int, int]]], across: bool
) -> None:
    count, edges = case
    layout = lay_out(count, edges, SPACING, across=across)
    assert len(layout.nodes) == count
    for x, y in layout.nodes:
        assert SPACING.width / 2 <= x <= layout.width - SPACING.width / 2 + 1e-6
        assert SPACING.height / 2 <= y <= layout.height - SPACING.height / 2 + 1e-6
    for first in range(count):
        for second in range(first):
            (x1, y1), (x2, y2) = layout.nodes[first], layout.nodes[second]
            assert abs(x1 - x2) >= SPACING.width - 1e-6 or abs(y1 - y2) >= SPACING.height - 1e-6
    axis = 0 if across else 1
    for (source, target), route in zip(edges, layout.routes, strict=True):
        assert (route[0], route[-1]) == (layout.nodes[source], layout.nodes[target])
        assert all(a[axis] > b[axis] for a, b in pairwise(route))


def test_layers_are_longest_ways_and_circles_are_refused() -> None:
    assert layers_of(4, [(1, 0), (2, 1), (3, 2), (3, 0)]) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="circle"):
        layers_of(2, [(0, 1), (1, 0)])
