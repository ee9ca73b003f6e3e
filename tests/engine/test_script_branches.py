"""A branch as a plain PyTorch script: its parent's part comes first, then it goes on, equal to the last bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import EpochFinished, Event, Finished, Intervened, Started, StepFinished
from engine.rewind.branch import branch, branch_config
from engine.rewind.moments import checkpoint_at
from engine.rewind.snapshots import Snapshots
from engine.script import Past, write_script
from engine.training import train
from engine.weight_hash import weight_hash
from tests.engine.runs import toy_config
from tests.engine.script_runs import image_library, run_scripts, write_image_files

Changes = Mapping[int, Sequence[Change | ScheduleChange]]

RATE = Change("learning_rate", 0.0123456789)
PLATEAU = ScheduleChange("reduce_on_plateau", {"patience": 0, "threshold": 0.9})


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a branch begins, in its parent's count, and what is other in it; then what is done during it."""

    step: int
    other: Mapping[str, object] = field(default_factory=dict)
    changes: Changes = field(default_factory=dict)
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A run, what is changed during it, and the branches that follow one another."""

    config: RunConfig
    branches: tuple[Stage, ...]
    changes: Changes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    hash: str
    script: str
    events: tuple[Event, ...]


def go(
    config: RunConfig, library: Library, changes: Changes, stop: int | None, **others: object
) -> tuple[list[Event], str, Snapshots]:
    snapshots, control, events = Snapshots(share=2.0), RunControl(), []
    for event in train(config, control, library=library, snapshots=snapshots, **others):  # type: ignore[arg-type]
        events.append(event)
        if isinstance(event, Started):
            for change in changes.get(event.resumed_from, ()):
                control.change(change)
        if isinstance(event, StepFinished):
            for change in changes.get(event.step, ()):
                control.change(change)
            if event.step == stop:
                control.stop()
    assert isinstance(events[-1], Finished), events[-1]
    assert control.live is not None
    return events, weight_hash(control.live.weights()), snapshots


def told(events: Sequence[Event]) -> tuple[Started, list[Intervened], Finished]:
    (started,) = [event for event in events if isinstance(event, Started)]
    assert isinstance(events[-1], Finished)
    return started, [event for event in events if isinstance(event, Intervened)], events[-1]


def trained(line: Line, library: Library) -> Trained:
    config, past = line.config, None
    events, found, snapshots = go(config, library, line.changes, None)
    for stage in line.branches:
        checkpoint = checkpoint_at(snapshots, stage.step)
        assert checkpoint is not None
        started, changed, _ = told(events)
        child = branch_config(checkpoint, stage.other)
        torch.manual_seed(7)  # nothing of the parent is left in torch
        events, found, snapshots = go(
            child, library, stage.changes, stage.stop, resume=branch(checkpoint, child, parent="1")
        )
        begun = told(events)[0].resumed_from
        past = Past(
            config=config,
            step=stage.step,
            threads=started.threads,
            memory_format=started.memory_format,
            interventions=changed,
            device=started.device,
            precision=started.precision,
            left_open=any(isinstance(event, EpochFinished) and event.step == begun for event in events),
            past=past,
        )
        config = child
    started, changed, finished = told(events)
    script = write_script(
        config,
        changed,
        threads=started.threads,
        memory_format=started.memory_format,
        device=started.device,
        precision=started.precision,
        stopped_after=finished.step if finished.reason == "stopped" else None,
        past=past,
    )
    return Trained(found, script, tuple(events))


def points(picks: Mapping[str, str] | None = None, /, **settings: object) -> RunConfig:
    """Six steps an epoch, three epochs."""
    given = {"dataset__samples": 300, "training__epochs": 3, "training__batch_size": 20, **settings}
    return toy_config(picks, **{name: value for name, value in given.items() if value is not None})


def images(picks: Mapping[str, str], /, **settings: object) -> RunConfig:
    small = {"dataset__validation": 0, "training__epochs": 2, "training__batch_size": 5, "training__seed": 7}
    return toy_config({"dataset": "mnist", "schedule": "constant", **picks}, **{**small, **settings})


def one(config: RunConfig, step: int, other: Mapping[str, object] | None = None, **more: object) -> Line:
    return Line(config, (Stage(step, other or {}, **more),))  # type: ignore[arg-type]


PER_EPOCH = 6  # steps of `points`


def other_set_ups() -> dict[str, Line]:
    """What a branch can change, within an epoch and between two."""
    adam = points()
    found = {
        "as_it_was": one(adam, 8),
        "as_it_was_between_epochs": one(adam, PER_EPOCH),
        "as_it_was_from_the_start": one(adam, 0),
        "as_it_was_after_the_first_step": one(adam, 1),
        "longer": one(points(training__steps=10), 10, {"training.steps": 17}),
        "after_the_end": one(points({"schedule": "step"}), 3 * PER_EPOCH, {"training.epochs": 5}),
        "seed": one(points(network__dropout=0.3), 8, {"training.seed": 5}),
        "epochs_under_a_schedule": one(points({"schedule": "cosine"}), 8, {"training.epochs": 5}),
        "not_shuffled": one(adam, 8, {"training.shuffle": False}),
        "two_threads": one(adam, 8, {"training.threads": 2}),
        "mixed_precision": one(adam, 8, {"training.precision": "mixed"}),
        "loss": one(adam, 8, {"loss": "mse"}),
        "label_smoothing": one(adam, 8, {"loss.label_smoothing": 0.1}),
    }
    for step in (0, 1, 8, PER_EPOCH):
        found[f"batch_{step}"] = one(points(network__dropout=0.2), step, {"training.batch_size": 32})
        found[f"large_batch_{step}"] = one(points(training__epochs=6), step, {"training.batch_size": 100})
    for step in (0, 8):
        found[f"learning_rate_{step}"] = one(adam, step, {"optimizer.learning_rate": 0.01})
        found[f"optimizer_{step}"] = one(adam, step, {"optimizer": "sgd"})
        found[f"schedule_{step}"] = one(adam, step, {"schedule": "one_cycle"})
    found["small_batch"] = one(adam, 8, {"training.batch_size": 7})
    found["samples"] = one(adam, 8, {"dataset.samples": 500})
    found["augmentation"] = one(points({"augmentation": "noise"}), 8, {"training.batch_size": 15})
    found["augmentation_begins"] = one(adam, 8, {"augmentation": "noise", "training.seed": 4})
    found["dataset"] = one(adam, 8, {"dataset": "spirals"})
    found["dataset_with_other_settings"] = one(points(dataset__noise=0.1), 8, {"dataset.noise": 0.3})
    found["much"] = one(
        points({"schedule": "cosine"}),
        8,
        {
            "dataset": "xor",
            "optimizer": "muon",
            "schedule": "step",
            "training.batch_size": 13,
            "training.epochs": 6,
            "training.seed": 3,
            "training.patience": 2,
        },
    )
    return found


def optimizers() -> dict[str, Line]:
    """One state goes on under other settings, another begins."""
    found = {}
    for name in ("muon", "rmsprop", "asgd", "lbfgs", "adam_rule"):
        slow = {"optimizer__learning_rate": 0.05} if name == "lbfgs" else {}
        found[f"{name}_rate"] = one(points({"optimizer": name}, **slow), 8, {"optimizer.learning_rate": 0.02})
        found[f"{name}_then_adam"] = one(points({"optimizer": name}, **slow), 8, {"optimizer": "adam"})
        if name != "lbfgs":
            found[f"adam_then_{name}"] = one(points(), 8, {"optimizer": name})
    found["adam_then_lbfgs"] = one(points(), 8, {"optimizer": "lbfgs", "optimizer.learning_rate": 0.05})
    found["momentum"] = one(points({"optimizer": "sgd"}), 8, {"optimizer.momentum": 0.9})
    found["momentum_of_rmsprop"] = one(points({"optimizer": "rmsprop"}), 8, {"optimizer.momentum": 0.9})
    found["momentum_of_rmsprop_off"] = one(
        points({"optimizer": "rmsprop"}, optimizer__momentum=0.9), 8, {"optimizer.momentum": 0.0}
    )
    found["beta"] = one(points(), 8, {"optimizer.beta2": 0.9, "optimizer.eps": 1e-4})
    found["both_halves_of_muon"] = one(
        points({"optimizer": "muon"}),
        8,
        {"optimizer.momentum": 0.5, "optimizer.beta1": 0.5, "optimizer.weight_decay": 0.3},
    )
    found["fresh_adam"] = one(points(), 8, {"optimizer.amsgrad": True})
    found["lambd"] = one(
        points({"optimizer": "asgd"}, optimizer__lambd=0.1), 8, {"optimizer.lambd": 0.2, "optimizer.learning_rate": 0.1}
    )
    found["asgd_under_a_schedule"] = one(
        points({"optimizer": "asgd", "schedule": "cosine"}, optimizer__lambd=0.1), 8, {"schedule": "constant"}
    )
    return found


def schedules() -> dict[str, Line]:
    plateau = {"schedule__patience": 0, "schedule__threshold": 0.9, "training__epochs": 6}
    watching = points({"schedule": "reduce_on_plateau"}, **plateau)
    return {
        "plateau_goes_on": one(watching, 2 * PER_EPOCH, {"training.epochs": 5}),
        "plateau_goes_on_within_an_epoch": one(watching, 2 * PER_EPOCH + 1, {"optimizer.learning_rate": 0.01}),
        "plateau_begins_anew": one(watching, 2 * PER_EPOCH, {"schedule.factor": 0.5}),
        "plateau_without_validation": one(
            points({"schedule": "reduce_on_plateau"}, dataset__validation=0.0, **plateau),
            2 * PER_EPOCH + 1,
            {"training.batch_size": 9},
        ),
        "plateau_begins": one(points(), 8, {"schedule": "reduce_on_plateau", "schedule.patience": 0}),
        "no_schedule_any_more": one(points({"schedule": "one_cycle"}), 8, {"schedule": "constant"}),
        "schedule_of_a_changed_run": one(
            points({"schedule": "cosine"}), 8, {"training.epochs": 4}, changes={10: [RATE, PLATEAU]}
        ),
        "plateau_was_picked_at_this_step": Line(
            watching, (Stage(2 * PER_EPOCH + 2),), {2: [PLATEAU], 2 * PER_EPOCH + 2: [PLATEAU]}
        ),
        "plateau_of_a_change_goes_on": Line(points(training__epochs=6), (Stage(2 * PER_EPOCH + 2),), {2: [PLATEAU]}),
        "two_plateaus": Line(
            watching, (Stage(8, {"schedule.factor": 0.3}),), {2: [ScheduleChange("reduce_on_plateau", {"factor": 0.9})]}
        ),
        "another_total": one(points({"schedule": "one_cycle"}), 8, {"training.batch_size": 32}),
    }


def changed_runs() -> dict[str, Line]:
    """Interventions before, at and after the step of the branch."""
    momentum = Change("momentum", 0.8)
    sgd = points({"optimizer": "sgd"})
    return {
        "changed_before": Line(sgd, (Stage(8),), {2: [RATE], 5: [momentum]}),
        "changed_at_the_step": Line(sgd, (Stage(8),), {8: [RATE, momentum]}),
        "changed_at_the_end_of_an_epoch": Line(sgd, (Stage(PER_EPOCH),), {PER_EPOCH: [RATE, momentum]}),
        "changed_later": Line(sgd, (Stage(8),), {9: [RATE, momentum]}),
        "changed_back": Line(
            sgd, (Stage(8, {"optimizer.learning_rate": 0.01, "optimizer.momentum": 0.0}),), {2: [RATE]}
        ),
        "changed_before_and_another_batch": Line(sgd, (Stage(8, {"training.batch_size": 9}),), {2: [RATE, momentum]}),
        "betas_changed": Line(
            points(),
            (Stage(8, {"optimizer.beta1": 0.7}),),
            {2: [Change("beta1", 0.5)], 8: [Change("beta2", 0.9)]},
        ),
        "changed_in_the_branch": Line(sgd, (Stage(8, {}, {8: [momentum], 10: [RATE]}),)),
        "changed_in_a_branch_that_counts_otherwise": one(
            sgd, 8, {"training.batch_size": 9}, changes={20: [RATE], 25: [momentum]}
        ),
        "changed_under_schedules": Line(
            points({"schedule": "cosine"}),
            (Stage(8, {"schedule": "step"}, {9: [RATE]}),),
            {2: [RATE], 4: [ScheduleChange("one_cycle", {})]},
        ),
        "asgd_changed": Line(
            points({"optimizer": "asgd"}, optimizer__lambd=0.1), (Stage(8, {}, {9: [RATE]}),), {2: [RATE]}
        ),
    }


def endings() -> dict[str, Line]:
    early: dict[str, object] = {"training__patience": 2, "training__epochs": 30, "optimizer__learning_rate": 0.5}
    return {
        "stopped_by_hand": one(points(), 8, {"optimizer.learning_rate": 0.01}, stop=10),
        "stopped_by_hand_at_the_end_of_an_epoch": one(points(), 8, stop=2 * PER_EPOCH),
        "stopped_by_hand_while_it_watched": one(points(**early), 8, {"training.patience": 5}, stop=20),
        "early_stopping_goes_on": one(points(**early), 8),
        "early_stopping_goes_on_between_epochs": one(points(**early), 2 * PER_EPOCH),
        "early_stopping_is_less_patient": one(
            points(**{**early, "training__patience": 9}), 14, {"training.patience": 1}
        ),
        "early_stopping_of_another_goal": one(points(**early), 8, {"dataset.noise": 0.4}),
        "early_stopping_begins": one(points(), 8, {"training.patience": 1, "training.epochs": 20}),
        "early_stopping_ends": one(points(**{**early, "training__epochs": 4}), 8, {"training.patience": 0}),
        "steps_within_an_epoch": one(points(), 8, {"training.steps": 11}),
    }


def pictures() -> dict[str, Line]:
    return {
        "patterns": one(
            toy_config({"dataset": "two_patterns", "network": "single_conv"}, training__epochs=3),
            3,
            {"dataset.intensities": 7, "training.batch_size": 4},
        ),
        "channels_last": one(
            images({"network": "lenet3"}, training__memory_format="channels_last"), 2, {"optimizer.learning_rate": 0.01}
        ),
        "channels_last_then_lbfgs": one(
            images({"network": "lenet3"}, training__memory_format="channels_last"),
            2,
            {"optimizer": "lbfgs", "optimizer.learning_rate": 0.05},
        ),
        "batch_norm": one(images({"network": "fast_cnn"}), 2, {"optimizer.beta1": 0.5}),
    }


def lines() -> dict[str, Line]:
    """Branches of branches."""
    rate = {"optimizer.learning_rate": 0.01}
    return {
        "three": Line(points(), (Stage(4, rate), Stage(8, {"optimizer": "sgd"}))),
        "four": Line(
            points({"schedule": "cosine"}),
            (
                Stage(4, {"training.batch_size": 32}),
                Stage(6, {"training.batch_size": 20, "optimizer": "rmsprop"}, {7: [RATE]}),
                Stage(PER_EPOCH * 2, {"schedule": "reduce_on_plateau", "training.epochs": 5}),
            ),
        ),
        "there_and_back": Line(
            points(),
            (
                Stage(4, {"dataset": "xor", "dataset.samples": 300, "loss": "mse"}),
                Stage(9, {"dataset": "gaussians", "loss": "cross_entropy"}),
            ),
        ),
        "branches_at_one_step": Line(
            points(network__dropout=0.2), (Stage(4, rate), Stage(4, {"optimizer.beta1": 0.5}))
        ),
        "early_stopping_all_along": Line(
            points(training__patience=6, training__epochs=20, optimizer__learning_rate=0.5),
            (Stage(8, rate), Stage(20, {"training.patience": 3, "optimizer.learning_rate": 0.3})),
        ),
    }


CASES = {
    **other_set_ups(),
    **optimizers(),
    **schedules(),
    **changed_runs(),
    **endings(),
    **pictures(),
    **lines(),
}

Outcomes = Mapping[str, tuple[Trained, list[str]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie, and the images they read."""
    folder = tmp_path_factory.mktemp("scripts")
    write_image_files(folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> Outcomes:
    threads, library = torch.get_num_threads(), image_library()
    runs = {name: trained(line, library) for name, line in CASES.items()}
    torch.set_num_threads(threads)
    arguments = {
        name: [
            piece for option in ("--data", "--data-2") if f'"{option}"' in run.script for piece in (option, str(folder))
        ]
        for name, run in runs.items()
    }
    printed = run_scripts(folder, {name: run.script for name, run in runs.items()}, arguments)
    return {name: (runs[name], printed[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_a_script_gives_the_branch_s_weights_to_the_last_bit(name: str, outcomes: Outcomes) -> None:
    run, printed = outcomes[name]
    assert printed[-1] == f"weights {run.hash}"


def test_scripts_are_laid_out_as_a_formatter_leaves_them(outcomes: Outcomes, folder: Path) -> None:
    scripts = [str(folder / f"{name}.py") for name in outcomes]
    for command in (
        ["format", "--check", "--diff", "--isolated"],
        ["format", "--check", "--isolated", "--line-length", "120"],
        ["check", "--isolated", "--select", "E,F,W,I,UP"],
    ):
        ruff = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *scripts], capture_output=True, text=True, timeout=60
        )
        assert ruff.returncode == 0, ruff.stdout[:4000]


# What cannot be written.


def after(config: RunConfig, step: int = 8, **others: Any) -> Past:
    return Past(**{"config": config, "step": step, "threads": 1, "memory_format": "contiguous", **others})


def write(config: RunConfig, past: Past, **others: Any) -> str:
    return write_script(config, **{"threads": 1, "memory_format": "contiguous", "past": past, **others})


@pytest.mark.parametrize(
    ("parent", "child", "others", "problem"),
    [
        (points(), points(network__dropout=0.5), {}, "whose network has other settings"),
        (points(), points(), {"device": "CUDA · H100"}, "one on another device"),
        (points(), points(network__hidden=(9,)), {}, "whose network has other settings"),
        (
            images({"network": "lenet3"}),
            images({"network": "lenet3"}),
            {"memory_format": "channels_last"},
            "another way",
        ),
    ],
)
def test_a_branch_that_a_script_cannot_follow_is_refused(
    parent: RunConfig, child: RunConfig, others: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=f"^script: .*{problem}"):
        write(child, after(parent), **others)


@pytest.mark.parametrize("step", [-1, 19, True])
def test_a_step_that_the_parent_never_did_is_refused(step: int) -> None:
    with pytest.raises(InputError, match=r"^script: no branch can begin after step"):
        write(points(), after(points(), step))


def test_runs_that_branch_off_one_another_without_an_end_are_refused() -> None:
    past = after(points())
    for _ in range(60):
        past = after(points(), past=past)
    with pytest.raises(InputError, match=r"^script: too many runs"):
        write(points(), past)


def test_each_folder_of_data_has_an_option_of_its_own() -> None:
    one_more = after(images({"network": "mnist_mlp", "dataset": "kmnist"}), 2)
    script = write(images({"network": "mnist_mlp"}), one_more)
    assert '"--data"' in script
    assert '"--data-2"' in script
    assert "load_data(options.data)" in script
    assert "load_data_2(options.data_2)" in script
