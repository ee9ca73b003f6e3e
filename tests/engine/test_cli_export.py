"""`runs export` and `runs open`: what is taken away is what the run was, and what came from elsewhere is checked."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.archive import open_archive
from engine.checkpoint import load_checkpoint
from engine.cli import BAD_INPUT
from engine.config import load_config
from engine.events import StepFinished
from engine.runs.store import RunStore
from engine.script import write_script
from engine.weight_hash import weight_hash
from tests.engine.cli_history import LAST, answer, equal, losses, record, refusal, runs, train, weights
from tests.engine.history import keep, told


def test_each_name_says_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train()
    found, known = weights(run), record(run)
    assert known.started is not None

    def export(name: str, *options: str) -> Path:
        said = answer(capsys, "export", str(run), f"{tmp_path}/{name}", *options)
        assert (said["run"], said["file"]) == (run, f"{tmp_path}/{name}")
        if "weights" in said:
            assert (said["weights"], said["step"]) == (weight_hash(found), LAST)
        return tmp_path / name

    assert equal(load_file(export("w.safetensors")), found)
    assert equal(torch.load(export("w.pt"), weights_only=True), found)
    assert equal(torch.load(export("w.bin", "--as", "state-dict"), weights_only=True), found)
    assert load_config(export("set-up.json", "--as", "config")) == known.config
    started = known.started
    text = write_script(known.config, threads=started.threads, memory_format=started.memory_format, device="CPU")
    assert export("run.py").read_text(encoding="utf-8") == text
    for archive in (export("run.zip"), export("folder/"), export("another", "--as", "folder")):
        opened = open_archive(archive)
        assert (opened.config, opened.hash, opened.script) == (known.config, weight_hash(found), text)
        assert [event.loss for event in opened.events() if isinstance(event, StepFinished)] == losses(run)
    assert json.loads(export("run.json").read_text(encoding="utf-8"))["steps"]["loss"] == losses(run)


def test_to_the_standard_output_goes_what_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    run = str(train())
    capsys.readouterr()
    assert runs("export", run, "-", "--as", "script") == 0
    out, err = capsys.readouterr()
    compile(out, "script.py", "exec")
    assert err == ""
    assert runs("export", run, "-", "--as", "config") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(record(int(run)).config.to_json())
    assert runs("export", run, "-", "--as", "evaluations") == 0
    assert capsys.readouterr().out.count("\n") == 1 + 1 + 3
    assert refusal(capsys, "export", run, "-", "--as", "zip").startswith("FILE: zip cannot go to")


def test_the_weights_of_any_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, whole = train("--steps", "8"), train()
    path = tmp_path / "w.safetensors"
    said = answer(capsys, "export", str(whole), str(path), "--step", "8")
    assert (said["step"], said["weights"]) == (8, weight_hash(weights(short)))
    assert equal(load_file(path), weights(short))
    assert "--step: only weights" in refusal(capsys, "export", str(whole), str(tmp_path / "x.zip"), "--step", "8")
    assert "0 to 18" in refusal(capsys, "export", str(whole), str(path), "--step", "19")


def test_a_continued_run_is_taken_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("--epochs", "1")
    assert runs("resume", str(run), "--epochs", "3") == 0
    whole = train()
    first, second = (answer(capsys, "export", str(n), str(tmp_path / f"{n}.zip")) for n in (run, whole))
    assert first["weights"] == second["weights"]
    assert open_archive(tmp_path / f"{run}.zip").script == open_archive(tmp_path / f"{whole}.zip").script != ""
    assert open_archive(tmp_path / f"{run}.zip").config.training.epochs == 3


def test_of_an_interrupted_run_the_newest_weights_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("--steps", "8")
    with RunStore() as store:
        died = keep(store, told(10, reason=None), config=record(run).config)
        shutil.copytree(store.folder(run), store.folder(died))
        step = load_checkpoint(store.folder(died)).step
    capsys.readouterr()
    path = tmp_path / "w.pt"
    assert runs("export", str(died), str(path)) == 0
    assert f"The run was interrupted: these are the weights after step {step}." in capsys.readouterr().err
    assert equal(torch.load(path, weights_only=True), weights(run))
    shutil.rmtree(tmp_path / "learnscope-home" / "runs" / str(died))
    assert "has no weights" in refusal(capsys, "export", str(died), str(path))


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(train())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    assert "folder: the folder full is not empty" in refusal(capsys, "export", run, str(tmp_path / "full"))
    assert "--as: 'gif' is not accepted; one of steps," in refusal(capsys, "export", run, "x", "--as", "gif")
    for name in ("w.safetensors", "w.pt", "run.zip", "run.py"):
        line = refusal(capsys, "export", run, str(tmp_path / "nowhere" / name))
        assert line.startswith("FILE: ")
        assert "No such file or directory" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "learnscope-home"]


class TestOpen:
    def test_says_what_is_in_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--lr", "0.025")
        path = tmp_path / "run.zip"
        answer(capsys, "export", str(run), str(path))
        shutil.rmtree(tmp_path / "learnscope-home")  # as on another computer
        found = answer(capsys, "open", str(path))
        assert found["weights"] == weight_hash(open_archive(path).weights)
        assert found["config"]["optimizer"]["params"]["learning_rate"] == 0.025
        assert (found["ending"]["step"], found["script"]) == (LAST, True)
        assert runs("open", str(path)) == 0
        shown = capsys.readouterr().out
        for text in ("mlp on gaussians", "learning rate 0.025", "completed after step 18", found["weights"]):
            assert text in shown
        assert not (tmp_path / "learnscope-home").exists()

    def test_or_taken_in_it_is_a_run_as_any_other(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = train("--lr", "0.025")
        path, again = tmp_path / "run.zip", tmp_path / "again.pt"
        said = answer(capsys, "export", str(run), str(path))
        before = losses(run)
        shutil.rmtree(tmp_path / "learnscope-home")
        taken = answer(capsys, "import", str(path))
        assert (taken["learning_rate"], taken["status"], taken["step"]) == (0.025, "finished", LAST)
        assert losses(taken["id"]) == before
        assert answer(capsys, "export", str(taken["id"]), str(again))["weights"] == said["weights"]
        assert answer(capsys, "branch", str(taken["id"]), "--step", "7")["step"] == LAST
        path.write_bytes(path.read_bytes()[:-100])
        assert refusal(capsys, "import", str(path)).startswith("archive: run.zip")

    def test_believes_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = train()
        path, other = tmp_path / "run.zip", tmp_path / "other.zip"
        answer(capsys, "export", str(run), str(path))
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(other, "w") as changed:
            for name in whole.namelist():
                data = whole.read(name)
                changed.writestr(name, data.replace(b"0.", b"1.", 1) if name == "events.jsonl" else data)
        assert runs("open", str(other)) == BAD_INPUT
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("archive: events.jsonl is not the file that manifest.json speaks of; ")
        assert len(err.splitlines()) == 1
        assert runs("open", str(tmp_path / "nothing.zip")) == BAD_INPUT
