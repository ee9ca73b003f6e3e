"""The window when things go wrong: no network, a home that cannot be written, a defect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QApplication, QLabel, QSpinBox, QTableView, QWidget
from pytestqt.qtbot import QtBot

from engine.datasets import DATASETS
from engine.datasets.data import DatasetEntry, Loading
from engine.errors import InputError
from engine.events import Preparing
from gui.main_window import MainWindow
from gui.run_rows import COLUMNS
from tests.e2e.conftest import LONG, button, close, pick, widget

OFFLINE = InputError("dataset", "Fashion-MNIST could not be downloaded: there is no network", "pick mnist")


def replace_loading(monkeypatch: pytest.MonkeyPatch, name: str, load: Callable[[object], Loading]) -> None:
    """Let the catalogue's dataset `name` load by `load`."""
    entry = DATASETS[name]
    changed = DatasetEntry(
        name=name, label=entry.label, summary=entry.summary, params=entry.params, info=entry.info, load=load
    )
    monkeypatch.setitem(DATASETS._entries, name, changed)


def label(window: MainWindow, name: str) -> QLabel:
    found = window.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found


def test_a_set_up_that_cannot_be_opened_is_answered_with_its_file_and_field(window: MainWindow, tmp_path: Path) -> None:
    before = window.bench.config()
    for text, said in (
        ('{"schema_version": 1}', "mine.json does not fit: dataset: field required."),
        ("{nope", "mine.json is not JSON: Expecting property name enclosed in double quotes in line 1."),
    ):
        (tmp_path / "mine.json").write_text(text, encoding="utf-8")
        window.menu.open_path.emit(tmp_path / "mine.json")
        assert label(window, "status_message").text() == said
    assert window.bench.config() == before


def test_without_a_network_the_dataset_says_so_and_another_one_trains(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(_params: object) -> Loading:
        yield Preparing("Downloading Fashion-MNIST", 0.0)
        raise OFFLINE

    replace_loading(monkeypatch, "fashion_mnist", offline)
    pick(window, "dataset", "fashion_mnist")
    qtbot.waitUntil(lambda: widget(window, "dataset_retry").isVisible(), timeout=LONG)
    shown = [text.text() for text in widget(window, "dataset_preview").findChildren(QLabel) if text.isVisible()]
    assert any("no network" in text for text in shown)
    button(window, "start").click()
    qtbot.waitUntil(lambda: window.run_state.status == "failed" and not window.bridge.running, timeout=LONG)
    assert "no network" in label(window, "dataset_error").text()
    pick(window, "dataset", "xor")
    button(window, "start").click()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)


@pytest.fixture
def endless_download(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """KMNIST's download never ends; the list says when it was given up."""
    given_up: list[str] = []

    def endless(_params: object) -> Loading:
        try:
            while True:
                yield Preparing("Downloading KMNIST", 0.25)
        finally:
            given_up.append("closed")

    replace_loading(monkeypatch, "kmnist", endless)
    return given_up


def test_a_download_can_be_cancelled(window: MainWindow, qtbot: QtBot, endless_download: list[str]) -> None:
    pick(window, "dataset", "kmnist")
    qtbot.waitUntil(lambda: "25" in label(window, "dataset_loading").text(), timeout=LONG)
    button(window, "dataset_cancel").click()
    qtbot.waitUntil(lambda: endless_download == ["closed"], timeout=LONG)
    assert widget(window, "dataset_retry").isVisible()


@pytest.mark.parametrize("by_start", [False, True])
def test_the_window_closes_while_downloading(
    open_window: Callable[[], MainWindow], qtbot: QtBot, endless_download: list[str], by_start: bool
) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.bridge.ready, timeout=LONG)
    pick(window, "dataset", "kmnist")
    if by_start:
        window.start()
        qtbot.waitUntil(lambda: window.run_state.preparing is not None, timeout=LONG)
    qtbot.waitUntil(lambda: "KMNIST" in label(window, "dataset_loading").text(), timeout=LONG)
    close(qtbot, window)
    assert endless_download


def test_settings_that_cannot_be_written_are_told_and_lose_nothing_else(
    open_window: Callable[[], MainWindow], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A home below a file can be written by nobody, not even by root."""
    wall = tmp_path / "wall"
    wall.write_text("no folder")
    monkeypatch.setenv("LEARNSCOPE_HOME", str(wall / "home"))
    window = open_window()
    qtbot.waitUntil(lambda: window.bridge.ready, timeout=LONG)
    pick(window, "dataset", "xor")
    qtbot.waitUntil(lambda: "could not be kept" in label(window, "status_message").text(), timeout=LONG)
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
    close(qtbot, window)


def test_a_full_disk_while_saving_weights_is_told_and_leaves_no_half_file(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "weights.safetensors"
    qtbot.waitUntil(lambda: window.filters.layer() != "", timeout=LONG)

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        window.menu.weights_path.emit(target)
        qtbot.waitUntil(lambda: "No space left" in label(window, "status_message").text(), timeout=LONG)
    assert list(tmp_path.glob("*weights*")) == []
    window.menu.weights_path.emit(target)
    qtbot.waitUntil(target.exists, timeout=LONG)


def test_a_defect_in_the_run_is_told_and_the_window_goes_on(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.training

    def broken(*_args: object, **_named: object) -> Iterator[object]:
        raise KeyError("a defect")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(engine.training, "train", broken)
        window.start()
        qtbot.waitUntil(lambda: window.run_state.status == "failed", timeout=LONG)
    assert "a defect" in label(window, "notice_text").text()
    pick(window, "dataset", "xor")
    window.start()
    qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)


def test_ended_runs_are_listed(window: MainWindow, qtbot: QtBot) -> None:
    pick(window, "dataset", "gaussians")
    epochs = window.findChild(QSpinBox, "epochs")
    assert isinstance(epochs, QSpinBox)
    epochs.setValue(5000)
    for _ in range(2):
        window.start()
        qtbot.waitUntil(lambda: window.run_state.step > 0, timeout=LONG)
        window.stop()
        qtbot.waitUntil(lambda: not window.bridge.running, timeout=LONG)
    table = window.findChild(QTableView, "run_table")
    assert isinstance(table, QTableView)
    status = [column.name for column in COLUMNS].index("status")

    def ended() -> list[object]:
        model = table.model()
        return [model.index(row, status).data() for row in range(model.rowCount())]

    qtbot.waitUntil(lambda: ended() == ["Stopped", "Stopped"], timeout=LONG)


def test_everything_that_takes_the_keyboard_has_a_name(window: MainWindow) -> None:
    nameless = []
    for found in window.findChildren(QWidget):
        if not found.isVisible() or not found.focusPolicy().value & 0x1 or found.focusProxy() is not None:
            continue
        interface: QAccessibleInterface | None = QAccessible.queryAccessibleInterface(found)
        if interface is not None and not interface.text(QAccessible.Text.Name):
            nameless.append(f"{type(found).__name__} {found.objectName()}")
    assert nameless == []
    assert QApplication.activeWindow() is window
