"""Learning on points: the line or the regions that a network makes of them, live and at any step of the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.inspection.surface import (
    Answer,
    Floats,
    Points,
    along,
    over,
    points_of,
)
from gui import numbers
from gui.disclosure import Disclosure
from gui.panel_parts import fill, scrolling
from gui.points_answers import Moment, PointsAnswers
from gui.points_courses import QUANTITIES, courses
from gui.points_picture import around, best_name, curve_of, heights, regions, regression
from gui.points_words import cut_formula, formula, refusal, unlike_powers
from gui.segments import Segments
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.parameter_traces import ParameterTraces
from gui.views.points_key import PointsKey
from gui.views.points_plot import PointsPlot
from gui.views.step_slider import StepSlider
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig

CURVE_POINTS = 241
FIELD_SIZE = 96  # cells of the field, across and up
SETTINGS = ("true_curve", "traces")
_NOT_STARTED = "Press Start: every step of a network of 16 parameters at most, such as the linear model, is recorded."
_TOO_MANY = "This network has too many parameters to record every step: the picture shows the latest."


class PointsPanel(QWidget):
    """Points of a regression with a fitted curve, or points of classes with their regions, and every parameter's way.

    What the run's track tells is drawn at once; all else is asked of the live network, one question at a time.
    """

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("points_panel")
        self._bench, self._theme = bench, theme
        self._config: RunConfig | None = None
        self._info: DatasetInfo | None = None
        self._points: Points | None = None
        self._answers = PointsAnswers(bench, self._draw)
        self._field_of: Answer | None = None
        self._best_wanted: bool | None = None  # whether a lesson or the person wants the best curve shown
        self._traced: object = None
        self._drawn_traces: object = None

        self._title = QLabel()
        self._title.setObjectName("points_title")
        self._title.setProperty("role", "heading")
        self._formula = QLabel()
        self._formula.setObjectName("points_formula")
        self._formula.setTextFormat(Qt.TextFormat.PlainText)
        self._formula.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._formula.setWordWrap(True)
        self._best_formula = QLabel()
        self._best_formula.setObjectName("points_best_formula")
        self._best_formula.setProperty("role", "note")
        self._best_formula.setTextFormat(Qt.TextFormat.PlainText)
        self._best_formula.setWordWrap(True)
        self._plot = PointsPlot(theme, describe=self._describe)
        self._key = PointsKey(theme)
        self._slider = StepSlider()
        self._slider.moved.connect(self.refresh)
        self._best = QCheckBox("Best fit")
        self._best.setObjectName("points_best")
        self._best.clicked.connect(self._want_best)
        self._traces = ParameterTraces(theme)
        self._quantity = Segments("points_quantity", QUANTITIES, title="Shown over the steps")
        self._quantity.chosen.connect(self._trace_anew)
        self._message = QLabel()
        self._message.setObjectName("points_message")
        self._message.setProperty("role", "secondary")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._lay_out()
        self._say("The points appear as soon as the set-up has no mistakes.")
        self.refresh()

    def _lay_out(self) -> None:
        folded = QWidget()
        rows = QVBoxLayout(folded)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2 * SPACING)
        rows.addWidget(self._quantity, 0, Qt.AlignmentFlag.AlignLeft)
        rows.addWidget(self._traces)
        self._disclosure = Disclosure("Parameters over the steps", folded)
        self._disclosure.setObjectName("points_traces_toggle")
        self._disclosure.toggled.connect(self._draw_traces)
        options = QHBoxLayout()
        options.addWidget(self._disclosure)
        options.addStretch(1)
        options.addWidget(self._best)

        self._content = QWidget()
        rows = QVBoxLayout(self._content)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        rows.addWidget(self._title)
        rows.addWidget(self._formula)
        rows.addWidget(self._best_formula)
        rows.addWidget(self._plot, 1)
        rows.addWidget(self._key)
        rows.addWidget(self._slider)
        rows.addLayout(options)
        rows.addWidget(folded)

        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        rows.addWidget(self._message)
        rows.addWidget(self._content, 1)
        fill(self, scrolling(inner, sideways=False))

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for view in (self._plot, self._key, self._traces):
            view.set_theme(theme)

    def prepare(self, params: Mapping[str, object]) -> None:
        """`true_curve`: the best curve is shown; `traces`: so are the parameters over the steps. Raises InputError."""
        for name, value in params.items():
            if name not in SETTINGS:
                raise InputError(f"points.{name}", "is not a setting", "known are " + ", ".join(SETTINGS))
            if not isinstance(value, bool):
                raise InputError(f"points.{name}", f"{value!r} is not accepted", "true or false")
        if "true_curve" in params:
            self._best_wanted = bool(params["true_curve"])
        if "traces" in params:
            self._disclosure.setChecked(bool(params["traces"]))
        self._slider.follow()

    def refresh(self) -> None:
        config = self._bench.config()
        if config is not None:
            self._take_config(config)
        state, of_run = self._bench.run_state, self._answers.is_of_run
        steps = state.track.steps if of_run else state.track.steps[:0]
        self._slider.set_steps(steps, why_none=_TOO_MANY if of_run and state.step else _NOT_STARTED)
        if self._info is not None and self._points is not None:
            info = self._info
            samples = self._samples(info)
            told = not info.classes and self._answers.is_linear  # the track tells all but how it began
            self._answers.ask(samples, moment=self._moment(), once=told)
            self._draw()
        self._draw_traces()

    # Data

    def _take_config(self, config: RunConfig) -> None:
        self._answers.set_config(config)
        old, self._config = self._config, config
        if old is not None and old.dataset == config.dataset:
            return
        info = self._info = config.dataset_info()
        self._points = None
        self._say(refusal(info) or f"Loading {info.label} …")
        if not refusal(info):
            job = partial(_load, self._bench, config)
            self._bench.compute("points: data", job, partial(self._take_points, config), self._say)

    def _take_points(self, config: RunConfig, points: Points) -> None:
        info = self._info
        if info is None or self._config is None or self._config.dataset != config.dataset:
            return
        if not info.classes and not points.powers:
            self._say(unlike_powers(info))
            return
        self._points = points
        self._say("")
        if info.classes:
            places, groups = points.inputs, np.asarray(points.targets, np.int64)
            x, y = around(places[:, 0]), around(places[:, 1])
        else:
            places = np.column_stack((points.inputs[:, 0], points.targets[:, 0]))
            groups = np.zeros(len(places), np.int64)
            x, y = around(places[:, 0]), heights(None, points, now=None, before=None)
        self._field_of = None
        self._plot.set_field(None)
        self._plot.set_lines(())
        self._plot.set_axes(x="x₁" if info.classes else "x", y="x₂" if info.classes else "y")
        self._plot.set_ranges(x, y)
        self._plot.set_points(places, groups, classes=info.classes)
        self._best.setVisible(points.best is not None)
        self._best.setText("True curve" if points.exact else "Best fit")
        self._best.setToolTip(
            "Shows the curve that all points lie on."
            if points.exact
            else "Shows the curve with the least squared error over all points: where training should come to."
        )
        self.refresh()

    def _say(self, text: str) -> None:
        """Words instead of the picture, or the picture."""
        self._message.setText(text)
        self._message.setVisible(bool(text))
        self._content.setVisible(not text)

    # Drawing

    def _places(self) -> Floats:
        return np.linspace(*self._plot.x_range, CURVE_POINTS)

    def _samples(self, info: DatasetInfo) -> NDArray[np.float32]:
        """What the network is asked about."""
        if info.classes:
            return over(self._plot.x_range, self._plot.y_range, FIELD_SIZE)
        return along(self._places(), info.shape[0])

    def _moment(self) -> Moment:
        return self._answers.moment(None if self._slider.follows else self._slider.row)

    def _draw(self) -> None:
        if self._info is None or self._points is None:
            return
        if self._info.classes:
            self._draw_regions(self._info)
        else:
            self._draw_curve(self._points)

    def _draw_curve(self, points: Points) -> None:
        x, moment, answer = self._places(), self._moment(), self._answers.answer
        values: Floats | NDArray[np.float32] | None = moment.values
        if values is None and answer is not None:
            values = answer[1].parameters
        model = self._answers.model(values)
        now = curve_of(model.coefficients, x) if model is not None else None
        if model is None and answer is not None:
            moment, now = answer[0], answer[1].values[:, 0].astype(np.float64)
        before = self._before(x, moment)
        plot, best = self._plot, points.exact if self._best_wanted is None else self._best_wanted
        plot.set_ranges(plot.x_range, heights(plot.y_range, points, now=now, before=before))
        lines, entries = regression(points, x, now=now, before=before, best=best, shown=plot.y_range)
        plot.set_lines(lines)
        self._key.set_entries(entries)
        decimals = 3 if points.inputs.shape[1] == 1 else 2
        self._best.setChecked(best)
        self._best_formula.setVisible(best and points.best is not None)
        if points.best is not None:
            self._best_formula.setText(f"{best_name(points).capitalize()}: {formula(points.best, decimals=decimals)}")
        self._set_words(moment.step, formula(model.coefficients, decimals=decimals) if model is not None else "")

    def _before(self, x: Floats, moment: Moment) -> Floats | None:
        """The curve before training, where it is known and another one than that of `moment`."""
        first = self._answers.first(moment)
        if first is None or first.initial is None:
            return None
        model = self._answers.model(first.initial_parameters)
        return curve_of(model.coefficients, x) if model is not None else first.initial[:, 0].astype(np.float64)

    def _draw_regions(self, info: DatasetInfo) -> None:
        """All of one moment: that which the network answered for."""
        plot, said = self._plot, self._answers.answer
        now, before, step = None, None, 0
        if said is not None:
            moment, answer = said
            step = moment.step
            model = self._answers.model(answer.parameters if moment.values is None else moment.values)
            now = model.cut if model is not None else None
            first = self._answers.first(moment)
            started = self._answers.model(first.initial_parameters) if first is not None else None
            before = started.cut if started is not None else None
        latest = said[1] if said is not None else None
        if latest is not self._field_of:
            self._field_of = latest
            field = None if latest is None else latest.values.reshape(FIELD_SIZE, FIELD_SIZE, -1)
            plot.set_field(field)
        shown = latest is not None
        lines, entries = regions(info.classes, now=now, before=before, x=plot.x_range, y=plot.y_range, field=shown)
        plot.set_lines(lines)
        self._key.set_entries(entries)
        self._best_formula.setVisible(False)
        self._set_words(step, cut_formula(now, decimals=2) if now is not None else "")

    def _set_words(self, step: int, text: str) -> None:
        total = self._bench.run_state.total_steps
        of = f" of {numbers.count(total)}" if total else ""
        self._title.setText(f"Step {numbers.count(step)}{of}" if step else "Before training")
        self._formula.setVisible(bool(text))
        self._formula.setText(text)

    def _want_best(self, wanted: bool) -> None:
        self._best_wanted = wanted
        self._draw()

    def _trace_anew(self) -> None:
        self._traces.begin()
        self._drawn_traces = None
        self._draw_traces()

    def _draw_traces(self) -> None:
        if not self._disclosure.isChecked():
            return
        state = self._bench.run_state
        if self._traced != (state.generation, state.track.names):
            self._traced = state.generation, state.track.names
            self._traces.begin()
        chosen = None if self._slider.follows else self._slider.row
        row = None if chosen is None or not len(state.track) else min(chosen, len(state.track) - 1)
        drawn = (state.generation, state.loss.count, row)
        if drawn == self._drawn_traces:
            return
        self._drawn_traces = drawn
        shown = courses(state, self._quantity.value(), row=row)
        cursor = None if row is None else int(state.track.steps[row])
        self._traces.set_courses(shown, cursor=cursor, total=state.total_steps or None)

    def _describe(self, x: float, y: float) -> str:
        """What is at a place of the picture."""
        info, field = self._info, self._plot.field
        if info is None:
            return ""
        if not info.classes:
            now = self._plot.lines.get("now")
            said = f"\nnetwork y = {np.interp(x, now.x, now.y):.3f}" if now is not None else ""
            return f"x = {x:.3f}{said}"
        said = ""
        if field is not None:
            across, up = self._plot.x_range, self._plot.y_range
            column = min(int((x - across.low) / across.span * FIELD_SIZE), FIELD_SIZE - 1)
            shares = field[min(int((y - up.low) / up.span * FIELD_SIZE), FIELD_SIZE - 1), column]
            said = "".join(
                f"\n{name}: {numbers.percent(float(share))}" for name, share in zip(info.classes, shares, strict=True)
            )
        return f"x₁ = {x:.3f}, x₂ = {y:.3f}{said}"


def _load(bench: Workbench, config: RunConfig) -> Points:
    return points_of(bench.dataset(config))
