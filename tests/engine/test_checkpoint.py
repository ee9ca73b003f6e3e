"""A run that goes on from a checkpoint tells and learns exactly what a run never stopped does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import engine.course
import engine.steps
from engine.checkpoint import Checkpoint, caution, check_same_run, load_checkpoint
from engine.checkpoint_folder import BEST, LATEST, CheckpointPolicy, epoch_file, holds_checkpoint
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.devices import Device, pick_device
from engine.errors import InputError
from engine.events import (
    CheckpointSaved,
    EpochFinished,
    Evaluated,
    Failed,
    Finished,
    Intervened,
    Started,
    StepFinished,
)
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.training import train
from engine.tuning import Trial, Tuned, Tuner
from tests.engine.checkpoint_runs import Doings, assert_unbroken, interrupted, run, small_config
from tests.engine.runs import losses, of_kind, tiny_library, toy_config

PER_EPOCH = 6  # steps of `small_config`


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Of `small_config` after four steps."""
    folder = tmp_path_factory.mktemp("run")
    interrupted(small_config(), folder, stop=4)
    return load_checkpoint(folder)


def test_an_epoch_of_the_set_up_used_here(tmp_path: Path) -> None:
    [started] = of_kind(run(small_config(training__steps=1)).events, Started)
    assert started.steps_per_epoch == PER_EPOCH
    assert not holds_checkpoint(tmp_path)


class TestBitForBit:
    @pytest.mark.parametrize("optimizer", [entry.name for entry in OPTIMIZERS])
    def test_every_optimizer_goes_on_within_an_epoch_and_after_one(self, optimizer: str, tmp_path: Path) -> None:
        config = small_config({"optimizer": optimizer}, network__dropout=0.3)
        whole = run(config)
        for stop in (PER_EPOCH, PER_EPOCH + 2):
            assert_unbroken(whole, *interrupted(config, tmp_path / str(stop), stop=stop))

    @pytest.mark.parametrize(
        ("optimizer", "settings"),
        [
            ("sgd", {"optimizer__momentum": 0.9, "optimizer__nesterov": True}),
            ("adam", {"optimizer__amsgrad": True}),
            ("rmsprop", {"optimizer__momentum": 0.5, "optimizer__centered": True}),
            ("asgd", {"optimizer__t0": 2}),
            ("lbfgs", {"optimizer__line_search": "none", "optimizer__learning_rate": 0.1, "optimizer__max_iter": 3}),
            ("lbfgs", {"optimizer__history_size": 2}),
        ],
    )
    def test_settings_with_which_more_is_remembered(
        self, optimizer: str, settings: dict[str, object], tmp_path: Path
    ) -> None:
        config = small_config({"optimizer": optimizer}, **settings)
        assert_unbroken(run(config), *interrupted(config, tmp_path, stop=4))

    @pytest.mark.parametrize("optimizer", ["sgd", "adamw", "adafactor", "muon"])
    def test_batch_norm_and_channels_last(self, optimizer: str, tmp_path: Path) -> None:
        picks = {"dataset": "mnist", "network": "fast_cnn", "optimizer": optimizer}
        config = toy_config(picks, training__batch_size=16, training__epochs=2, training__memory_format="channels_last")
        parts = interrupted(config, tmp_path, stop=5, library=tiny_library())
        assert_unbroken(run(config, library=tiny_library()), *parts)
        assert of_kind(parts[1].events, Started)[0].memory_format == "channels_last"

    @pytest.mark.parametrize("stop", [3, PER_EPOCH, 2 * PER_EPOCH, 2 * PER_EPOCH + 1])
    @pytest.mark.parametrize("schedule", ["one_cycle", "reduce_on_plateau"])
    def test_schedules_go_on_where_they_were(self, schedule: str, stop: int, tmp_path: Path) -> None:
        falling: dict[str, object] = {"schedule__patience": 0, "schedule__threshold": 1.0}
        settings = falling if schedule == "reduce_on_plateau" else {}
        config = small_config({"schedule": schedule}, **settings)
        whole = run(config)
        assert len({step.learning_rate for step in of_kind(whole.events, StepFinished)}) > 1
        assert_unbroken(whole, *interrupted(config, tmp_path, stop=stop))

    def test_early_stopping_remembers_the_best_weights_and_how_long_it_has_waited(self, tmp_path: Path) -> None:
        config = small_config(
            {"optimizer": "sgd"}, optimizer__learning_rate=40, training__patience=2, training__epochs=20
        )
        whole = run(config)
        [end] = of_kind(whole.events, Finished)
        assert end.reason == "early_stopping"
        assert end.restored_epoch is not None
        assert end.epoch == end.restored_epoch + 2
        for stop in (end.restored_epoch * PER_EPOCH, end.restored_epoch * PER_EPOCH + 8, PER_EPOCH + 1):
            assert_unbroken(whole, *interrupted(config, tmp_path / str(stop), stop=stop))

    def test_interventions_before_and_after_the_interruption(self, tmp_path: Path) -> None:
        config = small_config({"optimizer": "sgd", "schedule": "cosine"})
        doings = {
            2: lambda control: control.change(Change("learning_rate", 0.3)),
            3: lambda control: control.change(Change("momentum", 0.8)),
            4: lambda control: control.change(ScheduleChange("reduce_on_plateau", {"patience": 0, "threshold": 1.0})),
            8: lambda control: control.change(Change("momentum", 0.0)),
            11: lambda control: control.change(ScheduleChange("one_cycle", {})),
        }
        whole = run(config, doings=doings)
        changes = of_kind(whole.events, Intervened)
        assert len(changes) == len(doings)
        for stop in (3, 5, 9):
            folder = tmp_path / str(stop)
            parts = interrupted(config, folder, stop=stop, doings=doings)
            assert_unbroken(whole, *parts)
            assert load_checkpoint(folder).interventions == tuple(changes[: sum(step <= stop for step in doings)])

    def test_a_run_that_diverges_falls_back_on_the_same_weights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine.course, "KEEP_EVERY", 3)
        config = small_config({"optimizer": "sgd"})
        doings = {7: lambda control: control.change(Change("learning_rate", 1e30))}
        whole = run(config, doings=doings)
        [failed] = of_kind(whole.events, Failed)
        assert failed.kind == "diverged"
        assert failed.step > 0
        assert_unbroken(whole, *interrupted(config, tmp_path, stop=7, doings=doings))

    def test_mixed_precision(self, tmp_path: Path) -> None:
        config = small_config(training__precision="mixed")
        assert_unbroken(run(config), *interrupted(config, tmp_path, stop=4))

    def test_losses_that_wait_on_an_accelerator_are_read_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = small_config()
        whole = run(config)
        monkeypatch.setattr(Device, "answers_late", True)
        policy = CheckpointPolicy(folder=tmp_path / "steps", every_steps=4, every_epochs=0, at_best=False, at_end=False)
        part = run(config, doings={10: RunControl.stop}, checkpoints=policy)
        assert losses(part.events)[:10] == losses(whole.events)[:10]
        checkpoint = load_checkpoint(policy.folder)
        rest = run(config, resume=checkpoint)
        assert losses(rest.events) == losses(whole.events)[checkpoint.step :]
        assert of_kind(rest.events, EpochFinished)[-1].train_loss == of_kind(whole.events, EpochFinished)[-1].train_loss
        assert_unbroken(whole, *interrupted(config, tmp_path / "stop", stop=8))

    def test_order_of_the_file_without_shuffling(self, tmp_path: Path) -> None:
        config = small_config(training__shuffle=False)
        assert_unbroken(run(config), *interrupted(config, tmp_path, stop=4))

    def test_a_run_may_be_interrupted_again_and_again(self, tmp_path: Path) -> None:
        config = small_config(network__dropout=0.3)
        policy, found, checkpoint = CheckpointPolicy(folder=tmp_path), [], None
        while checkpoint is None or checkpoint.step < 3 * PER_EPOCH:
            stop = (checkpoint.step if checkpoint else 0) + 4
            part = run(config, doings={stop: RunControl.stop}, resume=checkpoint, checkpoints=policy)
            found += losses(part.events)
            checkpoint = load_checkpoint(tmp_path)
        whole = run(config)
        assert found == losses(whole.events)
        assert all(torch.equal(checkpoint.weights[name], value) for name, value in whole.weights.items())


class TestWhereItGoesOn:
    def test_it_says_so_and_evaluates_nothing_again(self, tmp_path: Path) -> None:
        _, second = interrupted(small_config(), tmp_path, stop=4)
        [started] = of_kind(second.events, Started)
        assert (started.resumed_from, started.caution) == (4, "")
        assert not of_kind(second.events, Evaluated)
        [finished] = of_kind(second.events, Finished)
        assert finished.reason == "completed"
        assert of_kind(second.events, StepFinished)[0].seconds >= load_checkpoint(tmp_path).progress.seconds

    def test_a_run_that_was_over_is_over_at_once(self, tmp_path: Path) -> None:
        ended: dict[str, dict[str, object]] = {
            "whole epochs": {},
            "half an epoch": {"training__steps": 9},
            "early stopping": {"training__patience": 1, "optimizer__learning_rate": 5.0, "training__epochs": 50},
        }
        for name, settings in ended.items():
            config, policy = small_config(None, **settings), CheckpointPolicy(folder=tmp_path / name)
            whole = run(config, checkpoints=policy)
            again = run(config, resume=load_checkpoint(policy.folder))
            assert again.told() == whole.told()[-1:]
            assert all(torch.equal(again.weights[name], value) for name, value in whole.weights.items())

    @pytest.mark.parametrize("settings", [{}, {"training__steps": 2 * PER_EPOCH + 2}])
    def test_an_evaluation_that_was_cut_short_is_done_anew(
        self, settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = small_config(None, **settings)
        whole = run(config)
        original, left = engine.steps.evaluate, [5 if settings else 3]

        def evaluate(*arguments: object) -> object:
            left[0] -= 1
            if not left[0]:
                arguments[-1].stop()  # type: ignore[attr-defined]  # the run's control
                return None
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(engine.course, "evaluate", evaluate)
        first = run(config, checkpoints=CheckpointPolicy(folder=tmp_path))
        monkeypatch.setattr(engine.course, "evaluate", original)
        assert_unbroken(whole, first, run(config, resume=load_checkpoint(tmp_path)))

    def test_epochs_may_be_added(self, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path)
        first = run(small_config(training__epochs=1), checkpoints=policy)
        second = run(small_config(), resume=load_checkpoint(tmp_path))
        whole = run(small_config())
        assert first.told()[:-1] + second.told() == whole.told()

    @pytest.mark.parametrize(
        ("schedule", "spans"),
        [("constant", False), ("step", False), ("reduce_on_plateau", False), ("cosine", True), ("one_cycle", True)],
    )
    def test_a_schedule_that_spans_the_run_keeps_its_length(self, schedule: str, spans: bool, tmp_path: Path) -> None:
        """Else the steps before would have had other rates, and neither the script nor going back repeat the run."""
        picks = {"schedule": schedule}
        first = run(small_config(picks, training__epochs=2), checkpoints=CheckpointPolicy(folder=tmp_path))
        checkpoint = load_checkpoint(tmp_path)
        for same in ({"training__epochs": 2}, {"training__epochs": 3, "training__steps": checkpoint.step}):
            check_same_run(small_config(picks, **same), checkpoint)
        for other in ({}, {"training__epochs": 2, "training__steps": checkpoint.step - 1}):
            second = run(small_config(picks, **other), resume=checkpoint)
            refused = f"its schedule ({schedule}) spans the {checkpoint.step} steps that the run was to have"
            last = second.events[-1]
            assert (isinstance(last, Failed) and refused in last.message) == spans
        if not spans:
            longer = run(small_config(picks), resume=checkpoint)
            assert first.told()[:-1] + longer.told() == run(small_config(picks)).told()

    def test_so_does_one_that_a_run_had_for_a_while(self, tmp_path: Path) -> None:
        doings: Doings = {
            2: lambda control: control.change(ScheduleChange("cosine", {})),
            5: lambda control: control.change(ScheduleChange("constant", {})),
        }
        run(small_config(training__epochs=2), doings=doings, checkpoints=CheckpointPolicy(folder=tmp_path))
        with pytest.raises(InputError, match=r"its schedule \(cosine\) spans"):
            check_same_run(small_config(), load_checkpoint(tmp_path))

    def test_nothing_is_measured_again(self, tmp_path: Path) -> None:
        class Idle(Tuner):
            def tune(self, *_: object) -> Iterator[Tuned | None]:
                raise AssertionError("it measured")

        class Fixed(Tuner):
            def tune(self, config: RunConfig, network: torch.nn.Module, trial: Trial) -> Iterator[Tuned | None]:  # noqa: ARG002
                yield Tuned(2, channels_last=True)

        picks = {"dataset": "mnist", "network": "lenet3"}
        config = toy_config(
            picks, training__threads=0, training__memory_format="auto", training__batch_size=16, training__steps=2
        )
        policy = CheckpointPolicy(folder=tmp_path)
        list(train(config, library=tiny_library(), tuner=Fixed(), checkpoints=policy))
        checkpoint = load_checkpoint(tmp_path)
        [started] = of_kind(train(config, library=tiny_library(), tuner=Idle(), resume=checkpoint), Started)
        assert (started.threads, started.memory_format) == (2, "channels_last")

    def test_a_stop_before_the_first_step_keeps_nothing(self, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path)
        ended = run(small_config(), doings={0: RunControl.stop}, checkpoints=policy)
        assert isinstance(ended.events[-1], Finished)
        assert not holds_checkpoint(tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("other", "named"),
        [
            (small_config(network__hidden=(9,)), "network.hidden"),
            (small_config({"optimizer": "sgd"}), "optimizer"),
            (small_config(training__batch_size=5), "training.batch_size"),
            (small_config(training__seed=5), "training.seed"),
            (small_config(dataset__samples=150), "dataset.samples"),
        ],
    )
    def test_another_set_up_is_named(self, checkpoint: Checkpoint, other: RunConfig, named: str) -> None:
        *_, last = train(other, resume=checkpoint)
        assert isinstance(last, Failed)
        assert (last.kind, last.field) == ("input", "checkpoint")
        assert f"{named} differs" in last.message

    def test_fewer_steps_than_were_done(self, checkpoint: Checkpoint) -> None:
        *_, last = train(small_config(training__steps=2), resume=checkpoint)
        assert isinstance(last, Failed)
        assert "it is of step 4, and this run has 2" in last.message

    def test_another_machine_is_told(self, checkpoint: Checkpoint) -> None:
        device = pick_device("cpu", "float32")
        assert caution(checkpoint, device) == ""
        versions = {**checkpoint.manifest.versions, "torch": "1.2.3"}
        other = replace(checkpoint, manifest=checkpoint.manifest.model_copy(update={"versions": versions}))
        assert "PyTorch 1.2.3 before" in caution(other, device)
        [started] = of_kind(train(small_config(), resume=other), Started)
        assert started.caution == caution(other, device)

    def test_a_folder_without_checkpoints(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no checkpoint"):
            load_checkpoint(tmp_path)
        with pytest.raises(InputError, match=r"latest\.safetensors cannot be read: No such file"):
            load_checkpoint(tmp_path / LATEST)


class TestPolicy:
    def test_which_files_it_keeps(self, tmp_path: Path) -> None:
        policy = CheckpointPolicy(folder=tmp_path, copy_epochs=2)
        config = small_config(training__epochs=5)
        events = run(config, checkpoints=policy).events
        saved = of_kind(events, CheckpointSaved)
        ends = of_kind(events, EpochFinished)
        assert {path.name for path in tmp_path.iterdir()} == {
            LATEST,
            "previous.safetensors",
            BEST,
            epoch_file(2),
            epoch_file(4),
        }
        best = min(ends, key=lambda end: end.validation_loss or 0)
        assert load_checkpoint(tmp_path / BEST).epoch == best.epoch
        assert [load_checkpoint(tmp_path / epoch_file(epoch)).epoch for epoch in (2, 4)] == [2, 4]
        assert load_checkpoint(tmp_path).step == 5 * PER_EPOCH
        assert {event.kind for event in saved} == {"latest", "best", "copy"}
        for event in saved:
            assert Path(event.path).parent == tmp_path
        assert [e.size for e in saved if e.path.endswith(epoch_file(4))] == [(tmp_path / epoch_file(4)).stat().st_size]

    def test_best_is_remembered_over_an_interruption(self, tmp_path: Path) -> None:
        config = small_config({"optimizer": "sgd"}, optimizer__learning_rate=40, training__epochs=6)
        whole, parts = tmp_path / "whole", tmp_path / "parts"
        run(config, checkpoints=CheckpointPolicy(folder=whole))
        for stop in (2 * PER_EPOCH, 4 * PER_EPOCH + 1, 999):
            checkpoint = load_checkpoint(parts) if holds_checkpoint(parts) else None
            policy = CheckpointPolicy(folder=parts)
            run(config, doings={stop: RunControl.stop}, checkpoints=policy, resume=checkpoint)
        assert load_checkpoint(parts / BEST).step == load_checkpoint(whole / BEST).step

    @pytest.mark.parametrize("field", ["every_steps", "every_seconds", "every_epochs", "copy_epochs"])
    def test_no_negative_intervals(self, field: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=f"checkpoints.{field}"):
            CheckpointPolicy(folder=tmp_path, **{field: -1})  # type: ignore[arg-type]

    def test_keeping_checkpoints_changes_no_number(self, tmp_path: Path) -> None:
        config = small_config({"optimizer": "muon"}, network__dropout=0.3)
        policy = CheckpointPolicy(folder=tmp_path, every_steps=1)
        kept, plain = run(config, checkpoints=policy), run(config)
        assert kept.told() == plain.told()
        assert all(torch.equal(kept.weights[name], value) for name, value in plain.weights.items())


def test_every_network_can_be_checked_without_its_numbers() -> None:
    """What a file declares is compared to the network before it is read; that needs the network's shapes alone."""
    for entry in NETWORKS:
        for dataset in ("mnist", "cifar10", "gaussians"):
            try:
                config = toy_config({"dataset": dataset, "network": entry.name})
            except InputError:
                continue
            break
        with torch.device("meta"):
            shape = entry.fit(config.dataset_info(), config.network.params)
            assert entry.build(shape, 10, config.network.params).state_dict()
