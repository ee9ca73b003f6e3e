"""ComparePlots: the curves of several runs over each other, loss above accuracy, with one cursor for both."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from functools import partial

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QLabel, QSplitter, QVBoxLayout, QWidget

from gui.compare_bar import SOURCES
from gui.compare_lines import Line, LineMaker, Reading, View, last_of, reading_of
from gui.compare_readout import Readout, ReadoutRow
from gui.comparison import MEASURES, Measure
from gui.curve_panel import ACCURACY, LOSS, Quantity
from gui.numbers import THIN, count
from gui.plotting.overlay import Cursor
from gui.plotting.plot import Plot
from gui.plotting.scale import SMALLEST, Range, fitted, grown
from gui.plotting.trace import Trace
from gui.run_colors import run_color, run_dashes
from gui.series import XAxis
from gui.theme import PANEL_MARGIN, Theme

QUANTITIES: dict[Measure, Quantity] = {"loss": LOSS, "accuracy": ACCURACY}
EMPTY = "These runs have no such curve"


class ComparePlots(QSplitter):
    """A plot for each measure; all share what the person sees of the horizontal axis, and the cursor.

    Signals:
        pointed(): the cursor stands elsewhere; see `readings`.
        menu_wanted(place): a right click or the menu key in a plot; the place on the screen.
    """

    pointed = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setChildrenCollapsible(False)
        self._theme = theme
        self._maker: LineMaker | None = None
        self._view, self._log, self._hidden = View(), False, frozenset[int]()
        self._measures: Sequence[Measure] = list(MEASURES)
        self._held: Range | None = None  # the x range that the person chose
        self._following = Range(0.0, 0.0)
        self._goal: float | None = None  # as far as runs under way will come
        self._fitted: tuple[object, ...] = ()  # what the y ranges were fitted to
        self._cursor: float | None = None
        self._lines: dict[Measure, list[Line]] = {measure: [] for measure in MEASURES}
        self._traces: dict[tuple[Measure, tuple[int, ...]], tuple[Line, list[Trace]]] = {}
        self.plots: dict[Measure, Plot] = {}
        self.titles: dict[Measure, QLabel] = {}
        self.readouts: dict[Measure, Readout] = {}
        self._boxes = {measure: self._make(measure) for measure in MEASURES}
        for box in self._boxes.values():
            self.addWidget(box)

    def _make(self, measure: Measure) -> QWidget:
        plot = Plot(self._theme, tick=QUANTITIES[measure].tick)
        plot.setObjectName(f"compare_{measure}")
        plot.setToolTip("")
        plot.ranges_wanted.connect(partial(self._hold, measure))
        plot.follow_wanted.connect(self.follow)
        plot.cursor_wanted.connect(self._point)
        plot.menu_wanted.connect(self.menu_wanted)
        title = QLabel()
        title.setProperty("role", "note")
        title.setContentsMargins(PANEL_MARGIN, 0, 0, 0)
        self.plots[measure], self.titles[measure] = plot, title
        self.readouts[measure] = Readout(plot, self._theme)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(title)
        column.addWidget(plot, 1)
        return box

    # What is shown

    def set_theme(self, theme: Theme) -> None:
        """Nothing is drawn until `show_lines`."""
        self._theme = theme
        self._traces.clear()
        for plot in self.plots.values():
            plot.set_data([], [], hint="", note="")  # a trace keeps its colour as long as it is drawn
            plot.set_theme(theme)
        for readout in self.readouts.values():
            readout.set_theme(theme)

    def set_runs(self, maker: LineMaker | None) -> None:
        """Other runs: their lines come from `maker`."""
        self._maker = maker
        self._held, self._cursor, self._fitted = None, None, ()
        self._following = Range(0.0, 0.0)
        self._traces.clear()

    def set_measures(self, measures: Sequence[Measure]) -> None:
        """Of what there are curves, one at least: only these have a plot."""
        if measures != self._measures:
            self._measures = measures
            for measure, box in self._boxes.items():
                box.setVisible(measure in measures)

    def show_lines(self, view: View, *, log: bool, hidden: Collection[int], goal: float | None = None) -> None:
        """Draw the runs that are not `hidden`. `goal`: where on the axis those under way will end, if there are any."""
        if view.axis != self._view.axis:
            self._held = self._cursor = None
            self._following = Range(0.0, 0.0)
        self._view, self._log, self._hidden, self._goal = view, log, frozenset(hidden), goal
        self._redraw()

    def _redraw(self) -> None:
        if self._maker is None:
            return
        view = self._view
        self._lines = {measure: self._maker.lines(measure, view, self._hidden) for measure in self._measures}
        shown = self._held or self._whole()
        fit = (self._maker, view, self._log, self._hidden)
        for measure, lines in self._lines.items():
            plot, quantity = self.plots[measure], QUANTITIES[measure]
            log = quantity.logarithmic and self._log
            floor = _floor(lines) if log else 0.0
            last = measure == self._measures[-1]
            unit = "s" if view.axis == "seconds" else view.axis
            y = self._y_range(measure, lines, log=log, floor=floor, same=fit == self._fitted)
            plot.set_axes(unit=unit, x_axis=last, label_marks=False, log=log, floor=floor)
            plot.set_ranges(shown, y)
            traces = [trace for line in lines for trace in self._traces_of(measure, line)]
            plot.set_data(traces, [], hint="" if traces else EMPTY, note="")
            plot.setAccessibleName(f"{self._title(measure)} of {len(lines)} runs")
        self._fitted = fit
        self._show_cursor()

    def _title(self, measure: Measure) -> str:
        return f"{SOURCES[self._view.source][0]} {QUANTITIES[measure].title.lower()}"

    def _whole(self) -> Range:
        end = max((float(line.x[-1]) for line in self._all() if len(line.x)), default=0.0)
        if self._goal is None:
            self._following = Range(0.0, end or 1.0)
        else:  # axes that change with every value could not be read
            self._following = grown(self._following, end, total=self._goal or None, least=max(end, 1.0))
        return self._following

    def _all(self) -> Iterable[Line]:
        return (line for lines in self._lines.values() for line in lines)

    def _y_range(self, measure: Measure, lines: Sequence[Line], *, log: bool, floor: float, same: bool) -> Range:
        plot, quantity = self.plots[measure], QUANTITIES[measure]
        if self._held is not None and log == plot.log:
            return plot.y_range
        if quantity.limits is not None:
            return quantity.limits
        values = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
        finite = np.concatenate([np.empty(0), *(part[np.isfinite(part)] for part in values)])
        if not len(finite):
            return plot.y_range
        low, high = float(finite.min()), float(finite.max())
        if log:
            low, high = math.log10(max(low, floor)), math.log10(max(high, floor))
        return fitted(plot.y_range if same and log == plot.log else None, low, high, log=log)

    def _traces_of(self, measure: Measure, line: Line) -> list[Trace]:
        """The same objects as long as the line is the same."""
        known = self._traces.get((measure, line.runs))
        if known is None or known[0] is not line:
            known = self._traces[measure, line.runs] = line, traces_of(line, self._theme)
        return known[1]

    # The cursor

    def readings(self, rows: Iterable[tuple[int, ...]]) -> dict[Measure, dict[tuple[int, ...], Reading | None]]:
        """What the lines of these rows, each of a run or of a mean of several, say at the cursor, else at their end."""
        drawn = {measure: {line.runs: line for line in lines} for measure, lines in self._lines.items()}
        found: dict[Measure, dict[tuple[int, ...], Reading | None]] = {}
        for measure in self._measures:
            found[measure] = {}
            for runs in rows:
                line = drawn[measure].get(runs)
                if line is None and len(runs) == 1 and self._maker is not None:
                    line = self._maker.single(measure, self._view, runs[0])
                found[measure][runs] = None if line is None else self._read(line)
        return found

    def _read(self, line: Line) -> Reading | None:
        if self._cursor is None:
            return last_of(line)
        return reading_of(line, self._cursor, span=self.plots[self._measures[0]].x_range.span)

    def _show_cursor(self) -> None:
        place = None if self._cursor is None else place_text(self._cursor, self._view.axis)
        for measure, lines in self._lines.items():
            title = self._title(measure)
            self.titles[measure].setText(title if place is None else f"{title} · {place}")
            if self._cursor is None or place is None:
                self.plots[measure].set_cursor(None)
                self.readouts[measure].show_rows([], None)
                continue
            read = [(line, reading) for line in lines if (reading := self._read(line)) is not None]
            dots = tuple((run_color(line.runs[0], self._theme), at.x, at.value) for line, at in read)
            self.plots[measure].set_cursor(Cursor(self._cursor, dots, place))
            text = QUANTITIES[measure].text
            rows = [ReadoutRow(line.runs[0], line.short, at.value, text(at.value)) for line, at in read]
            self.readouts[measure].show_rows(rows, self._cursor)

    def _point(self, x: float | None) -> None:
        if x is not None and self._view.axis == "step":
            x = float(round(x))
        if x != self._cursor:
            self._cursor = x
            self._show_cursor()
            self.pointed.emit()

    # What the person does

    def _hold(self, measure: Measure, x: Range, y: Range) -> None:
        self._held = x
        self.plots[measure].set_ranges(x, y)
        self._redraw()

    def follow(self) -> None:
        """Show all of the runs again."""
        self._held, self._fitted = None, ()
        self._redraw()

    # For a picture

    @property
    def shown(self) -> list[tuple[QLabel, Plot]]:
        """Titles and plots from top to bottom."""
        return [(self.titles[measure], self.plots[measure]) for measure in self._measures]

    @property
    def legend(self) -> list[Line]:
        """Each line once, whichever plot it is in."""
        return list({line.runs: line for line in self._all()}.values())


def traces_of(line: Line, theme: Theme) -> list[Trace]:
    """What a plot draws of a line, in the look of its first run."""
    name, color, dashes = "+".join(map(str, line.runs)), run_color(line.runs[0], theme), run_dashes(line.runs[0])
    if len(line.x) == 1:  # a line of one point would not be seen
        return [Trace(f"point {name}", "train", "dashed", line.x, line.y, line.y, color)]
    traces = []
    if line.low is not None and line.high is not None:
        traces.append(Trace(f"band {name}", "train", "area", line.x, line.low, line.high, color))
    return [*traces, Trace(name, "train", "line", line.x, line.y, line.y, color, dashes)]


def place_text(x: float, axis: XAxis) -> str:
    """A place on the axis, for people."""
    match axis:
        case "step":
            return f"step {count(round(x))}"
        case "epoch":
            return f"epoch {x:.2f}"
        case "seconds":
            return f"{x:.1f}{THIN}s"


def _floor(lines: Sequence[Line]) -> float:
    """The smallest positive value: what is not positive is drawn there on a logarithmic axis."""
    least = min((float(np.min(line.y, initial=math.inf, where=line.y > 0)) for line in lines), default=math.inf)
    return max(least, SMALLEST) if math.isfinite(least) else SMALLEST
