"""Track: where a small network's parameters went. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.events import StepFinished

MOST_ROWS = 20_000  # beyond, every other row between the first and the last is left out


class Track:
    """The parameters after every step and the gradients that led there.

    Attributes:
        names: of the values, K of them; empty where the network has too many to tell.
        steps: int64 (n,), ascending.
        parameters, gradients: float64 (n, K).

    The arrays are not to be written to; `add` replaces them.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.steps: NDArray[np.int64] = np.empty(0, np.int64)
        self.parameters: NDArray[np.float64] = np.empty((0, len(names)))
        self.gradients: NDArray[np.float64] = np.empty((0, len(names)))

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, events: Sequence[StepFinished]) -> None:
        """Take in steps in order; those that tell nothing are passed over."""
        told = [event for event in events if event.parameters is not None and event.gradients is not None]
        if told:
            self.extend(
                np.array([event.step for event in told], np.int64),
                np.array([event.parameters for event in told], np.float64),
                np.array([event.gradients for event in told], np.float64),
            )

    def extend(self, steps: NDArray[np.int64], parameters: NDArray[np.float64], gradients: NDArray[np.float64]) -> None:
        """Take in steps in order: (n,), (n, K) and (n, K)."""
        steps = np.append(self.steps, steps)
        parameters = np.concatenate((self.parameters, parameters))
        gradients = np.concatenate((self.gradients, gradients))
        while len(steps) > MOST_ROWS:
            kept = np.ones(len(steps), bool)
            kept[1:-1:2] = False
            steps, parameters, gradients = steps[kept], parameters[kept], gradients[kept]
        self.steps, self.parameters, self.gradients = steps, parameters, gradients
