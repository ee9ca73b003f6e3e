"""LessonGuide: leads through lessons. It opens them in the window and compares what their runs obtain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QMenu

from engine.errors import InputError
from engine.events import EpochFinished, Evaluated, Event, Finished, Started
from engine.lessons import find_lesson, lessons
from engine.lessons.comparison import Comparison, correct
from engine.lessons.keeping import kept_folder
from engine.parts import PARTS
from gui.lesson_panel import LessonPanel
from gui.run_toolbar import RunToolbar
from gui.tools import ToolDocks
from gui.views.curves import CurvesView
from gui.views.setup_panel import SetupPanel

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.lessons.lesson import Lesson

PANELS = ("canvas", "filters", "curves")


class LessonGuide(QObject):
    """One lesson at a time, at one of its stages.

    Attributes:
        lesson, stage: what is open; None and 1 without a lesson. The stage counts from 1.
        done: `name:stage` of every stage whose run was completed, oldest first.

    Signals:
        opened: a lesson or another stage of it is open now.
        progressed: `done` has grown.
        open_wanted, save_wanted: the person wants to open a lesson's file, or to save the set-up as a lesson.
    """

    opened = Signal()
    progressed = Signal()
    open_wanted = Signal()
    save_wanted = Signal()

    def __init__(
        self,
        parent: QObject,
        *,
        panel: LessonPanel,
        dock: QDockWidget,
        docks: Mapping[str, QDockWidget],
        tools: ToolDocks,
        setup: SetupPanel,
        toolbar: RunToolbar,
        curves: CurvesView,
        busy: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self.lesson: Lesson | None = None
        self.stage = 1
        self.done: tuple[str, ...] = ()
        self._panel, self._dock, self._docks = panel, dock, docks
        self._tools, self._setup, self._toolbar = tools, setup, toolbar
        self._curves, self._busy, self._say = curves, busy, say
        self._comparison: Comparison | None = None
        self._running_stage: int | None = None
        self._tested, self._result = 0, ""
        self._hidden: set[str] = set()  # panels that were open and that the lesson hides
        panel.stage_chosen.connect(self.choose_stage)
        panel.previous.connect(lambda: self._go(-1))
        panel.next.connect(lambda: self._go(1))
        panel.everything_wanted.connect(
            lambda wanted: self._hide(() if wanted or not self.lesson else self.lesson.hides)
        )
        toolbar.lessons.aboutToShow.connect(self._fill_menu)

    def open(self, name: str | Path, *, stage: int = 1) -> None:
        """Open a lesson by name, or from a file. Raises InputError; refuses in words while a run is under way."""
        self.show(find_lesson(str(name)), stage=stage)

    def show(self, lesson: Lesson, *, stage: int = 1) -> None:
        """As `open`, with the lesson itself."""
        if self._busy():
            self._say("A run is under way: stop it before opening a lesson.")
            return
        config = lesson.stage(stage).config()
        for tool, params in lesson.tools.items():
            self._tools.open(tool, params)
        if self.lesson is not lesson:
            self._comparison = Comparison(lesson)
            self._panel.show_everything(False)
            self._result = ""
            self._panel.show_result("")
        self.lesson, self.stage = lesson, stage
        self._hide(lesson.hides)
        self._show()
        self._take_setup(config)
        self._dock.show()
        QTimer.singleShot(0, self._dock, self._dock.raise_)  # a tab comes to the front only once it is laid out
        self.opened.emit()

    def leave(self) -> None:
        """Close the lesson; every control is back."""
        self._hide(())
        self.lesson, self.stage, self._comparison = None, 1, None
        self._show()
        self.opened.emit()

    def choose_stage(self, number: int) -> None:
        if self.lesson is None:
            return
        if self._busy():
            self._say("A run is under way: stop it before going to another stage.")
            self._show()
            return
        self.stage = number
        self._take_setup(self.lesson.stage(number).config())
        self.opened.emit()

    def checkpoints(self) -> Path | None:
        """Where the next run keeps its checkpoints and goes on from, if the lesson says so."""
        if self.lesson is None or not self.lesson.stage(self.stage).goes_on:
            return None
        return kept_folder(self.lesson, self.stage)

    def begin_run(self) -> None:
        """A run begins: it is one of the stage that is open, whatever else the person has changed."""
        self._running_stage = self.stage if self.lesson else None
        if self._comparison is not None:
            self._comparison.begin(self.stage)
            self._panel.show_rows(self._comparison.rows())

    def take(self, events: Sequence[Event]) -> None:
        """Take in what the run said."""
        if self._comparison is None or self._running_stage is None or self.lesson is None:
            return
        if self._comparison.take(events, stage=self._running_stage):
            self._panel.show_rows(self._comparison.rows())
        self._tell_result(events)
        if any(isinstance(event, Finished) and event.reason == "completed" for event in events):
            mark = f"{self.lesson.name}:{self._running_stage}"
            if mark not in self.done:
                self.done = (*self.done, mark)
                self.progressed.emit()

    def _tell_result(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Started):
                self._tested = event.test_size
            elif isinstance(event, Evaluated | EpochFinished) and event.test_accuracy is not None:
                when = (
                    f"After epoch {event.epoch:,}" if isinstance(event, EpochFinished) else f"After step {event.step:,}"
                )
                found = correct(event.test_accuracy, of=self._tested)
                self._result = f"{when}: average test loss {event.test_loss:.4f}, {found}."
        times = self._comparison.time_told() if self._comparison is not None else ""
        self._panel.show_result("\n".join(line for line in (self._result, times) if line))

    def is_done(self, lesson: Lesson) -> bool:
        """Whether every stage's run was completed once."""
        return all(f"{lesson.name}:{number}" in self.done for number in range(1, len(lesson.stages) + 1))

    def _take_setup(self, config: RunConfig) -> None:
        self._setup.set_config(config)
        assert self.lesson is not None
        self._toolbar.set_speed(self.lesson.stage(self.stage).speed)
        if config.training.batch_size == config.dataset_info().train_size:  # nothing is left to smooth
            self._curves.set_choices({**self._curves.choices(), "smoothing": 0.0})
        if self.lesson.log_loss:
            self._curves.set_choices({**self._curves.choices(), "log": True})

    def _show(self) -> None:
        lesson = self.lesson
        if lesson is None:
            self._panel.show_lesson(None)
            self._panel.show_rows(())
            return
        names = [each.name for each in lessons()]
        place, first, last = lesson.chapter, True, True
        if lesson.name in names:
            number = names.index(lesson.name) + 1
            place, first, last = (
                f"{lesson.chapter} · lesson {number} of {len(names)}",
                number == 1,
                number == len(names),
            )
        self._panel.show_lesson(lesson, stage=self.stage, place=place, first=first, last=last)
        if self._comparison is not None:
            self._panel.show_rows(self._comparison.rows())

    def _go(self, by: int) -> None:
        names = [each.name for each in lessons()]
        if self.lesson is not None and self.lesson.name in names:
            place = names.index(self.lesson.name) + by
            if 0 <= place < len(names):
                self.show(find_lesson(names[place]))

    def _hide(self, hides: Sequence[str]) -> None:
        self._setup.hide_parts([part for part in PARTS if part in hides])
        self._toolbar.show_speed_slider("speed" not in hides)
        for name in PANELS:
            dock = self._docks[name]
            if name in hides and not dock.isHidden():
                self._hidden.add(name)
                dock.hide()
            elif name not in hides and name in self._hidden:
                self._hidden.discard(name)
                dock.show()

    def _fill_menu(self) -> None:
        menu: QMenu = self._toolbar.lessons
        menu.clear()
        chapter = ""
        for lesson in lessons():
            if lesson.chapter != chapter:
                chapter = lesson.chapter
                menu.addSection(chapter)
            action = QAction(lesson.title, menu)
            action.setObjectName(f"lesson_{lesson.name}")
            action.setToolTip(lesson.summary)
            action.setCheckable(True)
            action.setChecked(self.is_done(lesson))
            action.triggered.connect(lambda _checked=False, lesson=lesson: self.show(lesson))
            menu.addAction(action)
        menu.addSeparator()
        for text, tip, act in (
            ("Open a lesson file …", "A lesson that somebody else wrote.", self.open_wanted.emit),
            (
                "Save the set-up as a lesson …",
                "With a text of yours, as a file that others can open.",
                self.save_wanted.emit,
            ),
            ("Leave the lesson", "Every control comes back; the set-up stays.", self.leave),
        ):
            action = QAction(text, menu)
            action.setToolTip(tip)
            action.triggered.connect(lambda _checked=False, act=act: act())
            action.setEnabled(act != self.leave or self.lesson is not None)
            menu.addAction(action)


def sentence_of(error: InputError) -> str:
    """The error with its place, for the status line."""
    return f"{error.field}: {error.sentence}"
