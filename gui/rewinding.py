"""Back along the run on screen: what can be gone back to, what is shown, films, and branches."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from engine.snapshots import FilterImages
from gui.bridge import TRAINING_AGAIN, Bridge, Provenance
from gui.filter_film import HOLD, SECONDS, Frames, captions, film, film_steps
from gui.gif import gif
from gui.lineage import Lineage
from gui.numbers import count
from gui.run_state import RunState
from gui.theme import Theme
from gui.views.curves import CurvesView
from gui.views.filters import FiltersView, Scale
from gui.views.rewind_bar import TEACHING, Past, RewindBar
from gui.views.setup_panel import SetupPanel

_UNDER_WAY = "Pause the run, or slow it down, to go back to one of its steps."
_NOTHING_KEPT = "Nothing was kept of the steps of this run."
_STOP_FIRST = "The run is under way: stop it before another one goes on from one of its steps."
_NO_FILTERS = "This network has no filters to film."


class Rewinding(QObject):
    """Stands between a run's snapshots, the bar under the curves, and the views.

    Attributes:
        bar: what the person goes back with.

    Signals:
        branched(config, provenance): a run of a RunConfig shall begin, from where its Provenance says.
        refused(error): the set-up does not fit the step that it was to go on from, an InputError.
    """

    branched = Signal(object, object)
    refused = Signal(object)

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        theme: Theme,
        setup: SetupPanel,
        run_state: RunState,
        curves: CurvesView,
        filters: FiltersView,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._theme = theme
        self._setup = setup
        self._state = run_state
        self._curves = curves
        self._filters = filters
        self._stands_at: int | None = None  # the run's step while it stands still and is looked back at
        self._lineage = Lineage(self, bridge=bridge, run_state=run_state, curves=curves)
        self.bar = RewindBar(theme)
        self.bar.wanted.connect(self._go_to)
        self.bar.branch_wanted.connect(self._branch)
        self.bar.film_wanted.connect(self._save_film)
        bridge.rewound.connect(self._on_rewound)
        bridge.rewind_progressed.connect(self._on_progressed)
        bridge.reopened.connect(self.refresh)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.bar.set_theme(theme)

    def refresh(self, *_: object) -> None:
        """The run has come further, or is in another state."""
        self._lineage.refresh()
        past = self._past()
        was_back = self.bar.step is not None
        self.bar.refresh(past)
        goes_on = self._stands_at not in (None, self._state.step)
        if (past.refusal or goes_on) and (was_back or self._bridge.rewound_to is not None):
            self._stands_at = None
            self._bridge.rewind(None)

    def _past(self) -> Past:
        state, bridge = self._state, self._bridge
        snapshots = bridge.snapshots
        if snapshots is None:
            why = TEACHING if state.status == "idle" else bridge.past_problem or _NOTHING_KEPT
            return Past(refusal=why, branch_refusal=why, film_refusal=why)
        if bridge.running and state.status != "paused" and bridge.full_speed:
            # Nothing of it changes while the run goes on, so that nothing is drawn.
            return Past(refusal=_UNDER_WAY, branch_refusal=_STOP_FIRST, film_refusal=_UNDER_WAY)
        ticks = snapshots.ticks
        if not ticks:
            why = snapshots.problem or (TEACHING if bridge.running else _NOTHING_KEPT)
            return Past(refusal=why, branch_refusal=why, film_refusal=why)
        filmable = len(ticks) > 1 and bool(self._filters.layer())
        return Past(
            ticks=ticks,
            last=max(ticks[-1].step, state.step),
            newest=bridge.newest_step,
            total=state.total_steps,
            refusal="",
            branch_refusal=_STOP_FIRST if bridge.running else "",
            film_refusal="" if filmable else _NO_FILTERS,
        )

    def _go_to(self, step: int | None) -> None:
        goes_on = self._bridge.running and self._state.status != "paused"
        self._stands_at = None if goes_on else self._state.step
        self._bridge.rewind(step, exact=not goes_on)

    def _on_rewound(self, step: int | None) -> None:
        self.bar.set_shown(step)
        self._curves.show_step(step)

    def _on_progressed(self, what: str, done: float | None) -> None:
        self.bar.set_progress(what, done, trains=what == TRAINING_AGAIN)

    def _branch(self, step: int) -> None:
        try:
            config = self._setup.config()
        except InputError as error:
            self.refused.emit(error)
            return

        def done(origin: Provenance) -> None:
            self.branched.emit(config, origin)

        self._bridge.branch(config, step, done, self.refused.emit)

    def _save_film(self, path: Path) -> None:
        snapshots, layer = self._bridge.snapshots, self._filters.layer()
        if snapshots is None or not layer:
            return
        steps = film_steps([tick.step for tick in snapshots.ticks])
        change = self._filters.mode() == "change"
        title = f"{layer} · {'change since the start' if change else 'weights'} · {count(len(steps))} steps"
        draw = partial(
            _draw,
            change=change,
            scale=self._filters.scale(),
            lines=captions(steps, title=title, theme=self._theme),
            theme=self._theme,
        )
        self._bridge.save_film(path, layer, steps, draw)


def _draw(
    images: list[FilterImages], initial: FilterImages, *, change: bool, scale: Scale, lines: Frames, theme: Theme
) -> bytes:
    frames = film(images, initial=initial if change else None, scale=scale, lines=lines, theme=theme)
    return gif(frames, seconds=SECONDS, hold=HOLD)
