"""`--checkpoints`, `--checkpoint-every` and `--resume` of the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint import load_checkpoint
from engine.cli import BAD_INPUT, main

SETUP = ("--dataset", "gaussians", "--network", "mlp", "--threads", "1", "--set", "dataset.samples=140")
TRAIN = (*SETUP, "--batch-size", "10", "--set", "network.dropout=0.2")
PER_EPOCH = 6  # steps


def events(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["train", *arguments, "--events", "-"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def steps(events: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(event["step"], event["loss"]) for event in events if event["type"] == "step"]


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["train", *arguments]) == BAD_INPUT
    return capsys.readouterr().err.strip()


def test_a_run_goes_on_where_it_ended_and_keeps_what_it_does(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = str(tmp_path / "run")
    whole = events(capsys, *TRAIN, "--epochs", "3")
    first = events(capsys, *TRAIN, "--epochs", "3", "--steps", "8", "--checkpoints", where, "--checkpoint-every", "5")
    second = events(capsys, "--resume", where, "--steps", "0")
    assert steps(first) + steps(second) == steps(whole)
    [started] = [event for event in second if event["type"] == "started"]
    assert started["resumed_from"] == 8
    assert load_checkpoint(tmp_path / "run").step == 3 * PER_EPOCH
    saved = [event for event in first if event["type"] == "checkpoint"]
    assert {event["kind"] for event in saved} == {"latest", "best"}
    assert {Path(event["path"]).parent for event in saved} == {tmp_path / "run"}
    assert "resumed_from" not in next(event for event in whole if event["type"] == "started")


def test_one_file_and_another_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events(capsys, *TRAIN, "--epochs", "1", "--checkpoints", str(tmp_path / "one"))
    latest = str(tmp_path / "one" / "latest.safetensors")
    more = events(capsys, "--resume", latest, "--epochs", "2")
    assert [step for step, _ in steps(more)] == list(range(PER_EPOCH + 1, 2 * PER_EPOCH + 1))
    assert load_checkpoint(tmp_path / "one").step == PER_EPOCH  # a file says where from, not where to
    events(capsys, "--resume", latest, "--epochs", "2", "--checkpoints", str(tmp_path / "two"))
    assert load_checkpoint(tmp_path / "two").step == 2 * PER_EPOCH


def test_people_read_where_it_goes_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events(capsys, *TRAIN, "--epochs", "1", "--checkpoints", str(tmp_path))
    assert main(["train", "--resume", str(tmp_path), "--epochs", "2"]) == 0
    assert "continued after step 6." in capsys.readouterr().out


def test_the_checkpoints_of_a_run_are_not_written_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = str(tmp_path)
    events(capsys, *TRAIN, "--epochs", "1", "--checkpoints", where)
    before = (tmp_path / "latest.safetensors").read_bytes()
    assert f"--resume {where}" in complaint(capsys, *TRAIN, "--checkpoints", where)
    assert (tmp_path / "latest.safetensors").read_bytes() == before
    events(capsys, "--resume", where, "--checkpoints", where, "--epochs", "2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--checkpoint-every", "10"), "--checkpoint-every: no checkpoints are kept"),
        (("--checkpoints", "x", "--checkpoint-every", "0"), "'0' is not accepted"),
        (("--checkpoints", "x", "--checkpoint-every", "soon"), "a number of steps, or of seconds such as 30s"),
        (("--checkpoints", "x", "--checkpoint-every", "nans"), "'nans' is not accepted"),
        (("--checkpoints", "x", "--checkpoint-every=-1s"), "'-1s' is not accepted"),
        (("--resume", "nowhere"), "checkpoint: nowhere cannot be read: No such file"),
        (("--resume", "x", "--config", "y"), "a checkpoint holds its set-up"),
    ],
)
def test_what_does_not_go_together(
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in complaint(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_set_up_that_was_changed_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events(capsys, *TRAIN, "--epochs", "1", "--checkpoints", str(tmp_path))
    assert "optimizer.learning_rate differs" in complaint(capsys, "--resume", str(tmp_path), "--lr", "0.3")


def test_stages_have_folders_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kept = tmp_path / "kept"  # the home lies beside it
    lesson = ("--lesson", "logistic-regression", "--steps", "2")
    events(capsys, *lesson, "--checkpoints", str(kept))
    assert {path.name for path in kept.iterdir()} == {"stage-1", "stage-2"}
    assert "several stages" in complaint(capsys, *lesson, "--resume", str(kept / "stage-1"))
    more = events(
        capsys, "--lesson", "logistic-regression", "--stage", "2", "--steps", "5", "--resume", str(kept / "stage-2")
    )
    assert [step for step, _ in steps(more)] == [3, 4, 5]
    assert {event["stage"] for event in more} == {2}
