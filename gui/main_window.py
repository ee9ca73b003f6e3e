"""The main window: composition and wiring, nothing else."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QByteArray, QElapsedTimer, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QVBoxLayout, QWidget

from engine.config import RunConfig, load_config
from engine.errors import InputError
from engine.events import Event, Failed, Preparing, Started
from engine.inspection.shapes import LayerTable
from engine.snapshots import FilterImages
from gui import numbers
from gui import settings as stored
from gui.augmented_preview import AugmentedPreview
from gui.bridge import FRAME, Bridge, Provenance
from gui.canvas_panel import CanvasPanel
from gui.history import History
from gui.key_sheet import KeySheet
from gui.lesson_dialog import LessonDialog, ask_for_lesson
from gui.lesson_guide import LessonGuide, sentence_of
from gui.lesson_panel import LessonPanel
from gui.race_queue import RaceQueue
from gui.refresh import RefreshBudget
from gui.rewinding import Rewinding
from gui.run_state import RunState
from gui.run_toolbar import SPEEDS, RunToolbar
from gui.take_away import TakeAway
from gui.theme import THEMES, Theme
from gui.tools import ToolDocks
from gui.views.curves import CurvesView
from gui.views.dataset_preview import DatasetPreviewView
from gui.views.filters import FiltersView
from gui.views.layer_table import LayerTableView
from gui.views.notice import Notice
from gui.views.schedule_preview import SchedulePreview
from gui.views.setup_panel import SetupPanel
from gui.views.status_line import StatusLine
from gui.window_bench import WindowBench
from gui.window_menu import WindowMenu

if TYPE_CHECKING:
    from engine.live import LiveNetwork

SAVE_AFTER = 1000  # ms without another change before the settings are written
FILTERS_EVERY = 480  # ms while training: pictures change more slowly than curves and cost more
TOOL_WIDTH = 0.36  # of the window's
LAYOUT = 5  # of the docks; another one when a panel is added or renamed


class MainWindow(QMainWindow):
    """Set-up, curves, filters and canvas around one run.

    Attributes:
        run_state: the run on screen.

    Signals:
        run_state_changed: `run_state.status` is another, or more of the run has arrived.
    """

    run_state_changed = Signal()

    def __init__(self, theme: Theme, settings: stored.Settings) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("Learnscope")
        self.setDockNestingEnabled(True)
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AnimatedDocks
        )
        self.theme = theme
        self.settings = settings
        self.run_state = RunState()
        self.bridge = Bridge(self)
        self.budget = RefreshBudget(settings.watching_budget)
        self._network: LiveNetwork | None = None
        self._ending = False
        self._closing = False
        self._shown = False
        self._dataset: object = None
        self._note = ""
        self._images: tuple[FilterImages, FilterImages] | None = None
        self._answer: tuple[np.ndarray, np.ndarray] | None = None
        self._pen_moved = False
        self._asked = QElapsedTimer()

        self.toolbar = RunToolbar(theme, self)
        self.addToolBar(self.toolbar)
        self.dataset_view = DatasetPreviewView()
        self.layer_view = LayerTableView()
        self.schedule_view = SchedulePreview()
        self.setup = SetupPanel(
            dataset_preview=self.dataset_view, layer_table=self.layer_view, schedule_preview=self.schedule_view
        )
        self.curves = CurvesView(theme)
        self.filters = FiltersView(theme)
        self.canvas = CanvasPanel(theme)
        self.lesson_panel = LessonPanel(theme)
        self.notice = Notice(theme)
        self.status_line = StatusLine()
        self.history = History(
            self, bridge=self.bridge, theme=theme, setup=self.setup, run_state=self.run_state, say=self.say
        )
        self.race = RaceQueue(
            self,
            bridge=self.bridge,
            theme=theme,
            setup=self.setup,
            run_state=self.run_state,
            start=self.start,
            keeps=lambda: self.guide.checkpoints() is not None,
            say=self.say,
        )
        self.rewinding = Rewinding(
            self,
            bridge=self.bridge,
            theme=theme,
            setup=self.setup,
            run_state=self.run_state,
            curves=self.curves,
            filters=self.filters,
        )
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.status_line, 1)
        self.docks = {
            name: self._dock(name, title, view)
            for name, title, view in (
                ("setup", "Set-up", self.setup),
                ("curves", "Curves", self._below_notice(self.curves)),
                ("filters", "Filters", self.filters),
                ("canvas", "Canvas", self.canvas),
                ("runs", "Runs", self.history.panel),
                ("lesson", "Lesson", self.lesson_panel),
            )
        }
        self.bench = WindowBench(
            bridge=self.bridge,
            setup=self.setup,
            canvas=self.canvas,
            run_state=self.run_state,
            weights_step=lambda: self.history.weights_step,
            say=self.say,
        )
        self.augmented = AugmentedPreview(self.bench, self.dataset_view, self)
        self.tools = ToolDocks(self, self.bench, theme)
        self.history.set_tools(self.tools)
        self.guide = LessonGuide(
            self,
            panel=self.lesson_panel,
            dock=self.docks["lesson"],
            docks=self.docks,
            tools=self.tools,
            setup=self.setup,
            toolbar=self.toolbar,
            curves=self.curves,
            busy=lambda: self.bridge.running,
            say=self.say,
        )
        self.menu = WindowMenu(self.toolbar.menu, self, self.docks, self.tools.docks, share=settings.watching_budget)
        self.take_away = TakeAway(self, bridge=self.bridge, on_screen=lambda: self.history.on_screen, say=self.say)
        self.resize(1280, 800)
        self._arrange()
        self._save_soon = QTimer(self, singleShot=True, interval=SAVE_AFTER)
        self._save_soon.timeout.connect(self._save_settings)
        self._wire()
        self._restore()
        for view in (self.dataset_view, self.layer_view, self.schedule_view):  # the others were made in it
            view.set_theme(theme)
        self._show_state()
        config = self._config()
        if config is not None:
            self.canvas.set_dataset(config.dataset_info())

    # Composition

    def _dock(self, name: str, title: str, view: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"{name}_dock")
        dock.setWidget(view)
        return dock

    def _below_notice(self, view: QWidget) -> QWidget:
        """What ends a run badly is said where its curve ends; the way back along it lies below."""
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.history.offer)
        column.addWidget(self.race.offer)
        column.addWidget(self.race.strip)
        column.addWidget(self.notice)
        column.addWidget(view, 1)
        column.addWidget(self.rewinding.bar)
        return box

    def _arrange(self) -> None:
        """The docks where they belong at first, in LOOK's proportions."""
        docks = self.docks
        for dock in docks.values():
            dock.setFloating(False)
            self.removeDockWidget(dock)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks["setup"])
        self.splitDockWidget(docks["setup"], docks["curves"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["curves"], docks["canvas"], Qt.Orientation.Horizontal)
        self.splitDockWidget(docks["curves"], docks["filters"], Qt.Orientation.Vertical)
        self.tabifyDockWidget(docks["filters"], docks["runs"])
        self.tabifyDockWidget(docks["setup"], docks["lesson"])
        for name, dock in docks.items():
            dock.setVisible(name not in ("runs", "lesson"))
        self.tools.arrange(self, docks["canvas"])
        docks["setup"].raise_()
        self._size_docks()

    def _size_docks(self) -> None:
        docks = self.docks
        width, height = self.width(), self.height()
        side = 288 if width < 1200 else 312
        answer = 232 if width < 1200 else 288
        self.resizeDocks(
            [docks["setup"], docks["curves"], docks["canvas"]],
            [side, width - side - answer, answer],
            Qt.Orientation.Horizontal,
        )
        self.resizeDocks(
            [docks["curves"], docks["filters"]], [int(height * 0.58), int(height * 0.3)], Qt.Orientation.Vertical
        )

    def _wire(self) -> None:
        toolbar, bridge, setup = self.toolbar, self.bridge, self.setup
        toolbar.start.connect(self.start)
        toolbar.pause.connect(bridge.pause)
        toolbar.resume.connect(bridge.resume)
        toolbar.step.connect(self.step)
        toolbar.epoch.connect(self.epoch)
        toolbar.stop.connect(self.stop)
        toolbar.speed.connect(bridge.set_speed)
        toolbar.speed.connect(self._save_later)
        toolbar.theme.connect(self.toggle_theme)
        toolbar.keys.connect(lambda: KeySheet(self).show())
        setup.config_changed.connect(self._on_config_changed)
        setup.hyperparameter_changed.connect(lambda name, value: bridge.change(name, float(value)))
        setup.schedule_changed.connect(bridge.change_schedule)
        self.dataset_view.cancelled.connect(self._cancel_preview)
        self.dataset_view.retry.connect(self._load_preview)
        self.canvas.drawing_changed.connect(self._on_drawing)
        self.canvas.sample_requested.connect(self.show_sample)
        self.canvas.tools.brush_size_changed.connect(self._save_later)
        self.curves.choices_changed.connect(self._save_later)
        self.curves.export_failed.connect(self.say)
        self.curves.exported.connect(lambda path: self.say(f"Saved {path}."))
        self.filters.export_failed.connect(self.say)
        self.filters.layer_chosen.connect(self._ask_filters)
        self.filters.options_changed.connect(self._save_later)
        self.docks["filters"].visibilityChanged.connect(self._ask_filters)
        self.docks["runs"].visibilityChanged.connect(lambda shown: self.history.reload() if shown else None)
        self.history.shown.connect(self._on_past_run)
        self.history.go_on.connect(lambda config, origin: self._launch(config, provenance=origin))
        self.race.problem.connect(self._on_refused)
        self.race.named.connect(self.history.reload)
        self.race.ended.connect(self.history.compare)
        self.rewinding.branched.connect(self._begin_branch)
        self.rewinding.refused.connect(self._on_refused)
        self.tools.opened.connect(lambda name: QTimer.singleShot(0, self, lambda: self._on_tool_opened(name)))
        self.guide.progressed.connect(self._save_later)
        self.guide.open_wanted.connect(lambda: ask_for_lesson(self, self._open_lesson))
        self.guide.save_wanted.connect(lambda: LessonDialog(self, self._save_lesson).open())
        menu = self.menu
        menu.weights_path.connect(self._save_weights)
        menu.setup_path.connect(self._save_setup)
        menu.open_path.connect(self._open_setup)
        menu.archive_path.connect(self.take_away.open_archive)
        menu.run_menu.aboutToShow.connect(lambda: self.take_away.offer_shown(menu.run_menu))
        self.history.panel.table.menu_made.connect(self.take_away.offer_selected)
        self.take_away.imported.connect(self._on_imported)
        menu.reset_layout.connect(self._arrange)
        menu.budget.connect(self._set_budget)
        menu.race.connect(self.race.ask)
        menu.clear_canvas.connect(self.canvas.clear)
        menu.undo.connect(self.canvas.undo)
        menu.sample.connect(self.show_sample)
        bridge.frame.connect(self._on_frame)
        bridge.run_ended.connect(self._on_run_ended)
        bridge.torch_ready.connect(self._follow_setup)
        bridge.preview_progressed.connect(self.dataset_view.set_loading)
        bridge.preview_ready.connect(self.dataset_view.set_preview)
        bridge.preview_ready.connect(self.augmented.loaded)
        bridge.preview_failed.connect(lambda error: self.dataset_view.set_error(error.sentence))
        bridge.described.connect(self._on_described)
        bridge.description_failed.connect(lambda error: self.layer_view.set_message(error.sentence))
        bridge.network_changed.connect(self._on_network)
        bridge.predicted.connect(self._on_predicted)
        bridge.filters_read.connect(self._on_filters)
        bridge.sample_picked.connect(self.canvas.show_sample)
        bridge.saved.connect(self.say)
        bridge.problem.connect(self.say)
        bridge.shut_down.connect(self.close)

    # The run

    def start(self) -> None:
        """Begin a run of what is set up; a mistake in it is shown where it was made."""
        self._begin(None)

    def step(self) -> None:
        """One step, then pause; without a run, the first step of one."""
        if self.bridge.running:
            self.bridge.step_once()
        else:
            self._begin(1)

    def epoch(self) -> None:
        """To the end of the epoch, then pause; without a run, the first epoch of one."""
        if not self.bridge.running:
            self._begin(None)
        if self.bridge.running:
            self.bridge.run_epoch()

    def stop(self) -> None:
        if self.bridge.running:
            self._ending = True
            self.bridge.stop()
            self._show_state()

    def _begin(self, steps: int | None) -> None:
        if self.bridge.running or self._closing or self._races():
            return
        self.setup.clear_errors()
        try:
            config = self.setup.config()
        except InputError as error:
            self._on_refused(error)
            return
        self.run_state.reset()
        self.guide.begin_run()
        lesson = self.guide.lesson
        origin = Provenance() if lesson is None else Provenance(lesson=lesson.name, stage=self.guide.stage)
        self._launch(config, steps=steps, checkpoints=self.guide.checkpoints(), provenance=origin)

    def _begin_branch(self, config: RunConfig, origin: Provenance) -> None:
        """A run that goes on from a step of the last one."""
        if not (self.bridge.running or self._closing or self._races()):
            self.setup.clear_errors()
            self.run_state.reset()
            self._launch(config, provenance=origin)

    def _races(self) -> bool:
        """Whether runs of a race go on at once, which is said: another beside them would not be fair to them."""
        if self.bridge.racing:
            self.say("A race is under way: cancel it, or wait for its end, before starting a run.")
        return self.bridge.racing

    def _on_refused(self, error: InputError) -> None:
        """A mistake in the set-up keeps a run from beginning."""
        self.setup.show_error(error)
        self.say(error.sentence)

    def _launch(
        self, config: RunConfig, *, provenance: Provenance, steps: int | None = None, checkpoints: Path | None = None
    ) -> None:
        """Let the run begin whose state is on screen: empty, or where it goes on."""
        self._note = ""
        self.notice.clear()
        self.history.begin_run()
        self.bridge.start(config, steps=steps, checkpoints=checkpoints, provenance=provenance)
        self._on_events([Preparing("Starting")])
        self._redraw()

    def _on_past_run(self, lesson: str) -> None:
        """A run of the history is on screen."""
        self.notice.clear()
        if self.guide.lesson is not None and self.guide.lesson.name != lesson:
            self.guide.leave()
        self._show_state()
        self._redraw()
        self.run_state_changed.emit()

    def _on_events(self, events: list[Event]) -> None:
        before = self.run_state.status
        if not events:
            return
        self.run_state.apply(events)
        self.guide.take(events)
        if self.run_state.status != before:
            self._show_state()
        for event in events:
            if isinstance(event, Failed):
                self._on_failed(event)
            elif isinstance(event, Started):
                self.budget.start()
                if event.resumed_from:
                    self.say(f"Goes on after step {numbers.count(event.resumed_from)}. {event.caution}".strip())
        self.run_state_changed.emit()

    def _on_failed(self, event: Failed) -> None:
        self.notice.show_text(event.message)
        if event.field:
            self.setup.show_error(InputError(event.field, event.message.removeprefix(f"{event.field}: ")))

    def _on_run_ended(self) -> None:
        self._ending = False
        self._on_events(self.bridge.take_events())
        self._show_state()
        self._redraw()
        self._follow_setup()
        self.run_state_changed.emit()

    def _on_frame(self) -> None:
        due = self.budget.due(slack=FRAME / 2000)  # half a frame: the nearest frame to the moment, not the next
        if due or self.bridge.urgent:
            self._on_events(self.bridge.take_events())
        if due:
            self._redraw()
            self.budget.drawn()

    def _redraw(self) -> None:
        """Bring all visible views up to date; what they ask for arrives later."""
        state = self.run_state
        self.curves.refresh(state, sparing=True)
        if self._images is not None:
            self.filters.set_images(*self._images)
            self._images = None
        if self._answer is not None:
            self._show_answer(*self._answer)
        if state.status != "running" or not self._asked.isValid() or self._asked.elapsed() >= FILTERS_EVERY:
            self._ask_filters()
            self._asked.start()
        self._ask_prediction()
        self.tools.refresh()
        self.history.follow()
        self.rewinding.refresh()
        running = state.status in ("running", "paused")
        self.status_line.follow(state, cost=self.budget.cost if running else None, note=self._note)

    def _show_state(self) -> None:
        self.toolbar.show_status(self.run_state.status, ending=self._ending)
        self.setup.set_running(self.bridge.running)
        self.rewinding.refresh()
        running = self.run_state.status in ("running", "paused")
        self.status_line.refresh(self.run_state, cost=self.budget.cost if running else None, note=self._note)

    def say(self, text: str) -> None:
        """A sentence in the status line, until the next run."""
        self._note = text
        self._show_state()

    # What is set up

    def _on_config_changed(self) -> None:
        """The person changed something."""
        self._save_later()
        if self._config() is not None:
            self.setup.clear_errors()
        self._follow_setup()

    def _follow_setup(self) -> None:
        """Let previews, layer table and canvas be those of what is set up."""
        try:
            config = self.setup.config()
        except InputError as error:
            self.layer_view.set_message(error.sentence)
            return
        self.schedule_view.set_config(config)
        self.tools.refresh()
        if not self.bridge.ready:
            return
        self.augmented.follow(config)
        if self._dataset != config.dataset:
            self._dataset = config.dataset
            self.canvas.set_dataset(config.dataset_info())
            self._load_preview()
        self.bridge.describe(config)  # draws no weights: a run that began before torch was there is described too
        self.bridge.prepare_network(config)

    def _load_preview(self) -> None:
        config = self._config()
        if config is not None:
            self.dataset_view.set_loading("Loading", None)
            self.bridge.preview(config.dataset)

    def _cancel_preview(self) -> None:
        self.bridge.cancel_preview()
        self.dataset_view.set_error("Loading was cancelled. Try again, or choose another dataset.")

    def _on_described(self, table: LayerTable) -> None:
        self.layer_view.set_table(table)

    def _config(self) -> RunConfig | None:
        try:
            return self.setup.config()
        except InputError:
            return None

    # The network of this moment

    def _on_network(self, live: LiveNetwork) -> None:
        before, self._network = self._network, live
        self._images = self._answer = None
        if before is None or not live.is_moment_of(before):
            self._prepare_views(live)
        self.tools.refresh()
        self._ask_filters()
        self._ask_prediction()

    def _prepare_views(self, live: LiveNetwork) -> None:
        """Nothing of the network before is shown any more."""
        self.canvas.set_author("")
        self.filters.set_images(None)
        self.filters.set_empty(
            "Press Start to see the filters"
            if live.layers
            else "This network has neither a convolution nor weights that could be drawn as pictures"
        )
        self.filters.set_layers(live.layers)
        self.canvas.set_dataset(live.info)

    def _ask_filters(self, *_: object) -> None:
        if self._network is not None and self.filters.layer() and self.filters.isVisible():
            self.bridge.read_filters(self.filters.layer())

    def _on_filters(self, images: tuple[FilterImages, FilterImages]) -> None:
        # While a run draws anyway, all views change in one paint: each alone would cost one of its own.
        if self.run_state.status == "running":
            self._images = images
        else:
            self.filters.set_images(*images)

    def _on_drawing(self, drawing: np.ndarray | None) -> None:
        if drawing is None:
            self._answer = None
        else:
            self._pen_moved = True
            self.bridge.predict(drawing)

    def _ask_prediction(self) -> None:
        if self._network is not None and self.canvas.isVisible():
            drawing = self.canvas.drawing()
            if drawing is not None:
                self.bridge.predict(drawing)

    def _on_predicted(self, answer: tuple[np.ndarray, np.ndarray]) -> None:
        """Follow the pen at once, the weights with the other views."""
        if self._pen_moved or self.run_state.status != "running":
            self._pen_moved = False
            self._show_answer(*answer)
        else:
            self._answer = answer

    def _show_answer(self, sample: np.ndarray, probabilities: np.ndarray) -> None:
        self._answer = None
        if self.canvas.drawing() is not None:
            self.canvas.set_answer(sample, probabilities)
            step = self.bench.step()
            self.canvas.set_author(f"Network at step {numbers.count(step)}" if step else "Untrained network")

    def show_sample(self) -> None:
        """Put a test example on the canvas."""
        config = self._config()
        if config is not None and config.dataset_info().is_image:
            self.bridge.pick_sample(config.dataset, number=random.randrange(1_000_000))

    # Lessons and tools

    def open_lesson(self, name: str, *, stage: int = 1) -> None:
        """Open a lesson by name or file. Raises InputError."""
        self.guide.open(name, stage=stage)

    def _open_lesson(self, path: Path) -> None:
        try:
            self.open_lesson(str(path))
        except InputError as error:
            self.say(sentence_of(error))

    def _save_lesson(self, path: Path, title: str, text: str) -> None:
        config = self._config()
        if config is None:
            self.say("The set-up has a mistake; mend it before saving it as a lesson.")
            return
        shown = [name for name, dock in self.tools.docks.items() if not dock.isHidden()]
        self.bridge.save_lesson(path, config, title=title, text=text, tools=shown)

    def _on_tool_opened(self, name: str) -> None:
        """A tool beside the curves gets as much room as they have."""
        dock, curves = self.tools.docks[name], self.docks["curves"]
        if dock.isFloating() or dock.width() >= TOOL_WIDTH * self.width():
            return
        both = dock.width() + curves.width()
        wide = min(int(TOOL_WIDTH * self.width()), int(0.55 * both))
        self.resizeDocks([curves, dock], [both - wide, wide], Qt.Orientation.Horizontal)

    # Files

    def _save_weights(self, path: Path) -> None:
        config = self._config()
        if config is not None:
            self.bridge.save_weights(path, config)

    def _save_setup(self, path: Path) -> None:
        try:
            config = self.setup.config()
        except InputError as error:
            self.setup.show_error(error)
            return
        self.bridge.save_setup(path, config)

    def _open_setup(self, path: Path) -> None:
        if self.bridge.running:
            self.say("A run is under way: stop it before opening another set-up.")
            return
        try:
            self.setup.set_config(load_config(path))
        except InputError as error:
            self.say(error.sentence)

    def _on_imported(self, run: int) -> None:
        """A run from elsewhere is in the history: show it as one of the past."""
        self.history.reload()
        self.history.open(run)

    def _set_budget(self, share: float) -> None:
        self.budget.share = share
        self._save_later()

    # Looks, settings, the end

    def toggle_theme(self) -> None:
        self.set_theme(THEMES["light" if self.theme.name == "dark" else "dark"])
        self.settings = replace(self.settings, theme=self.theme.name)
        self._save_later()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.setPalette(theme.palette())
            application.setStyleSheet(theme.stylesheet())
        self._theme_views()

    def _theme_views(self) -> None:
        for view in (
            self.toolbar,
            self.notice,
            self.dataset_view,
            self.layer_view,
            self.schedule_view,
            self.curves,
            self.filters,
            self.canvas,
            self.rewinding,
            self.lesson_panel,
            self.history,
            self.race.strip,
            self.tools,
        ):
            view.set_theme(self.theme)

    def _restore(self) -> None:
        saved = self.settings
        if saved.choices:
            self.setup.restore(saved.choices)
        self.guide.done = saved.lessons_done
        self.curves.set_choices(saved.curves)
        self.filters.set_mode("change" if saved.filter_mode == "change" else "values")
        self.filters.set_scale("each" if saved.filter_scale == "each" else "shared")
        self.canvas.tools.set_brush_size(saved.brush_size)
        self.toolbar.set_speed_place(round(saved.speed * (len(SPEEDS) - 1)))
        if saved.geometry:
            self.restoreGeometry(QByteArray.fromBase64(saved.geometry.encode()))
        if saved.window_state:
            self.restoreState(QByteArray.fromBase64(saved.window_state.encode()), LAYOUT)

    def gather_settings(self) -> stored.Settings:
        """What the next start should find."""
        return replace(
            self.settings,
            geometry=bytes(self.saveGeometry().toBase64().data()).decode(),
            window_state=bytes(self.saveState(LAYOUT).toBase64().data()).decode(),
            choices=self.setup.choices(),
            watching_budget=self.budget.share,
            speed=self.toolbar.speed_place() / (len(SPEEDS) - 1),
            brush_size=self.canvas.tools.brush_size,
            curves=self.curves.choices(),
            filter_mode=self.filters.mode(),
            filter_scale=self.filters.scale(),
            lessons_done=self.guide.done,
        )

    def _save_later(self, *_: object) -> None:
        if not self._closing:
            self._save_soon.start()

    def _save_settings(self) -> None:
        self.settings = self.gather_settings()
        self.bridge.save_settings(self.settings)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._shown:
            self._shown = True
            self.toolbar.focus_start()
            if not self.settings.window_state:
                QTimer.singleShot(0, self, self._size_docks)  # docks take sizes only once they are laid out
            # Torch and the history are loaded after the first paint, within the next turn of the event loop.
            QTimer.singleShot(0, self, lambda: QTimer.singleShot(0, self, self._begin_work))

    def _begin_work(self) -> None:
        self.bridge.warm_up()
        self.history.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the run, wait for it and all other work, keep the settings, then close."""
        if not self._closing:
            self._closing = True
            self._save_soon.stop()
            problem = stored.save(self.gather_settings())
            if problem:
                logging.getLogger(__name__).warning(problem)
            self.race.cancel()
            self.stop()
            self.say("Closing …")
            self.bridge.shut_down_threads()
        if self.bridge.busy:
            event.ignore()
            return
        event.accept()
