"""What the tests of the terminal's history share: small runs with dropout, asked for as a person would."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.checkpoint import load_checkpoint
from engine.cli import BAD_INPUT, main
from engine.runs.run_record import RunRecord
from engine.runs.store import RunStore

SETUP = ("--dataset", "gaussians", "--network", "mlp", "--threads", "1", "--set", "dataset.samples=140")
SMALL = (*SETUP, "--batch-size", "10", "--set", "network.dropout=0.2", "--set", "network.hidden=8")
PER_EPOCH = 6  # steps of SMALL
EPOCHS = 3
LAST = EPOCHS * PER_EPOCH


def train(*options: str) -> int:
    """The number of a run of SMALL that went well."""
    assert main(["train", *SMALL, "--epochs", str(EPOCHS), *options, "--events", "/dev/null"]) == 0
    with RunStore() as store:
        return store.latest()


def runs(*arguments: str) -> int:
    torch.manual_seed(7)  # nothing of an earlier run is left in torch
    return main(["runs", *arguments])


def record(run_id: int) -> RunRecord:
    with RunStore() as store:
        return store.run(run_id)


def losses(run_id: int) -> list[float]:
    with RunStore() as store:
        return [float(loss) for loss in store.run(run_id).steps().loss]


def weights(run_id: int) -> dict[str, Tensor]:
    """Of the newest checkpoint."""
    with RunStore() as store:
        return dict(load_checkpoint(store.folder(run_id)).weights)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], tensor) for name, tensor in other.items())


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The one JSON value that `runs` prints."""
    capsys.readouterr()
    assert runs(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that `runs` says to what cannot be; the history stays as it was."""
    with RunStore() as store:
        before = store.runs()
    capsys.readouterr()
    assert runs(*arguments) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    with RunStore() as store:
        assert store.runs() == before
    return str(line)
