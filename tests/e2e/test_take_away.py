"""A run taken away and in, in the real window."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QPlainTextEdit, QProgressBar, QPushButton
from pytestqt.qtbot import QtBot

import engine.script.verify as verify_module
from engine.archive import open_archive
from engine.weight_hash import weight_hash
from gui.main_window import MainWindow
from gui.take_away import NO_RUN, NOT_ONE, UNDER_WAY
from gui.verify_dialog import TakingDialog
from tests.e2e.conftest import LONG
from tests.e2e.test_history import listed, train_once


def shown_menu(window: MainWindow) -> dict[str, QAction]:
    """What the window's menu offers for the run on screen, by name."""
    menu = window.menu.run_menu
    menu.aboutToShow.emit()
    return {action.objectName().removeprefix("take_"): action for action in menu.actions() if action.objectName()}


def idle(window: MainWindow, qtbot: QtBot) -> None:
    """Nothing is taken away or in any more."""
    qtbot.waitUntil(lambda: window.findChild(TakingDialog) is None, timeout=LONG)


def note(window: MainWindow) -> str:
    return window.note


def test_everything_of_the_run_on_screen_is_written(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    actions = shown_menu(window)
    assert all(not action.isEnabled() and action.toolTip() == NO_RUN for action in actions.values())
    train_once(window, qtbot)
    actions = shown_menu(window)
    assert list(actions) == ["script", "verify", "zip", "folder", "weights", "state_dict", "setup"]
    assert all(action.isEnabled() and action.toolTip().endswith(".") for action in actions.values())
    run = window.history.on_screen
    assert run == 1
    names = {"script": "a.py", "zip": "b.zip", "folder": "c", "weights": "d.safetensors", "state_dict": "e.pt"}
    for kind, name in {**names, "setup": "f.json"}.items():
        window.take_away.write(kind, run, tmp_path / name)
        idle(window, qtbot)
        qtbot.waitUntil(lambda name=name: name in note(window), timeout=LONG)  # type: ignore[misc]
    made = {path.name for path in tmp_path.iterdir()} - {"learnscope-home"}
    assert made == {"a.py", "b.zip", "c", "d.safetensors", "e.pt", "f.json"}
    live = window.bridge.live()
    assert live is not None
    trained = weight_hash(live.weights())
    assert open_archive(tmp_path / "b.zip").hash == open_archive(tmp_path / "c").hash == trained
    assert weight_hash(torch.load(tmp_path / "e.pt", weights_only=True)) == trained
    script = (tmp_path / "a.py").read_text(encoding="utf-8")
    assert script == open_archive(tmp_path / "b.zip").script
    assert json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["dataset"]["name"] == "gaussians"
    ran = subprocess.run([sys.executable, "-I", "a.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == f"weights {trained}", ran.stderr
    window.take_away.write("folder", run, tmp_path / "c")
    qtbot.waitUntil(lambda: "The folder c is not empty" in note(window), timeout=LONG)


def test_a_script_is_verified_and_both_hashes_are_shown(window: MainWindow, qtbot: QtBot) -> None:
    train_once(window, qtbot)
    window.take_away.verify(1)
    dialog = window.findChild(TakingDialog)
    assert dialog is not None
    assert dialog.isVisible()
    heading, expected, found = (dialog.findChild(QLabel, f"taking_{name}") for name in ("heading", "expected", "found"))
    assert heading is not None
    assert expected is not None
    assert found is not None
    qtbot.waitUntil(heading.isVisible, timeout=LONG)
    live = window.bridge.live()
    assert live is not None
    assert heading.text() == "The weights are equal"
    digest = "".join(expected.text().split())
    assert digest == weight_hash(live.weights())
    assert expected.text() == found.text()
    end = dialog.findChild(QPushButton, "taking_end")
    assert end is not None
    assert end.text() == "Close"
    end.click()
    idle(window, qtbot)


def test_a_script_that_fails_says_what_it_printed(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_once(window, qtbot)
    monkeypatch.setattr(verify_module, "write_script", lambda *_, **__: "print('so far')\nraise ValueError('broken')")
    window.take_away.verify(1)
    dialog = window.findChild(TakingDialog)
    assert dialog is not None
    output = dialog.findChild(QPlainTextEdit, "taking_output")
    assert output is not None
    qtbot.waitUntil(output.isVisible, timeout=LONG)
    assert "so far" in output.toPlainText()
    assert "ValueError: broken" in output.toPlainText()
    dialog.close()
    idle(window, qtbot)


def test_verifying_is_cancelled_at_once_and_the_script_ends(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train_once(window, qtbot)
    place = tmp_path / "process"
    script = (
        f"import os, pathlib, time\npathlib.Path({str(place)!r}).write_text(str(os.getpid()))\n"
        "print('epoch 1', flush=True)\ntime.sleep(600)"
    )
    monkeypatch.setattr(verify_module, "write_script", lambda *_, **__: script)
    window.take_away.verify(1)
    dialog = window.findChild(TakingDialog)
    assert dialog is not None
    line, bar = dialog.findChild(QLabel, "taking_line"), dialog.findChild(QProgressBar, "taking_progress")
    assert line is not None
    assert bar is not None
    qtbot.waitUntil(lambda: line.text() == "epoch 1", timeout=LONG)
    assert bar.maximum() > bar.value() > 0
    window.take_away.verify(1)  # one at a time
    assert "still being taken" in note(window)
    dialog.reject()  # as Esc does
    idle(window, qtbot)
    assert note(window) == "Cancelled."
    process = Path("/proc") / place.read_text()
    qtbot.waitUntil(lambda: not process.exists(), timeout=LONG)


def test_a_run_from_elsewhere_is_taken_in_and_shown(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_once(window, qtbot)
    live = window.bridge.live()
    assert live is not None
    trained, curve = weight_hash(live.weights()), window.run_state.step
    window.take_away.write("zip", 1, tmp_path / "mine.zip")
    idle(window, qtbot)
    window.history.delete([1])
    qtbot.waitUntil(lambda: not listed(window), timeout=LONG)
    window.take_away.open_archive(tmp_path / "mine.zip")
    qtbot.waitUntil(lambda: [run.name for run in listed(window)] == ["mine"], timeout=LONG)
    assert listed(window)[0].tags == ("imported",)
    qtbot.waitUntil(lambda: window.history.on_screen == 2, timeout=LONG)
    assert window.run_state.step == curve
    shown = window.bridge.live()
    assert shown is not None
    assert weight_hash(shown.weights()) == trained
    (tmp_path / "mine").mkdir()
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        archive.extractall(tmp_path / "mine")
    window.take_away.open_archive(tmp_path / "mine" / "manifest.json")
    qtbot.waitUntil(lambda: len(listed(window)) == 2, timeout=LONG)
    said: list[str] = []
    monkeypatch.setattr(window.take_away, "_say", said.append)
    (tmp_path / "mine" / "weights.safetensors").write_bytes(b"nonsense")
    window.take_away.open_archive(tmp_path / "mine" / "manifest.json")
    qtbot.waitUntil(lambda: bool(said), timeout=LONG)
    assert said == [
        "weights.safetensors is not the file that manifest.json speaks of; a folder or zip that Learnscope wrote."
    ]
    assert len(listed(window)) == 2


def test_what_cannot_be_done_says_why(window: MainWindow, qtbot: QtBot, open_menu: Callable[[], QMenu]) -> None:
    train_once(window, qtbot)
    train_once(window, qtbot, seed=1)
    table = window.history.panel.table
    table.selectAll()
    part = open_menu().findChild(QMenu, "take_away_menu")
    assert part is not None
    entries = [action for action in part.actions() if not action.isSeparator()]
    assert all(not action.isEnabled() and action.toolTip() == NOT_ONE for action in entries)
    table.select(1)
    part = open_menu().findChild(QMenu, "take_away_menu")
    assert part is not None
    next(action for action in part.actions() if action.objectName() == "take_script").trigger()
    asked = window.findChild(QFileDialog, "take_away_file")
    assert asked is not None
    assert Path(asked.selectedFiles()[0]).name == "run-1.py"
    asked.reject()
    window.start()
    window.bridge.pause()
    assert all(action.toolTip() == UNDER_WAY for action in shown_menu(window).values())
    window.take_away.open_archive(Path("any.zip"))
    assert "A run is under way" in note(window)
    window.stop()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)


@pytest.fixture
def open_menu(window: MainWindow) -> Callable[[], QMenu]:
    return lambda: window.history.panel.table.menu()
