"""The run on screen: its events become its state, and the views follow within the budget."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from engine.events import Event, Failed, Preparing, Started, StepFinished
from gui import numbers
from gui.bridge import FRAME, Bridge
from gui.history import History
from gui.lesson_guide import LessonGuide
from gui.network_views import NetworkViews
from gui.refresh import RefreshBudget
from gui.rewinding import Rewinding
from gui.run_state import RunState
from gui.run_toolbar import RunToolbar
from gui.tools import ToolDocks
from gui.views.curves import CurvesView
from gui.views.notice import Notice
from gui.views.setup_panel import SetupPanel
from gui.views.status_line import StatusLine


class RunScreen(QObject):
    """Takes what the run tells once a frame, and redraws the views that show it when that is due.

    Attributes:
        note: what the status line says beside the run.

    Signals:
        changed(): the run's status is another, or more of it has arrived.
        ended(): the run is over.
    """

    changed = Signal()
    ended = Signal()

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        run_state: RunState,
        budget: RefreshBudget,
        toolbar: RunToolbar,
        setup: SetupPanel,
        curves: CurvesView,
        notice: Notice,
        status_line: StatusLine,
        network_views: NetworkViews,
        history: History,
        rewinding: Rewinding,
        tools: ToolDocks,
        guide: LessonGuide,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._state, self._budget = bridge, run_state, budget
        self._toolbar, self._setup, self._curves = toolbar, setup, curves
        self._notice, self._status_line, self._network_views = notice, status_line, network_views
        self._history, self._rewinding, self._tools, self._guide = history, rewinding, tools, guide
        self.note = ""
        self._until_end = ""  # a note that is true while the run goes on
        self._ending = False
        bridge.frame.connect(self._on_frame)
        bridge.run_ended.connect(self._on_run_ended)

    def say(self, text: str) -> None:
        """A sentence in the status line, until the next run."""
        self.note = text
        self.show_state()

    def clear_words(self) -> None:
        """What was said of the run before, or of other things, is out of date."""
        self.note = ""
        self._notice.clear()

    def begin(self) -> None:
        """The run on screen, empty or where it goes on, has been started."""
        self._take([Preparing("Starting")])
        self.redraw()

    def show_ending(self) -> None:
        """The run was asked to stop."""
        self._ending = True
        self.show_state()

    def show_past(self, lesson: str) -> None:
        """A run of the history is on screen, of `lesson` or of none."""
        self._notice.clear()
        if self._guide.lesson is not None and self._guide.lesson.name != lesson:
            self._guide.leave()
        self.show_state()
        self.redraw()
        self.changed.emit()

    def redraw(self) -> None:
        """Bring all visible views up to date; what they ask for arrives later."""
        state = self._state
        self._curves.refresh(state, sparing=True)
        self._network_views.refresh()
        self._tools.refresh()
        self._history.follow()
        self._rewinding.refresh()
        self._status_line.follow(state, cost=self._cost(), note=self.note)

    def show_state(self) -> None:
        """Let buttons, set-up and status line be those of the run's status."""
        self._toolbar.show_status(self._state.status, ending=self._ending)
        self._setup.set_running(self._bridge.running)
        self._rewinding.refresh()
        self._status_line.refresh(self._state, cost=self._cost(), note=self.note)

    def _cost(self) -> float | None:
        return self._budget.cost if self._state.status in ("running", "paused") else None

    def _on_frame(self) -> None:
        due = self._budget.due(slack=FRAME / 2000)  # half a frame: the nearest frame to the moment, not the next
        if due or self._bridge.urgent:
            self._take(self._bridge.take_events())
        if due:
            self.redraw()
            self._budget.drawn()

    def _on_run_ended(self) -> None:
        self._ending = False
        self._take(self._bridge.take_events())
        if self.note == self._until_end:
            self.note = ""
        self.show_state()
        self.redraw()
        self.ended.emit()
        self.changed.emit()

    def _take(self, events: list[Event]) -> None:
        before = self._state.status
        if not events:
            return
        self._state.apply(events)
        self._guide.take(events)
        if self._state.status != before:
            self.show_state()
        for event in events:
            if isinstance(event, StepFinished):  # nearly all
                continue
            if isinstance(event, Failed):
                self._on_failed(event)
            elif isinstance(event, Started):
                self._budget.start()
                if event.resumed_from:
                    self._until_end = f"Goes on after step {numbers.count(event.resumed_from)}."
                    self.say(f"{self._until_end} {event.caution}".strip())
        self.changed.emit()

    def _on_failed(self, event: Failed) -> None:
        self._notice.show_text(event.message)
        if event.field:
            self._setup.show_error(InputError(event.field, event.message.removeprefix(f"{event.field}: ")))
