"""Whose parameters a picture of points shows, and what the network answers with them. No widgets."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo
from engine.inspection.surface import Answer, Floats, LinearModel, ask, linear_model
from engine.losses import LOSSES
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.live import LiveNetwork


@dataclass(frozen=True, slots=True)
class Moment:
    """The parameters after `step`, 0 before training: `values` (P,) where the run's track tells them, else None."""

    step: int
    values: Floats | None


class PointsAnswers:
    """Asks the live network one question at a time, and a question again only where something has changed.

    Attributes:
        answer: what was said last and of which moment; None until something was.

    Args:
        heard: called when there is another answer.
    """

    def __init__(self, bench: Workbench, heard: Callable[[], None]) -> None:
        self._bench, self._heard = bench, heard
        self._config: RunConfig | None = None
        self._info: DatasetInfo | None = None
        self._live: weakref.ref[LiveNetwork] | None = None
        self._about: object = None  # what the last question was about
        self._waiting = False
        self._missed: Callable[[], None] | None = None  # a question that came while another was under way
        self.answer: tuple[Moment, Answer] | None = None

    def set_config(self, config: RunConfig) -> None:
        old, self._config = self._config, config
        if old is None or old.dataset != config.dataset:
            self._info = config.dataset_info()
            self._forget(None)

    def _forget(self, live: LiveNetwork | None) -> None:
        self._live = None if live is None else weakref.ref(live)
        self.answer = self._about = self._missed = None
        self._waiting = False

    # Whose parameters

    @property
    def is_of_run(self) -> bool:
        """Whether the run on screen is of what is set up, as far as its network's size tells."""
        state, config, track = self._bench.run_state, self._config, self._bench.run_state.track
        named = config is not None and (state.dataset, state.network) == (config.dataset.name, config.network.name)
        resized = self.answer is not None and track.names and len(self.answer[1].parameters) != len(track.names)
        return named and not resized

    @property
    def is_linear(self) -> bool:
        """Whether the network is w·x + b."""
        network = self._config.network if self._config is not None else None
        return network is not None and (
            network.name == "linear" or (network.name == "mlp" and not network.params.get("hidden"))
        )

    def moment(self, row: int | None) -> Moment:
        """That of a row of the run's track, or the latest for None."""
        state = self._bench.run_state
        if not self.is_of_run or (row is None and self._is_another()):
            return Moment(0, None)
        track = state.track
        if not len(track):
            return Moment(state.step, None)
        at = len(track) - 1 if row is None else min(row, len(track) - 1)
        return Moment(int(track.steps[at]), track.parameters[at])

    def _is_another(self) -> bool:
        """Whether after the run another network was set up, or its first weights came back."""
        ended = self._bench.run_state.status in ("finished", "failed")
        return ended and self.answer is not None and self.answer[1].untrained

    # Models

    def model(self, values: Floats | NDArray[np.float32] | None) -> LinearModel | None:
        """The linear model of these parameters, None where the network is none."""
        if values is None or self._config is None or self._info is None or not self.is_linear:
            return None
        outputs = LOSSES[self._config.loss.name].outputs(self._info)
        return linear_model(np.asarray(values, np.float64), self._info, outputs=outputs)

    def first(self, moment: Moment) -> Answer | None:
        """The answer that tells how the network of `moment` began; None where that is the same or not known."""
        known = self.answer is not None and moment.step and not self._is_another()
        return self.answer[1] if known and self.answer is not None else None

    # Questions

    def ask(self, samples: NDArray[np.float32], *, moment: Moment, once: bool) -> None:
        """Ask about samples (N, F) unless that is known.

        Args:
            once: the answer does not depend on the step, for the track tells the rest.
        """
        live = self._bench.live()
        if live is None or live.info != self._info:
            return
        if self._live is None or self._live() is not live:
            self._forget(live)
        about = (self._bench.run_state.status, 0 if once else moment.step)
        if about == self._about:
            return
        if self._waiting:
            self._missed = partial(self.ask, samples, moment=moment, once=once)
            return
        self._about, self._waiting = about, True
        job = partial(ask, live, samples, parameters=moment.values, initial=not live.info.classes)
        self._bench.compute("points: answer", job, partial(self._take, live, moment, samples, once))

    def _take(
        self, live: LiveNetwork, moment: Moment, samples: NDArray[np.float32], once: bool, answer: Answer
    ) -> None:
        if self._live is None or self._live() is not live:
            return
        self.answer, self._waiting = (moment, answer), False
        if moment.values is None and self._is_another():
            self.answer = Moment(0, None), answer
        missed, self._missed = self._missed, None
        if missed is not None:
            missed()
        elif moment.step and moment.values is not None and self._is_another():
            self.ask(samples, moment=Moment(0, None), once=once)
        self._heard()
