"""Back along a run: a slider over its steps, a film of them, and on from there another way."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from engine.rewind.snapshots import Tick
from gui.file_dialog import ask_where
from gui.icons import icon
from gui.numbers import THIN, count
from gui.theme import SPACING, Theme
from gui.time_slider import TimeSlider

FRAME_EVERY = 80  # ms of the film on screen
MOST_FRAMES = 200  # of it: of more steps it shows some
WORDS_FROM = 640  # px of width from which Continue is written out
TEACHING = "Start a run: afterwards, or while it is paused, this goes back to any of its steps."


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there is to go back to.

    Attributes:
        ticks: the steps that are kept, ascending; the same object while nothing has changed.
        last: the last step. total: how many the run is to have.
        newest: the step of the weights that are there without going back, where that is not the last one.
        refusal, branch_refusal, film_refusal: why one cannot go back now, go on from a step, or save a film; else
            empty.
    """

    ticks: Sequence[Tick] = ()
    last: int = 0
    newest: int | None = None
    total: int = 0
    refusal: str = TEACHING
    branch_refusal: str = TEACHING
    film_refusal: str = TEACHING


class RewindBar(QFrame):
    """Follows the latest step until it is moved back.

    Signals:
        wanted(step): another step is to be shown, an int, or None for the latest.
        branch_wanted(step): a new run is to go on from there.
        film_wanted(path): a film of the filters is to be saved there.
    """

    wanted = Signal(object)
    branch_wanted = Signal(int)
    film_wanted = Signal(Path)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rewind_bar")
        self._past = Past()
        self._asked: int | None = None  # None: the latest
        self._shown: int | None = None
        self._waits = False
        self._doing = self._detail = ""  # on the way to the step that is asked for
        self._folder = Path.home()
        self._play = self._button("rewind_play", "Play the run as a film", self.toggle_film)
        self._slider = TimeSlider(theme)
        self._slider.setObjectName("rewind")
        self._slider.setAccessibleName("Step shown")
        self._slider.valueChanged.connect(self._on_slider)
        self._step = QLineEdit()
        self._step.setObjectName("rewind_step")
        self._step.setAccessibleName("Step")
        self._step.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._step.editingFinished.connect(self._on_typed)
        self._word = QLabel("Step")
        self._word.setProperty("role", "secondary")
        self._where = QLabel()
        self._where.setObjectName("rewind_where")
        self._where.setProperty("role", "secondary")
        self._latest = self._button("rewind_latest", "Latest", self.follow)
        self._film = self._button("rewind_film", "Save a film of the filters", self._ask_for_film)
        self._branch = self._button("rewind_branch", "Continue from here", self._on_branch)
        self._branch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACING, 0, 2 * SPACING, SPACING)
        row.setSpacing(SPACING)
        row.addWidget(self._play)
        row.addWidget(self._slider, 1)
        row.addWidget(self._latest)
        row.addSpacing(SPACING)
        for widget in (self._word, self._step, self._where):
            row.addWidget(widget)
        row.addSpacing(SPACING)
        row.addWidget(self._film)
        row.addWidget(self._branch)
        self._frames = QTimer(self, interval=FRAME_EVERY)
        self._frames.timeout.connect(self._next_frame)
        for keys, act in (
            ("Ctrl+Shift+Left", self.back),
            ("Ctrl+Shift+Right", self.forth),
            ("Ctrl+Shift+End", self.follow),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.activated.connect(act)
        self.set_theme(theme)
        self._tell()

    def _button(self, name: str, text: str, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setProperty("role", "quiet")
        button.setProperty("compact", True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(act)
        return button

    # What is shown

    @property
    def step(self) -> int | None:
        """The step that is asked for, None for the latest."""
        return self._asked

    @property
    def playing(self) -> bool:
        return self._frames.isActive()

    def refresh(self, past: Past) -> None:
        """Take up what there is now. Cheap where nothing has changed."""
        if past == self._past:
            return
        self._past = past
        if past.refusal:
            self._frames.stop()
            self._asked, self._waits = None, False
        self._tell()

    def set_shown(self, step: int | None) -> None:
        """The step that the window shows now, None for the latest: the answer to `wanted`."""
        self._shown, self._waits = step, False
        if step is None:
            self._asked = None
            self._frames.stop()
        self._tell()

    def set_progress(self, what: str, done: float | None, *, trains: bool) -> None:
        """What is done on the way to the step that is asked for, and its share in 0 … 1 where that is known.

        `trains`: steps are trained again; else that is prepared.
        """
        if self._waits:
            share = " …" if done is None else f" {round(done * 100)} %"
            self._doing, self._detail = f"{'training' if trains else 'preparing'}{share}", what
            self._tell_where()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._slider.set_theme(theme)
        for button, name in ((self._latest, "follow"), (self._film, "film"), (self._branch, "branch")):
            button.setIcon(icon(name, theme))
        self._drawn = ""
        self._show_film()

    # What the person does

    def ask(self, step: int | None) -> None:
        """Go to a step; the last one and None are the latest, which it then follows."""
        past = self._past
        if past.refusal:
            return
        if step is not None:
            step = max(step, self._slider.minimum())
            step = min(step, past.last)
            step = None if step == self._newest else step
        if step != self._asked or (step is None and self._shown is not None):
            self._asked, self._waits = step, True
            self._doing = self._detail = ""
            self._tell()
            self.wanted.emit(step)

    def follow(self) -> None:
        """To the latest step, and on with it."""
        self._frames.stop()
        self.ask(None)
        self._tell()

    def back(self) -> None:
        """To the kept step before."""
        steps = [tick.step for tick in self._past.ticks]
        place = bisect_left(steps, self._now) - 1
        if place >= 0:
            self.ask(steps[place])

    def forth(self) -> None:
        """To the kept step after, and from the last of them to the latest."""
        steps = [tick.step for tick in self._past.ticks]
        place = bisect_right(steps, self._now)
        self.ask(steps[place] if place < len(steps) else None)

    def toggle_film(self) -> None:
        """Play through the kept steps from here, from the first where it stands at the end, or hold still."""
        if self.playing:
            self._frames.stop()
        elif not self._past.refusal and self._past.ticks:
            if self._asked is None:
                self.ask(self._past.ticks[0].step)
            self._frames.start()
        self._tell()

    def _next_frame(self) -> None:
        if self._waits:  # the last one is still on its way
            return
        steps = [tick.step for tick in self._past.ticks]
        place = bisect_right(steps, self._now) - 1 + math.ceil(len(steps) / MOST_FRAMES)
        if self._asked is None or place >= len(steps):
            self.follow()
        else:
            self.ask(steps[place])

    def _on_slider(self, step: int) -> None:
        self._frames.stop()
        self.ask(self._slider.nearest(step) if self._slider.isSliderDown() else step)

    def _on_typed(self) -> None:
        """A number counts; what is none gives way to the step that is shown."""
        typed = "".join(self._step.text().replace(THIN, "").split())
        if self._step.isModified() and typed.isdecimal() and len(typed) < 12:
            self._frames.stop()
            self._step.setModified(False)
            self.ask(int(typed))
        self._step.setModified(False)
        self._tell()

    def _on_branch(self) -> None:
        self._frames.stop()
        self.branch_wanted.emit(self._now)

    def _ask_for_film(self) -> None:
        place = self._folder / "filters.gif"
        ask_where(self, "Save a film of the filters", place=place, kinds="GIF film (*.gif)", chosen=self._save_film)

    def _save_film(self, path: Path) -> None:
        self._folder = path.parent
        self.film_wanted.emit(path)

    # Words

    @property
    def _now(self) -> int:
        return self._newest if self._asked is None else self._asked

    @property
    def _newest(self) -> int:
        return self._past.last if self._past.newest is None else self._past.newest

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        roomy = self.width() >= WORDS_FROM
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if roomy else Qt.ToolButtonStyle.ToolButtonIconOnly
        if self._branch.toolButtonStyle() != style:
            self._branch.setToolButtonStyle(style)
        self._word.setVisible(roomy)

    def _tell(self) -> None:
        past, now = self._past, self._now
        with QSignalBlocker(self._slider):
            self._slider.set_steps(past.ticks, last=past.last)
            self._slider.setValue(now)
        if not self._step.isModified():
            self._step.setText(count(now) if past.ticks else "")
        widest = self._step.fontMetrics().horizontalAdvance(count(max(past.total, past.last, 100))) + 24
        if self._step.width() != widest:
            self._step.setFixedWidth(widest)
        self._tell_where()
        self._enable()
        self._show_film()

    def _tell_where(self) -> None:
        past = self._past
        of = f"of {count(max(past.total, past.last))} · "
        width = self._where.fontMetrics().horizontalAdvance(f"{of}{self._latest_word}")
        self._where.setText(self._state(of) if past.ticks else "")
        self._where.setMinimumWidth(width if past.ticks else 0)
        self._where.setToolTip(f"{self._detail}." if self._waits and self._detail else "")

    @property
    def _latest_word(self) -> str:
        return "latest" if self._newest == self._past.last else "last kept"

    def _state(self, of: str) -> str:
        if self._asked is None:
            return f"{of}{self._latest_word}"
        if self._waits:  # a kept step is there at once: a word would only flicker
            if any(tick.step == self._asked for tick in self._past.ticks):
                return f"{of}exact"
            return self._doing or "training …"
        return f"{of}exact" if self._shown == self._asked else f"shows step {count(self._shown or 0)}"

    def _enable(self) -> None:
        past = self._past
        for widget in (self._slider, self._step, self._play):
            widget.setEnabled(not past.refusal)
        self._slider.setToolTip(
            past.refusal
            or "Goes back: filters, answers and tools become those of the step. The mouse goes through the steps that "
            "are kept; the arrow keys, or a number typed at the right, reach every other one by training forward "
            "again. Ctrl+Shift+Left and Right: the kept step before and after."
        )
        self._step.setToolTip(past.refusal or "The step shown. Type another one.")
        self._latest.setEnabled(not past.refusal and self._asked is not None)
        self._latest.setToolTip(past.refusal or self._about_latest())
        self._branch.setEnabled(not past.branch_refusal)
        self._branch.setToolTip(
            past.branch_refusal
            or "Continue from here: a new run with today's set-up begins with the network of this step. With the "
            "set-up unchanged it repeats the run exactly."
        )
        self._film.setEnabled(not past.film_refusal)
        self._film.setToolTip(past.film_refusal or "Saves the filters of the kept steps as a film, a GIF file.")

    def _about_latest(self) -> str:
        if self._asked is not None:
            return "Back to the latest weights (Ctrl+Shift+End)."
        kept = self._newest != self._past.last
        return "These are the last weights that were kept." if kept else "This is the latest step."

    def _show_film(self) -> None:
        name = "pause" if self.playing else "play"
        if self._drawn != name:
            self._drawn = name
            self._play.setIcon(icon(name, self._theme))
        text = "Hold the film" if self.playing else "Play the run as a film, through the steps that are kept."
        self._play.setToolTip(self._past.refusal or text)
