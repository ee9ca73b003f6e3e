"""Verifying: a script is run by itself, and what came of it is said in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from engine import cli
from engine.config import make_config
from engine.errors import InputError
from engine.events import Intervened
from engine.lessons import lessons
from engine.script import verify as verify_module
from engine.script.verify import Verdict, Verifying, check_script, verify
from tests.engine.runs import toy_config

HASH = hashlib.sha256(b"weights").hexdigest()


def outcome(checking: Generator[Verifying, None, Verdict]) -> tuple[Verdict, list[Verifying]]:
    told = []
    while True:
        try:
            told.append(next(checking))
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict, told


def checked(tmp_path: Path, text: str, *, epochs: int = 0, timeout: float = 60.0) -> tuple[Verdict, list[Verifying]]:
    return outcome(check_script(text, HASH, folder=tmp_path, epochs=epochs, timeout=timeout))


def test_equal_weights_are_said_to_be_equal(tmp_path: Path) -> None:
    verdict, _ = checked(tmp_path, f"print('epoch 1: fine')\nprint('weights {HASH}')")
    assert (verdict.outcome, verdict.expected, verdict.found) == ("equal", HASH, HASH)
    assert "equal to the last bit" in verdict.message
    assert "epoch 1: fine" in verdict.output


def test_other_weights_are_said_to_be_different(tmp_path: Path) -> None:
    verdict, _ = checked(tmp_path, f"print('weights {'0' * 64}')")
    assert (verdict.outcome, verdict.found) == ("different", "0" * 64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('no data here')", "The script ended with an error: ValueError: no data here"),
        ("raise SystemExit(3)", "The script ended with an error: exit status 3"),
        ("print('weights of no hash')", "The script ended without telling the hash of its weights."),
        ("", "The script ended without telling the hash of its weights."),
    ],
)
def test_a_script_that_does_not_get_there_has_failed(tmp_path: Path, text: str, message: str) -> None:
    verdict, _ = checked(tmp_path, text)
    assert (verdict.outcome, verdict.message, verdict.found) == ("failed", message, "")


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    verdict, _ = checked(tmp_path, "import time\nprint('begun')\nwhile True: time.sleep(1)", timeout=0.5)
    assert verdict.outcome == "failed"
    assert "took longer than" in verdict.message


@pytest.mark.parametrize(
    "line",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
        "urllib.request.urlopen('http://example.org')",
    ],
)
def test_a_script_gets_no_network(tmp_path: Path, line: str) -> None:
    verdict, _ = checked(tmp_path, f"import socket, urllib.request\n{line}\nprint('weights {HASH}')")
    assert verdict.outcome == "failed"
    assert "there is no network while a script is verified" in verdict.output


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    text = """
import pathlib, time
for epoch in range(1, 5):
    print(f"epoch {epoch}: test loss 0.1")
    while not pathlib.Path(f"seen-{epoch}").exists():
        time.sleep(0.01)
"""
    checking = check_script(text, HASH, folder=tmp_path, epochs=4)
    shares = []
    while True:
        try:
            told = next(checking)
        except StopIteration:
            break
        if told.done is not None and told.done not in shares:
            shares.append(told.done)
            (tmp_path / f"seen-{len(shares)}").touch()
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_closing_ends_the_script_at_once(tmp_path: Path) -> None:
    text = """
import os, pathlib, time
pathlib.Path("unfinished").write_text(str(os.getpid()))
pathlib.Path("unfinished").rename("process")
while True:
    time.sleep(1)
"""
    checking = check_script(text, HASH, folder=tmp_path)
    while not (tmp_path / "process").exists():
        next(checking)
    checking.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "process").read_text()), 0)


def test_a_run_s_script_is_verified_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way: the terminal trains, writes the script, and runs it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    config = make_config(
        {"dataset": "mnist", "network": "mnist_mlp"}, {"training.steps": 3, "training.evaluate_first": False}
    )
    (tmp_path / "config.json").write_text(config.to_json(), encoding="utf-8")
    arguments = ["--config", str(tmp_path / "config.json"), "--output", str(tmp_path / "script.py"), "--verify"]
    assert cli.main(["script", *arguments]) == 0
    said = capsys.readouterr()
    assert not said.out
    assert "The script gives the run's weights, equal to the last bit." in said.err
    assert (tmp_path / "script.py").read_text(encoding="utf-8").startswith('"""MNIST perceptron on MNIST')
    assert not list((tmp_path / "temporary").glob("learnscope*"))


def test_a_difference_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "write_script", lambda *_, **__: f"print('weights {'0' * 64}')")
    for interventions, device, reason in (
        ((), "CPU", "Another version of PyTorch"),
        ((), "CUDA · GPU", "graphics processor"),
        ((Intervened(1, "learning_rate", "1", "2"),), "", "to six digits only"),
    ):
        checking = verify(toy_config(), interventions, HASH, threads=1, memory_format="contiguous", device=device)
        verdict, _ = outcome(checking)
        assert verdict.outcome == "different"
        assert reason in verdict.message


def test_data_that_is_not_here_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEARNSCOPE_DATA", str(tmp_path))
    config = make_config({"dataset": "fashion_mnist"}, {"training.steps": 1})
    with pytest.raises(InputError, match=r"^script: Fashion-MNIST is not on this computer.*FashionMNIST/raw"):
        next(verify(config, (), HASH, threads=1, memory_format="contiguous"))


def test_a_downloaded_set_is_handed_over_without_being_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(b"images")
    monkeypatch.setenv("LEARNSCOPE_DATA", str(tmp_path))
    text = f"""
import pathlib, sys
folder = pathlib.Path(sys.argv[2])
assert sys.argv[1] == "--data"
assert (folder / "FashionMNIST/raw/train-images-idx3-ubyte.gz").read_bytes() == b"images"
(folder / "FashionMNIST/raw/train-images-idx3-ubyte").write_bytes(b"unpacked")
print("weights {HASH}")
"""
    monkeypatch.setattr(verify_module, "write_script", lambda *_, **__: text)
    config = make_config({"dataset": "fashion_mnist"}, {"training.steps": 1})
    verdict, _ = outcome(verify(config, (), HASH, threads=1, memory_format="contiguous"))
    assert verdict.outcome == "equal", verdict.output
    assert [path.name for path in raw.iterdir()] == ["train-images-idx3-ubyte.gz"]


# The terminal.


def test_the_terminal_writes_a_script_of_every_stage_of_every_lesson(capsys: pytest.CaptureFixture[str]) -> None:
    for lesson in lessons():
        for number in range(1, len(lesson.stages) + 1):
            assert cli.main(["script", "--lesson", lesson.name, "--stage", str(number)]) == 0
            compile(capsys.readouterr().out, lesson.name, "exec")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lesson", "nonsense"], "lesson: unknown lesson 'nonsense'"),
        (["--lesson", "mnist-mlp", "--stage", "99"], "99"),
        (["--lesson", "mnist-mlp", "--stage", "x"], "--stage: 'x' is not a stage; 1 to 1"),
        (["--lesson", "optimizer-rules"], "stages, and a script is of one"),
        (["--config", "nowhere.json"], "config: nowhere.json cannot be read"),
        (["--config", "nowhere.json", "--stage", "1"], "--stage: there is no lesson"),
        (["--lesson", "mnist-mlp", "--output", "/dev/null/script.py"], "--output: /dev/null/script.py cannot be"),
    ],
)
def test_bad_arguments_are_answered_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["script", *arguments]) == cli.BAD_INPUT
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_one_set_up_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--lesson", "mnist-mlp", "--config", "x"]):
        with pytest.raises(SystemExit) as end:
            cli.main(["script", *arguments])
        assert end.value.code == cli.BAD_INPUT
        assert capsys.readouterr().err.count("\n") == 1
