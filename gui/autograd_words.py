"""Autograd in sentences: what a step of the backward pass does, and why a `.grad` is None. No Qt, no torch."""

from __future__ import annotations

import math
import re

from engine.inspection.autograd_graph import AutogradGraph, Edge, Node, Step, Variable

DERIVATIVES = {
    "+": ("1", "1"),
    "-": ("1", "-1"),
    "*": ("{1}", "{0}"),
    "/": ("1/{1}", "-{0}/{1}²"),
    "**": ("{1} · {0}**({1} - 1)", "{0}**{1} · log({0})"),
    "negative": ("-1",),
    "reciprocal": ("-1/{0}²",),
    "exp": ("exp({0})",),
    "log": ("1/{0}",),
    "sqrt": ("1/(2 · sqrt({0}))",),
    "sin": ("cos({0})",),
    "cos": ("-sin({0})",),
    "tanh": ("1 - tanh({0})²",),
    "sigmoid": ("sigmoid({0}) · (1 - sigmoid({0}))",),
    "relu": ("1 above 0 and 0 below",),
    "abs": ("the sign of {0}",),
    "square": ("2 · {0}",),
}
_SIMPLE = re.compile(r"\w+(\.\w+)?|\w+\([^()]*\)", re.ASCII)


def number(value: float) -> str:
    """Six significant digits; `inf` and `nan` as they are."""
    return f"{value:.6g}"


def title(node: Node) -> str:
    """A node by its variables, or by its expression: `b`, `b/2`."""
    return ", ".join(node.names) or node.text


def local_derivative(graph: AutogradGraph, edge: Edge) -> str:
    """Of the source with respect to the operand, with its rule where that says more than the number: `0.5 (1/2)`."""
    node = graph.nodes[edge.source]
    rule = DERIVATIVES[node.operation][edge.operand]
    if rule in ("{0}", "{1}"):
        said = rule.format(*(operand.text for operand in node.operands))
    else:
        said = rule.format(*(_factor(operand.text) for operand in node.operands))
    if edge.derivative is None:
        return said
    value = number(edge.derivative)
    return value if said == value else f"{value} ({said})"


def start_sentence(graph: AutogradGraph) -> str:
    """What there is before the first step."""
    if not graph.variables:
        return "Write a = 5 in a line, and b = a*5 in the next, to see a graph."
    if graph.output is None:
        return "No variable requires a gradient, so torch keeps no graph and there is nothing to go back through."
    output = graph.variable(graph.output)
    return (
        f"The forward pass gave {output.name} = {number(output.value)}. {output.name}.backward() starts with the "
        f"gradient ∂{output.name}/∂{output.name} = 1. Press Step to follow it."
    )


def step_sentence(graph: AutogradGraph, step: Step) -> str:
    """What the node does with the gradient that arrives: a line, and one for each gradient handed on or kept."""
    node = graph.nodes[step.node]
    parts = _arrivals(graph, step)
    incoming = number(step.incoming)
    total = f"{_sum(parts)} = {incoming}" if len(parts) > 1 else incoming
    output = graph.output
    if node.is_leaf:
        kept = " and ".join(f"{name}.grad" for name in node.names)
        added = " The gradients of all ways to it are added." if len(parts) > 1 else ""
        return f"AccumulateGrad: {title(node)} is a leaf.{added}\n{kept} = ∂{output}/∂{node.names[0]} = {total}"
    lines = [f"{node.kind}, {_equation(node)}, receives ∂{output}/∂{_factor(title(node))} = {total}."]
    for index, handed in step.handed.items():
        edge = graph.edges[index]
        operand = node.operands[edge.operand].text
        said = [
            f"Its derivative by {operand} is {local_derivative(graph, edge)}:",
            f"{operand} is handed {_product(step.incoming, edge.derivative, handed)}.",
            *_gradient_trouble(step.incoming, edge.derivative, handed),
        ]
        lines.append(" ".join(said))
    for name in node.names:
        if graph.variable(name).retained:
            lines.append(f"retain_grad keeps {incoming} in {name}.grad.")
    return "\n".join(lines)


def grad_reason(graph: AutogradGraph, variable: Variable) -> str:
    """A sentence on a variable's `.grad` after the backward pass."""
    name = variable.name
    if variable.grad is not None:
        kept = "retain_grad was called on it" if variable.retained else "it is a leaf"
        return f"{name}.grad is {number(variable.grad)}: the gradient is kept because {kept}."
    if not variable.requires_grad:
        return f"{name}.grad is None: {name} requires no gradient, {_why_without(variable)}."
    if variable.is_leaf or variable.retained:
        return f"{name}.grad is None: {graph.output} does not depend on {name}."
    return (
        f"{name}.grad is None: {name} is not a leaf but the result of {variable.grad_fn}, whose gradient is passed on "
        "and not kept. retain_grad keeps it."
    )


def notes(graph: AutogradGraph) -> list[str]:
    """What the table does not say by itself: why gradients are missing after the backward pass."""
    missing = [variable for variable in graph.variables if variable.grad is None]
    results = [variable.name for variable in missing if variable.grad_fn is not None and not variable.retained]
    said = [grad_reason(graph, variable) for variable in missing if variable.name not in results]
    if len(results) > 1:
        names = f"{', '.join(f'{name}.grad' for name in results[:-1])} and {results[-1]}.grad"
        why = "they belong to results of operations, not to leaves. retain_grad keeps such a gradient"
        said.insert(0, f"{names} are None: {why}.")
    elif results:
        said.insert(0, grad_reason(graph, graph.variable(results[0])))
    return said


def troubles(graph: AutogradGraph) -> list[str]:
    """Where inf and nan came from in the forward pass."""
    return [f"{trouble.sentence}." for trouble in graph.troubles]


def _why_without(variable: Variable) -> str:
    if variable.no_grad:
        return "since it was computed under no_grad and is not part of the graph"
    return "since nothing that it was computed from does"


def _arrivals(graph: AutogradGraph, step: Step) -> list[float]:
    """The gradients that came over each edge to a step's node."""
    return [
        handed
        for other in graph.steps
        for index, handed in other.handed.items()
        if graph.edges[index].target == step.node
    ]


def _sum(values: list[float]) -> str:
    first, *rest = values
    return number(first) + "".join(f" - {number(-v)}" if v < 0 else f" + {number(v)}" for v in rest)


def _product(incoming: float, derivative: float | None, handed: float) -> str:
    if derivative is None:
        return number(handed)
    product = incoming * derivative
    same = math.isclose(product, handed, rel_tol=1e-4) or (math.isnan(product) and math.isnan(handed))
    return f"{_signed(incoming)} × {_signed(derivative)} = {number(handed)}" if same else number(handed)


def _gradient_trouble(incoming: float, derivative: float | None, handed: float) -> list[str]:
    """How a gradient became inf or nan."""
    if math.isfinite(handed) or derivative is None or math.isnan(incoming):
        return []
    if math.isnan(derivative):
        return ["The derivative is nan there: it has no value."]
    if math.isinf(derivative) and math.isfinite(incoming):
        if math.isnan(handed):
            return ["0 times inf has no value: nan."]
        return ["The derivative is inf there: division by zero, or overflow."]
    if math.isnan(handed):
        return ["0 times inf has no value: nan."]
    return [] if math.isinf(incoming) else ["Overflow: float32 ends at 3.4e+38."]


def _equation(node: Node) -> str:
    return f"{title(node)} = {node.text}" if node.names else node.text


def _factor(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _signed(value: float) -> str:
    text = number(value)
    return f"({text})" if text.startswith("-") else text
