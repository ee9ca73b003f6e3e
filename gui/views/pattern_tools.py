"""The pattern grid's tools: intensity, eraser, undo, clear, copy, paste. Says what is wanted, does nothing itself."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QSlider, QWidget

from engine.catalog import Param
from gui.cells import HIGHEST, ladder, nearest_stop
from gui.drawing_tools import DrawingTools
from gui.spins import WholeSpin
from gui.theme import DARK, Theme

DEFAULT = 10  # amid the intensities of the two patterns' training images
_SPIN_WIDTH = 104  # px; nine figures


class PatternTools(DrawingTools):
    """Three rows.

    Signals:
        intensity_changed: what cells are to be painted with, a float that is a whole number.
        refused: a sentence that says why what was typed is no intensity.
        copy_requested: a button was pressed.
    """

    intensity_changed = Signal(float)
    refused = Signal(str)
    copy_requested = Signal()

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(
            parent,
            name="pattern_tools",
            eraser="Set cells to 0. The right mouse button always does.",
            clear="Set all cells to 0 (C).",
            paste="Paste a table of numbers (Ctrl+V on the grid).",
            paste_name="Paste values",
            sample="Put an example of the test set on the grid (T).",
        )
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
        tip = "Copy the values as a table (Ctrl+C on the grid)."
        self._copy = self._button("copy", "Copy the values", tip, self.copy_requested)
        self._copy.setEnabled(False)
        self._set_rows(
            (
                (self._label, None, self._spin),
                (self._slider, self._eraser, self._undo, self._clear),
                (self._copy, self._paste, None, self._sample),
            ),
            wide=self._slider,
        )
        self._slider.valueChanged.connect(lambda place: self._spin.setValue(self._stops[place]))
        self._spin.valueChanged.connect(self._tell_intensity)
        self._spin.refused.connect(self._refuse)
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

    @Slot(bool)
    def set_clear_available(self, available: bool) -> None:
        super().set_clear_available(available)
        self._copy.setEnabled(available)

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
