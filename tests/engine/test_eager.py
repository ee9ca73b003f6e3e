"""Optimizers without torch.compile: nothing of it is loaded, and each step is torch's own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.eager import leave_compiler_out

TRAIN = """
from engine.config import make_config
from engine.events import Failed
from engine.optimizers import OPTIMIZERS
from engine.training import train

for entry in OPTIMIZERS:
    config = make_config({"network": "mlp", "dataset": "xor", "optimizer": entry.name}, {"training.steps": 2})
    assert not any(isinstance(event, Failed) for event in train(config)), entry.name
"""

BACK = """
from engine.config import make_config
from engine.control import RunControl
from engine.datasets.library import Library
from engine.preparation import prepare
from engine.rewind.beginning import beginning
from engine.rewind.moments import checkpoint_at
from engine.rewind.snapshots import Snapshot, Snapshots
from engine.tuning import Tuned, Tuner

config = make_config({"network": "mlp", "dataset": "xor"}, {"network.dropout": 0.2, "training.epochs": 9})
tuned, past = Tuned(1, False), Snapshots()
past.take_over([Snapshot(beginning(config, tuned), frozenset())], [])
preparing = prepare(config, RunControl(), Library(), Tuner(), settled=tuned, aside=True)
while past.ready is None:
    try:
        next(preparing)
    except StopIteration as end:
        past.ready = end.value
assert checkpoint_at(past, 3).step == 3
"""

BRANCH = """
from engine.config import make_config
from engine.rewind.beginning import beginning
from engine.rewind.branch import branch
from engine.tuning import Tuned

config = make_config({"network": "mlp", "dataset": "xor"})
began = beginning(config, Tuned(1, False))
for other in (config, make_config({"network": "mlp", "dataset": "xor", "optimizer": "sgd"})):
    assert branch(began, other).step == 0
"""

LOOK = """
from engine.config import make_config
from engine.datasets.library import Library
from engine.inspection.first_look import first_look
from engine.inspection.microscope import STAGES, Microscope
from engine.inspection.specimen import specimen_of
from engine.live import untrained

config = make_config({"network": "mlp", "dataset": "xor"})
live = untrained(config)
assert first_look(live.copy(), live.input_shape, seed=0).update is not None
microscope = Microscope(specimen_of(config, Library()))
for stage in STAGES:
    look = microscope.press(stage)
assert look.loss is not None
"""

COMPARE = """
import torch
from torch import nn

def trained(kind, **settings):
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = kind(network.parameters(), **settings)
    for step in range(5):
        optimizer.zero_grad()
        network(torch.ones(4, 3) * step).square().mean().backward()
        optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    return [parameter.detach().clone() for parameter in network.parameters()]

kinds = [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Rprop, torch.optim.Adagrad]
expected = [trained(kind, lr=0.01) for kind in kinds]
torch_step = torch.optim.NAdam.step
from engine.eager import leave_compiler_out
leave_compiler_out()
assert torch.optim.NAdam.step is not torch_step
found = [trained(kind, lr=0.01) for kind in kinds]
print(all(torch.equal(a, b) for one, other in zip(expected, found) for a, b in zip(one, other)))
"""


TABLES = """
from engine.assembly import describe_network
from engine.config import make_config
for name in ("mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn"):
    assert describe_network(make_config({"network": name})).flops
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def compiler_after(code: str) -> list[str]:
    """The parts of torch.compile and of Triton that are loaded in an interpreter of its own that has run `code`."""
    names: list[str] = json.loads(run(f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"))
    assert "torch.optim" in names
    return [name for name in names if name.startswith(("torch._dynamo", "triton"))]


def test_no_optimizer_loads_the_compiler() -> None:
    assert compiler_after(TRAIN) == []


def test_nor_does_going_back_along_a_run() -> None:
    assert compiler_after(BACK) == []


def test_nor_do_a_branch_the_microscope_and_the_first_look() -> None:
    assert compiler_after(BRANCH + LOOK) == []


def test_steps_are_those_of_torch() -> None:
    assert run(COMPARE) == "True"


def test_gradients_flow_through_a_step_only_where_they_are_asked_to() -> None:
    leave_compiler_out()
    for differentiable in (False, True):
        weight = nn.Parameter(torch.ones(2))
        weight.grad = torch.ones(2)
        optimizer = torch.optim.SGD([weight], lr=0.1, differentiable=differentiable)
        if differentiable:
            with pytest.raises(RuntimeError, match="in-place"):  # torch's own rule for a leaf that needs gradients
                optimizer.step()
        else:
            optimizer.step()
            assert torch.equal(weight.detach(), torch.full((2,), 0.9))
        assert torch.is_grad_enabled()


def test_nor_do_tables_of_layers() -> None:
    assert compiler_after(TABLES) == []
