"""EarlyStopping: the best weights so far, and how long none better have come."""

from __future__ import annotations

import math

from torch import nn

from engine.weights import Weights


class EarlyStopping:
    """Watches the loss after each epoch.

    Args:
        network: of the run.
        patience: epochs without a better loss after which the run ends; 0: it goes on, and no weights are kept.

    Attributes:
        lowest: of all losses.
        best: the weights that had `best_loss`, None before the first.
        waited: epochs since.
    """

    def __init__(self, network: nn.Module, *, patience: int) -> None:
        self._network, self._patience = network, patience
        self.lowest = self.best_loss = math.inf
        self.best: Weights | None = None
        self.waited = 0

    @property
    def exhausted(self) -> bool:
        return bool(self.waited and self.waited >= self._patience)

    def observe(self, loss: float, *, step: int, epoch: int) -> bool:
        """An epoch ended with `loss`; whether that is the lowest so far."""
        if self._patience:
            if loss < self.best_loss:
                self.best_loss, self.waited = loss, 0
                if self.best is None:
                    self.best = Weights(self._network)
                self.best.keep(step=step, epoch=epoch)
            else:
                self.waited += 1
        lowest = loss < self.lowest
        self.lowest = min(loss, self.lowest)
        return lowest
