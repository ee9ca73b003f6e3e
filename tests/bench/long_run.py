"""A run of five million steps: what curve and channel keep, and how long a redraw takes."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from statistics import median

import numpy as np
from PySide6.QtWidgets import QApplication, QWidget

from engine.channel import WAITING_STEPS, Channel
from engine.events import Started, StepFinished
from gui.lean import pyqtgraph
from gui.run_state import RunState
from gui.theme import DARK, base_font
from gui.views.curves import CurvesView
from tests.bench.figure import Figure, Plan, Target

MILLION = 1_000_000
CHUNK = 1000  # steps between two looks into the channel
DRAW_EVERY = 50  # chunks
PLOT = (600, 250)  # px, about
REDRAWS = 60
GROWTH = 8.0  # MB that may come between one million steps and five
EPOCH = 430  # steps


def measure(plan: Plan) -> list[Figure]:
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    pyqtgraph.setConfigOptions(imageAxisOrder="row-major", antialias=False)
    application.setStyle("Fusion")
    application.setFont(base_font())
    application.setPalette(DARK.palette())
    application.setStyleSheet(DARK.stylesheet())
    early, late = plan.times(MILLION, MILLION // 20), plan.times(5 * MILLION, MILLION // 4)
    waiting = _undrained(early)
    run = _LongRun(total=late + REDRAWS * CHUNK)
    run.feed(early)
    before = _peak_memory()
    run.feed(late)
    growth = _peak_memory() - before
    redraws = run.redraws()
    size = " and ".join(f"{plot.width()} × {plot.height()}" for plot in run.plots)
    run.view.close()
    return [
        Figure(
            name=f"long run: growth of peak memory, {early:,} to {late:,} steps",
            value=growth,
            unit="MB",
            target=Target("value", "at most", GROWTH),
            note=f"{before:.0f} MB before; drawn every {CHUNK * DRAW_EVERY:,} steps",
        ),
        Figure(
            name=f"long run: redraw at {late:,} steps",
            value=1000 * median(redraws),
            unit="ms",
            target=Target("value", "at most", 4.0),
            note=f"loss and accuracy with their keys, refreshed and painted; plots {size}; "
            f"the slowest of {len(redraws)}: {1000 * max(redraws):.1f} ms",
        ),
        Figure(
            name=f"long run: events that wait after {early:,} steps nobody took",
            value=waiting,
            unit="events",
            target=Target("value", "at most", WAITING_STEPS),
        ),
    ]


class _LongRun:
    """Steps through a channel into a run's state and its curves on screen."""

    def __init__(self, *, total: int) -> None:
        self._channel = Channel()
        self._state = RunState()
        self._steps = steps()
        self._fed = 0
        self.view = CurvesView(DARK)
        self.plots = [self._find(name) for name in ("loss_plot", "accuracy_plot")]
        self.panels = [panel for plot in self.plots if (panel := plot.parentWidget()) is not None]
        self.view.resize(PLOT[0], 2 * PLOT[1] + 110)
        self.view.show()
        QApplication.processEvents()
        self._state.apply([started(total)])

    def _find(self, name: str) -> QWidget:
        plot = self.view.findChild(QWidget, name)
        assert isinstance(plot, QWidget)
        return plot

    def feed(self, until: int) -> None:
        chunks = 0
        while self._fed < until:
            self._take(min(CHUNK, until - self._fed))
            chunks += 1
            if chunks % DRAW_EVERY == 0:
                self._draw()

    def redraws(self) -> list[float]:
        """Seconds each of some redraws takes, with new steps before each."""
        seconds = []
        for _ in range(REDRAWS):
            self._take(CHUNK)
            start = time.perf_counter()
            self._draw()
            seconds.append(time.perf_counter() - start)
            QApplication.processEvents()
        return seconds

    def _take(self, number: int) -> None:
        for step in islice(self._steps, number):
            self._channel.put(step)
        self._fed += number
        self._state.apply(self._channel.drain())

    def _draw(self) -> None:
        self.view.refresh(self._state)
        for panel in self.panels:
            panel.repaint()


def steps() -> Iterator[StepFinished]:
    """Steps of an endless run: a falling, noisy loss, and an accuracy on every tenth step."""
    noise = np.random.default_rng(0).gamma(2.0, 0.05, size=1 << 16).tolist()
    for number in count(1):
        loss = 2.0 / (1.0 + number / 1000) + noise[number % len(noise)]
        accuracy = 1.0 - min(loss / 3, 1.0) if number % 10 == 1 else None
        yield StepFinished(number, 1 + number // EPOCH, loss, 0.001, number / 100, accuracy)


def started(total: int) -> Started:
    return Started(
        device="CPU",
        threads=1,
        memory_format="contiguous",
        precision="float32",
        parameters=61_706,
        batch_size=128,
        steps_per_epoch=EPOCH,
        total_steps=total,
        train_size=55_000,
        network="lenet5",
        dataset="mnist",
    )


def _undrained(number: int) -> int:
    """The most events that wait in a channel into which `number` steps are put and which nobody looks into."""
    channel = Channel()
    for step in islice(steps(), number):
        channel.put(step)
    return len(channel.drain())


def _peak_memory() -> float:
    """Of this process so far, in MB."""
    gc.collect()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
