"""A run taken away: what is written opens elsewhere as it was, and what was tampered with is refused with a reason."""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from engine.archive import open_archive
from engine.catalog import ParamValue
from engine.config import RunConfig, config_from_json, load_config
from engine.control import Change, RunControl
from engine.errors import InputError
from engine.events import Failed, Intervened, Preparing, Started
from engine.export import RunExport, save_config, save_state_dict, write_folder, write_zip
from engine.results import save_result
from engine.training import train
from engine.weight_hash import weight_hash
from tests.engine.runs import toy_config
from tests.engine.script_runs import Case, Trained, image_library, trained

CASE = Case(toy_config(training__epochs=2, training__batch_size=100), {3: [Change("learning_rate", 0.0123456789)]})
FILES = {"config.json", "weights.safetensors", "events.jsonl", "script.py", "README.txt", "manifest.json"}


def exported(case: Case, run: Trained) -> RunExport:
    return RunExport(
        config=case.config,
        weights=run.weights,
        started=run.started,
        ending=run.finished,
        interventions=run.interventions,
        events=run.events,
    )


@pytest.fixture(scope="module")
def run() -> Trained:
    return trained(CASE, image_library())


@pytest.fixture(scope="module")
def written(run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run as a folder and as a zip."""
    place = tmp_path_factory.mktemp("written")
    write_folder(place / "run", exported(CASE, run))
    write_zip(place / "run.zip", exported(CASE, run))
    return place


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written / "run", tmp_path / "run"))


@pytest.fixture
def archive(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written / "run.zip", tmp_path / "run.zip"))


def refused(path: Path, problem: str, **limits: int) -> None:
    with pytest.raises(InputError) as error:
        open_archive(path, **limits)
    assert problem in str(error.value)
    assert str(path.parent) not in str(error.value)


# What is written.


def test_a_state_dict_opens_where_learnscope_is_not(run: Trained, tmp_path: Path) -> None:
    save_state_dict(tmp_path / "weights.pt", run.weights)
    code = """
import sys, torch
from torch import nn
state = torch.load("weights.pt", weights_only=True)
network = nn.Sequential()
network.add_module("fc1", nn.Linear(2, 8))
network.add_module("fc2", nn.Linear(8, 2))
print(network.load_state_dict(state), "engine" in sys.modules)
"""
    command = [sys.executable, "-I", "-c", code]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said.stdout.strip() == "<All keys matched successfully> False", said.stderr
    saved = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert weight_hash(saved) == run.hash


def test_a_set_up_is_saved_as_json(tmp_path: Path) -> None:
    save_config(tmp_path / "config.json", CASE.config)
    assert load_config(tmp_path / "config.json") == CASE.config


@pytest.mark.parametrize("form", ["folder", "zip", "zip of the folder"])
def test_a_run_opens_as_it_was(form: str, run: Trained, folder: Path, archive: Path, tmp_path: Path) -> None:
    path = {"folder": folder, "zip": archive}.get(form)
    if path is None:
        path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "run"))
    before = torch.get_rng_state()
    opened = open_archive(path)
    assert opened.config == CASE.config
    assert opened.hash == run.hash
    assert all(torch.equal(opened.weights[name], tensor) for name, tensor in run.weights.items())
    assert (opened.started, opened.ending) == (run.started, run.finished)
    assert tuple(opened.events()) == run.events
    assert [event.name for event in opened.interventions] == ["learning_rate"]
    assert opened.script == run.script(CASE)
    network = opened.network()
    assert not network.training
    assert weight_hash(network.state_dict()) == run.hash
    assert network(torch.zeros(3, 2)).shape == (3, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_written_is_what_the_readme_says(folder: Path, archive: Path, run: Trained) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    with zipfile.ZipFile(archive) as packed:
        assert set(packed.namelist()) == FILES
        assert packed.testzip() is None
        assert all(packed.read(name) == (folder / name).read_bytes() for name in FILES)
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert all(name in readme for name in FILES - {"README.txt"})
    assert run.hash in readme


@pytest.mark.parametrize(
    ("started", "changed", "ending", "said"),
    [
        ({}, False, {}, "repeats the run."),
        ({}, True, {}, "repeats the run, but for what was changed during it."),
        ({}, False, {"reason": "stopped"}, "repeats the run and goes on to the end"),
        (
            {"resumed_from": 3, "parent_step": 4, "parent": "7"},
            False,
            {},
            "this run went on from another one's step 4.",
        ),
        ({"resumed_from": 3}, True, {}, "this run went on from another one's step 3."),
    ],
)
def test_the_readme_says_what_the_set_up_alone_gives(
    started: dict[str, Any], changed: bool, ending: dict[str, Any], said: str, run: Trained, tmp_path: Path
) -> None:
    taken = replace(exported(CASE, run), started=replace(run.started, **started))
    taken = replace(taken, ending=replace(run.finished, **ending), events=())
    write_folder(tmp_path / "run", taken if changed else replace(taken, interventions=()))
    [line] = [line for line in (tmp_path / "run" / "README.txt").read_text().splitlines() if line.startswith("config")]
    assert f"`python -m engine train --config config.json` {'trains' if started else ''}" in line
    assert said in line


@pytest.mark.parametrize(
    ("started", "ending", "why"),
    [
        ({"resumed_from": 4}, True, "goes on from a checkpoint of another one"),
        ({"parent_step": 0}, True, "branched off another one"),
        ({}, False, "the run has not ended"),
        (None, True, "the run never began"),
    ],
)
def test_a_run_that_no_script_repeats_comes_without(
    started: dict[str, Any] | None, ending: bool, why: str, run: Trained, tmp_path: Path
) -> None:
    begun = None if started is None else replace(run.started, **started)
    last = run.finished if ending else None
    write_folder(tmp_path / "run", RunExport(config=CASE.config, weights=run.weights, started=begun, ending=last))
    assert "script.py" not in {path.name for path in (tmp_path / "run").iterdir()}
    assert why in (tmp_path / "run" / "README.txt").read_text(encoding="utf-8").lower()
    assert open_archive(tmp_path / "run").script == ""


def test_a_failed_run_s_script_ends_at_its_last_good_step(run: Trained) -> None:
    export = exported(CASE, run)
    failed = RunExport(
        config=export.config,
        weights=export.weights,
        started=export.started,
        ending=Failed("diverged", "The loss became infinite.", 3),
    )
    assert "\nSTEPS = 3 " in failed.script()


def test_a_saved_result_opens_too(tmp_path: Path) -> None:
    control = RunControl()
    list(train(CASE.config, control))
    assert control.live is not None
    save_result(tmp_path, control.live, CASE.config)
    opened = open_archive(tmp_path)
    assert opened.hash == weight_hash(control.live.weights())
    assert (opened.started, list(opened.events())) == (None, [])


@pytest.mark.parametrize("initial", ["torch", "normal"])
def test_networks_with_initial_draws_of_their_own_open(initial: str, tmp_path: Path) -> None:
    picks = {"dataset": "exam_scores", "network": "linear", "optimizer": "sgd"}
    case = Case(toy_config(picks, network__initial=initial, training__epochs=1))
    run = trained(case, image_library())
    write_zip(tmp_path / "run.zip", exported(case, run))
    opened = open_archive(tmp_path / "run.zip")
    assert weight_hash(opened.network().state_dict()) == run.hash


def test_a_network_with_buffers_opens(tmp_path: Path) -> None:
    picks = {"dataset": "mnist", "network": "fast_cnn", "schedule": "constant"}
    case = Case(toy_config(picks, training__batch_size=7, training__epochs=1, dataset__validation=0))
    run = trained(case, image_library())
    write_zip(tmp_path / "run.zip", exported(case, run))
    opened = open_archive(tmp_path / "run.zip")
    assert opened.weights["bn1.num_batches_tracked"] == 2
    assert weight_hash(opened.network().state_dict()) == run.hash


def test_what_lies_in_the_folder_is_not_written_over(folder: Path, run: Trained) -> None:
    with pytest.raises(InputError, match=r"^folder: the folder run is not empty"):
        write_folder(folder, exported(CASE, run))


def test_a_zip_that_cannot_be_written_leaves_nothing(run: Trained, tmp_path: Path) -> None:
    def events() -> Any:
        yield run.started
        raise OSError(28, "No space left on device")

    export = RunExport(config=CASE.config, weights=run.weights, events=events())
    with pytest.raises(OSError, match="No space left"):
        write_zip(tmp_path / "run.zip", export)
    assert not list(tmp_path.iterdir())


# What is refused: files.


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The manifest after `change`."""
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def without_manifest(path: Path) -> Path:
    (path / "manifest.json").unlink()
    return path


@pytest.mark.parametrize("name", sorted(FILES - {"manifest.json"}))
def test_a_changed_file_is_not_what_the_manifest_speaks_of(name: str, folder: Path) -> None:
    data = (folder / name).read_bytes()
    for changed in (data + b"\n", data[:-1], data[:-1] + bytes((data[-1] ^ 1,))):
        (folder / name).write_bytes(changed)
        refused(folder, f"{name} is not the file that manifest.json speaks of")


def test_a_manifest_that_does_not_hold_is_refused(folder: Path) -> None:
    def claim(weights: str) -> None:
        rewritten(folder, lambda manifest: manifest.update(weights=weights))

    claim("0" * 64)
    refused(folder, "the weights are not those that manifest.json speaks of")
    rewritten(folder, lambda manifest: manifest.update(version=2))
    refused(folder, "a newer Learnscope wrote it (version 2)")
    rewritten(folder, lambda manifest: manifest.update(version=1, files={}))
    refused(folder, "manifest.json names other files than there are")
    for nonsense in ("", "{", "[]", "null", "[" * 100_000, '{"format": 1}', "\udcff", '{"version": 1e999}'):
        (folder / "manifest.json").write_text(nonsense, encoding="utf-8", errors="surrogateescape")
        refused(folder, "manifest.json ")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_what_must_be_there_is_missed(name: str, folder: Path) -> None:
    (folder / name).unlink()
    refused(folder, f"run has no {name}")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "events.jsonl", "manifest.json"])
def test_links_and_pipes_are_not_followed(name: str, folder: Path, tmp_path: Path) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    refused(folder, f"{name} in run is a link or no file at all")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, f"{name} in run is a link or no file at all")


def test_more_than_the_limit_is_not_read(folder: Path, archive: Path) -> None:
    refused(folder, "up to 1,000", most_bytes=1_000)
    refused(archive, "larger than 1,000 bytes", most_bytes=1_000)
    total = sum(path.stat().st_size for path in folder.iterdir())
    refused(archive, f"unpacks to {total:,} bytes; up to {total - 1:,}", most_bytes=total - 1)
    assert open_archive(archive, most_bytes=total).hash


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{}", "[]", "[" * 100_000, '{"schema_version": 99}', '{"network": {"name": "foreign"}}']
)
def test_a_set_up_that_is_none_is_refused(text: str, folder: Path) -> None:
    (without_manifest(folder) / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        open_archive(folder)


def with_network(config: RunConfig, **params: ParamValue) -> RunConfig:
    network = config.network.model_copy(update={"params": {**config.network.params, **params}})
    return config.model_copy(update={"network": network})


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    without_manifest(folder)
    for hidden, problem in (
        ((9,), "and the network's is float32 (9, 2)"),
        ((65_536, 1_000), "weights have"),
        ((65_536,) * 16, "these layers need"),
    ):
        config = with_network(CASE.config, hidden=hidden)
        (folder / "config.json").write_text(config.to_json(), encoding="utf-8")
        refused(folder, problem)


Weights = dict[str, torch.Tensor]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].double()}, "fc1.bias in weights.safetensors is float64 (8,)"),
        (lambda w: {**w, "fc1.bias": w["fc1.bias"].view(torch.int32)}, "is int32 (8,) and the network's is float32"),
        (lambda w: {**w, "fc1.weight": w["fc1.weight"].T.contiguous()}, "is float32 (2, 8) and the network's"),
        (lambda w: {("fc9" + k[3:] if k == "fc1.bias" else k): v for k, v in w.items()}, "the same parameters"),
        (lambda w: {**w, "more": torch.zeros(1)}, "do not have the same parameters: 'more'"),
        (lambda w: {k: v for k, v in w.items() if k != "fc2.bias"} | {"x": torch.zeros(2)}, "the same parameters"),
        (lambda w: {k: v for k, v in w.items() if k != "fc2.weight"}, "do not have the same parameters: 'fc2.weight'"),
        (lambda _: {}, "bytes and the network's weights have"),
        (lambda w: {**w, "more": torch.zeros(5_000_000)}, "bytes and the network's weights have"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[Weights], Weights], problem: str, folder: Path, run: Trained
) -> None:
    data = safetensors.torch.save(change(dict(run.weights)))
    (without_manifest(folder) / "weights.safetensors").write_bytes(data)
    refused(folder, problem)


def test_a_header_of_lies_is_refused(folder: Path) -> None:
    path = without_manifest(folder) / "weights.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    for name, claim in (
        ("shape", [2**62, 2**62]),
        ("shape", [-8]),
        ("data_offsets", [0, 2**63]),
        ("data_offsets", [-4, 28]),
        ("dtype", "F128"),
        ("dtype", None),
    ):
        lies = {**header, "fc1.bias": {**header["fc1.bias"], name: claim}}
        text = json.dumps(lies).encode().ljust(length)
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        refused(folder, "weights.safetensors ")
    for claimed in (2**63, 2**64 - 1, length + 1, 0):
        path.write_bytes(struct.pack("<Q", claimed) + data[8:])
        refused(folder, "weights.safetensors is damaged")


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b'{"type": "nonsense"}',
        b'{"type": "step", "step": "many"}',
        b'{"type": "step"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"9" * 5_000,
        b'{"type": "paused", "step": 1, "x": "' + b"y" * (1 << 20) + b'"}',
    ],
)
def test_what_is_no_event_is_refused_with_its_line(line: bytes, folder: Path) -> None:
    path = without_manifest(folder) / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], line + b"\n", *lines[3:]]))
    refused(folder, "line 4 of events.jsonl is no event")


@pytest.mark.parametrize("field", ["network", "dataset", "parameters", "batch_size"])
def test_events_of_another_run_are_refused(field: str, folder: Path) -> None:
    path = without_manifest(folder) / "events.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for told in lines:
        if told["type"] == "started":
            told[field] = 7 if isinstance(told[field], int) else "another"
    path.write_text("".join(json.dumps(told) + "\n" for told in lines), encoding="utf-8")
    refused(folder, "the events in events.jsonl are not those of config.json")


def test_events_that_go_on_after_opening_are_read_anew(folder: Path, run: Trained) -> None:
    opened = open_archive(folder)
    assert tuple(opened.events()) == tuple(opened.events()) == run.events
    (folder / "events.jsonl").unlink()
    assert list(opened.events()) == []
    assert isinstance(opened.started, Started)
    assert all(isinstance(event, Intervened) for event in opened.interventions)
    assert any(isinstance(event, Preparing) for event in run.events)


# What is refused: zip archives.


def packed(path: Path, folder: Path, *members: tuple[str, bytes], kind: int = stat.S_IFREG) -> Path:
    """The folder's files and `members`, those of that kind, in a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
        for name, data in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = (kind | 0o644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return path


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "C:/evil", "..\\evil", "a//b", "./config.json", "x/./y"]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    refused(packed(tmp_path / "p.zip", folder, (name, b"")), "whose name leads elsewhere")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_in_a_zip_are_refused(kind: int, folder: Path, tmp_path: Path) -> None:
    refused(packed(tmp_path / "p.zip", folder, ("more", b"/etc/passwd"), kind=kind), "p.zip holds a link")


def test_a_file_that_stands_twice_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = packed(tmp_path / "p.zip", folder, ("config.json", b"{}"))
    refused(path, "p.zip holds config.json twice")


def test_a_bomb_is_refused_before_it_is_unpacked(folder: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "p.zip", folder, ("more", bytes(20_000_000)))
    assert path.stat().st_size < 100_000
    refused(path, "p.zip unpacks to 20,", most_bytes=10_000_000)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    """The table of contents says 100 bytes; the data would be 20 million."""
    (folder / "README.txt").unlink()
    path = packed(tmp_path / "p.zip", without_manifest(folder), ("README.txt", bytes(20_000_000)))
    (folder / "events.jsonl").unlink()
    path = packed(tmp_path / "p.zip", folder, ("events.jsonl", b"\n" * 20_000_000))
    data = path.read_bytes().replace(struct.pack("<I", 20_000_000), struct.pack("<I", 100))
    path.write_bytes(data)
    refused(path, "", most_bytes=1_000_000)


def test_ways_of_packing_that_are_not_read_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(folder / "config.json", "config.json")
    refused(path, "compressed in a way that is not read")
    packed(path, folder)
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\1\2")
    data[place + 8] |= 1
    path.write_bytes(data)
    refused(path, "p.zip is encrypted")


def test_too_many_files_are_refused_before_they_are_listed(folder: Path, tmp_path: Path) -> None:
    members = [(f"{number}", b"") for number in range(1_200)]
    refused(packed(tmp_path / "p.zip", folder, *members), "a table of contents that is too long")
    path = packed(tmp_path / "p.zip", folder)
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\5\6")
    refused_with = bytes(data[:end]) + b"PK\6\7" + bytes(16) + bytes(data[end:])
    path.write_bytes(refused_with)
    refused(path, "a table of contents that is too long")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"PK", b"nonsense" * 1_000, b"PK\5\6", b"PK\5\6" + bytes(18)):
        (tmp_path / "p.zip").write_bytes(data)
        refused(tmp_path / "p.zip", "p.zip ")
    refused(tmp_path / "nowhere.zip", "nowhere.zip cannot be read: No such file")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "empty has no config.json")


def outcome(path: Path) -> str:
    """The hash of what opens; empty where it is refused in words. Anything else is an error of ours."""
    with suppress(InputError):
        opened = open_archive(path, most_bytes=10_000_000)
        list(opened.events())
        return opened.hash
    return ""


def test_a_zip_with_flipped_bits_is_refused_or_says_the_same(archive: Path, run: Trained, tmp_path: Path) -> None:
    data, rng, path = archive.read_bytes(), random.Random(0), tmp_path / "p.zip"
    refusals = 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 50))):
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        found = outcome(path)
        assert found in ("", run.hash)
        refusals += not found
    assert refusals > 200


def test_a_zip_that_is_cut_short_is_refused(archive: Path, tmp_path: Path) -> None:
    data, rng, path = archive.read_bytes(), random.Random(1), tmp_path / "p.zip"
    for _ in range(60):
        path.write_bytes(data[: rng.randrange(len(data))])
        assert outcome(path) == ""


def test_files_with_flipped_bits_are_refused_or_are_another_run(folder: Path, run: Trained) -> None:
    """Without a manifest, a flipped bit of a weight is another weight; whatever opens fits its set-up."""
    without_manifest(folder)
    rng = random.Random(2)
    for name in ("config.json", "weights.safetensors", "events.jsonl"):
        data = (folder / name).read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            for _ in range(rng.choice((1, 1, 3))):
                damaged[rng.randrange(min(len(data), 3_000))] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(damaged[: rng.choice((len(data), rng.randrange(len(data))))])
            if outcome(folder):
                opened = open_archive(folder)
                assert {k: v.shape for k, v in opened.weights.items()} == {k: v.shape for k, v in run.weights.items()}
                assert config_from_json(opened.config.to_json(), source="it") == opened.config
        (folder / name).write_bytes(data)


def test_the_network_is_a_module_of_its_own(archive: Path, run: Trained) -> None:
    opened = open_archive(archive)
    network = opened.network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert isinstance(network, nn.Module)
    assert weight_hash(opened.weights) == run.hash
