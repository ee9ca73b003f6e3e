"""Feature distance: nothing for the same input, a little for a small change, much for another input."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from engine.config import RunConfig, make_config
from engine.datasets.data import DatasetInfo
from engine.inspection.distance import changed, distance, distances, random_sample
from engine.live import LiveNetwork, untrained
from tests.engine.runs import dataset_of, toy_config


@cache
def digits() -> np.ndarray:
    """The first test images of MNIST, uint8 (8, 1, 28, 28)."""
    return dataset_of(make_config()).test.inputs[:8].numpy().copy()


def mnist(network: str = "lenet5") -> RunConfig:
    return toy_config({"dataset": "mnist", "network": network})


def info_of(name: str) -> DatasetInfo:
    return toy_config({"dataset": name}).dataset_info()


class TestDistance:
    def test_is_the_mean_squared_error(self) -> None:
        one, other = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).unbind()
        assert distance(one.numpy(), other.numpy()) == pytest.approx(nn.functional.mse_loss(one, other).item())

    def test_of_other_shapes_is_refused(self) -> None:
        with pytest.raises(ValueError, match="compared"):
            distance(np.zeros(3), np.zeros((1, 3)))

    def test_of_what_has_diverged_is_no_number_and_no_warning(self) -> None:
        assert np.isnan(distance(np.array([np.inf]), np.array([np.inf])))
        assert distance(np.zeros(0), np.zeros(0)) == 0.0


class TestDistances:
    @pytest.mark.parametrize("layer", [None, "conv1", "relu2"])
    def test_same_slight_and_quite_another(self, layer: str | None) -> None:
        """The lesson's default: two test samples under an untrained convolution."""
        first, second = digits()[0], digits()[1]
        found = distances(
            untrained(mnist()), first=first, second=second, slight=changed(first), other=digits()[2], layer=layer
        )
        assert found.same == 0.0
        assert 0.0 < found.slight < found.other / 4
        assert found.slight < found.second

    def test_are_those_of_the_outputs_one_by_one(self) -> None:
        network = untrained(mnist())
        first, second = digits()[:2]
        found = distances(network, first=first, second=second, slight=first, other=second)
        apart = network.features(np.stack([first]))[0] - network.features(np.stack([second]))[0]
        assert found.second == found.other == pytest.approx(float((apart.astype(float) ** 2).mean()))
        assert found.same == found.slight == 0.0
        assert found.values == 10

    def test_work_on_points(self) -> None:
        network: LiveNetwork = untrained(toy_config())
        first, second = (random_sample(network.info, seed=seed) for seed in (0, 1))
        found = distances(network, first=first, second=second, slight=changed(first), other=second)
        assert 0.0 == found.same < found.slight < found.second


class TestSamples:
    def test_a_random_one_has_the_form_of_the_datasets_own(self) -> None:
        image, points = random_sample(info_of("mnist"), seed=0), random_sample(info_of("gaussians"), seed=0)
        assert image.shape == (1, 28, 28)
        assert image.dtype == np.uint8
        assert points.shape == (2,)
        assert points.dtype == np.float32
        np.testing.assert_array_equal(image, random_sample(info_of("mnist"), seed=0))
        assert not np.array_equal(image, random_sample(info_of("mnist"), seed=1))

    def test_a_raw_image_is_drawn_around_the_datasets_mean(self) -> None:
        info = DatasetInfo(
            name="raw",
            label="Raw",
            shape=(2, 40, 40),
            classes=("a", "b"),
            mean=(5.0, -5.0),
            std=(1.0, 2.0),
            train_size=1,
            validation_size=0,
            test_size=1,
            raw=True,
        )
        sample = random_sample(info, seed=0)
        assert sample.dtype == np.float32
        np.testing.assert_allclose(sample.mean(axis=(1, 2)), info.mean, atol=0.2)
        np.testing.assert_allclose(sample.std(axis=(1, 2)), info.std, rtol=0.1)

    def test_a_change_is_repeated_grows_with_the_noise_and_leaves_the_original_alone(self) -> None:
        image = digits()[0].copy()
        np.testing.assert_array_equal(changed(image), changed(image))
        np.testing.assert_array_equal(changed(image, noise=0.0), image)
        little, much = (distance(changed(image, noise=noise), image) for noise in (0.05, 0.2))
        assert 0 < little < much
        np.testing.assert_array_equal(image, digits()[0])

    def test_a_shift_moves_by_pixels_and_brings_in_black(self) -> None:
        image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
        np.testing.assert_array_equal(changed(image, noise=0, right=1, down=-1)[0], [[0, 4, 5], [0, 7, 8], [0, 0, 0]])
        assert not changed(image, noise=0, right=3).any()
        assert not changed(image, noise=0, down=-7).any()

    def test_points_get_noise_in_their_own_measure(self) -> None:
        point = np.array([100.0, 0.0], dtype=np.float32)
        moved = changed(point, noise=0.01, right=2)
        assert moved.dtype == np.float32
        assert 0 < np.abs(moved - point).max() < 5
        assert changed(np.zeros(2, np.float32), noise=0.1).any()
