"""The learning rate of a run: a base rate, which a person may change, times what the schedule says."""

from __future__ import annotations

from torch.optim import Optimizer

from engine.config import Choice
from engine.optimizers.optimizer import hyperparameter, set_hyperparameter
from engine.schedules import SCHEDULES, PlateauState, ScheduleEntry


class LearningRate:
    """Hands the optimizer its rate before each step.

    Args:
        optimizer: of the run, with the base rate.
        schedule: the run begins with it.
        total, steps_per_epoch: updates in the run and in an epoch.

    Attributes:
        base: the rate that the schedule multiplies.
        now: the rate that the optimizer has.
        schedule: with its settings; `plateau`: what it remembers, where it depends on losses.
    """

    def __init__(self, optimizer: Optimizer, schedule: Choice, *, total: int, steps_per_epoch: int) -> None:
        self._optimizer = optimizer
        self._total, self._per_epoch = total, steps_per_epoch
        self.base = self.now = hyperparameter(optimizer, "learning_rate")
        self.set_schedule(schedule)

    def set_schedule(self, schedule: Choice) -> None:
        """Another schedule, which has seen nothing yet."""
        self.schedule = schedule
        self._entry: ScheduleEntry = SCHEDULES[schedule.name]
        self.plateau = PlateauState() if self._entry.plateau else None

    def resume(self, *, base: float, schedule: Choice, plateau: PlateauState | None) -> None:
        """Be as it was when the optimizer had the rate that it has now."""
        self.base, self.now = base, hyperparameter(self._optimizer, "learning_rate")
        self.set_schedule(schedule)
        self.plateau = plateau

    def at(self, step: int) -> float:
        """The rate of the update that `step` others come before."""
        if self.plateau is not None:
            factor = self.plateau.multiplier
        else:
            factor = self._entry.multiplier(
                step, total=self._total, steps_per_epoch=self._per_epoch, params=self.schedule.params
            )
        return self.base * factor

    def follow(self, step: int) -> None:
        """Hand the optimizer the rate of that update, where it is another one."""
        rate = self.at(step)
        if rate != self.now:
            self.now = rate
            set_hyperparameter(self._optimizer, "learning_rate", rate)

    def observe(self, loss: float) -> None:
        """An epoch ended with `loss`."""
        if self.plateau is not None:
            self.plateau = self.plateau.observe(loss, self.schedule.params)
