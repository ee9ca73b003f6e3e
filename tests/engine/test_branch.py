"""A branch goes on from a step of its parent: unchanged it repeats it, changed it differs in what was changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoint_folder import CheckpointPolicy
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import EpochFinished, Event, Finished, Intervened, Started, StepFinished, as_json
from engine.rewind.branch import branch, branch_config
from engine.rewind.moments import checkpoint_at
from engine.rewind.snapshots import Recorded, Snapshots
from engine.training import train
from tests.engine.checkpoint_runs import Doings, Run, run, small_config
from tests.engine.runs import losses, of_kind, tiny_library, toy_config

PER_EPOCH = 6  # steps of `small_config`
LAST = 3 * PER_EPOCH


def parent_of(
    config: RunConfig, *, doings: Doings | None = None, library: Library | None = None
) -> tuple[Run, Snapshots]:
    snapshots, control, done = Snapshots(share=2.0), RunControl(), Run()
    for event in train(config, control, snapshots=snapshots, library=library):
        done.events.append(event)
        if isinstance(event, StepFinished) and doings and event.step in doings:
            doings[event.step](control)
    assert control.live is not None
    done.weights = control.live.weights()
    return done, snapshots


def at(snapshots: Snapshots, step: int) -> Checkpoint:
    found = checkpoint_at(snapshots, step)
    assert found is not None
    return found


def branched(checkpoint: Checkpoint, changes: Mapping[str, object] | None = None) -> tuple[RunConfig, Run]:
    config = branch_config(checkpoint, changes)
    torch.manual_seed(7)  # nothing of the parent is left in torch
    return config, run(config, resume=branch(checkpoint, config, parent="parent"))


def same_weights(one: Run, other: Run) -> bool:
    return one.weights.keys() == other.weights.keys() and all(
        torch.equal(one.weights[name], value) for name, value in other.weights.items()
    )


class TestUnchanged:
    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon", "lbfgs", "rmsprop"])
    @pytest.mark.parametrize("step", [0, 4, PER_EPOCH, PER_EPOCH + 2])
    def test_it_repeats_the_parent_bit_for_bit(self, optimizer: str, step: int) -> None:
        config = small_config({"optimizer": optimizer, "schedule": "one_cycle"}, network__dropout=0.3)
        parent, snapshots = parent_of(config)
        again, child = branched(at(snapshots, step))
        assert again == config
        assert losses(child.events) == losses(parent.events)[step:]
        assert (
            of_kind(child.events, EpochFinished)[-1].train_loss == of_kind(parent.events, EpochFinished)[-1].train_loss
        )
        assert same_weights(child, parent)

    def test_also_after_interventions_which_are_part_of_its_set_up(self) -> None:
        doings: Doings = {
            2: lambda control: control.change(Change("learning_rate", 0.123456789012)),
            3: lambda control: control.change(Change("momentum", 0.8)),
            5: lambda control: control.change(ScheduleChange("step", {"every_epochs": 1, "factor": 0.5})),
        }
        parent, snapshots = parent_of(small_config({"optimizer": "sgd"}), doings=doings)
        for step in (5, PER_EPOCH + 2):
            config, child = branched(at(snapshots, step))
            assert config.optimizer.params["learning_rate"] == 0.123456789012
            assert config.optimizer.params["momentum"] == 0.8
            assert config.schedule.name == "step"
            assert losses(child.events) == losses(parent.events)[step:]
            assert same_weights(child, parent)

    def test_interventions_that_came_later_can_be_made_again(self) -> None:
        doings: Doings = {
            4: lambda control: control.change(Change("learning_rate", 0.3)),
            PER_EPOCH + 3: lambda control: control.change(Change("learning_rate", 0.01)),
        }
        parent, snapshots = parent_of(small_config({"optimizer": "sgd"}), doings=doings)
        checkpoint = at(snapshots, 3)
        config = branch_config(checkpoint)
        repeat = snapshots.changes(checkpoint, until=LAST)
        assert repeat == (
            Recorded(4, Change("learning_rate", 0.3)),
            Recorded(PER_EPOCH + 3, Change("learning_rate", 0.01)),
        )
        events = list(train(config, resume=branch(checkpoint, config), repeat=repeat))
        assert losses(events) == losses(parent.events)[3:]
        assert [change.step for change in of_kind(events, Intervened)] == [4, PER_EPOCH + 3]

    def test_with_more_epochs_it_goes_on_after_the_end(self) -> None:
        parent, snapshots = parent_of(small_config())
        config, child = branched(at(snapshots, LAST), {"training.epochs": 4})
        whole = run(config)
        assert losses(child.events) == losses(whole.events)[LAST:]
        assert same_weights(child, whole)
        assert not same_weights(child, parent)


class TestParent:
    def test_it_knows_its_parent_and_the_step_and_so_do_its_checkpoints(self, tmp_path: Path) -> None:
        _, snapshots = parent_of(small_config())
        checkpoint = at(snapshots, 8)
        config = branch_config(checkpoint, {"optimizer.learning_rate": 0.5})
        made = branch(checkpoint, config, parent="first")
        policy = CheckpointPolicy(folder=tmp_path)
        control = RunControl()
        events: list[Event] = []
        for event in train(config, control, resume=made, checkpoints=policy):
            events.append(event)
            if isinstance(event, StepFinished) and event.step == 11:
                control.stop()
        [started] = of_kind(events, Started)
        assert (started.parent, started.parent_step, started.resumed_from) == ("first", 8, 8)
        told = json.loads(as_json(started))
        assert (told["parent"], told["parent_step"]) == ("first", 8)
        resumed = list(train(config, resume=load_checkpoint(tmp_path)))
        assert of_kind(resumed, Started)[0].parent_step == 8
        whole = list(train(config, resume=made))
        assert losses(events) + losses(resumed) == losses(whole)

    def test_a_run_of_its_own_names_none(self) -> None:
        [started] = of_kind(run(small_config(training__steps=1)).events, Started)
        assert started.parent_step is None
        assert "parent" not in as_json(started)

    def test_a_branch_of_a_branch(self) -> None:
        _, snapshots = parent_of(small_config())
        checkpoint = at(snapshots, 4)
        config = branch_config(checkpoint, {"optimizer.learning_rate": 0.02})
        second = Snapshots(share=2.0)
        child = list(train(config, resume=branch(checkpoint, config), snapshots=second))
        again, grandchild = branched(at(second, 9))
        assert again == config
        assert losses(grandchild.events) == losses(child)[9 - 4 :]
        assert of_kind(grandchild.events, Started)[0].parent_step == 9


class TestChanged:
    def test_another_learning_rate_or_momentum_or_schedule_is_as_if_the_parent_had_been_changed_there(self) -> None:
        config = small_config({"optimizer": "sgd"}, optimizer__momentum=0.5, network__dropout=0.2)
        _, snapshots = parent_of(config)
        for step in (4, PER_EPOCH):
            for changes, doing in (
                ({"optimizer.learning_rate": 0.3}, Change("learning_rate", 0.3)),
                ({"optimizer.momentum": 0.9}, Change("momentum", 0.9)),
                ({"schedule": "cosine"}, ScheduleChange("cosine", {})),
            ):
                doings: Doings = {step: lambda control, doing=doing: control.change(doing)}  # type: ignore[misc]
                changed, _ = parent_of(config, doings=doings)
                _, child = branched(at(snapshots, step), changes)
                assert losses(child.events) == losses(changed.events)[step:]
                assert same_weights(child, changed)

    @pytest.mark.parametrize("changes", [{"optimizer": "rmsprop"}, {"optimizer": "lbfgs"}, {"optimizer.amsgrad": True}])
    def test_another_optimizer_begins_anew_on_the_same_weights_and_batch(self, changes: dict[str, object]) -> None:
        parent, snapshots = parent_of(small_config({"optimizer": "adam"}))
        checkpoint = at(snapshots, 7)
        config = branch_config(checkpoint, changes)
        assert branch(checkpoint, config).manifest.optimizer["state"] == {}
        _, child = branched(checkpoint, changes)
        told = losses(child.events)
        assert told[0] == losses(parent.events)[7]
        assert told[1:] != losses(parent.events)[8:]
        assert len(told) == LAST - 7
        assert isinstance(child.events[-1], Finished)

    @pytest.mark.parametrize(
        ("size", "step", "begins"),
        [
            (20, 4, 2),  # 40 samples seen: two batches of 20
            (15, 4, 2),  # two batches of 15, ten samples twice
            (5, 4, 8),
            (50, 4, 0),  # no whole batch: the epoch anew
            (20, PER_EPOCH, 3),  # the end of an epoch
            (20, PER_EPOCH + 4, 5),
            (50, PER_EPOCH + 3, 2),
            (56, PER_EPOCH + 3, 1),
        ],
    )
    def test_another_batch_size_leaves_no_sample_out_and_counts_in_its_own_steps(
        self, size: int, step: int, begins: int
    ) -> None:
        config = small_config(dataset__samples=140)
        _, snapshots = parent_of(config)
        checkpoint = at(snapshots, step)
        per_sample = checkpoint.progress.loss_sum / min(10 * (step - (checkpoint.epoch - 1) * PER_EPOCH), 56)
        config, child = branched(checkpoint, {"training.batch_size": size})
        counted = min(size * (begins - (checkpoint.epoch - 1) * -(-56 // size)), 56)
        assert branch(checkpoint, config).progress.loss_sum == pytest.approx(per_sample * counted)
        [started] = of_kind(child.events, Started)
        per_epoch = -(-checkpoint.manifest.train_size // size)
        assert started.resumed_from == begins
        assert (started.parent_step, started.total_steps) == (step, 3 * per_epoch)
        steps = [event.step for event in of_kind(child.events, StepFinished)]
        assert steps == list(range(begins + 1, 3 * per_epoch + 1))
        assert of_kind(child.events, EpochFinished)[-1].step == 3 * per_epoch

    def test_another_dataset_of_the_same_shape(self) -> None:
        config = toy_config({"dataset": "mnist", "network": "lenet5"}, training__batch_size=16, training__epochs=2)
        _, snapshots = parent_of(config, library=tiny_library())
        checkpoint = at(snapshots, 3)
        other = branch_config(checkpoint, {"dataset": "fashion_mnist", "training.batch_size": 16})
        made = branch(checkpoint, other)
        assert all(torch.equal(made.weights[name], weight) for name, weight in checkpoint.weights.items())

    def test_other_samples_are_learned_from(self) -> None:
        _, snapshots = parent_of(small_config())
        config, child = branched(at(snapshots, 8), {"dataset.noise": 0.4})
        assert config.dataset.params["noise"] == 0.4
        assert of_kind(child.events, Started)[0].resumed_from == 8
        assert isinstance(child.events[-1], Finished)
        again = branched(at(snapshots, 8), {"dataset.noise": 0.4})[1]
        assert same_weights(child, again)

    def test_another_seed_gives_another_order_and_other_draws(self) -> None:
        parent, snapshots = parent_of(small_config(network__dropout=0.5))
        _, child = branched(at(snapshots, 4), {"training.seed": 9})
        assert losses(child.events) != losses(parent.events)[4:]

    def test_another_seed_draws_otherwise_in_the_same_order_too(self) -> None:
        parent, snapshots = parent_of(small_config(network__dropout=0.5, training__shuffle=False))
        _, child = branched(at(snapshots, 4), {"training.seed": 9})
        assert losses(child.events)[0] != losses(parent.events)[4]

    @pytest.mark.parametrize("changes", [{"training.patience": 0}, {"dataset.noise": 0.4}])
    def test_what_early_stopping_had_seen_is_forgotten_where_it_does_not_count(
        self, changes: dict[str, object]
    ) -> None:
        _, snapshots = parent_of(small_config(training__patience=5))
        checkpoint = at(snapshots, 8)
        assert checkpoint.progress.best is not None
        kept = branch(checkpoint, branch_config(checkpoint, {"optimizer.learning_rate": 0.5}))
        assert kept.progress.best == checkpoint.progress.best
        made = branch(checkpoint, branch_config(checkpoint, changes))
        assert (made.progress.best, made.progress.best_loss, made.progress.waited) == (None, None, 0)
        assert not any(name.startswith("best.") for name in made.tensors)

    def test_early_stopping_starts_afresh_where_it_is_switched_on(self) -> None:
        config = small_config({"optimizer": "sgd"}, optimizer__learning_rate=40, training__epochs=20)
        _, snapshots = parent_of(config)
        _, child = branched(at(snapshots, 4 * PER_EPOCH), {"training.patience": 1})
        [end] = of_kind(child.events, Finished)
        assert end.reason == "early_stopping"
        assert end.restored_epoch is not None
        assert end.restored_epoch > 4


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """Of `small_config` after eight steps."""
    return at(parent_of(small_config())[1], 8)


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"network.hidden": (9,)}, "network"),
            ({"dataset": "mnist"}, "dataset"),
            ({"training.epochs": 1}, "training.epochs"),
            ({"training.steps": 8}, "training.steps"),
            ({"optimizer": "nonsense"}, "optimizer"),
            ({"optimizer": 3}, "optimizer"),
            ({"optimizer.learning_rate": -1}, "optimizer.learning_rate"),
            ({"nonsense": 1}, "nonsense"),
        ],
    )
    def test_what_cannot_go_on_says_why(self, checkpoint: Checkpoint, changes: dict[str, object], field: str) -> None:
        with pytest.raises(InputError) as refused:
            branch(checkpoint, branch_config(checkpoint, changes))
        assert refused.value.field == field
        assert refused.value.accepted

    def test_it_leaves_the_checkpoint_and_torchs_random_state_as_they_are(self, checkpoint: Checkpoint) -> None:
        before = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
        drawn = torch.get_rng_state()
        branched(checkpoint, {"optimizer": "sgd"})
        torch.set_rng_state(drawn)
        branch(checkpoint, branch_config(checkpoint, {"training.batch_size": 7}))
        assert torch.equal(torch.get_rng_state(), drawn)
        assert all(torch.equal(checkpoint.tensors[name], tensor) for name, tensor in before.items())
