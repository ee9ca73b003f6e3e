"""Interventions: what is changed while a run goes on, by a person, or again as in another run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from torch.optim import Optimizer

from engine.catalog import Params
from engine.config import Choice
from engine.control import Change, ScheduleChange
from engine.events import Intervened
from engine.learning_rate import LearningRate
from engine.optimizers.optimizer import hyperparameter, set_hyperparameter
from engine.rewind.snapshots import Recorded
from engine.schedules import SCHEDULES

Asked = Change | ScheduleChange


class Interventions:
    """Makes changes to a run's optimizer and learning rate.

    Args:
        repeat: changes that are made by themselves after their steps, oldest first.

    Attributes: `told`: all that were made so far.
    """

    def __init__(self, optimizer: Optimizer, rate: LearningRate, *, repeat: Iterable[Recorded]) -> None:
        self.told: list[Intervened] = []
        self._optimizer, self._rate = optimizer, rate
        self._repeat = deque(repeat)

    @property
    def waiting(self) -> bool:
        """There are changes that are still to be made by themselves."""
        return bool(self._repeat)

    def due(self, step: int) -> Iterator[Asked]:
        """Those whose turn it is after `step`, each once."""
        while self._repeat and self._repeat[0].step <= step:
            yield self._repeat.popleft().change

    def make(self, change: Asked, *, step: int) -> Intervened:
        """Make `change` after `step`; what is told of it."""
        params: Params = {}
        if isinstance(change, ScheduleChange):
            old, new = self._rate.schedule.name, change.name
            params = SCHEDULES[change.name].resolve(change.params, part="schedule")
            self._rate.set_schedule(Choice(name=change.name, params=params))
        elif change.name == "learning_rate":
            old, new = _exact(self._rate.base), _exact(change.value)
            self._rate.base = change.value  # handed to the optimizer before the next step
        else:
            old, new = _exact(hyperparameter(self._optimizer, change.name)), _exact(change.value)
            set_hyperparameter(self._optimizer, change.name, change.value)
        name = "schedule" if isinstance(change, ScheduleChange) else change.name
        self.told.append(Intervened(step, name, old, new, params))
        return self.told[-1]


def _exact(value: float) -> str:
    """As short as it can be read back without loss: `3` and `0.001`, and all digits where they count."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
