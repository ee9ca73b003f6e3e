"""`runs verify`: what a run's script gives is compared with what the run gave."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from engine.checkpoint import load_checkpoint
from engine.cli import INTERRUPTED
from engine.runs.store import RunStore
from engine.script.past import Past
from engine.script.verify import Verdict, Verifying
from engine.weight_hash import weight_hash
from tests.engine.checkpoint_runs import small_config
from tests.engine.cli_history import answer, record, refusal, runs, train, weights
from tests.engine.history import keep, started, told


class Asked:
    """Stands where scripts are run: keeps what is asked, and answers with an outcome."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        self.arguments: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}
        self.closed = False

    def __call__(self, *arguments: Any, **options: Any) -> Generator[Verifying, None, Verdict]:
        self.arguments, self.options = arguments, options
        try:
            yield Verifying("epoch 1: test loss 0.5", 0.5)
            yield Verifying("epoch 1: test loss 0.5", 0.5)
            if self.outcome == "interrupt":
                signal.raise_signal(signal.SIGINT)
        finally:
            self.closed = True
        outcome: Any = self.outcome
        return Verdict(outcome, f"It is {outcome}.", arguments[2], "" if outcome == "failed" else "0" * 64, 1.5, "said")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Asked:
    found = Asked(getattr(request, "param", "equal"))
    monkeypatch.setattr("engine.export.verify", found)
    return found


def test_the_script_of_a_branch_gives_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    """For once the script is run, of a branch of a run that was continued."""
    parent = train("--steps", "8")
    assert runs("resume", str(parent), "--steps", "0") == 0
    child = answer(capsys, "branch", str(parent), "--step", "10", "--lr", "0.03", "--optimizer", "sgd")["id"]
    found = answer(capsys, "verify", str(child))
    assert (found["run"], found["outcome"]) == (child, "equal")
    assert found["found"] == found["expected"] == weight_hash(weights(child))


@pytest.mark.parametrize(("asked", "status"), [("equal", 0), ("different", 1), ("failed", 2)], indirect=["asked"])
def test_the_exit_status_says_how_it_went(asked: Asked, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    run = train()
    capsys.readouterr()
    assert runs("verify", str(run)) == status
    out, err = capsys.readouterr()
    assert out == f"It is {asked.outcome}.\n"
    assert "epoch 1: test loss 0.5" in err
    assert ("said" in err) == (status == 2)
    assert runs("verify", str(run), "--json") == status
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["expected"], found["seconds"]) == (asked.outcome, weight_hash(weights(run)), 1.5)
    assert found["found"] == (None if status == 2 else "0" * 64)


def test_is_asked_about_the_run_as_it_was(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    parent = train("--epochs", "1")
    assert runs("resume", str(parent), "--epochs", "2") == 0
    answer(capsys, "verify", str(parent))
    config, interventions, _ = asked.arguments
    assert (config.training.epochs, interventions) == (2, ())
    assert (asked.options["threads"], asked.options["stopped_after"], asked.options["past"]) == (1, None, None)
    child = answer(capsys, "branch", str(parent), "--step", "7", "--lr", "0.5")["id"]
    answer(capsys, "verify", str(child))
    past = asked.options["past"]
    assert isinstance(past, Past)
    assert (past.step, past.config, past.left_open, past.past) == (7, config, False, None)


def test_the_weights_of_the_best_epoch_are_the_final_ones(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("--set", "training.patience=1", "--lr", "2", "--optimizer", "sgd", "--epochs", "50")
    ending: Any = record(run).ending
    assert ending.restored_epoch is not None
    answer(capsys, "verify", str(run))
    with RunStore() as store:
        checkpoint = load_checkpoint(store.folder(run))
    best = {n.removeprefix("best."): t for n, t in checkpoint.tensors.items() if n.startswith("best.")}
    assert asked.arguments[2] == weight_hash(best) != weight_hash(checkpoint.weights)
    with RunStore() as store:
        shutil.rmtree(store.folder(run))
    answer(capsys, "verify", str(run))  # trained again, early stopping and all
    assert asked.arguments[2] == weight_hash(best)


def test_weights_that_were_not_kept_are_found_again(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    run = train()
    expected = weight_hash(weights(run))
    with RunStore() as store:
        shutil.rmtree(store.folder(run))
    capsys.readouterr()
    assert runs("verify", str(run)) == 0
    assert asked.arguments[2] == expected


def test_what_cannot_be_verified_says_why(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    with RunStore() as store:
        keep(store, told(10, reason=None))
        keep(store, [replace(started(total=18), steps_per_epoch=6), *told(18, per_epoch=6)[1:]], config=small_config())
        keep(store, [])
    said = "run 1 has no weights: it ended before its first checkpoint"
    assert refusal(capsys, "verify", "1") == f"RUN: {said}"
    assert runs("verify", "1", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], found["outcome"], found["message"]) == (1, "unverifiable", f"R{said[1:]}.")
    assert runs("verify", "2") == 2
    assert "its final weights were not kept, and trained again here, step 1 has the loss" in capsys.readouterr().err
    assert "has no weights" in refusal(capsys, "verify", "3")
    assert "there is no run 9" in refusal(capsys, "verify", "9")
    assert not asked.arguments


@pytest.mark.parametrize("asked", ["interrupt"], indirect=True)
def test_ctrl_c_ends_the_script_too(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs("verify", str(train())) == INTERRUPTED
    assert asked.closed
    assert "Traceback" not in capsys.readouterr().err
