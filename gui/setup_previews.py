"""What is shown of a set-up before it runs: samples, layers, the schedule, and what the canvas is for."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.errors import InputError
from engine.inspection.shapes import LayerTable
from gui.augmented_preview import AugmentedPreview
from gui.bridge import Bridge
from gui.canvas_panel import CanvasPanel
from gui.views.dataset_preview import DatasetPreviewView
from gui.views.layer_table import LayerTableView
from gui.views.schedule_preview import SchedulePreview
from gui.views.setup_panel import SetupPanel
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig


class SetupPreviews(QObject):
    """Lets the previews follow what is set up, once torch is there.

    Args:
        refresh_tools: called when the set-up is another.
    """

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        setup: SetupPanel,
        dataset_view: DatasetPreviewView,
        layer_view: LayerTableView,
        schedule_view: SchedulePreview,
        bench: Workbench,
        canvas: CanvasPanel,
        refresh_tools: Callable[[], None],
    ) -> None:
        super().__init__(parent)
        self._bridge, self._setup, self._canvas = bridge, setup, canvas
        self._dataset_view, self._layer_view, self._schedule_view = dataset_view, layer_view, schedule_view
        self._augmented = AugmentedPreview(bench, dataset_view, self)
        self._refresh_tools = refresh_tools
        self._dataset: object = None
        dataset_view.cancelled.connect(self._cancel_loading)
        dataset_view.retry.connect(self._load_dataset)
        bridge.torch_ready.connect(self.follow)
        bridge.preview_progressed.connect(dataset_view.set_loading)
        bridge.preview_ready.connect(dataset_view.set_preview)
        bridge.preview_ready.connect(self._augmented.loaded)
        bridge.preview_failed.connect(self._on_preview_failed)
        bridge.described.connect(self._on_described)
        bridge.description_failed.connect(self._on_not_described)

    def begin(self) -> None:
        """What the canvas is for is known before torch is there."""
        with suppress(InputError):  # shown where it is, once the set-up is looked at as a whole
            self._canvas.set_dataset(self._setup.dataset_info())

    def on_changed(self) -> None:
        """The person changed something."""
        if self._config() is not None:
            self._setup.clear_errors()
        self.follow()

    def follow(self) -> None:
        """Let previews, layer table and canvas be those of what is set up."""
        try:
            config = self._setup.config()
        except InputError as error:
            self._layer_view.set_message(error.sentence)
            return
        self._schedule_view.set_config(config)
        self._refresh_tools()
        if not self._bridge.ready:
            return
        self._augmented.follow(config)
        if self._dataset != config.dataset:
            self._dataset = config.dataset
            self._canvas.set_dataset(config.dataset_info())
            self._load_dataset()
        self._bridge.describe(config)  # draws no weights: a run that began before torch was there is described too
        self._bridge.prepare_network(config)

    def show_sample(self) -> None:
        """Put a test example on the canvas."""
        config = self._config()
        if config is not None and config.dataset_info().is_image:
            self._bridge.pick_sample(config.dataset, number=random.randrange(1_000_000))

    def _load_dataset(self) -> None:
        config = self._config()
        if config is not None:
            self._dataset_view.set_loading("Loading", None)
            self._bridge.preview(config.dataset)

    def _cancel_loading(self) -> None:
        self._bridge.cancel_preview()
        self._dataset_view.set_error("Loading was cancelled. Try again, or choose another dataset.")

    def _on_preview_failed(self, error: InputError) -> None:
        self._dataset_view.set_error(error.sentence)

    def _on_described(self, table: LayerTable) -> None:
        self._layer_view.set_table(table)

    def _on_not_described(self, error: InputError) -> None:
        self._layer_view.set_message(error.sentence)

    def _config(self) -> RunConfig | None:
        try:
            return self._setup.config()
        except InputError:
            return None
