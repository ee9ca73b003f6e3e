"""Learning on points: what a network answers along a line and over the plane, and what follows from a linear model.

All coordinates are the dataset's own; a network is fed (x − mean) / std of them. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import Dataset, DatasetInfo

if TYPE_CHECKING:
    from engine.live import LiveNetwork

Floats = NDArray[np.float64]
Interval = tuple[float, float]

MOST_POINTS = 2_000  # shown; of more, evenly chosen ones
_POWERS_AGREE = 1e-4  # of the largest value: float32 features are rounded
_EXACT = 1e-4  # of the targets' extent: points that lie so near a curve are taken to lie on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The training points, at most `MOST_POINTS` of `total`.

    Attributes:
        inputs: float64 (N, F).
        targets: class numbers, int64 (N,), or values, float64 (N, K).
        powers: the features are x, x², x³ … of the first, which is x; so is a single one.
        best: coefficients (F + 1,) of the polynomial in x with the least squared error over all points, from that of
            x⁰ on. None for classes, where the features are no powers, and where the points do not settle it.
        exact: all points lie on it.
    """

    inputs: Floats
    targets: NDArray[np.int64] | Floats
    total: int
    powers: bool
    best: Floats | None
    exact: bool


def points_of(dataset: Dataset) -> Points:
    """The training split of a dataset of points. Copies."""
    inputs = dataset.train.inputs.numpy().astype(np.float64)
    targets = dataset.train.targets.numpy()
    classes = bool(dataset.info.classes)
    targets = targets.astype(np.int64) if classes else targets.astype(np.float64).reshape(len(inputs), -1)
    powers = are_powers(inputs)
    fits = powers and not classes and targets.shape[1] == 1
    best = least_squares(inputs[:, 0], targets[:, 0], degree=inputs.shape[1]) if fits else None
    exact = False
    if best is not None:
        missed = np.abs(polynomial(best, inputs[:, 0]) - targets[:, 0]).max()
        exact = bool(missed <= _EXACT * max(float(np.ptp(targets)), 1e-12))
    kept = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), MOST_POINTS)).round().astype(np.int64))
    return Points(inputs=inputs[kept], targets=targets[kept], total=len(inputs), powers=powers, best=best, exact=exact)


def are_powers(inputs: Floats) -> bool:
    """Whether column k of (N, F) is the first one to the power k + 1."""
    degrees = np.arange(1, inputs.shape[1] + 1)
    wanted = inputs[:, :1] ** degrees
    return bool(
        np.allclose(inputs, wanted, rtol=0, atol=_POWERS_AGREE * max(float(np.abs(wanted).max(initial=0)), 1e-12))
    )


def least_squares(x: Floats, y: Floats, *, degree: int) -> Floats | None:
    """Coefficients (degree + 1,) from that of x⁰ on; None where the points do not settle them."""
    scale = max(float(np.abs(x).max(initial=0)), 1e-12)
    powers = np.arange(degree + 1)
    found, _, rank, _ = np.linalg.lstsq((x[:, None] / scale) ** powers, y, rcond=1e-9)
    return np.asarray(found / scale**powers) if rank == degree + 1 else None


def polynomial(coefficients: Floats, x: Floats) -> Floats:
    """Σ cₖ xᵏ at `x` (n,)."""
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients))


@dataclass(frozen=True, slots=True)
class LinearModel:
    """outputs = weights · x + bias, in the dataset's own coordinates. weights: float64 (K, F); bias: float64 (K,)."""

    weights: Floats
    bias: Floats

    @property
    def coefficients(self) -> Floats:
        """Of the only output as a polynomial of the first feature, from that of x⁰ on: (F + 1,)."""
        return np.concatenate((self.bias[:1], self.weights[0]))

    @property
    def cut(self) -> Floats | None:
        """(c, a₁ … a_F) of the plane c + a · x = 0 between two classes, above 0 in the second; None for more classes.

        With one output it is where its logit is 0, with two where they are equal.
        """
        match len(self.bias):
            case 1:
                return self.coefficients
            case 2:
                return np.concatenate((np.diff(self.bias), np.diff(self.weights, axis=0)[0]))
        return None


def linear_model(parameters: Floats, info: DatasetInfo, *, outputs: int) -> LinearModel | None:
    """The model that `parameters` are of: weight (outputs, F) row by row, then bias (outputs,) where it has one.

    None where there are not so many. The network's own inputs are x' = (x − mean) / std: its weights are divided by
    std, and what the mean adds goes into the bias.
    """
    features = info.shape[0]
    wide = outputs * features
    if len(parameters) not in (wide, wide + outputs):
        return None
    values = np.asarray(parameters, np.float64)
    bias = values[wide:] if len(values) > wide else np.zeros(outputs)
    mean, std = (np.broadcast_to(np.array(of, np.float64), (features,)) for of in (info.mean, info.std))
    weights = values[:wide].reshape(outputs, features) / std
    return LinearModel(weights, bias - weights @ mean)


def segment(cut: Floats, x: Interval, y: Interval) -> tuple[Floats, Floats] | None:
    """The part of the line c + a₁x + a₂y = 0 within a rectangle: x (2,) and y (2,); None where there is none."""
    c, a, b = (float(value) for value in cut)
    if not np.isfinite(cut).all() or (a == 0 and b == 0):
        return None
    ends: list[tuple[float, float]] = []
    if b != 0:
        ends += [(at, -(c + a * at) / b) for at in x]
    if a != 0:
        ends += [(-(c + b * at) / a, at) for at in y]
    slack = 1e-9
    wide, high = slack * (x[1] - x[0]), slack * (y[1] - y[0])
    inside = [end for end in ends if x[0] - wide <= end[0] <= x[1] + wide and y[0] - high <= end[1] <= y[1] + high]
    if len(inside) < 2:
        return None
    first = inside[0]
    last = max(inside, key=lambda end: abs(end[0] - first[0]) / (x[1] - x[0]) + abs(end[1] - first[1]) / (y[1] - y[0]))
    found = np.array(sorted((first, last)))
    return (found[:, 0], found[:, 1]) if first != last else None


def along(x: Floats, features: int) -> NDArray[np.float32]:
    """Samples (n, features) of x and its powers."""
    return np.asarray(x[:, None] ** np.arange(1, features + 1), np.float32)


def over(x: Interval, y: Interval, size: int) -> NDArray[np.float32]:
    """Samples (size², 2) in the middles of the cells of a rectangle, row by row, from the lowest x and y on."""
    middles = (np.arange(size) + 0.5) / size
    across, up = x[0] + (x[1] - x[0]) * middles, y[0] + (y[1] - y[0]) * middles
    columns, rows = np.meshgrid(across, up)
    return np.stack((columns.ravel(), rows.ravel()), axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a network said.

    Attributes:
        values: float32 (N, K): probabilities, or outputs in regression; of the parameters asked with.
        initial: the same before the first step, None where that is not known.
        parameters: today's, float32 (P,).
        initial_parameters: before the first step, or None.
    """

    values: NDArray[np.float32]
    initial: NDArray[np.float32] | None
    parameters: NDArray[np.float32]
    initial_parameters: NDArray[np.float32] | None

    @property
    def untrained(self) -> bool:
        """Whether today's parameters are the initial ones."""
        return self.initial_parameters is not None and np.array_equal(self.parameters, self.initial_parameters)


def ask(
    live: LiveNetwork, samples: NDArray[np.float32], *, parameters: Floats | None = None, initial: bool = False
) -> Answer:
    """Ask the network of this moment about samples (N, F).

    Args:
        parameters: of another moment, (P,); those that are not this network's are passed over for today's.
        initial: ask the network before its first step, too.
    """
    today, start = live.parameters(), live.initial_parameters
    of = today if parameters is None or len(parameters) != len(today) else parameters
    return Answer(
        values=live.answers(samples, parameters=of),
        initial=live.answers(samples, parameters=start) if initial and start is not None else None,
        parameters=today,
        initial_parameters=start,
    )
