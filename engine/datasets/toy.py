"""The two-dimensional classification sets of TensorFlow Playground: points in two colours.

The formulas are those of tensorflow/playground, src/dataset.ts: classifyCircleData, classifyXORData,
classifyTwoGaussData and classifySpiralData. Class 1 is its label +1 (blue), class 0 its label −1 (orange). Points keep
its coordinates, about −6 … 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from engine.catalog import Param, Params, ParamValue
from engine.datasets.data import Dataset, DatasetEntry, DatasetInfo, Loading, Samples
from engine.datasets.images import NORMALIZE
from engine.events import Preparing

if TYPE_CHECKING:
    from torch import Generator, Tensor

CLASSES = ("orange", "blue")

_RADIUS = 5.0
_PADDING = 0.3
# Brings coordinates of all four sets to about −2 … 2.
_SCALE = 2.5

_SAMPLES = Param(
    name="samples",
    kind="int",
    default=1_000,
    low=10,
    high=200_000,
    log=True,
    label="Points",
    help="Points in all. Half of them test what was learned, the others are for training and validation.",
    unit="points",
)
_NOISE = Param(
    name="noise",
    kind="float",
    default=0.0,
    low=0.0,
    high=0.5,
    label="Noise",
    help="How far the two colours run into each other. 0 keeps them apart (the Gaussians still overlap a little).",
)
_SEED = Param(
    name="data_seed",
    kind="int",
    default=0,
    low=0,
    high=2**31 - 1,
    label="Data seed",
    help="The points follow from it: the same seed draws the same points.",
)
_VALIDATION = Param(
    name="validation",
    kind="float",
    default=0.2,
    low=0.0,
    high=0.5,
    label="Validation share",
    help="The share of the training half that is kept out of training to tell learning from memorising.",
)
_SCALED = Param(
    name=NORMALIZE.name,
    kind="bool",
    default=True,
    label="Normalise",
    help=f"Divides the coordinates by {_SCALE:g}, so that inputs are about −2 … 2. Off: coordinates go in as they are.",
)
_PARAMS = (_SAMPLES, _NOISE, _SEED, _VALIDATION, _SCALED)

Draw = Callable[[int, float, "Generator"], tuple["Tensor", "Tensor"]]
"""(how many, noise, generator) to float64 (N, 2) points and bool (N,), true for blue."""


def _checked(params: Params) -> dict[str, ParamValue]:
    return {param.name: param.check(params.get(param.name, param.default), part="dataset") for param in _PARAMS}


def toy_info(name: str, label: str, params: Params) -> DatasetInfo:
    """The facts of the toy set called `name`. Raises InputError for settings out of range."""
    values = _checked(params)
    samples = cast("int", values["samples"])
    test = samples // 2
    validation = round((samples - test) * cast("float", values["validation"]))
    return DatasetInfo(
        name=name,
        label=label,
        shape=(2,),
        classes=CLASSES,
        mean=(0.0, 0.0),
        std=(_SCALE, _SCALE) if values["normalize"] else (1.0, 1.0),
        train_size=samples - test - validation,
        validation_size=validation,
        test_size=test,
    )


def load_toy(info: DatasetInfo, params: Params, draw: Draw) -> Loading:
    """Draws the points and splits them in random order: training, validation, test."""
    import torch

    yield Preparing(f"Drawing {info.label}")
    values = _checked(params)
    generator = torch.Generator().manual_seed(cast("int", values["data_seed"]))
    count = info.train_size + info.validation_size + info.test_size
    points, blue = draw(count, cast("float", values["noise"]), generator)
    order = torch.randperm(count, generator=generator)
    inputs = points[order].to(torch.float32)
    targets = blue[order].to(torch.int64)
    sizes = [info.train_size, info.validation_size, info.test_size]
    train, validation, test = (
        Samples(x, y) for x, y in zip(torch.split(inputs, sizes), torch.split(targets, sizes), strict=True)
    )
    return Dataset(info=info, train=train, validation=validation, test=test)


def _uniform(count: int, columns: int, generator: Generator, *, low: float, high: float) -> Tensor:
    import torch

    unit = torch.rand((count, columns), generator=generator, dtype=torch.float64)
    return low + (high - low) * unit


def draw_circles(count: int, noise: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A disc of radius 2.5 inside a ring from 3.5 to 5. Noise moves a point before it is asked which side it is on."""
    import torch

    inner = count - count // 2
    r = torch.cat(
        (
            _uniform(inner, 1, generator, low=0, high=0.5 * _RADIUS),
            _uniform(count - inner, 1, generator, low=0.7 * _RADIUS, high=_RADIUS),
        )
    )
    angle = _uniform(count, 1, generator, low=0, high=2 * math.pi)
    points = r * torch.cat((angle.sin(), angle.cos()), dim=1)
    moved = points + noise * _uniform(count, 2, generator, low=-_RADIUS, high=_RADIUS)
    return points, moved.norm(dim=1) < 0.5 * _RADIUS


def draw_xor(count: int, noise: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Four quadrants, blue where x and y have the same sign, with a gap of 0.3 along the axes."""
    import torch

    points = _uniform(count, 2, generator, low=-_RADIUS, high=_RADIUS)
    points = points + torch.where(points > 0, _PADDING, -_PADDING)
    moved = points + noise * _uniform(count, 2, generator, low=-_RADIUS, high=_RADIUS)
    return points, moved.prod(dim=1) >= 0


def draw_gaussians(count: int, noise: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Two round clouds, blue around (2, 2) and orange around (−2, −2). Their variance goes from 0.5 to 4 with noise."""
    import torch

    variance = 0.5 + (4 - 0.5) * noise / 0.5
    blue = torch.arange(count) < count - count // 2
    centre = torch.where(blue, 2.0, -2.0).to(torch.float64).unsqueeze(1)
    spread = torch.randn((count, 2), generator=generator, dtype=torch.float64)
    return centre + math.sqrt(variance) * spread, blue


def draw_spirals(count: int, noise: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Two arms of 1.75 turns, half a turn apart, out to radius 5."""
    import torch

    inner = count - count // 2
    blue = torch.arange(count) < inner
    along = torch.cat([torch.arange(n, dtype=torch.float64) / n for n in (inner, count - inner)])
    t = 1.75 * along * 2 * math.pi + torch.where(blue, 0.0, math.pi)
    points = (along * _RADIUS).unsqueeze(1) * torch.stack((t.sin(), t.cos()), dim=1)
    return points + noise * _uniform(count, 2, generator, low=-1, high=1), blue


def _entry(name: str, label: str, summary: str, draw: Draw) -> DatasetEntry:
    def info(params: Params) -> DatasetInfo:
        return toy_info(name, label, params)

    def load(params: Params) -> Loading:
        return load_toy(info(params), params, draw)

    return DatasetEntry(name=name, label=label, summary=summary, params=_PARAMS, info=info, load=load)


TOYS = (
    _entry(
        "circles", "Circles", "Points on a disc and on a ring around it: no straight line parts them.", draw_circles
    ),
    _entry("xor", "XOR", "Points in four quadrants, opposite ones in one colour: exclusive or.", draw_xor),
    _entry("gaussians", "Two Gaussians", "Two clouds of points that a straight line parts.", draw_gaussians),
    _entry("spirals", "Spirals", "Two spirals wound into each other: the hardest of the four.", draw_spirals),
)
