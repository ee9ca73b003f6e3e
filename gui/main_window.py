"""The main window: composition and wiring, nothing else."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QVBoxLayout, QWidget

from gui import settings as stored
from gui.bridge import Bridge
from gui.canvas_panel import CanvasPanel
from gui.dock_layout import DockLayout
from gui.first_use import use_first
from gui.history import History
from gui.kept_settings import KeptSettings
from gui.key_sheet import KeySheet
from gui.lesson_guide import LessonGuide
from gui.lesson_panel import LessonPanel
from gui.network_views import NetworkViews
from gui.race_queue import RaceQueue
from gui.refresh import RefreshBudget
from gui.rewinding import Rewinding
from gui.run_commands import RunCommands
from gui.run_screen import RunScreen
from gui.run_state import RunState
from gui.run_toolbar import RunToolbar
from gui.saving import Saving
from gui.setup_previews import SetupPreviews
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
        self.run_state = RunState()
        self.bridge = Bridge(self)  # first, for its threads' sake: see use_first
        use_first()
        self.bridge.load_ahead()
        self.budget = RefreshBudget(settings.watching_budget)
        self._closing = False
        self._shown = False
        self._make_views()
        self._make_docks()
        self._make_parts(settings)
        self.resize(1280, 800)
        self.dock_layout.arrange()
        self._wire_views()
        self._wire_parts()
        self.kept.restore()
        for view in (self.dataset_view, self.layer_view, self.schedule_view):  # the others were made in it
            view.set_theme(theme)
        self.run_screen.show_state()
        self.previews.begin()

    # Composition

    def _make_views(self) -> None:
        theme = self.theme
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

    def _make_docks(self) -> None:
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
        self.tools = ToolDocks(self, self.bench, self.theme)
        self.history.set_tools(self.tools)
        self.dock_layout = DockLayout(self, self.docks, self.tools)

    def _make_parts(self, settings: stored.Settings) -> None:
        """What stands between the views and the bridge."""
        bridge, setup, run_state = self.bridge, self.setup, self.run_state
        self.guide = LessonGuide(
            self,
            panel=self.lesson_panel,
            dock=self.docks["lesson"],
            docks=self.docks,
            tools=self.tools,
            setup=setup,
            toolbar=self.toolbar,
            curves=self.curves,
            busy=lambda: self.bridge.running,
            say=self.say,
        )
        self.menu = WindowMenu(self.toolbar.menu, self, self.docks, self.tools.docks, share=settings.watching_budget)
        self.take_away = TakeAway(self, bridge=bridge, on_screen=lambda: self.history.on_screen, say=self.say)
        self.previews = SetupPreviews(
            self,
            bridge=bridge,
            setup=setup,
            dataset_view=self.dataset_view,
            layer_view=self.layer_view,
            schedule_view=self.schedule_view,
            bench=self.bench,
            canvas=self.canvas,
            refresh_tools=self.tools.refresh,
        )
        self.network_views = NetworkViews(
            self, bridge=bridge, run_state=run_state, filters=self.filters, canvas=self.canvas, step=self.bench.step
        )
        self.run_screen = RunScreen(
            self,
            bridge=bridge,
            run_state=run_state,
            budget=self.budget,
            toolbar=self.toolbar,
            setup=setup,
            curves=self.curves,
            notice=self.notice,
            status_line=self.status_line,
            network_views=self.network_views,
            history=self.history,
            rewinding=self.rewinding,
            tools=self.tools,
            guide=self.guide,
        )
        self.commands = RunCommands(
            self,
            bridge=bridge,
            setup=setup,
            run_state=run_state,
            screen=self.run_screen,
            history=self.history,
            guide=self.guide,
            say=self.say,
        )
        self.saving = Saving(self, bridge=bridge, setup=setup, guide=self.guide, tools=self.tools, say=self.say)
        self.kept = KeptSettings(
            self,
            settings,
            bridge=bridge,
            layout=self.dock_layout,
            toolbar=self.toolbar,
            setup=setup,
            curves=self.curves,
            filters=self.filters,
            canvas=self.canvas,
            guide=self.guide,
            budget=self.budget,
        )

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

    def _wire_views(self) -> None:
        toolbar, bridge, setup, kept, menu = self.toolbar, self.bridge, self.setup, self.kept, self.menu
        toolbar.start.connect(self.start)
        toolbar.pause.connect(bridge.pause)
        toolbar.resume.connect(bridge.resume)
        toolbar.step.connect(self.step)
        toolbar.epoch.connect(self.epoch)
        toolbar.stop.connect(self.stop)
        toolbar.speed.connect(bridge.set_speed)
        toolbar.speed.connect(kept.save_later)
        toolbar.theme.connect(self.toggle_theme)
        toolbar.keys.connect(lambda: KeySheet(self).show())
        setup.config_changed.connect(kept.save_later)
        setup.config_changed.connect(self.previews.on_changed)
        setup.hyperparameter_changed.connect(lambda name, value: bridge.change(name, float(value)))
        setup.schedule_changed.connect(bridge.change_schedule)
        self.canvas.sample_requested.connect(self.show_sample)
        self.canvas.tools.brush_size_changed.connect(kept.save_later)
        self.curves.choices_changed.connect(kept.save_later)
        self.curves.export_failed.connect(self.say)
        self.curves.exported.connect(lambda path: self.say(f"Saved {path}."))
        self.filters.export_failed.connect(self.say)
        self.filters.options_changed.connect(kept.save_later)
        self.docks["filters"].visibilityChanged.connect(self.network_views.ask_filters)
        self.docks["runs"].visibilityChanged.connect(lambda shown: self.history.reload() if shown else None)
        menu.weights_path.connect(self.saving.save_weights)
        menu.setup_path.connect(self.saving.save_setup)
        menu.open_path.connect(self.saving.open_setup)
        menu.archive_path.connect(self.take_away.open_archive)
        menu.run_menu.aboutToShow.connect(lambda: self.take_away.offer_shown(menu.run_menu))
        menu.reset_layout.connect(self.dock_layout.arrange)
        menu.budget.connect(kept.set_budget)
        menu.race.connect(self.race.ask)
        menu.clear_canvas.connect(self.canvas.clear)
        menu.undo.connect(self.canvas.undo)
        menu.sample.connect(self.show_sample)

    def _wire_parts(self) -> None:
        bridge, commands, history, run_screen = self.bridge, self.commands, self.history, self.run_screen
        history.shown.connect(run_screen.show_past)
        history.go_on.connect(commands.go_on)
        history.panel.table.menu_made.connect(self.take_away.offer_selected)
        self.race.problem.connect(commands.refuse)
        self.race.named.connect(history.reload)
        self.race.ended.connect(history.compare)
        self.rewinding.branched.connect(commands.branch)
        self.rewinding.refused.connect(commands.refuse)
        self.take_away.imported.connect(history.reload)
        self.take_away.imported.connect(history.open)
        self.tools.opened.connect(self.dock_layout.give_room)
        self.guide.progressed.connect(self.kept.save_later)
        self.guide.open_wanted.connect(self.saving.ask_lesson_to_open)
        self.guide.save_wanted.connect(self.saving.ask_lesson_to_save)
        run_screen.ended.connect(self.previews.follow)
        run_screen.changed.connect(self.run_state_changed)
        bridge.network_changed.connect(self.tools.refresh)
        bridge.saved.connect(self.say)
        bridge.problem.connect(self.say)
        bridge.shut_down.connect(self.close)

    # What can be asked of it

    @property
    def settings(self) -> stored.Settings:
        """As they were kept last."""
        return self.kept.settings

    @property
    def note(self) -> str:
        """What the status line says beside the run."""
        return self.run_screen.note

    def gather_settings(self) -> stored.Settings:
        """What the next start should find."""
        return self.kept.gather()

    def start(self) -> None:
        """Begin a run of what is set up; a mistake in it is shown where it was made."""
        self.commands.start()

    def step(self) -> None:
        """One step, then pause; without a run, the first step of one."""
        self.commands.step()

    def epoch(self) -> None:
        """To the end of the epoch, then pause; without a run, the first epoch of one."""
        self.commands.epoch()

    def stop(self) -> None:
        self.commands.stop()

    def say(self, text: str) -> None:
        """A sentence in the status line, until the next run."""
        self.run_screen.say(text)

    def show_sample(self) -> None:
        """Put a test example on the canvas."""
        self.previews.show_sample()

    def open_lesson(self, name: str, *, stage: int = 1) -> None:
        """Open a lesson by name or file. Raises InputError."""
        self.guide.open(name, stage=stage)

    # Looks

    def toggle_theme(self) -> None:
        self.set_theme(THEMES["light" if self.theme.name == "dark" else "dark"])
        self.kept.set_theme(self.theme.name)

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

    # Beginning and end

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._shown:
            self._shown = True
            self.toolbar.focus_start()
            if not self.settings.window_state:
                QTimer.singleShot(0, self, self.dock_layout.size)  # docks take sizes only once they are laid out
            # Torch and the history are loaded after the first paint, within the next turn of the event loop.
            QTimer.singleShot(0, self, lambda: QTimer.singleShot(0, self, self._begin_work))

    def _begin_work(self) -> None:
        self.bridge.warm_up()
        self.history.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the run, wait for it and all other work, keep the settings, then close."""
        if not self._closing:
            self._closing = True
            self.kept.finish()
            self.commands.close()
            self.race.cancel()
            self.stop()
            self.say("Closing …")
            self.bridge.shut_down_threads()
        if self.bridge.busy:
            event.ignore()
            return
        event.accept()
