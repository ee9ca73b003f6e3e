"""The history in the terminal, and the recording of what the terminal trains."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.cli import BAD_INPUT, main
from engine.config import make_config
from engine.events import Intervened
from engine.runs.opening import FILE
from engine.runs.run_record import RunRecord, RunSummary
from engine.runs.schema import MIGRATIONS
from engine.runs.store import RunStore
from tests.engine.history import CONFIG, epoch_end, keep, started, step, told

ROOT = Path(__file__).parents[2]
TOY = ("train", "--dataset", "gaussians", "--network", "mlp", "--threads", "1", "--steps", "9")


def runs() -> list[RunSummary]:
    with RunStore() as store:
        return store.runs()


def record(run_id: int = 1) -> RunRecord:
    """With no steps: the store is closed again."""
    with RunStore() as store:
        return store.run(run_id)


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `runs` prints."""
    assert main(["runs", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What `runs` answers in JSON."""
    return json.loads(say(capsys, *arguments, "--json"))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that `runs` says to what cannot be."""
    with RunStore() as store:
        before = store.runs()
    assert main(["runs", *arguments]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert runs() == before
    return line


@pytest.fixture
def three(learnscope_home: Path) -> Path:
    """A history of three runs."""
    with RunStore() as store:
        keep(store, told(30), name="first")
        keep(store, told(20, tracked=True))
        with store.record(CONFIG, lesson="two-patterns", stage=2, tags=["slow"]) as recorder:
            for event in [*told(10, reason=None), Intervened(10, "learning_rate", "0.1", "0.2")]:
                recorder.put(event)
    return learnscope_home


class TestTraining:
    def test_is_recorded(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*TOY, "--seed", "7", "--events", "-"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        losses = [event["loss"] for line in out.splitlines() if (event := json.loads(line))["type"] == "step"]
        [run] = runs()
        assert (run.status, run.step, run.seed, run.lesson, run.stage) == ("finished", 9, 7, "", None)
        with RunStore() as store:
            assert store.run(run.id).steps().loss.tolist() == losses

    def test_is_not_where_it_shall_not_be(self, learnscope_home: Path) -> None:
        assert main([*TOY, "--no-record"]) == 0
        assert not (learnscope_home / FILE).exists()

    def test_of_a_lesson_is_recorded_stage_by_stage(self) -> None:
        assert main(["train", "--lesson", "linear-regression", "--steps", "3", "--threads", "1"]) == 0
        found = runs()
        assert {run.lesson for run in found} == {"linear-regression"}
        assert [run.stage for run in found] == list(range(len(found), 0, -1))
        assert {run.status for run in found} == {"finished"}

    def test_that_fails_is_kept_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*TOY, "--optimizer", "sgd", "--loss", "mse", "--lr", "1000", "--steps", "1000"]) == 1
        [run] = runs()
        assert (run.status, run.reason) == ("failed", "diverged")
        assert run.message in capsys.readouterr().err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_that_is_ended_from_outside_is_kept(self, number: signal.Signals) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "engine", *TOY[:-2], "--epochs", "100000", "--events", "-"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert any('"epoch": 200,' in line for line in process.stdout)  # where it dies, its output ends
            process.send_signal(number)
            process.communicate(timeout=60)
        [run] = runs()
        assert run.status == ("stopped" if number is signal.SIGINT else "interrupted")
        assert run.step > 200 or number is signal.SIGKILL

    def test_goes_on_without_a_record_where_none_can_be_kept(
        self, learnscope_home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        learnscope_home.touch()  # a file where the folder should be
        assert main([*TOY, "--events", "-"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out.splitlines()[-1])["type"] == "finished"
        [line] = err.splitlines()
        assert "Runs are not kept" in line

    def test_goes_on_beside_a_history_of_a_newer_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with RunStore(migrations=[*MIGRATIONS, lambda db: None]):  # noqa: ARG005
            pass
        assert main([*TOY, "--events", "-"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out.splitlines()[-1])["type"] == "finished"
        assert "newer Learnscope" in err
        assert "not recorded" in err


@pytest.mark.usefixtures("three")
class TestList:
    def test_has_the_newest_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = say(capsys, "list").splitlines()
        assert [line.split()[0] for line in lines] == ["run", "3", "2", "1"]
        assert "first, adam" in lines[3]
        assert "interrupted" in lines[1]
        assert "(slow)" in lines[1]

    def test_in_json_has_all_of_each(self, capsys: pytest.CaptureFixture[str]) -> None:
        third, _, first = answer(capsys, "list")
        assert (first["id"], first["name"], first["status"], first["step"]) == (1, "first", "finished", 30)
        assert (third["lesson"], third["stage"], third["tags"]) == ("two-patterns", 2, ["slow"])
        assert first["began"].endswith("+00:00")

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            (("first",), [1]),
            (("mlp", "slow"), [3]),
            (("--tag", "slow"), [3]),
            (("--status", "finished"), [2, 1]),
            (("--lesson", "two-patterns"), [3]),
            (("--sort", "step"), [1, 2, 3]),
            (("--sort", "step", "--ascending"), [3, 2, 1]),
            (("--limit", "1"), [3]),
            (("--deleted",), []),
            (("--dataset", "mnist"), []),
        ],
    )
    def test_searches_narrows_and_sorts(
        self, options: tuple[str, ...], found: list[int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert [run["id"] for run in answer(capsys, "list", *options)] == found

    def test_of_none_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["runs", "list", "nothing like it"]) == 0
        assert capsys.readouterr() == ("", "no runs\n")

    def test_takes_what_people_write_as_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        say(capsys, "rename", "1", "[bold]x[/bold] [/]")
        assert "[bold]x[/bold] [/]" in say(capsys, "list")


@pytest.mark.usefixtures("three")
class TestShow:
    def test_says_what_one_wants_to_know(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = say(capsys, "show", "latest")
        for text in ("3: mlp on gaussians", "two-patterns, stage 2", "learning_rate 0.1 → 0.2", "slow", "10 of 10"):
            assert text in shown

    def test_in_json_has_set_up_evaluations_and_interventions(
        self, three: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = answer(capsys, "show", "3")
        assert shown["config"] == json.loads(CONFIG.to_json())
        assert [each["step"] for each in shown["evaluations"]] == [0, 10]
        assert shown["interventions"] == [{"step": 10, "name": "learning_rate", "old": "0.1", "new": "0.2"}]
        assert shown["started"]["threads"] == 1
        assert shown["folder"] == str(three / "runs" / "3")


@pytest.mark.usefixtures("three")
class TestChanging:
    def test_names_notes_and_tags(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        assert answer(capsys, "rename", "latest", "third")[0]["name"] == "third"
        assert answer(capsys, "note", "1", "as expected")[0]["notes"] == "as expected"
        monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
        assert answer(capsys, "note", "1", "-")[0]["notes"] == "one\ntwo"
        assert answer(capsys, "tag", "1", "a", "b c")[0]["tags"] == ["a", "b c"]
        assert answer(capsys, "tag", "1", "a", "--remove")[0]["tags"] == ["b c"]
        assert "third" in say(capsys, "list")

    def test_deletes_brings_back_and_removes(self, three: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (three / "runs" / "2").mkdir(parents=True)
        assert [run["id"] for run in answer(capsys, "delete", "1", "2")] == [1, 2]
        assert [run["id"] for run in answer(capsys, "list")] == [3]
        assert [run["id"] for run in answer(capsys, "list", "--deleted")] == [2, 1]
        answer(capsys, "undelete", "1")
        assert answer(capsys, "purge", "--days", "1") == []
        assert say(capsys, "purge") == "removed 1 run\n"
        assert not (three / "runs" / "2").exists()
        assert [run["id"] for run in answer(capsys, "list")] == [3, 1]


@pytest.mark.usefixtures("three")
class TestExport:
    def test_as_csv_has_a_line_a_step(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "steps.csv"
        assert say(capsys, "export", "2", str(path)) == ""
        head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        assert head == [
            "step", "epoch", "loss", "learning_rate", "seconds", "accuracy",
            "weight", "bias", "gradient of weight", "gradient of bias",
        ]  # fmt: skip
        assert [float(row[2]) for row in rows] == [step(number).loss for number in range(1, 21)]
        assert [row[5] != "" for row in rows] == [number % 10 == 1 for number in range(1, 21)]
        assert tuple(map(float, rows[6][6:])) == (1.0, -1 / 7, 0.0, step(7).loss)
        assert say(capsys, "export", "2", "-") == path.read_text(encoding="utf-8")

    def test_of_evaluations_has_a_line_each(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = list(csv.DictReader(io.StringIO(say(capsys, "export", "1", "-", "--evaluations"))))
        assert [(row["epoch"], row["step"]) for row in rows] == [("0", "0"), ("1", "10"), ("2", "20"), ("3", "30")]
        assert rows[0]["train_loss"] == rows[0]["validation_loss"] == ""
        assert float(rows[2]["test_loss"]) == 0.5

    def test_as_json_has_everything(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "run.json"
        say(capsys, "export", "2", str(path))
        whole = json.loads(path.read_text(encoding="utf-8"))
        assert whole["steps"]["step"] == list(range(1, 21))
        assert whole["steps"]["accuracy"][1] is None
        assert whole["steps"]["parameters"][6] == [1.0, -1 / 7]
        assert {name: whole[name] for name in ("id", "status")} == {"id": 2, "status": "finished"}
        assert whole["config"]["network"]["name"] == "mlp"
        assert answer(capsys, "export", "2", "-") == whole

    def test_of_figures_that_are_no_numbers_is_json_still(self, capsys: pytest.CaptureFixture[str]) -> None:
        with RunStore() as store:
            keep(store, [started(), replace(step(1), loss=math.nan), replace(epoch_end(1), test_loss=math.inf)])
        out = say(capsys, "export", "latest", "-", "--json")
        whole = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert whole["steps"]["loss"] == [None]
        assert whole["evaluations"][0]["test_loss"] is None

    def test_that_fails_leaves_no_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "FILE: " in refusal(capsys, "export", "1", str(tmp_path / "nowhere" / "x.csv"))
        assert ".csv or .json" in refusal(capsys, "export", "1", str(tmp_path / "x.txt"))
        assert [path.name for path in tmp_path.iterdir()] == ["learnscope-home"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "99"), "history: there is no run 99; see `runs list`"),
        (("show", "x"), "RUN: 'x' is not accepted; the number of a run, or latest"),
        (("show", "-1"), "RUN: '-1' is not accepted; the number of a run, or latest"),
        (("show", "9" * 40), f"RUN: '{'9' * 40}' is not accepted; the number of a run, or latest"),
        (("delete", "1", "99"), "history: there is no run 99; see `runs list`"),
        (("rename", "1", "x" * 300), "name: 300 characters are too many; up to 200"),
        (("tag", "1", "a,b"), "tag: 'a,b' is no tag; a word or a few, without a comma"),
        (("list", "--limit", "many"), "--limit: 'many' is not accepted; a number from 0"),
        (("list", "--status", "odd"), "status: 'odd' is none; one of running, finished, stopped, failed, interrupted"),
        (("purge", "--days", "-1"), "--days: '-1' is not accepted; a number of days from 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, *arguments) == line


@pytest.mark.parametrize(("augmentation", "said"), [("none", ""), ("shift", ", augmented: shift")])
def test_show_tells_of_the_augmentation_where_there_is_one(
    augmentation: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunStore() as store:
        keep(store, [], config=make_config({"dataset": "mnist", "augmentation": augmentation}))
    [line] = [line for line in say(capsys, "show", "latest").splitlines() if line.startswith("set-up")]
    assert line.rstrip().endswith(f"constant{said}")


def test_latest_of_no_runs_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "show", "latest") == "history: there are no runs yet"


def test_a_damaged_history_is_named_once(learnscope_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learnscope_home.mkdir()
    (learnscope_home / FILE).write_bytes(b"nothing of the kind" * 100)
    assert main(["runs", "list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "was set aside as" in err
    assert say(capsys, "list", "--deleted", "--json") == "[]\n"


def test_torch_is_not_loaded_by_looking_at_runs() -> None:
    script = (
        "import sys; from engine.cli import main; main(['runs', 'list', '--json']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
