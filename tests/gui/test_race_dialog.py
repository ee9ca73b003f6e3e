"""The dialog of a race: which runs it makes, what it says of them, what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from engine.config import RunConfig, make_config
from engine.events import Started, StepFinished
from engine.parts import params_of
from engine.race import Entrant
from gui.race_dialog import RaceDialog, samples_of, seconds_per_sample, suggestions
from gui.run_state import RunState

PICKS = {"dataset": "gaussians", "network": "mlp"}


Open = Callable[..., RaceDialog]


@pytest.fixture
def started() -> list[list[Entrant]]:
    """What the dialogs started."""
    return []


@pytest.fixture
def paces() -> list[int]:
    """How many runs at a time the dialogs wanted."""
    return []


@pytest.fixture
def open_dialog(qtbot: QtBot, started: list[list[Entrant]], paces: list[int]) -> Open:
    """Opens a dialog for a set-up after a run."""
    window = QWidget()
    qtbot.addWidget(window)
    window.show()

    def begin(entrants: list[Entrant], at_once: int) -> None:
        started.append(entrants)
        paces.append(at_once)

    def open_one(config: RunConfig | None = None, state: RunState | None = None, cores: int = 4) -> RaceDialog:
        dialog = RaceDialog(window, config or make_config(PICKS), state or RunState(), begin, cores=cores)
        dialog.open()
        qtbot.waitUntil(dialog.isVisible)
        return dialog

    return open_one


def press(dialog: RaceDialog, name: str) -> None:
    button = dialog.findChild(QPushButton, name)
    assert isinstance(button, QPushButton), name
    button.click()


def tick(dialog: RaceDialog, *names: str) -> None:
    """These optimizers and no other."""
    for box in dialog.findChildren(QCheckBox):
        box.setChecked(box.objectName().removeprefix("race_optimizer_") in names)


def text(dialog: RaceDialog, name: str) -> str:
    label = dialog.findChild(QLabel, name)
    assert isinstance(label, QLabel), name
    return label.text() if label.isVisible() else ""


def choose(dialog: RaceDialog, field: str, values: str) -> None:
    press(dialog, "race_axis_setting")
    combo, line = dialog.findChild(QComboBox, "race_setting"), dialog.findChild(QLineEdit, "race_values")
    assert isinstance(combo, QComboBox)
    assert isinstance(line, QLineEdit)
    assert combo.findData(field) >= 0
    combo.setCurrentIndex(combo.findData(field))
    line.setText(values)


def spin(dialog: RaceDialog, name: str) -> QSpinBox:
    found = dialog.findChild(QSpinBox, name)
    assert isinstance(found, QSpinBox), name
    return found


def last_run(config: RunConfig, *, seconds: float) -> RunState:
    """The state after the first epoch of a run."""
    size, batch = config.dataset_info().train_size, config.training.batch_size
    steps = -(-size // batch)
    state = RunState()
    names = config.network.name, config.dataset.name
    state.apply([Started("cpu", 1, "contiguous", "float32", 10, batch, steps, steps, size, *names)])
    state.apply([StepFinished(steps, 1, 0.5, 0.1, seconds)])
    return state


def test_ticked_optimizers_race(open_dialog: Open, started: list[list[Entrant]]) -> None:
    config = make_config(PICKS, {"optimizer.learning_rate": 0.02})
    dialog = open_dialog(config)
    tick(dialog, "adam", "muon")
    assert text(dialog, "race_summary").startswith("2 runs: adam; muon.")
    press(dialog, "race_start")
    ((adam, muon),) = started
    assert adam.config == config
    assert muon.config.optimizer == make_config({"optimizer": "muon"}).optimizer
    assert not dialog.isVisible()


def test_each_may_run_with_several_seeds(open_dialog: Open) -> None:
    dialog = open_dialog()
    tick(dialog, "sgd", "adam")
    spin(dialog, "race_repeats").setValue(3)
    assert [entrant.label for entrant in dialog.entrants][:3] == ["sgd, seed 0", "sgd, seed 1", "sgd, seed 2"]
    assert len(dialog.entrants) == 6


def test_values_of_a_setting_are_typed(open_dialog: Open) -> None:
    dialog = open_dialog()
    choose(dialog, "network.hidden", "16/32,8")
    assert [entrant.config.network.params["hidden"] for entrant in dialog.entrants] == [(16,), (32, 8)]
    assert "slashes" in " ".join(label.text() for label in dialog.findChildren(QLabel))
    choose(dialog, "training.batch_size", "10, 20, 40")
    assert [entrant.config.training.batch_size for entrant in dialog.entrants] == [10, 20, 40]


def test_seeds_begin_with_the_set_up_s(open_dialog: Open) -> None:
    dialog = open_dialog(make_config(PICKS, {"training.seed": 7}))
    press(dialog, "race_axis_seeds")
    spin(dialog, "race_seeds").setValue(3)
    assert [entrant.config.training.seed for entrant in dialog.entrants] == [7, 8, 9]
    assert not spin(dialog, "race_repeats").isVisible()


def test_what_cannot_be_is_said_and_not_started(open_dialog: Open, started: list[list[Entrant]]) -> None:
    dialog = open_dialog()
    start = dialog.findChild(QPushButton, "race_start")
    assert isinstance(start, QPushButton)
    for field, values, words in (
        ("optimizer.learning_rate", "0.1, fast", "'fast' is not accepted"),
        ("optimizer.learning_rate", "0.1", "two runs at least"),
        ("optimizer.learning_rate", "0.1, 0.1", "given twice"),
        ("training.batch_size", "10, 100000", "more than the training set"),
        ("training.batch_size", ",".join(map(str, range(1, 70))), "69 runs are too many"),
    ):
        choose(dialog, field, values)
        assert words in text(dialog, "race_problem")
        assert text(dialog, "race_summary") == ""
        assert not start.isEnabled()
        assert words in start.toolTip()
        assert not dialog.entrants
    press(dialog, "race_axis_optimizers")
    tick(dialog)
    assert "none is ticked" in text(dialog, "race_problem").lower()
    tick(dialog, "sgd", "adam")
    assert text(dialog, "race_problem") == ""
    assert start.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert not started


def test_the_time_comes_from_the_last_run_of_this_network_and_dataset(open_dialog: Open) -> None:
    config = make_config(PICKS, {"training.epochs": 3})
    state = last_run(config, seconds=20.0)
    dialog = open_dialog(config, state)
    tick(dialog, "sgd", "adam")
    assert "About 2:00 of training" in text(dialog, "race_summary")  # 2 runs of 3 epochs, 20 s each
    other = make_config({**PICKS, "dataset": "circles"})
    assert seconds_per_sample(other, state) is None
    assert seconds_per_sample(config, RunState()) is None


def test_samples_end_with_the_steps() -> None:
    config = make_config(PICKS, {"training.epochs": 3, "training.batch_size": 10})
    assert samples_of(config) == 3 * config.dataset_info().train_size
    assert samples_of(make_config(PICKS, {"training.steps": 4, "training.batch_size": 10})) == 40


@pytest.mark.parametrize("part", ["dataset", "network", "optimizer", "loss", "schedule", "training"])
def test_every_setting_can_be_raced_and_what_is_suggested_can_be_typed(open_dialog: Open, part: str) -> None:
    config = make_config(PICKS)
    dialog = open_dialog(config)
    combo, line = dialog.findChild(QComboBox, "race_setting"), dialog.findChild(QLineEdit, "race_values")
    assert isinstance(combo, QComboBox)
    assert isinstance(line, QLineEdit)
    press(dialog, "race_axis_setting")
    name = part if part == "training" else getattr(config, part).name
    for param in params_of(part, name):
        if param.name == "seed":
            continue
        combo.setCurrentIndex(combo.findData(f"{part}.{param.name}"))
        assert "accepted" not in text(dialog, "race_problem")
        assert line.accessibleName()
        for value in suggestions(part, param, param.default):
            assert param.check(value, part=part) == value


# How they train


def test_runs_train_one_after_the_other_unless_it_is_asked_otherwise(
    open_dialog: Open, started: list[list[Entrant]], paces: list[int]
) -> None:
    dialog = open_dialog()
    tick(dialog, "sgd", "adam", "muon")
    assert not spin(dialog, "race_at_once").isVisible()
    assert text(dialog, "race_room") == ""
    press(dialog, "race_start")
    dialog = open_dialog()
    tick(dialog, "sgd", "adam", "muon")
    press(dialog, "race_pace_at_once")
    assert spin(dialog, "race_at_once").value() == 4
    spin(dialog, "race_at_once").setValue(2)
    assert "4 cores: each of 2 runs at a time gets 2 threads" in text(dialog, "race_room")
    spin(dialog, "race_at_once").setValue(4)
    assert "each of 3 runs at a time gets 1 thread" in text(dialog, "race_room"), "there are no more"
    spin(dialog, "race_at_once").setValue(2)
    press(dialog, "race_start")
    assert paces == [1, 2]
    assert len(started[1]) == 3


@pytest.mark.parametrize(("threads", "cores", "number"), [(0, 8, 4), (1, 8, 8), (4, 8, 2), (8, 8, 2), (3, 16, 5)])
def test_as_many_are_suggested_as_the_cores_have_room_for(
    open_dialog: Open, threads: int, cores: int, number: int
) -> None:
    config = make_config(PICKS, {"training.threads": threads})
    state = last_run(config, seconds=1.0)
    state.threads = 2
    dialog = open_dialog(config, state, cores=cores)
    spin(dialog, "race_seeds").setValue(16)
    press(dialog, "race_axis_seeds")
    press(dialog, "race_pace_at_once")
    assert spin(dialog, "race_at_once").value() == number
    assert spin(dialog, "race_at_once").maximum() == cores
    assert ("slow each other down" in text(dialog, "race_room")) is (threads * number > cores)


def test_one_core_has_no_room_and_the_button_says_so(open_dialog: Open) -> None:
    dialog = open_dialog(cores=1)
    together = dialog.findChild(QPushButton, "race_pace_at_once")
    assert isinstance(together, QPushButton)
    assert not together.isEnabled()
    assert "one processor core" in together.toolTip()
