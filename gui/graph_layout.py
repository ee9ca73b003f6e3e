"""A directed graph without circles, drawn in layers: where its nodes stand and its edges run. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

SWEEPS = 6  # over the layers, to and fro

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Sizes of a node, and the free room between neighbours in a layer and between layers, all in px."""

    width: float
    height: float
    beside: float
    between: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Centres of the nodes, and each edge as a line of points from its source's centre to its target's.

    x goes right and y down, from 0; `width` and `height` hold the nodes whole.
    """

    nodes: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(count: int, edges: Sequence[tuple[int, int]], spacing: Spacing, *, across: bool) -> Layout:
    """Place nodes 0 … count-1 so that every edge (source, target) has its target in an earlier layer.

    Args:
        across: the first layer is at the left; else at the top.

    Raises:
        ValueError: the edges form a circle.
    """
    layers, paths = _with_waypoints(layers_of(count, edges), edges)
    order = _ordered(layers, paths)
    along, side = (spacing.width, spacing.height) if across else (spacing.height, spacing.width)
    places = _placed(order, paths, count=count, node=side + spacing.beside)
    low = min(places, default=0.0)
    points = []
    for where, layer in zip(places, layers, strict=True):
        main = along / 2 + layer * (along + spacing.between)
        cross = where - low + side / 2
        points.append((main, cross) if across else (cross, main))
    routes = tuple(tuple(points[point] for point in path) for path in paths)
    width = max((x for x, _ in points), default=0.0) + spacing.width / 2
    height = max((y for _, y in points), default=0.0) + spacing.height / 2
    return Layout(nodes=tuple(points[:count]), routes=routes, width=width, height=height)


def layers_of(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way from each node down to one without targets, in edges."""
    targets: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count  # targets without a layer yet
    sources: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        targets[source].append(target)
        sources[target].append(source)
        waiting[source] += 1
    layers = [0] * count
    ready = [node for node in range(count) if not waiting[node]]
    for node in ready:  # grows meanwhile
        layers[node] = 1 + max((layers[target] for target in targets[node]), default=-1)
        for source in sources[node]:
            waiting[source] -= 1
            if not waiting[source]:
                ready.append(source)
    if len(ready) < count:
        raise ValueError("the edges form a circle")
    return layers


def _with_waypoints(layers: list[int], edges: Sequence[tuple[int, int]]) -> tuple[list[int], list[list[int]]]:
    """Edges over several layers get a waypoint in each: points numbered on from the nodes, and every edge's path."""
    layers, paths = list(layers), []
    for source, target in edges:
        path = [source]
        for layer in range(layers[source] - 1, layers[target], -1):
            path.append(len(layers))
            layers.append(layer)
        paths.append([*path, target])
    return layers, paths


def _neighbours(count: int, paths: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Of each point, those in the layer before and in the layer after."""
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for path in paths:
        for upper, lower in pairwise(path):
            before[upper].append(lower)
            after[lower].append(upper)
    return before, after


def _ordered(layers: list[int], paths: list[list[int]]) -> list[list[int]]:
    """The points of each layer in an order with few crossings: barycentres, to and fro."""
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for point, layer in enumerate(layers):
        rows[layer].append(point)
    before, after = _neighbours(len(layers), paths)
    rank = [0.0] * len(layers)
    for row in rows:
        for index, point in enumerate(row):
            rank[point] = index / len(row)
    for sweep in range(SWEEPS):
        near = after if sweep % 2 else before
        for row in reversed(rows) if sweep % 2 else rows:
            wish = {point: _mean([rank[other] for other in near[point]], rank[point]) for point in row}
            row.sort(key=wish.__getitem__)
            for index, point in enumerate(row):
                rank[point] = index / len(row)
    return rows


def _placed(rows: list[list[int]], paths: list[list[int]], *, count: int, node: float) -> list[float]:
    """Places within the layers, `node` px between neighbours, half as much beside a waypoint; edges rather straight."""
    total = sum(len(row) for row in rows)
    before, after = _neighbours(total, paths)
    places = [0.0] * total
    for row in rows:
        at = 0.0
        for index, point in enumerate(row):
            at += _gap(row[index - 1], point, count=count, node=node) if index else 0.0
            places[point] = at
        for point in row:
            places[point] -= at / 2
    for sweep in range(SWEEPS):
        for row in reversed(rows) if sweep % 2 else rows:
            wish = [_mean([places[n] for n in before[p] + after[p]], places[p]) for p in row]
            for point, place in zip(row, _apart(row, wish, count=count, node=node), strict=True):
                places[point] = place
    return places


def _apart(row: list[int], wish: list[float], *, count: int, node: float) -> list[float]:
    """Places near the wished ones with room between neighbours: the mean of pushing right and of pushing left."""
    gaps = [_gap(a, b, count=count, node=node) for a, b in pairwise(row)]
    right, left = list(wish), list(wish)
    for index, gap in enumerate(gaps):
        right[index + 1] = max(right[index + 1], right[index] + gap)
    for index in range(len(gaps) - 1, -1, -1):
        left[index] = min(left[index], left[index + 1] - gaps[index])
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]


def _gap(first: int, second: int, *, count: int, node: float) -> float:
    return node if first < count and second < count else node / 2


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
