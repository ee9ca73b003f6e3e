"""What every layer gives for one input, with torch's own functions as the oracle."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.config import make_config
from engine.inspection.activations import MAPS, VALUES, activations
from engine.live import LiveNetwork, untrained
from engine.losses import LOSSES
from tests.engine.runs import dataset_of, tiny_library


def live_of(network: nn.Module, picks: dict[str, str] | None = None) -> LiveNetwork:
    """Some network of one's own, for MNIST's shape."""
    config = make_config({"network": "mlp", **(picks or {})})
    info = config.dataset_info()
    loss = LOSSES[config.loss.name].build(config.loss.params, info)
    return LiveNetwork(network, info=info, input_shape=info.shape, loss=loss)


def digit() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)


def scaled(live: LiveNetwork, sample: np.ndarray) -> Tensor:
    mean, std = live.info.mean[0], live.info.std[0]
    return (torch.from_numpy(sample).float() / 255 - mean)[None].div(std)


def test_are_those_of_torchs_functions() -> None:
    torch.manual_seed(1)
    conv, fc = nn.Conv2d(1, 3, 5), nn.Linear(108, 10)
    network = nn.Sequential(OrderedDict(conv=conv, pool=nn.MaxPool2d(4), flatten=nn.Flatten(), fc=fc))
    live = live_of(network)
    sample = digit()
    found = activations(live, sample)
    maps = nn.functional.conv2d(scaled(live, sample), conv.weight, conv.bias)
    pooled = nn.functional.max_pool2d(maps, 4)
    logits = nn.functional.linear(pooled.flatten(1), fc.weight, fc.bias)
    assert [(layer.name, layer.kind, layer.shape) for layer in found.layers] == [
        ("conv", "Conv2d", (3, 24, 24)),
        ("pool", "MaxPool2d", (3, 6, 6)),
        ("flatten", "Flatten", (108,)),
        ("fc", "Linear", (10,)),
    ]
    for layer, oracle in zip(found.layers, (maps, pooled, pooled.flatten(1), logits), strict=True):
        np.testing.assert_allclose(layer.values, oracle[0].detach().numpy(), rtol=1e-5, atol=1e-5)
        assert layer.values.dtype == np.float32
        assert layer.is_maps == (layer.values.ndim == 3)
        assert not layer.is_part
    np.testing.assert_allclose(found.answer, logits.softmax(dim=1)[0].detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(found.answer, live.predict(sample), rtol=1e-6)
    assert np.array_equal(found.sample, sample)


def test_what_works_in_place_leaves_the_layer_before_as_it_was() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 5), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(1152, 10), nn.ReLU(inplace=True)
    )
    conv, first, _, linear, last = activations(live_of(network), digit()).layers
    for before, after in ((conv, first), (linear, last)):
        assert before.values.min() < 0
        assert np.array_equal(after.values, np.maximum(before.values, 0))


def test_a_module_that_runs_twice_is_told_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.last = nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, 10)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.last(self.act(self.act(self.first(x.flatten(1)))))
            return answer

    first, once, twice, _ = activations(live_of(Twice()), digit()).layers
    assert (once.name, twice.name) == ("act", "act (2)")
    np.testing.assert_allclose(once.values, np.tanh(first.values), rtol=1e-5)
    np.testing.assert_allclose(twice.values, np.tanh(once.values), rtol=1e-5)


def test_what_does_nothing_in_evaluation_is_left_out() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Identity(), nn.Linear(784, 10))
    assert [layer.kind for layer in activations(live_of(network), digit()).layers] == ["Flatten", "Linear"]


def test_a_network_of_one_layer_is_called_by_its_class() -> None:
    config = make_config({"dataset": "line_points", "network": "linear", "loss": "mse"})
    found = activations(untrained(config), np.array([2.0], np.float32))
    (layer,) = found.layers
    assert (layer.name, layer.shape) == ("Linear", (1,))
    assert np.array_equal(found.answer, layer.values)


def test_large_layers_are_told_in_part() -> None:
    network = nn.Sequential(nn.Conv2d(1, 300, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(300, 10))
    conv, pool, _, _ = activations(live_of(network), digit()).layers
    assert conv.shape == (300, 26, 26)
    assert len(conv.values) == min(MAPS, VALUES // 26**2)
    assert len(pool.values) == MAPS
    assert conv.is_part
    assert pool.is_part


def test_the_network_and_the_random_numbers_stay_as_they_are() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.fc(x.flatten(1))
            return answer + torch.randn_like(answer)

    torch.manual_seed(3)
    network = Noisy().train()
    live = live_of(network)
    before, state = live.weights(), torch.get_rng_state()
    activations(live, digit())
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert network.fc.weight.grad is None
    assert not network.fc._forward_hooks
    assert not live._twin.fc._forward_hooks  # type: ignore[union-attr]
    assert all(torch.equal(before[name], tensor) for name, tensor in live.weights().items())


def test_answers_cannot_be_written_to() -> None:
    found = activations(live_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10))), digit())
    for array in (found.sample, found.answer, *(layer.values for layer in found.layers)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(("dataset", "network"), [("mnist", "fast_cnn"), ("cifar10", "resnet18"), ("spirals", "mlp")])
def test_every_network_has_them(dataset: str, network: str) -> None:
    config = make_config({"dataset": dataset, "network": network})
    test = dataset_of(config, tiny_library()).test
    found = activations(untrained(config), test.inputs[0].numpy())
    names = [layer.name for layer in found.layers]
    assert len(set(names)) == len(names)
    assert found.layers[-1].shape == found.answer.shape
    assert all(np.isfinite(layer.values).all() for layer in found.layers)
