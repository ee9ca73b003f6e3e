"""A process of its own for the tests of checkpoints: it goes on with a run, and kills runs at random moments.

Called with a folder. It lets runs, forked off as importing torch takes seconds, keep checkpoints in `killed` there as
fast as they can, and kills each after a moment; after each it looks at what is left. Then it continues the run whose
checkpoints are in `resumed`. It prints JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

import torch

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoint_folder import CheckpointPolicy
from engine.control import RunControl
from engine.datasets.library import Library
from engine.training import train
from tests.engine.checkpoint_runs import small_config
from tests.engine.runs import losses

ROUNDS = 6
LONG = small_config({"optimizer": "adam"}, training__epochs=2_000, training__evaluate_first=False)


def go_on(folder: Path) -> dict[str, object]:
    checkpoint, control = load_checkpoint(folder), RunControl()
    found = losses(train(checkpoint.config, control, resume=checkpoint))
    assert control.live is not None
    values = b"".join(tensor.numpy().tobytes() for tensor in control.live.weights().values())
    return {"losses": [loss.hex() for loss in found], "digest": hashlib.sha256(values).hexdigest()}


def kill_a_run(folder: Path, library: Library, *, after: float) -> None:
    """`after` seconds from its first checkpoint on."""
    latest = folder / "latest.safetensors"
    checkpoint = load_checkpoint(folder) if folder.exists() else None
    before = latest.stat().st_ino if checkpoint else None
    child = os.fork()
    if not child:
        _train_for_ever(folder, library, checkpoint)
    while not latest.exists() or latest.stat().st_ino == before:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            raise RuntimeError("the run ended before its first checkpoint")
        time.sleep(0.001)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _train_for_ever(folder: Path, library: Library, checkpoint: Checkpoint | None) -> NoReturn:
    try:
        policy = CheckpointPolicy(folder=folder, every_steps=1)
        for _ in train(LONG, library=library, resume=checkpoint, checkpoints=policy):
            pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def main() -> None:
    root, chance, library = Path(sys.argv[1]), random.Random(0), Library()
    torch.set_num_threads(1)
    list(train(small_config({"optimizer": "adam"}), library=library))  # torch imports more of itself meanwhile
    left = []
    for _ in range(ROUNDS):
        kill_a_run(root / "killed", library, after=chance.uniform(0.0, 0.05))
        checkpoint = load_checkpoint(root / "killed")
        whole = load_checkpoint(root / "killed" / "latest.safetensors").step
        digest = hashlib.sha256(checkpoint.weights["fc1.weight"].numpy().tobytes()).hexdigest()
        left.append({"step": checkpoint.step, "latest": whole, "digest": digest})
    sys.stdout.write(json.dumps({"resumed": go_on(root / "resumed"), "killed": left}))


if __name__ == "__main__":
    main()
