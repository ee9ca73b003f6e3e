"""The pattern grid's tools: intensity, eraser, undo, clear, copy, paste. Says what is wanted, does nothing itself."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from engine.catalog import Param
from gui import icons
from gui.cells import HIGHEST, ladder, nearest_stop
from gui.spins import WholeSpin
from gui.theme import DARK, SPACING, Theme

DEFAULT = 10  # amid the intensities of the two patterns' training images
_ICON = 16  # px
_SPIN_WIDTH = 104  # px; nine figures


class PatternTools(QWidget):
    """Three rows that fit a dock of 220 px.

    Signals:
        intensity_changed: what cells are to be painted with, a float that is a whole number.
        eraser_toggled: whether painting sets cells to 0.
        refused: a sentence that says why what was typed is no intensity.
        undo_requested, clear_requested, copy_requested, paste_requested, sample_requested: a button was pressed.
    """

    intensity_changed = Signal(float)
    eraser_toggled = Signal(bool)
    refused = Signal(str)
    undo_requested = Signal()
    clear_requested = Signal()
    copy_requested = Signal()
    paste_requested = Signal()
    sample_requested = Signal()

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent)
        self.setObjectName("pattern_tools")
        self._stops = ladder(HIGHEST)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("intensity_slider")
        self._slider.setAccessibleName("Intensity, in steps of 1, 2, 5, 10 and so on")
        self._slider.setMinimumWidth(48)
        self._spin = WholeSpin(_param(HIGHEST))
        self._spin.setObjectName("intensity")
        self._spin.setAccessibleName("Intensity")
        self._spin.setFixedWidth(_SPIN_WIDTH)
        self._label = QLabel("Intensity")
        self._label.setProperty("role", "secondary")
        self._label.setBuddy(self._spin)
        self._eraser = self._button("eraser", "Eraser", "Set cells to 0. The right mouse button always does.")
        self._eraser.setCheckable(True)
        self._undo = self._button("undo", "Undo", "Take back the last step (Ctrl+Z).")
        self._clear = self._button("clear", "Clear", "Set all cells to 0 (C).")
        self._copy = self._button("copy", "Copy the values", "Copy the values as a table (Ctrl+C on the grid).")
        self._paste = self._button("paste", "Paste values", "Paste a table of numbers (Ctrl+V on the grid).")
        self._sample = self._button("sample", "Test example", "Put an example of the test set on the grid (T).")
        self._sample.setProperty("compact", False)
        self._sample.setText("Example")
        self._sample.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._lay_out()
        self._slider.valueChanged.connect(lambda place: self._spin.setValue(self._stops[place]))
        self._spin.valueChanged.connect(self._tell_intensity)
        self._spin.refused.connect(self._refuse)
        self._eraser.toggled.connect(self.eraser_toggled)
        for button, wanted in (
            (self._undo, self.undo_requested),
            (self._clear, self.clear_requested),
            (self._copy, self.copy_requested),
            (self._paste, self.paste_requested),
            (self._sample, self.sample_requested),
        ):
            button.clicked.connect(wanted)
        self.set_undo_available(False)
        self.set_clear_available(False)
        self._spin.setValue(DEFAULT)
        self.set_highest(HIGHEST)
        self.set_theme(theme)

    @property
    def intensity(self) -> int:
        return self._spin.value()

    def set_intensity(self, value: int) -> None:
        """Kept within 0 and the highest."""
        self._spin.setValue(value)

    def set_highest(self, highest: int) -> None:
        """The largest intensity there is."""
        self._spin.param = _param(highest)
        self._spin.setRange(0, highest)
        self._stops = ladder(highest)
        with QSignalBlocker(self._slider):
            self._slider.setRange(0, len(self._stops) - 1)
            self._slider.setPageStep(3)
        tip = f"<p>What cells are painted with: a whole number from 0 to {highest:,}."
        if highest > 2**24:
            tip += " Above 16,777,216 float32 has not every whole number: the cell takes the nearest it has."
        for widget in (self._spin, self._slider, self._label):
            widget.setToolTip(f"{tip}</p>")
        self._follow()

    def set_eraser(self, on: bool) -> None:
        self._eraser.setChecked(on)

    @Slot(bool)
    def set_undo_available(self, available: bool) -> None:
        self._undo.setEnabled(available)

    @Slot(bool)
    def set_clear_available(self, available: bool) -> None:
        for button in (self._clear, self._copy):
            button.setEnabled(available)

    def set_theme(self, theme: Theme) -> None:
        for button in (self._eraser, self._undo, self._clear, self._copy, self._paste, self._sample):
            button.setIcon(icons.icon(str(button.property("drawing")), theme))

    def _button(self, drawing: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"pattern_{drawing}")
        button.setProperty("drawing", drawing)
        button.setProperty("compact", True)
        button.setIconSize(QSize(_ICON, _ICON))
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the grid
        return button

    def _lay_out(self) -> None:
        upper, middle, lower = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for row in (upper, middle, lower):
            row.setSpacing(SPACING)
            row.setContentsMargins(0, 0, 0, 0)
        upper.addWidget(self._label)
        upper.addStretch(1)
        upper.addWidget(self._spin)
        middle.addWidget(self._slider, 1)
        for button in (self._eraser, self._undo, self._clear):
            middle.addWidget(button)
        for button in (self._copy, self._paste):
            lower.addWidget(button)
        lower.addStretch(1)
        lower.addWidget(self._sample)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        for row in (upper, middle, lower):
            rows.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @Slot(int)
    def _tell_intensity(self, value: int) -> None:
        self._follow()
        self.intensity_changed.emit(float(value))

    def _follow(self) -> None:
        """The slider stands at the stop nearest to the number."""
        with QSignalBlocker(self._slider):
            self._slider.setValue(nearest_stop(self._spin.value(), self._stops))

    @Slot(str)
    def _refuse(self, text: str) -> None:
        self.refused.emit(
            f"{text.strip() or 'Nothing'} is no intensity: type a whole number from 0 to {self._spin.maximum():,}."
        )


def _param(highest: int) -> Param:
    return Param(
        name="intensity",
        kind="int",
        default=DEFAULT,
        low=0,
        high=highest,
        log=True,
        label="Intensity",
        help="What cells are painted with.",
    )
