"""What a start finds as the last one left it: gathered from the views, written a moment after the last change."""

from __future__ import annotations

import logging
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer

from gui import settings as stored
from gui.bridge import Bridge
from gui.canvas_panel import CanvasPanel
from gui.dock_layout import DockLayout
from gui.lesson_guide import LessonGuide
from gui.refresh import RefreshBudget
from gui.run_toolbar import SPEEDS, RunToolbar
from gui.views.curves import CurvesView
from gui.views.filters import FiltersView
from gui.views.setup_panel import SetupPanel

SAVE_AFTER = 1000  # ms without another change before the settings are written


class KeptSettings(QObject):
    """Stands between the window's parts and the settings' file.

    Args:
        saved: what was loaded at the start.
    """

    def __init__(
        self,
        parent: QObject,
        saved: stored.Settings,
        *,
        bridge: Bridge,
        layout: DockLayout,
        toolbar: RunToolbar,
        setup: SetupPanel,
        curves: CurvesView,
        filters: FiltersView,
        canvas: CanvasPanel,
        guide: LessonGuide,
        budget: RefreshBudget,
    ) -> None:
        super().__init__(parent)
        self._settings = saved
        self._bridge, self._layout, self._toolbar, self._setup = bridge, layout, toolbar, setup
        self._curves, self._filters, self._canvas = curves, filters, canvas
        self._guide, self._budget = guide, budget
        self._finished = False
        self._soon = QTimer(self, singleShot=True, interval=SAVE_AFTER)
        self._soon.timeout.connect(self._save)

    @property
    def settings(self) -> stored.Settings:
        """As they were written last, or loaded."""
        return self._settings

    def restore(self) -> None:
        """Give the views what was loaded."""
        saved = self._settings
        if saved.choices:
            self._setup.restore(saved.choices)
        self._guide.done = saved.lessons_done
        self._curves.set_choices(saved.curves)
        self._filters.set_mode("change" if saved.filter_mode == "change" else "values")
        self._filters.set_scale("each" if saved.filter_scale == "each" else "shared")
        self._canvas.tools.set_brush_size(saved.brush_size)
        self._toolbar.set_speed_place(round(saved.speed * (len(SPEEDS) - 1)))
        self._layout.restore(saved)

    def gather(self) -> stored.Settings:
        """What the next start should find."""
        return replace(
            self._settings,
            geometry=self._layout.geometry(),
            window_state=self._layout.state(),
            choices=self._setup.choices(),
            watching_budget=self._budget.share,
            speed=self._toolbar.speed_place() / (len(SPEEDS) - 1),
            brush_size=self._canvas.tools.brush_size,
            curves=self._curves.choices(),
            filter_mode=self._filters.mode(),
            filter_scale=self._filters.scale(),
            lessons_done=self._guide.done,
        )

    def set_theme(self, name: str) -> None:
        self._settings = replace(self._settings, theme=name)
        self.save_later()

    def set_budget(self, share: float) -> None:
        """The share of the time that drawing may take."""
        self._budget.share = share
        self.save_later()

    def save_later(self, *_: object) -> None:
        """Something is another; whatever a signal says of it."""
        if not self._finished:
            self._soon.start()

    def finish(self) -> None:
        """Write them now, for the last time."""
        self._finished = True
        self._soon.stop()
        problem = stored.save(self.gather())
        if problem:
            logging.getLogger(__name__).warning(problem)

    def _save(self) -> None:
        self._settings = self.gather()
        self._bridge.save_settings(self._settings)
