"""Divergence: a loss that is not finite, and the last weights that are known to be good."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager

from torch import nn

from engine.events import Failed
from engine.weights import Weights


class DivergedError(Exception):
    """The loss is not finite. `updates`: of the weights that gave it; `when`: it was noticed, in words."""

    def __init__(self, loss: float, *, updates: int, when: str) -> None:
        super().__init__(loss, updates, when)
        self.loss, self.updates, self.when = loss, updates, when


class Fallback:
    """Two copies of the weights that take turns: the newer one is known to be good once a later loss was finite.

    Attributes: `good`, `newer`: the copies.
    """

    def __init__(self, network: nn.Module) -> None:
        self.good, self.newer = Weights(network), Weights(network)

    def keep(self, *, step: int, epoch: int) -> None:
        """Take a copy; all losses up to `step` were finite."""
        self.good, self.newer = self.newer, self.good
        self.newer.keep(step=step, epoch=epoch)

    def failure(self, diverged: DivergedError, *, rate: float, lock: AbstractContextManager[object]) -> Failed:
        """Bring the last good weights back and say what happened.

        Args:
            rate: the learning rate then.
            lock: held while the weights change.
        """
        kept = self.newer if self.newer.step < diverged.updates else self.good
        with lock:
            kept.restore()
        what = "not a number" if math.isnan(diverged.loss) else "infinite"
        if diverged.updates == 0:
            advice = "It was so with the untrained weights: look at the data and the initial parameters."
        else:
            advice = (
                f"Most often the learning rate is too large: it was {rate:g}; try {rate / 10:g}. "
                f"The weights of step {kept.step} are kept."
            )
        return Failed("diverged", f"The loss became {what} {diverged.when}. {advice}", kept.step)
