"""Sigmoid and logarithm, read off point by point, and what clamping the logarithm does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import Param
from engine.errors import InputError
from gui.functions import (
    LARGEST_CLAMP,
    LONGEST_LOG,
    LONGEST_SIGMOID,
    SMALLEST_CLAMP,
    clamped_log,
    clamped_log_slope,
    log,
    log_slope,
    log_words,
    sigmoid,
    sigmoid_slope,
    sigmoid_words,
)
from gui.panel_parts import fill, scrolling
from gui.plotting.scale import Range
from gui.segments import Segments
from gui.spins import ScientificSpin
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.function_figures import FunctionFigures, Sentence
from gui.views.function_plot import FunctionPlot, Home, Line
from gui.workbench import Workbench

SPIN_WIDTH = 96  # px
SIDE_BY_SIDE = 760  # px of width from which the two functions stand beside each other
SIGMOID_HOME = Home(Range(-10.0, 10.0), Range(-0.05, 1.05))
LOG_HOMES = {
    "linear": Home(Range(-0.25, 2.0), Range(-5.0, 1.5)),
    "powers": Home(Range(-16.0, 1.0), Range(-40.0, 5.0), powers=True),
}
SIGMOID_LINE = Line("sigmoid", "train", "line", sigmoid)
LOG_LINE = Line("log", "train", "line", log, positive=True)

SIGMOID_X = Param(
    name="sigmoid_x",
    kind="float",
    default=0.0,
    label="x",
    help="Where the sigmoid is read off. Also moved by pointing at the curve, or by the arrow keys on it.",
)
LOG_X = Param(
    name="log_x",
    kind="float",
    default=0.5,
    label="x",
    help="Where the logarithm is read off; 0 and negative numbers too. Also moved by pointing at the curve, or by the "
    "arrow keys on it.",
    log=True,
)
CLAMP = Param(
    name="clamp",
    kind="float",
    default=SMALLEST_CLAMP,
    label="clamp",
    help="What is smaller counts as this number before the logarithm is taken.",
    low=SMALLEST_CLAMP,
    high=LARGEST_CLAMP,
    log=True,
)
PARAMS = {param.name: param for param in (SIGMOID_X, LOG_X, CLAMP)}


class FunctionsPanel(QWidget):
    """Two functions, each with its plot, the place that is read off, the figures there and what they mean."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:  # noqa: ARG002
        super().__init__(parent)
        self.setObjectName("functions_panel")
        self._x = _spin(SIGMOID_X, "x of the sigmoid")
        self._p = _spin(LOG_X, "x of the logarithm")
        self._clamp = _spin(CLAMP, "Clamp of the logarithm")
        self._sigmoid_plot = FunctionPlot(theme, SIGMOID_HOME)
        self._sigmoid_plot.setObjectName("sigmoid_plot")
        self._sigmoid_plot.setAccessibleName("Curve of the sigmoid")
        self._sigmoid_plot.set_lines([SIGMOID_LINE])
        self._log_plot = FunctionPlot(theme, LOG_HOMES["linear"])
        self._log_plot.setObjectName("log_plot")
        self._log_plot.setAccessibleName("Curves of the logarithm and of the clamped logarithm")
        self._axis = Segments(
            "log_axis",
            {
                "linear": ("Linear", "Shows x from 0 to 2."),
                "powers": ("Powers of 10", "Shows x from 10⁻¹⁶ to 10, where the smallest clamp is seen too."),
            },
            title="Axis of x",
        )
        self._link = QPushButton("Take its log")
        self._link.setObjectName("log_of_sigmoid")
        self._link.setToolTip("Reads the logarithm at this value of the sigmoid.")
        self._sigmoid_figures = FunctionFigures(
            theme, "sigmoid", ("value", "1 − value", "derivative"), {"sigmoid": ("sigmoid(x)", "train", "━━")}
        )
        self._log_figures = FunctionFigures(
            theme,
            "log",
            ("value", "derivative", "loss"),
            {"plain": ("log(x)", "train", "━━"), "clamped": ("clamped", "validation", "╍╍")},
        )
        self._sigmoid_words = Sentence("sigmoid_words", longest=map(sigmoid_words, LONGEST_SIGMOID))
        self._log_words = Sentence("log_words", longest=[log_words(x, SMALLEST_CLAMP) for x in LONGEST_LOG])
        self._lay_out()
        self._x.valueChanged.connect(self._show_sigmoid)
        self._p.valueChanged.connect(self._show_log)
        self._clamp.valueChanged.connect(self._show_clamp)
        self._sigmoid_plot.point_wanted.connect(self._x.setValue)
        self._log_plot.point_wanted.connect(self._p.setValue)
        self._axis.chosen.connect(self._show_axis)
        self._link.clicked.connect(self._take_log)
        self._show_sigmoid()
        self._show_clamp()

    def _lay_out(self) -> None:
        self._columns = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._columns.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        self._columns.setSpacing(4 * SPACING)
        self._columns.addLayout(
            _column(
                _row(_heading("Sigmoid"), None, _label(SIGMOID_X, self._x), self._x),
                self._sigmoid_plot,
                _row(self._sigmoid_figures, None, self._link),
                self._sigmoid_words,
            ),
            1,
        )
        self._columns.addLayout(
            _column(
                _row(_heading("Logarithm"), None, self._axis),
                _row(_label(LOG_X, self._p), self._p, None, _label(CLAMP, self._clamp), self._clamp),
                self._log_plot,
                _row(self._log_figures, None),
                self._log_words,
            ),
            1,
        )
        content = QWidget()
        content.setObjectName("functions_content")
        content.setLayout(self._columns)
        fill(self, scrolling(content))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        self._columns.setDirection(direction.LeftToRight if self.width() >= SIDE_BY_SIDE else direction.TopToBottom)

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._sigmoid_plot.set_theme(theme)
        self._log_plot.set_theme(theme)
        self._sigmoid_figures.set_theme(theme)
        self._log_figures.set_theme(theme)

    def refresh(self) -> None:
        """Nothing here depends on a run."""

    def prepare(self, params: Mapping[str, object]) -> None:
        """Take a lesson's `sigmoid_x`, `log_x`, `clamp` and `axis` (`linear` or `powers`). Raises InputError."""
        spins = {SIGMOID_X.name: self._x, LOG_X.name: self._p, CLAMP.name: self._clamp}
        checked: list[Callable[[], None]] = []
        for name, value in params.items():
            if name == "axis":
                if not isinstance(value, str) or value not in LOG_HOMES:
                    raise InputError("functions.axis", f"{value!r} is not known", "one of " + ", ".join(LOG_HOMES))
                checked.append(partial(self._set_axis, value))
            elif name in PARAMS:
                number = PARAMS[name].check(value, part="functions")
                checked.append(partial(spins[name].setValue, float(str(number))))
            else:
                accepted = ", ".join([*PARAMS, "axis"])
                raise InputError(f"functions.{name}", "is no setting of this panel", f"one of {accepted}")
        for take in checked:
            take()

    # What is shown

    def _show_sigmoid(self, *_: object) -> None:
        x = self._x.value()
        self._sigmoid_plot.set_point(x)
        self._sigmoid_figures.set("value", "sigmoid", sigmoid(x))
        self._sigmoid_figures.set("1 − value", "sigmoid", sigmoid(-x))
        self._sigmoid_figures.set("derivative", "sigmoid", sigmoid_slope(x))
        self._sigmoid_words.setText(sigmoid_words(x))

    def _show_log(self, *_: object) -> None:
        x, clamp = self._p.value(), self._clamp.value()
        self._log_plot.set_point(x)
        for column, value, slope in (
            ("plain", log(x), log_slope(x)),
            ("clamped", clamped_log(x, clamp), clamped_log_slope(x, clamp)),
        ):
            self._log_figures.set("value", column, value)
            self._log_figures.set("derivative", column, slope)
            self._log_figures.set("loss", column, 0.0 - value)
        self._log_words.setText(log_words(x, clamp))

    def _show_clamp(self, *_: object) -> None:
        clamp = self._clamp.value()
        clamped = Line("clamped", "validation", "dashed", partial(clamped_log, clamp=clamp))
        held, home = math.log(clamp), LOG_HOMES[self._axis.value()]
        note = f"clamped at {held:.2f}, further down".replace("-", "−") if held < home.y.low else ""
        self._log_plot.set_lines([LOG_LINE, clamped], note=note)
        self._show_log()

    def _set_axis(self, axis: str) -> None:
        self._axis.set_value(axis)
        self._show_axis()

    def _show_axis(self, *_: object) -> None:
        self._log_plot.set_home(LOG_HOMES[self._axis.value()])
        self._show_clamp()

    def _take_log(self) -> None:
        self._p.setValue(sigmoid(self._x.value()))


def _spin(param: Param, title: str) -> ScientificSpin:
    spin = ScientificSpin(param)
    spin.setObjectName(param.name)
    spin.setAccessibleName(title)
    spin.setToolTip(f"<p>{param.help}</p>")
    spin.setFixedWidth(SPIN_WIDTH)
    default = param.default
    spin.setValue(float(default) if isinstance(default, int | float) else 0.0)
    return spin


def _label(param: Param, spin: ScientificSpin) -> QLabel:
    label = QLabel(param.label)
    label.setProperty("role", "secondary")
    label.setBuddy(spin)
    return label


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "heading")
    return label


def _row(*widgets: QWidget | None) -> QHBoxLayout:
    """None is a stretch."""
    row = QHBoxLayout()
    row.setSpacing(2 * SPACING)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row


def _column(*parts: QWidget | QLayout) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(2 * SPACING)
    for part in parts:
        if isinstance(part, QLayout):
            column.addLayout(part)
        else:
            column.addWidget(part, 1 if isinstance(part, FunctionPlot) else 0)
    return column
