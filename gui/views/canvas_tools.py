"""The canvas's tools: brush, eraser, undo, clear, pictures. Says what is wanted, does nothing itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QSizePolicy, QSlider, QWidget

from gui import icons
from gui.drawing_tools import ICON, DrawingTools
from gui.strokes import BRUSH_DEFAULT, BRUSH_MAX, BRUSH_MIN
from gui.theme import DARK, Theme


class CanvasTools(DrawingTools):
    """Two rows.

    Signals:
        brush_size_changed: canvas pixels, 8 … 64.
        open_requested: a button was pressed.
    """

    brush_size_changed = Signal(int)
    open_requested = Signal()

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(
            parent,
            name="canvas_tools",
            eraser="Erase instead of drawing. The right mouse button always erases.",
            clear="Clear the canvas (C).",
            paste="Paste a picture from the clipboard (Ctrl+V on the canvas).",
            paste_name="Paste a picture",
            sample="",
        )
        self._brush_sign = QLabel()
        self._brush = QSlider(Qt.Orientation.Horizontal)
        self._brush.setObjectName("brush_size")
        self._brush.setRange(BRUSH_MIN, BRUSH_MAX)
        self._brush.setValue(BRUSH_DEFAULT)
        self._brush.setSingleStep(2)
        self._brush.setPageStep(8)
        self._brush.setAccessibleName("Brush size")
        self._brush.setMinimumWidth(60)
        self._brush.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._brush.valueChanged.connect(self._tell_brush)
        tip = "Open a picture file. It can also be dropped on the canvas."
        self._open = self._button("image-open", "Open a picture", tip, self.open_requested)
        self._set_rows(
            (
                (self._brush_sign, self._brush, self._eraser, self._undo, self._clear),
                (self._open, self._paste, None, self._sample),
            ),
            wide=self._brush,
        )
        self.set_sample_available(True)
        self._describe_brush()
        self.set_theme(theme)

    @property
    def brush_size(self) -> int:
        return self._brush.value()

    def set_brush_size(self, size: int) -> None:
        """In canvas pixels, kept within 8 … 64."""
        self._brush.setValue(size)

    def set_sample_available(self, available: bool, *, why_not: str = "The dataset is not loaded yet.") -> None:
        """Whether test examples can be shown; otherwise the tooltip says `why_not`."""
        self._sample.setEnabled(available)
        self._sample.setToolTip("Put an example of the test set on the canvas." if available else why_not)

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self._brush_sign.setPixmap(
            icons.pixmap("brush", theme, size=ICON, density=self.devicePixelRatioF(), role="secondary")
        )

    @Slot(int)
    def _tell_brush(self, size: int) -> None:
        self._describe_brush()
        self.brush_size_changed.emit(size)

    def _describe_brush(self) -> None:
        self._brush.setToolTip(
            f"The brush is {self._brush.value()} px wide, of the canvas's 280 px. With {BRUSH_DEFAULT} px strokes are "
            "about as wide as MNIST's."
        )
