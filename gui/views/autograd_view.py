"""The graph of grad_fn nodes, drawn, and how far the backward pass has come in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

from engine.inspection.autograd_graph import AutogradGraph, Node
from gui.autograd_words import local_derivative, number, title
from gui.graph_layout import Layout, Spacing, lay_out
from gui.sample_charts import Chart
from gui.theme import FONT_BASE, FONT_SMALL, SPACING, Theme

NODE = Spacing(width=140, height=60, beside=16, between=68)  # px at scale 1, side by side in a layer of the way across
STACK = Spacing(width=140, height=60, beside=16, between=40)  # with the leaves at the top
MARGIN = 8  # px around the graph
STUB = 44  # px for the gradient 1 that comes in at the output
SMALLEST, LARGEST = 0.9, 1.25  # scales
PORT = 18  # px between edges at the same side of a node, at most
ARROW = 6  # px
STALE = 0.35  # opacity of a graph that is not the program's any more
ELIDE = Qt.TextElideMode.ElideMiddle


class AutogradView(QScrollArea):
    """The graph at a scale that fits, leaves left or on top; with scroll bars where it would be too small to read."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("autograd_graph")
        self.setAccessibleName("Graph of the backward pass")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumSize(QSize(160, 140))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.picture = GraphPicture()
        self.picture.set_theme(theme)
        self.setWidget(self.picture)

    def set_graph(self, graph: AutogradGraph | None, hint: str = "") -> None:
        """Show a graph before its first step, or `hint` where there is none."""
        self.picture.set_graph(graph, hint)
        self._fit()

    def set_position(self, done: int) -> None:
        """How many steps of the backward pass are done."""
        self.picture.set_position(done)
        place = self.picture.current_place()
        if place is not None:
            at = place.center().toPoint()
            self.ensureVisible(at.x(), at.y(), int(place.width() / 2), int(place.height() / 2))

    def wanted_height(self, width: int) -> int:
        """Px in which the graph is seen whole at `width` px; 0 where there is none."""
        return self.picture.wanted_height(width)

    def set_stale(self, stale: bool) -> None:
        """Whether the graph is of an earlier program than the one that is written now."""
        self.picture.set_stale(stale)

    def set_theme(self, theme: Theme) -> None:
        self.picture.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # The room without scroll bars: with that beside the present bars, they would come and go in turn.
        bars = QSize(self.verticalScrollBar().sizeHint().width(), self.horizontalScrollBar().sizeHint().height())
        self.picture.fit(self.maximumViewportSize(), bars)


class GraphPicture(Chart):
    """The graph, painted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._graph: AutogradGraph | None = None
        self._hint = ""
        self._done = 0
        self._stale = False
        self._layouts: dict[bool, Layout] = {}  # by whether it goes across
        self._across = True
        self._scale = 1.0

    def set_graph(self, graph: AutogradGraph | None, hint: str) -> None:
        self._graph, self._hint, self._done = graph, hint, 0
        self._layouts = {}
        if graph is not None and graph.nodes:
            links = [(edge.source, edge.target) for edge in graph.edges]
            for across, spacing in ((True, NODE), (False, STACK)):
                self._layouts[across] = lay_out(len(graph.nodes), links, spacing, across=across)
        self._describe_all()
        self.update()

    def set_position(self, done: int) -> None:
        self._done = done
        self._describe_all()
        self.update()

    def set_stale(self, stale: bool) -> None:
        if stale != self._stale:
            self._stale = stale
            self.update()

    def wanted_height(self, width: int) -> int:
        """Px that the graph needs to be seen whole and well readable in `width` px; 0 where there is none."""
        if not self._layouts:
            return 0
        heights = []
        for across in self._layouts:
            extent = self._extent(across)
            if width >= SMALLEST * extent.width():
                heights.append(ceil(min(1.0, width / extent.width()) * extent.height()))
        return min(heights, default=ceil(self._extent(True).height()))

    def fit(self, room: QSize, bars: QSize) -> None:
        """Take the orientation that can be drawn larger in `room`, and the size it needs.

        Args:
            bars: what the upright scroll bar takes of the width, and the level one of the height.
        """
        if not self._layouts:
            self.resize(room)
            return
        scales = {}
        for across in self._layouts:
            extent = self._extent(across)
            scales[across] = min(room.width() / extent.width(), room.height() / extent.height())
        self._across = scales[True] >= scales[False]
        self._scale = min(LARGEST, max(SMALLEST, scales[self._across]))
        needed = self._extent(self._across) * self._scale
        left = QSize(
            room.width() - (bars.width() if needed.height() > room.height() else 0),
            room.height() - (bars.height() if needed.width() > room.width() else 0),
        )
        self.resize(left.expandedTo(needed))
        self.update()

    def current_place(self) -> QRectF | None:
        """Where the node of the step just done is drawn, in px of this widget."""
        graph = self._graph
        if graph is None or not self._layouts or not 0 < self._done <= len(graph.steps):
            return None
        place = self._box(graph.steps[self._done - 1].node)
        origin = self._origin()
        return QRectF(origin + place.topLeft() * self._scale, place.size() * self._scale)

    def describe(self, position: QPointF) -> str:
        graph = self._graph
        if graph is None or not self._layouts:
            return ""
        at = (position - self._origin()) / self._scale
        for index, node in enumerate(graph.nodes):
            if self._box(index).contains(at):
                return _described(graph, index, node)
        return ""

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        graph = self._graph
        if graph is None or not self._layouts:
            painter.setPen(self.theme.color("secondary"))
            painter.setFont(_font(self.font(), size=FONT_BASE))
            frame = QRectF(self.rect()).adjusted(16, 16, -16, -16)
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._hint)
        else:
            painter.setOpacity(STALE if self._stale else 1.0)
            painter.translate(self._origin())
            painter.scale(self._scale, self._scale)
            self._paint_edges(painter, graph)
            self._paint_start(painter, graph)
            for index, node in enumerate(graph.nodes):
                self._paint_node(painter, graph, index, node)
        painter.end()

    def _extent(self, across: bool) -> QSize:
        layout = self._layouts[across]
        wide, high = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
        return QSize(int(wide + STUB * across) + 1, int(high + STUB * (not across)) + 1)

    def _origin(self) -> QPointF:
        """Where the layout's own origin is drawn: the graph stands in the middle."""
        extent = self._extent(self._across) * self._scale
        margin = MARGIN * self._scale
        left = max(0.0, (self.width() - extent.width()) / 2) + margin
        return QPointF(left, max(0.0, (self.height() - extent.height()) / 2) + margin)

    def _box(self, index: int) -> QRectF:
        x, y = self._layouts[self._across].nodes[index]
        return QRectF(x - NODE.width / 2, y - NODE.height / 2, NODE.width, NODE.height)

    def _paint_edges(self, painter: QPainter, graph: AutogradGraph) -> None:
        routes = self._layouts[self._across].routes
        handed: dict[int, float] = {}
        latest: set[int] = set()
        for step in graph.steps[: self._done]:
            handed.update(step.handed)
            latest = set(step.handed)
        lines = self._lines(graph, routes)
        labels = []
        for index, line in enumerate(lines):
            edge = graph.edges[index]
            reached = graph.nodes[edge.source].reached
            role = "accent" if index in handed else "secondary"
            color = self.theme.color(role, 1.0 if index in handed else 0.6 if reached else 0.3)
            width = 2.5 if index in latest else 1.5 if index in handed else 1.0
            self._paint_line(painter, line, color, width)
            if index in handed:
                labels.append((line, number(handed[index]), "accent", True))
            elif edge.derivative is not None and reached:
                labels.append((line, f"×{number(edge.derivative)}", "secondary", False))
        for line, text, role, bold in labels:
            self._paint_label(painter, (line[0] + line[1]) / 2, text, role, bold=bold)

    def _lines(self, graph: AutogradGraph, routes: Sequence[Sequence[tuple[float, float]]]) -> list[list[QPointF]]:
        """Each edge as points from its source's side to its target's; edges at the same side stand apart."""
        forth, side = (QPointF(1, 0), QPointF(0, 1)) if self._across else (QPointF(0, 1), QPointF(1, 0))
        half = (NODE.width if self._across else NODE.height) / 2
        room = NODE.height if self._across else NODE.width
        starts = _ports([edge.source for edge in graph.edges], [route[1] for route in routes], room, self._across)
        ends = _ports([edge.target for edge in graph.edges], [route[-2] for route in routes], room, self._across)
        lines = []
        for route, start, end in zip(routes, starts, ends, strict=True):
            points = [QPointF(*point) for point in route]
            line = [points[0] - forth * half + side * start]
            for point in points[1:-1]:
                line += [point + forth * half, point - forth * half]
            lines.append([*line, points[-1] + forth * half + side * end])
        return lines

    def _paint_line(self, painter: QPainter, line: list[QPointF], color: QColor, width: float) -> None:
        """Curves between layers, straight through them, with an arrow at the end."""
        bend = QPointF(0.5, 0) if self._across else QPointF(0, 0.5)
        path = QPainterPath(line[0])
        for index, (start, end) in enumerate(pairwise(line)):
            if index % 2:
                path.lineTo(end)
            else:
                way = end - start
                offset = QPointF(way.x() * bend.x(), way.y() * bend.y())
                path.cubicTo(start + offset, end - offset, end)
        painter.setPen(QPen(color, width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
        self._paint_arrow(painter, line[-1], color)

    def _paint_arrow(self, painter: QPainter, tip: QPointF, color: QColor) -> None:
        back, side = (QPointF(ARROW, 0), QPointF(0, ARROW / 2)) if self._across else (QPointF(0, ARROW), QPointF(3, 0))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawPolygon(QPolygonF([tip, tip + back + side, tip + back - side]))

    def _paint_start(self, painter: QPainter, graph: AutogradGraph) -> None:
        """The gradient 1 that backward() gives to the output."""
        if graph.output is None:
            return
        node = graph.variable(graph.output).node
        if node is None:
            return
        box = self._box(node)
        tip = QPointF(box.right(), box.center().y()) if self._across else QPointF(box.center().x(), box.bottom())
        away = QPointF(STUB, 0) if self._across else QPointF(0, STUB)
        role = "accent" if self._done else "secondary"
        color = self.theme.color(role, 1.0 if self._done else 0.6)
        painter.setPen(QPen(color, 2.5 if self._done == 1 else 1.5 if self._done else 1.0))
        painter.drawLine(tip, tip + away)
        self._paint_arrow(painter, tip, color)
        self._paint_label(painter, tip + away * 0.6, "1", role, bold=bool(self._done))

    def _paint_label(self, painter: QPainter, at: QPointF, text: str, role: str, *, bold: bool) -> None:
        painter.setFont(_font(self.font(), size=FONT_SMALL, bold=bold))
        metrics = painter.fontMetrics()
        wide, high = metrics.horizontalAdvance(text) + 2 * SPACING, metrics.height()
        frame = QRectF(at.x() - wide / 2, at.y() - high / 2, wide, high)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.color("panel"))
        painter.drawRoundedRect(frame, SPACING, SPACING)
        painter.setPen(self.theme.color(role))
        painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_node(self, painter: QPainter, graph: AutogradGraph, index: int, node: Node) -> None:
        theme, box = self.theme, self._box(index)
        visited = [step for step in graph.steps[: self._done] if step.node == index]
        current = bool(visited) and graph.steps[self._done - 1].node == index
        dim = not node.reached
        frame = theme.color("accent" if visited else "secondary", 0.5 if dim else 1.0)
        pen = QPen(frame, 2.0 if current else 1.0)
        if dim:
            pen.setStyle(Qt.PenStyle.DashLine)
        radius = box.height() / 2 if node.is_leaf else 6.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, radius, radius)
        painter.setPen(pen)
        painter.setBrush(theme.color("accent", 0.16) if current else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, radius, radius)

        gradient = ""
        if visited:
            kept = f"{node.names[0]}.grad =" if node.is_leaf else "gradient"
            gradient = f"{kept} {number(visited[-1].incoming)}"
        lines = (
            (node.kind, FONT_SMALL, False, "secondary"),
            (f"{title(node)} = {number(node.value)}", FONT_BASE, True, "secondary" if dim else "text"),
            (gradient, FONT_SMALL, True, "accent"),
        )
        inside = box.adjusted(6, 4, -6, -4)
        height = inside.height() / len(lines)
        for row, (text, size, bold, role) in enumerate(lines):
            painter.setFont(_font(self.font(), size=size, bold=bold))
            painter.setPen(theme.color(role))
            inset = 12 if node.is_leaf and row != 1 else 0  # the round ends leave less room
            line = QRectF(inside.left() + inset, inside.top() + row * height, inside.width() - 2 * inset, height)
            shown = painter.fontMetrics().elidedText(text, ELIDE, int(line.width()))
            painter.drawText(line, Qt.AlignmentFlag.AlignCenter, shown)

    def _describe_all(self) -> None:
        graph = self._graph
        if graph is None:
            self.setAccessibleDescription(self._hint)
            return
        visited = ", ".join(
            f"{graph.nodes[step.node].kind} of {title(graph.nodes[step.node])}" for step in graph.steps[: self._done]
        )
        self.setAccessibleDescription(
            f"{len(graph.nodes)} nodes, {len(graph.edges)} edges" + (f"; visited: {visited}" if visited else "")
        )


def _ports(nodes: Sequence[int], towards: Sequence[tuple[float, float]], room: float, across: bool) -> list[float]:
    """For each edge at one side of its node, how far from the side's middle it stands, in px."""
    places = [0.0] * len(nodes)
    for node in set(nodes):
        edges = [edge for edge, at in enumerate(nodes) if at == node]
        edges.sort(key=lambda edge: (towards[edge][1 if across else 0], edge))
        pitch = min(PORT, (room - 16) / len(edges))
        for rank, edge in enumerate(edges):
            places[edge] = (rank - (len(edges) - 1) / 2) * pitch
    return places


def _described(graph: AutogradGraph, index: int, node: Node) -> str:
    """A node in full, for its tooltip."""
    equation = f"{title(node)} = {node.text}" if node.names and not node.is_leaf else title(node)
    lines = [node.kind, f"{equation} = {number(node.value)}"]
    for edge in graph.edges:
        if edge.source == index:
            lines.append(f"derivative by {node.operands[edge.operand].text}: {local_derivative(graph, edge)}")
    if not node.reached:
        lines.append(f"{graph.output} does not depend on it: no gradient comes here")
    return "\n".join(lines)


def _font(base: QFont, *, size: int, bold: bool = False) -> QFont:
    font = QFont(base)
    font.setPixelSize(size)
    font.setBold(bold)
    return font
