"""Feature distance: how far apart two inputs are for the network, before and after training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.errors import InputError
from gui import numbers
from gui.canvas_watch import CanvasWatch
from gui.distance_answer import OUTPUTS, Answer, Asked, compare
from gui.figure_table import Column, FigureTable, figures
from gui.panel_parts import fill, scrolling, words
from gui.rereading import Rereading
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.trained import network_key, was_trained
from gui.views.input_choice import DOWN, NUMBER, RIGHT, SEED, InputChoice, checked
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.live import LiveNetwork

EVERY = 480  # ms between two answers of a network that is being trained
NO_CONFIG = "There is a mistake in the set-up. Correct it to compare inputs."
READING = "Reading the network …"
EXPLANATION = (
    "The mean squared error between what the network gives for two inputs: the nearer to 0, the more alike they are "
    "to it. What counts as alike is drawn by chance at first, and learned by training."
)
NO_VALUE = "–"


class DistancePanel(QWidget):
    """Two inputs, the layer they are compared after, and the distances beside those of likely and unlikely inputs."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("distance_panel")
        self._bench = bench
        self._rereading = Rereading(EVERY)
        self._start: tuple[tuple[object, ...], LiveNetwork] | None = None
        self._first = InputChoice("First input", name="distance_first", theme=theme)
        self._second = InputChoice("Second input", name="distance_second", theme=theme, changeable=True)
        self._second.set_pick("changed", {})
        self._layer = QComboBox()
        self._layer.setObjectName("distance_layer")
        self._layer.setAccessibleName("Compare after")
        self._layer.setToolTip("What is compared: the network's outputs, or what one of its layers gives.")
        self._layer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._layer.setMinimumWidth(96)
        self._layer.addItem(OUTPUTS, "")
        self._message = words("distance_message", role="secondary")
        self._figures = {
            "untrained": words("distance_untrained", role="title", wraps=False),
            "now": words("distance_now", role="title", wraps=False),
        }
        self._whose = words("distance_whose", role="note")
        self._table = FigureTable(
            "Distances",
            (
                Column("From the first to"),
                Column("In itself", "Mean squared error between the inputs themselves, as the network receives them"),
                Column("Untrained", "Under the weights that a run of this set-up starts with"),
                Column("Now", "Under the weights of this moment"),
            ),
        )
        self._table.setObjectName("distance_table")
        self._table.set_theme(theme)
        self._result = self._make_result()
        self._watch = CanvasWatch(bench.drawing, self)
        self._lay_out()
        for signal in (self._first.changed, self._second.changed, self._watch.changed):
            signal.connect(self._ask_anew)
        self._layer.currentIndexChanged.connect(self._ask_anew)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        for part in (self._first, self._second, self._table):
            part.set_theme(theme)

    def prepare(self, params: Mapping[str, object]) -> None:
        """Take a lesson's settings; those that are missing stay as they are. Raises InputError.

        `first`: "sample", "random" or "drawing"; `second`: one of these or "changed". `first_number`, `second_number`:
        of test samples; `first_seed`, `second_seed`: of random inputs; `noise`: 0 … 1, `right`, `down`: pixels by which
        the second differs from the first; `layer`: a layer's name, or empty for the outputs.
        """
        found = read_settings(params)
        for name, choice in (("first", self._first), ("second", self._second)):
            pick = choice.pick()
            own = {key.removeprefix(f"{name}_"): value for key, value in found.figures.items()}
            choice.set_pick(found.sources.get(name, pick.source), own)
        if found.layer is not None:
            with QSignalBlocker(self._layer):
                if self._layer.findData(found.layer) < 0:
                    self._layer.addItem(found.layer, found.layer)
                self._layer.setCurrentIndex(self._layer.findData(found.layer))
        self._ask_anew()

    def refresh(self) -> None:
        config, state = self._bench.config(), self._bench.run_state
        if config is None:
            self._rereading.forget()
            self._show_problem(NO_CONFIG)
            return
        trained = was_trained(state, config)
        is_image = config.dataset_info().is_image
        for choice in (self._first, self._second):
            choice.set_kind(is_image=is_image)
        seen = Asked(
            network_key(config), trained, self._first.pick(), self._second.pick(), str(self._layer.currentData() or "")
        )
        moment = (state.generation, state.step) if trained else None
        if not self._rereading.is_due(seen, moment, running=state.status == "running"):
            return
        self._rereading.begin()
        if self._result.isHidden():
            self._message.setText(READING)
            self._message.setVisible(True)
        drawn = "drawing" in (seen.first.source, seen.second.source)
        drawing = self._bench.drawing() if drawn else None
        start = self._start[1] if self._start is not None and self._start[0] == seen.network else None
        job = partial(compare, self._bench, config, seen, drawing=drawing, start=start)
        self._bench.compute("distance", job, partial(self._show_answer, seen, step=state.step), self._show_problem)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._watch_canvas()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch.set_on(False)

    # Answers

    def _show_answer(self, seen: Asked, answer: Answer, *, step: int) -> None:
        self._start = (seen.network, answer.start)
        self._offer_layers(answer.layers)
        self._first.set_sample(answer.first, answer.captions[0])
        self._second.set_sample(answer.second, answer.captions[1])
        sides = (answer.inputs, answer.untrained, answer.now)
        columns = [
            figures([side.second, side.same, side.slight, side.other]) if side is not None else [NO_VALUE] * 4
            for side in sides
        ]
        names = ("The second input", "The same again", "A slight change", f"Another ({answer.captions[2]})")
        self._table.set_rows(list(zip(names, *columns, strict=True)), strong=[0])
        for key, side in (("untrained", answer.untrained), ("now", answer.now)):
            self._figures[key].setText(NO_VALUE if side is None else figures([side.second])[0])
        whose = f"at step {numbers.count(step)}" if answer.now is not None else "once a run has been started"
        values = "1 value" if answer.untrained.values == 1 else f"{numbers.count(answer.untrained.values)} values"
        self._whose.setText(f"Now: {whose}. Each distance is a mean over {values}.")
        self._message.setVisible(False)
        self._result.setVisible(True)

    def _show_problem(self, text: str) -> None:
        self._message.setText(text)
        self._message.setVisible(True)
        self._result.setVisible(False)

    def _offer_layers(self, layers: tuple[tuple[str, str], ...]) -> None:
        have = [(self._layer.itemData(place), self._layer.itemText(place)) for place in range(self._layer.count())]
        if have == list(layers):
            return
        chosen = self._layer.currentData()
        with QSignalBlocker(self._layer):
            self._layer.clear()
            for name, label in layers:
                self._layer.addItem(label, name)
            self._layer.setCurrentIndex(max(self._layer.findData(chosen), 0))

    # Parts

    def _ask_anew(self, *_: object) -> None:
        self._rereading.forget()
        self._watch_canvas()
        self.refresh()

    def _watch_canvas(self) -> None:
        drawn = "drawing" in (self._first.pick().source, self._second.pick().source)
        self._watch.set_on(drawn and self.isVisible())

    def _make_result(self) -> QWidget:
        result = QWidget()
        row = QHBoxLayout()
        row.setSpacing(6 * SPACING)
        for key, caption in (("untrained", "Untrained"), ("now", "Now")):
            block = QVBoxLayout()
            block.setSpacing(0)
            note = words(f"distance_{key}_caption", role="note")
            note.setText(f"Distance, {caption.lower()}")
            block.addWidget(note)
            block.addWidget(self._figures[key])
            row.addLayout(block)
        row.addStretch(1)
        column = QVBoxLayout(result)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * SPACING)
        column.addLayout(row)
        column.addWidget(self._table)
        column.addWidget(self._whose)
        return result

    def _lay_out(self) -> None:
        inputs = QHBoxLayout()
        inputs.setSpacing(4 * SPACING)
        inputs.addWidget(self._first, 1, Qt.AlignmentFlag.AlignTop)
        inputs.addWidget(self._second, 1, Qt.AlignmentFlag.AlignTop)
        label = QLabel("Compare after")
        label.setBuddy(self._layer)
        after = QHBoxLayout()
        after.setSpacing(2 * SPACING)
        after.addWidget(label)
        after.addWidget(self._layer, 1)
        explanation = words("distance_explanation", role="note")
        explanation.setText(EXPLANATION)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(PANEL_MARGIN, 2 * SPACING, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(3 * SPACING)
        column.addLayout(inputs)
        column.addLayout(after)
        for widget in (self._message, self._result, explanation):
            column.addWidget(widget)
        column.addStretch(1)
        self._result.setVisible(False)
        fill(self, scrolling(content, name="distance_scroll", by_key=True))


@dataclass(frozen=True, slots=True)
class _Settings:
    sources: dict[str, str]
    figures: dict[str, float]
    layer: str | None


def read_settings(params: Mapping[str, object]) -> _Settings:
    """What `DistancePanel.prepare` is told, checked. Raises InputError."""
    sources = {"first": ("sample", "random", "drawing"), "second": ("sample", "random", "drawing", "changed")}
    wholes = {
        "first_number": NUMBER,
        "second_number": NUMBER,
        "first_seed": SEED,
        "second_seed": SEED,
        "right": RIGHT,
        "down": DOWN,
    }
    found = _Settings({}, {}, None)
    for name, value in params.items():
        match name, value:
            case (("first" | "second"), str()) if value in sources[name]:
                found.sources[name] = value
            case (("first" | "second"), _):
                raise InputError(name, f"{value!r} is no input", "one of " + ", ".join(sources[name]))
            case "layer", str():
                found = _Settings(found.sources, found.figures, value)
            case "layer", _:
                raise InputError(name, f"{value!r} is no layer", "a layer's name, or an empty text for the outputs")
            case "noise", (int() | float()) if not isinstance(value, bool) and 0 <= value <= 1:
                found.figures[name] = float(value)
            case "noise", _:
                raise InputError(name, f"{value!r} is no share of noise", "a number from 0 to 1")
            case _ if name in wholes:
                found.figures[name] = checked(wholes[name], name, value)
            case _:
                known = (*sources, *wholes, "noise", "layer")
                raise InputError(name, "the distance has no such setting", "known are " + ", ".join(known))
    return found
