"""A program run by torch, its graph and its backward pass. The oracle is torch, used by hand."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inspection.autograd_graph import AutogradGraph, Step, record
from engine.inspection.expressions import parse

LESSON = "a = 5\na2 = 5\nb = a*5\nc = b/2 + a2*5\nno_grad: d = b*c"


def run(text: str, **options: object) -> AutogradGraph:
    return record(parse(text), **options)  # type: ignore[arg-type]  # passed on as they are


def leaf(value: float) -> torch.Tensor:
    return torch.tensor(value, requires_grad=True)


def kinds(node: torch.autograd.graph.Node) -> list[str]:
    """Names of the nodes below one, each once for each way to it, by torch's own links."""
    below = [name for target, _ in node.next_functions if target is not None for name in kinds(target)]
    return [node.name().rpartition("::")[2], *below]


def shown_kinds(graph: AutogradGraph, node: int) -> list[str]:
    targets = [edge.target for edge in graph.edges if edge.source == node]
    return [graph.nodes[node].kind, *(name for target in targets for name in shown_kinds(graph, target))]


def step_of(graph: AutogradGraph, text: str) -> Step:
    return next(step for step in graph.steps if graph.nodes[step.node].text == text)


def test_the_lesson_s_gradients() -> None:
    graph = run(LESSON)
    assert graph.output == "c"
    assert [v.grad for v in graph.variables] == [2.5, 5.0, None, None, None]
    assert [v.value for v in graph.variables] == [5.0, 5.0, 25.0, 37.5, 937.5]
    assert [v.is_leaf for v in graph.variables] == [True, True, False, False, True]
    assert [v.requires_grad for v in graph.variables] == [True, True, True, True, False]
    assert [v.grad_fn for v in graph.variables] == [None, None, "MulBackward0", "AddBackward0", None]
    assert graph.variable("d").node is None
    assert graph.variable("d").no_grad
    assert not graph.troubles


def test_retain_grad_keeps_the_gradient_of_a_result() -> None:
    graph = run(LESSON, retain=["b"])
    assert (graph.variable("b").grad, graph.variable("b").retained) == (0.5, True)
    assert graph.variable("c").grad is None
    assert [v.grad for v in graph.variables][:2] == [2.5, 5.0]
    leaf_too = run(LESSON, retain=["a"]).variable("a")
    assert (leaf_too.grad, leaf_too.retained) == (2.5, False)


def test_the_steps_are_those_of_torch_in_its_order() -> None:
    graph = run(LESSON)
    a, a2 = leaf(5.0), leaf(5.0)
    b = a * 5
    c = b / 2 + a2 * 5
    assert c.grad_fn is not None
    names: list[str] = []
    waiting = [c.grad_fn]
    while waiting:
        node = waiting.pop()
        name = node.name().rpartition("::")[2]
        node.register_hook(lambda _inputs, _outputs, name=name: names.append(name))
        waiting += [target for target, _ in node.next_functions if target is not None]
    c.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    assert [graph.nodes[step.node].kind for step in graph.steps] == names
    assert graph.steps[0].incoming == 1.0
    half = step_of(graph, "b/2")
    assert half.incoming == 1.0
    assert list(half.handed.values()) == [0.5]
    (edge,) = [graph.edges[index] for index in half.handed]
    assert edge.derivative == 0.5
    assert graph.nodes[edge.target].names == ("b",)
    assert graph.nodes[edge.source].operands[edge.operand].text == "b"


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("exp(x)", torch.exp),
        ("log(x)", torch.log),
        ("sqrt(x)", torch.sqrt),
        ("sin(x)", torch.sin),
        ("cos(x)", torch.cos),
        ("tanh(x)", torch.tanh),
        ("sigmoid(x)", torch.sigmoid),
        ("relu(x)", torch.relu),
        ("abs(x)", torch.abs),
        ("square(x)", torch.square),
        ("-x", operator.neg),
        ("x + 2", lambda x: x + 2),
        ("2 - x", lambda x: 2 - x),
        ("x - x*3", lambda x: x - x * 3),
        ("x*x", lambda x: x * x),
        ("3/x", lambda x: 3 / x),
        ("x/(x + 1)", lambda x: x / (x + 1)),
        ("x**3", lambda x: x**3),
        ("2**x", lambda x: 2**x),
        ("x**x", lambda x: x**x),
        ("detach(x)*x", lambda x: x.detach() * x),
    ],
)
@pytest.mark.parametrize("value", [0.7, 2.5])
def test_each_operation_is_torch_s(text: str, function: Callable[[torch.Tensor], torch.Tensor], value: float) -> None:
    x = leaf(value)
    y = function(x)
    y.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    assert x.grad is not None
    graph = run(f"x = {value}\ny = {text}")
    assert graph.variable("x").grad == x.grad.item()
    assert graph.variable("y").value == y.item()
    node = graph.variable("y").node
    assert node is not None
    assert y.grad_fn is not None
    assert shown_kinds(graph, node) == kinds(y.grad_fn)
    arrived = sum(
        v for step in graph.steps for i, v in step.handed.items() if graph.nodes[graph.edges[i].target].is_leaf
    )
    assert arrived == pytest.approx(x.grad.item())
    for step in graph.steps:
        for index, handed in step.handed.items():
            derivative = graph.edges[index].derivative
            assert derivative is not None
            assert handed == pytest.approx(step.incoming * derivative, rel=1e-5)


def test_both_ways_to_a_variable_are_edges_of_their_own_operands() -> None:
    graph = run("x = 3\nk = 2\nz = (x + k)*x")
    (product,) = [index for index, node in enumerate(graph.nodes) if node.operation == "*"]
    links = {graph.nodes[product].operands[e.operand].text: e for e in graph.edges if e.source == product}
    assert set(links) == {"x + k", "x"}
    assert (links["x + k"].derivative, links["x"].derivative) == (3.0, 5.0)
    assert graph.variable("x").grad == 8.0


def test_another_output_leaves_the_rest_unreached() -> None:
    graph = run(LESSON, output="b")
    assert graph.output == "b"
    assert [v.grad for v in graph.variables] == [5.0, None, None, None, None]
    assert {node.text for node in graph.nodes if not node.reached} == {"a2", "a2*5", "b/2", "b/2 + a2*5"}


def test_a_leaf_alone_and_a_second_name_for_it() -> None:
    graph = run("a = 2*3\nb = a")
    assert (graph.output, graph.variable("a").value) == ("b", 6.0)
    assert [node.names for node in graph.nodes] == [("a", "b")]
    assert [v.grad for v in graph.variables] == [1.0, 1.0]
    assert [v.is_leaf for v in graph.variables] == [True, True]


def test_nothing_requires_a_gradient() -> None:
    graph = run("no_grad: a = 5\nb = a*2\nc = detach(3)")
    assert graph.output is None
    assert (graph.nodes, graph.edges, graph.steps) == ((), (), ())
    assert [v.requires_grad for v in graph.variables] == [False, False, False]
    assert run("").variables == ()


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("output", {"output": "d"}),
        ("output", {"output": "unknown"}),
        ("retain", {"retain": ["d"]}),
        ("retain", {"retain": ["unknown"]}),
    ],
)
def test_output_and_retained_names_are_checked(field: str, options: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        run(LESSON, **options)
    assert caught.value.field == field
    assert "a, a2, b, c" in caught.value.accepted


@pytest.mark.parametrize(
    ("expression", "value", "words"),
    [
        ("5/x", math.inf, "division by zero"),
        ("-5/x", -math.inf, "division by zero"),
        ("x/x", math.nan, "0 divided by 0"),
        ("0/x", math.nan, "0 divided by 0"),
        ("1/0*(x + 1)", math.inf, "1/0 is inf: division by zero"),
        ("x**-1", math.inf, "division by zero"),
        ("log(x)", -math.inf, "towards 0"),
        ("log(x - 1)", math.nan, "negative number"),
        ("sqrt(x - 1)", math.nan, "square root of a negative"),
        ("(x - 8)**0.5", math.nan, "not whole"),
        ("exp(x + 100)", math.inf, "overflow"),
        ("x + 1e39", math.inf, "1e39 is inf: overflow"),
        ("x*(1/x)", math.nan, "0 times inf"),
        ("1/x - 1/x", math.nan, "inf minus inf"),
        ("(x + 1)/x/(1/x)", math.nan, "inf divided by inf"),
        ("sin(1/x)", math.nan, "no value at inf"),
    ],
)
def test_inf_and_nan_are_shown_with_what_made_them(expression: str, value: float, words: str) -> None:
    graph = run(f"x = 0\ny = {expression}")
    got = graph.variable("y").value
    assert got == value or (math.isnan(got) and math.isnan(value))
    assert any(words in trouble.sentence for trouble in graph.troubles)
    assert all(trouble.sentence.startswith("Line 2: ") for trouble in graph.troubles)


def test_what_only_carries_inf_or_nan_on_is_not_blamed() -> None:
    graph = run("x = 0\ny = 1/x\nz = y + 1\nu = sqrt(-y)\nw = u*2")
    assert [trouble.span.line for trouble in graph.troubles] == [2, 4]


def test_a_gradient_that_is_infinite() -> None:
    graph = run("x = 0\ny = sqrt(x)")
    assert graph.variable("x").grad == math.inf
    assert graph.edges[0].derivative == math.inf


def test_a_long_chain_is_no_recursion() -> None:
    lines = ["a0 = 1"] + [f"a{i} = a{i - 1} + 1" for i in range(1, 99)]
    graph = run("\n".join(lines))
    assert graph.variable("a98").value == 99.0
    assert len(graph.steps) == 99


OPERATIONS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@st.composite
def programs(draw: st.DrawFn) -> tuple[str, dict[str, float]]:
    """A program and what Python's own float arithmetic makes of it."""
    values: dict[str, float] = {}
    lines = []
    for index in range(draw(st.integers(1, 8))):
        name = f"v{index}"
        if not values or draw(st.booleans()):
            number = draw(st.integers(-30, 30)) / 8
            lines.append(f"{name} = {number}")
            values[name] = number
            continue
        left, right = draw(st.sampled_from(sorted(values))), draw(st.sampled_from(sorted(values)))
        sign = draw(st.sampled_from(sorted(OPERATIONS)))
        divisor = draw(st.integers(1, 9))
        lines.append(f"{name} = tanh(({left} {sign} {right})/{divisor}) - -{left}**2*0.125")
        values[name] = math.tanh(OPERATIONS[sign](values[left], values[right]) / divisor) + values[left] ** 2 * 0.125
    return "\n".join(lines), values


@settings(max_examples=60, deadline=None)
@given(case=programs())
def test_random_programs_have_the_values_of_python_s_own_arithmetic(case: tuple[str, dict[str, float]]) -> None:
    text, values = case
    graph = run(text)
    for variable in graph.variables:
        assert variable.value == pytest.approx(values[variable.name], rel=1e-3, abs=1e-4)
