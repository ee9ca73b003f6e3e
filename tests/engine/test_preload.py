"""What is arranged before training: memory that stays, and torch without what training does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import resource, threading
from engine.config import make_config
from engine.events import Evaluated, StepFinished
from engine.training import train

faults = []

def run():
    settings = {"training.threads": 2, "training.memory_format": "channels_last", "training.steps": 60}
    for event in train(make_config({"network": "lenet5"}, settings)):
        if isinstance(event, StepFinished | Evaluated):
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

thread = threading.Thread(target=run)
thread.start()
thread.join()
print(faults[-1] - faults[-2])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's page faults")
def test_an_evaluation_takes_no_new_memory_from_the_system() -> None:
    answer = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    # Pages: a hundred thousand where freed memory goes back to the system. Here and there 2,300 find no room.
    assert int(answer.stdout) < 15_000


# The fingerprint of the weights after a few steps, and whether torch's rules for the meta device were still to come.
TRAINING = """
import sys
lean = sys.argv[1] == "lean"
if lean:
    from engine.preload import import_torch
    import_torch()
import torch
from engine.config import make_config
from engine.control import RunControl
from engine.training import train
from engine.weight_hash import weight_hash

for network, optimizer in (("lenet5", "adam"), ("fast_cnn", "muon"), ("mlp", "lbfgs")):
    control = RunControl()
    settings = {"training.threads": 1, "training.memory_format": "contiguous", "training.steps": 3}
    for _ in train(make_config({"network": network, "optimizer": optimizer}, settings), control):
        pass
    print(weight_hash(control.live.weights()))
assert lean == (type(sys.modules["torch._meta_registrations"]).__name__ == "_Later")
"""

# What asks for the rules by name gets them; what needs them without asking works after `complete_torch`.
COMPLETION = """
import importlib, sys
from engine.preload import complete_torch, import_torch
import_torch()
import torch
if sys.argv[1] == "compile":
    double = torch.compile(lambda x: 2 * x, backend="eager")
    assert double(torch.ones(2)).tolist() == [2, 2]
else:
    importlib.import_module(sys.argv[1])
complete_torch()
assert type(sys.modules["torch._meta_registrations"]) is type(sys) is type(torch._meta_registrations)
with torch.device("meta"):
    assert torch.nn.Conv2d(1, 2, 3)(torch.empty(4, 1, 8, 8)).shape == (4, 2, 6, 6)
"""

# A network that is tried out while it is built, as another package's may be.
TRIED = """
from engine.preload import import_torch
import_torch()
import torch
from torch import nn
from engine.networks.network import NetworkEntry

def build(shape, outputs, params):
    features = nn.Conv2d(1, 2, 3)
    return nn.Sequential(features, nn.Flatten(), nn.Linear(features(torch.empty(1, *shape)).numel(), outputs))

entry = NetworkEntry(name="tried", label="Tried", summary="", fit=lambda info, params: (1, 8, 8), build=build)
assert entry.outline((1, 8, 8), 10, {})[2].weight.shape == (10, 72)
"""


def _said(script: str, *arguments: str) -> str:
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_torch_without_what_is_put_off_trains_to_the_same_weights() -> None:
    lean, whole = _said(TRAINING, "lean"), _said(TRAINING, "whole")
    assert lean == whole
    assert len(set(lean.split())) == 3


@pytest.mark.parametrize("first", ["compile", "torch._dynamo", "torch._refs", "torch._decomp", "torchvision", "json"])
def test_what_is_put_off_of_torch_is_there_for_whoever_asks(first: str) -> None:
    _said(COMPLETION, first)


def test_a_network_that_is_tried_out_while_it_is_built_has_an_outline_at_once() -> None:
    _said(TRIED)
