"""The canvas's tools: brush, eraser, undo, clear, pictures. Says what is wanted, does nothing itself."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from gui import icons
from gui.strokes import BRUSH_DEFAULT, BRUSH_MAX, BRUSH_MIN
from gui.theme import DARK, SPACING, Theme

_ICON = 16  # px


class CanvasTools(QWidget):
    """Two rows that fit a dock of 220 px.

    Signals:
        brush_size_changed: canvas pixels, 8 … 64. eraser_toggled: whether strokes erase.
        undo_requested, clear_requested, open_requested, paste_requested, sample_requested: a button was pressed.
    """

    brush_size_changed = Signal(int)
    eraser_toggled = Signal(bool)
    undo_requested = Signal()
    clear_requested = Signal()
    open_requested = Signal()
    paste_requested = Signal()
    sample_requested = Signal()

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent)
        self.setObjectName("canvas_tools")
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
        self._eraser = self._button(
            "eraser", "Eraser", "Erase instead of drawing. The right mouse button always erases."
        )
        self._eraser.setCheckable(True)
        self._undo = self._button("undo", "Undo", "Take back the last step (Ctrl+Z).")
        self._clear = self._button("clear", "Clear", "Clear the canvas (C).")
        self._open = self._button(
            "image-open", "Open a picture", "Open a picture file. It can also be dropped on the canvas."
        )
        self._paste = self._button(
            "paste", "Paste a picture", "Paste a picture from the clipboard (Ctrl+V on the canvas)."
        )
        self._sample = self._button("sample", "Test example", "")
        self._sample.setProperty("compact", False)
        self._sample.setText("Example")
        self._sample.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._lay_out()
        self._brush.valueChanged.connect(self._tell_brush)
        self._eraser.toggled.connect(self.eraser_toggled)
        for button, wanted in (
            (self._undo, self.undo_requested),
            (self._clear, self.clear_requested),
            (self._open, self.open_requested),
            (self._paste, self.paste_requested),
            (self._sample, self.sample_requested),
        ):
            button.clicked.connect(wanted)
        self.set_undo_available(False)
        self.set_clear_available(False)
        self.set_sample_available(True)
        self._describe_brush()
        self.set_theme(theme)

    @property
    def brush_size(self) -> int:
        return self._brush.value()

    def set_brush_size(self, size: int) -> None:
        """In canvas pixels, kept within 8 … 64."""
        self._brush.setValue(size)

    def set_eraser(self, on: bool) -> None:
        self._eraser.setChecked(on)

    @Slot(bool)
    def set_undo_available(self, available: bool) -> None:
        self._undo.setEnabled(available)

    @Slot(bool)
    def set_clear_available(self, available: bool) -> None:
        self._clear.setEnabled(available)

    def set_sample_available(self, available: bool, *, why_not: str = "The dataset is not loaded yet.") -> None:
        """Whether test examples can be shown; otherwise the tooltip says `why_not`."""
        self._sample.setEnabled(available)
        self._sample.setToolTip("Put an example of the test set on the canvas." if available else why_not)

    def set_theme(self, theme: Theme) -> None:
        for button in (self._eraser, self._undo, self._clear, self._open, self._paste, self._sample):
            button.setIcon(icons.icon(str(button.property("drawing")), theme))
        self._brush_sign.setPixmap(
            icons.pixmap("brush", theme, size=_ICON, density=self.devicePixelRatioF(), role="secondary")
        )

    def _button(self, drawing: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"canvas_{drawing.replace('-', '_')}")
        button.setProperty("drawing", drawing)
        button.setProperty("compact", True)
        button.setIconSize(QSize(_ICON, _ICON))
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the canvas
        return button

    def _lay_out(self) -> None:
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for row in (upper, lower):
            row.setSpacing(SPACING)
            row.setContentsMargins(0, 0, 0, 0)
        upper.addWidget(self._brush_sign)
        upper.addWidget(self._brush, 1)
        upper.addWidget(self._eraser)
        for button in (self._undo, self._clear):
            upper.addWidget(button)
        for button in (self._open, self._paste):
            lower.addWidget(button)
        lower.addStretch(1)
        lower.addWidget(self._sample)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        rows.addLayout(upper)
        rows.addLayout(lower)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @Slot(int)
    def _tell_brush(self, size: int) -> None:
        self._describe_brush()
        self.brush_size_changed.emit(size)

    def _describe_brush(self) -> None:
        self._brush.setToolTip(
            f"The brush is {self._brush.value()} px wide, of the canvas's 280 px. With {BRUSH_DEFAULT} px strokes are "
            "about as wide as MNIST's."
        )
