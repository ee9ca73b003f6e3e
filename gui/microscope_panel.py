"""The microscope: one batch in five buttons, on a copy of the run or of the network that is set up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.errors import InputError
from engine.inspection.looks import STAGES, Look, Outputs, ParameterLook, Stage
from gui.figure_table import Column, FigureTable
from gui.microscope_figures import (
    NUMBER_COLUMNS,
    by,
    number_rows,
    output_columns,
    output_note,
    output_rows,
    sums,
    what_is_seen,
    why_not_apply,
)
from gui.panel_parts import fill, scrolling, words
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.microscope_buttons import StageButtons
from gui.views.microscope_tensors import TensorsView
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.inspection.microscope import Microscope, Specimen

T = TypeVar("T")

KIND = "microscope"
TABLE_HEIGHT = 184  # px; what is longer scrolls
TABLE_WIDTH = 520  # px at most: figures far from their index are hard to read
BAR_HEIGHT = 12  # px, of a scroll bar
TEXT_LINES = 2  # that what changed has room for, so that nothing below moves
ACTIONS_FROM = 520  # px of width from which the three actions stand beside each other
EMPTY = (
    "Look at one training step as if in slow motion: take a batch, then press the five buttons one after the other and "
    "see what each changes. It happens on a copy: a run, paused at any step, does not notice."
)
WAITING = "Waiting for the run to reach its next step …"
COMPUTING = "Computing …"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a job brings back."""

    microscope: Microscope
    look: Look
    parameter: ParameterLook


class MicroscopePanel(QWidget):
    """Five buttons, what each changed, and one parameter in pictures and numbers."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("microscope_panel")
        self._bench = bench
        self._microscope: Microscope | None = None
        self._generation = -1  # of the run that the specimen is of
        self._look: Look | None = None
        self._wanted = ""  # the parameter to show
        self._busy = ""
        self._asked = 0  # examinations so far: an answer to an older one is not shown
        self._actions_wide: bool | None = None
        self._stages = StageButtons(theme)
        self._stages.pressed.connect(self._press)
        self._take = _button("microscope_take", self.take)
        self._reset = _button("microscope_reset", self._start_over)
        self._reset.setText("Start over")
        self._apply = _button("microscope_apply", self._step_run)
        self._apply.setText("Take this step in the run")
        self._about = words("microscope_about", role="secondary", selectable=True)
        self._text = words("microscope_text", selectable=True)
        self._sums = words("microscope_sums", role="secondary", selectable=True)
        self._parameter = QComboBox()
        self._parameter.setObjectName("microscope_parameter")
        self._parameter.setAccessibleName("Parameter")
        self._parameter.setToolTip("The parameter whose values, gradient and change are shown below.")
        self._parameter.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._parameter.setMinimumContentsLength(12)
        self._parameter.currentIndexChanged.connect(self._choose)
        self._part = words("microscope_part", role="note", selectable=True)
        self._tensors = TensorsView(theme)
        self._numbers = FigureTable("Numbers of the parameter", NUMBER_COLUMNS)
        self._numbers.setObjectName("microscope_numbers")
        self._outputs = FigureTable("Outputs", (Column("Sample"),))
        self._outputs.setObjectName("microscope_outputs")
        self._details = QWidget()
        self._details.setObjectName("microscope_details")
        self._outputs_note = words("microscope_outputs_note", role="note", selectable=True)
        self._lay_out()
        self.set_theme(theme)
        self._show_nothing()
        self.refresh()

    # What the window asks of it.

    def set_theme(self, theme: Theme) -> None:
        for view in (self._stages, self._tensors, self._numbers, self._outputs):
            view.set_theme(theme)

    def refresh(self) -> None:
        """Say where the run stands by now, and what can therefore be done."""
        state = self._bench.run_state
        under_way = state.status in ("running", "paused")
        self._take.setText("Look at the next batch of the run" if under_way else "Look at the first batch")
        if self._busy:
            tip = self._busy
        elif under_way:
            tip = "Takes a copy of the run, as it is before its next step, and that step's batch."
        else:
            tip = "Takes the untrained network that is set up and the first batch of its data."
        self._take.setToolTip(f"<p>{tip}</p>")
        self._take.setEnabled(not self._busy)
        specimen = None if self._microscope is None else self._microscope.specimen
        reason = why_not_apply(specimen, state, of_this_run=self._is_of_this_run())
        self._apply.setEnabled(not reason)
        self._apply.setToolTip(
            f"<p>{reason or 'The run does this step itself, with the same batch, and pauses again.'}</p>"
        )
        about = "" if specimen is None else what_is_seen(specimen, state, of_this_run=self._is_of_this_run())
        self._about.setText(about)
        self._about.setVisible(specimen is not None)

    def prepare(self, params: Mapping[str, object]) -> None:
        """`parameter`: the name of the one to show; `take`: true to take a batch at once. Raises InputError."""
        known = {"parameter": str, "take": bool}
        for name, value in params.items():
            if name not in known:
                raise InputError(f"microscope.{name}", "there is no such setting", "known are " + ", ".join(known))
            if not isinstance(value, known[name]):
                kind = "a parameter's name" if name == "parameter" else "true or false"
                raise InputError(f"microscope.{name}", f"{value!r} is not accepted", kind)
        if "parameter" in params:
            self._wanted = str(params["parameter"])
            self._select(self._wanted)
        if params.get("take") and not self._busy:
            self.take()

    # What the reader asks of it.

    def take(self) -> None:
        """Put the next batch of the run, or the first of the set-up, under the microscope."""
        self._asked += 1
        under_way = self._bench.run_state.status in ("running", "paused")
        self._set_busy(WAITING if under_way else COMPUTING)
        asked = self._asked
        self._bench.examine(partial(self._on_specimen, asked), partial(self._on_no_specimen, asked))

    def _on_specimen(self, asked: int, specimen: Specimen) -> None:
        if asked != self._asked:
            return
        self._generation = self._bench.run_state.generation
        wanted = self._wanted

        def job() -> _Seen:
            from engine.inspection.microscope import Microscope

            microscope = Microscope(specimen)
            names = [name for name, _ in specimen.parameters]
            return _Seen(microscope, microscope.at, microscope.look(wanted if wanted in names else names[0]))

        self._compute(job, self._on_taken)

    def _on_no_specimen(self, asked: int, sentence: str) -> None:
        if asked == self._asked:
            self._on_failed(sentence)

    def _on_taken(self, seen: _Seen) -> None:
        self._microscope = seen.microscope
        with QSignalBlocker(self._parameter):
            self._parameter.clear()
            for name, shape in seen.microscope.specimen.parameters:
                self._parameter.addItem(f"{name} · {by(shape) if shape else 'one number'}", name)
        self._show(seen)

    def _press(self, stage: Stage) -> None:
        microscope, name = self._microscope, self._name()
        if microscope is None or self._busy:
            return
        self._compute(lambda: _Seen(microscope, microscope.press(stage), microscope.look(name)), self._show)

    def _start_over(self) -> None:
        microscope, name = self._microscope, self._name()
        if microscope is None or self._busy:
            return
        self._compute(lambda: _Seen(microscope, microscope.again(), microscope.look(name)), self._show)

    def _choose(self) -> None:
        self._wanted = self._name()
        microscope, name = self._microscope, self._wanted
        if microscope is None or self._busy:  # then it is shown with what is being computed
            return
        self._compute(lambda: _Seen(microscope, microscope.at, microscope.look(name)), self._show)

    def _step_run(self) -> None:
        self._bench.step_run()
        self._bench.say("The run does the step itself.")

    # Computing.

    def _compute(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        def guarded() -> T:
            try:
                return job()
            except InputError:
                raise
            except Exception as error:  # else the panel would wait for ever
                logging.getLogger(__name__).exception("the microscope failed")
                raise InputError("microscope", f"this could not be computed: {error}") from error

        self._set_busy(COMPUTING)
        self._bench.compute(KIND, guarded, done, self._on_failed)

    def _set_busy(self, why: str) -> None:
        self._busy = why
        if why == WAITING or self._microscope is None:
            self._text.setText(why)
        self._set_stages()
        self.refresh()

    def _on_failed(self, sentence: str) -> None:
        self._busy = ""
        self._set_stages()
        self._text.setText(sentence)
        self.refresh()

    # Showing.

    def _show(self, seen: _Seen) -> None:
        self._busy = ""
        self._look = look = seen.look
        self._select(seen.parameter.name)
        self._set_stages()
        self._text.setText(look.text)
        self._details.setVisible(True)
        self._sums.setText(sums(look))
        self._tensors.set_look(seen.parameter)
        part = seen.parameter.part
        self._part.setText(f"The pictures show {part}." if part else "")
        self._part.setVisible(bool(part))
        self._numbers.set_rows(number_rows(seen.parameter))
        self._show_outputs(look.outputs)
        self.refresh()
        if self._wanted and self._wanted != seen.parameter.name and self._parameter.findData(self._wanted) >= 0:
            self._select(self._wanted)
            self._choose()

    def _show_nothing(self) -> None:
        self._text.setText(EMPTY)
        self._details.setVisible(False)
        self._set_stages()

    def _show_outputs(self, outputs: Outputs | None) -> None:
        self._outputs_area.setVisible(outputs is not None)
        if outputs is None:
            self._outputs_note.setText("The outputs appear here after the forward pass.")
            return
        self._outputs_note.setText(output_note(outputs))
        self._outputs.set_columns(output_columns(outputs))
        self._outputs.set_rows(output_rows(outputs))
        self._outputs_area.setFixedHeight(self._outputs.sizeHint().height() + BAR_HEIGHT)

    def _set_stages(self) -> None:
        look = self._look
        if self._busy or look is None or self._microscope is None:
            reason = self._busy or "Take a batch first."
            self._stages.set_state(look.done if look else None, refused=dict.fromkeys(STAGES, reason), following=None)
        else:
            refused = {stage: reason[:1].upper() + reason[1:] + "." for stage, reason in look.refused.items()}
            self._stages.set_state(look.done, refused=refused, following=look.next)
        _set_role(self._take, "primary" if self._microscope is None else "")
        self._reset.setEnabled(self._microscope is not None and not self._busy)
        self._reset.setToolTip(
            "<p>Back to the copy as it was taken.</p>"
            if self._microscope is not None
            else "<p>There is nothing under the microscope yet.</p>"
        )

    def _select(self, name: str) -> None:
        place = self._parameter.findData(name)
        if place >= 0 and place != self._parameter.currentIndex():
            with QSignalBlocker(self._parameter):
                self._parameter.setCurrentIndex(place)

    def _name(self) -> str:
        return cast("str | None", self._parameter.currentData()) or ""

    def _is_of_this_run(self) -> bool:
        return self._generation == self._bench.run_state.generation

    # Layout.

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("microscope_content")
        rows = QVBoxLayout(content)
        rows.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        rows.setSpacing(2 * SPACING)
        self._actions = QGridLayout()
        self._actions.setSpacing(2 * SPACING)
        self._place_actions(wide=False)
        self._text.setMinimumHeight(TEXT_LINES * self.fontMetrics().lineSpacing())
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        chooser = QHBoxLayout()
        chooser.setSpacing(2 * SPACING)
        name = QLabel("Parameter")
        name.setProperty("role", "secondary")
        name.setBuddy(self._parameter)
        chooser.addWidget(name)
        chooser.addWidget(self._parameter, 1)
        self._numbers.setMaximumWidth(TABLE_WIDTH)
        numbers_area = scrolling(self._numbers, name="microscope_numbers_area", by_key=True)
        numbers_area.setFixedHeight(TABLE_HEIGHT)
        self._outputs_area = scrolling(self._outputs, name="microscope_outputs_area", by_key=True)
        self._outputs_area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        below = QVBoxLayout(self._details)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(2 * SPACING)
        below.addWidget(self._sums)
        below.addWidget(_line())
        below.addLayout(chooser)
        below.addWidget(self._tensors)
        below.addWidget(self._part)
        below.addWidget(numbers_area)
        below.addWidget(_line())
        below.addWidget(self._outputs_note)
        below.addWidget(self._outputs_area)
        rows.addLayout(self._actions)
        rows.addWidget(self._about)
        rows.addWidget(self._stages)
        rows.addWidget(self._text)
        rows.addWidget(self._details)
        rows.addStretch(1)
        fill(self, scrolling(content))

    def _place_actions(self, *, wide: bool) -> None:
        if wide == self._actions_wide:
            return
        self._actions_wide = wide
        for widget in (self._take, self._reset, self._apply):
            self._actions.removeWidget(widget)
        self._actions.addWidget(self._take, 0, 0, 1, 1 if wide else 2)
        self._actions.addWidget(self._reset, *((0, 1) if wide else (1, 0)))
        self._actions.addWidget(self._apply, *((0, 2) if wide else (1, 1)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_actions(wide=self.width() >= ACTIONS_FROM)


def _button(name: str, act: Callable[[], None]) -> QPushButton:
    button = QPushButton()
    button.setObjectName(name)
    button.clicked.connect(lambda: act())
    return button


def _line() -> QFrame:
    line = QFrame()
    line.setProperty("role", "line")
    line.setFixedHeight(1)
    return line


def _set_role(button: QPushButton, role: str) -> None:
    if button.property("role") != role:
        button.setProperty("role", role)
        button.style().unpolish(button)
        button.style().polish(button)
