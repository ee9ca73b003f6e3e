"""A run as a plain PyTorch script: it repeats the run to the last bit."""

from __future__ import annotations

import ast
import hashlib
import math
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.augmentation import AUGMENTATIONS
from engine.catalog import Catalog
from engine.config import Choice, RunConfig, make_config
from engine.control import Change, ScheduleChange
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.events import EpochFinished, Intervened
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.parts import CATALOGS
from engine.rewind.snapshots import Recorded
from engine.schedules import SCHEDULES
from engine.script import write_script
from engine.weight_hash import weight_hash
from tests.engine.runs import toy_config
from tests.engine.script_runs import (
    VALIDATION,
    Case,
    Trained,
    image_library,
    run_scripts,
    trained,
    write_image_files,
)


def points(picks: Mapping[str, str] | None = None, /, **settings: object) -> Case:
    given = {"dataset__samples": 200, "training__epochs": 2, **settings}
    return Case(toy_config(picks, **{name: value for name, value in given.items() if value is not None}))


def images(picks: Mapping[str, str], /, **settings: object) -> Case:
    small = {"dataset__validation": 0, "training__epochs": 1, "training__batch_size": 5, "training__seed": 7}
    return Case(toy_config({"dataset": "mnist", "schedule": "constant", **picks}, **{**small, **settings}))


def changing(case: Case, changes: dict[int, list[Change | ScheduleChange]], stop: int | None = None) -> Case:
    return Case(case.config, changes, stop)


def network_cases() -> dict[str, Case]:
    """Every network, the convolutional ones in both memory formats, and settings that change what they are made of."""
    apart = ("linear", "resnet18")
    found = {f"network_{entry.name}": images({"network": entry.name}) for entry in NETWORKS if entry.name not in apart}
    for name in ("lenet5", "fast_cnn", "single_conv"):
        found[f"channels_last_{name}"] = images({"network": name}, training__memory_format="channels_last")
    for initial in ("torch", "normal", "uniform", "zeros"):
        picks = {"dataset": "exam_scores", "network": "linear", "optimizer": "sgd"}
        found[f"linear_{initial}"] = points(picks, dataset__samples=None, network__initial=initial)
    for activation in ("relu", "tanh", "sigmoid", "gelu", "leaky_relu", "silu"):
        hidden = (9, 8, 7) if activation == "tanh" else (9,)
        found[f"mlp_{activation}"] = points(network__activation=activation, network__hidden=hidden)
    found["mlp_without_hidden_layers"] = points(network__hidden=())
    found["mlp_of_many_layers"] = points(network__hidden=(4,) * 16)
    found["mlp_dropout"] = points(network__dropout=0.3, network__hidden=(16, 8))
    found["single_conv_small_kernel"] = Case(
        toy_config({"dataset": "two_patterns", "network": "single_conv"}, network__kernel=3, network__bias=True)
    )
    found["resnet_in_colour"] = images({"network": "resnet18", "dataset": "cifar10"}, training__batch_size=7)
    found["fast_cnn_on_letters"] = images({"network": "fast_cnn", "dataset": "emnist_letters"})
    return found


def dataset_cases() -> dict[str, Case]:
    """Every dataset, and the settings that change what is drawn or kept out."""
    found = {}
    for entry in DATASETS:
        info = entry.info({})
        network = "linear" if not info.is_image else "single_conv" if info.raw else "mnist_mlp"
        picks = {"dataset": entry.name, "network": network}
        if info.is_image and not info.raw:
            found[f"dataset_{entry.name}"] = images(picks)
        else:
            found[f"dataset_{entry.name}"] = Case(toy_config(picks, training__epochs=2, optimizer__learning_rate=1e-3))
    for name in ("circles", "xor", "gaussians", "spirals"):
        found[f"noisy_{name}"] = points(
            {"dataset": name}, dataset__noise=0.3, dataset__data_seed=5, dataset__samples=201, dataset__normalize=False
        )
    found["toy_without_validation"] = points(dataset__validation=0.0)
    found["line_of_seven"] = Case(toy_config({"dataset": "line_points", "network": "linear"}, dataset__samples=7))
    found["images_kept_out"] = images({"network": "lenet3"}, dataset__validation=VALIDATION, training__patience=1)
    found["images_as_they_are"] = images({"network": "mnist_mlp"}, dataset__normalize=False)
    found["patterns"] = Case(
        toy_config({"dataset": "two_patterns", "network": "single_conv"}, dataset__intensities=7, training__epochs=3)
    )
    return found


def loss_cases() -> dict[str, Case]:
    """Every loss on what it fits: two classes, ten, and numbers."""
    found = {}
    for entry in LOSSES:
        for dataset in ("gaussians", "mnist", "cubic_points"):
            if entry.refuses(DATASETS[dataset].info({})):
                continue
            picks = {"loss": entry.name, "dataset": dataset, "network": "mlp"}
            make = images if dataset == "mnist" else points
            own = {"dataset__samples": None} if dataset == "cubic_points" else {}
            found[f"loss_{entry.name}_{dataset}"] = make(picks, **own)
    found["label_smoothing"] = points(loss__label_smoothing=0.1)
    return found


def optimizer_cases() -> dict[str, Case]:
    """Every optimizer, those that handle kernels of their own on a convolution, and settings besides the defaults."""
    found = {f"optimizer_{entry.name}": points({"optimizer": entry.name}) for entry in OPTIMIZERS}
    for name in ("muon", "lbfgs", "adam", "adam_rule"):
        found[f"kernels_{name}"] = images(
            {"network": "lenet3", "optimizer": name},
            training__memory_format="channels_last",
            optimizer__learning_rate=0.01,
        )
    found["kernels_muon_contiguous"] = images({"network": "lenet3", "optimizer": "muon"})
    found["muon_on_one_layer"] = points({"optimizer": "muon"}, network__hidden=())
    others: dict[str, dict[str, object]] = {
        "sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        "adam": {"amsgrad": True, "weight_decay": 0.1, "beta1": 0.7},
        "adamw": {"weight_decay": 0.0},
        "nadam": {"decoupled_weight_decay": True, "weight_decay": 0.1},
        "adagrad": {"initial_accumulator_value": 0.1, "lr_decay": 0.01},
        "rmsprop": {"centered": True, "momentum": 0.5},
        "asgd": {"t0": 3.0},
        "lbfgs": {"line_search": "none", "learning_rate": 0.1, "max_iter": 3},
        "muon": {"nesterov": False, "scaling": "original", "weight_decay": 0.0},
    }
    for name, values in others.items():
        found[f"settings_{name}"] = points(
            {"optimizer": name}, **{f"optimizer__{setting}": value for setting, value in values.items()}
        )
    return found


def schedule_cases() -> dict[str, Case]:
    found = {f"schedule_{entry.name}": points({"schedule": entry.name}, training__epochs=4) for entry in SCHEDULES}
    found["cosine_with_warm_up"] = points({"schedule": "cosine"}, schedule__warm_up=0.4, schedule__final=0.1)
    found["one_cycle_without_warm_up"] = points({"schedule": "one_cycle"}, schedule__warm_up=0.0)
    found["one_cycle_of_one_step"] = points({"schedule": "one_cycle"}, training__steps=1)
    found["plateau_that_reduces"] = points(
        {"schedule": "reduce_on_plateau"},
        training__epochs=6,
        schedule__patience=0,
        schedule__threshold=0.9,
        schedule__factor=0.5,
        schedule__minimum=0.2,
    )
    found["plateau_of_the_training_loss"] = points(
        {"schedule": "reduce_on_plateau"},
        training__epochs=5,
        dataset__validation=0.0,
        schedule__patience=1,
        schedule__threshold=0.5,
    )
    found["scheduled_asgd"] = points({"schedule": "cosine", "optimizer": "asgd"}, optimizer__lambd=0.1)
    return found


def intervention_cases() -> dict[str, Case]:
    rate, slow = Change("learning_rate", 0.012345678912345), Change("learning_rate", 1e-05)
    steps = ScheduleChange("step", {"every_epochs": 1, "factor": 0.25})
    plateau = ScheduleChange("reduce_on_plateau", {"patience": 0, "threshold": 0.9})
    long = {"training__epochs": 5}
    return {
        "rate_changed": changing(points(**long), {0: [rate], 3: [slow], 4: [slow, rate]}),
        "rate_changed_under_a_schedule": changing(points({"schedule": "one_cycle"}, **long), {2: [rate], 5: [slow]}),
        "rate_changed_for_asgd": changing(
            points({"optimizer": "asgd"}, optimizer__lambd=0.1, **long), {3: [rate], 4: [Change("lambd", 0.2)]}
        ),
        "rate_and_schedule_changed_for_asgd": changing(
            points({"optimizer": "asgd"}, optimizer__lambd=0.1, **long), {3: [rate, steps]}
        ),
        "betas_changed": changing(
            points(**long), {2: [Change("beta1", 0.5)], 6: [Change("beta2", 0.9), Change("eps", 1e-4)]}
        ),
        "momentum_switched_on": changing(points({"optimizer": "sgd"}, **long), {3: [Change("momentum", 0.9)]}),
        "momentum_switched_on_for_rmsprop": changing(
            points({"optimizer": "rmsprop"}, **long), {3: [Change("momentum", 0.9)], 4: [Change("momentum", 0.0)]}
        ),
        "muon_changed": changing(
            points({"optimizer": "muon"}, **long),
            {1: [rate, Change("momentum", 0.5)], 4: [Change("beta1", 0.5), Change("weight_decay", 0.5)]},
        ),
        "iterations_changed": changing(
            points({"optimizer": "lbfgs"}, optimizer__learning_rate=0.1, **long), {1: [Change("max_iter", 2)]}
        ),
        "rule_changed": changing(points({"optimizer": "adam_rule"}, **long), {3: [rate, Change("delta", 0.1)]}),
        "schedule_changed": changing(
            points({"schedule": "cosine"}, **long),
            {2: [steps], 4: [plateau, rate], 7: [ScheduleChange("constant", {})], 8: [plateau]},
        ),
        "schedules_of_one_kind": changing(
            points({"schedule": "step"}, **long), {4: [steps], 6: [ScheduleChange("step", {"every_epochs": 2})]}
        ),
        "changed_between_epochs": changing(points(**long), {2: [rate], 8: [slow], 9: [rate]}),
        "changed_often": changing(
            points({"optimizer": "sgd"}, training__batch_size=2, training__epochs=1),
            {step: [Change("learning_rate", 0.5 / step), Change("momentum", 0.5)] for step in range(1, 30)},
        ),
    }


def ending_cases() -> dict[str, Case]:
    early: dict[str, object] = {"training__patience": 1, "training__epochs": 40, "optimizer__learning_rate": 0.5}
    return {
        "stopped_early": points(**early),
        "best_epoch_before_the_last": points(**{**early, "training__patience": 30, "training__epochs": 4}),
        "early_stopping_ended_by_steps": points(**{**early, "training__patience": 9, "training__steps": 11}),
        "steps_within_an_epoch": points(training__steps=4),
        "steps_to_the_end_of_an_epoch": points(
            {"schedule": "cosine"}, training__steps=4, training__batch_size=20, training__epochs=3
        ),
        "stopped_by_hand": changing(points({"schedule": "one_cycle"}, training__epochs=9), {}, stop=5),
        "stopped_by_hand_after_an_epoch": changing(points(training__epochs=9), {}, stop=4),
        "stopped_by_hand_while_it_watched": changing(points(**{**early, "training__patience": 9}), {}, stop=7),
        "many_epochs": points(training__epochs=60, training__batch_size=80, training__evaluate_first=False),
    }


def augmentation_cases() -> dict[str, Case]:
    """Every augmentation in both memory formats, and beside what else a script does in a step."""
    found = {}
    for entry in AUGMENTATIONS:
        if entry.name != "none":
            colour = "flip" in entry.name
            picks = {"augmentation": entry.name, "network": "lenet5"}
            picks |= {"dataset": "cifar10", "network": "fast_cnn"} if colour else {}
            last = {"training__memory_format": "channels_last"}
            found[f"augmentation_{entry.name}"] = images(picks, training__epochs=2)
            found[f"augmentation_{entry.name}_channels_last"] = images(picks, **last)
    found["augmentation_of_points"] = points(
        {"augmentation": "noise", "schedule": "cosine"}, augmentation__strength=0.5
    )
    found["augmentation_of_plain_pixels"] = images(
        {"augmentation": "affine", "network": "mlp"}, dataset__normalize=False, network__dropout=0.2
    )
    found["augmentation_stopped"] = changing(points({"augmentation": "noise", "optimizer": "lbfgs"}), {}, stop=3)
    return found


def other_cases() -> dict[str, Case]:
    linear = {"dataset": "exam_scores", "network": "linear", "loss": "bce_written_out", "optimizer": "sgd"}
    given = {"weight": [[2.2690513134002686, -1.1285794973373413]], "bias": [0]}
    many = {"fc1.weight": [[0.1 * row, -0.123456789 * column] for row in range(8) for column in (row + 1,)]}
    plain = {"training.threads": 1, "training.memory_format": "contiguous"}
    return {
        "initial_parameters": Case(make_config(linear, {**plain, "training.epochs": 3}, initial_parameters=given)),
        "some_initial_parameters": Case(
            make_config(
                {"dataset": "gaussians", "network": "mlp"},
                {**plain, "network.hidden": (8,), "training.epochs": 2},
                initial_parameters=many,
            )
        ),
        "not_shuffled": points(training__shuffle=False),
        "mixed_precision": points(training__precision="mixed"),
        "mixed_precision_of_kernels": images({"network": "fast_cnn"}, training__precision="mixed"),
        "mixed_precision_closure": points({"optimizer": "lbfgs"}, training__precision="mixed", optimizer__max_iter=2),
        "large_seed": points(training__seed=2**31 - 1),
        "one_at_a_time": points(training__batch_size=1),
        "two_threads": points(training__threads=2),
    }


CASES = {
    **network_cases(),
    **dataset_cases(),
    **loss_cases(),
    **optimizer_cases(),
    **schedule_cases(),
    **intervention_cases(),
    **ending_cases(),
    **augmentation_cases(),
    **other_cases(),
}


Outcomes = Mapping[str, tuple[Trained, str, list[str]]]
"""By name: the run, its script, and what the script printed."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie, and the images they read."""
    folder = tmp_path_factory.mktemp("scripts")
    write_image_files(folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> Outcomes:
    threads = torch.get_num_threads()
    library = image_library()
    runs = {name: trained(case, library) for name, case in CASES.items()}
    torch.set_num_threads(threads)
    scripts = {name: run.script(CASES[name]) for name, run in runs.items()}
    arguments = {name: ["--data", str(folder)] if "--data" in text else [] for name, text in scripts.items()}
    printed = run_scripts(folder, scripts, arguments)
    return {name: (runs[name], scripts[name], printed[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_a_script_gives_the_weights_of_its_run_to_the_last_bit(name: str, outcomes: Outcomes) -> None:
    run, _, printed = outcomes[name]
    assert printed[-1] == f"weights {run.hash}"


def test_the_cases_are_all_that_can_be_picked_and_end_in_every_way(outcomes: Outcomes) -> None:
    configs = [case.config for case in CASES.values()]
    for part, catalog in CATALOGS.items():
        assert {getattr(config, part).name for config in configs} == {entry.name for entry in catalog}, part
    reasons = {run.finished.reason for run, _, _ in outcomes.values()}
    assert reasons == {"completed", "stopped", "early_stopping"}
    assert any(run.finished.restored_epoch for run, _, _ in outcomes.values())
    assert len({run.hash for run, _, _ in outcomes.values()}) > 0.9 * len(CASES)


def test_a_script_has_as_many_epochs_as_its_run(outcomes: Outcomes) -> None:
    for name, (run, script, printed) in outcomes.items():
        if "if epoch % " not in script and run.finished.reason != "stopped":
            told = [event.epoch for event in run.events if isinstance(event, EpochFinished)]
            assert [int(line.split()[1][:-1]) for line in printed if line.startswith("epoch ")] == told, name


def test_a_script_prints_what_its_run_told(outcomes: Outcomes) -> None:
    run, _, printed = outcomes["dataset_spirals"]
    told = [
        f"epoch {event.epoch}: train loss {event.train_loss:.4f}, test loss {event.test_loss:.4f}, "
        f"test accuracy {event.test_accuracy:.2%}"
        for event in run.events
        if isinstance(event, EpochFinished)
    ]
    assert [line for line in printed if line.startswith("epoch")] == told
    assert printed[0].startswith("untrained: test loss")
    run, _, printed = outcomes["many_epochs"]
    assert [line.split(":")[0] for line in printed[:-1]] == [f"epoch {epoch}" for epoch in range(2, 61, 2)]


def test_scripts_are_laid_out_as_a_formatter_leaves_them(outcomes: Outcomes, folder: Path) -> None:
    scripts = [str(folder / f"{name}.py") for name in outcomes]
    for command in (
        ["format", "--check", "--isolated"],
        ["format", "--check", "--isolated", "--line-length", "120"],
        ["check", "--isolated", "--select", "E,F,W,I,UP"],
    ):
        ruff = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *scripts], capture_output=True, text=True, timeout=60
        )
        assert ruff.returncode == 0, ruff.stdout


def test_scripts_need_nothing_but_torch_and_what_comes_with_it(outcomes: Outcomes) -> None:
    allowed = {"argparse", "copy", "gzip", "hashlib", "math", "numpy", "pathlib", "struct", "torch", "torchvision"}
    for name, (_, script, _) in outcomes.items():
        tree = ast.parse(script)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, name
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, name


def test_the_state_dict_that_a_script_saves_is_the_run_s(outcomes: Outcomes, folder: Path) -> None:
    last = list(outcomes)[-1]  # all of them write the same file
    saved = torch.load(folder / "weights.pt", weights_only=True)
    weights = outcomes[last][0].weights
    assert list(saved) == list(weights)
    assert all(torch.equal(saved[name], tensor) for name, tensor in weights.items())


def test_writing_a_script_needs_no_torch() -> None:
    code = (
        "import sys\nfrom engine.config import make_config\nfrom engine.script import write_script\n"
        "write_script(make_config({'network': 'lenet5'}), threads=1, memory_format='contiguous')\n"
        "raise SystemExit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# What cannot be written.


def write(case: Case, *interventions: Intervened | Recorded, **others: Any) -> str:
    return write_script(case.config, interventions, **{"threads": 1, "memory_format": "contiguous", **others})


@pytest.mark.parametrize("part", ["dataset", "network", "optimizer", "loss", "schedule", "augmentation"])
def test_a_part_of_another_package_is_refused_by_name(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CATALOGS[part][getattr(points().config, part).name]
    others = Catalog(part, type(entry), (*CATALOGS[part], replace(entry, name="foreign")))
    for module in ("engine.config", "engine.script.parts", "engine.script.writer", "engine.script.interventions"):
        name = "LOSSES" if part == "loss" else f"{part.upper()}S"
        monkeypatch.setattr(f"{module}.{name}", others, raising=False)
    config = points().config.model_copy(
        update={part: Choice(name="foreign", params=getattr(points().config, part).params)}
    )
    if part == "dataset":
        info = replace(points().config.dataset_info(), name="foreign")
        monkeypatch.setattr(RunConfig, "dataset_info", lambda _config: info)
    with pytest.raises(InputError, match=rf"^script: the {part} 'foreign' comes from another package.*; these can be"):
        write_script(config, threads=1, memory_format="contiguous")


@pytest.mark.parametrize(
    "intervention",
    [
        Recorded(1, Change("learning_rate", math.nan)),
        Recorded(1, Change("learning_rate", math.inf)),
        Recorded(1, Change("learning_rate", -1.0)),
        Recorded(-1, Change("learning_rate", 0.1)),
        Recorded(True, Change("learning_rate", 0.1)),
        Recorded(1, Change("amsgrad", 1.0)),
        Recorded(1, Change("momentum", 0.9)),
        Recorded(1, Change('lr": 0}; import os #', 0.9)),
        Recorded(1, ScheduleChange("nonsense", {})),
        Recorded(1, ScheduleChange("step", {"factor": 9})),
        Recorded(1, ScheduleChange("step", {"color": 1})),
        Intervened(1, "learning_rate", "0.1", "a lot"),
        Intervened(1, "learning_rate", "0.1", "nan"),
        Intervened(1, "schedule", "constant", "__import__('os')"),
    ],
)
def test_interventions_that_no_run_has_are_refused(intervention: Intervened | Recorded) -> None:
    with pytest.raises(InputError):
        write(points(), intervention)


@pytest.mark.parametrize(
    "others",
    [
        {"threads": 0},
        {"memory_format": "sideways"},
        {"device": "TPU"},
        {"precision": "mixed int4"},
        {"precision": "float64"},
        {"stopped_after": -1},
        {"stopped_after": 10_000},
    ],
)
def test_what_no_run_says_of_itself_is_refused(others: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^script: "):
        write(points(), **others)


@pytest.mark.parametrize(
    "given",
    [
        {"fc1.bias": ["import os"]},
        {"fc1.bias": [math.nan]},
        {"fc1.bias": [[object()]]},
        {'fc1.bias"]: 0}\nimport os\n{"': [0.0]},
        {"fc1.bias": {1, 2}},
    ],
)
def test_initial_parameters_become_numbers_and_never_code(given: dict[str, object]) -> None:
    config = points().config.model_copy(update={"initial_parameters": given})
    with pytest.raises(InputError, match=r"^script: "):
        write_script(config, threads=1, memory_format="contiguous")


def test_the_event_of_an_intervention_is_as_good_as_its_record() -> None:
    case, settings = points({"schedule": "step"}, schedule__factor=0.7), {"every_epochs": 2, "factor": 0.7}
    told = [
        Intervened(3, "learning_rate", "0.003", "0.01"),
        Intervened(4, "schedule", "cosine", "step", settings),
        Intervened(5, "schedule", "step", "constant"),
    ]
    recorded = [
        Recorded(3, Change("learning_rate", 0.01)),
        Recorded(4, ScheduleChange("step", settings)),
        Recorded(5, ScheduleChange("constant", {})),
    ]
    assert write(case, *told) == write(case, *recorded)


def test_a_schedule_whose_settings_are_not_known_is_refused() -> None:
    with pytest.raises(InputError, match=r"changed its schedule to .* after step 4, and .* with which settings"):
        write(points({"schedule": "step"}), Intervened(4, "schedule", "cosine", "step"))


def test_other_devices_and_precisions_are_written_as_the_run_had_them() -> None:
    case = images({"network": "fast_cnn"}, training__precision="mixed")
    script = write(case, device="CUDA · NVIDIA H100", precision="mixed float16")
    for line in (
        'DEVICE = "cuda"',
        "network.to(DEVICE)",
        "train, test = [(x.to(DEVICE), y.to(DEVICE)) for x, y in load_data(options.data)]",
        "order = torch.randperm(len(inputs), generator=generator).to(DEVICE)",
        "with torch.autocast(DEVICE, dtype=torch.float16):",
        "scaler.scale(loss).backward()",
    ):
        assert f"{line}\n" in script
    assert "THREADS" not in script
    assert 'with torch.autocast("cpu", dtype=torch.bfloat16):' in write(case)


# The hash.


def test_the_hash_is_what_its_definition_says() -> None:
    kernels = torch.arange(24.0).reshape(2, 3, 2, 2)
    weights = {"b.count": torch.tensor(7), "a": torch.tensor([1.5, -2.0]), "c": kernels, "d": torch.zeros(0, 3)}
    expected = hashlib.sha256()
    for text, form, values in (
        ("a float32 (2,)\n", "<2f", (1.5, -2.0)),
        ("b.count int64 ()\n", "<q", (7,)),
        ("c float32 (2, 3, 2, 2)\n", "<24f", range(24)),
        ("d float32 (0, 3)\n", "<", ()),
    ):
        expected.update(text.encode())
        expected.update(struct.pack(form, *values))
    assert weight_hash(weights) == expected.hexdigest()
    weights["c"] = kernels.to(memory_format=torch.channels_last)
    assert weight_hash(weights) == expected.hexdigest()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.bool, torch.complex64])
def test_every_dtype_has_a_hash_of_its_own(dtype: torch.dtype) -> None:
    ones, zeros = torch.ones(3, dtype=dtype), torch.zeros(3, dtype=dtype)
    hashes = {
        weight_hash({"w": tensor}) for tensor in (ones, zeros, torch.ones(3, dtype=torch.int32), ones.reshape(3, 1))
    }
    assert len(hashes) == 4
