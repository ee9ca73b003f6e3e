"""Forms made from params, and the spin boxes in them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from engine.catalog import Param, ParamValue
from engine.errors import InputError
from gui.forms import ParamForm, display, in_sentence
from gui.spins import ScientificSpin, WholeSpin, log_step, parse_number, scientific

RATE = Param(
    name="learning_rate", kind="float", default=1e-3, above=0, log=True, live=True, label="Learning rate", help="Step."
)
MOMENTUM = Param(
    name="momentum", kind="float", default=0.9, low=0, below=1, live=True, label="Momentum", help="Memory."
)
DECAY = Param(name="weight_decay", kind="float", default=0.0, low=0, log=True, label="Weight decay", help="Shrinks.")
BATCH = Param(
    name="batch_size", kind="int", default=128, low=1, high=1_000_000, log=True, label="Batch size", help="N."
)
HIDDEN = Param(name="hidden", kind="ints", default=(128, 64), low=1, label="Hidden layers", help="Units.")
NESTEROV = Param(name="nesterov", kind="bool", default=False, label="Nesterov", help="Looks ahead.")
PICK = Param(name="activation", kind="choice", default="tanh", choices=("relu", "tanh"), label="Activation", help="f.")
ALL = (RATE, MOMENTUM, DECAY, BATCH, HIDDEN, NESTEROV, PICK)


@pytest.fixture
def form(qtbot: QtBot) -> ParamForm:
    form = ParamForm("optimizer", ALL)
    qtbot.addWidget(form)
    form.show()
    return form


def spin(form: ParamForm, name: str = "learning_rate") -> ScientificSpin:
    widget = form.field(name)
    assert isinstance(widget, ScientificSpin)
    return widget


def type_into(widget: QWidget, text: str) -> None:
    editor = widget if isinstance(widget, QLineEdit) else widget.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    QTest.keyClicks(widget, text)


@given(st.floats(min_value=1e-30, max_value=1e30, allow_nan=False))
def test_text_of_a_number_reads_back_exactly(value: float) -> None:
    assert parse_number(scientific(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (1e-4, "1e-4"),
        (3e-4, "3e-4"),
        (2.5e-8, "2.5e-8"),
        (0.0, "0"),
        (10000.0, "10000"),
        (0.9, "0.9"),
    ],
)
def test_small_numbers_are_scientific_and_others_plain(value: float, text: str) -> None:
    assert scientific(value) == text


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_steps_up_and_down_the_1_2_5_ladder(value: float) -> None:
    above, below = log_step(value, up=True), log_step(value, up=False)
    assert below < value < above
    assert above / below <= 5.001
    for rung in (above, below):
        assert f"{rung:.6e}"[0] in "125"


def test_values_start_at_the_defaults_in_the_params_own_types(form: ParamForm) -> None:
    assert form.values() == {param.name: param.default for param in ALL}


def test_values_round_trip_exactly(form: ParamForm) -> None:
    values: dict[str, ParamValue] = {
        "learning_rate": 1.2345678901234567e-7,
        "momentum": math.nextafter(1.0, 0.0),
        "weight_decay": 1 / 3,
        "batch_size": 1_000_000,
        "hidden": (3, 2, 1),
        "nesterov": True,
        "activation": "relu",
    }
    form.set_values(values)
    assert form.values() == values


def test_setting_values_emits_nothing(form: ParamForm, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(form.changed):
        form.set_values({"learning_rate": 0.5, "nesterov": True, "activation": "relu", "hidden": (1,), "unknown": 1})


@pytest.mark.parametrize("typed", ["1e-2", "0.01", "0,01", "10e-3"])
def test_typed_numbers_count_on_enter_in_any_notation(form: ParamForm, typed: str) -> None:
    seen: list[float] = []
    spin(form).valueChanged.connect(seen.append)
    type_into(spin(form), typed)
    assert seen == []
    QTest.keyClick(spin(form), Qt.Key.Key_Return)
    assert seen == [0.01]


def test_text_still_being_typed_counts_when_values_are_read(form: ParamForm) -> None:
    type_into(spin(form), "0.25")
    type_into(form.field("hidden"), "7 8")
    values = form.values()
    assert (values["learning_rate"], values["hidden"]) == (0.25, (7, 8))


@pytest.mark.parametrize(
    ("name", "typed"),
    [("learning_rate", "-1"), ("learning_rate", "fast"), ("momentum", "1"), ("batch_size", "2000000"), ("hidden", "0")],
)
def test_unacceptable_text_is_answered_at_its_field(form: ParamForm, name: str, typed: str) -> None:
    before = form.field(name).property("invalid")
    type_into(form.field(name), typed)
    with pytest.raises(InputError) as caught:
        form.values()
    assert caught.value.field == f"optimizer.{name}"
    error = form.findChild(QLabel, f"{name}_error")
    assert error is not None
    assert error.isVisible()
    assert form.field(name).property("invalid")
    assert not before


def test_refused_text_gives_way_to_the_last_value_and_says_what_is_accepted(form: ParamForm, qtbot: QtBot) -> None:
    momentum = spin(form, "momentum")
    with qtbot.assertNotEmitted(form.changed):
        type_into(momentum, "1.5")
        QTest.keyClick(momentum, Qt.Key.Key_Return)
    assert momentum.value() == 0.9
    error = form.findChild(QLabel, "momentum_error")
    assert error is not None
    assert error.text() == "1.5 is not accepted: type a number from 0 below 1."
    type_into(momentum, "0.5")
    assert not error.isVisible()


def test_hidden_sizes_are_checked_while_they_are_typed(form: ParamForm, qtbot: QtBot) -> None:
    line = form.field("hidden")
    error = form.findChild(QLabel, "hidden_error")
    assert error is not None
    type_into(line, "64, x")
    assert "whole numbers" in error.text()
    with qtbot.waitSignal(form.changed) as blocker:
        type_into(line, "64, 32")
        QTest.keyClick(line, Qt.Key.Key_Return)
    assert blocker.args == ["hidden"]
    assert not error.isVisible()


def test_logarithmic_params_step_by_factors_and_stay_in_range(form: ParamForm) -> None:
    rate, batch, decay, momentum = (
        spin(form),
        form.field("batch_size"),
        spin(form, "weight_decay"),
        spin(form, "momentum"),
    )
    rate.stepBy(1)
    assert rate.value() == 2e-3
    rate.stepBy(-2)
    assert rate.value() == 5e-4
    assert isinstance(batch, WholeSpin)
    batch.setValue(100)
    batch.stepBy(1)
    assert batch.value() == 128
    batch.stepBy(-8)
    assert batch.value() == 1
    decay.stepBy(1)
    assert decay.value() == 1e-6
    decay.stepBy(-1)
    assert decay.value() == 0
    momentum.stepBy(1)
    assert momentum.value() == 0.95
    momentum.stepBy(5)
    assert momentum.value() == 0.95


def test_reset_brings_the_default_back_as_if_typed(form: ParamForm, qtbot: QtBot) -> None:
    form.set_values({"momentum": 0.1})
    menu = form.context_menu("momentum")
    qtbot.addWidget(menu)
    action = menu.actions()[-1]
    assert action.text() == "Reset to 0.9"
    with qtbot.waitSignal(form.changed) as blocker:
        action.trigger()
    assert blocker.args == ["momentum"]
    assert form.values()["momentum"] == 0.9


def test_only_the_named_fields_stay_enabled_and_the_others_say_why(form: ParamForm) -> None:
    form.set_enabled_names({"learning_rate"}, why="The run is under way: stop it to change the {label}.")
    assert form.field("learning_rate").isEnabled()
    assert not form.field("batch_size").isEnabled()
    assert "stop it to change the batch size." in form.field("batch_size").toolTip()
    form.set_enabled_names(None)
    assert form.field("batch_size").isEnabled()
    assert "Default: 128" in form.field("batch_size").toolTip()


def test_tooltips_say_help_range_and_default_and_labels_are_buddies(form: ParamForm) -> None:
    tip = form.field("momentum").toolTip()
    assert "Memory." in tip
    assert "a number from 0 below 1" in tip
    assert "Default: 0.9." in tip
    buddies = {label.text(): label.buddy() for label in form.findChildren(QLabel) if label.buddy()}
    assert buddies["Learning rate"] is form.field("learning_rate")


def test_object_names_are_the_params_names_or_prefixed(qtbot: QtBot) -> None:
    form = ParamForm("schedule", (RATE, MOMENTUM), prefixed={"momentum"})
    qtbot.addWidget(form)
    assert form.findChild(QWidget, "learning_rate") is form.field("learning_rate")
    assert form.findChild(QWidget, "schedule_momentum") is form.field("momentum")


def test_an_error_under_more_unfolds_it(qtbot: QtBot) -> None:
    form = ParamForm("optimizer", ALL, shown={"learning_rate"})
    qtbot.addWidget(form)
    form.show()
    assert not form.field("momentum").isVisible()
    form.show_error("momentum", "Too much.")
    assert form.field("momentum").isVisible()


def test_the_wheel_scrolls_past_a_field_that_is_not_focused(qtbot: QtBot) -> None:
    area = QScrollArea()
    qtbot.addWidget(area)
    area.setWidgetResizable(True)
    form = ParamForm("optimizer", ALL)
    form.setMinimumHeight(1200)
    area.setWidget(form)
    area.resize(300, 600)
    area.show()
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    over = form.field("momentum").mapTo(area, QPoint(10, 5))
    QTest.wheelEvent(area.windowHandle(), over, QPoint(0, -120))
    assert spin(form, "momentum").value() == 0.9
    assert area.verticalScrollBar().value() > 0


def test_checks_and_choices_say_that_they_changed(form: ParamForm, qtbot: QtBot) -> None:
    check, combo = form.field("nesterov"), form.field("activation")
    assert isinstance(check, QCheckBox)
    assert isinstance(combo, QComboBox)
    with qtbot.waitSignals([form.changed, form.changed]):
        check.click()
        combo.setCurrentIndex(0)
    assert (form.values()["nesterov"], form.values()["activation"]) == (True, "relu")


def test_words_for_values_and_labels() -> None:
    assert [display(v) for v in (True, (8, 4), (), 1e-5, 3, "auto")] == ["on", "8, 4", "", "1e-5", "3", "auto"]
    assert [in_sentence(label) for label in ("Batch size", "CPU threads")] == ["batch size", "CPU threads"]
