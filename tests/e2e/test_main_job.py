"""The main job: press Start, watch LeNet learn, draw a digit, get an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QDoubleSpinBox, QLabel, QSpinBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gui import settings as stored
from gui.main_window import MainWindow
from gui.views.digit_canvas import DigitCanvas
from gui.views.prediction_bars import PredictionBars
from tests.e2e.conftest import LONG, button, close, pick, widget

SEVEN = ((0.25, 0.25), (0.5, 0.24), (0.74, 0.25), (0.62, 0.45), (0.52, 0.65), (0.45, 0.82))
CONTRACT = (
    *("dataset", "network", "optimizer", "loss", "schedule", "batch_size", "epochs", "seed", "learning_rate"),
    *("start", "pause", "step", "stop", "loss_plot", "accuracy_plot"),
    *("filter_grid", "digit_canvas", "prediction_bars"),
)


def draw(window: MainWindow, points: tuple[tuple[float, float], ...]) -> None:
    """A stroke on the canvas, in shares of its square."""
    canvas = widget(window, "digit_canvas")
    side = min(canvas.width(), canvas.height())
    left, top = (canvas.width() - side) // 2, (canvas.height() - side) // 2
    places = [QPoint(left + int(x * side), top + int(y * side)) for x, y in points]
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[-1])


def answer(window: MainWindow) -> str:
    return widget(window, "prediction_bars").accessibleDescription()


def _stands_at(window: MainWindow, step: int) -> bool:
    return window.run_state.status == "paused" and window.run_state.step == step


def use_small_run(window: MainWindow, *, dataset: str = "gaussians", epochs: int = 3) -> None:
    pick(window, "dataset", dataset)
    epoch_box = window.findChild(QSpinBox, "epochs")
    assert isinstance(epoch_box, QSpinBox)
    epoch_box.setValue(epochs)


def test_the_widgets_of_the_contract_are_there(window: MainWindow) -> None:
    for name in CONTRACT:
        assert window.findChild(QWidget, name) is not None, name
    assert isinstance(window.findChild(QWidget, "digit_canvas"), DigitCanvas)
    assert isinstance(window.findChild(QWidget, "prediction_bars"), PredictionBars)
    assert (window.run_state.status, window.run_state.step, window.run_state.epoch) == ("idle", 0, 0)


def test_start_alone_teaches_lenet_real_digits_and_it_answers_a_drawing_meanwhile(
    window: MainWindow, qtbot: QtBot
) -> None:
    """No other control is touched: MNIST, LeNet-5, Adam. The drawn 7 is recognised while training goes on."""
    with qtbot.waitSignal(window.run_state_changed, timeout=LONG):
        QTest.mouseClick(button(window, "start"), Qt.MouseButton.LeftButton)
    assert window.run_state.status == "running"
    draw(window, SEVEN)
    qtbot.waitUntil(lambda: window.run_state.step > 150, timeout=LONG)
    assert (window.run_state.dataset, window.run_state.network) == ("mnist", "lenet5")
    qtbot.waitUntil(lambda: answer(window).startswith("7"), timeout=LONG)
    assert window.run_state.status == "running"
    assert window.run_state.loss.latest < 1.0
    label = window.findChild(QLabel, "prediction_author")
    assert isinstance(label, QLabel)
    assert label.text().startswith("Network at step")
    button(window, "stop").click()
    qtbot.waitUntil(lambda: window.run_state.status == "finished", timeout=LONG)
    assert window.run_state.finished is not None
    assert window.run_state.finished.reason == "stopped"


def test_filters_move_while_it_trains(window: MainWindow, qtbot: QtBot) -> None:
    """Also where the untrained network was shown before."""
    qtbot.waitUntil(lambda: window.filters.layer() != "", timeout=LONG)
    seen: list[np.ndarray] = []
    window.bridge.filters_read.connect(lambda images: seen.append(images[0].values))
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 20 and len(seen) > 5, timeout=LONG)
    assert seen[-1].shape == (6, 1, 5, 5)
    qtbot.waitUntil(lambda: not np.array_equal(seen[0], seen[-1]), timeout=LONG)


def test_start_pressed_before_torch_is_there_shows_data_and_layers_all_the_same(
    open_window: Callable[[], MainWindow], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed = threading.Event()
    monkeypatch.setattr("gui.bridge.desk.import_torch", lambda: pressed.wait(LONG / 1000))
    window = open_window()
    assert not window.bridge.ready
    filters = widget(window, "filter_grid")
    assert "Press Start" in filters.accessibleDescription()
    button(window, "start").click()
    assert "with the first step" in filters.accessibleDescription()
    pressed.set()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    qtbot.waitUntil(lambda: "61\u2009706" in window.layer_view.accessibleDescription(), timeout=LONG)
    qtbot.waitUntil(lambda: "MNIST" in window.dataset_view.accessibleDescription(), timeout=LONG)


def test_a_whole_run_reports_epochs_and_test_accuracy(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=4)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.status == "finished", timeout=LONG)
    state = window.run_state
    assert [row.epoch for row in state.evaluations] == [0, 1, 2, 3, 4]
    assert state.step == state.total_steps
    assert state.evaluations[-1].test_accuracy is not None
    assert state.evaluations[-1].test_accuracy > 0.8
    assert button(window, "start").isEnabled()


def test_start_pressed_twice_begins_one_run(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=50)
    button(window, "start").click()
    button(window, "start").click()
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    assert not button(window, "start").isEnabled()
    assert "under way" in button(window, "start").toolTip()


def test_pause_step_epoch_and_resume(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=2000)
    state = window.run_state
    button(window, "step").click()  # without a run: the first step of one
    qtbot.waitUntil(lambda: state.status == "paused" and state.step == 1, timeout=LONG)
    for expected in (2, 3):
        button(window, "step").click()
        qtbot.waitUntil(partial(_stands_at, window, expected), timeout=LONG)
    button(window, "epoch").click()
    qtbot.waitUntil(lambda: state.status == "paused" and state.step == state.steps_per_epoch, timeout=LONG)
    button(window, "start").click()
    qtbot.waitUntil(lambda: state.status == "running" and state.epoch > 2, timeout=LONG)
    button(window, "pause").click()
    qtbot.waitUntil(lambda: state.status == "paused", timeout=LONG)
    stood = state.step
    QTest.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: state.step > stood, timeout=LONG)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: state.status == "finished", timeout=LONG)


def test_a_changed_learning_rate_takes_effect_and_marks_the_curve(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=5000)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 3, timeout=LONG)
    rate = window.findChild(QDoubleSpinBox, "learning_rate")
    assert isinstance(rate, QDoubleSpinBox)
    assert rate.isEnabled()
    rate.setValue(0.0005)
    qtbot.waitUntil(lambda: bool(window.run_state.interventions), timeout=LONG)
    mark = window.run_state.interventions[0]
    assert (mark.name, float(mark.new)) == ("learning_rate", 0.0005)
    qtbot.waitUntil(lambda: window.run_state.learning_rate.latest == 0.0005, timeout=LONG)


def test_what_cannot_be_changed_during_a_run_says_why(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=5000)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    for name in ("dataset", "network", "optimizer", "loss"):
        combo = window.findChild(QComboBox, name)
        assert isinstance(combo, QComboBox)
        assert not combo.isEnabled()
        assert "run" in combo.toolTip().lower(), name
    for name in ("batch_size", "epochs", "seed"):
        box = window.findChild(QAbstractSpinBox, name)
        assert isinstance(box, QAbstractSpinBox)
        assert not box.isEnabled()
        assert box.toolTip(), name


def test_every_disabled_button_says_why(window: MainWindow) -> None:
    disabled = [b for b in window.findChildren(QToolButton) if b.isVisible() and not b.isEnabled()]
    assert disabled
    for found in disabled:
        assert found.toolTip(), found.objectName()


def test_a_batch_larger_than_the_set_is_refused_at_its_field(window: MainWindow, qtbot: QtBot) -> None:
    pick(window, "dataset", "xor")
    batch = window.findChild(QSpinBox, "batch_size")
    assert isinstance(batch, QSpinBox)
    batch.setValue(5000)
    button(window, "start").click()
    assert not window.bridge.running
    error = window.findChild(QLabel, "batch_size_error")
    assert isinstance(error, QLabel)
    qtbot.waitUntil(error.isVisible, timeout=LONG)
    assert "training" in error.text()


def test_a_loss_that_diverges_ends_the_run_with_an_explanation(window: MainWindow, qtbot: QtBot) -> None:
    use_small_run(window, epochs=50)
    pick(window, "optimizer", "sgd")
    pick(window, "loss", "mse")
    rate = window.findChild(QDoubleSpinBox, "learning_rate")
    assert isinstance(rate, QDoubleSpinBox)
    rate.setValue(1000.0)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.status == "failed", timeout=LONG)
    message = window.findChild(QLabel, "notice_text")
    assert isinstance(message, QLabel)
    assert message.isVisible()
    assert "learning rate" in message.text()
    assert button(window, "start").isEnabled()


def test_an_example_of_the_test_set_is_answered_before_any_training(window: MainWindow, qtbot: QtBot) -> None:
    example = button(window, "canvas_sample")
    qtbot.waitUntil(example.isEnabled, timeout=LONG)
    example.click()
    qtbot.waitUntil(lambda: "%" in answer(window) or "0." in answer(window), timeout=LONG)
    assert window.run_state.status == "idle"


def test_the_canvas_follows_the_dataset(window: MainWindow, qtbot: QtBot) -> None:
    pick(window, "dataset", "circles")
    refusal = window.findChild(QLabel, "canvas_refusal")
    assert isinstance(refusal, QLabel)
    qtbot.waitUntil(refusal.isVisible, timeout=LONG)
    assert "points" in refusal.text()
    pick(window, "dataset", "mnist")
    qtbot.waitUntil(widget(window, "digit_canvas").isVisible, timeout=LONG)


def test_choices_are_there_again_at_the_next_start(
    open_window: Callable[[], MainWindow], qtbot: QtBot, learnscope_home: Path
) -> None:
    first = open_window()
    pick(first, "network", "mlp")
    pick(first, "optimizer", "rmsprop")
    first.toggle_theme()
    close(qtbot, first)
    saved = json.loads((learnscope_home / stored.FILE_NAME).read_text())
    assert "rmsprop" in json.dumps(saved)
    second = open_window()
    for part, name in (("network", "mlp"), ("optimizer", "rmsprop")):
        combo = second.findChild(QComboBox, part)
        assert isinstance(combo, QComboBox)
        assert combo.currentData() == name
    assert second.settings.theme == "light"


@pytest.mark.parametrize("moment", ["at once", "starting", "training", "paused", "slow motion", "previewing"])
def test_the_window_closes_at_any_moment(open_window: Callable[[], MainWindow], qtbot: QtBot, moment: str) -> None:
    window = open_window()
    if moment != "at once":
        qtbot.waitUntil(lambda: window.bridge.ready, timeout=LONG)
    state = window.run_state
    if moment == "previewing":
        pick(window, "dataset", "spirals")
    elif moment not in ("at once",):
        window.start()
    if moment == "slow motion":
        window.toolbar.set_speed_place(0)
    if moment in ("training", "paused", "slow motion"):
        qtbot.waitUntil(lambda: state.step > 0, timeout=LONG)
    if moment == "paused":
        window.bridge.pause()
        qtbot.waitUntil(lambda: state.status == "paused", timeout=LONG)
    close(qtbot, window)
    assert not window.bridge.running


def test_both_themes_and_the_smallest_size_cut_nothing_off(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1024, 700)
    qtbot.waitUntil(lambda: window.width() == 1024 and window.height() == 700, timeout=LONG)
    for name in CONTRACT:
        if name in ("schedule", "batch_size", "epochs", "seed", "loss"):  # the set-up scrolls
            continue
        shown = widget(window, name)
        place = shown.mapTo(window, QPoint(0, 0))
        assert place.x() >= 0, name
        assert place.x() + shown.width() <= window.width(), name
    window.toggle_theme()
    window.toggle_theme()


def test_theme_key_and_shortcut_sheet(window: MainWindow, qtbot: QtBot) -> None:
    before = window.theme.name
    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.theme.name != before, timeout=LONG)
    window.toolbar.keys.emit()
    sheet = window.findChild(QWidget, "key_sheet")
    assert sheet is not None
    assert sheet.isVisible()
    sheet.close()
