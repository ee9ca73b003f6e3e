"""What every layer makes of the drawing, by the network of this moment or of the step gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QSignalBlocker, Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import Param
from engine.errors import InputError
from engine.inspection.activations import LayerActivations
from gui.activations_answer import PROBABILITIES, Answer, Asked, at_step, layers_of, look, verdict
from gui.canvas_watch import CanvasWatch
from gui.panel_parts import scrolling, words
from gui.segments import Segments
from gui.shape_steps import by
from gui.spins import WholeSpin
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.trained import whose
from gui.value_picture import ValuePicture
from gui.views.activation_strip import ActivationStrip
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.datasets.data import DatasetInfo

EVERY = 0.5  # s between two passes through a network that is being trained
SHARE = 0.02  # of the time, at most, that the passes take during a run
INPUT_SIDE = 72  # px
READING = "Reading the network …"
NO_CONFIG = "There is a mistake in the set-up. Correct it to see what its network makes of an input."
NO_NETWORK = "The network is being made ready …"
HINT = "Point at a value to read it. A double click shows one layer alone."
ALL = "All layers"
DRAWING_SHOWN = "The drawing on the canvas is shown: clear it, or choose the test sample instead."
NUMBER = Param(
    name="number",
    kind="int",
    default=0,
    low=0,
    high=999_999,
    label="Test sample",
    help="Which sample of the test set; behind the last one comes the first again.",
)
SOURCES = {
    "canvas": ("Canvas", "The drawing on the canvas. While it is empty, the test sample."),
    "sample": ("Test sample", "The sample of the test set whose number stands beside."),
}
SCALES = {
    "layer": ("Shared", "All maps of a layer on one scale: their strengths can be compared."),
    "map": ("Own", "Every map from its smallest to its largest value: faint ones can be seen too."),
}


class ActivationsPanel(QWidget):
    """The input, a strip for each layer, and the answer, from top to bottom as the forward pass goes."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("activations_panel")
        self._bench, self._theme = bench, theme
        self._asked: Asked | None = None
        self._question = 0
        self._newest = 0  # question that was answered: of what comes late only the newest counts
        self._waiting = False  # for an answer
        self._rest = 0.0  # s until the next pass during a run
        self._since = QElapsedTimer()
        self._answer: Answer | None = None
        self._alone = ""  # the layer that is shown alone
        self._strips: dict[str, ActivationStrip] = {}
        self._source = Segments("activations_source", SOURCES, title="Input")
        self._number = WholeSpin(NUMBER)
        self._number.setObjectName("activations_number")
        self._number.setAccessibleName(NUMBER.label)
        self._number.setToolTip(NUMBER.help)
        self._number.setMinimumWidth(72)
        self._layer = QComboBox()
        self._layer.setObjectName("activations_layer")
        self._layer.setAccessibleName("Layer")
        self._layer.setToolTip("Shows all layers below each other, or one of them alone.")
        self._layer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._layer.setMinimumWidth(96)
        self._layer.addItem(ALL, "")
        self._scale = Segments("activations_scale", SCALES, title="Scale")
        self._caption = words("activations_caption", role="note", narrow=True)
        self._message = words("activations_message", role="secondary", narrow=True)
        self._reading = words("activations_reading", role="note", narrow=True)
        self._input_title = words("activations_input_title", role="note", narrow=True)
        self._input = ValuePicture("Input", side=INPUT_SIDE)
        self._input.setObjectName("activations_input")
        self._watch = CanvasWatch(bench.drawing, self)
        self._lay_out()
        self.set_theme(theme)
        self._source.chosen.connect(self._ask_anew)
        self._number.valueChanged.connect(self._ask_anew)
        self._watch.changed.connect(self._ask_anew)
        self._scale.chosen.connect(self._draw)
        self._layer.currentIndexChanged.connect(lambda _: self._show_alone(str(self._layer.currentData() or "")))
        self._read("")
        self.refresh()

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._input.set_theme(theme)
        for strip in self._strips.values():
            strip.set_theme(theme)

    def prepare(self, params: Mapping[str, object]) -> None:
        """Take a lesson's settings; those that are missing stay as they are. Raises InputError.

        `source`: "canvas" or "sample"; `number`: of the test sample; `scale`: "layer" or "map"; `layer`: the name of
        the only one to show, or empty for all.
        """
        for name, value in params.items():
            match name, value:
                case "source", str() if value in SOURCES:
                    pass
                case "scale", str() if value in SCALES:
                    pass
                case "layer", str():
                    pass
                case "number", int() if not isinstance(value, bool) and 0 <= value <= 999_999:
                    pass
                case (("source" | "scale"), _):
                    accepted = "one of " + ", ".join(SOURCES if name == "source" else SCALES)
                    raise InputError(name, f"{value!r} is none of the {name}s", accepted)
                case "layer", _:
                    raise InputError(name, f"{value!r} is no layer", "a layer's name, or an empty text for all")
                case "number", _:
                    raise InputError(name, f"{value!r} is no sample's number", "a whole number from 0 to 999 999")
                case _:
                    raise InputError(
                        name, "the activations have no such setting", "known are source, number, scale, layer"
                    )
        if "source" in params:
            self._source.set_value(str(params["source"]))
        if "scale" in params:
            self._scale.set_value(str(params["scale"]))
        if isinstance(number := params.get("number"), int):
            with QSignalBlocker(self._number):
                self._number.setValue(number)
        if "layer" in params:
            self._alone = str(params["layer"])
            self._offer_layers()
        self._draw()
        self._ask_anew()

    def refresh(self) -> None:
        config, live = self._bench.config(), self._bench.live()
        if config is None or live is None or live.info != config.dataset_info():
            self._show_message(NO_CONFIG if config is None else NO_NETWORK)
            return
        if not self.isVisible():
            return
        state = self._bench.run_state
        source = self._source.value() if live.info.is_image else "sample"
        running = state.status == "running"
        asked = Asked(live, state.generation, self._bench.step(), running, source, self._number.value())
        before = self._asked
        if asked == before:
            return
        # Where only the weights are others, an answer is waited for, and not too often asked for.
        resting = self._waiting or (self._since.isValid() and self._since.elapsed() < 1000 * self._rest)
        if running and resting and before is not None and before == at_step(asked, before.step):
            return
        self._ask(asked, config)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._watch.set_on(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch.set_on(False)

    # Questions and answers

    def _ask(self, asked: Asked, config: RunConfig) -> None:
        self._question += 1
        self._asked, self._waiting = asked, True
        if self._answer is None:
            self._message.setText(READING)
            self._message.setVisible(True)
        drawing = self._bench.drawing() if asked.source == "canvas" else None
        job = partial(look, self._bench, config, asked, drawing)
        done = partial(self._take, self._question, asked)
        self._bench.compute("activations", job, done, partial(self._take_refusal, self._question))

    def _take(self, question: int, asked: Asked, answer: Answer) -> None:
        if question <= self._newest:
            return
        self._newest = question
        self._waiting = question != self._question
        self._rest = max(EVERY, answer.found.spent / SHARE)
        self._since.start()
        self._answer = answer
        self._message.setVisible(False)
        self._content.setVisible(True)
        self._caption.setText(f"{answer.caption}, {whose(asked.step)}: {verdict(answer)}")
        self._source.setVisible(answer.info.is_image)
        self._number.setEnabled(not answer.is_drawing)
        self._number.setToolTip(DRAWING_SHOWN if answer.is_drawing else NUMBER.help)
        self._input_title.setText(f"input · {by(answer.found.sample.shape)}")
        self._input.set_values(answer.found.sample)
        self._draw()

    def _take_refusal(self, question: int, text: str) -> None:
        if question == self._question:
            self._show_message(text)

    def _show_message(self, text: str) -> None:
        self._question += 1
        self._newest = self._question
        self._asked, self._waiting, self._answer = None, False, None
        self._message.setText(text)
        self._message.setVisible(True)
        self._content.setVisible(False)
        self._caption.clear()

    def _ask_anew(self, *_: object) -> None:
        """The input is another one."""
        self._asked = None
        self.refresh()

    # Showing

    def _draw(self, *_: object) -> None:
        """Bring the strips up to date with the answer and with what is chosen."""
        if self._answer is None:
            return
        layers = layers_of(self._answer)
        names = [layer.name for layer in layers]
        if names != list(self._strips):
            self._make_strips(layers, self._answer.info)
            self._offer_layers()
        alone = self._alone if self._alone in names else ""
        for layer in layers:
            strip = self._strips[layer.name]
            strip.set_layer(layer, own=self._scale.value() == "map")
            strip.set_fills(layer.name == alone)
            self._rows.setStretchFactor(strip, int(layer.name == alone))
            strip.setVisible(alone in ("", layer.name))
        self._input_box.setVisible(not alone)

    def _make_strips(self, layers: tuple[LayerActivations, ...], info: DatasetInfo) -> None:
        for strip in self._strips.values():
            self._rows.removeWidget(strip)
            strip.hide()
            strip.deleteLater()
        self._strips = {}
        for layer in layers:
            known = info.classes if layer.values.shape == (len(info.classes),) and layer in layers[-2:] else ()
            limits = (0.0, 1.0) if layer.name == PROBABILITIES else None
            strip = ActivationStrip(self._theme, names=known, limits=limits)
            strip.pointed.connect(self._read)
            strip.opened.connect(partial(self._toggle, layer.name))
            self._rows.insertWidget(self._rows.count() - 1, strip)
            self._strips[layer.name] = strip
        self._read("")

    def _offer_layers(self) -> None:
        layers = () if self._answer is None else layers_of(self._answer)
        with QSignalBlocker(self._layer):
            self._layer.clear()
            self._layer.addItem(ALL, "")
            for layer in layers:
                self._layer.addItem(f"{layer.name} · {by(layer.shape)}", layer.name)
            if self._alone and self._layer.findData(self._alone) < 0 and not layers:
                self._layer.addItem(self._alone, self._alone)
            self._layer.setCurrentIndex(max(0, self._layer.findData(self._alone)))

    def _show_alone(self, name: str) -> None:
        self._alone = name
        self._draw()

    def _toggle(self, name: str) -> None:
        """One layer alone, or all again."""
        self._layer.setCurrentIndex(0 if self._alone == name else max(0, self._layer.findData(name)))

    def _read(self, text: str) -> None:
        self._reading.setText(text or HINT)

    # Parts

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        for row in (first, second):
            row.setSpacing(2 * SPACING)
        first.addWidget(self._source)
        first.addWidget(self._number)
        first.addStretch(1)
        second.addWidget(self._layer, 1)
        second.addWidget(self._scale)
        header = QVBoxLayout()
        header.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, 0)
        header.setSpacing(SPACING)
        header.addLayout(first)
        header.addLayout(second)
        header.addWidget(self._caption)

        self._input_box = QWidget()
        box = QVBoxLayout(self._input_box)
        box.setContentsMargins(0, 0, 0, 2 * SPACING)
        box.setSpacing(2)
        box.addWidget(self._input_title)
        box.addWidget(self._input, 0, Qt.AlignmentFlag.AlignLeft)
        inner = QWidget()
        self._rows = QVBoxLayout(inner)
        self._rows.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        self._rows.setSpacing(0)
        self._rows.addWidget(self._input_box)
        self._rows.addStretch(0)
        scroll = scrolling(inner, name="activations_scroll", sideways=False)
        self._reading.setContentsMargins(PANEL_MARGIN, 0, PANEL_MARGIN, SPACING)
        self._content = QWidget()
        content = QVBoxLayout(self._content)
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(SPACING)
        content.addWidget(scroll, 1)
        content.addWidget(self._reading)
        self._message.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        self._content.setVisible(False)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        rows.addLayout(header)
        rows.addWidget(self._message)
        rows.addWidget(self._content, 1)
        rows.addStretch(0)
