"""Runs of the history in the real window are gone back along, filmed and branched from as fresh ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from engine.checkpoint_folder import CheckpointPolicy
from engine.config import RunConfig
from engine.control import RunControl
from engine.events import StepFinished
from engine.rewind.kept_file import NAME, read_snapshots, write_snapshots
from engine.rewind.snapshots import Snapshots
from engine.runs.run_record import Branch
from engine.runs.store import RunStore
from engine.training import train
from gui.main_window import MainWindow
from tests.e2e.conftest import LONG, button, close, widget
from tests.e2e.test_main_job import SEVEN, answer, draw
from tests.e2e.test_rewind import LAST, author, go_to, slider, use_small_network
from tests.engine.runs import toy_config

PER_EPOCH = 7  # steps of `toy_config`


def parameters(window: MainWindow) -> np.ndarray:
    live = window.bridge.live()
    assert live is not None
    return live.parameters()


def open_run(window: MainWindow, qtbot: QtBot, run: int) -> None:
    qtbot.waitUntil(lambda: window.bridge.ready, timeout=LONG)
    with qtbot.waitSignal(window.bridge.reopened, timeout=LONG):
        window.history.open(run)


def recorded(
    home: Path, config: RunConfig, *, until: int = 10**9, every: int = 0, keep: bool = False
) -> dict[int, np.ndarray]:
    """Run 1, as an older version or the terminal made it, with checkpoints at most. Its weights after each step."""
    control, weights, snapshots = RunControl(), {}, Snapshots(share=2.0)
    with RunStore(home) as store, store.record(config) as recorder:
        assert recorder.folder is not None
        policy = CheckpointPolicy(folder=recorder.folder, every_steps=every, every_epochs=0, at_best=False)
        for event in train(config, control, checkpoints=policy if every else None, snapshots=snapshots):
            recorder.put(event)
            if isinstance(event, StepFinished):
                assert control.live is not None
                weights[event.step] = control.live.parameters()
                if event.step == until:
                    break
        if keep:
            write_snapshots(recorder.folder, snapshots.snapshots)
    return weights


def test_a_run_of_before_is_as_alive_as_a_fresh_one(
    open_window: Callable[[], MainWindow],
    qtbot: QtBot,
    learnscope_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = open_window()
    qtbot.waitUntil(lambda: first.bridge.ready, timeout=LONG)
    use_small_network(first)
    draw(first, SEVEN)
    first.start()
    qtbot.waitUntil(lambda: first.run_state.status == "finished" and not first.bridge.running, timeout=LONG)
    whole = first.run_state.loss.lasts.copy()
    seen: dict[int, tuple[np.ndarray, object]] = {}
    for step in (3, 17):
        go_to(first, qtbot, step)
        qtbot.waitUntil(lambda step=step: author(first) == f"Network at step {step}", timeout=LONG)  # type: ignore[misc]
        seen[step] = parameters(first), answer(first)
    close(qtbot, first)
    path = learnscope_home / "runs" / "1" / NAME
    kept = [snapshot.checkpoint.step for snapshot in read_snapshots(path)]
    assert (kept[0], kept[-1]) == (0, LAST)

    window = open_window()
    open_run(window, qtbot, 1)
    draw(window, SEVEN)
    assert slider(window).isEnabled()
    assert slider(window).maximum() == LAST
    for step in (17, 3):
        go_to(window, qtbot, step)
        qtbot.waitUntil(lambda step=step: author(window) == f"Network at step {step}", timeout=LONG)  # type: ignore[misc]
        assert np.array_equal(parameters(window), seen[step][0])
        assert answer(window) == seen[step][1]

    monkeypatch.setattr(QFileDialog, "open", lambda dialog: dialog.fileSelected.emit(str(tmp_path / "film.gif")))
    with qtbot.waitSignal(window.bridge.saved, timeout=LONG):
        button(window, "rewind_film").click()
    with Image.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 0) > 1

    go_to(window, qtbot, 8)
    button(window, "rewind_branch").click()
    qtbot.waitUntil(lambda: window.run_state.loss.count == LAST - 8 and not window.bridge.running, timeout=LONG)
    assert np.array_equal(window.run_state.loss.lasts, whole[8:])
    close(qtbot, window)
    with RunStore(learnscope_home) as store:
        [child] = store.children(1)
        assert Branch(child.parent or 0, child.parent_step or 0) == Branch(1, 8)
        assert read_snapshots(store.folder(child.id) / NAME)[0].checkpoint.step == 8


def test_one_of_which_no_steps_were_kept_is_trained_again_from_its_beginning(
    window: MainWindow, qtbot: QtBot, learnscope_home: Path
) -> None:
    weights = recorded(learnscope_home, toy_config(training__epochs=2))
    open_run(window, qtbot, 1)
    where = widget(window, "rewind_where")
    assert isinstance(where, QLabel)
    for step in (2, 9, PER_EPOCH, 5):
        go_to(window, qtbot, step)
        assert np.array_equal(parameters(window), weights[step])
        assert where.text().endswith("exact")


def test_one_that_was_interrupted_is_shown_as_it_was_last_kept_and_reached_beyond(
    window: MainWindow, qtbot: QtBot, learnscope_home: Path
) -> None:
    weights = recorded(learnscope_home, toy_config(training__epochs=4), until=18, every=5)
    open_run(window, qtbot, 1)
    assert window.history.weights_step == 15
    assert slider(window).value() == 15
    assert slider(window).maximum() == 18
    assert np.array_equal(parameters(window), weights[15])
    for step in (18, 4, 16):
        go_to(window, qtbot, step)
        assert np.array_equal(parameters(window), weights[step])
    button(window, "rewind_latest").click()
    qtbot.waitUntil(lambda: window.bridge.rewound_to is None, timeout=LONG)
    assert np.array_equal(parameters(window), weights[15])


def test_one_without_a_checkpoint_has_the_weights_that_were_kept_last(
    window: MainWindow, qtbot: QtBot, learnscope_home: Path
) -> None:
    weights = recorded(learnscope_home, toy_config(training__epochs=4), until=18, keep=True)
    open_run(window, qtbot, 1)
    kept = window.history.weights_step
    assert kept is not None
    assert kept >= 17
    assert window.bridge.trained
    assert np.array_equal(parameters(window), weights[kept])


def test_one_whose_kept_steps_are_damaged_opens_without_them(
    window: MainWindow, qtbot: QtBot, learnscope_home: Path
) -> None:
    weights = recorded(learnscope_home, toy_config(training__epochs=2), keep=True)
    path = learnscope_home / "runs" / "1" / NAME
    path.write_bytes(path.read_bytes()[:-1])
    with qtbot.waitSignal(window.bridge.problem, timeout=LONG) as told:
        open_run(window, qtbot, 1)
    assert "cut short" in str(told.args)
    go_to(window, qtbot, 3)
    assert np.array_equal(parameters(window), weights[3])


def test_a_disk_that_takes_no_more_is_told_and_costs_the_run_nothing(
    window: MainWindow, qtbot: QtBot, learnscope_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.rewind.kept_file.write_snapshots", full)
    window.setup.set_config(toy_config(training__epochs=1))
    with qtbot.waitSignal(window.bridge.problem, timeout=LONG) as told:
        window.start()
    assert "No space left on device. All else of the run is kept." in str(told.args)
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
    assert window.run_state.status == "finished"
    assert not (learnscope_home / "runs" / "1" / NAME).exists()
