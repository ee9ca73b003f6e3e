"""What the activations' panel asks, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.inspection.activations import Activations, LayerActivations, activations
from engine.predict import to_sample
from gui import numbers
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import DatasetInfo, Samples
    from engine.live import LiveNetwork

PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about last."""

    live: LiveNetwork
    generation: int
    step: int | None
    running: bool
    source: str
    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    found: Activations
    info: DatasetInfo
    caption: str
    is_drawing: bool


def look(bench: Workbench, config: RunConfig, asked: Asked, drawing: NDArray[Any] | None) -> Answer:
    """Done on another thread. Raises InputError where there is no such sample."""
    info = asked.live.info
    sample = to_sample(drawing, info) if asked.source == "canvas" else None
    is_drawing = sample is not None
    if sample is not None:
        caption = "The drawing"
    else:
        sample, caption = _test_sample(bench.dataset(config).test, info, asked.number)
    return Answer(activations(asked.live, sample), info, caption, is_drawing)


def _test_sample(test: Samples, info: DatasetInfo, number: int) -> tuple[NDArray[Any], str]:
    if not len(test):
        raise InputError("dataset", f"{info.label} has no test samples", "draw something on the canvas")
    number %= len(test)
    known = f" ({info.classes[int(test.targets[number])]})" if info.classes else ""
    return test.inputs[number].numpy().copy(), f"Test sample {number}{known}"


def at_step(asked: Asked, step: int | None) -> Asked:
    """The same at another step."""
    return Asked(asked.live, asked.generation, step, asked.running, asked.source, asked.number)


def layers_of(answer: Answer) -> tuple[LayerActivations, ...]:
    """The layers, and in classification the probabilities after them."""
    layers = answer.found.layers
    if not answer.info.classes:
        return layers
    values = answer.found.answer
    return (*layers, LayerActivations(name=PROBABILITIES, kind="", shape=values.shape, values=values))


def verdict(answer: Answer) -> str:
    """What the network takes the input for, in words."""
    values, classes = answer.found.answer, answer.info.classes
    if not np.isfinite(values).all():
        return "not a number, its weights have diverged"
    if classes:
        best = int(values.argmax())
        return f"{classes[best]}, {numbers.percent(float(values[best]))}"
    return ", ".join(f"{value:.4g}".replace("-", "−") for value in values.tolist())
