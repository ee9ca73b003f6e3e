"""One of two inputs to compare: where it comes from, how it is changed, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from engine.catalog import Param
from engine.errors import InputError
from gui import numbers
from gui.spins import WholeSpin
from gui.theme import SPACING, Theme
from gui.value_picture import ValuePicture

PICTURE = 112  # px
MOST_NOISE = 100  # %
SLIGHT_NOISE = 5  # %
SOURCES = {
    "sample": ("Test sample", "A sample of the test set, by its number."),
    "random": ("Random", "Values without any meaning, of the form of the dataset's own."),
    "drawing": ("Canvas", "What is on the canvas, as the network receives it."),
    "changed": ("Changed", "The first input with noise added, or moved by some pixels."),
}
NUMBER = Param(
    name="number",
    kind="int",
    default=0,
    low=0,
    high=999_999,
    label="Number",
    help="Which sample of the test set; behind the last one comes the first again.",
)
SEED = Param(
    name="seed",
    kind="int",
    default=0,
    low=0,
    high=2**31 - 1,
    label="Seed",
    help="The random input follows from it.",
)
RIGHT = Param(
    name="right",
    kind="int",
    default=0,
    low=-64,
    high=64,
    label="Right",
    help="Pixels that the image is moved to the right; to the left where it is negative.",
    unit="px",
)
DOWN = Param(
    name="down",
    kind="int",
    default=0,
    low=-64,
    high=64,
    label="Down",
    help="Pixels that the image is moved down; up where it is negative.",
    unit="px",
)


def checked(param: Param, name: str, value: object) -> int:
    """`value` as a whole number that `param` accepts. Raises InputError under `name`."""
    try:
        return cast("int", param.check(value, part=""))
    except InputError as error:
        raise InputError(name, error.problem, error.accepted) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What was chosen. `noise` is a share, `right` and `down` are pixels; each counts for its own source alone."""

    source: str
    number: int = 0
    seed: int = 0
    noise: float = SLIGHT_NOISE / 100
    right: int = 0
    down: int = 0


class InputChoice(QWidget):
    """A choice of sources, what belongs to the one chosen, and the picture.

    Args:
        title: such as `First input`.
        name: begins the object names.
        changeable: with the first input, changed, as a source.

    Signals:
        changed: another input is chosen.
    """

    changed = Signal()

    def __init__(
        self, title: str, *, name: str, theme: Theme, changeable: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source = QComboBox()
        self._source.setObjectName(f"{name}_source")
        self._source.setAccessibleName(title)
        self._source.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._source.setMinimumWidth(PICTURE)
        for key, (label, meaning) in SOURCES.items():
            if key != "changed" or changeable:
                self._source.addItem(label, key)
                self._source.setItemData(self._source.count() - 1, meaning, Qt.ItemDataRole.ToolTipRole)
        self._spins = {param.name: self._spin(param, name) for param in (NUMBER, SEED, RIGHT, DOWN)}
        self._noise = QSlider(Qt.Orientation.Horizontal)
        self._noise.setObjectName(f"{name}_noise")
        self._noise.setRange(0, MOST_NOISE)
        self._noise.setValue(SLIGHT_NOISE)
        self._noise.setAccessibleName(f"{title}: noise")
        self._noise.setToolTip("Standard deviation of the noise that is added, as a share of a pixel's full range.")
        self._noise_text = QLabel()
        self._picture = ValuePicture(title, side=PICTURE)
        self._picture.setObjectName(f"{name}_picture")
        self._caption = QLabel()
        self._caption.setObjectName(f"{name}_caption")
        self._caption.setProperty("role", "note")
        self._caption.setTextFormat(Qt.TextFormat.PlainText)
        self._caption.setWordWrap(True)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(2 * SPACING)
        self._form.setVerticalSpacing(SPACING)
        for param in (NUMBER, SEED):
            self._form.addRow(param.label, self._spins[param.name])
        self._form.addRow(self._noise_text, self._noise)
        for param in (RIGHT, DOWN):
            self._form.addRow(param.label, self._spins[param.name])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * SPACING)
        for widget in (heading, self._source, self._picture, self._caption):
            column.addWidget(widget)
        column.addLayout(self._form)
        column.addStretch(1)
        self._is_image = True
        self._source.currentIndexChanged.connect(self._choose)
        self._noise.valueChanged.connect(self._choose)
        for spin in self._spins.values():
            spin.valueChanged.connect(self._choose)
        self.set_theme(theme)
        self._show_fields()

    def pick(self) -> Pick:
        return Pick(
            source=str(self._source.currentData()),
            noise=self._noise.value() / 100,
            **{name: spin.value() for name, spin in self._spins.items()},
        )

    def set_pick(self, source: str, settings: Mapping[str, float]) -> None:
        """Choose without a signal. `settings` as the fields of `Pick`; those that are missing stay."""
        blocked = [QSignalBlocker(widget) for widget in (self._source, self._noise, *self._spins.values())]
        self._source.setCurrentIndex(self._source.findData(source))
        for name, spin in self._spins.items():
            if name in settings:
                spin.setValue(int(settings[name]))
        if "noise" in settings:
            self._noise.setValue(round(100 * settings["noise"]))
        for blocker in blocked:
            blocker.unblock()
        self._show_fields()

    def set_kind(self, *, is_image: bool) -> None:
        """Whether samples are images: points can neither be drawn nor moved."""
        self._is_image = is_image
        if not is_image and self._source.currentData() == "drawing":
            self.set_pick("sample", {})
        place = self._source.findData("drawing")
        reason = SOURCES["drawing"][1] if is_image else "This dataset holds no pictures that could be drawn."
        self._source.setItemData(place, reason, Qt.ItemDataRole.ToolTipRole)
        # What a combo box's item may do is the data of a role of its own; 0 is nothing, None what it may by default.
        self._source.setItemData(place, None if is_image else 0, Qt.ItemDataRole.UserRole - 1)
        self._show_fields()

    def set_sample(self, sample: NDArray[Any] | None, caption: str) -> None:
        """Show the input: uint8 or float32 (C, H, W), or float32 (F,); None while there is none."""
        self._picture.set_values(sample)
        self._caption.setText(caption)

    def set_theme(self, theme: Theme) -> None:
        self._picture.set_theme(theme)

    def _spin(self, param: Param, name: str) -> WholeSpin:
        spin = WholeSpin(param)
        spin.setObjectName(f"{name}_{param.name}")
        spin.setAccessibleName(param.label)
        spin.setToolTip(param.help)
        spin.setMinimumWidth(56)
        return spin

    def _choose(self, *_: object) -> None:
        self._show_fields()
        self.changed.emit()

    def _show_fields(self) -> None:
        source = self._source.currentData()
        fields = {"sample": ("number",), "random": ("seed",), "changed": ("right", "down") if self._is_image else ()}
        shown = fields.get(source, ())
        for name, spin in self._spins.items():
            self._form.setRowVisible(spin, name in shown)
        self._form.setRowVisible(self._noise, source == "changed")
        self._noise_text.setText(f"Noise {numbers.percent(self._noise.value() / 100, 0)}")
        self._source.setToolTip(SOURCES[source][1])
