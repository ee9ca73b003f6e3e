"""Optimizers without torch.compile: nothing of it is loaded, and each step is torch's own."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.eager import leave_compiler_out

TRAIN = """
import sys
from engine.config import make_config
from engine.events import Failed
from engine.optimizers import OPTIMIZERS
from engine.training import train

for entry in OPTIMIZERS:
    config = make_config({"network": "mlp", "dataset": "xor", "optimizer": entry.name}, {"training.steps": 2})
    assert not any(isinstance(event, Failed) for event in train(config)), entry.name
print(sorted(name for name in sys.modules if name.startswith("torch._dynamo")))
"""

BACK = """
import sys
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
print(sorted(name for name in sys.modules if name.startswith("torch._dynamo")))
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


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_no_optimizer_loads_the_compiler() -> None:
    assert run(TRAIN) == "[]"


def test_nor_does_going_back_along_a_run() -> None:
    assert run(BACK) == "[]"


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
