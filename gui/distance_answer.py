"""What the feature distance's panel asks, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.predict import to_sample
from gui.shape_steps import by
from gui.views.input_choice import Pick
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import DatasetInfo, Samples
    from engine.inspection.distance import Distances
    from engine.live import LiveNetwork

OUTPUTS = "The outputs"
NOTHING_DRAWN = "nothing is drawn"
MOST_OTHERS = 1000  # samples that are looked through for one of another class


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about last."""

    network: tuple[object, ...]
    trained: bool
    first: Pick
    second: Pick
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    start: LiveNetwork
    layers: tuple[tuple[str, str], ...]  # names and labels
    first: NDArray[Any]
    second: NDArray[Any]
    captions: tuple[str, str, str]  # of the first, the second and quite another input
    inputs: Distances
    untrained: Distances
    now: Distances | None


def compare(
    bench: Workbench, config: RunConfig, asked: Asked, *, drawing: np.ndarray | None, start: LiveNetwork | None
) -> Answer:
    """Done on another thread. Raises InputError where there is no such input.

    Args:
        drawing: what is on the canvas.
        start: the untrained network, where it is known already.
    """
    from engine.assembly import describe_network
    from engine.inspection.distance import changed, distances, input_distances
    from engine.live import untrained

    start = start or untrained(config)
    info, test = start.info, bench.dataset(config).test
    first, first_caption = _sample(asked.first, info, test, drawing)
    if asked.second.source == "changed":
        how = asked.second
        second = changed(first, noise=how.noise, right=how.right, down=how.down)
        second_caption = "The first input, changed"
    else:
        second, second_caption = _sample(asked.second, info, test, drawing)
    other, other_caption = _another(asked.first, info, test)
    compared = {"first": first, "second": second, "slight": changed(first), "other": other}
    table = describe_network(config)
    *before, last = table.rows
    # The network's own row, for what it does beside its layers, has the name of its class and is no layer.
    named = {row.name: f"{row.name} · {by(row.output_shape)}" for row in before if row.name != row.kind}
    layers = (("", f"{OUTPUTS} · {by(last.output_shape)}"), *named.items())
    layer = asked.layer if asked.layer in named else None
    live = bench.live() if asked.trained else None
    if live is not None and (live.info.name != info.name or live.input_shape != start.input_shape):
        live = None  # the window's network is another by now: the next refresh asks again
    return Answer(
        start=start,
        layers=layers,
        first=first,
        second=second,
        captions=(first_caption, second_caption, other_caption),
        inputs=input_distances(start, **compared),
        untrained=distances(start, layer=layer, **compared),
        now=None if live is None else distances(live, layer=layer, **compared),
    )


def _sample(pick: Pick, info: DatasetInfo, test: Samples, drawing: np.ndarray | None) -> tuple[NDArray[Any], str]:
    """The input and what to call it."""
    from engine.inspection.distance import random_sample

    if pick.source == "random":
        return random_sample(info, seed=pick.seed), "Random values"
    if pick.source == "drawing":
        sample = to_sample(drawing, info)
        if sample is None:
            raise InputError("canvas", NOTHING_DRAWN, "draw something on the canvas, or choose another input")
        return sample, "What is on the canvas"
    if not len(test):
        raise InputError("dataset", f"{info.label} has no test samples", "choose a random input")
    number = pick.number % len(test)
    return test.inputs[number].numpy().copy(), f"Test sample {number}{_called(info, test, number)}"


def _another(first: Pick, info: DatasetInfo, test: Samples) -> tuple[NDArray[Any], str]:
    """The next test sample of another class than the first input's; in regression, the next one."""
    from engine.inspection.distance import random_sample

    if not len(test):
        return random_sample(info, seed=first.seed + 1), "random values"
    begin = first.number % len(test) if first.source == "sample" else -1
    number = (begin + 1) % len(test)
    if info.classes and begin >= 0:
        places = [(begin + step) % len(test) for step in range(1, min(len(test), MOST_OTHERS))]
        own = int(test.targets[begin])
        number = next((place for place in places if int(test.targets[place]) != own), number)
    return test.inputs[number].numpy().copy(), f"sample {number}{_called(info, test, number)}"


def _called(info: DatasetInfo, test: Samples, number: int) -> str:
    return f": {info.classes[int(test.targets[number])]}" if info.classes else ""
