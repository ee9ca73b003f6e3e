"""Going back to any step of a run gives exactly the network of that step, and disturbs nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.catalog import Params
from engine.checkpoint import Checkpoint
from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Event, Finished, StepFinished
from engine.inspection.confusion import confusion_matrix
from engine.networks import NETWORKS
from engine.rewind.moments import checkpoint_at, moment_at
from engine.rewind.snapshots import Snapshots
from engine.training import train
from tests.engine.checkpoint_runs import Doings, small_config
from tests.engine.runs import dataset_of, losses, of_kind, tiny_library, toy_config

PER_EPOCH = 6  # steps of `small_config`
LAST = 3 * PER_EPOCH

Weights = Mapping[str, Tensor]


@dataclass
class Kept:
    """A run that has ended, its snapshots, and its weights after every step as they were then."""

    snapshots: Snapshots
    events: list[Event] = field(default_factory=list)
    weights: dict[int, Weights] = field(default_factory=dict)


def run(
    config: RunConfig,
    snapshots: Snapshots | None = None,
    *,
    doings: Doings | None = None,
    library: Library | None = None,
    each: Callable[[int], None] = lambda _step: None,
) -> Kept:
    kept, control, doings = Kept(snapshots or Snapshots(share=2.0)), RunControl(), doings or {}
    for event in train(config, control, library=library, snapshots=kept.snapshots):
        kept.events.append(event)
        if isinstance(event, StepFinished):
            assert control.live is not None
            kept.weights[event.step] = control.live.weights()
            if event.step in doings:
                doings[event.step](control)
            each(event.step)
    return kept


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def weights_at(snapshots: Snapshots, step: int) -> Weights:
    moment = moment_at(snapshots, step)
    assert moment is not None
    assert moment.step == step
    return moment.live.weights()


def sparse(spacing: int, *steps: int) -> Snapshots:
    """Keeps nothing but the first, the last and `steps`."""
    return _Sparse(spacing, steps)


class _Sparse(Snapshots):
    def __init__(self, spacing: int, steps: tuple[int, ...]) -> None:
        super().__init__(share=2.0)
        self._spacing, self._wanted = spacing, steps

    def keep(self, take: Callable[[], Checkpoint], *marks: object, step: int, seconds: float) -> None:
        if {"first", "last"} & set(marks) or step in self._wanted:
            super().keep(take, "epoch", step=step, seconds=seconds)
        self.due = step + 1


class TestExact:
    @pytest.mark.parametrize(
        ("optimizer", "settings"),
        [
            ("sgd", {"optimizer__momentum": 0.9, "optimizer__nesterov": True}),
            ("adam", {}),
            ("muon", {}),
            ("lbfgs", {"optimizer__history_size": 2, "optimizer__max_iter": 2}),
        ],
    )
    def test_every_step_is_the_runs_own_with_dropout_and_whatever_is_remembered(
        self, optimizer: str, settings: dict[str, object]
    ) -> None:
        config = small_config({"optimizer": optimizer}, network__dropout=0.3, **settings)
        kept = run(config, sparse(1, 4, PER_EPOCH + 1))
        assert [tick.step for tick in kept.snapshots.ticks] == [0, 4, PER_EPOCH + 1, LAST]
        for step in (1, 3, 4, PER_EPOCH, PER_EPOCH + 5, 2 * PER_EPOCH, LAST - 1, LAST, 2):
            assert same(weights_at(kept.snapshots, step), kept.weights[step]), step

    def test_a_fresh_run_stopped_there_has_the_same_weights(self) -> None:
        config = small_config(network__dropout=0.3)
        kept = run(config, sparse(1))
        for stop in (5, PER_EPOCH + 2):
            fresh = run(config, doings={stop: lambda control: control.stop()})
            assert of_kind(fresh.events, Finished)[0].step == stop
            assert same(weights_at(kept.snapshots, stop), fresh.weights[stop])

    def test_interventions_in_between_are_made_again_with_all_their_digits(self) -> None:
        doings: Doings = {
            2: lambda control: control.change(Change("learning_rate", 0.123456789012)),
            3: lambda control: control.change(Change("momentum", 0.8)),
            PER_EPOCH: lambda control: control.change(
                ScheduleChange("reduce_on_plateau", {"patience": 0, "threshold": 1.0, "factor": 0.37})
            ),
            PER_EPOCH + 3: lambda control: control.change(Change("momentum", 0.0)),
        }
        config = small_config({"optimizer": "sgd", "schedule": "cosine"})
        for there in ((), (3,), (PER_EPOCH,), (PER_EPOCH + 4,)):
            kept = run(config, sparse(1, *there), doings=doings)
            for step in (2, 3, 5, PER_EPOCH, PER_EPOCH + 1, PER_EPOCH + 4, 2 * PER_EPOCH + 1, LAST):
                assert same(weights_at(kept.snapshots, step), kept.weights[step]), (there, step)

    def test_batch_norm_channels_last_and_augmentation_of_images(self) -> None:
        picks = {"dataset": "mnist", "network": "fast_cnn"}
        config = toy_config(picks, training__batch_size=16, training__epochs=2, training__memory_format="channels_last")
        kept = run(config, sparse(1), library=tiny_library())
        for step in (3, 5, 8):
            assert same(weights_at(kept.snapshots, step), kept.weights[step]), step

    def test_early_stoppings_best_weights_are_not_those_of_the_last_step(self) -> None:
        config = small_config(
            {"optimizer": "sgd"}, optimizer__learning_rate=40, training__patience=2, training__epochs=20
        )
        kept = run(config)
        [end] = of_kind(kept.events, Finished)
        assert end.restored_epoch is not None
        assert same(weights_at(kept.snapshots, end.step), kept.weights[end.step])

    def test_from_the_step_trained_anew_it_goes_on_and_another_way_leads_back(self) -> None:
        kept = run(small_config(network__dropout=0.5), sparse(1))
        steps: list[int] = []
        assert checkpoint_at(kept.snapshots, 4, report=steps.append) is not None
        assert max(steps) == 4
        steps.clear()
        found = checkpoint_at(kept.snapshots, 5, report=steps.append)
        assert min(steps) == 5
        assert found is not None
        assert same(dict(found.weights), kept.weights[5])
        assert same(weights_at(kept.snapshots, 3), kept.weights[3])

    def test_a_run_that_goes_on_from_there_ends_as_the_whole_one(self) -> None:
        config = small_config({"schedule": "one_cycle"}, network__dropout=0.3)
        kept = run(config, sparse(1))
        for step in (4, PER_EPOCH, PER_EPOCH + 1):
            control = RunControl()
            again = list(train(config, control, resume=checkpoint_at(kept.snapshots, step)))
            assert losses(again) == losses(kept.events)[step:]
            assert control.live is not None
            assert same(control.live.weights(), kept.weights[LAST])


def watched_over() -> bool:
    """Whether something sees every operation of this thread."""
    return bool(torch._C._len_torch_dispatch_stack())


class Moody(nn.Module):
    """Of another package: it draws in every fifth step."""

    calls: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
            if self.calls % 5 == 0:
                inputs = inputs + torch.randn_like(inputs)
        outputs: Tensor = self.linear(inputs)
        return outputs


class TestDraws:
    """Where no step draws random numbers, nothing watches over them; where one may, all are watched."""

    @pytest.mark.parametrize("dropout", [0.0, 0.3])
    def test_are_watched_where_there_are_any(self, dropout: float) -> None:
        kept = run(small_config(network__dropout=dropout), sparse(1))
        watched: dict[int, bool] = {}

        def report(step: int) -> None:
            watched[step] = watched_over()

        found = checkpoint_at(kept.snapshots, PER_EPOCH + 2, report=report)
        assert found is not None
        assert same(found.weights, kept.weights[PER_EPOCH + 2])
        assert [watched.pop(0, True), watched.pop(1)] == [True, True]
        assert set(watched.values()) == {dropout > 0}

    def test_of_a_network_that_draws_now_and_then_are_its_own_and_nobody_elses(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def build(shape: tuple[int, ...], outputs: int, _params: Params) -> nn.Module:
            return Moody(shape[0], outputs)

        moody = replace(NETWORKS["linear"], name="moody", build=build)
        monkeypatch.setitem(NETWORKS._entries, "moody", moody)
        kept = run(small_config({"network": "moody"}), sparse(1, 7))
        torch.manual_seed(3)
        state = torch.get_rng_state()
        for step in (4, 6, 8, 12, LAST - 1):
            assert same(weights_at(kept.snapshots, step), kept.weights[step]), step
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("dropout", [0.0, 0.3])
    def test_are_nobodys_once_a_step_was_refused_or_is_wanted_no_more(self, dropout: float) -> None:
        kept = run(small_config(network__dropout=dropout), sparse(1))

        def refuse(event: StepFinished) -> None:
            raise InputError("step", f"{event.step} is another")

        kept.snapshots.checker = lambda *, after, until: refuse  # type: ignore[method-assign]  # noqa: ARG005
        with pytest.raises(InputError, match="is another"):
            checkpoint_at(kept.snapshots, 9)
        assert not watched_over()
        answers = iter([True, False])
        assert checkpoint_at(kept.snapshots, 9, wanted=lambda: next(answers)) is None
        assert not watched_over()


class TestUndisturbed:
    def test_a_run_on_another_thread_gives_the_same_bits_while_steps_are_trained_again(self) -> None:
        """Also where the two have different thread counts; both draw dropout masks all the time."""
        past = run(small_config(network__dropout=0.3), sparse(1))
        picks = {"dataset": "mnist", "network": "mnist_mlp"}
        config = toy_config(picks, training__batch_size=16, training__epochs=6, training__threads=2)
        config = config.model_copy(update={"network": small_config(network__dropout=0.5).network})
        library, stop = tiny_library(), threading.Event()
        alone, control = list(train(config, library=library)), RunControl()
        again: list[bool] = []

        def go_back() -> None:
            while not stop.is_set():
                past.snapshots._replayed = None
                again.append(same(weights_at(past.snapshots, LAST - 1), past.weights[LAST - 1]))

        looking = threading.Thread(target=go_back)
        events = train(config, control, library=library)
        found = list(islice(events, 8))
        looking.start()
        try:
            found.extend(events)
        finally:
            stop.set()
            looking.join()
        assert losses(found) == losses(alone)
        assert control.live is not None
        assert again
        assert all(again)

    def test_a_run_that_is_looked_back_at_meanwhile_learns_what_it_would_have(self) -> None:
        config = small_config(network__dropout=0.4)
        alone = list(train(config))
        snapshots = sparse(1, 3)
        seen: dict[int, Weights] = {}

        def look_back(step: int) -> None:
            if step in (5, 9, 14):
                seen[step] = weights_at(snapshots, step - 1)

        kept = run(config, snapshots, each=look_back)
        assert losses(kept.events) == losses(alone)
        assert all(same(weights, kept.weights[step - 1]) for step, weights in seen.items())

    def test_snapshots_change_nothing(self) -> None:
        config = small_config(network__dropout=0.4)
        assert losses(run(config).events) == losses(train(config))

    def test_what_is_no_longer_wanted_ends_early(self) -> None:
        kept = run(small_config(), sparse(1))
        assert moment_at(kept.snapshots, 9, wanted=lambda: False) is None
        nearest = moment_at(kept.snapshots, 9, exact=False)
        assert nearest is not None
        assert nearest.step == 0

    @pytest.mark.parametrize("step", [-1, LAST + 1])
    def test_a_step_that_never_was_is_refused(self, step: int) -> None:
        with pytest.raises(InputError, match="step"):
            moment_at(run(small_config(), sparse(1)).snapshots, step)


class TestKeeping:
    def test_a_short_run_is_kept_step_by_step_and_says_why_some_stay(self) -> None:
        doings: Doings = {8: lambda control: control.change(Change("learning_rate", 0.01))}
        kept = run(small_config(), doings=doings)
        ticks = kept.snapshots.ticks
        assert [tick.step for tick in ticks] == list(range(LAST + 1))
        marks = {tick.step: set(tick.marks) for tick in ticks if tick.marks}
        best = [step for step, why in marks.items() if "best" in why]
        assert len(best) == 1
        marks[best[0]].discard("best")
        ends = {PER_EPOCH: {"epoch"}, 2 * PER_EPOCH: {"epoch"}, LAST: {"epoch", "last"}}
        assert marks == {0: {"first"}, 8: {"intervention"}, **ends}

    def test_over_the_budget_every_other_one_goes_and_keyframes_stay(self) -> None:
        config = small_config(training__epochs=10)
        whole = run(config).snapshots
        budget = whole.size // 2
        sizes: list[int] = []
        snapshots = Snapshots(share=2.0, budget=budget)
        doings: Doings = {31: lambda control: control.change(Change("learning_rate", 0.01))}
        kept = run(config, snapshots, doings=doings, each=lambda _step: sizes.append(snapshots.size))
        assert max(sizes) <= budget
        assert snapshots.spacing > 1
        steps = {tick.step for tick in snapshots.ticks}
        keyframes = {0, 31, *range(PER_EPOCH, 10 * PER_EPOCH + 1, PER_EPOCH)}
        assert keyframes < steps
        assert steps == keyframes | set(range(0, 10 * PER_EPOCH + 1, snapshots.spacing))
        assert same(weights_at(snapshots, 45), kept.weights[45])

    def test_a_tight_budget_gives_up_ends_of_epochs_before_the_first_the_last_and_the_best(self) -> None:
        config = small_config(training__epochs=12)
        one = run(config, sparse(1)).snapshots.size / 2
        snapshots = Snapshots(share=2.0, budget=int(5.5 * one))
        kept = run(config, snapshots)
        assert snapshots.size <= 5.5 * one
        marks = set().union(*(tick.marks for tick in snapshots.ticks))
        assert {"first", "last", "best"} <= marks
        assert same(weights_at(snapshots, 40), kept.weights[40])

    def test_a_network_too_large_for_the_budget_is_not_kept_and_the_run_goes_on(self) -> None:
        kept = run(small_config(), Snapshots(budget=1_000))
        assert kept.snapshots.ticks == ()
        assert kept.snapshots.size == 0
        assert "memory" in kept.snapshots.problem
        assert isinstance(kept.events[-1], Finished)
        with pytest.raises(InputError, match="memory"):
            moment_at(kept.snapshots, 3)

    def test_weights_that_are_the_same_lie_in_memory_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engine.course.KEEP_EVERY", 3)
        config = small_config({"optimizer": "sgd"})
        kept = run(config)
        every = [tensor for tick in kept.snapshots.ticks for tensor in _weights(kept.snapshots, tick.step)]
        held = {id(tensor): tensor for tensor in every}
        assert sum(tensor.nbytes for tensor in held.values()) < 0.5 * sum(tensor.nbytes for tensor in every)
        for step in (4, PER_EPOCH + 1, 11):
            checkpoint = kept.snapshots.nearest(step)
            assert checkpoint is not None
            progress = checkpoint.progress
            for prefix, step_of in (("good", progress.good.step), ("newer", progress.newer.step)):
                copies = {
                    n.removeprefix(f"{prefix}."): t for n, t in checkpoint.tensors.items() if n.startswith(prefix)
                }
                there = kept.snapshots.nearest(step_of)
                assert there is not None
                assert same(copies, dict(there.weights))

    def test_what_they_cost_is_bounded_by_keeping_fewer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(np.arange(0.0, 1e6, 1.0))  # every snapshot takes a second, say
        monkeypatch.setattr("engine.rewind.snapshots.time.perf_counter", lambda: float(next(clock)))
        kept = run(small_config())
        source = kept.snapshots.nearest(1)
        assert source is not None
        snapshots = Snapshots(share=0.02)
        taken: list[int] = []
        for step in range(10_000):
            if step >= snapshots.due:
                before = len(snapshots.ticks)
                snapshots.keep(lambda: source, step=step, seconds=step * 1.0)
                taken += [step] * (snapshots.spent > len(taken) or before != len(snapshots.ticks))
        assert 0 < snapshots.spent <= 0.02 * 10_000 + 1.05
        assert snapshots.spacing >= 50

    def test_one_that_takes_long_by_chance_does_not_make_them_rare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = run(small_config()).snapshots.nearest(1)
        assert source is not None
        now = 0.0

        def take() -> Checkpoint:
            nonlocal now
            now += 1.0 if step == 64 else 0.001  # another program had the core
            assert source is not None
            return source

        monkeypatch.setattr("engine.rewind.snapshots.time.perf_counter", lambda: now)
        snapshots = Snapshots(share=0.02)
        taken = []
        for step in range(2_000):
            if step >= snapshots.due:
                spent = snapshots.spent
                snapshots.keep(take, step=step, seconds=step * 0.01)
                taken += [step] * (snapshots.spent > spent)
        assert snapshots.spacing == 8
        assert max(later - before for before, later in pairwise(taken)) <= 64


class TestWhatIsSeen:
    def test_filters_and_answers_are_those_of_the_step(self) -> None:
        config = toy_config({"dataset": "mnist", "network": "lenet5"}, training__batch_size=16, training__epochs=1)
        kept = run(config, library=tiny_library())
        ready = kept.snapshots.ready
        assert ready is not None
        moments = {step: moment_at(kept.snapshots, step) for step in (0, 2, 4)}
        first, middle, last = (moment.live for moment in moments.values() if moment is not None)
        name = first.layers[0].name
        assert np.array_equal(first.filters(name).values, first.initial_filters(name).values)
        assert np.array_equal(first.filters(name).values, last.initial_filters(name).values)
        assert not np.array_equal(first.filters(name).values, middle.filters(name).values)
        assert np.array_equal(last.filters(name).values, ready.live.filters(name).values)
        picture = dataset_of(config, tiny_library()).test.inputs[0].numpy()
        assert np.array_equal(last.predict(picture), ready.live.predict(picture))
        assert not np.array_equal(first.predict(picture), last.predict(picture))
        assert first.is_moment_of(ready.live)
        assert not first.is_moment_of(run(config, library=tiny_library()).snapshots.ready.live)  # type: ignore[union-attr]

    def test_the_confusion_matrix_counts_each_sample_where_it_belongs(self) -> None:
        config = small_config(dataset__samples=400)
        kept = run(config)
        test = dataset_of(config).test
        moments = [moment_at(kept.snapshots, step) for step in (0, LAST)]
        for moment in moments:
            assert moment is not None
            matrix = confusion_matrix(moment.live, test)
            assert matrix is not None
            assert matrix.dtype == np.int64
            answers = moment.live.answers(test.inputs.numpy()).argmax(axis=1)
            expected = np.zeros_like(matrix)
            np.add.at(expected, (test.targets.numpy(), answers), 1)
            assert np.array_equal(matrix, expected)
            assert matrix.sum() == len(test)
            assert confusion_matrix(moment.live, test, wanted=lambda: False) is None

    def test_numbers_as_targets_cannot_be_confused(self) -> None:
        config = toy_config({"dataset": "line_points", "network": "linear"}, training__epochs=1)
        kept = run(config)
        moment = moment_at(kept.snapshots, 1)
        assert moment is not None
        with pytest.raises(InputError, match="classes"):
            confusion_matrix(moment.live, dataset_of(config).test)


def _weights(snapshots: Snapshots, step: int) -> list[Tensor]:
    """Those of the step and copies of earlier ones."""
    checkpoint = snapshots.nearest(step)
    assert checkpoint is not None
    prefixes = ("model.", "good.", "newer.")
    return [tensor for name, tensor in checkpoint.tensors.items() if name.startswith(prefixes)]
