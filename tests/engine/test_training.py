"""A run: the same every time, equal to a loop written by hand, evaluated truly, and ended as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from engine.assembly import Assembly, assemble
from engine.batches import Batches
from engine.config import RunConfig
from engine.control import Change, RunControl
from engine.course import KEEP_EVERY, data_order
from engine.datasets.data import Dataset, DatasetInfo, Samples
from engine.datasets.library import Library
from engine.datasets.prepare import to_inputs
from engine.devices import Device
from engine.events import (
    EpochFinished,
    Evaluated,
    Event,
    Failed,
    Finished,
    Preparing,
    Started,
    StepFinished,
)
from engine.losses import LOSSES
from engine.schedules import SCHEDULES
from engine.steps import evaluate
from engine.training import train
from tests.engine.runs import dataset_of, losses, of_kind, tiny_library, toy_config


@pytest.fixture(scope="module")
def library() -> Library:
    """Keeps MNIST, which takes half a second to load."""
    return Library()


def weights_after(config: RunConfig, *, library: Library | None = None) -> tuple[list[Event], dict[str, Tensor]]:
    control = RunControl()
    events = list(train(config, control, library=library))
    assert control.live is not None
    return events, control.live.weights()


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def bare_losses(network: nn.Module, optimizer: torch.optim.Optimizer, data: Dataset, config: RunConfig) -> list[float]:
    """The loop that anyone would write."""
    inputs = to_inputs(data.train.inputs, data.info, data.info.shape)
    seed, size = config.training.seed, config.training.batch_size
    found: list[float] = []
    for epoch in range(1, config.training.epochs + 1):
        order = data_order(len(inputs), seed=seed, epoch=epoch)
        for index in torch.split(order, size):
            if len(found) == config.training.steps > 0:
                return found
            optimizer.zero_grad()
            loss = cross_entropy(network(inputs[index]), data.train.targets[index])
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            optimizer.step()
            found.append(loss.item())
    return found


class TestRepeatability:
    @pytest.mark.parametrize(
        "config",
        [
            toy_config(network__hidden=(16,), network__dropout=0.5, training__epochs=3),
            toy_config({"dataset": "mnist", "network": "fast_cnn"}, training__batch_size=24, training__epochs=2),
        ],
        ids=["dropout", "batch norm"],
    )
    def test_the_same_seed_gives_the_same_run_bit_for_bit(self, config: RunConfig) -> None:
        one, weights = weights_after(config, library=tiny_library())
        torch.rand(7)  # what was drawn in between does not matter
        other, again = weights_after(config, library=tiny_library())
        assert losses(one) == losses(other)
        assert same(weights, again)

    def test_another_seed_gives_another_run(self) -> None:
        assert losses(train(toy_config(training__epochs=1))) != losses(
            train(toy_config(training__epochs=1, training__seed=1))
        )

    def test_a_run_on_points_is_the_loop_written_by_hand(self) -> None:
        """Two epochs with dropout: neither the evaluations between nor the live network draw a random number."""
        config = toy_config(network__dropout=0.25, training__epochs=2, training__seed=3)
        run = losses(train(config))
        torch.set_num_threads(1)
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 2))
        adam = torch.optim.Adam(network.parameters(), lr=0.003, fused=True)
        assert run == bare_losses(network, adam, dataset_of(config), config)
        assert len(run) == 14

    def test_a_run_on_mnist_is_the_loop_written_by_hand(self, library: Library) -> None:
        config = toy_config(
            {"dataset": "mnist", "network": "mnist_mlp"},
            dataset__validation=0,
            training__steps=25,
            training__evaluate_first=False,
        )
        events = list(train(config, library=library))
        data = dataset_of(config, library)
        torch.set_num_threads(1)
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(784, 28), nn.ReLU(), nn.Linear(28, 10))
        adam = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
        assert losses(events) == bare_losses(network, adam, data, config)
        network.eval()
        with torch.no_grad():
            outputs = network(to_inputs(data.test.inputs, data.info, data.info.shape))
        [evaluated] = of_kind(events, Evaluated)
        assert evaluated.test_accuracy == int((outputs.argmax(1) == data.test.targets).sum()) / 10_000
        assert evaluated.test_loss == pytest.approx(cross_entropy(outputs, data.test.targets).item(), rel=1e-6)
        assert len(data.train) == 60_000
        assert evaluated.validation_loss is None

    def test_measuring_the_best_thread_count_leaves_no_trace_in_the_run(self) -> None:
        measured = toy_config(network__dropout=0.5, training__threads=0, training__epochs=1)
        events = list(train(measured))
        [started] = of_kind(events, Started)
        fixed = toy_config(network__dropout=0.5, training__threads=started.threads, training__epochs=1)
        assert losses(events) == losses(train(fixed))

    def test_the_order_of_the_data_depends_on_seed_and_epoch_alone(self) -> None:
        first = data_order(50, seed=1, epoch=1)
        torch.manual_seed(99)
        assert torch.equal(first, data_order(50, seed=1, epoch=1))
        assert sorted(first.tolist()) == list(range(50))
        orders = {tuple(data_order(50, seed=s, epoch=k).tolist()) for s in range(3) for k in range(1, 4)}
        assert len(orders) == 9


class TestEvaluation:
    def test_before_the_first_step_is_what_torch_computes(self) -> None:
        """2,500 test points are more than one evaluation batch, the last one smaller."""
        config = toy_config(dataset__samples=5_000, network__dropout=0.5, training__steps=1)
        first = next(event for event in train(config) if isinstance(event, Evaluated))
        data, network = dataset_of(config), assemble(config).network.eval()
        for split, loss, accuracy in (
            (data.test, first.test_loss, first.test_accuracy),
            (data.validation, first.validation_loss, first.validation_accuracy),
        ):
            with torch.no_grad():
                outputs = network(split.inputs / 2.5)
            assert loss == pytest.approx(cross_entropy(outputs, split.targets).item(), rel=1e-5)
            assert accuracy == pytest.approx((outputs.argmax(1) == split.targets).float().mean().item())
        assert first.step == 0
        assert len(data.test) == 2_500

    def test_can_be_left_out_before_the_first_step(self) -> None:
        assert not of_kind(train(toy_config(training__epochs=1, training__evaluate_first=False)), Evaluated)

    @pytest.mark.parametrize("training", [True, False])
    def test_is_made_in_evaluation_mode_and_leaves_the_mode_as_it_was(self, training: bool) -> None:
        config = toy_config({"dataset": "mnist", "network": "fast_cnn"}, training__batch_size=8)
        parts, data = assemble(config), dataset_of(config, tiny_library())
        batches = Batches(data.test, parts, torch.device("cpu"), channels_last=True)
        before = {name: value.clone() for name, value in parts.network.state_dict().items()}
        parts.network.train(training)
        figures = evaluate(parts.network, batches, parts.loss)
        assert parts.network.training is training
        assert same(before, parts.network.state_dict())
        with torch.no_grad():
            outputs = parts.network.eval()(to_inputs(data.test.inputs, data.info, parts.input_shape))
        assert figures is not None
        assert figures[0] == pytest.approx(parts.loss(outputs, data.test.targets).item(), rel=1e-4)

    def test_of_a_regression_has_a_loss_and_no_accuracy(self) -> None:
        info = DatasetInfo(
            name="r", label="R", shape=(2,), classes=(), mean=(0.0, 0.0), std=(1.0, 1.0),
            train_size=5, validation_size=0, test_size=5,
        )  # fmt: skip
        network = nn.Linear(2, 1)
        samples = Samples(torch.randn(5, 2), torch.randn(5, 1))
        parts = Assembly(network, info, (2,), LOSSES["mse"].build({}, info))
        figures = evaluate(network, Batches(samples, parts, torch.device("cpu"), channels_last=False), parts.loss)
        assert figures is not None
        assert figures[0] == pytest.approx(mse_loss(network(samples.inputs), samples.targets).item())
        assert figures[1] is None


class TestEpochs:
    def test_events_come_in_order_and_count_from_one(self) -> None:
        events = [event for event in train(toy_config(training__epochs=2)) if not isinstance(event, Preparing)]
        epoch = [StepFinished] * 7 + [EpochFinished]
        assert [type(event) for event in events] == [Started, Evaluated, *epoch, *epoch, Finished]
        steps = of_kind(events, StepFinished)
        assert [step.step for step in steps] == list(range(1, 15))
        assert [step.epoch for step in steps] == [1] * 7 + [2] * 7
        assert [epoch.step for epoch in of_kind(events, EpochFinished)] == [7, 14]
        assert all(a.seconds <= b.seconds for a, b in pairwise(steps))
        started, finished = events[0], events[-1]
        assert isinstance(started, Started)
        assert (started.train_size, started.steps_per_epoch, started.total_steps) == (400, 7, 14)
        assert started.parameters == 2 * 8 + 8 + 8 * 2 + 2
        assert isinstance(finished, Finished)
        assert (finished.reason, finished.step, finished.epoch, finished.restored_epoch) == ("completed", 14, 2, None)

    def test_train_loss_is_the_mean_over_samples_with_a_smaller_last_batch(self) -> None:
        events = list(train(toy_config(training__epochs=1)))
        sizes = [64] * 6 + [16]
        expected = sum(size * loss for size, loss in zip(sizes, losses(events), strict=True)) / 400
        [epoch] = of_kind(events, EpochFinished)
        assert epoch.train_loss == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize(("size", "steps"), [(1, 8), (3, 3), (8, 1)])
    def test_a_batch_is_anything_from_one_sample_to_the_full_set(self, size: int, steps: int) -> None:
        config = toy_config(dataset__samples=20, training__batch_size=size, training__epochs=1)
        assert len(losses(train(config))) == steps

    def test_accuracies_are_shares_and_a_batch_is_measured_every_tenth_step(self) -> None:
        events = list(train(toy_config(training__epochs=4)))
        measured = {step.step: step.accuracy for step in of_kind(events, StepFinished) if step.accuracy is not None}
        shares = [value for epoch in of_kind(events, EpochFinished) for value in (epoch.test_accuracy,)]
        assert list(measured) == [1, 11, 21]
        assert all(value is not None and 0 <= value <= 1 for value in (*measured.values(), *shares))
        assert shares[-1] == pytest.approx(1.0, abs=0.05)

    def test_steps_end_the_run_within_an_epoch_with_an_evaluation(self) -> None:
        events = list(train(toy_config(training__steps=9)))
        evaluated, finished = events[-2:]
        assert isinstance(evaluated, Evaluated)
        assert evaluated.step == 9
        assert isinstance(finished, Finished)
        assert (finished.reason, finished.step, finished.epoch) == ("completed", 9, 2)
        assert len(of_kind(events, EpochFinished)) == 1

    def test_steps_that_end_with_an_epoch_are_evaluated_once(self) -> None:
        events = list(train(toy_config(training__steps=7, training__evaluate_first=False)))
        assert len(of_kind(events, EpochFinished)) == 1
        assert not of_kind(events, Evaluated)

    def test_without_a_validation_share_there_are_no_validation_figures(self) -> None:
        events = list(train(toy_config(dataset__validation=0.0, training__epochs=1)))
        [epoch] = of_kind(events, EpochFinished)
        assert (epoch.validation_loss, epoch.validation_accuracy) == (None, None)
        assert of_kind(events, Started)[0].train_size == 500

    @pytest.mark.parametrize("late", [False, True], ids=["at once", "in groups"])
    def test_results_are_the_same_where_a_device_answers_late(
        self, late: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = list(train(toy_config(training__steps=12)))
        monkeypatch.setattr(Device, "answers_late", property(lambda _: late))
        events = list(train(toy_config(training__steps=12)))
        assert losses(events) == losses(expected)
        assert [type(event) for event in events] == [type(event) for event in expected]


class TestSchedules:
    @pytest.mark.parametrize("name", ["step", "cosine", "one_cycle"])
    def test_each_step_takes_the_rate_of_its_schedule(self, name: str) -> None:
        config = toy_config({"schedule": name}, training__epochs=3)
        rates = [step.learning_rate for step in of_kind(train(config), StepFinished)]
        factor = SCHEDULES[name].multiplier
        params = config.schedule.params
        assert rates == [0.003 * factor(step, total=21, steps_per_epoch=7, params=params) for step in range(21)]
        assert len(set(rates)) > 2

    def test_the_rate_is_the_one_the_optimizer_uses(self) -> None:
        config = toy_config(
            {"schedule": "cosine", "optimizer": "sgd"}, optimizer__learning_rate=0.05, training__steps=20
        )
        torch.set_num_threads(1)
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
        optimizer.register_step_post_hook(lambda *_: schedule.step())
        assert losses(train(config)) == pytest.approx(bare_losses(network, optimizer, dataset_of(config), config))

    def test_the_plateau_schedule_lowers_the_rate_as_torch_does(self) -> None:
        """At such a threshold hardly any loss is better than the first."""
        config = toy_config(
            {"schedule": "reduce_on_plateau"},
            schedule__threshold=0.9,
            schedule__patience=1,
            schedule__factor=0.5,
            training__epochs=8,
        )
        events = list(train(config))
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.003)
        torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.9, eps=0)
        expected = []
        for epoch in of_kind(events, EpochFinished):
            expected.append(optimizer.param_groups[0]["lr"])
            assert epoch.validation_loss is not None
            torchs.step(epoch.validation_loss)
        rates = [epoch.learning_rate for epoch in of_kind(events, EpochFinished)]
        assert rates == pytest.approx(expected)
        assert rates[-1] < rates[0] / 3


class TestEarlyStopping:
    def run(self, **settings: object) -> tuple[list[Event], list[dict[str, Tensor]], dict[str, Tensor]]:
        """Events, the weights after each epoch, the weights at the end, of a run whose loss jumps about."""
        config = toy_config(
            {"dataset": "spirals"}, dataset__noise=0.3, dataset__samples=200, optimizer__learning_rate=0.3, **settings
        )
        control = RunControl()
        events, kept = [], []
        for event in train(config, control):
            events.append(event)
            if isinstance(event, EpochFinished) and control.live is not None:
                kept.append(control.live.weights())
        assert control.live is not None
        return events, kept, control.live.weights()

    def best(self, events: list[Event]) -> int:
        figures = [epoch.validation_loss for epoch in of_kind(events, EpochFinished)]
        assert None not in figures
        return 1 + min(range(len(figures)), key=lambda index: figures[index] or 0.0)

    def test_ends_after_so_many_epochs_without_a_better_loss_and_restores_the_best_weights(self) -> None:
        events, kept, final = self.run(training__epochs=200, training__patience=3)
        finished, best = events[-1], self.best(events)
        assert isinstance(finished, Finished)
        assert (finished.reason, finished.restored_epoch, finished.epoch) == ("early_stopping", best, best + 3)
        assert same(final, kept[best - 1])
        assert not same(final, kept[-1])

    def test_restores_the_best_weights_also_where_the_epochs_run_out_first(self) -> None:
        events, kept, final = self.run(training__epochs=12, training__patience=100)
        finished, best = events[-1], self.best(events)
        assert best < 12
        assert isinstance(finished, Finished)
        assert (finished.reason, finished.restored_epoch, finished.epoch) == ("completed", best, 12)
        assert same(final, kept[best - 1])

    def test_off_keeps_the_last_weights(self) -> None:
        events, kept, final = self.run(training__epochs=5, training__patience=0)
        assert of_kind(events, Finished)[0].restored_epoch is None
        assert same(final, kept[-1])


# At an enormous rate a single update takes its outputs past the largest float32.
DEEP: Mapping[str, object] = {"network__hidden": (32,) * 8, "network__activation": "leaky_relu"}


class TestDivergence:
    def diverge(self, config: RunConfig, control: RunControl | None = None) -> tuple[Failed, dict[str, Tensor]]:
        control = control or RunControl()
        failed = list(train(config, control))[-1]
        assert isinstance(failed, Failed)
        assert failed.kind == "diverged"
        assert control.live is not None
        weights = control.live.weights()
        assert all(value.isfinite().all() for value in weights.values())
        return failed, weights

    @pytest.mark.parametrize("late", [False, True], ids=["at once", "in groups"])
    @pytest.mark.parametrize("steps", [0, 3])
    def test_ends_the_run_with_an_explanation_and_finite_weights(
        self, late: bool, steps: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Device, "answers_late", property(lambda _: late))
        config = toy_config(
            {"loss": "mse", "optimizer": "sgd"},
            network__hidden=(128, 64),
            optimizer__learning_rate=1000,
            training__steps=steps,
        )
        failed, weights = self.diverge(config)
        assert failed.message.startswith("The loss became infinite at step 3. ")
        assert "learning rate is too large: it was 1000; try 100" in failed.message
        assert failed.step == 0
        assert same(weights, assemble(config).network.state_dict())

    def test_keeps_the_newest_weights_that_a_later_step_has_shown_to_be_good(self) -> None:
        config = toy_config({"loss": "mse"}, **DEEP, training__epochs=100)
        control, good = RunControl(), {}
        ending: Event | None = None
        for event in train(config, control):
            ending = event
            if isinstance(event, StepFinished) and event.step == 2 * KEEP_EVERY:
                assert control.live is not None
                good = control.live.weights()
            if isinstance(event, StepFinished) and event.step == 2 * KEEP_EVERY + 30:
                control.change(Change("learning_rate", 1e6))
        assert isinstance(ending, Failed)
        assert ending.step == 2 * KEEP_EVERY
        assert control.live is not None
        assert same(control.live.weights(), good)

    def test_weights_that_no_step_has_proved_are_not_kept(self) -> None:
        """The copy taken after step 200 holds what the step did with an enormous rate."""
        config = toy_config({"loss": "mse"}, **DEEP, training__epochs=100)
        control = RunControl()
        ending: Event | None = None
        for event in train(config, control):
            ending = event
            if isinstance(event, StepFinished) and event.step == 2 * KEEP_EVERY - 1:
                control.change(Change("learning_rate", 1e6))
        assert isinstance(ending, Failed)
        assert f"at step {2 * KEEP_EVERY + 1}" in ending.message
        assert ending.step == KEEP_EVERY

    def test_is_noticed_in_the_evaluation_after_the_last_step(self) -> None:
        config = toy_config({"loss": "mse"}, **DEEP, optimizer__learning_rate=1000, training__steps=1)
        failed, _ = self.diverge(config)
        assert "in the evaluation after step 1" in failed.message

    @pytest.mark.parametrize("evaluate_first", [True, False])
    def test_of_the_untrained_network_is_not_blamed_on_the_learning_rate(self, evaluate_first: bool) -> None:
        config = toy_config({"loss": "mse"}, training__evaluate_first=evaluate_first)
        config = config.model_copy(update={"initial_parameters": {"fc2.bias": [3e38, -3e38]}})
        failed, _ = self.diverge(config)
        assert "untrained weights" in failed.message
        assert "learning rate" not in failed.message


class TestStart:
    def test_initial_parameters_replace_the_drawn_ones(self) -> None:
        given = {"fc1.weight": [[0.5, -0.5]] * 8, "fc2.weight": [[0.0] * 8] * 2, "fc2.bias": [0.0, 0.0]}
        config = toy_config().model_copy(update={"initial_parameters": given})
        run = train(config, control := RunControl())
        first = next(event for event in run if isinstance(event, Evaluated))
        assert control.live is not None
        weights = control.live.weights()
        assert first.test_loss == pytest.approx(math.log(2))
        assert all(weights[name].tolist() == values for name, values in given.items())

    def test_mixed_precision_computes_in_bfloat16_and_keeps_float32_weights(self) -> None:
        exact, (mixed, weights) = (
            list(train(toy_config(training__epochs=1))),
            weights_after(toy_config(training__epochs=1, training__precision="mixed")),
        )
        assert of_kind(exact, Started)[0].precision == "float32"
        assert of_kind(mixed, Started)[0].precision == "mixed bfloat16"
        assert losses(mixed) != losses(exact)
        assert losses(mixed) == pytest.approx(losses(exact), rel=0.05)
        assert all(value.dtype == torch.float32 for value in weights.values())

    def test_mixed_precision_also_reaches_an_optimizer_with_a_closure(self) -> None:
        picks = {"optimizer": "lbfgs"}
        mixed = losses(train(toy_config(picks, training__steps=1, training__precision="mixed")))
        assert mixed != losses(train(toy_config(picks, training__steps=1)))

    def test_a_run_can_be_abandoned_at_any_event(self) -> None:
        for count in range(12):
            run: Iterator[Event] = iter(train(toy_config()))
            for _ in range(count):
                next(run)
            del run
