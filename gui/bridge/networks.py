"""Whose weights answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.bridge.answers import untrained
from gui.bridge.desk import Desk
from gui.bridge.news import News
from gui.bridge.runs import Runs

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.live import LiveNetwork
    from engine.rewind.moments import Moment


class Networks:
    """The network of the step gone back to; else the untrained one of the set-up; else that of the run on screen.

    Attributes:
        config: of the run on screen, where it has weights or will have.
    """

    def __init__(self, news: News, *, desk: Desk, runs: Runs) -> None:
        self._news = news
        self._desk = desk
        self._runs = runs
        self.config: RunConfig | None = None
        self._untrained: LiveNetwork | None = None
        self._moment: Moment | None = None
        self._announced: LiveNetwork | None = None

    @property
    def live(self) -> LiveNetwork | None:
        """The one that answers now; from any thread."""
        moment = self._moment  # read once: the window's thread may change it meanwhile
        return (moment.live if moment is not None else None) or self._untrained or self._runs.control.live

    @property
    def trained(self) -> bool:
        """Whether it is that of a run."""
        return self._moment is not None or (self._untrained is None and self._runs.control.live is not None)

    @property
    def step(self) -> int | None:
        """The step gone back to whose network answers, None where it is the latest."""
        return None if self._moment is None else self._moment.step

    # The latest.

    def prepare(self, config: RunConfig) -> None:
        """Let the untrained network of `config` answer, unless a run goes on or its weights fit this set-up."""
        if self._runs.running:
            return
        if self._runs.control.live is not None and self.config is not None and _same_network(self.config, config):
            self._desk.slow.cancel("network")
            self.follow_run()
            return
        self._desk.ask(self._desk.slow, "network", lambda _: untrained(config), self._on_untrained)

    def take(self, config: RunConfig, live: LiveNetwork | None) -> None:
        """Let these be the newest weights of the run on screen, whose set-up is `config`; None: it has none."""
        self._runs.control.live = live
        self.config = config if live is not None else None
        self._desk.slow.cancel("network")
        self._desk.forget("network")
        self.follow_run()

    def follow_run(self) -> None:
        """The run's network takes over from the untrained one as soon as it is there."""
        live = self._runs.control.live
        if live is not None and live is not self._announced:
            self._untrained = None
            self._announced = live
            self._news.network_changed.emit(live)

    def _on_untrained(self, live: LiveNetwork) -> None:
        if not self._runs.running:
            self.forget_moment()
            self._untrained = self._announced = live
            self._news.network_changed.emit(live)

    # A step gone back to.

    def show_moment(self, moment: Moment) -> None:
        self._moment = moment
        self._news.rewound.emit(moment.step)
        self._news.network_changed.emit(moment.live)

    def leave_moment(self) -> None:
        """The latest answers again."""
        was = self._moment
        self.forget_moment()
        live = self.live
        if was is not None and live is not None:
            self._news.network_changed.emit(live)

    def forget_moment(self) -> None:
        """Another network is about to answer; a step that one is on the way to comes too late."""
        self._desk.forget("rewind")
        self._moment = None
        self._news.rewound.emit(None)


def _same_network(one: RunConfig, other: RunConfig) -> bool:
    return (one.dataset.name, one.network, one.loss) == (other.dataset.name, other.network, other.loss)
