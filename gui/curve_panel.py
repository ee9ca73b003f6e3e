"""One quantity of a run as curves: a key that reads values, above a plot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.ancestors import Ancestor, branch_words
from gui.behind import ROLE, BehindCache
from gui.numbers import THIN, count, loss, percent
from gui.plotting.backdrop import BackdropPlot
from gui.plotting.key import HEIGHT, Key, KeyEntry
from gui.plotting.overlay import Cursor, Mark
from gui.plotting.scale import SMALLEST, Range, fitted, tick_text
from gui.plotting.trace import Trace, TraceStyle
from gui.run_state import RunState
from gui.series import Reading, Series, XAxis
from gui.theme import Theme

NARROW = 620  # px: less has no room for all entries of a branch's key


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What a panel shows.

    Attributes:
        name: `loss`, `accuracy` or `learning_rate`.
        train: of the steps; `smooth`: with moving averages. `validation`, `test`: of the evaluations, or None.
        text: a value as the key writes it, never longer than `widest`.
        limits: of the y axis, or None to fit the data.
        logarithmic: can be shown on a logarithmic axis.
    """

    name: str
    title: str
    train: Callable[[RunState], Series]
    smooth: bool
    validation: Callable[[RunState], Series] | None = None
    test: Callable[[RunState], Series] | None = None
    text: Callable[[float], str]
    widest: str
    tick: Callable[[float, float], str] = tick_text
    limits: Range | None = None
    logarithmic: bool = False


def _percent_tick(value: float, step: float) -> str:
    return f"{tick_text(value * 100, step * 100)}{THIN}%"


LOSS = Quantity(
    name="loss",
    title="Loss",
    train=lambda state: state.loss,
    smooth=True,
    validation=lambda state: state.validation_loss,
    test=lambda state: state.test_loss,
    text=loss,
    widest="0.00000",
    logarithmic=True,
)
ACCURACY = Quantity(
    name="accuracy",
    title="Accuracy",
    train=lambda state: state.accuracy,
    smooth=True,
    validation=lambda state: state.validation_accuracy,
    test=lambda state: state.test_accuracy,
    text=lambda value: percent(value, 2),
    widest=percent(1.0, 2),
    tick=_percent_tick,
    limits=Range(0.0, 1.02),
)
LEARNING_RATE = Quantity(
    name="learning_rate",
    title="Learning rate",
    train=lambda state: state.learning_rate,
    smooth=False,
    text=lambda value: f"{value:.4g}",
    widest="0.0000000",
    logarithmic=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How all panels show a run.

    Attributes:
        x: what the x axis counts.
        log: the y axes are logarithmic where they can be.
        weight_index: of SMOOTHING.
        x_range: in view.
        follow: the y ranges fit the data; else they stay as they are.
        cursor: the place pointed at on the x axis.
        step: where the cursor stands while nothing is pointed at, or None.
        last, first: this is the lowest panel, which has the x axis' numbers, or the highest, with the marks' labels.
        ancestors: the runs that this one goes on from, nearest first; the same object while they are the same.
    """

    x: XAxis
    log: bool
    weight_index: int
    x_range: Range
    follow: bool
    cursor: float | None
    step: int | None
    first: bool
    last: bool
    ancestors: tuple[Ancestor, ...] = ()


class CurvePanel(QWidget):
    """Key and plot of one quantity. `refresh` draws a state; `point` moves the cursor alone."""

    def __init__(self, quantity: Quantity, theme: Theme) -> None:
        super().__init__()
        self.quantity = quantity
        self.key = Key(theme, quantity.title)
        self.plot = BackdropPlot(theme, tick=quantity.tick)
        self._width = 0  # of the buckets that are drawn
        self._behind = BehindCache(quantity.train, (quantity.validation, quantity.test))
        self.plot.setObjectName(f"{quantity.name}_plot")
        self.plot.setAccessibleName(f"{quantity.title} curves")
        self.plot.setToolTip("")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.key)
        box.addWidget(self.plot, 1)

    def set_theme(self, theme: Theme) -> None:
        self.key.set_theme(theme)
        self.plot.set_theme(theme)

    def draw(self, painter: QPainter) -> None:
        """Key and plot without the cursor's line, for a picture."""
        self.key.draw(painter)
        painter.save()
        painter.translate(0, HEIGHT)
        self.plot.draw(painter)
        painter.restore()

    def refresh(self, state: RunState, shown: Shown, *, read: bool = True) -> None:
        """Draw `state`. Ranges, and with them the axes, change only where the data have outgrown them.

        Without `read` the key's figures stay.
        """
        quantity, plot = self.quantity, self.plot
        log = shown.log and quantity.logarithmic
        traces = [_trace(line, state, shown) for line in _lines(quantity, state) if line.series.count]
        behind = self._behind.of(
            shown.ancestors, shown.x, steps_per_epoch=state.steps_per_epoch, weight_index=shown.weight_index
        )
        low, high = _extent(traces)
        if behind.shades:
            low, high = float(np.fmin(low, behind.low)), float(np.fmax(high, behind.high))
        floor = _floor(traces, behind.least) if log else 0.0
        y = plot.y_range
        if quantity.limits is not None:
            y = quantity.limits if shown.follow else y
        elif np.isfinite(low) and (shown.follow or log != plot.log):
            ends = np.log10(np.maximum([low, high], floor)) if log else np.array([low, high])
            y = fitted(y if log == plot.log else None, float(ends[0]), float(ends[1]), log=log)
        unit = "s" if shown.x == "seconds" else shown.x
        plot.set_axes(unit=unit, x_axis=shown.last, label_marks=shown.first, log=log, floor=floor)
        plot.set_ranges(shown.x_range, y)
        note = f"0 and below are drawn at {floor:.1e}" if log and low <= 0 else ""
        plot.set_backdrop(behind.shades)
        marks = [*behind.marks, *_marks(state, shown.x)]
        plot.set_data(traces, marks, hint="" if traces else self._hint(state), note=note)
        self._width = quantity.train(state).bucket_width
        if read:
            self.point(state, shown)

    def extend(self, state: RunState, shown: Shown, *, read: bool = True) -> bool:
        """As `refresh`, where nothing has changed since but that there are more steps, in a fraction of its time.

        Returns False where that cannot be: then `refresh` must draw.
        """
        plot, series = self.plot, self.quantity.train(state)
        start = plot.settled
        if start is None or series.bucket_width != self._width:
            return False
        x, low, high, average = series.since(
            start, shown.x, steps_per_epoch=state.steps_per_epoch, weight_index=shown.weight_index
        )
        if not (plot.shows(float(low.min()), float(high.max())) and plot.grow(start, x, low, high, average)):
            return False
        if read:
            self.point(state, shown)
        return True

    def point(self, state: RunState, shown: Shown) -> None:
        """Read the values at the cursor, or the latest where it is nowhere."""
        entries, dots, label = [], [], ""
        cursor = shown.cursor
        if cursor is None and shown.step is not None and state.loss.count:
            standing = place_of(state, shown.x, shown.step)
            cursor = standing if math.isfinite(standing) else None
        place = math.inf if cursor is None else cursor
        snapped = place
        if cursor is not None and shown.cursor is None and shown.step is not None:
            label = _step_text(shown.step, state)
        start = _start(state, shown.x)
        for line in _lines(self.quantity, state):
            reading = line.series.value_at(
                place,
                shown.x,
                steps_per_epoch=state.steps_per_epoch,
                weight_index=shown.weight_index,
            )
            if shown.ancestors and place < start:  # before there was this run
                reading = None
            value = _value(line, reading)
            entries.append(self._entry(line, value, reading))
            if reading is None:
                continue
            x = _place(shown.x, state, step=reading.last_step, seconds=reading.seconds)
            if not label:  # what is pointed at is the nearest reading
                snapped, label = x, _place_text(reading, state)
            if line.style != "band":
                dots.append((line.role, x, value))
        if behind := self._read_behind(state, shown, cursor, start):
            entry, dot, said = behind
            if self.width() < NARROW:  # what is compared has the room of the single values
                entries = [known for known in entries if known.style != "band"]
            entries.append(entry)
            dots.append(dot)
            if not label:
                snapped, label = dot[1], said
        self.key.set_entries(entries)
        pointed = cursor is not None and label
        self.plot.set_cursor(Cursor(snapped, tuple(dots), label) if pointed else None)

    def _read_behind(
        self, state: RunState, shown: Shown, cursor: float | None, start: float
    ) -> tuple[KeyEntry, tuple[str, float, float], str] | None:
        """What the run that was branched from said at the cursor, or where this run is now: entry, dot and label."""
        ancestors, per_epoch = shown.ancestors, state.steps_per_epoch
        if not ancestors:
            return None
        now = _place(shown.x, state, step=state.step, seconds=state.seconds)
        place = max(now, start) if cursor is None else cursor
        # The nearest that had begun by then; before all of them, the oldest.
        began = (run for run, older in pairwise(ancestors) if place >= older.end(shown.x, per_epoch))
        chosen = next(began, ancestors[-1])
        found = chosen.value_at(
            place, self.quantity.train, shown.x, steps_per_epoch=per_epoch, weight_index=shown.weight_index
        )
        if found is None:
            return None
        reading, value = found
        x = _place(shown.x, chosen.state, step=reading.last_step, seconds=reading.seconds)
        name, text = f"run {chosen.run}", self.quantity.text(value)
        entry = KeyEntry(ROLE, "line", name, name, text, self.quantity.widest)
        dot = (ROLE, x * chosen.scale(shown.x, per_epoch), value)
        return entry, dot, f"{name} · {_place_text(reading, chosen.state)}"

    def _entry(self, line: _Line, value: float, reading: Reading | None) -> KeyEntry:
        text, widest = self.quantity.text, self.quantity.widest
        said = "" if reading is None else text(value)
        if line.style == "band" and line.series.bucket_width > 1:
            widest = f"{widest}…{widest}"
            if reading is not None and not reading.exact:
                said = f"{text(reading.minimum)}…{text(reading.maximum)}"
        return KeyEntry(line.role, line.style, line.label, line.short, said, widest)

    def _hint(self, state: RunState) -> str:
        name = self.quantity.title.lower()
        if state.preparing is not None:
            what, done = state.preparing
            return what if done is None else f"{what} {percent(done, 0)}"
        if self.quantity.name == "accuracy" and state.loss.count:
            return "No accuracy here: the targets are numbers, not classes"
        match state.status:
            case "idle":
                return f"Press Start to see the {name}"
            case "running" | "paused":
                return f"The {name} appears with the first step"
            case "finished" | "failed":
                return "The run ended before its first step"


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a panel: of single values (`band`), of their moving average (`line`), or of evaluations."""

    role: str
    style: TraceStyle
    label: str
    short: str
    series: Series


def _lines(quantity: Quantity, state: RunState) -> list[_Line]:
    train = quantity.train(state)
    lines = [_Line("train", "line", "train" if quantity.smooth else "each step", "", train)]
    if quantity.smooth:
        lines.insert(0, _Line("train", "band", "batch", "", train))
    started = bool(train.count)
    if quantity.validation and ((validation := quantity.validation(state)).count or not started):
        lines.append(_Line("validation", "dashed", "validation", "val.", validation))
    if quantity.test and ((test := quantity.test(state)).count or not started):
        lines.append(_Line("test", "dotted", "test", "test", test))
    return lines


def _trace(line: _Line, state: RunState, shown: Shown) -> Trace:
    series = line.series
    x = series.positions(shown.x, steps_per_epoch=state.steps_per_epoch)
    if line.style == "band":
        return Trace(line.label, line.role, line.style, x, series.lows, series.highs)
    y = series.smoothed(shown.weight_index) if line.style == "line" and series.has_smoothing else series.lasts
    y = np.where(np.isfinite(y), y, np.nan)
    return Trace(line.label, line.role, line.style, x, y, y)


def _value(line: _Line, reading: Reading | None) -> float:
    if reading is None:
        return math.nan
    return reading.smoothed if line.style == "line" and line.series.has_smoothing else reading.last


def _extent(traces: list[Trace]) -> tuple[float, float]:
    """The lowest and highest finite value, NaN if there is none."""
    if not traces:
        return math.nan, math.nan
    low = np.fmin.reduce([np.fmin.reduce(trace.low) for trace in traces])
    high = np.fmax.reduce([np.fmax.reduce(trace.high) for trace in traces])
    return float(low), float(high)


def _floor(traces: list[Trace], behind: float) -> float:
    """The smallest positive value: what is not positive is drawn there on a logarithmic axis."""
    least = min((float(np.min(t.low, initial=math.inf, where=t.low > 0)) for t in traces), default=math.inf)
    least = min(least, behind)
    return max(least, SMALLEST) if math.isfinite(least) else SMALLEST


def place_of(state: RunState, x: XAxis, step: int) -> float:
    """Where a step is on the x axis; NaN where that is not known."""
    seconds = math.nan
    if step == 0:
        seconds = 0.0
    elif x == "seconds" and (at := state.loss.value_at(step)) is not None:
        seconds = at.seconds
    return _place(x, state, step=step, seconds=seconds)


def _start(state: RunState, x: XAxis) -> float:
    """Where a branch's own curve begins; infinite before its first step."""
    first = state.loss.first_steps
    return place_of(state, x, int(first[0]) - 1) if len(first) else math.inf


def _marks(state: RunState, x: XAxis) -> list[Mark]:
    marks = []
    if state.branch is not None and math.isfinite(start := _start(state, x)):
        marks.append(Mark(start, branch_words(state.branch)))
    for change in state.interventions:
        place = place_of(state, x, change.step)
        if math.isfinite(place):
            marks.append(Mark(place, f"{change.name.replace('_', ' ')} {change.old} → {change.new}"))
    return marks


def _place(x: XAxis, state: RunState, *, step: int, seconds: float) -> float:
    match x:
        case "step":
            return float(step)
        case "epoch":
            return step / max(state.steps_per_epoch, 1)
        case "seconds":
            return seconds


def _step_text(step: int, state: RunState) -> str:
    epoch = f" · epoch {step / state.steps_per_epoch:.2f}" if state.steps_per_epoch else ""
    return f"step {count(step)}{epoch}"


def _place_text(reading: Reading, state: RunState) -> str:
    steps = count(reading.last_step)
    if reading.first_step != reading.last_step:
        steps = f"{count(reading.first_step)}–{steps}"
    epoch = f" · epoch {reading.last_step / state.steps_per_epoch:.2f}" if state.steps_per_epoch else ""
    return f"step {steps}{epoch} · {reading.seconds:.1f}{THIN}s"
