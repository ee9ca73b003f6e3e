"""What a person gets wrong in the terminal is answered in one line that names the field, with status 2."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from engine.assembly import assemble
from engine.catalog import Catalog, Params
from engine.cli import main
from engine.config import RunConfig, make_config
from engine.control import RunControl
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetEntry, Loading, Samples
from engine.datasets.library import Library
from engine.datasets.mnist import load_mnist
from engine.devices import available_devices, pick_device
from engine.errors import InputError
from engine.events import Event, Failed, Preparing, StepFinished
from engine.training import train
from tests.engine.runs import dataset_of, of_kind, toy_config

TOY = ("--dataset", "gaussians", "--network", "mlp", "--threads", "1")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr."""
    assert main(["train", *arguments]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    [line] = err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "field", "accepted"),
    [
        (["--dataset", "mnits"], "dataset", "did you mean mnist"),
        (["--network", "alexnet"], "network", "known are lenet5"),
        (["--optimizer", "Adam"], "optimizer", "did you mean adam"),
        (["--loss", "entropy"], "loss", "cross_entropy"),
        (["--schedule", "linear"], "schedule", "constant"),
        (["--lr", "-0.1"], "optimizer.learning_rate", "above 0"),
        (["--lr", "nan"], "optimizer.learning_rate", "a number above 0"),
        (["--lr", "fast"], "optimizer.learning_rate", "a number above 0"),
        (["--epochs", "0"], "training.epochs", "from 1"),
        (["--epochs", "1.5"], "training.epochs", "a whole number"),
        (["--steps", "-1"], "training.steps", "from 0"),
        (["--seed", "99999999999999999999"], "training.seed", "a whole number from 0"),
        (["--threads", "two"], "training.threads", "a whole number"),
        (["--batch-size", "0"], "training.batch_size", "from 1"),
        (["--batch-size", "60000"], "training.batch_size", "up to 55,000"),
        (["--device", "gpu"], "training.device", "auto, cpu, cuda, mps"),
        (["--device", "cuda"], "training.device", "use cpu"),
        (["--dataset", "xor", "--network", "lenet5"], "network", "these fit"),
        (["--set", "nonsense"], "--set", "PART.PARAM=VALUE"),
        (["--set", "=3"], "--set", "PART.PARAM=VALUE"),
        (["--set", "momentum=0.9"], "momentum", "write PART.PARAM"),
        (["--set", "optimizer.momentum=0.9"], "optimizer.momentum", "known are"),
        (["--set", "network.hidden=3,,x", "--network", "mlp"], "network.hidden", "128,64"),
        (["--set", "network.hidden=0", "--network", "mlp"], "network.hidden", "from 1"),
        (["--set", "loss.label_smoothing=2"], "loss.label_smoothing", "up to 0.5"),
        (["--set", "dataset.validation=50000"], "dataset.validation", "up to 30000"),
        (["--set", "training.patience=3", "--set", "dataset.validation=0"], "training.patience", "validation"),
        (["--set", "training.precision=half"], "training.precision", "one of float32, mixed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("no_gpu")
def test_in_the_terminal_names_the_field_and_what_would_work(
    arguments: list[str], field: str, accepted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "cuda" in arguments:
        arguments = [*TOY, *arguments]  # it is the run that finds no such device
    line = answer(capsys, *arguments)
    assert line.startswith(f"{field}: ")
    assert accepted in line


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--lr"], ["extra"], []])
def test_arguments_that_are_none_are_answered_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", *arguments] if arguments else [])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


class TestFiles:
    def test_a_set_up_that_is_missing_damaged_or_of_tomorrow(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "run.json"
        assert "run.json cannot be read" in answer(capsys, "--config", str(path))
        sound = make_config().to_json()
        for text, problem in (
            (sound[:100], "run.json is not JSON"),
            (sound.replace('"schema_version": ', '"schema_version": 9'), "newer Learnscope"),
            (sound.replace('"lenet5"', '"lenet6"'), "network: unknown network 'lenet6'"),
        ):
            path.write_text(text)
            assert problem in answer(capsys, "--config", str(path))

    @pytest.mark.parametrize("option", ["--events", "--save"])
    def test_a_target_that_cannot_be_written(
        self, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A path through a file; a folder that is not there is made for `--save` only."""
        (tmp_path / "file").write_text("kept")
        line = answer(capsys, *TOY, option, str(tmp_path / "file" / "below"))
        assert line.startswith(f"{option}: ")
        assert "cannot be written" in line
        assert (tmp_path / "file").read_text() == "kept"

    def test_events_into_a_folder_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = answer(capsys, *TOY, "--events", str(tmp_path / "missing" / "events.jsonl"))
        assert line.startswith("--events: ")
        assert "No such file or directory" in line

    def test_a_save_target_is_tried_before_the_training(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read_only(**_: object) -> NoReturn:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr("engine.cli.tempfile.TemporaryFile", read_only)
        monkeypatch.setattr("engine.training.train", lambda *_: pytest.fail("it trains"))
        assert "Read-only file system" in answer(capsys, *TOY, "--save", str(tmp_path))

    def test_a_disk_that_is_full_at_the_end(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("engine.files.os.fsync", full)
        folder = tmp_path / "result"
        line = answer(capsys, *TOY, "--steps", "1", "--save", str(folder))
        assert line == f"--save: {folder} cannot be written: No space left on device"
        assert not list(folder.iterdir())

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no always-full device here")
    def test_a_disk_that_is_full_of_events(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = answer(capsys, *TOY, "--steps", "1", "--events", "/dev/full")
        assert line == "--events: /dev/full cannot be written: No space left on device"

    @pytest.mark.parametrize("damage", [bytes, lambda data: data[:5000], lambda data: b"\x1f\x8b" + data[300:]])
    def test_a_dataset_file_that_is_empty_cut_short_or_damaged(
        self,
        damage: Callable[[bytes], bytes],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        name = "train-images-idx3-ubyte.gz"
        whole = (Path(__file__).parents[2] / "assets" / "mnist" / name).read_bytes()
        (tmp_path / name).write_bytes(b"" if damage is bytes else damage(whole))
        damaged = replace(DATASETS["mnist"], load=lambda params: load_mnist(params, folder=tmp_path))
        monkeypatch.setattr(
            "engine.datasets.library.Library", lambda: Library(catalog=Catalog("dataset", DatasetEntry, [damaged]))
        )
        line = answer(capsys, "--network", "mnist_mlp", "--threads", "1")
        assert line.startswith(f"dataset: {name} ")


class TestRuns:
    """What shows only once a run has begun ends it with Failed."""

    def run(self, config: RunConfig, library: Library | None = None) -> Failed:
        events: list[Event] = list(train(config, RunControl(), library=library))
        assert isinstance(events[-1], Failed)
        assert not of_kind(events[:-1], Failed)
        return events[-1]

    def library(self, load: Callable[[Params], Loading]) -> Library:
        entry = replace(DATASETS["gaussians"], load=load)
        return Library(catalog=Catalog("dataset", DatasetEntry, [entry]))

    def cut(self, *, train: int, test: int) -> Library:
        """The set with fewer samples than it claims."""
        data = dataset_of(toy_config())

        def load(_: Params) -> Loading:
            yield Preparing("Loading")
            first = Samples(data.train.inputs[:train], data.train.targets[:train])
            return Dataset(
                data.info, first, data.validation, Samples(data.test.inputs[:test], data.test.targets[:test])
            )

        return self.library(load)

    @pytest.mark.usefixtures("no_gpu")
    @pytest.mark.parametrize("device", ["cuda", "mps"])
    def test_a_device_that_is_not_there(self, device: str) -> None:
        failed = self.run(toy_config(training__device=device))
        assert (failed.kind, failed.field, failed.step) == ("input", "training.device", 0)
        assert f"there is no {device.upper()} device on this computer; use cpu" in failed.message

    @pytest.mark.usefixtures("no_gpu")
    def test_auto_takes_what_there_is(self) -> None:
        assert available_devices() == ("cpu",)
        assert pick_device("auto", "float32").label == "CPU"

    def test_fewer_samples_than_a_batch(self) -> None:
        failed = self.run(toy_config(), self.cut(train=10, test=10))
        assert (failed.kind, failed.field) == ("input", "training.batch_size")
        assert "up to 10" in failed.message

    def test_no_test_samples(self) -> None:
        failed = self.run(toy_config(), self.cut(train=400, test=0))
        assert (failed.kind, failed.field) == ("input", "dataset")

    @pytest.mark.parametrize(
        ("given", "field", "problem"),
        [
            ({"fc9.weight": [1.0]}, "initial_parameters.fc9.weight", "known are fc1.weight"),
            ({"fc2.bias": [1.0]}, "initial_parameters.fc2.bias", r"it must be \(2,\)"),
            ({"fc2.bias": [[1.0], [2.0, 3.0]]}, "initial_parameters.fc2.bias", "nested list of numbers"),
            ({"fc2.bias": ["a", "b"]}, "initial_parameters.fc2.bias", "nested list of numbers"),
            ({"fc2.bias": [1.0, None]}, "initial_parameters.fc2.bias", "nested list of numbers"),
            ({"fc2.bias": [1.0, float("nan")]}, "initial_parameters.fc2.bias", "finite"),
            ({"fc2.bias": [1.0, 10**400]}, "initial_parameters.fc2.bias", "nested list of numbers"),
        ],
    )
    def test_initial_parameters_that_do_not_fit(self, given: dict[str, object], field: str, problem: str) -> None:
        config = toy_config().model_copy(update={"initial_parameters": given})
        assert self.run(config).field == field
        with pytest.raises(InputError, match=problem):
            assemble(config)

    @pytest.mark.parametrize(
        "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError()]
    )
    def test_too_little_memory_names_the_batch_size(self, error: Exception) -> None:
        def load(_: Params) -> Loading:
            yield Preparing("Loading")
            raise error

        failed = self.run(toy_config(), self.library(load))
        assert (failed.kind, failed.field) == ("error", "training.batch_size")
        assert "smaller batch size" in failed.message

    def test_an_error_of_torchs_says_how_far_the_run_came(self, monkeypatch: pytest.MonkeyPatch) -> None:
        control = RunControl()
        events: list[Event] = []

        def broken(*_: object, **__: object) -> NoReturn:
            raise RuntimeError("a kernel failed")

        for event in train(toy_config(), control):
            events.append(event)
            if isinstance(event, StepFinished) and event.step == 4:
                monkeypatch.setattr("engine.course.train_step", broken)
        assert events[-1] == Failed("error", "The run ended after step 4: a kernel failed", 4)
        assert control.live is not None
        assert control.live.weights()
