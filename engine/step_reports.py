"""StepReports: finished steps, told as soon as their losses can be read without holding up the device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from engine.divergence import DivergedError
from engine.events import StepFinished
from engine.tracking import Values

READ_AFTER = 0.05  # s that results may wait on an accelerator before they are read


class FinishedStep(NamedTuple):
    """A step whose loss and accuracy, scalars, may still be on their way on the device. `size`: samples in it."""

    step: int
    epoch: int
    loss: Tensor
    size: int
    rate: float
    seconds: float
    accuracy: Tensor | None
    parameters: Values | None
    gradients: Values | None


class StepReports:
    """Attributes: `loss_sum`: over the epoch's samples so far; `samples`: that the run has seen."""

    def __init__(self) -> None:
        self.loss_sum = 0.0
        self.samples = 0
        self._unread: list[FinishedStep] = []

    def wait(self, step: FinishedStep) -> bool:
        """Leave its loss on the device; whether the oldest one has been there for long."""
        self._unread.append(step)
        return step.seconds - self._unread[0].seconds > READ_AFTER

    def read(self) -> Iterator[StepFinished]:
        """Read the losses that wait on the device. Raises DivergedError at the first that is not finite."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        values = torch.stack([step.loss for step in unread]).tolist() if len(unread) > 1 else [unread[0].loss.item()]
        for step, value in zip(unread, values, strict=True):
            yield self.tell(step, value)

    def tell(self, step: FinishedStep, loss: float) -> StepFinished:
        """What is told of a step, whose loss has been read. Raises DivergedError where it is not finite."""
        if not math.isfinite(loss):  # of the weights that the step before left
            raise DivergedError(loss, updates=step.step - 1, when=f"at step {step.step}")
        self.loss_sum += loss * step.size
        self.samples += step.size
        accuracy = None if step.accuracy is None else float(step.accuracy)
        return StepFinished(
            step.step, step.epoch, loss, step.rate, step.seconds, accuracy, step.parameters, step.gradients
        )
