"""The canvas or the grid of cells, what the network receives of it, and the network's answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.datasets.data import DatasetInfo
from gui.cells import highest_of, is_painted_by_cell
from gui.panel_parts import scrolling
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.canvas_tools import CanvasTools
from gui.views.digit_canvas import DigitCanvas
from gui.views.pattern_grid import PatternGrid
from gui.views.pattern_tools import PatternTools
from gui.views.prediction_bars import PredictionBars
from gui.views.received_picture import ReceivedPicture

CANVAS_SHARE = 0.42  # of the panel's height that the canvas takes at most
_SMALLEST = 120  # px


class CanvasPanel(QWidget):
    """What a person puts before the network: strokes on a canvas, or for tiny images values in a grid of cells.

    Signals: `drawing_changed`: pixels uint8, the grid's values float32, or None; `sample_requested`: an example of the
    test set is wanted.
    """

    drawing_changed = Signal(object)
    sample_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = DigitCanvas(theme=theme)
        self.tools = CanvasTools(theme=theme)
        self.grid = PatternGrid(theme=theme)
        self.grid_tools = PatternTools(theme=theme)
        self._by_cell = False
        self._received = ReceivedPicture(theme=theme)
        self._bars = PredictionBars(theme=theme)
        self._author = QLabel()
        self._author.setObjectName("prediction_author")
        self._author.setProperty("role", "note")
        self._points = QLabel()
        self._points.setObjectName("canvas_refusal")
        self._points.setProperty("role", "secondary")
        self._points.setWordWrap(True)
        self._points.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._points.setVisible(False)

        answer = QWidget()
        answer.setObjectName("canvas_answer")
        rows = QVBoxLayout(answer)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        rows.addWidget(self._received)
        rows.addWidget(self._author)
        rows.addWidget(self._bars, 1)
        self._scroll = scrolling(answer, sideways=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        layout.setSpacing(2 * SPACING)
        layout.addWidget(self._points)
        layout.addWidget(self.canvas)
        layout.addWidget(self.tools)
        layout.addWidget(self.grid)
        layout.addWidget(self.grid_tools)
        layout.addWidget(self._scroll, 1)

        self.tools.brush_size_changed.connect(self.canvas.set_brush_size)
        self.tools.eraser_toggled.connect(self.canvas.set_eraser)
        self.tools.undo_requested.connect(self.canvas.undo)
        self.tools.clear_requested.connect(self.canvas.clear)
        self.tools.open_requested.connect(self.canvas.choose_picture)
        self.tools.paste_requested.connect(self.canvas.paste)
        self.tools.sample_requested.connect(self.sample_requested)
        self.canvas.undo_available.connect(self.tools.set_undo_available)
        self.canvas.clear_available.connect(self.tools.set_clear_available)
        self.canvas.drawing_changed.connect(self._on_strokes)
        self._wire_grid()
        self.grid.setVisible(False)
        self.grid_tools.setVisible(False)
        self.set_author("")

    def _wire_grid(self) -> None:
        grid, tools = self.grid, self.grid_tools
        tools.intensity_changed.connect(grid.set_intensity)
        tools.eraser_toggled.connect(grid.set_eraser)
        tools.refused.connect(grid.reject)
        tools.undo_requested.connect(grid.undo)
        tools.clear_requested.connect(grid.clear)
        tools.copy_requested.connect(grid.copy)
        tools.paste_requested.connect(grid.paste)
        tools.sample_requested.connect(self.sample_requested)
        grid.set_intensity(float(tools.intensity))
        grid.undo_available.connect(tools.set_undo_available)
        grid.clear_available.connect(tools.set_clear_available)
        grid.drawing_changed.connect(self._on_cells)

    def set_dataset(self, info: DatasetInfo) -> None:
        """Adapt to a dataset's kind of sample and its classes."""
        by_cell = is_painted_by_cell(info)
        if by_cell != self._by_cell:
            self._by_cell = by_cell
            self.set_answer(None, None)
        self.canvas.setVisible(info.is_image and not by_cell)
        self.tools.setVisible(info.is_image and not by_cell)
        self.grid.setVisible(by_cell)
        self.grid_tools.setVisible(by_cell)
        self._scroll.setVisible(info.is_image)
        self._points.setVisible(not info.is_image)
        self._points.setText(
            f"{info.label} has points, not pictures, so there is nothing to draw. "
            "Choose MNIST or another set of pictures to use the canvas."
        )
        if by_cell:
            self.grid.set_kind(rows=info.shape[1], columns=info.shape[2], highest=highest_of(info))
            self.grid_tools.set_highest(highest_of(info))
        elif info.is_image:
            self.canvas.set_kind(channels=info.shape[0], drawable=info.drawable)
            self.canvas.set_subject(_subject(info))
        if info.is_image:
            self._bars.set_classes(info.classes)

    def drawing(self) -> NDArray[np.uint8] | NDArray[np.float32] | None:
        """What is before the network now: pixels of the canvas, values of the grid, None where there is nothing."""
        return self.grid.drawing() if self._by_cell else self.canvas.drawing()

    def show_sample(self, sample: NDArray[np.uint8] | NDArray[np.float32]) -> None:
        """Put a sample of the dataset on the canvas or the grid; one of another kind of dataset came too late."""
        if self._by_cell:
            self.grid.show_sample(sample)
        elif sample.dtype == np.uint8:
            self.canvas.show_sample(sample.astype(np.uint8, copy=False))

    def clear(self) -> None:
        """Empty it, which can be undone."""
        (self.grid if self._by_cell else self.canvas).clear()

    def undo(self) -> None:
        """Take back its last step."""
        (self.grid if self._by_cell else self.canvas).undo()

    def set_answer(
        self,
        sample: NDArray[np.uint8] | NDArray[np.float32] | None,
        probabilities: NDArray[np.floating] | None,
    ) -> None:
        """What the network received, uint8 or of a raw image float32 (C, H, W), and what it makes of it."""
        self._received.set_sample(sample)
        self._bars.set_probabilities(probabilities)

    def set_author(self, text: str) -> None:
        """Whose answer it is: `untrained network`, `network at step 420`."""
        self._author.setText(text)

    def set_theme(self, theme: Theme) -> None:
        for view in (self.canvas, self.tools, self.grid, self.grid_tools, self._received, self._bars):
            view.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The canvas is a square across the panel, as far as the answer below keeps its room."""
        super().resizeEvent(event)
        across = self.width() - 2 * PANEL_MARGIN
        for square in (self.canvas, self.grid):
            square.setFixedHeight(max(_SMALLEST, min(across, round(CANVAS_SHARE * self.height()))))

    # The one of the two that is hidden may still tell of its last change.

    def _on_strokes(self, drawing: NDArray[np.uint8] | None) -> None:
        if not self._by_cell:
            self._tell(drawing)

    def _on_cells(self, drawing: NDArray[np.float32] | None) -> None:
        if self._by_cell:
            self._tell(drawing)

    def _tell(self, drawing: NDArray[np.uint8] | NDArray[np.float32] | None) -> None:
        if drawing is None:
            self.set_answer(None, None)
        self.drawing_changed.emit(drawing)


def _subject(info: DatasetInfo) -> str:
    if not info.drawable:
        return "a picture"
    if all(name.isdigit() for name in info.classes):
        return "a digit"
    return "a letter" if all(len(name) <= 2 and name.isascii() for name in info.classes) else "a sign"
