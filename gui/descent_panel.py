"""Gradient descent of a single parameter, walked through on its curve."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFont, QHideEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.files import write_atomically
from gui.descent import Task, Walk, compared, film_rows, task, walk
from gui.gif import gif
from gui.icons import icon
from gui.numbers import THIN, count
from gui.panel_parts import fill, scrolling
from gui.plotting.trace import chart_font
from gui.segments import Segments
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.descent_table import DescentTable
from gui.views.descent_view import DescentView, Scene, film
from gui.workbench import Workbench

FRAME_TIME = 0.05  # s, of the animation and of the film
HOLD = 1.5  # s that the film stays on its last frame
FIGURE_SPACE = "\u2007"  # as wide as a digit


class DescentPanel(QWidget):
    """The curve with the way of the run's parameter, a slider through its steps, and the formula beside it.

    It follows the run's newest step as long as the slider stands at its end. The animation plays the recorded steps
    and has nothing to do with the run, which neither waits nor is repeated.
    """

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("descent_panel")
        self._bench, self._theme = bench, theme
        self._task = Task()
        self._walk: Walk | None = None
        self._seen: tuple[object, ...] = ()
        self._writing = False
        self._clock = QTimer(self)
        self._clock.setInterval(round(FRAME_TIME * 1000))
        self._clock.timeout.connect(self._play_on)
        self._view = DescentView(theme)
        self._table = DescentTable()
        self._message = QLabel()
        self._message.setObjectName("descent_message")
        self._message.setProperty("role", "secondary")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._play = QToolButton()
        self._play.setObjectName("descent_play")
        self._play.setProperty("compact", True)
        self._play.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._play.clicked.connect(self._toggle_playing)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("descent_step")
        self._slider.setAccessibleName("Step shown")
        self._slider.setRange(0, 0)
        self._slider.valueChanged.connect(self._show_row)
        self._slider.actionTriggered.connect(self._pause)
        self._place = QLabel()
        self._place.setObjectName("descent_place")
        self._scale = Segments(
            "descent_scale",
            {
                "whole": ("Whole way", "Shows every place since the start."),
                "close": ("Close", "Shows the newest steps as large as they fit, with numbers at the axes to match."),
            },
            title="Scale",
        )
        self._scale.chosen.connect(self._show_row)
        self._save = QPushButton("Save as GIF …")
        self._save.setObjectName("save_gif")
        self._save.clicked.connect(self._ask_where)
        self._lay_out()
        self.set_theme(theme)
        self.refresh()

    def _lay_out(self) -> None:
        moving, last = QHBoxLayout(), QHBoxLayout()
        moving.addWidget(self._play)
        moving.addWidget(self._slider, 1)
        moving.addWidget(self._place)
        last.addWidget(self._scale)
        last.addStretch(1)
        last.addWidget(self._save)
        content = QWidget()
        content.setObjectName("descent_content")
        rows = QVBoxLayout(content)
        rows.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        for layout in (rows, moving, last):
            layout.setSpacing(2 * SPACING)
        rows.addWidget(self._view, 1)
        rows.addWidget(self._message)
        rows.addLayout(moving)
        rows.addWidget(self._table)
        rows.addLayout(last)
        fill(self, scrolling(content))

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._view.set_theme(theme)
        self._show_playing()

    def prepare(self, params: Mapping[str, object]) -> None:
        """Take a lesson's `function` (one of `gui.descent.CURVES`), `start` and `factor`. Raises InputError."""
        self._task = task(params)
        self._seen = ()
        self.refresh()

    def refresh(self) -> None:
        track, going = self._bench.run_state.track, bool(self._bench.run_state.step)
        seen = (track, going, len(track), int(track.steps[-1]) if len(track) else 0, self._factor())
        if self._seen == seen:
            return
        same_run = bool(self._seen) and self._seen[0] is track
        self._seen = seen
        if not same_run:
            self._pause()
        following = not same_run or (self._at_end and not self._clock.isActive())
        self._walk = walk(track, self._task) if len(track.names) == 1 or not (track.names or going) else None
        last = 0 if self._walk is None else self._walk.last
        silent = self._slider.blockSignals(True)
        self._slider.setRange(0, last)
        self._slider.setPageStep(max(last // 20, 1))
        if following:
            self._slider.setValue(last)
        self._slider.blockSignals(silent)
        self._enable(last)
        self._show_row()

    @property
    def _at_end(self) -> bool:
        return self._slider.value() == self._slider.maximum()

    def _factor(self) -> float | None:
        """Of plain gradient descent at the run's learning rate, or the lesson's before there is one.

        None where the rate was changed on the way: there is no single factor then.
        """
        rates = self._bench.run_state.learning_rate
        if not rates.count:
            return self._task.factor
        low, high = float(np.min(rates.lows)), float(np.max(rates.highs))
        return self._task.curve.factor(low) if low == high else None

    # What is shown

    def _enable(self, last: int) -> None:
        state = self._bench.run_state
        values = len(state.track.names)
        text = ""
        if values > 1:
            text = f"This network has {values} parameter values. The way down a curve is drawn for networks with one."
        elif not values and state.step:
            text = "This network has too many parameters. The way down a curve is drawn for networks with one."
        elif not last:
            text = "Press Start to see the parameter walk down the curve."
        self._message.setText(text)
        self._message.setVisible(bool(text))
        self._view.setVisible(self._walk is not None)
        self._table.setVisible(self._walk is not None)
        for widget in (self._slider, self._play, self._scale):
            widget.setEnabled(bool(last))
        self._slider.setToolTip("Goes through the recorded steps." if last else "There are no recorded steps yet.")
        self._enable_save(last)
        self._show_playing()

    def _enable_save(self, last: int) -> None:
        self._save.setEnabled(bool(last) and not self._writing)
        if self._writing:
            tip = "The film is being written."
        elif last:
            frames = len(film_rows(last))
            tip = (
                f"Writes the whole way as a film of {frames} pictures and {frames * FRAME_TIME + HOLD:.1f}{THIN}s, in "
                "this theme's colours and at this scale."
            )
        else:
            tip = "There are no recorded steps yet, so there is no film to save."
        self._save.setToolTip(f"<p>{tip}</p>")

    def _show_row(self, *_: object) -> None:
        if self._walk is None:
            self._place.clear()
            return
        row, factor = self._slider.value(), self._factor()
        self._view.set_scene(self._scene(self._walk, row))
        step, total = count(int(self._walk.steps[row])), count(int(self._walk.steps[-1]))
        self._place.setText(f"step {step.rjust(len(total), FIGURE_SPACE)} of {total}")
        quantities = compared(self._task, self._walk, row, factor)
        self._table.set_rows(quantities)
        self._table.set_formula(*self._formula(factor))
        self._view.setAccessibleDescription(f"{quantities[0].meaning} It is {quantities[0].obtained:.6g}.")

    def _scene(self, walk: Walk, row: int) -> Scene:
        return Scene(self._task.curve, walk, row, close=self._scale.value() == "close")

    def _formula(self, factor: float | None) -> tuple[str, str]:
        """How it is written, and what it is."""
        if factor is not None:
            base = f"{factor:g}" if factor >= 0 else f"({factor:g})"
            text = f"{self._task.start:g} · {base}<sup>k</sup>".replace("-", "−").removeprefix("1 · ")
            return text, (
                f"Plain gradient descent multiplies x by {factor:g} with every step, so after k steps it is {text}. "
                "The rounding of the run's numbers makes a small difference, another optimizer a large one."
            )
        if self._bench.run_state.learning_rate.count:
            return "formula", "The learning rate changed during the run: there is no single factor from step to step."
        return "formula", "The formula follows from the learning rate, which is known with the first step."

    # The animation

    def _toggle_playing(self) -> None:
        if self._clock.isActive():
            self._pause()
            return
        if self._at_end:
            self._slider.setValue(0)
        self._clock.start()
        self._show_playing()

    def _play_on(self) -> None:
        row = self._slider.value()
        following = next((later for later in film_rows(self._slider.maximum()) if later > row), None)
        if following is not None:
            self._slider.setValue(following)
        if self._at_end:
            self._pause()

    def _pause(self, *_: object) -> None:
        self._clock.stop()
        self._show_playing()

    def _show_playing(self) -> None:
        playing = self._clock.isActive()
        self._play.setIcon(icon("pause" if playing else "play", self._theme))
        self._play.setAccessibleName("Pause the animation" if playing else "Play the animation")
        if playing:
            tip = "Pauses the animation."
        elif self._play.isEnabled():
            tip = "Plays the recorded steps. The run itself is not repeated."
        else:
            tip = "There are no recorded steps yet."
        self._play.setToolTip(tip)

    def hideEvent(self, event: QHideEvent) -> None:
        self._pause()
        super().hideEvent(event)

    # The film

    def _ask_where(self) -> None:
        dialog = QFileDialog(self, "Save as GIF")
        dialog.setObjectName("save_gif_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("Animated picture (*.gif)")
        dialog.setDefaultSuffix("gif")
        dialog.selectFile("descent.gif")
        dialog.fileSelected.connect(self._save_to)
        dialog.open()

    def _save_to(self, chosen: str) -> None:
        self.save_gif(Path(chosen))

    def save_gif(self, path: Path) -> None:
        """Write the way as an animated GIF, on another thread; the status line tells how it went."""
        if self._walk is None or not self._walk.last or self._writing:
            return
        self._writing = True
        self._enable_save(self._walk.last)
        self._bench.say(f"Writing {path.name} …")
        scenes = [self._scene(self._walk, row) for row in film_rows(self._walk.last)]
        job = partial(_write_film, path, scenes, self._theme, chart_font())
        self._bench.compute("descent_film", job, self._on_written, self._on_written)

    def _on_written(self, sentence: str) -> None:
        self._writing = False
        self._enable_save(self._slider.maximum())
        self._bench.say(sentence)


def _write_film(path: Path, scenes: list[Scene], theme: Theme, font: QFont) -> str:
    """What was written, or why nothing was, as a sentence. Touches no widget."""
    data = gif(film(scenes, theme, font), seconds=FRAME_TIME, hold=HOLD)
    try:
        write_atomically(path, data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return f"The film was not saved to {path}: {reason}. Choose another place."
    return f"Saved {path} ({len(scenes)} pictures, {len(data) / 1024:.0f}{THIN}KB)."
