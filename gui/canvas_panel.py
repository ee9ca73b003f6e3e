"""The canvas, what the network receives of it, and the network's answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from engine.datasets.data import DatasetInfo
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.canvas_tools import CanvasTools
from gui.views.digit_canvas import DigitCanvas
from gui.views.prediction_bars import PredictionBars
from gui.views.received_picture import ReceivedPicture

CANVAS_SHARE = 0.42  # of the panel's height that the canvas takes at most
_SMALLEST = 120  # px


class CanvasPanel(QWidget):
    """Signals: `drawing_changed`: pixels uint8 or None; `sample_requested`: an example of the test set is wanted."""

    drawing_changed = Signal(object)
    sample_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = DigitCanvas(theme=theme)
        self.tools = CanvasTools(theme=theme)
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
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(answer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        layout.setSpacing(2 * SPACING)
        layout.addWidget(self._points)
        layout.addWidget(self.canvas)
        layout.addWidget(self.tools)
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
        self.canvas.drawing_changed.connect(self._on_drawing)
        self.set_author("")

    def set_dataset(self, info: DatasetInfo) -> None:
        """Adapt to a dataset's kind of sample and its classes."""
        drawable = info.is_image
        for widget in (self.canvas, self.tools, self._scroll):
            widget.setVisible(drawable)
        self._points.setVisible(not drawable)
        self._points.setText(
            f"{info.label} has points, not pictures, so there is nothing to draw. "
            "Choose MNIST or another set of pictures to use the canvas."
        )
        if drawable:
            self.canvas.set_kind(channels=info.shape[0], drawable=info.drawable)
            self.canvas.set_subject(_subject(info))
            self._bars.set_classes(info.classes)

    def set_answer(self, sample: NDArray[np.uint8] | None, probabilities: NDArray[np.floating] | None) -> None:
        """What the network received, uint8 (C, H, W), and what it makes of it."""
        self._received.set_sample(sample)
        self._bars.set_probabilities(probabilities)

    def set_author(self, text: str) -> None:
        """Whose answer it is: `untrained network`, `network at step 420`."""
        self._author.setText(text)

    def set_theme(self, theme: Theme) -> None:
        for view in (self.canvas, self.tools, self._received, self._bars):
            view.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The canvas is a square across the panel, as far as the answer below keeps its room."""
        super().resizeEvent(event)
        across = self.width() - 2 * PANEL_MARGIN
        self.canvas.setFixedHeight(max(_SMALLEST, min(across, round(CANVAS_SHARE * self.height()))))

    def _on_drawing(self, drawing: NDArray[np.uint8] | None) -> None:
        if drawing is None:
            self.set_answer(None, None)
        self.drawing_changed.emit(drawing)


def _subject(info: DatasetInfo) -> str:
    if not info.drawable:
        return "a picture"
    if all(name.isdigit() for name in info.classes):
        return "a digit"
    return "a letter" if all(len(name) <= 2 and name.isascii() for name in info.classes) else "a sign"
