"""Memory: what a run remembers from step to step, besides its network and its optimizer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.checkpoint_manifest import Kept, Origin, Progress
from engine.clock import Clock
from engine.divergence import Fallback
from engine.early_stopping import EarlyStopping
from engine.interventions import Interventions
from engine.learning_rate import LearningRate
from engine.step_reports import StepReports
from engine.weights import Weights


@dataclass(slots=True)
class Memory:
    """Attributes: `origin`: where the run began as a branch."""

    reports: StepReports
    rate: LearningRate
    early: EarlyStopping
    fallback: Fallback
    interventions: Interventions
    origin: Origin | None = None

    @property
    def copies(self) -> dict[str, Weights | None]:
        """Weights that were kept, by the names that they have in a checkpoint."""
        return {"best": self.early.best, "good": self.fallback.good, "newer": self.fallback.newer}

    def progress(self, *, step: int, epoch: int, closed: bool, told: bool, clock: Clock) -> Progress:
        """All of it, at that place of the run; every loss must have been read."""
        best = self.early.best
        return Progress(
            step=step,
            epoch=epoch,
            closed=closed,
            told=told,
            loss_sum=self.reports.loss_sum,
            samples=self.reports.samples,
            base_rate=self.rate.base,
            schedule=self.rate.schedule,
            plateau=self.rate.plateau,
            lowest=_finite(self.early.lowest),
            best_loss=_finite(self.early.best_loss),
            waited=self.early.waited,
            best=None if best is None else _kept(best),
            good=_kept(self.fallback.good),
            newer=_kept(self.fallback.newer),
            seconds=clock.seconds(),
            evaluating=clock.evaluated(),
            interventions=tuple(self.interventions.told),
            origin=self.origin,
        )

    def resume(self, was: Progress) -> None:
        """Remember what `was` says, once the optimizer and the kept weights are as they were."""
        self.reports.loss_sum, self.reports.samples = was.loss_sum, was.samples
        self.rate.resume(base=was.base_rate, schedule=was.schedule, plateau=was.plateau)
        self.early.lowest, self.early.waited = _number(was.lowest), was.waited
        self.early.best_loss = _number(was.best_loss)
        self.interventions.told, self.origin = list(was.interventions), was.origin


def _kept(weights: Weights) -> Kept:
    return Kept(step=weights.step, epoch=weights.epoch)


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _number(loss: float | None) -> float:
    return math.inf if loss is None else loss
