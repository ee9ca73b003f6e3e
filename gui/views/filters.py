"""The filters of one layer, live: values or their change since the start, on a scale that is shared or each's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PySide6.QtCore import QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.files import write_atomically
from engine.snapshots import FilterImages, FilterLayer
from gui.color_bar import ColorBar
from gui.colormap import steady_limit
from gui.eliding_box import ElidingBox
from gui.filter_export import PICTURE_DENSITY, FilterPicture, values_csv
from gui.filter_grid import FilterGrid, Values
from gui.icons import icon
from gui.segments import Segments
from gui.theme import LIGHT, PANEL_MARGIN, SPACING, Theme
from gui.tiles import Place

Mode = Literal["values", "change"]
Scale = Literal["shared", "each"]

START_TEXT = "Press Start to see the filters"
NO_INITIAL_TEXT = "The change cannot be shown: the weights from the start of this run are not at hand."
NUMBER_WIDTH = 11  # figures a value takes in the reading, so that what follows stands still
MIN_WIDTH, MIN_HEIGHT = 320, 120  # px
EXPORT_FROM = 440  # px of width; below, the same menu opens with a right click or the menu key
FIGURE_SPACE = "\u2007"

MODES: dict[str, tuple[str, str]] = {
    "values": ("Values", "The weights as they are now."),
    "change": ("Change", "What training has added to each weight since the start of the run."),
}
SCALES: dict[str, tuple[str, str]] = {
    "shared": ("Shared", "All filters on one colour scale: they can be compared."),
    "each": ("Per filter", "Every filter on a colour scale of its own: faint ones show their pattern."),
}


class FiltersView(QWidget):
    """Layer choice, mode and scale above the filters; a reading and the colour bar below.

    `set_images` may be called for every frame: what has not changed is not drawn again, and a hidden view draws nothing
    before it is shown.

    Signals:
        layer_chosen: the person picked the layer of this name.
        options_changed: the person picked another mode or scale.
        export_failed: a sentence that says why a file could not be written.
    """

    layer_chosen = Signal(str)
    options_changed = Signal()
    export_failed = Signal(str)

    def __init__(self, theme: Theme = LIGHT, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._layers: tuple[FilterLayer, ...] = ()
        self._images: FilterImages | None = None
        self._initial: FilterImages | None = None
        self._drawn: Values | None = None
        self._limits: dict[Mode, float] = {}
        self._is_stale = False
        self._folder = Path.home()

        self._combo = ElidingBox()
        self._combo.setObjectName("filter_layer")
        self._combo.setAccessibleName("Layer")
        self._combo.setToolTip("The layer whose filters are shown.")
        self._combo.setPlaceholderText("No layer")
        self._combo.setMinimumWidth(72)
        self._combo.setMaximumWidth(280)
        self._combo.currentIndexChanged.connect(self._choose_layer)
        self._modes = Segments("filter_mode", MODES, title="Show")
        self._scales = Segments("filter_scale", SCALES, title="Colour scale")
        self._modes.chosen.connect(self._change_options)
        self._scales.chosen.connect(self._change_options)
        self._export = QToolButton()
        self._export.setObjectName("filter_export")
        self._export.setProperty("role", "quiet")
        self._export.setAccessibleName("Export filters")
        self._export.setToolTip("Save or copy what is shown here.")
        self._export.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._export.clicked.connect(self._open_menu_below)
        self._menu = self._make_menu()

        self._grid = FilterGrid(theme)
        self._grid.reading_changed.connect(self._show_reading)
        self._grid.enlarged_changed.connect(self._show_limit)
        self._reading = QLabel()
        self._reading.setObjectName("filter_reading")
        self._reading.setProperty("role", "note")
        self._reading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar = ColorBar(theme)

        header = QHBoxLayout()
        header.setSpacing(2 * SPACING)
        header.addWidget(self._combo, 1)
        header.addStretch(0)
        header.addWidget(self._modes)
        header.addWidget(self._scales)
        header.addWidget(self._export)
        footer = QHBoxLayout()
        footer.setSpacing(2 * SPACING)
        footer.addWidget(self._reading, 1)
        footer.addWidget(self._bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, 2 * SPACING)
        layout.setSpacing(2 * SPACING)
        self.setMinimumSize(MIN_WIDTH, MIN_HEIGHT)
        layout.addLayout(header)
        layout.addWidget(self._grid, 1)
        layout.addLayout(footer)
        self.set_empty(START_TEXT)
        self.set_theme(theme)
        self._enable()

    # What is shown

    def set_layers(self, layers: Sequence[FilterLayer]) -> None:
        """Offer these layers. The chosen one stays if it is among them, else the first is chosen, without a signal."""
        if tuple(layers) == self._layers:
            return
        name = self.layer()
        self._layers = tuple(layers)
        with QSignalBlocker(self._combo):
            self._combo.clear()
            for layer in self._layers:
                self._combo.addItem(layer.label, layer.name)
            self._combo.setCurrentIndex(max(0, self._combo.findData(name)))
        self._forget()

    def layer(self) -> str:
        """The chosen layer's name, empty where there is none."""
        return str(self._combo.currentData() or "")

    def set_layer(self, name: str) -> None:
        """Choose a layer without a signal; a name that is not offered changes nothing."""
        index = self._combo.findData(name)
        if index >= 0 and index != self._combo.currentIndex():
            with QSignalBlocker(self._combo):
                self._combo.setCurrentIndex(index)
            self._forget()

    def mode(self) -> Mode:
        return "change" if self._modes.value() == "change" else "values"

    def set_mode(self, mode: Mode) -> None:
        """Show values or their change, without a signal."""
        self._modes.set_value(mode)
        self._draw()

    def scale(self) -> Scale:
        return "each" if self._scales.value() == "each" else "shared"

    def set_scale(self, scale: Scale) -> None:
        """One colour scale for all filters or for each its own, without a signal."""
        self._scales.set_value(scale)
        self._draw()

    def set_empty(self, text: str) -> None:
        """What stands there while there is nothing to draw: what to do about it."""
        self._empty_text = text
        if self._images is None:
            self._grid.set_empty(text)

    def set_images(self, images: FilterImages | None, initial: FilterImages | None = None) -> None:
        """Show these filters, and for the change since the start, those of the start.

        None shows the empty text and forgets the limits of the run before. Images of another layer than the chosen one
        are late answers and are passed over, and so is an `initial` of other filters.
        """
        if images is None:
            if self._images is not None:
                self._forget()
            return
        if images.layer != self.layer():
            return
        if initial is not None and (initial.layer != images.layer or initial.values.shape != images.values.shape):
            initial = None
        if _same(images, self._images) and _same(initial, self._initial):
            return
        self._images, self._initial = images, initial
        self._draw()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._grid.set_theme(theme)
        self._bar.set_theme(theme)
        self._export.setIcon(icon("export", theme))

    def _forget(self) -> None:
        """Nothing of this layer or run is known any more."""
        self._images = self._initial = self._drawn = None
        self._limits.clear()
        self._draw()

    def _draw(self) -> None:
        self._is_stale = not self.isVisible()
        if self._is_stale:
            return
        self._drawn = self._wanted()
        if self._drawn is None:
            self._grid.set_empty(self._empty_text if self._images is None else NO_INITIAL_TEXT)
            self._grid.set_values(None)
        else:
            largest = _largest(self._drawn)
            if self.scale() == "each":
                self._grid.set_values(self._drawn, largest)
            else:
                limit = steady_limit(float(largest.max()), self._limits.get(self.mode()))
                self._limits[self.mode()] = limit
                self._grid.set_values(self._drawn, limit)
        self._grid.setAccessibleName(self._title())
        self._enable()
        self._show_limit()
        self._show_reading()

    def _wanted(self) -> Values | None:
        if self._images is None:
            return None
        if self.mode() == "values":
            return self._images.values
        if self._initial is None:
            return None
        with np.errstate(invalid="ignore", over="ignore"):  # weights that ran off to infinity
            return np.subtract(self._images.values, self._initial.values)

    def _title(self) -> str:
        """What is shown, in one line: `conv1 · 6 of 1×5×5 · change since the start`."""
        what = {"values": "weights", "change": "change since the start"}[self.mode()]
        return " · ".join(part for part in (self._combo.currentText(), what) if part)

    def _limit(self) -> float | None:
        """The bar's limit, None where each filter has its own."""
        if self.scale() == "shared":
            return self._limits.get(self.mode())
        enlarged = self._grid.enlarged()
        return None if enlarged is None or self._drawn is None else float(_largest(self._drawn)[enlarged].item())

    def _show_limit(self) -> None:
        if self._drawn is None:
            self._bar.clear()
        else:
            self._bar.set_limit(self._limit())

    def _show_reading(self) -> None:
        text = fitting = self._reading_text()
        metrics, room = self._reading.fontMetrics(), self._reading.width()
        place = self._grid.reading()
        if place is not None and self._drawn is not None and metrics.horizontalAdvance(text) > room:
            fitting = f"{_number(float(self._drawn[place]))} [{', '.join(map(str, place))}]"
        fitting = metrics.elidedText(fitting, Qt.TextElideMode.ElideRight, room)
        if fitting != self._reading.text():
            self._reading.setText(fitting)
            self._reading.setAccessibleName(text)
        if self._grid.hasFocus():
            self._grid.setAccessibleDescription(text)

    def _reading_text(self) -> str:
        images, place = self._images, self._grid.reading()
        if images is None or self._drawn is None:
            return ""
        if place is not None:
            return _number(float(self._drawn[place])) + "  " + self._place_text(place)
        enlarged = self._grid.enlarged()
        if enlarged is not None:
            return f"Filter {enlarged}. Double-click or Enter shows all again."
        if images.is_part:
            filters, channels = images.values.shape[:2]
            part = f"First {filters} of {images.filters} filters"
            return part + (f", {channels} of {images.channels} channels" if channels < images.channels else "")
        return "Point at a weight to read it."

    def _place_text(self, place: Place) -> str:
        channel = f"channel {place.channel}, " if self._drawn is not None and self._drawn.shape[1] > 1 else ""
        return f"filter {place.filter}, {channel}row {place.row}, column {place.column}"

    # What the person does

    def _choose_layer(self) -> None:
        self._forget()
        self.layer_chosen.emit(self.layer())

    def _change_options(self) -> None:
        self._draw()
        self.options_changed.emit()

    def _enable(self) -> None:
        for widget in (self._combo, self._modes, self._scales):
            widget.setEnabled(bool(self._layers))
        self._export.setEnabled(self._drawn is not None)
        for action in self._menu.actions():
            action.setEnabled(self._drawn is not None)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._export.setVisible(self.width() >= EXPORT_FROM)
        self._show_reading()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.popup(event.globalPos())

    def _open_menu_below(self) -> None:
        self._menu.popup(self._export.mapToGlobal(QPoint(0, self._export.height())))

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        entries: tuple[tuple[str, Callable[[], object]], ...] = (
            ("Save picture…", self._ask_for_picture),
            ("Copy picture", self.copy_picture),
            ("Export values (CSV)…", self._ask_for_values),
        )
        for text, act in entries:
            menu.addAction(text).triggered.connect(partial(_without_arguments, act))
        copy = menu.actions()[1]
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.addAction(copy)
        return menu

    # Export

    def picture(self) -> FilterPicture:
        """What is shown now, with title and bar. There must be something."""
        width, height = self._grid.width() * PICTURE_DENSITY, self._grid.height() * PICTURE_DENSITY
        image = self._grid.picture(width=width, height=height, line=PICTURE_DENSITY)
        return FilterPicture(image, title=self._title(), limit=self._limit(), theme=self._theme)

    def copy_picture(self) -> None:
        """Put the picture on the clipboard."""
        if self._drawn is not None:
            QGuiApplication.clipboard().setImage(self.picture().image())

    def save_picture(self, path: Path) -> bool:
        """Write SVG where `path` ends so, else PNG. False, after `export_failed`, where that cannot be done."""
        if self._drawn is None:
            return False
        picture = self.picture()
        return self._write(path, picture.svg if path.suffix.lower() == ".svg" else picture.png)

    def export_values(self, path: Path) -> bool:
        """Write the weights now and at the start as CSV. False, after `export_failed`, where that cannot be done."""
        if self._images is None:
            return False
        return self._write(path, partial(values_csv, self._images, self._initial))

    def _write(self, path: Path, make: Callable[[], bytes]) -> bool:
        try:
            write_atomically(path, make())
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            self.export_failed.emit(f"{path.name} could not be written to {path.parent}: {reason}. Try another folder.")
            return False
        self._folder = path.parent
        return True

    def _ask_for_picture(self) -> None:
        self._ask("Save picture", ".png", "PNG picture (*.png);;SVG picture (*.svg)", self.save_picture)

    def _ask_for_values(self) -> None:
        self._ask("Export values", ".csv", "Comma-separated values (*.csv)", self.export_values)

    def _ask(self, title: str, suffix: str, kinds: str, write: Callable[[Path], bool]) -> None:
        suggested = self._folder / f"{self.layer()}-{self.mode()}{suffix}"
        chosen, kind = QFileDialog.getSaveFileName(self, title, str(suggested), kinds)
        if chosen:
            path = Path(chosen)
            write(path if path.suffix else path.with_suffix(".svg" if "svg" in kind else suffix))


def _without_arguments(act: Callable[[], object], *_: object) -> None:
    act()


def _largest(values: Values) -> Values:
    """The largest finite magnitude in each filter, float32 (filters, 1, 1, 1)."""
    sizes = np.abs(values)
    largest = sizes.max(axis=(1, 2, 3), keepdims=True)
    if not np.isfinite(largest).all():
        largest = np.where(np.isfinite(sizes), sizes, 0).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(largest)


def _same(first: FilterImages | None, second: FilterImages | None) -> bool:
    if first is None or second is None or first is second:
        return first is second
    return first.layer == second.layer and np.array_equal(first.values, second.values, equal_nan=True)


def _number(value: float) -> str:
    """A weight with its sign, in figures that take the same room."""
    plain = value == 0 or 1e-4 <= abs(value) < 1e3
    text = f"{value:+.6f}" if plain else f"{value:+.4e}"
    return text.replace("-", "−", 1 if value < 0 else 0).ljust(NUMBER_WIDTH, FIGURE_SPACE)
