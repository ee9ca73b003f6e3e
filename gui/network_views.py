"""What the network of this moment shows of itself: its filters, and its answer to the drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QElapsedTimer, QObject

from engine.snapshots import FilterImages
from gui import numbers
from gui.bridge import Bridge
from gui.canvas_panel import CanvasPanel
from gui.run_state import RunState
from gui.views.filters import START_TEXT, FiltersView

if TYPE_CHECKING:
    from engine.live import LiveNetwork

_NOTHING_YET = {
    "idle": START_TEXT,
    "running": "The filters appear with the first step",
    "paused": "The filters appear with the first step",
    "finished": "The run ended before its first step",
    "failed": "The run ended before its first step",
}
FILTERS_EVERY = 480  # ms while training: pictures change more slowly than curves and cost more


class NetworkViews(QObject):
    """Asks the network for what the filters' view and the canvas show, and shows what comes back.

    Args:
        step: after which step of a run the network is, None where it is untrained.
    """

    def __init__(
        self,
        parent: QObject,
        *,
        bridge: Bridge,
        run_state: RunState,
        filters: FiltersView,
        canvas: CanvasPanel,
        step: Callable[[], int | None],
    ) -> None:
        super().__init__(parent)
        self._bridge, self._state, self._filters, self._canvas, self._step = bridge, run_state, filters, canvas, step
        self._network: LiveNetwork | None = None
        self._images: tuple[FilterImages, FilterImages] | None = None
        self._answer: tuple[np.ndarray, np.ndarray] | None = None
        self._pen_moved = False
        self._asked = QElapsedTimer()
        filters.layer_chosen.connect(self.ask_filters)
        canvas.drawing_changed.connect(self._on_drawing)
        bridge.network_changed.connect(self._on_network)
        bridge.filters_read.connect(self._on_filters)
        bridge.predicted.connect(self._on_predicted)
        bridge.sample_picked.connect(canvas.show_sample)

    def _on_network(self, live: LiveNetwork) -> None:
        before, self._network = self._network, live
        self._images = self._answer = None
        if before is None or not live.is_moment_of(before):
            self._prepare(live)
        self.ask_filters()
        self._ask_prediction()

    def _prepare(self, live: LiveNetwork) -> None:
        """Nothing of the network before is shown any more."""
        self._canvas.set_author("")
        self._filters.set_images(None)
        self._filters.set_empty(
            START_TEXT
            if live.layers
            else "This network has neither a convolution nor weights that could be drawn as pictures"
        )
        self._filters.set_layers(live.layers)
        self._canvas.set_dataset(live.info)

    def refresh(self) -> None:
        """Show what has arrived, and ask for what is due."""
        if self._network is None:
            self._filters.set_empty(_NOTHING_YET[self._state.status])
        if self._images is not None:
            self._filters.set_images(*self._images)
            self._images = None
        if self._answer is not None:
            self._show_answer(*self._answer)
        if self._state.status != "running" or not self._asked.isValid() or self._asked.elapsed() >= FILTERS_EVERY:
            self.ask_filters()
            self._asked.start()
        self._ask_prediction()

    # Filters

    def ask_filters(self, *_: object) -> None:
        if self._network is not None and self._filters.layer() and self._filters.isVisible():
            self._bridge.read_filters(self._filters.layer())

    def _on_filters(self, images: tuple[FilterImages, FilterImages]) -> None:
        # While a run draws anyway, all views change in one paint: each alone would cost one of its own.
        if self._state.status == "running":
            self._images = images
        else:
            self._filters.set_images(*images)

    # The answer to the drawing

    def _on_drawing(self, drawing: np.ndarray | None) -> None:
        if drawing is None:
            self._answer = None
        else:
            self._pen_moved = True
            self._bridge.predict(drawing)

    def _ask_prediction(self) -> None:
        if self._network is not None and self._canvas.isVisible():
            drawing = self._canvas.drawing()
            if drawing is not None:
                self._bridge.predict(drawing)

    def _on_predicted(self, answer: tuple[np.ndarray, np.ndarray]) -> None:
        """Follow the pen at once, the weights with the other views."""
        if self._pen_moved or self._state.status != "running":
            self._pen_moved = False
            self._show_answer(*answer)
        else:
            self._answer = answer

    def _show_answer(self, sample: np.ndarray, probabilities: np.ndarray) -> None:
        self._answer = None
        if self._canvas.drawing() is not None:
            self._canvas.set_answer(sample, probabilities)
            step = self._step()
            self._canvas.set_author(f"Network at step {numbers.count(step)}" if step else "Untrained network")
