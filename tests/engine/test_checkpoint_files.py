"""Checkpoints' files: whole or refused, whatever happened to them, to the disk or to the process that wrote them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import engine.training
from engine.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoint_folder import BEST, LATEST, PREVIOUS, CheckpointPolicy
from engine.checkpoint_writer import MOST_WAITING, CheckpointWriter
from engine.config import RunConfig
from engine.errors import InputError
from engine.events import CheckpointFailed, CheckpointSaved, Failed, Finished, StepFinished
from engine.files import write_pieces_atomically
from engine.training import train
from tests.engine.checkpoint_child import LONG
from tests.engine.checkpoint_runs import interrupted, rewritten, run, small_config
from tests.engine.runs import losses, of_kind

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # s


def made(folder: Path, config: RunConfig) -> Checkpoint:
    interrupted(config, folder, stop=4)
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return made(tmp_path_factory.mktemp("adam"), small_config({"optimizer": "adam"}))


@pytest.fixture
def file(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    return rewritten(checkpoint, tmp_path / LATEST)


def reason(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        load_checkpoint(path)
    assert refusal.value.field == "checkpoint"
    return refusal.value.problem


class TestFormat:
    def test_other_programs_can_read_the_weights(self, checkpoint: Checkpoint, file: Path) -> None:
        found = load_file(file)
        for name, value in checkpoint.weights.items():
            assert torch.equal(found[f"model.{name}"], value)

    def test_what_is_read_is_what_was_written(self, checkpoint: Checkpoint, file: Path) -> None:
        read = load_checkpoint(file)
        assert (read.config, read.progress, read.manifest) == (
            checkpoint.config,
            checkpoint.progress,
            checkpoint.manifest,
        )
        assert read.tensors.keys() == checkpoint.tensors.keys()
        assert all(torch.equal(read.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())


class TestDamage:
    def test_cut_short_anywhere(self, file: Path) -> None:
        data = file.read_bytes()
        for length in {*range(0, 64), *range(64, len(data), max(len(data) // 60, 1)), len(data) - 1}:
            file.write_bytes(data[:length])
            assert reason(file)
        file.write_bytes(data + b"\0")
        assert "longer than its header says" in reason(file)

    def test_any_flipped_bit(self, file: Path) -> None:
        data, chance = bytearray(file.read_bytes()), random.Random(0)
        places = {*range(0, 8 * 120, 7), *(chance.randrange(8 * len(data)) for _ in range(300))}
        for bit in places:
            data[bit // 8] ^= 1 << bit % 8
            file.write_bytes(data)
            assert reason(file)
            data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        load_checkpoint(file)

    @pytest.mark.parametrize("text", [b"", b"{}", b"[" * 5000, b"\xff" * 40, b'{"__metadata__":null}', b"null"])
    def test_headers_that_are_none(self, text: bytes, tmp_path: Path) -> None:
        for start in (b"", b'{"__metadata__":{"checksum":"'):
            path = tmp_path / LATEST
            path.write_bytes(len(start + text).to_bytes(8, "little") + start + text)
            assert reason(path)

    def test_huge_sizes_are_refused_before_memory_is_taken(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        """Declared and not there; declared and, as a hole in the file, there too; and a header of that size."""
        path = tmp_path / LATEST
        size = 2**40
        for number, there in ((0, False), (1, True), (2, True)):
            pieces = checkpoint.pieces()
            head = bytes(pieces[0])
            slots = json.loads(head[8:])
            last = max((name for name in slots if name != "__metadata__"), key=lambda n: slots[n]["data_offsets"][1])
            end = slots[last]["data_offsets"][1]
            name = ("model.more", "optimizer.more", "random.more")[number]
            slots[name] = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
            text = json.dumps(slots, separators=(",", ":")).encode()
            path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(pieces[1:]))
            if there:
                os.truncate(path, 8 + len(text) + end + size)
            tracemalloc.start()
            problem = reason(path)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert ("the network has no more", "holds more than")[number > 0] in problem or "cut short" in problem
            assert peak < 2**24
        with path.open("r+b") as changed:
            changed.write(size.to_bytes(8, "little"))
        assert "is not a checkpoint" in reason(path)

    def test_a_damaged_latest_falls_back_on_the_one_before(self, tmp_path: Path) -> None:
        # One is written at the end of each part, and awaited: those on the way replace each other while they wait.
        policy = CheckpointPolicy(folder=tmp_path, every_epochs=0)
        before, newest = 4, 18
        run(small_config(), doings={before: lambda control: control.stop()}, checkpoints=policy)
        run(small_config(), resume=load_checkpoint(tmp_path), checkpoints=policy)
        assert (load_checkpoint(tmp_path / PREVIOUS).step, load_checkpoint(tmp_path).step) == (before, newest)
        (tmp_path / LATEST).write_bytes((tmp_path / LATEST).read_bytes()[:1000])
        assert load_checkpoint(tmp_path).step == before
        (tmp_path / LATEST).unlink()
        assert load_checkpoint(tmp_path).step == before
        (tmp_path / PREVIOUS).write_bytes(b"")
        assert "previous" in reason(tmp_path)


def with_tensor(checkpoint: Checkpoint, name: str, tensor: Tensor | None) -> dict[str, Tensor]:
    tensors = dict(checkpoint.tensors)
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    return tensors


def outcome(path: Path) -> str:
    """What is said to a file that is whole: as it is opened, or as the run would begin."""
    try:
        checkpoint = load_checkpoint(path)
    except InputError as error:
        return error.problem
    *_, last = train(checkpoint.config, resume=checkpoint)
    assert isinstance(last, Failed), last
    assert (last.kind, last.field) == ("input", "checkpoint"), last
    return last.message


class TestMisfits:
    @pytest.mark.parametrize(
        ("name", "tensor", "said"),
        [
            ("model.fc1.weight", None, "the network's fc1.weight is missing"),
            ("model.fc1.weight", torch.zeros(8, 3), r"fc1.weight has the shape \(8, 3\)"),
            ("model.fc1.weight", torch.zeros(8, 2, dtype=torch.float64), "fc1.weight has the shape"),
            ("model.fc9.weight", torch.zeros(8, 2), "the network has no fc9.weight"),
            ("good.fc1.bias", torch.zeros(9), "fc1.bias has the shape"),
            ("newer.fc1.bias", None, "fc1.bias is missing"),
            ("other.fc1.bias", torch.zeros(8), "nothing that a run keeps"),
            ("random.cpu", torch.zeros(5056, dtype=torch.uint8), "random state"),
            ("random.cpu", torch.zeros(10, dtype=torch.uint8), "random state"),
            ("random.cpu", torch.zeros(5056), "random state"),
            ("random.cpu", None, "random state"),
            ("optimizer.0.exp_avg", None, "state in the checkpoint does not fit"),
            ("optimizer.0.exp_avg", torch.zeros(1), "state in the checkpoint does not fit"),
            ("optimizer.0.exp_avg", torch.zeros(16), "state in the checkpoint does not fit"),
            ("optimizer.0.exp_avg", torch.zeros(8, 2, dtype=torch.float64), "state in the checkpoint does not fit"),
            ("optimizer.0.exp_avg_sq", torch.zeros(8, 3), "state in the checkpoint does not fit"),
            ("optimizer.0.step", torch.zeros(2), "state in the checkpoint does not fit"),
            ("optimizer.0.step", torch.zeros((), dtype=torch.int64), "state in the checkpoint does not fit"),
        ],
    )
    def test_tensors(self, checkpoint: Checkpoint, name: str, tensor: Tensor | None, said: str, tmp_path: Path) -> None:
        path = rewritten(checkpoint, tmp_path / LATEST, tensors=with_tensor(checkpoint, name, tensor))
        assert_says(outcome(path), said)

    @pytest.mark.parametrize(
        ("optimizer", "index", "key", "value"),
        [
            ("adam", "0", "exp_avg", 1.0),
            ("adam", "0", "step", "soon"),
            ("adam", "0", "more", {"tensor": "0.nothing"}),
            ("adam", "0", "more", {"what": 1}),
            ("adam", "7", "exp_avg", {"tensor": "0.exp_avg"}),
            ("adam", "-1", "exp_avg", {"tensor": "0.exp_avg"}),
            ("adam", "x", "exp_avg", {"tensor": "0.exp_avg"}),
            ("lbfgs", "0", "old_dirs", 3),
            ("lbfgs", "0", "old_dirs", [1.0, 2.0]),
            ("lbfgs", "0", "al", []),
            ("lbfgs", "0", "ro", [None, None]),
            ("lbfgs", "0", "n_iter", [1]),
            ("lbfgs", "0", "d", {"tensor": "0.t"}),
            ("lbfgs", "0", "prev_flat_grad", None),
        ],
    )
    def test_what_an_optimizer_remembers(
        self, optimizer: str, index: str, key: str, value: object, tmp_path: Path
    ) -> None:
        checkpoint = made(tmp_path / "run", small_config({"optimizer": optimizer}))
        data: dict[str, Any] = json.loads(json.dumps(checkpoint.manifest.optimizer))
        data["state"].setdefault(index, {})[key] = value
        manifest = checkpoint.manifest.model_copy(update={"optimizer": data})
        assert_says(outcome(rewritten(checkpoint, tmp_path / LATEST, manifest=manifest)), "does not fit")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("lr", -1.0),
            ("lr", {"float": "nan"}),
            ("lr", "0.1"),
            ("betas", {"tuple": [0.9, 2.0]}),
            ("betas", [0.9, 0.99]),
            ("betas", {"tuple": [0.9]}),
            ("eps", None),
            ("amsgrad", True),
            ("surprise", 1),
        ],
    )
    def test_an_optimizer_s_settings(self, checkpoint: Checkpoint, key: str, value: object, tmp_path: Path) -> None:
        data: dict[str, Any] = json.loads(json.dumps(checkpoint.manifest.optimizer))
        data["groups"][0]["options"][key] = value
        manifest = checkpoint.manifest.model_copy(update={"optimizer": data})
        assert_says(outcome(rewritten(checkpoint, tmp_path / LATEST, manifest=manifest)), "does not fit")

    @pytest.mark.parametrize(
        ("part", "value", "said"),
        [
            ("step", -1, "makes no sense"),
            ("step", "4", "makes no sense"),
            ("step", 5000, "is not in epoch"),
            ("epoch", 3, "is not in epoch"),
            ("closed", True, "is not in epoch"),
            ("base_rate", None, "makes no sense"),
            ("schedule", {"name": "nonsense", "params": {}}, "unknown schedule"),
            ("schedule", {"name": "reduce_on_plateau", "params": {}}, "what the schedule remembers"),
            ("schedule", {"name": "step", "params": {"factor": 7.0}}, "out of range"),
            ("newer", {"step": 400, "epoch": 1}, "a later step"),
            ("best", {"step": 1, "epoch": 1}, "best"),
            ("interventions", [{"step": 1}], "makes no sense"),
            ("surprise", 1, "makes no sense"),
        ],
    )
    def test_progress(self, checkpoint: Checkpoint, part: str, value: object, said: str, tmp_path: Path) -> None:
        text = json.loads(checkpoint.manifest.model_dump_json())
        text["progress"][part] = value
        assert_says(outcome(_with_manifest(checkpoint, tmp_path / LATEST, text)), said)

    @pytest.mark.parametrize(
        ("part", "value", "said"),
        [
            ("format", 2, "newer Learnscope"),
            ("config", "{}", "does not fit"),
            ("config", "nonsense", "is not JSON"),
            ("threads", 10**6, "makes no sense"),
            ("train_size", 55, "its dataset had 55 training samples, and has 56 now"),
            ("optimizer", {}, "does not fit"),
            ("optimizer", {"groups": [], "state": {}}, "does not fit"),
        ],
    )
    def test_manifest(self, checkpoint: Checkpoint, part: str, value: object, said: str, tmp_path: Path) -> None:
        text = json.loads(checkpoint.manifest.model_dump_json())
        text[part] = value
        assert_says(outcome(_with_manifest(checkpoint, tmp_path / LATEST, text)), said)

    def test_a_refused_checkpoint_is_asked_for_the_random_state_last(
        self, checkpoint: Checkpoint, tmp_path: Path
    ) -> None:
        """So that a run that begins anew after a refusal begins as it always does."""
        path = rewritten(
            checkpoint, tmp_path / LATEST, tensors=with_tensor(checkpoint, "optimizer.0.step", torch.zeros(2))
        )
        assert outcome(path)
        assert run(checkpoint.config).told() == run(checkpoint.config).told()


def assert_says(text: str, said: str) -> None:
    assert said.replace("\\", "") in text


def _with_manifest(checkpoint: Checkpoint, path: Path, text: dict[str, Any]) -> Path:
    from engine.checkpoint_file import pack

    path.write_bytes(b"".join(pack(json.dumps(text), checkpoint.tensors)))
    return path


class Disk:
    """Stands in for the disk: holds up writes while it is `busy`, fails with `error`, and counts."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.error: OSError | None = None
        self.written: list[str] = []
        self.begun = threading.Event()

    def write(self, path: Path, pieces: Iterable[memoryview], *, previous: Path | None = None) -> None:
        self.begun.set()
        assert self.free.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        write_pieces_atomically(path, pieces, previous=previous)
        self.written.append(path.name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The one that `train`'s writer writes to."""
    disk = Disk()

    def writer(policy: CheckpointPolicy, *, seconds: float) -> CheckpointWriter:
        return CheckpointWriter(policy, seconds=seconds, write=disk.write)

    monkeypatch.setattr(engine.training, "CheckpointWriter", writer)
    return disk


class TestDisk:
    def test_a_full_disk_is_told_once_and_the_run_goes_on(self, disk: Disk, tmp_path: Path) -> None:
        disk.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        policy = CheckpointPolicy(folder=tmp_path, every_steps=1)
        found = run(small_config(), checkpoints=policy)
        assert found.told() == run(small_config()).told()
        failures = of_kind(found.events, CheckpointFailed)
        assert {failure.problem for failure in failures} == {"No space left on device"}
        assert sorted(failure.kind for failure in failures) == ["best", "latest"]
        assert not of_kind(found.events, CheckpointSaved)

    def test_space_that_comes_back_is_used_and_a_new_problem_told(self, disk: Disk, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path, every_steps=2, every_epochs=0, at_best=False)
        found, reports = [], []
        for event in train(small_config(), checkpoints=policy):
            found.append(event)
            if isinstance(event, CheckpointSaved | CheckpointFailed):
                reports.append(event)
            if isinstance(event, StepFinished) and event.step % 2 == 0:
                disk.error = OSError(errno.ENOSPC, "full") if event.step in (4, 6, 12) else None
                disk.begun.clear()
            elif isinstance(event, StepFinished) and event.step > 2:
                assert disk.begun.wait(PATIENCE)
        assert isinstance(found[-1], Finished)
        assert load_checkpoint(tmp_path).step == found[-1].step
        assert of_kind(reports, CheckpointSaved)

    def test_what_cannot_be_kept_is_told_and_the_run_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Remembering(torch.optim.SGD):
            def step(self, closure: Any = None) -> Any:
                self.state[self.param_groups[0]["params"][0]]["memory"] = {1, 2}
                return super().step(closure)

        monkeypatch.setattr("torch.optim.SGD", Remembering)
        found = run(small_config({"optimizer": "sgd"}), checkpoints=CheckpointPolicy(folder=tmp_path))
        assert isinstance(found.events[-1], Finished)
        assert "memory as set, which cannot be kept" in of_kind(found.events, CheckpointFailed)[0].problem
        assert not list(tmp_path.iterdir())

    def test_a_read_only_folder_loses_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        found = run(small_config(), checkpoints=CheckpointPolicy(folder=tmp_path / "file" / "folder"))
        assert isinstance(found.events[-1], Finished)
        assert of_kind(found.events, CheckpointFailed)

    def test_a_slow_disk_holds_up_no_step_and_gets_the_newest(self, disk: Disk, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path, every_steps=1, every_epochs=0, copy_epochs=0, at_best=False)
        disk.free.clear()
        for event in train(small_config(), checkpoints=policy):
            if isinstance(event, StepFinished) and event.step == 1:
                continue
            if isinstance(event, StepFinished) and event.step == 15:
                disk.free.set()  # fifteen steps were done meanwhile
        assert load_checkpoint(tmp_path).step == 18
        assert len(disk.written) < 15

    def test_copies_that_pile_up_are_given_up_oldest_first(self, disk: Disk, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path, copy_epochs=1, every_epochs=0, at_best=False, at_end=False)
        disk.free.clear()
        failures = []
        for event in train(small_config(training__epochs=8), checkpoints=policy):
            if isinstance(event, CheckpointFailed):
                failures.append(event)
            if isinstance(event, StepFinished) and event.step == 8 * 6:
                assert disk.begun.is_set()
                disk.free.set()
        assert all("slower" in failure.problem for failure in failures)
        assert 2 <= len(failures) <= 8 - MOST_WAITING
        assert len(disk.written) + len(failures) == 8
        assert "epoch-0008.safetensors" in disk.written

    def test_a_run_that_is_let_go_writes_what_it_has_taken(self, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path, every_steps=2)
        events = train(small_config(), checkpoints=policy)
        for event in events:
            if isinstance(event, StepFinished) and event.step == 5:
                break
        events.close()  # type: ignore[attr-defined]  # it is a generator
        assert load_checkpoint(tmp_path).step == 4
        assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]

    def test_an_interval_of_time(self, disk: Disk, tmp_path: Path) -> None:
        writer = CheckpointWriter(CheckpointPolicy(folder=tmp_path, every_seconds=10), seconds=100.0, write=disk.write)
        assert not writer.wants(1, 109.0)
        assert writer.wants(1, 110.0)

    def test_what_a_killed_writer_left_is_removed(self, tmp_path: Path) -> None:
        left, other = tmp_path / f".{LATEST}.0123abcd.tmp", tmp_path / f".{BEST}.0123abcd.txt"
        left.write_bytes(b"half a file")
        other.write_bytes(b"something else")
        run(small_config(training__epochs=1), checkpoints=CheckpointPolicy(folder=tmp_path))
        assert not left.exists()
        assert other.exists()


class TestPreviousFile:
    def test_it_is_the_one_before(self, tmp_path: Path) -> None:
        path, previous = tmp_path / "a", tmp_path / "b"
        for text in (b"one", b"two", b"three"):
            write_pieces_atomically(path, (memoryview(text[:1]), memoryview(text[1:])), previous=previous)
        assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")
        assert {entry.name for entry in tmp_path.iterdir()} == {"a", "b"}

    @pytest.mark.parametrize("links", [True, False])
    def test_two_names_of_one_file(self, links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As after a kill between the two renames, with and without a file system that has links."""
        path, previous = tmp_path / "a", tmp_path / "b"
        path.write_bytes(b"one")
        os.link(path, previous)
        if not links:

            def no_links(*_: object) -> None:
                raise OSError(errno.EPERM, "no links here")

            monkeypatch.setattr("engine.files.os.link", no_links)
        write_pieces_atomically(path, (memoryview(b"two"),), previous=previous)
        assert (path.read_bytes(), previous.read_bytes()) == (b"two", b"one")
        assert {entry.name for entry in tmp_path.iterdir()} == {"a", "b"}

    def test_a_full_disk_leaves_both_as_they_were(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, previous = tmp_path / "a", tmp_path / "b"
        path.write_bytes(b"one")
        previous.write_bytes(b"zero")

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("engine.files.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_pieces_atomically(path, (memoryview(b"two"),), previous=previous)
        assert (path.read_bytes(), previous.read_bytes()) == (b"one", b"zero")


@pytest.fixture(scope="module")
def other_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `checkpoint_child` says, and what the run told before that it continues."""
    folder = tmp_path_factory.mktemp("other")
    first, _ = interrupted(small_config({"optimizer": "lbfgs"}, network__dropout=0.3), folder / "resumed", stop=8)
    command = [sys.executable, "-m", "tests.engine.checkpoint_child", str(folder)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert child.returncode == 0, child.stderr
    return {**json.loads(child.stdout), "before": [loss.hex() for loss in losses(first.events)]}


def digest_of(*tensors: Tensor) -> str:
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


class TestOtherProcesses:
    def test_another_process_goes_on_bit_for_bit(self, other_process: dict[str, Any]) -> None:
        whole = run(small_config({"optimizer": "lbfgs"}, network__dropout=0.3))
        resumed = other_process["resumed"]
        assert other_process["before"] + resumed["losses"] == [loss.hex() for loss in losses(whole.events)]
        assert resumed["digest"] == digest_of(*whole.weights.values())

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs to be killed are forked off")
    def test_a_kill_at_any_moment_leaves_a_checkpoint_that_opens(self, other_process: dict[str, Any]) -> None:
        killed = other_process["killed"]
        steps = [left["step"] for left in killed]
        assert steps == sorted(steps)
        assert steps[-1] > steps[0]
        last = killed[-1]
        config = LONG.model_copy(update={"training": LONG.training.model_copy(update={"steps": last["step"]})})
        assert digest_of(run(config).weights["fc1.weight"]) == last["digest"]
