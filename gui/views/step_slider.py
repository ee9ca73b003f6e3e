"""A slider back along the steps that a run has recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from gui.numbers import count
from gui.theme import SPACING


class StepSlider(QWidget):
    """Follows the latest step until it is moved back.

    Signals:
        moved(): another step is wanted, or the latest.
    """

    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._chosen: int | None = None
        self._label = QLabel("Step")
        self._label.setProperty("role", "secondary")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("points_step")
        self._slider.setAccessibleName("Step shown")
        self._slider.setRange(0, 0)
        self._number = QLabel()
        self._number.setObjectName("points_step_number")
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._latest = QPushButton("Latest")
        self._latest.setObjectName("points_latest")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * SPACING)
        row.addWidget(self._label)
        row.addWidget(self._slider, 1)
        row.addWidget(self._number)
        row.addWidget(self._latest)
        self._slider.valueChanged.connect(self._move)
        self._latest.clicked.connect(self.follow)
        self.set_steps(self._steps, why_none="")

    @property
    def row(self) -> int | None:
        """Which of the steps is shown, None where there are none."""
        return self._slider.value() if len(self._steps) else None

    @property
    def follows(self) -> bool:
        """Whether it shows the latest step and will go on with it."""
        return self._chosen is None

    def set_steps(self, steps: NDArray[np.int64], *, why_none: str) -> None:
        """The recorded steps (n,), ascending. `why_none` is said where there are none."""
        self._steps = steps
        if not len(steps):
            self._chosen = None
        last = max(len(steps) - 1, 0)
        row = last if self._chosen is None else min(int(steps.searchsorted(self._chosen)), last)
        with QSignalBlocker(self._slider):
            if self._slider.maximum() != last:
                self._slider.setMaximum(last)
                self._slider.setPageStep(max(last // 10, 1))
            self._slider.setValue(row)
        self._tell(why_none)

    def follow(self) -> None:
        """Back to the latest step."""
        self._chosen = None
        with QSignalBlocker(self._slider):
            self._slider.setValue(self._slider.maximum())
        self._tell("")
        self.moved.emit()

    def _move(self, row: int) -> None:
        self._chosen = None if row == self._slider.maximum() else int(self._steps[row])
        self._tell("")
        self.moved.emit()

    def _tell(self, why_none: str) -> None:
        some = bool(len(self._steps))
        self._slider.setEnabled(some)
        self._slider.setToolTip("Goes back to any step of this run." if some else why_none)
        self._number.setText(count(int(self._steps[self._slider.value()])) if some else "–")
        widest = count(int(self._steps[-1])) if some else "0000"
        self._number.setMinimumWidth(self._number.fontMetrics().horizontalAdvance(widest) + SPACING)
        self._latest.setEnabled(some and not self.follows)
        if self._latest.isEnabled():
            self._latest.setToolTip("Follows the run's latest step again.")
        else:
            self._latest.setToolTip("The picture shows the latest step already." if some else why_none)
