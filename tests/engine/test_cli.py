"""The terminal: JSON events and nothing else, the catalogue, saved set-ups, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from engine.cli import main
from engine.config import load_config, make_config
from engine.parts import CATALOGS

ROOT = Path(__file__).parents[2]
TOY = ("train", "--dataset", "gaussians", "--network", "mlp", "--threads", "1")
PLAIN = {"COLUMNS": "200", "TERM": "dumb", "OMP_NUM_THREADS": "1"}


def events_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line of the standard output, which is JSON or the test fails."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        env={**os.environ, **PLAIN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestEvents:
    def test_are_one_json_object_a_line_and_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*TOY, "--epochs", "2", "--batch-size", "100", "--events", "-"]) == 0
        events = events_of(capsys)
        kinds = [event["type"] for event in events if event["type"] != "preparing"]
        assert kinds == ["started", "evaluation", *(["step"] * 4 + ["epoch"]) * 2, "finished"]
        assert [event["step"] for event in events if event["type"] == "step"] == list(range(1, 9))
        assert all(next(iter(event)) == "type" for event in events)
        assert events[-1]["reason"] == "completed"
        for event in events:
            if event["type"] == "epoch":
                assert 0 <= event["test_accuracy"] <= 1
                assert {"epoch", "train_loss", "test_loss", "validation_loss"} <= event.keys()

    def test_the_first_step_has_the_loss_before_the_update(self, capsys: pytest.CaptureFixture[str]) -> None:
        main([*TOY, "--steps", "1", "--set", "dataset.validation=0", "--batch-size", "500", "--events", "-"])
        by_type = {event["type"]: event for event in events_of(capsys)}
        assert by_type["step"]["loss"] == pytest.approx(0.7, abs=0.2)
        assert by_type["started"]["train_size"] == 500

    def test_go_to_a_file_and_the_epochs_to_the_screen(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "events.jsonl"
        assert main([*TOY, "--epochs", "1", "--events", str(path)]) == 0
        assert json.loads(path.read_text().splitlines()[-1])["type"] == "finished"
        shown = capsys.readouterr().out
        assert "mlp on gaussians: 8,770 parameters" in shown
        assert "epoch 1/1: train loss" in shown
        assert "completed after step 7" in shown

    def test_of_a_run_that_diverges_end_with_the_failure(self, capsys: pytest.CaptureFixture[str]) -> None:
        wild = ("--optimizer", "sgd", "--loss", "mse", "--lr", "1000")
        assert main([*TOY, *wild, "--events", "-"]) == 1
        out, err = capsys.readouterr()
        last = json.loads(out.splitlines()[-1])
        assert (last["type"], last["kind"]) == ("failed", "diverged")
        assert "learning rate" in err

    def test_a_reader_that_leaves_ends_the_run_without_a_word(self) -> None:
        with start(*TOY, "--epochs", "100000", "--events", "-") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(60) == 1
            assert process.stderr.read() == ""


class TestSettings:
    def test_shortcuts_and_set_reach_their_fields(self, tmp_path: Path) -> None:
        main([
            *TOY, "--optimizer", "sgd", "--loss", "huber", "--schedule", "cosine", "--batch-size", "50",
            "--epochs", "9", "--steps", "2", "--lr", "0.25", "--seed", "7", "--device", "cpu",
            "--set", "optimizer.momentum=0.5", "--set", "network.hidden=4,3", "--set", "dataset.noise = 0.1",
            "--save", str(tmp_path),
        ])  # fmt: skip
        config = load_config(tmp_path / "config.json")
        assert config == make_config(
            {"dataset": "gaussians", "network": "mlp", "optimizer": "sgd", "loss": "huber", "schedule": "cosine"},
            {
                "training.batch_size": 50, "training.epochs": 9, "training.steps": 2, "training.seed": 7,
                "training.device": "cpu", "training.threads": 1, "optimizer.learning_rate": 0.25,
                "optimizer.momentum": 0.5, "network.hidden": (4, 3), "dataset.noise": 0.1,
            },
        )  # fmt: skip

    def test_a_saved_run_is_repeated_and_changed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first, other = tmp_path / "first", tmp_path / "other"
        run = (*TOY, "--steps", "5", "--seed", "3", "--lr", "0.02", "--events", "-")
        assert main([*run, "--save", str(first)]) == 0
        original = [event["loss"] for event in events_of(capsys) if event["type"] == "step"]
        again = ("train", "--config", str(first / "config.json"), "--events", "-")
        assert main(list(again)) == 0
        assert [event["loss"] for event in events_of(capsys) if event["type"] == "step"] == original
        assert main([*again, "--steps", "2", "--optimizer", "sgd", "--save", str(other)]) == 0
        assert len([event for event in events_of(capsys) if event["type"] == "step"]) == 2
        changed, saved = load_config(other / "config.json"), load_config(first / "config.json")
        assert changed.network == saved.network
        assert changed.training.seed == 3
        assert changed.optimizer == make_config({"optimizer": "sgd"}).optimizer
        assert load_file(first / "weights.safetensors").keys() == load_file(other / "weights.safetensors").keys()


class TestList:
    @pytest.mark.parametrize("part", list(CATALOGS))
    def test_prints_each_catalogue_with_every_setting(self, part: str, capsys: pytest.CaptureFixture[str]) -> None:
        plural = "losses" if part == "loss" else f"{part}s"
        assert main(["list", plural, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert [entry["name"] for entry in listed] == [entry.name for entry in CATALOGS[part]]
        for entry, shown in zip(CATALOGS[part], listed, strict=True):
            assert [param["name"] for param in shown["params"]] == [param.name for param in entry.params]
            for param in shown["params"]:  # what is printed can be typed
                value = param["default"]
                typed = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                assert entry.resolve({param["name"]: typed}, part=part)
        assert main(["list", plural]) == 0
        assert listed[0]["name"] in capsys.readouterr().out

    def test_of_lessons_is_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "lessons", "--json"]) == 0
        assert isinstance(json.loads(capsys.readouterr().out), list)


class TestTorch:
    def test_is_not_loaded_by_importing_listing_or_mistakes(self) -> None:
        """Its import takes seconds, and these answers need none of it."""
        script = (
            "import sys; from engine.cli import main; main(['list', 'networks', '--json']);"
            "main(['train', '--network', 'x']); sys.exit('torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr


class TestInterrupt:
    def test_while_training_ends_with_the_result_so_far(self, tmp_path: Path) -> None:
        with start(*TOY, "--epochs", "100000", "--events", "-", "--save", str(tmp_path)) as process:
            assert process.stdout is not None
            assert any('"type": "epoch"' in line for line in process.stdout)  # where it dies, its output ends
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        last = json.loads(out.splitlines()[-1])
        assert (last["type"], last["reason"]) == ("finished", "stopped")
        assert last["step"] > 0
        assert "Traceback" not in err
        assert (tmp_path / "weights.safetensors").stat().st_size > 0

    def test_while_torch_is_being_imported_ends_as_well(self) -> None:
        """The program sends itself the signal when it first looks for torch."""
        script = (
            "import os, signal, sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name == 'torch': sys.meta_path.remove(self); os.kill(os.getpid(), signal.SIGINT)\n"
            "from engine.cli import main\n"
            "sys.meta_path.insert(0, Finder())\n"
            f"sys.exit(main([*{TOY!r}, '--events', '-']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 130
        [line] = done.stdout.splitlines()
        assert json.loads(line)["reason"] == "stopped"
        assert done.stderr == ""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_counts_also_while_evaluating(
        self, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("engine.course.evaluate", lambda *_: signal.raise_signal(number))
        before = signal.getsignal(number)
        assert main([*TOY, "--set", "dataset.validation=0", "--events", "-"]) == 130
        last = events_of(capsys)[-1]
        assert (last["type"], last["reason"], last["step"]) == ("finished", "stopped", 0)
        assert signal.getsignal(number) is before

    def test_twice_leaves_at_once(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupt_twice(*_: object) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr("engine.course.evaluate", interrupt_twice)
        assert main([*TOY, "--events", "-"]) == 130
        assert "Traceback" not in capsys.readouterr().err
