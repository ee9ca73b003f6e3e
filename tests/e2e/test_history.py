"""Runs of the past in the real window: kept, found, opened as they were, deleted, continued."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from engine.checkpoint_folder import CheckpointPolicy
from engine.config import RunConfig
from engine.events import Finished, StepFinished
from engine.runs.run_record import RunSummary
from engine.runs.store import RunStore
from engine.training import train
from gui.main_window import MainWindow
from gui.run_rows import PLACES
from gui.run_state import RunState
from tests.e2e.conftest import LONG, close, pick
from tests.engine.runs import toy_config


def found(window: MainWindow, kind: type, name: str) -> object:
    widget = window.findChild(kind, name)
    assert widget is not None, name
    return widget


def button(window: MainWindow, name: str) -> QPushButton:
    widget = window.findChild(QPushButton, name)
    assert isinstance(widget, QPushButton), name
    return widget


def text(window: MainWindow, name: str) -> str:
    widget = window.findChild(QLabel, name)
    assert isinstance(widget, QLabel), name
    return widget.text()


def listed(window: MainWindow) -> list[RunSummary]:
    model = window.history.panel.model
    return [model.run_at(row) for row in range(model.rowCount())]


def train_once(window: MainWindow, qtbot: QtBot, *, epochs: int = 3, seed: int = 0) -> None:
    """A tiny run to its end, and until the history has it."""
    pick(window, "dataset", "gaussians")
    for name, value in (("epochs", epochs), ("seed", seed)):
        box = window.findChild(QSpinBox, name)
        assert isinstance(box, QSpinBox)
        box.setValue(value)
    before = len(listed(window))
    window.start()
    qtbot.waitUntil(lambda: not window.bridge.running and window.run_state.status == "finished", timeout=LONG)
    qtbot.waitUntil(lambda: len(listed(window)) == before + 1 and listed(window)[0].status == "finished", timeout=LONG)


def shown(state: RunState) -> dict[str, object]:
    """What can be seen of a run's figures."""
    curves = (state.loss, state.accuracy, state.learning_rate, state.validation_loss, state.test_accuracy)
    return {
        "curves": [(series.last_steps.tolist(), series.lasts.tolist(), series.lows.tolist()) for series in curves],
        "smoothed": np.round(state.loss.smoothed(4), 12).tolist(),
        "evaluations": state.evaluations,
        "place": (state.status, state.step, state.epoch, state.dataset, state.network, state.finished),
    }


def test_a_run_is_found_named_and_opened_after_a_restart_as_it_was(
    open_window: Callable[[], MainWindow], qtbot: QtBot
) -> None:
    first = open_window()
    qtbot.waitUntil(lambda: first.bridge.ready, timeout=LONG)
    pick(first, "optimizer", "rmsprop")
    train_once(first, qtbot, seed=5)
    seen, config = shown(first.run_state), first.bench.config()
    live = first.bridge.live()
    assert live is not None
    weights = live.parameters()
    first.docks["runs"].show()
    run = listed(first)[0]
    first.history.panel.table.select(run.id)
    model = first.history.panel.model
    assert model.setData(model.index(0, PLACES["name"]), "my best one")
    qtbot.waitUntil(lambda: listed(first)[0].name == "my best one", timeout=LONG)
    close(qtbot, first)

    window = open_window()
    qtbot.waitUntil(lambda: window.bridge.ready and len(listed(window)) == 1, timeout=LONG)
    pick(window, "optimizer", "sgd")
    search = found(window, QLineEdit, "run_search")
    assert isinstance(search, QLineEdit)
    search.setText("nothing like this")
    assert listed(window) == []
    search.setText("BEST rmsprop")
    assert [known.name for known in listed(window)] == ["my best one"]
    window.history.panel.table.opened.emit(run.id)
    qtbot.waitUntil(lambda: window.run_state.status == "finished", timeout=LONG)
    assert shown(window.run_state) == seen
    assert window.bench.config() == config
    combo = window.findChild(QComboBox, "optimizer")
    assert isinstance(combo, QComboBox)
    assert combo.currentData() == "rmsprop"
    live = window.bridge.live()
    assert live is not None
    assert window.bridge.trained
    assert np.array_equal(live.parameters(), weights)
    assert window.history.weights_step is None


def test_what_is_deleted_comes_back_by_undo(window: MainWindow, qtbot: QtBot) -> None:
    train_once(window, qtbot, seed=1)
    train_once(window, qtbot, seed=2)
    window.docks["runs"].show()
    window.docks["runs"].raise_()
    second, first = listed(window)
    window.history.panel.table.select(first.id)
    button(window, "run_delete").click()
    qtbot.waitUntil(lambda: [run.id for run in listed(window)] == [second.id], timeout=LONG)
    assert "Deleted" in text(window, "history_undo_text")
    button(window, "history_undo_0").click()
    qtbot.waitUntil(lambda: [run.id for run in listed(window)] == [second.id, first.id], timeout=LONG)
    assert not window.history.panel.undo.isVisible()


def killed_run(home: Path, config: RunConfig) -> tuple[int, list[float]]:
    """A run whose program ended after its second epoch. Its number, and the losses it would have had to its end."""
    with RunStore(home) as store:
        short = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 2})})
        with store.record(config) as recorder:
            assert recorder.folder is not None
            assert recorder.run_id is not None
            run = recorder.run_id
            policy = CheckpointPolicy(folder=recorder.folder)
            for event in train(short, checkpoints=policy):
                if not isinstance(event, Finished):
                    recorder.put(event)
        assert store.run(run).summary.status == "interrupted"
    return run, [event.loss for event in train(config) if isinstance(event, StepFinished)]


def test_a_run_that_was_killed_is_offered_and_goes_on(
    open_window: Callable[[], MainWindow], qtbot: QtBot, learnscope_home: Path
) -> None:
    config = toy_config(training__epochs=4)
    run, losses = killed_run(learnscope_home, config)
    window = open_window()
    qtbot.waitUntil(lambda: window.history.offer.isVisible(), timeout=LONG)
    assert "interrupted" in text(window, "resume_offer_text")
    button(window, "resume_offer_0").click()
    qtbot.waitUntil(lambda: window.run_state.finished is not None and not window.bridge.running, timeout=LONG)
    assert window.run_state.loss.lasts.tolist() == losses
    assert [row.epoch for row in window.run_state.evaluations] == [0, 1, 2, 3, 4]
    qtbot.waitUntil(lambda: [known.status for known in listed(window)] == ["finished"], timeout=LONG)
    assert listed(window)[0].id == run
    close(qtbot, window)
    with RunStore(learnscope_home) as store:
        assert store.run(run).steps().loss.tolist() == losses


def test_an_offer_can_be_declined(open_window: Callable[[], MainWindow], qtbot: QtBot, learnscope_home: Path) -> None:
    killed_run(learnscope_home, toy_config(training__epochs=4))
    window = open_window()
    qtbot.waitUntil(lambda: window.history.offer.isVisible(), timeout=LONG)
    button(window, "resume_offer_1").click()
    assert not window.history.offer.isVisible()
    assert window.run_state.status == "idle"
    assert not window.bridge.running


def test_a_history_of_a_newer_version_is_told_and_runs_go_on(
    open_window: Callable[[], MainWindow], qtbot: QtBot, learnscope_home: Path
) -> None:
    with RunStore(learnscope_home) as store:
        path = store.path
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    window = open_window()
    qtbot.waitUntil(lambda: "newer" in text(window, "history_message"), timeout=LONG)
    assert "newer" in text(window, "status_message")
    pick(window, "dataset", "gaussians")
    window.start()
    qtbot.waitUntil(lambda: window.run_state.finished is not None, timeout=LONG)


def test_no_other_run_is_opened_while_one_is_under_way(window: MainWindow, qtbot: QtBot) -> None:
    train_once(window, qtbot)
    run = listed(window)[0]
    epochs = window.findChild(QSpinBox, "epochs")
    assert isinstance(epochs, QSpinBox)
    epochs.setValue(5000)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    window.history.panel.opened.emit(run.id)
    assert "under way" in text(window, "status_message")
    assert window.run_state.status == "running"
