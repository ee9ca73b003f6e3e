"""`runs resume` and `runs branch`: ways on from a run of the history, compared bitwise with a run never left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint import load_checkpoint
from engine.cli import INTERRUPTED, main
from engine.cli_past import PastRun
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.events import StepFinished
from engine.runs.store import RunStore
from engine.steps import evaluate
from engine.training import train as train_events
from tests.engine.checkpoint_runs import Doings, small_config
from tests.engine.cli_history import (
    EPOCHS,
    LAST,
    PER_EPOCH,
    SMALL,
    answer,
    equal,
    losses,
    record,
    refusal,
    runs,
    train,
    weights,
)
from tests.engine.history import keep, started, told

ROOT = Path(__file__).parents[2]


def folder(run_id: int) -> Path:
    with RunStore() as store:
        return store.folder(run_id)


def numbers() -> list[int]:
    with RunStore() as store:
        return [run.id for run in store.runs()]


def steered(config: RunConfig, doings: Doings) -> int:
    """The number of a recorded run in which something is done after some steps."""
    control = RunControl()
    with RunStore() as store, store.record(config) as recorder:
        for event in train_events(config, control):
            recorder.put(event)
            if isinstance(event, StepFinished) and event.step in doings:
                doings[event.step](control)
    assert recorder.run_id is not None
    return recorder.run_id


@pytest.fixture
def interrupt_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ctrl-C when the run evaluates for the n-th time: within an epoch's end."""

    def at(evaluation: int) -> None:
        count = 0

        def interrupted(*arguments: Any) -> object:
            nonlocal count
            count += 1
            if count == evaluation:
                signal.raise_signal(signal.SIGINT)
            return evaluate(*arguments)

        monkeypatch.setattr("engine.course.evaluate", interrupted)

    return at


class TestResume:
    def test_to_more_steps_is_one_unbroken_run(self) -> None:
        whole, broken = train(), train("--steps", "8")
        assert runs("resume", str(broken), "--steps", "0") == 0
        assert numbers() == [broken, whole]
        assert losses(broken) == losses(whole)
        assert equal(weights(broken), weights(whole))
        assert record(broken).summary.status == "finished"
        assert record(broken).summary.test_loss == record(whole).summary.test_loss

    def test_goes_on_where_a_person_stopped_it(self, interrupt_at: Callable[[int], None]) -> None:
        whole = train()
        interrupt_at(4)
        assert main(["train", *SMALL, "--epochs", str(EPOCHS), "--events", "/dev/null"]) == INTERRUPTED
        broken = numbers()[0]
        assert record(broken).summary.status == "stopped"
        assert len(losses(broken)) < LAST
        assert runs("resume", "latest") == 0
        assert losses(broken) == losses(whole)
        assert equal(weights(broken), weights(whole))

    def test_goes_on_after_its_process_was_killed(self) -> None:
        run = train("--steps", "8", "--epochs", "100000")
        told = losses(run)
        asked = ("runs", "resume", str(run), "--steps", "0", "--checkpoint-every", "700", "--events", "-")
        with subprocess.Popen(
            [sys.executable, "-m", "engine", *asked],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            while len(told) < 1000:
                event = json.loads(process.stdout.readline())
                if event["type"] == "step":
                    told.append(event["loss"])
            while record(run).summary.step < 1000:  # the process waits for its output to be read, the record goes on
                assert process.poll() is None
            process.kill()
            process.communicate(timeout=60)
        assert record(run).summary.status == "interrupted"
        with RunStore() as store:
            until = load_checkpoint(store.folder(run)).step + 400
        assert until > 1000
        assert runs("resume", str(run), "--steps", str(until)) == 0
        assert len(losses(run)) == until
        assert losses(run)[:1000] == told

    def test_trains_a_finished_run_longer(self) -> None:
        run, longer = train(), train("--epochs", "4")
        assert runs("resume", str(run), "--epochs", "4") == 0
        assert losses(run) == losses(longer)
        assert equal(weights(run), weights(longer))

    def test_tells_how_far_a_longer_run_goes(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--epochs", "1")
        assert runs("resume", str(run), "--epochs", "2") == 0
        shown = capsys.readouterr().out
        assert "continued after step 6." in shown
        assert f"run {run} of the history" in shown
        assert runs("show", str(run)) == 0
        assert "12 of 12, epoch 2 of 2" in capsys.readouterr().out
        # What it had to do last is what it goes on to.
        assert "--epochs" in refusal(capsys, "resume", str(run))

    def test_the_longer_run_is_what_the_history_has_now(self) -> None:
        run = train("--steps", "8")
        assert runs("resume", str(run), "--steps", "0", "--epochs", "4") == 0
        config = record(run).config
        assert (config.training.epochs, config.training.steps, record(run).summary.epochs) == (4, 0, 4)
        with RunStore() as store:
            assert load_checkpoint(store.folder(run)).config == config

    @pytest.mark.parametrize("how", ["runs resume", "train --resume"])
    def test_a_schedule_that_spans_the_run_is_branched_instead(
        self, how: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = train("--schedule", "one_cycle", "--epochs", "2")
        if how == "runs resume":
            said = refusal(capsys, "resume", str(run), "--epochs", "3")
            assert said.startswith(f"RUN: run {run} cannot go on to another end: its schedule (one_cycle) spans the 12")
            assert said.endswith(f"`runs branch {run} --step 12 --epochs 3`")
        else:
            before = record(run).summary
            assert main(["train", "--resume", str(folder(run)), "--epochs", "3"]) == 2
            assert "its schedule (one_cycle) spans the 12 steps" in capsys.readouterr().err
            assert record(run).summary == before
        child = answer(capsys, "branch", str(run), "--step", "12", "--epochs", "3")
        assert (child["step"], child["epochs"], child["schedule"]) == (18, 3, "one_cycle")

    def test_answers_in_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--steps", "8")
        found = answer(capsys, "resume", str(run), "--steps", "10")
        assert (found["id"], found["step"], found["status"]) == (run, 10, "finished")
        assert runs("resume", str(run), "--steps", "12", "--events", "-") == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["step"] for line in lines if line["type"] == "step"] == [11, 12]

    def test_what_cannot_go_on_is_refused_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        done = str(train("--steps", "4"))
        said = f"--steps: run {done} has done all of its 4 steps; a larger number, or 0 for no limit"
        assert refusal(capsys, "resume", done) == said
        assert refusal(capsys, "resume", done, "--steps", "3") == said
        assert "training.epochs" in refusal(capsys, "resume", done, "--epochs", "none")
        assert "checkpoint-every" in refusal(capsys, "resume", done, "--checkpoint-every", "soon")
        assert "--json" in refusal(capsys, "resume", done, "--json", "--events", "-")
        assert "there is no run 9" in refusal(capsys, "resume", "9")
        shutil.rmtree(folder(int(done)))
        assert f"runs branch {done} --step N" in refusal(capsys, "resume", done, "--steps", "9")
        patient = str(train("--set", "training.patience=1", "--lr", "2", "--optimizer", "sgd", "--epochs", "50"))
        assert "early stopping" in refusal(capsys, "resume", patient, "--epochs", "90")
        wild = ("--optimizer", "sgd", "--loss", "mse", "--lr", "1000", "--events", "/dev/null")
        assert main(["train", *SMALL, *wild]) == 1
        assert "diverged" in refusal(capsys, "resume", "latest")

    def test_a_run_under_way_is_left_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        with RunStore() as store, store.record(small_config()) as recorder:
            recorder.put(started())
            assert runs("resume", "latest") == 2
            assert runs("branch", "latest", "--step", "0") == 2
        assert capsys.readouterr().err.count("RUN: run 1 is still running; wait for its end, or stop it") == 2


class TestTrainResume:
    @pytest.mark.parametrize("file", ["", "latest.safetensors"])
    def test_records_into_the_run_whose_folder_it_is(self, file: str) -> None:
        whole, broken = train(), train("--steps", "8")
        where = str(folder(broken) / file)
        assert main(["train", "--resume", where, "--steps", "0", "--events", "/dev/null"]) == 0
        assert numbers() == [broken, whole]
        assert record(broken).config == record(whole).config
        assert losses(broken) == losses(whole)
        assert equal(weights(broken), weights(whole))

    def test_records_a_new_run_from_anywhere_else(self, tmp_path: Path) -> None:
        broken = train("--steps", "8")
        shutil.copytree(folder(broken), tmp_path / "taken")
        assert main(["train", "--resume", str(tmp_path / "taken"), "--steps", "0", "--events", "/dev/null"]) == 0
        assert len(numbers()) == 2
        assert len(losses(broken)) == 8
        assert len(losses(numbers()[0])) == LAST - 8

    def test_another_set_up_leaves_the_record_as_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--steps", "8")
        before = record(run).summary
        assert main(["train", "--resume", str(folder(run)), "--lr", "0.3"]) == 2
        assert "optimizer.learning_rate differs" in capsys.readouterr().err
        assert record(run).summary == before


class TestBranch:
    @pytest.mark.parametrize("step", [0, 4, PER_EPOCH, PER_EPOCH + 2])
    def test_with_nothing_changed_repeats_its_parent(self, step: int, capsys: pytest.CaptureFixture[str]) -> None:
        parent = train("--optimizer", "adam", "--schedule", "one_cycle")
        child = answer(capsys, "branch", str(parent), "--step", str(step), "--name", "again")
        assert (child["parent"], child["parent_step"], child["name"]) == (parent, step, "again")
        assert losses(child["id"]) == losses(parent)[step:]
        assert equal(weights(child["id"]), weights(parent))
        assert len(losses(parent)) == LAST

    def test_repeats_what_was_changed_by_hand_before_and_after(self, capsys: pytest.CaptureFixture[str]) -> None:
        doings: Doings = {
            2: lambda control: control.change(Change("learning_rate", 0.123456789012)),
            5: lambda control: control.change(ScheduleChange("step", {"every_epochs": 1, "factor": 0.25})),
            9: lambda control: control.change(Change("momentum", 0.7)),
        }
        parent = steered(small_config({"optimizer": "sgd"}, network__dropout=0.2), doings)
        for step in (1, 5, 7, 9, 12):
            child = answer(capsys, "branch", str(parent), "--step", str(step))
            assert losses(child["id"]) == losses(parent)[step:]
            assert child["schedule"] == ("constant" if step < 5 else "step")

    def test_goes_another_way(self, capsys: pytest.CaptureFixture[str]) -> None:
        parent = train()
        options = ("--lr", "0.3", "--schedule", "cosine", "--set", "optimizer.beta1=0.5")
        child = answer(capsys, "branch", str(parent), "--step", "8", *options)
        assert (child["learning_rate"], child["schedule"], child["network"]) == (0.3, "cosine", "mlp")
        first, *later = losses(child["id"])
        assert first == losses(parent)[8]  # the same weights, batch and dropout
        assert later[0] != losses(parent)[9]
        config = record(child["id"]).config
        assert config.optimizer.params["beta1"] == 0.5
        assert config.network == record(parent).config.network

    def test_of_a_branch_is_reached_through_its_parent(self, capsys: pytest.CaptureFixture[str]) -> None:
        parent = train()
        child = answer(capsys, "branch", str(parent), "--step", "5", "--optimizer", "sgd", "--lr", "0.2")["id"]
        before = losses(child)
        shutil.rmtree(folder(child))
        shutil.rmtree(folder(parent))
        grandchild = answer(capsys, "branch", str(child), "--step", "9")["id"]
        assert losses(grandchild) == before[9 - 5 :]
        assert "--step: nothing is kept of step 3 or before" in refusal(
            capsys, "branch", str(child), "--step", "3", "--lr", "1"
        )

    def test_begins_at_the_nearest_checkpoint(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--steps", "8")
        assert runs("resume", str(run), "--steps", "0", "--checkpoint-every", "7") == 0

        def trained(step: int) -> set[float]:
            """How far it was, as shares of all its steps, when it told of steps that it trained again."""
            told: list[tuple[str, float | None]] = []
            with RunStore() as store:
                past = PastRun(store, run, report=lambda what, done: told.append((what, done)))
                assert past.reach(step).step == step
            return {round(step * (done or 0)) for what, done in told if what == "Training it again"}

        assert {step: trained(step) for step in (0, 14, LAST)} == {0: set(), 14: set(), LAST: set()}
        assert trained(16) == {15, 16}
        assert trained(5) == {1, 2, 3, 4, 5}
        (folder(run) / "previous.safetensors").write_bytes(b"damaged")
        assert trained(16) >= {2, 16}
        child = answer(capsys, "branch", str(run), "--step", "16")["id"]
        assert losses(child) == losses(run)[16:]

    def test_of_a_past_that_was_another_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        with RunStore() as store:
            made_up = keep(store, told(LAST, per_epoch=PER_EPOCH), config=small_config())
        assert runs("branch", str(made_up), "--step", "4") == 2
        assert "--step: trained again here, step 1 has the loss" in capsys.readouterr().err

    def test_what_cannot_be_is_refused_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = str(train())
        assert refusal(capsys, "branch", run, "--step", "19") == f"--step: run {run} did 18 steps; 0 to 18"
        assert "--step: '-1'" in refusal(capsys, "branch", run, "--step=-1")
        assert "training.epochs" in refusal(capsys, "branch", run, "--step", str(LAST))
        assert "network" in refusal(capsys, "branch", run, "--step", "4", "--set", "network.hidden=9")
        assert "optimizer" in refusal(capsys, "branch", run, "--step", "4", "--optimizer", "adma")
        assert "optimizer.learning_rate" in refusal(capsys, "branch", run, "--step", "4", "--lr", "fast")
        assert "name: " in refusal(capsys, "branch", run, "--step", "4", "--name", "x" * 300)

    def test_ctrl_c_on_the_way_there_leaves_nothing(
        self, interrupt_at: Callable[[int], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = train()
        shutil.rmtree(folder(run))
        interrupt_at(3)
        assert runs("branch", str(run), "--step", "16") == INTERRUPTED
        assert numbers() == [run]
        assert "Traceback" not in capsys.readouterr().err
