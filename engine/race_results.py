"""How a run of a race stands: followed event by event. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engine.events import EpochFinished, Evaluated, Event, Failed, Finished, Preparing, Started, StepFinished

Standing = Literal["waiting", "running", "completed", "early stopping", "stopped", "failed"]


@dataclass(slots=True)
class RaceResult:
    """One run's figures so far.

    Attributes:
        label: of the entrant.
        step, total_steps, seconds: where it is; seconds of training, pauses left out.
        loss: of the last batch.
        test_loss, test_accuracy: of the last evaluation, the accuracy in 0 … 1; None before, or in regression.
        best_test_loss, best_test_accuracy: the lowest and the highest of all evaluations, each for itself.
        message: of a failure.
    """

    label: str
    standing: Standing = "waiting"
    step: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    loss: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    best_test_loss: float | None = None
    best_test_accuracy: float | None = None
    message: str = ""

    def take(self, event: Event) -> None:
        """Follow one event of this run."""
        match event:
            case Preparing():
                self.standing = "running"
            case Started():
                self.standing, self.total_steps = "running", event.total_steps
            case StepFinished():
                self.step, self.seconds, self.loss = event.step, event.seconds, event.loss
            case Evaluated() | EpochFinished():
                self.seconds = event.seconds
                self._evaluated(event.test_loss, event.test_accuracy)
            case Finished(reason=reason):
                self.standing = "early stopping" if reason == "early_stopping" else reason
                self.step, self.seconds = event.step, event.seconds
            case Failed():
                self.standing, self.message = "failed", event.message
            case _:
                pass

    def _evaluated(self, loss: float, accuracy: float | None) -> None:
        self.test_loss, self.test_accuracy = loss, accuracy
        if math.isfinite(loss) and (self.best_test_loss is None or loss < self.best_test_loss):
            self.best_test_loss = loss
        if accuracy is not None and (self.best_test_accuracy is None or accuracy > self.best_test_accuracy):
            self.best_test_accuracy = accuracy
