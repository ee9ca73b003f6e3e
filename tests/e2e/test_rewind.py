"""Back along a run in the real window, and on from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QSlider, QSpinBox
from pytestqt.qtbot import QtBot

from engine.config import make_config
from gui.main_window import MainWindow
from tests.e2e.conftest import LONG, button, widget
from tests.e2e.test_main_job import SEVEN, answer, draw

LAST = 24  # steps of a small run


def author(window: MainWindow) -> str:
    label = widget(window, "prediction_author")
    assert isinstance(label, QLabel)
    return label.text()


def slider(window: MainWindow) -> QSlider:
    found = widget(window, "rewind")
    assert isinstance(found, QSlider)
    return found


def use_small_network(window: MainWindow) -> None:
    settings: dict[str, object] = {"training.steps": LAST, "training.batch_size": 32, "training.threads": 1}
    window.setup.set_config(make_config({"network": "mnist_mlp"}, {**settings, "training.evaluate_first": False}))


def go_to(window: MainWindow, qtbot: QtBot, step: int) -> None:
    field = widget(window, "rewind_step")
    assert isinstance(field, QLineEdit)
    field.selectAll()
    QTest.keyClicks(field, str(step))
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.bridge.rewound_to == step, timeout=LONG)


@pytest.fixture
def filters(window: MainWindow) -> list[np.ndarray]:
    """What the filters' view was given, the newest last."""
    seen: list[np.ndarray] = []
    window.bridge.filters_read.connect(lambda images: seen.append(images[0].values))
    return seen


def test_filters_the_answer_and_the_curve_go_back_and_latest_returns(
    window: MainWindow, qtbot: QtBot, filters: list[np.ndarray]
) -> None:
    assert not slider(window).isEnabled()
    assert slider(window).toolTip().startswith("Start a run")
    use_small_network(window)
    draw(window, SEVEN)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.status == "finished" and not window.bridge.running, timeout=LONG)
    drawing = window.bench.drawing()
    assert drawing is not None
    with qtbot.waitSignals([window.bridge.predicted, window.bridge.filters_read], timeout=LONG):  # of the last step
        window.bridge.predict(drawing)
        window.bridge.read_filters(window.filters.layer())
    assert author(window) == f"Network at step {LAST}"
    last_answer, latest = answer(window), filters[-1]
    assert slider(window).isEnabled()

    go_to(window, qtbot, 3)
    qtbot.waitUntil(lambda: author(window) == "Network at step 3", timeout=LONG)
    qtbot.waitUntil(lambda: not np.array_equal(filters[-1], latest), timeout=LONG)
    assert answer(window) != last_answer
    live = window.bench.live()
    assert live is not None
    assert np.array_equal(filters[-1], live.filters(window.filters.layer()).values)
    assert slider(window).value() == 3

    QTest.keyClick(slider(window), Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: author(window) == "Untrained network", timeout=LONG)
    layer = window.filters.layer()
    qtbot.waitUntil(lambda: np.array_equal(filters[-1], live.initial_filters(layer).values), timeout=LONG)

    button(window, "rewind_latest").click()
    qtbot.waitUntil(lambda: author(window) == f"Network at step {LAST}", timeout=LONG)
    qtbot.waitUntil(lambda: np.array_equal(filters[-1], latest), timeout=LONG)
    assert answer(window) == last_answer
    assert window.bridge.rewound_to is None


def test_a_paused_run_is_looked_back_at_and_learns_on_as_if_it_had_not_been(window: MainWindow, qtbot: QtBot) -> None:
    use_small_network(window)
    for steps in (10, LAST - 10):
        for _ in range(steps):
            window.step()
        reached = 10 if steps == 10 else LAST
        qtbot.waitUntil(lambda reached=reached: window.run_state.step == reached, timeout=LONG)  # type: ignore[misc]
        if steps == 10:
            qtbot.waitUntil(lambda: window.run_state.status == "paused", timeout=LONG)
            assert not button(window, "rewind_branch").isEnabled()
            assert "stop it" in button(window, "rewind_branch").toolTip()
            for step in (4, 9, 0, 7):
                go_to(window, qtbot, step)
    qtbot.waitUntil(lambda: window.run_state.status == "finished", timeout=LONG)
    assert window.bridge.rewound_to is None  # as soon as it goes on it is followed again
    looked_back = window.run_state.loss.lasts.copy()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
    go_to(window, qtbot, 5)
    window.start()
    assert window.bridge.rewound_to is None
    qtbot.waitUntil(lambda: window.run_state.loss.count == LAST and not window.bridge.running, timeout=LONG)
    assert np.array_equal(window.run_state.loss.lasts, looked_back)


def test_another_run_goes_on_from_a_step_and_a_film_is_saved(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_network(window)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.status == "finished", timeout=LONG)
    whole = window.run_state.loss.lasts.copy()

    monkeypatch.setattr(QFileDialog, "open", lambda dialog: dialog.fileSelected.emit(str(tmp_path / "film.gif")))
    with qtbot.waitSignal(window.bridge.saved, timeout=LONG):
        button(window, "rewind_film").click()
    with Image.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 0) > 1

    button(window, "rewind_branch").click()  # from the last step there is nowhere to go
    qtbot.waitUntil(lambda: "nothing is left to train" in window.note, timeout=LONG)
    assert window.run_state.step == LAST

    go_to(window, qtbot, 8)
    button(window, "rewind_branch").click()
    qtbot.waitUntil(lambda: window.run_state.loss.count == LAST - 8 and not window.bridge.running, timeout=LONG)
    assert np.array_equal(window.run_state.loss.lasts, whole[8:])

    go_to(window, qtbot, 12)
    use_small_network(window)
    batch = window.findChild(QSpinBox, "batch_size")
    assert isinstance(batch, QSpinBox)
    batch.setValue(64)
    button(window, "rewind_branch").click()
    qtbot.waitUntil(lambda: window.run_state.step == LAST and window.run_state.batch_size == 64, timeout=LONG)
    assert window.run_state.loss.count == LAST - 12 * 32 // 64
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
