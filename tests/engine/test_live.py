"""The live network answers with the weights of this moment, never with two steps mixed, and disturbs nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from engine.assembly import assemble
from engine.config import RunConfig
from engine.control import Change, RunControl
from engine.datasets.prepare import to_inputs
from engine.errors import InputError
from engine.events import EpochFinished, Event, Failed, Finished, Started, StepFinished
from engine.live import LiveNetwork, untrained
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.training import train
from tests.engine.runs import RunInThread, dataset_of, losses, of_kind, tiny_library, toy_config


def images_config(network: str, **settings: object) -> RunConfig:
    picks = {"dataset": "mnist", "network": network}
    return toy_config(picks, **{"training__batch_size": 16, "training__epochs": 2, **settings})


def a_digit() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)


def expected(config: RunConfig, weights: dict[str, Tensor], sample: np.ndarray) -> np.ndarray:
    """What the network in evaluation mode answers with `weights`."""
    parts = assemble(config)
    parts.network.load_state_dict(weights)
    with torch.no_grad():
        outputs = parts.network.eval()(to_inputs(torch.from_numpy(sample[None]), parts.info, parts.input_shape))
        probabilities: np.ndarray = parts.loss.probabilities(outputs)[0].numpy()
    return probabilities


def live_of(control: RunControl) -> LiveNetwork:
    assert control.live is not None
    return control.live


class TestPredictions:
    @pytest.mark.parametrize("network", [entry.name for entry in NETWORKS if entry.name not in ("resnet18", "linear")])
    def test_are_the_networks_own_in_evaluation_mode_at_every_step(self, network: str) -> None:
        dropout = {"network__dropout": 0.5} if network == "mlp" else {}
        config, control, sample = images_config(network, training__epochs=1, **dropout), RunControl(), a_digit()
        steps = 0
        for event in train(config, control, library=tiny_library()):
            if isinstance(event, StepFinished):
                steps += 1
                weights = live_of(control).weights()
                with torch.random.fork_rng(devices=[]):  # the oracle draws weights, which the run must not notice
                    found, oracle = live_of(control).predict(sample), expected(config, weights, sample)
                np.testing.assert_allclose(found, oracle, rtol=1e-4, atol=1e-6)
        assert steps == 4

    def test_come_from_the_weights_and_running_statistics_that_were_evaluated(self) -> None:
        """The epoch's own test loss is found again with what the live network hands out."""
        config, control, library = images_config("fast_cnn"), RunControl(), tiny_library()
        epochs = of_kind(train(config, control, library=library), EpochFinished)
        parts, data = assemble(config), dataset_of(config, library)
        parts.network.load_state_dict(live_of(control).weights())
        with torch.no_grad():
            outputs = parts.network.eval()(to_inputs(data.test.inputs, data.info, parts.input_shape))
        assert epochs[-1].test_loss == pytest.approx(parts.loss(outputs, data.test.targets).item(), rel=1e-4)
        np.testing.assert_allclose(
            live_of(control).predict(data.test.inputs[0].numpy()), outputs[0].softmax(0).numpy(), rtol=1e-3, atol=1e-6
        )

    @pytest.mark.parametrize("loss", [entry.name for entry in LOSSES])
    def test_are_probabilities_whatever_the_loss(self, loss: str) -> None:
        control = RunControl()
        list(train(toy_config({"loss": loss}, training__steps=3), control))
        answer = live_of(control).predict(np.array([1.0, -1.0], dtype=np.float32))
        assert answer.shape == (2,)
        assert answer.dtype == np.float32
        assert answer.sum() == pytest.approx(1.0)
        assert (answer >= 0).all()

    def test_belong_to_whoever_asked(self) -> None:
        control = RunControl()
        list(train(images_config("lenet5", training__steps=1), control, library=tiny_library()))
        live = live_of(control)
        for values in (live.predict(a_digit()), live.filters(live.layers[0].name).values):
            assert not values.flags.writeable
        before = {name: value.clone() for name, value in live.weights().items()}
        for value in live.weights().values():
            value.zero_()
        assert all(torch.equal(value, before[name]) for name, value in live.weights().items())

    def test_of_an_untrained_network_are_those_a_run_starts_with(self) -> None:
        config, control = images_config("lenet5"), RunControl()
        run = train(config, control, library=tiny_library())
        while control.live is None:
            next(run)
        np.testing.assert_array_equal(untrained(config).predict(a_digit()), control.live.predict(a_digit()))

    def test_follow_weights_that_come_back(self) -> None:
        """The untrained weights and the untrained running statistics, after a run that diverged."""
        config, control = images_config("fast_cnn"), RunControl()
        first, ending = [], None
        for event in train(config, control, library=tiny_library()):
            if isinstance(event, StepFinished) and event.step == 1:
                control.change(Change("learning_rate", 1e39))
            if isinstance(event, Started):
                first.append(live_of(control).predict(a_digit()))
            ending = event
        assert isinstance(ending, Failed)
        np.testing.assert_array_equal(live_of(control).predict(a_digit()), first[0])


class TestFilters:
    def test_are_the_weights_now_and_before_the_first_step(self) -> None:
        config, control = images_config("fast_cnn"), RunControl()
        list(train(config, control, library=tiny_library()))
        live, start = live_of(control), assemble(config).network.state_dict()
        for layer in live.layers:
            weight = f"{layer.name}.weight"
            now, first = live.filters(layer.name).values, live.initial_filters(layer.name).values
            rows, columns = now.shape[:2]
            np.testing.assert_array_equal(first, start[weight].numpy()[:rows, :columns])
            np.testing.assert_array_equal(now, live.weights()[weight].numpy()[:rows, :columns])
            assert not np.array_equal(now, first)


class TestFeatures:
    def test_are_the_outputs_or_those_of_a_layer(self) -> None:
        config = images_config("lenet5")
        live, parts = untrained(config), assemble(config)
        batch = np.random.default_rng(1).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
        inputs = to_inputs(torch.from_numpy(batch), parts.info, parts.input_shape)
        with torch.no_grad():
            np.testing.assert_allclose(live.features(batch), parts.network(inputs).numpy(), rtol=1e-4, atol=1e-6)
            conv1 = parts.network.get_submodule("conv1")(inputs).flatten(1)
        np.testing.assert_allclose(live.features(batch, "conv1"), conv1.numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(live.features(torch.from_numpy(batch)), live.features(batch))

    def test_of_a_layer_are_those_before_an_activation_in_place(self) -> None:
        network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(inplace=True))
        parts = assemble(toy_config())
        live = LiveNetwork(network, info=parts.info, input_shape=(2,), loss=parts.loss)
        assert live.features(np.ones((1, 2), np.float32), "0").min() < 0

    def test_of_equal_samples_are_equal_to_the_last_bit(self) -> None:
        found = untrained(images_config("fast_cnn")).features(np.stack([a_digit()] * 7))
        assert (found == found[0]).all()
        assert not found.flags.writeable

    def test_of_a_layer_that_there_is_not_are_refused(self) -> None:
        live = untrained(images_config("lenet5"))
        with pytest.raises(InputError, match="known are conv1, "):
            live.features(a_digit()[None], "conv9")
        assert live.features(a_digit()[None]).shape == (1, 10)


class TestCopy:
    def test_is_the_network_of_this_moment_and_nobody_elses(self) -> None:
        control, sample = RunControl(), a_digit()
        config = images_config("fast_cnn")
        list(train(config, control, library=tiny_library()))
        live = live_of(control)
        own, before = live.copy(), live.weights()
        assert not own.training
        assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
        assert all(weight.grad is None and weight.requires_grad for weight in own.parameters())
        parts = assemble(config)
        torch.autograd.backward(own(to_inputs(torch.from_numpy(sample[None]), parts.info, parts.input_shape)).sum())
        torch.optim.SGD(own.parameters(), lr=1.0).step()
        assert all(torch.equal(value, before[name]) for name, value in live.weights().items())


class TestWatching:
    def test_an_answer_in_the_middle_of_a_step_is_that_of_the_step_before(self) -> None:
        """In the forward pass batch norm has new running statistics already, the weights are still the old ones."""
        control, sample = RunControl(), a_digit()
        settled: list[np.ndarray] = []
        within: list[np.ndarray] = []

        def ask(module: nn.Module, *_: object) -> None:
            if module.training and isinstance(module, nn.Linear) and settled:
                within.append(live_of(control).predict(sample))
                np.testing.assert_array_equal(within[-1], settled[-1])

        handle = register_module_forward_hook(ask)
        try:
            for event in train(images_config("fast_cnn"), control, library=tiny_library()):
                if isinstance(event, StepFinished):
                    settled.append(live_of(control).predict(sample))
        finally:
            handle.remove()
        assert len(within) == len(settled) - 1 == 7
        assert not np.array_equal(settled[0], settled[-1])

    @pytest.mark.parametrize("network", ["fast_cnn", "mlp"])
    def test_from_another_thread_changes_nothing_and_never_sees_half_a_step(self, network: str) -> None:
        """Every answer is one that the weights of some step give; the losses are those of a run nobody watches."""
        dropout = {"network__dropout": 0.5} if network == "mlp" else {}
        config, sample = images_config(network, training__epochs=5, **dropout), a_digit()
        control = RunControl()
        alone: list[Event] = []
        settled: set[bytes] = set()
        for event in train(config, control, library=tiny_library()):
            alone.append(event)
            if control.live is not None:
                settled.add(control.live.predict(sample).tobytes())
        seen: set[bytes] = set()
        with RunInThread(config, tiny_library(), paused=True) as run:
            run.wait_until(lambda _: run.control.live)
            live = live_of(run.control)
            run.control.resume()
            torch.set_num_threads(1)
            while run.failure is None and not isinstance(run.events[-1], Finished):
                seen.add(live.predict(sample).tobytes())
                live.filters(live.layers[0].name)
                live.features(sample[None])
                live.copy()
            run.join()
            seen.add(live.predict(sample).tobytes())
        assert losses(run.events) == losses(alone)
        assert seen <= settled
        assert len(seen) > 1

    def test_draws_no_random_number(self) -> None:
        control = RunControl()
        config = images_config("mlp", network__dropout=0.5, training__steps=2)
        list(train(config, control, library=tiny_library()))
        live = live_of(control)
        before = torch.get_rng_state()
        live.predict(a_digit())
        live.filters(live.layers[0].name)
        live.weights()
        live.features(a_digit()[None], "fc1")
        live.copy()
        assert torch.equal(torch.get_rng_state(), before)

    def test_waits_only_while_the_weights_change(self) -> None:
        """Asking is refused for as long as a context that changes them is open, and answered with the new ones."""
        network = nn.Linear(2, 2)
        config = toy_config()
        parts = assemble(config)
        live = LiveNetwork(network, info=parts.info, input_shape=(2,), loss=parts.loss)
        found: list[np.ndarray] = []
        sample = np.ones(2, dtype=np.float32)
        thread = threading.Thread(target=lambda: found.append(live.predict(sample)))
        with live.updating:
            thread.start()
            with torch.no_grad():
                network.weight.fill_(0.0)
                network.bias.copy_(torch.tensor([5.0, -5.0]))
            assert not found
        thread.join()
        np.testing.assert_allclose(found[0], torch.tensor([5.0, -5.0]).softmax(0).numpy())


def test_the_data_of_the_tiny_sets_is_what_mnist_is_made_of() -> None:
    """The images that stand in for MNIST here have its shape and type."""
    data = dataset_of(images_config("lenet5"), tiny_library())
    assert (data.train.inputs.shape[1:], data.train.inputs.dtype) == (a_digit().shape, torch.uint8)
