"""The microscope's panel: what can be pressed, what is shown, and what a run gets to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.catalog import ParamValue
from engine.config import RunConfig
from engine.control import RunControl
from engine.errors import InputError
from engine.events import Event, Paused, Resumed, StepFinished
from engine.inspection.looks import STAGES
from engine.inspection.microscope import Microscope, Specimen
from engine.inspection.specimen import specimen_of
from engine.training import train
from gui.figure_table import FigureTable
from gui.filter_grid import FilterGrid
from gui.microscope_panel import MicroscopePanel
from gui.theme import DARK, LIGHT
from gui.tiles import Place
from gui.views.microscope_buttons import StageButtons
from gui.views.microscope_tensors import TensorsView, index_of
from tests.engine.runs import tiny_library, toy_config
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import move_mouse


def a_config(**settings: ParamValue) -> RunConfig:
    return toy_config(
        {"dataset": "mnist", "network": "lenet5", "optimizer": "sgd"},
        **{"training__batch_size": 16, "optimizer__learning_rate": 0.1, **settings},
    )


@pytest.fixture(scope="module")
def first_batch() -> Specimen:
    return specimen_of(a_config(), tiny_library())


@pytest.fixture
def bench(first_batch: Specimen) -> FakeBench:
    made = FakeBench(a_config())
    made.specimen = first_batch
    return made


@pytest.fixture
def open_panel(qtbot: QtBot, bench: FakeBench) -> Callable[..., MicroscopePanel]:
    def open_one(*, width: int = 900, height: int = 1000) -> MicroscopePanel:
        panel = MicroscopePanel(bench, DARK)
        qtbot.addWidget(panel)
        panel.resize(width, height)
        with qtbot.waitExposed(panel):
            panel.show()
        return panel

    return open_one


@pytest.fixture
def panel(open_panel: Callable[..., MicroscopePanel]) -> MicroscopePanel:
    return open_panel()


def button(panel: QWidget, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, f"microscope_{name}")
    assert found is not None
    return found


def text(panel: QWidget, name: str) -> str:
    found = panel.findChild(QLabel, f"microscope_{name}")
    assert found is not None
    return found.text()


def table(panel: QWidget, name: str) -> FigureTable:
    found = panel.findChild(FigureTable, f"microscope_{name}")
    assert found is not None
    return found


def chooser(panel: QWidget) -> QComboBox:
    found = panel.findChild(QComboBox, "microscope_parameter")
    assert found is not None
    return found


def press(panel: QWidget, *names: str) -> None:
    for name in names:
        assert button(panel, name).isEnabled(), name
        button(panel, name).click()


def enabled(panel: QWidget) -> set[str]:
    return {stage for stage in STAGES if button(panel, stage).isEnabled()}


def primary(panel: QWidget) -> list[str]:
    names = (*STAGES, "take", "reset", "apply")
    return [name for name in names if button(panel, name).property("role") == "primary"]


def of_run(*, step: int) -> Specimen:
    """What the step of that number needs, of a real run."""
    control = RunControl()
    asked = None
    for event in train(a_config(training__steps=step), control, library=tiny_library()):
        if isinstance(event, StepFinished) and event.step == step - 1:
            asked = control.examine()
    assert asked is not None
    return asked.result(timeout=0)


def pause(bench: FakeBench, *, step: int) -> None:
    loss = 2.0
    events: list[Event] = [StepFinished(number, 1, loss, 0.1, 0.1 * number) for number in range(1, step + 1)]
    bench.run_state.apply([*events, Paused(step)])


class TestBeforeABatch:
    def test_it_says_what_to_do_and_only_that_can_be_done(self, panel: MicroscopePanel) -> None:
        assert enabled(panel) == set()
        assert primary(panel) == ["take"]
        assert "five buttons" in text(panel, "text")
        assert not button(panel, "reset").isEnabled()
        assert "batch first" in button(panel, "forward").toolTip()

    def test_a_refused_batch_is_told_and_may_be_asked_for_again(self, panel: MicroscopePanel, bench: FakeBench) -> None:
        specimen, bench.specimen = bench.specimen, "The set-up has a mistake."
        press(panel, "take")
        assert text(panel, "text") == "The set-up has a mistake."
        bench.specimen = specimen
        press(panel, "take")
        assert enabled(panel) == {"zero_grad", "forward"}


class TestButtons:
    def test_lead_through_the_step(self, panel: MicroscopePanel) -> None:
        press(panel, "take")
        for stage in STAGES:
            assert primary(panel) == [stage]
            press(panel, stage)
        assert primary(panel) == ["zero_grad"]
        assert enabled(panel) == {"zero_grad", "forward", "step"}
        assert "used up" in button(panel, "loss").toolTip()
        assert "moved" in text(panel, "text")

    def test_show_what_the_microscope_found(self, panel: MicroscopePanel, first_batch: Specimen) -> None:
        oracle = Microscope(first_batch)
        press(panel, "take")
        for stage in STAGES:
            press(panel, stage)
            look = oracle.press(stage)
            assert text(panel, "text") == look.text
        assert look.loss is not None
        assert f"Loss {look.loss:.4f}" in text(panel, "sums")
        part = oracle.look("conv1.weight")
        assert part.change is not None
        rows = table(panel, "numbers").rows
        assert rows[0][0] == "[0, 0, 0, 0]"
        assert float(rows[0][1].replace("−", "-")) == pytest.approx(part.values.values[0], abs=1e-4)
        assert float(rows[0][4].replace("−", "-")) == pytest.approx(part.change.values[0], abs=1e-5)

    def test_none_is_written_as_none(self, panel: MicroscopePanel) -> None:
        press(panel, "take", "zero_grad", "forward", "loss", "backward")
        row = table(panel, "numbers").rows[0]
        assert (row[2], row[4]) == ("None", "None")
        assert row[3] != "None"
        tensors = panel.findChild(TensorsView)
        assert tensors is not None
        assert tensors.before.figures.strip() == "None"
        assert "norm" in tensors.after.figures

    def test_both_gradients_are_on_one_scale(self, panel: MicroscopePanel) -> None:
        press(panel, "take", "forward", "loss", "backward", "forward", "loss", "backward")
        tensors = panel.findChild(TensorsView)
        assert tensors is not None
        assert tensors.before.limit == tensors.after.limit
        assert tensors.values.limit != tensors.after.limit
        assert "accumulate" in text(panel, "text")

    def test_start_over_goes_back(self, panel: MicroscopePanel) -> None:
        press(panel, "take")
        before = table(panel, "numbers").rows
        press(panel, *STAGES)
        assert table(panel, "numbers").rows != before
        press(panel, "reset")
        assert table(panel, "numbers").rows == before
        assert enabled(panel) == {"zero_grad", "forward"}

    def test_wait_while_something_is_computed(self, panel: MicroscopePanel, bench: FakeBench) -> None:
        press(panel, "take")
        bench.later = True
        press(panel, "forward")
        assert enabled(panel) == set()
        assert not button(panel, "take").isEnabled()
        bench.run_jobs()
        assert "loss" in enabled(panel)

    def test_a_defect_ends_the_wait(
        self, panel: MicroscopePanel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_self: Microscope) -> None:
            raise RuntimeError("no memory")

        press(panel, "take")
        monkeypatch.setattr(Microscope, "forward", fail)
        press(panel, "forward")
        assert "no memory" in text(panel, "text")
        assert "forward" in enabled(panel)
        assert "the microscope failed" in caplog.text

    def test_stand_in_a_row_or_a_column_as_there_is_room(
        self, open_panel: Callable[..., MicroscopePanel], qtbot: QtBot
    ) -> None:
        panel = open_panel(width=900)
        stages = panel.findChild(StageButtons)
        assert stages is not None
        qtbot.waitUntil(lambda: button(panel, "step").y() == button(panel, "forward").y())
        panel.resize(320, 700)
        qtbot.waitUntil(lambda: button(panel, "step").x() == button(panel, "forward").x())
        assert stages.width() <= 320
        assert stages.minimumSizeHint().width() <= 300


class TestParameters:
    def test_all_are_offered_with_their_shapes(self, panel: MicroscopePanel) -> None:
        press(panel, "take")
        assert chooser(panel).count() == 10
        assert chooser(panel).itemText(0) == "conv1.weight · 6 × 1 × 5 × 5"

    def test_another_one_is_shown_at_once(self, panel: MicroscopePanel) -> None:
        press(panel, "take", "forward", "loss", "backward")
        chooser(panel).setCurrentIndex(1)
        assert [row[0] for row in table(panel, "numbers").rows] == [f"[{index}]" for index in range(6)]
        assert "backward" not in enabled(panel)  # it was only looked at

    def test_the_choice_stays_with_the_next_batch(self, panel: MicroscopePanel) -> None:
        press(panel, "take")
        chooser(panel).setCurrentIndex(3)
        press(panel, "take", "forward")
        assert chooser(panel).currentIndex() == 3

    def test_one_chosen_while_something_is_computed_is_shown_afterwards(
        self, panel: MicroscopePanel, bench: FakeBench
    ) -> None:
        press(panel, "take")
        bench.later = True
        press(panel, "forward")
        chooser(panel).setCurrentIndex(1)
        bench.run_jobs()
        assert chooser(panel).currentIndex() == 1
        assert len(table(panel, "numbers").rows) == 6
        assert "loss" in enabled(panel)

    def test_a_value_is_read_where_the_mouse_points(self, panel: MicroscopePanel, qtbot: QtBot) -> None:
        press(panel, "take")
        chooser(panel).setCurrentIndex(1)
        grid = panel.findChild(FilterGrid, "microscope_values_picture")
        assert grid is not None
        move_mouse(grid.viewport(), grid.viewport().rect().center())
        tensors = panel.findChild(TensorsView)
        assert tensors is not None
        qtbot.waitUntil(lambda: tensors.values.figures.startswith("["))

    @pytest.mark.parametrize(
        ("shape", "picture", "place"),
        [
            ((), (1, 1, 1, 1), Place(0, 0, 0, 0)),
            ((9,), (1, 1, 1, 9), Place(0, 0, 0, 4)),
            ((10, 28), (1, 1, 10, 28), Place(0, 0, 3, 4)),
            ((28, 784), (28, 1, 28, 28), Place(5, 0, 2, 3)),
            ((1, 784), (1, 1, 28, 28), Place(0, 0, 2, 3)),
            ((4, 3072), (4, 3, 32, 32), Place(2, 1, 2, 3)),
            ((4, 3, 7), (4, 3, 1, 7), Place(2, 1, 0, 6)),
            ((6, 3, 5, 5), (6, 3, 5, 5), Place(2, 1, 4, 3)),
            ((6, 3, 2, 5, 5), (6, 3, 10, 5), Place(2, 1, 7, 3)),
        ],
    )
    def test_a_place_in_a_picture_is_a_place_in_the_parameter(
        self, shape: tuple[int, ...], picture: tuple[int, ...], place: Place
    ) -> None:
        values = np.arange(int(np.prod(shape))).reshape(shape)
        assert values[index_of(shape, picture, place)] == values.reshape(picture)[tuple(place)]


class TestOutputs:
    def test_ten_samples_with_what_is_true_and_what_is_predicted(
        self, panel: MicroscopePanel, first_batch: Specimen
    ) -> None:
        press(panel, "take")
        assert not table(panel, "outputs").isVisible()
        press(panel, "forward")
        rows = table(panel, "outputs").rows
        assert len(rows) == 10
        with torch.no_grad():
            outputs = first_batch.network(first_batch.inputs)
        assert [row[1] for row in rows] == [str(int(label)) for label in first_batch.targets[:10]]
        assert [row[2] for row in rows] == [str(int(label)) for label in outputs.argmax(1)[:10]]


class TestARun:
    def test_does_the_step_itself_where_it_is_paused_before_it(self, panel: MicroscopePanel, bench: FakeBench) -> None:
        assert "no paused run" in button(panel, "apply").toolTip()
        pause(bench, step=2)
        bench.specimen = of_run(step=3)
        panel.refresh()
        assert button(panel, "take").text() == "Look at the next batch of the run"
        assert "not of this run" in button(panel, "apply").toolTip()
        press(panel, "take")
        assert text(panel, "about").startswith("Step 3, epoch 1: 16 samples")
        press(panel, "apply")
        assert bench.stepped == 1

    def test_that_has_gone_on_is_told(self, panel: MicroscopePanel, bench: FakeBench) -> None:
        pause(bench, step=2)
        bench.specimen = of_run(step=3)
        press(panel, "take")
        bench.run_state.apply([Resumed(2)])
        panel.refresh()
        assert "pause it first" in button(panel, "apply").toolTip()
        bench.run_state.apply([StepFinished(3, 1, 2.0, 0.1, 1.0), Paused(3)])
        panel.refresh()
        assert not button(panel, "apply").isEnabled()
        assert "gone on since" in button(panel, "apply").toolTip()
        assert "has done 3 steps" in text(panel, "about")

    def test_of_before_is_told_from_the_present_one(self, panel: MicroscopePanel, bench: FakeBench) -> None:
        pause(bench, step=2)
        bench.specimen = of_run(step=3)
        press(panel, "take")
        bench.run_state.reset()
        pause(bench, step=2)
        panel.refresh()
        assert not button(panel, "apply").isEnabled()
        assert "earlier run" in text(panel, "about")


class TestLessons:
    def test_a_lesson_takes_a_batch_and_picks_a_parameter(self, panel: MicroscopePanel) -> None:
        panel.prepare({"parameter": "conv1.bias", "take": True})
        assert chooser(panel).currentText() == "conv1.bias · 6"
        panel.prepare({"parameter": "conv2.bias"})
        press(panel, "forward")
        assert chooser(panel).currentText() == "conv2.bias · 16"

    @pytest.mark.parametrize("params", [{"parameters": "x"}, {"parameter": 3}, {"take": "yes"}])
    def test_settings_that_are_wrong_are_named(self, panel: MicroscopePanel, params: dict[str, object]) -> None:
        with pytest.raises(InputError, match=f"microscope.{next(iter(params))}"):
            panel.prepare(params)


def test_it_is_drawn_in_both_themes(panel: MicroscopePanel) -> None:
    press(panel, "take", *STAGES)
    dark = panel.grab().toImage()
    panel.set_theme(LIGHT)
    assert panel.grab().toImage() != dark


def test_all_can_be_reached_by_the_keyboard_and_has_a_name(panel: MicroscopePanel) -> None:
    for name in (*STAGES, "take", "reset", "apply"):
        found = button(panel, name)
        assert found.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert found.accessibleName() or found.text()
    assert chooser(panel).accessibleName()
