"""A program of scalars run with torch, its graph of grad_fn nodes, and what each node did in the backward pass.

Every number comes from torch: values from its operations, gradients from hooks on its own nodes during `backward()`,
local derivatives from calling a node with the gradient 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from engine.errors import InputError
from engine.inspection.expressions import Program, Span
from engine.inspection.scalar_forward import Forward, Operand, Trouble

if TYPE_CHECKING:
    import torch
    from torch.autograd.graph import Node as TorchNode

ACCUMULATE = "AccumulateGrad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A name of the program after the backward pass.

    Attributes:
        requires_grad, is_leaf: as torch says. What requires no gradient is a leaf for torch, however it was computed.
        grad_fn: the node's name, None where torch gives None.
        grad: `.grad`, None where torch keeps none.
        node: index of the node that stands for it in the graph, None if it requires no gradient.
        no_grad: computed under no_grad.
        retained: retain_grad was called on it and changed something.
    """

    name: str
    line: int
    value: float
    requires_grad: bool
    is_leaf: bool
    grad_fn: str | None
    grad: float | None
    node: int | None
    no_grad: bool
    retained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of torch's graph.

    Attributes:
        kind: torch's name, `MulBackward0`; `AccumulateGrad` for a leaf.
        names: variables whose value it stands for; empty for a part of an expression.
        operation: `+`, `-`, `*`, `/`, `**`, `negative`, `reciprocal` or a function; empty for a leaf.
        text: the expression as it is written; for a leaf the name.
        operands: of the operation, left to right.
        value: of the forward pass.
        span: of the expression.
        reached: a gradient from the output comes here.
    """

    kind: str
    names: tuple[str, ...]
    operation: str
    text: str
    operands: tuple[Operand, ...]
    value: float
    span: Span
    reached: bool

    @property
    def is_leaf(self) -> bool:
        return self.kind == ACCUMULATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An entry of a node's next_functions: gradients go from `source` to `target`.

    Attributes:
        operand: of the source, to which the gradient belongs.
        derivative: of the source's value with respect to that operand; None where torch passes nothing on.
    """

    source: int
    target: int
    operand: int
    derivative: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node visited by the backward pass.

    Attributes:
        incoming: the sum of the gradients that arrived; 0 where torch passed none.
        handed: gradients to the node's inputs, by index of the edge; empty for a leaf, which keeps it.
    """

    node: int
    incoming: float
    handed: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutogradGraph:
    """A program's run.

    Attributes:
        output: the variable from which the backward pass went, None if none requires a gradient.
        nodes: of all variables; an operand stands before what is computed from it.
        steps: of the backward pass, in torch's order.
    """

    program: Program
    variables: tuple[Variable, ...]
    output: str | None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...]

    def variable(self, name: str) -> Variable:
        """The variable of that name, which must be one of the program's."""
        return next(variable for variable in self.variables if variable.name == name)


def record(program: Program, *, output: str | None = None, retain: Collection[str] = ()) -> AutogradGraph:
    """Run `program` in float32 on the CPU and go backward from `output`.

    Args:
        output: a variable that requires a gradient; None for the last one that does.
        retain: variables on which retain_grad is called before the backward pass.

    Raises:
        InputError: `output` or one of `retain` is no variable of the program or requires no gradient.
    """
    import torch

    with torch.enable_grad():
        forward = Forward(program)
        forward.run()
        tensors = forward.tensors
        able = [name for name, tensor in tensors.items() if tensor.requires_grad]
        for field, names in (("output", [] if output is None else [output]), ("retain", retain)):
            _check(field, names, tensors=tensors, able=able)
        root = output or (able[-1] if able else None)
        links = _Links(tensors[name] for name in able)
        derivatives = links.derivatives()
        for name in retain:
            tensors[name].retain_grad()
        steps = links.backward(tensors[root]) if root is not None else ()

    variables = []
    for assignment in program.assignments:
        tensor = tensors[assignment.name]
        retained = tensor.retains_grad and not tensor.is_leaf
        # Where torch keeps no gradient, reading `.grad` is a warning, and None.
        kept = tensor.grad if tensor.is_leaf or retained else None
        variables.append(
            Variable(
                name=assignment.name,
                line=assignment.line,
                value=tensor.item(),
                requires_grad=tensor.requires_grad,
                is_leaf=tensor.is_leaf,
                grad_fn=None if tensor.grad_fn is None else _kind(tensor.grad_fn),
                grad=None if kept is None else kept.item(),
                node=links.index_of(tensor) if tensor.requires_grad else None,
                no_grad=assignment.no_grad,
                retained=retained,
            )
        )
    spans = {assignment.name: assignment.value.span for assignment in program.assignments}
    reached = {step.node for step in steps}
    nodes = []
    for index, torch_node in enumerate(links.nodes):
        named = [variable for variable in variables if variable.node == index]
        made = forward.made.get(torch_node)
        nodes.append(
            Node(
                kind=_kind(torch_node),
                names=tuple(variable.name for variable in named),
                operation=made.operation if made else "",
                text=made.text if made else named[0].name,
                operands=made.operands if made else (),
                value=made.value if made else named[0].value,
                span=made.span if made else spans[named[0].name],
                reached=index in reached,
            )
        )
    edges = tuple(
        Edge(
            source=source,
            target=target,
            operand=forward.made[links.nodes[source]].slots[slot],
            derivative=derivatives[source, slot],
        )
        for source, slot, target in links.edges
    )
    return AutogradGraph(
        program=program,
        variables=tuple(variables),
        output=root,
        nodes=tuple(nodes),
        edges=edges,
        steps=tuple(steps),
        troubles=tuple(forward.troubles),
    )


class _Links:
    """The graph as torch linked it: its nodes, leaves first, and `edges` as (source, input slot, target)."""

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        self.nodes: list[TorchNode] = []
        self.edges: list[tuple[int, int, int]] = []
        self._index: dict[TorchNode, int] = {}
        for tensor in tensors:
            self._add(_node_of(tensor))

    def index_of(self, tensor: torch.Tensor) -> int:
        return self._index[_node_of(tensor)]

    def _add(self, root: TorchNode) -> None:
        """Depth first without recursion: a chain may be long."""
        waiting = [root]
        while waiting:
            node = waiting[-1]
            inputs = [(slot, target) for slot, (target, _) in enumerate(node.next_functions) if target is not None]
            missing = [target for _, target in inputs if target not in self._index]
            if node in self._index:
                waiting.pop()
            elif missing:
                waiting += missing
            else:
                waiting.pop()
                self._index[node] = len(self.nodes)
                self.nodes.append(node)
                self.edges += [(self._index[node], slot, self._index[target]) for slot, target in inputs]

    def derivatives(self) -> dict[tuple[int, int], float | None]:
        """By (node, input slot): what torch hands on of a gradient of 1."""
        import torch

        found: dict[tuple[int, int], float | None] = {}
        with torch.no_grad():
            for source in {source for source, _, _ in self.edges}:
                # Calling a node is torch's own way to run it alone; its class does not say so.
                call = cast("Callable[..., torch.Tensor | tuple[torch.Tensor | None, ...]]", self.nodes[source])
                answer = call(torch.ones(()))
                gradients = answer if isinstance(answer, tuple) else (answer,)
                for slot, gradient in enumerate(gradients):
                    found[source, slot] = None if gradient is None else gradient.item()
        return found

    def backward(self, root: torch.Tensor) -> tuple[Step, ...]:
        """Go backward from `root` and tell what each node was given and gave."""
        steps: list[Step] = []
        edge_at = {(source, slot): number for number, (source, slot, _) in enumerate(self.edges)}

        def watch(index: int) -> Callable[..., None]:
            def visited(handed: tuple[torch.Tensor | None, ...], incoming: tuple[torch.Tensor | None, ...]) -> None:
                given = incoming[0]
                out = {
                    edge_at[index, slot]: gradient.item()
                    for slot, gradient in enumerate(handed)
                    if gradient is not None and (index, slot) in edge_at
                }
                steps.append(Step(node=index, incoming=0.0 if given is None else given.item(), handed=out))

            return visited

        handles = [node.register_hook(watch(index)) for index, node in enumerate(self.nodes)]
        root.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        for handle in handles:
            handle.remove()
        return tuple(steps)


def _node_of(tensor: torch.Tensor) -> TorchNode:
    """The grad_fn, or a leaf's AccumulateGrad."""
    from torch.autograd.graph import get_gradient_edge

    return get_gradient_edge(tensor).node


def _kind(node: TorchNode) -> str:
    return node.name().rpartition("::")[2]


def _check(field: str, names: Collection[str], *, tensors: Mapping[str, torch.Tensor], able: list[str]) -> None:
    accepted = f"choose one of {', '.join(able)}" if able else "write a leaf such as a = 5"
    for name in names:
        if name not in tensors:
            raise InputError(field, f"the program has no variable {name}", accepted)
        if not tensors[name].requires_grad:
            raise InputError(field, f"{name} requires no gradient, so none can go back from it or be kept", accepted)
