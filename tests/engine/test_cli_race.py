"""Races from the terminal: JSON events that say whose they are, a table, the history, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.config import make_config
from engine.runs.store import RunStore

ROOT = Path(__file__).parents[2]
TOY = ("race", "--dataset", "gaussians", "--network", "mlp", "--threads", "1", "--set", "network.hidden=8")
PLAIN = {"COLUMNS": "200", "TERM": "dumb", "OMP_NUM_THREADS": "1"}


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_json_and_say_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TOY, "--steps", "3", "--over", "optimizer=sgd,adam", "--seeds", "2", "--events", "-"]) == 0
    out, err = capsys.readouterr()
    first, *events = lines_of(out)
    labels = ["sgd, seed 0", "sgd, seed 1", "adam, seed 0", "adam, seed 1"]
    assert first == {
        "type": "race",
        "runs": [{"entrant": number, "label": label} for number, label in enumerate(labels, 1)],
    }
    assert [event["entrant"] for event in events] == sorted(event["entrant"] for event in events)
    for number in range(1, 5):
        own = [event for event in events if event["entrant"] == number and event["type"] != "preparing"]
        kinds = [event["type"] for event in own]
        assert kinds == ["started", "evaluation", "step", "step", "step", "evaluation", "finished"]
    first_losses = [event["loss"] for event in events if event["type"] == "step" and event["step"] == 1]
    assert first_losses[:2] == first_losses[2:]  # the optimizers start alike, the seeds do not
    assert first_losses[0] != first_losses[1]
    assert all(label in err for label in labels)


def test_the_table_has_final_and_best_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.jsonl"
    over = ("--over", "optimizer.learning_rate=0.1,0.0001")
    assert main([*TOY, "--optimizer", "sgd", "--epochs", "2", *over, "--events", str(path)]) == 0
    out, err = capsys.readouterr()
    told = lines_of(path.read_text())
    rows = out.splitlines()
    assert [row.split("  ")[0] for row in rows[1:]] == ["learning rate 0.1", "learning rate 0.0001"]
    for number, row in enumerate(rows[1:], 1):
        own = [event for event in told if event.get("entrant") == number]
        losses = [event["test_loss"] for event in own if event["type"] in ("epoch", "evaluation")]
        shares = [event["test_accuracy"] for event in own if event["type"] in ("epoch", "evaluation")]
        figures = f"{losses[-1]:.4f} {min(losses):.4f} {shares[-1]:.2%} {max(shares):.2%}"
        assert figures in " ".join(row.split())
        assert "completed" in row
    assert "1 of 2: learning rate 0.1: completed after step" in err


def test_every_run_is_in_the_history_under_its_label(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TOY, "--steps", "1", "--over", "optimizer=sgd,adam", "--events", "-"]) == 0
    assert main([*TOY, "--steps", "1", "--seeds", "2", "--no-record"]) == 0
    capsys.readouterr()
    with RunStore() as store:
        runs = store.runs()
    assert [run.name for run in runs] == ["adam", "sgd"]
    assert [run.status for run in runs] == ["finished", "finished"]
    (tag,) = runs[0].tags
    assert tag.startswith("race ")
    assert runs[1].tags == (tag,)


def test_a_saved_set_up_is_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"optimizer.learning_rate": 0.123, "training.steps": 1, "training.threads": 1, "training.seed": 4}
    config = make_config({"dataset": "gaussians", "network": "mlp", "optimizer": "sgd"}, settings)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert main(["race", "--config", str(path), "--over", "optimizer=adam,sgd", "--seeds", "2", "--events", "-"]) == 0
    capsys.readouterr()
    with RunStore() as store:
        kept = [store.run(run.id).config for run in store.runs()]
    assert config in kept
    assert sorted(one.training.seed for one in kept) == [4, 4, 5, 5]
    assert {one.optimizer.name for one in kept} == {"adam", "sgd"}


def test_settings_given_for_what_is_raced_hold_for_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    over = ("--over", "optimizer=sgd,rmsprop", "--lr", "0.02", "--set", "optimizer.momentum=0.5")
    assert main([*TOY, "--steps", "1", *over]) == 0
    capsys.readouterr()
    with RunStore() as store:
        kept = [store.run(run.id).config.optimizer.params for run in store.runs()]
    assert [(params["learning_rate"], params["momentum"]) for params in kept] == [(0.02, 0.5)] * 2


def test_a_run_that_fails_shows_in_the_status_and_not_in_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    wild = ("--optimizer", "sgd", "--loss", "mse", "--over", "optimizer.learning_rate=1000,0.01")
    assert main([*TOY, "--epochs", "3", *wild]) == 1
    out, err = capsys.readouterr()
    rows = out.splitlines()[1:]
    assert "failed" in rows[0]
    assert "completed" in rows[1]
    assert "1 of 2: learning rate 1000: failed" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--over", "optimizer=sgd,adm"], "did you mean adam"),
        (["--over", "optimizer"], "'optimizer' does not say what differs"),
        ([], "race: it takes two runs at least"),
        (["--seeds", "65"], "seeds: 65 runs are not accepted"),
        (["--seeds", "3", "--over", "training.batch_size=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22"],
         "22 × 3 = 66 runs are too many"),
        (["--seeds", "2", "--at-once", "0"], "--at-once: '0' is not accepted"),
        (["--seeds", "2", "--events", "/no/such/folder/x"], "--events: /no/such/folder/x cannot be written"),
        (["--over", "dataset=gaussians,mnist", "--network", "nin"], "unknown network 'nin'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TOY, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_ctrl_c_ends_runs_that_go_on_at_once() -> None:
    arguments = (*TOY, "--epochs", "100000", "--seeds", "3", "--at-once", "2", "--events", "-")
    with subprocess.Popen(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        env={**os.environ, **PLAIN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        told = [next(lines)]
        while json.loads(told[-1])["type"] != "step":
            told.append(next(lines))
        process.send_signal(signal.SIGINT)
        told += lines
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "waiting" in process.stderr.read()
    ends = [event for event in lines_of("".join(told)) if event["type"] == "finished"]
    assert {event["reason"] for event in ends} == {"stopped"}
    with RunStore() as store:
        assert {run.status for run in store.runs()} == {"stopped"}
