"""CompareBar: how compared runs are looked at."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from gui.compare_lines import View
from gui.comparison import DEFAULT_WEIGHT, Source
from gui.icons import icon
from gui.segments import Segments
from gui.series import SMOOTHING, XAxis
from gui.theme import PANEL_MARGIN, SPACING, Theme

AXES: dict[str, XAxis] = {"Step": "step", "Epoch": "epoch", "Seconds": "seconds"}
SOURCES: Mapping[Source, tuple[str, str]] = {
    "train": ("Training", "Moving averages of the training batches."),
    "validation": ("Validation", "The evaluations on the validation set, where there is one."),
    "test": ("Test", "The evaluations on the test set."),
}
SMOOTHS = (
    "Smoothing: the weight of the past in the moving average of every single batch. At 0.99 about the last hundred"
    " batches count."
)
NOT_SMOOTHED = "Evaluations are drawn as they are: only training curves are smoothed."
MEANS = "Draws runs that differ in the seed alone as their mean, with a band of one standard deviation."
NO_SEEDS = "No two of these runs differ in the seed alone."
NARROWEST, NUMBER_FROM = 280, 340  # px: without and with the smoothing's number


class CompareBar(QWidget):
    """Two rows of choices.

    Signals:
        changed(): what is to be drawn is another; see `view` and `log`.
        axis_changed(): the horizontal axis counts something else.
    """

    changed = Signal()
    axis_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(NARROWEST)
        self._source = Segments("compare_source", {str(name): words for name, words in SOURCES.items()}, title="Curves")
        self._source.chosen.connect(lambda _: self._on_source())
        self._axis = QComboBox()
        self._axis.setObjectName("compare_x")
        self._axis.addItems(list(AXES))
        self._axis.setMinimumWidth(92)
        self._axis.setAccessibleName("Horizontal axis")
        self._axis.setToolTip("What the horizontal axis counts.")
        self._axis.currentTextChanged.connect(lambda _: self.axis_changed.emit())
        self._log = self._button("compare_log", "Log", "Logarithmic vertical axis for the loss.")
        self._log.setCheckable(True)
        self._log.toggled.connect(lambda _: self.changed.emit())
        self._grouped = self._button("compare_seeds", "Mean", MEANS)
        self._grouped.setAccessibleName("Mean of seeds")
        self._grouped.setCheckable(True)
        self._grouped.toggled.connect(lambda _: self.changed.emit())
        self._smooth = QSlider(Qt.Orientation.Horizontal)
        self._smooth.setObjectName("compare_smoothing")
        self._smooth.setAccessibleName("Smoothing")
        self._smooth.setRange(0, len(SMOOTHING) - 1)
        self._smooth.setPageStep(1)
        self._smooth.setValue(DEFAULT_WEIGHT)
        self._smooth.setMinimumWidth(48)
        self._smooth.setMaximumWidth(120)
        self._smooth.valueChanged.connect(lambda _: self._on_smooth())
        self._weight = QLabel()
        self._weight.setFixedWidth(self.fontMetrics().horizontalAdvance("0.995") + 2)
        self.save = self._button("compare_save", "", "")
        self.save.setAccessibleName("Save the comparison")
        self._lay_out()
        self._show_smoothing()

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setProperty("compact", True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _lay_out(self) -> None:
        bars = QVBoxLayout(self)
        bars.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        bars.setSpacing(SPACING)
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for bar in (upper, lower):
            bar.setSpacing(SPACING)
            bars.addLayout(bar)
        upper.addWidget(self._source)
        upper.addStretch(1)
        upper.addWidget(self.save)
        for widget in (self._axis, self._log, self._grouped):
            lower.addWidget(widget)
        lower.addStretch(1)
        lower.addWidget(self._smooth, 2)
        lower.addWidget(self._weight)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._weight.setVisible(self.width() >= NUMBER_FROM)

    def set_theme(self, theme: Theme) -> None:
        self.save.setIcon(icon("export", theme))

    # What is chosen

    @property
    def view(self) -> View:
        return View(
            source=next(name for name in SOURCES if name == self._source.value()),
            axis=AXES[self._axis.currentText()],
            weight_index=self._smooth.value(),
            grouped=self._grouped.isChecked() and self._grouped.isEnabled(),
        )

    @property
    def log(self) -> bool:
        return self._log.isChecked()

    def set_groups(self, *, there: bool) -> None:
        """Whether some of the runs differ in the seed alone."""
        self._grouped.setEnabled(there)
        self._grouped.setToolTip(MEANS if there else NO_SEEDS)

    def _on_source(self) -> None:
        self._show_smoothing()
        self.changed.emit()

    def _on_smooth(self) -> None:
        self._show_smoothing()
        self.changed.emit()

    def _show_smoothing(self) -> None:
        there = self._source.value() == "train"
        for widget in (self._smooth, self._weight):
            widget.setEnabled(there)
            widget.setToolTip(SMOOTHS if there else NOT_SMOOTHED)
        self._weight.setText(f"{SMOOTHING[self._smooth.value()]:g}")
