"""The points that beginners' tutorials fit lines and curves to. Each is trained and tested on the same points."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from engine.catalog import Param, Params
from engine.datasets.data import Dataset, DatasetEntry, DatasetInfo, Loading, Samples
from engine.errors import InputError
from engine.events import Preparing

if TYPE_CHECKING:
    from torch import Tensor

# x and y of the linear regression of many an introduction to deep learning.
FIFTEEN_X = (3.3, 4.4, 5.5, 6.71, 6.93, 4.168, 9.779, 6.182, 7.59, 2.167, 7.042, 10.791, 5.313, 7.997, 3.1)
FIFTEEN_Y = (1.7, 2.76, 2.09, 3.19, 1.694, 1.573, 3.366, 2.596, 2.53, 1.221, 2.827, 3.465, 1.65, 2.904, 1.3)

CUBIC = (0.9, 0.5, 3.0, 2.4)  # y = 0.9 + 0.5x + 3x² + 2.4x³
LINE = (0.8, 3.0)  # y = 0.8 + 3x

EXAM_FILE = "exam-scores.csv"
EXAM_ROWS = 100
EXAM_MAXIMA = (99.82785779692128, 98.86943574220611)  # of the two columns: each score is divided by its own

Draw = Callable[[Params], tuple["Tensor", "Tensor"]]
"""Settings to inputs float32 (N, F) and targets, float32 (N, 1) or int64 (N,)."""


def _column(values: Sequence[float]) -> Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32).unsqueeze(1)


def _fifteen(_params: Params) -> tuple[Tensor, Tensor]:
    return _column(FIFTEEN_X), _column(FIFTEEN_Y)


def _cubic(_params: Params) -> tuple[Tensor, Tensor]:
    """As NumPy's arange(-3, 3.1, 0.1) gives x; y and the features are computed in float64 and then rounded."""
    import numpy as np
    import torch

    x = np.arange(-3, 3.1, 0.1)
    y = CUBIC[0] + CUBIC[1] * x + CUBIC[2] * x**2 + CUBIC[3] * x**3
    features = np.stack([x, x**2, x**3], axis=1)
    return torch.from_numpy(features).float(), torch.from_numpy(y).float().unsqueeze(1)


def _line(params: Params) -> tuple[Tensor, Tensor]:
    import torch

    generator = torch.Generator().manual_seed(cast("int", params["data_seed"]))
    x = torch.rand((cast("int", params["samples"]), 1), generator=generator)
    return x, LINE[1] * x + LINE[0]


def _one(_params: Params) -> tuple[Tensor, Tensor]:
    return _column((1.0,)), _column((0.0,))


def _exam(_params: Params) -> tuple[Tensor, Tensor]:
    """Raises InputError where the embedded file is missing or damaged."""
    import torch

    try:
        text = files("assets").joinpath(EXAM_FILE).read_text(encoding="utf-8")
        rows = [tuple(map(float, row)) for row in csv.reader(text.splitlines())]
        scores = [(first, second) for first, second, _ in rows]
        admitted = [int(label) for _, _, label in rows]
    except (OSError, ValueError):
        rows, scores, admitted = [], [], []
    if len(rows) != EXAM_ROWS or set(admitted) != {0, 1}:
        raise InputError("dataset", f"the embedded file {EXAM_FILE} is damaged", "install Learnscope again")
    return torch.tensor(scores, dtype=torch.float32), torch.tensor(admitted, dtype=torch.int64)


_SAMPLES = Param(
    name="samples",
    kind="int",
    default=500,
    low=2,
    high=1_000_000,
    log=True,
    label="Points",
    help="Points on the line, x evenly distributed between 0 and 1.",
    unit="points",
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


def _entry(
    name: str,
    label: str,
    summary: str,
    *,
    draw: Draw,
    size: int | None,
    features: int = 1,
    classes: tuple[str, ...] = (),
    std: tuple[float, ...] | None = None,
    params: tuple[Param, ...] = (),
) -> DatasetEntry:
    def info(given: Params) -> DatasetInfo:
        values = {param.name: param.check(given.get(param.name, param.default), part="dataset") for param in params}
        count = size if size is not None else cast("int", values["samples"])
        return DatasetInfo(
            name=name,
            label=label,
            shape=(features,),
            classes=classes,
            mean=(0.0,) * features,
            std=std or (1.0,) * features,
            train_size=count,
            validation_size=0,
            test_size=count,
        )

    def load(given: Params) -> Loading:
        yield Preparing(f"Making {label}")
        values = {param.name: param.check(given.get(param.name, param.default), part="dataset") for param in params}
        inputs, targets = draw(values)
        points = Samples(inputs, targets)
        return Dataset(info=info(given), train=points, validation=Samples(inputs[:0], targets[:0]), test=points)

    return DatasetEntry(name=name, label=label, summary=summary, params=params, info=info, load=load)


TUTORIALS = (
    _entry(
        "fifteen_points",
        "Fifteen points",
        "The fifteen points of the tutorials' linear regression.",
        draw=_fifteen,
        size=len(FIFTEEN_X),
    ),
    _entry(
        "cubic_points",
        "Points on a cubic",
        "61 points on y = 0.9 + 0.5x + 3x² + 2.4x³ from −3 to 3, with x, x² and x³ as features.",
        draw=_cubic,
        size=61,
        features=3,
    ),
    _entry(
        "line_points",
        "Points on a line",
        "Points on y = 3x + 0.8, with x drawn between 0 and 1.",
        draw=_line,
        size=None,
        params=(_SAMPLES, _SEED),
    ),
    _entry(
        "exam_scores",
        "Exam scores",
        "100 students' scores in two exams, each divided by its maximum, and whether they were admitted.",
        draw=_exam,
        size=EXAM_ROWS,
        features=2,
        classes=("not admitted", "admitted"),
        std=EXAM_MAXIMA,
    ),
    _entry(
        "one_point",
        "One point",
        "x = 1 with the target 0: with the network “linear” without a bias, the mean squared error is w².",
        draw=_one,
        size=1,
    ),
)
