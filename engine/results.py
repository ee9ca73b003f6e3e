"""A run's result on disk: the set-up and the weights."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

from engine.config import RunConfig
from engine.files import write_atomically
from engine.live import LiveNetwork

CONFIG_FILE, WEIGHTS_FILE = "config.json", "weights.safetensors"


def save_weights(path: Path, live: LiveNetwork, config: RunConfig) -> None:
    """The weights of this moment as safetensors, with the set-up in its metadata. Raises OSError."""
    write_atomically(path, safetensors.torch.save(live.weights(), {"learnscope": config.to_json()}))


def save_result(folder: Path, live: LiveNetwork, config: RunConfig) -> None:
    """`config.json`, from which the run can be repeated, and `weights.safetensors`. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / CONFIG_FILE, config.to_json().encode())
    save_weights(folder / WEIGHTS_FILE, live, config)
