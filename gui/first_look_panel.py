"""A first look at the network that is set up: how large, what comes out, what comes back, what one update does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.catalog import Param
from engine.errors import InputError
from engine.predict import to_sample
from gui import numbers
from gui.canvas_watch import CanvasWatch
from gui.panel_parts import scrolling
from gui.rereading import Rereading
from gui.segments import Segments
from gui.spins import WholeSpin
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.trained import network_key, was_trained
from gui.views.first_look_cards import FirstLookCards
from gui.views.input_choice import checked
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.inspection.first_look import FirstLook

EVERY = 1000  # ms between two looks at a network that is being trained
SEED_WIDTH = 112  # px; ten figures and the arrows
RATE = 0.01  # of the update, where the set-up has none
SEED = Param(
    name="seed",
    kind="int",
    default=0,
    low=0,
    high=2**31 - 1,
    label="Seed",
    help="The random input, the vector and the target follow from it: the same seed repeats them.",
)
WEIGHTS = {
    "untrained": ("Untrained", "The weights that a run of this set-up starts with."),
    "now": ("Now", "The weights of this moment, which training has made."),
}
INPUTS = {
    "random": ("Random", "Numbers drawn from N(0, 1), of the size that the network takes."),
    "canvas": ("Canvas", "What is on the canvas, as the network receives it."),
}
NO_CONFIG = "There is a mistake in the set-up. Correct it to look at the network."
READING = "Reading the network …"
NOTHING_DRAWN = "Draw something on the canvas, or take a random input."


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was asked about last."""

    network: tuple[object, ...]
    now: bool
    drawn: bool
    seed: int
    rate: float


@dataclass(frozen=True, slots=True)
class _Answer:
    look: FirstLook
    classes: tuple[str, ...]


class FirstLookPanel(QWidget):
    """Which weights and which input, and what comes of them in numbered cards."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("first_look_panel")
        self._bench = bench
        self._rereading = Rereading(EVERY)
        self._wish = "untrained"
        self._weights = Segments("first_look_weights", WEIGHTS, title="Weights")
        self._input = Segments("first_look_input", INPUTS, title="Input")
        self._seed = WholeSpin(SEED)
        self._seed.setObjectName("first_look_seed")
        self._seed.setAccessibleName("Seed of the random input")
        self._seed.setToolTip(SEED.help)
        self._seed.setFixedWidth(SEED_WIDTH)
        self._new = QPushButton("New input")
        self._new.setObjectName("first_look_new")
        self._new.setToolTip("Draw the input, the vector and the target from the next seed.")
        self._message = QLabel()
        self._message.setObjectName("first_look_message")
        self._message.setProperty("role", "secondary")
        self._message.setWordWrap(True)
        self._cards = FirstLookCards(theme)
        self._cards.setVisible(False)
        self._watch = CanvasWatch(bench.drawing, self)
        self._lay_out()
        self._weights.chosen.connect(self._choose_weights)
        for signal in (self._input.chosen, self._seed.valueChanged, self._watch.changed):
            signal.connect(self._ask_anew)
        self._new.clicked.connect(self._draw_anew)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        self._cards.set_theme(theme)

    def prepare(self, params: Mapping[str, object]) -> None:
        """Take a lesson's `seed`, a whole number; `input`, "random" or "canvas"; `weights`, "untrained" or "now".

        What is missing stays as it is. Raises InputError.
        """
        choices = {"input": INPUTS, "weights": WEIGHTS}
        for name, value in params.items():
            if name != "seed" and name not in choices:
                raise InputError(name, "a first look has no such setting", "known are seed, input, weights")
            if name in choices and value not in choices[name]:
                raise InputError(name, f"{value!r} is no choice", "one of " + ", ".join(choices[name]))
        seed = checked(SEED, "seed", params.get("seed", self._seed.value()))
        self._input.set_value(str(params.get("input", self._input.value())))
        self._wish = str(params.get("weights", self._wish))
        with QSignalBlocker(self._seed):
            self._seed.setValue(seed)
        self._ask_anew()

    def refresh(self) -> None:
        config, state = self._bench.config(), self._bench.run_state
        if config is None:
            self._rereading.forget()
            self._show_problem(NO_CONFIG)
            return
        now, drawn = self._offer(config)
        seen = _Seen(network_key(config), now, drawn, self._seed.value(), _rate(config))
        moment = (state.generation, state.step) if now else None
        if not self._rereading.is_due(seen, moment, running=state.status == "running"):
            return
        drawing = self._bench.drawing() if drawn else None
        if drawn and drawing is None:
            self._show_problem(NOTHING_DRAWN)
            return
        self._rereading.begin()
        if self._cards.isHidden():
            self._message.setText(READING)
        job = partial(_look, self._bench, config, now=now, drawing=drawing, seed=seen.seed, rate=seen.rate)
        self._bench.compute("first_look", job, partial(self._show_answer, seen, step=state.step), self._show_problem)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._watch.set_on(self._input.value() == "canvas")

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch.set_on(False)

    def _lay_out(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        label = QLabel("Seed")
        label.setBuddy(self._seed)
        for row, widgets in ((first, (self._weights, self._input)), (second, (label, self._seed, self._new))):
            row.setSpacing(2 * SPACING)
            for widget in widgets:
                row.addWidget(widget)
            row.addStretch(1)
        head = QVBoxLayout()
        head.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        head.setSpacing(2 * SPACING)
        head.addLayout(first)
        head.addLayout(second)
        content = QWidget()
        rows = QVBoxLayout(content)
        rows.setContentsMargins(0, SPACING, 0, 0)
        rows.setSpacing(2 * SPACING)
        self._message.setContentsMargins(PANEL_MARGIN, 0, PANEL_MARGIN, 0)
        rows.addWidget(self._message)
        rows.addWidget(self._cards)
        rows.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(scrolling(content, name="first_look_scroll", by_key=True), 1)

    def _offer(self, config: RunConfig) -> tuple[bool, bool]:
        """Offer what there is. Whether the trained weights, and whether the drawing, are to be looked at."""
        trained = was_trained(self._bench.run_state, config)
        is_image = config.dataset_info().is_image
        for segments, choice, texts, offered, why_not in (
            (self._weights, "now", WEIGHTS, trained, "Press Start first: nothing has been learned yet."),
            (self._input, "canvas", INPUTS, is_image, "This dataset holds no pictures that could be drawn."),
        ):
            button = segments.findChild(QPushButton, f"{segments.objectName()}_{choice}")
            if isinstance(button, QPushButton):
                button.setEnabled(offered)
                button.setToolTip(texts[choice][1] if offered else why_not)
        now = trained and self._wish == "now"
        self._weights.set_value("now" if now else "untrained")
        drawn = is_image and self._input.value() == "canvas"
        if not is_image:
            self._input.set_value("random")
        return now, drawn

    def _choose_weights(self, weights: str) -> None:
        self._wish = weights
        self._ask_anew()

    def _draw_anew(self) -> None:
        """A new random input from the next seed."""
        self._input.set_value("random")
        self._seed.setValue(self._seed.value() + 1 if self._seed.value() < self._seed.maximum() else 0)

    def _ask_anew(self, *_: object) -> None:
        self._rereading.forget()
        self._watch.set_on(self.isVisible() and self._input.value() == "canvas")
        self.refresh()

    def _show_answer(self, seen: _Seen, answer: _Answer, *, step: int) -> None:
        whose = f"Network at step {numbers.count(step)}" if seen.now else "Untrained network"
        self._message.setText(f"{whose}, in evaluation mode. It is a copy: nothing here changes a run.")
        self._cards.set_look(answer.look, classes=answer.classes)
        self._cards.setVisible(True)

    def _show_problem(self, text: str) -> None:
        self._message.setText(text)
        self._cards.setVisible(False)


def _rate(config: RunConfig) -> float:
    """The learning rate that is set up, or a common one where the optimizer has none."""
    rate = config.optimizer.params.get("learning_rate")
    return float(rate) if isinstance(rate, int | float) else RATE


def _look(
    bench: Workbench, config: RunConfig, *, now: bool, drawing: np.ndarray | None, seed: int, rate: float
) -> _Answer:
    """Done on another thread."""
    from engine.inspection.first_look import as_input, first_look
    from engine.live import untrained

    network = (bench.live() if now else None) or untrained(config)
    sample = None
    if drawing is not None:
        pixels = to_sample(drawing, network.info)
        if pixels is None:
            raise InputError("canvas", "nothing is drawn", "draw something, or take a random input")
        sample = as_input(network, pixels)
    look = first_look(network.copy(), network.input_shape, seed=seed, sample=sample, rate=rate)
    return _Answer(look, network.info.classes)
