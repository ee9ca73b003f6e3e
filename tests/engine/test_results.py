"""A run's result on disk: weights that load, and the set-up from which it can be repeated."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine.config import config_from_json, load_config
from engine.control import RunControl
from engine.live import LiveNetwork
from engine.results import CONFIG_FILE, WEIGHTS_FILE, save_result, save_weights
from engine.training import train
from tests.engine.runs import losses, tiny_library, toy_config

CONFIG = toy_config({"dataset": "mnist", "network": "fast_cnn"}, training__batch_size=16)


@pytest.fixture(scope="module")
def live() -> LiveNetwork:
    control = RunControl()
    list(train(CONFIG, control, library=tiny_library()))
    assert control.live is not None
    return control.live


def test_the_weights_load_as_they_were(live: LiveNetwork, tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", live, CONFIG)
    loaded, weights = load_file(tmp_path / "w.safetensors"), live.weights()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())
    assert loaded["bn1.num_batches_tracked"].dtype == torch.int64


def test_the_set_up_is_beside_the_weights_and_within_them(live: LiveNetwork, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    save_result(folder, live, CONFIG)
    assert {path.name for path in folder.iterdir()} == {CONFIG_FILE, WEIGHTS_FILE}
    assert load_config(folder / CONFIG_FILE) == CONFIG
    with safe_open(folder / WEIGHTS_FILE, "pt") as file:
        assert config_from_json(file.metadata()["learnscope"], source="metadata") == CONFIG


def test_a_run_repeated_from_its_saved_set_up_is_the_same(tmp_path: Path) -> None:
    config, control = toy_config(training__epochs=1, training__seed=5), RunControl()
    run = losses(train(config, control))
    assert control.live is not None
    save_result(tmp_path, control.live, config)
    assert losses(train(load_config(tmp_path / CONFIG_FILE))) == run


def test_a_full_disk_leaves_the_result_before_it_as_it_was(
    live: LiveNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_result(tmp_path, live, CONFIG)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_result(tmp_path, live, toy_config())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
