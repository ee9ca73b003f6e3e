"""Two patterns of 4×4 pixels, the single convolution that tells them apart, raw images on their way to a network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from engine.assembly import assemble
from engine.config import RunConfig, make_config
from engine.control import RunControl
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetInfo
from engine.datasets.levels import grey_levels
from engine.datasets.prepare import to_inputs
from engine.datasets.preview import make_preview, picture_of_test
from engine.errors import InputError
from engine.events import EpochFinished, Evaluated, Event
from engine.live import LiveNetwork, untrained
from engine.networks import NETWORKS
from engine.predict import to_sample
from engine.training import train
from tests.engine.runs import dataset_of, losses, of_kind

A = [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]
B = [[1, 1, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 1, 1]]


def the_config(seed: int = 0, **settings: object) -> RunConfig:
    """The two patterns in their own order, each a batch."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    fixed = {"training.shuffle": False, "training.threads": 1, "training.memory_format": "contiguous"}
    picks = {"dataset": "two_patterns", "network": "single_conv"}
    return make_config(picks, {**fixed, "training.seed": seed, **given})


def run(config: RunConfig) -> tuple[list[Event], LiveNetwork]:
    control = RunControl()
    events = list(train(config, control))
    assert control.live is not None
    return events, control.live


@pytest.fixture(scope="module")
def patterns() -> Dataset:
    return dataset_of(the_config())


class TestDataset:
    def test_the_training_images_come_a_then_b_from_dark_to_bright(self, patterns: Dataset) -> None:
        inputs, targets = patterns.train.inputs, patterns.train.targets
        assert (inputs.dtype, tuple(inputs.shape)) == (torch.float32, (40, 1, 4, 4))
        assert targets.tolist() == [0] * 20 + [1] * 20
        for number, image in enumerate(inputs[:, 0]):
            lit = torch.tensor(A if number < 20 else B, dtype=torch.float32)
            assert torch.equal(image, lit * (number % 20))

    def test_the_test_images_are_both_patterns_at_one_intensity(self, patterns: Dataset) -> None:
        expected = torch.tensor([[A], [B]], dtype=torch.float32) * 999_999_999
        assert torch.equal(patterns.test.inputs, expected)
        assert patterns.test.targets.tolist() == [0, 1]
        assert len(patterns.validation) == 0

    def test_the_facts_are_those_of_the_data(self) -> None:
        config = the_config(dataset__intensities=7, dataset__test_intensity=3)
        data, info = dataset_of(config), config.dataset_info()
        assert data.info == info
        assert (info.train_size, info.validation_size, info.test_size) == (14, 0, 2)
        assert (len(data.train), len(data.validation), len(data.test)) == (14, 0, 2)
        assert float(data.test.inputs.max()) == 3
        assert info.raw
        assert not info.drawable
        assert info.classes[:2] == ("A", "B")
        assert all("unused" in name for name in info.classes[2:])

    @pytest.mark.parametrize(
        ("name", "value"),
        [("intensities", 0), ("intensities", 10_001), ("test_intensity", 0), ("test_intensity", 10**9)],
    )
    def test_settings_out_of_range_are_named(self, name: str, value: int) -> None:
        with pytest.raises(InputError) as caught:
            DATASETS["two_patterns"].info({name: value})
        assert caught.value.field == f"dataset.{name}"

    def test_they_go_into_the_network_as_they_are(self, patterns: Dataset) -> None:
        assert torch.equal(to_inputs(patterns.test.inputs, patterns.info, (1, 4, 4)), patterns.test.inputs)

    def test_raw_images_are_centred_on_black_where_the_network_wants_larger_ones(self, patterns: Dataset) -> None:
        padded = to_inputs(patterns.train.inputs, patterns.info, (1, 8, 8))
        assert torch.equal(padded[:, :, 2:6, 2:6], patterns.train.inputs)
        assert padded.sum() == patterns.train.inputs.sum()


class TestPreview:
    def test_its_pictures_show_the_patterns_however_dark_they_are(self, patterns: Dataset) -> None:
        preview = make_preview(patterns, per_class=3)
        assert preview.thumbnails.dtype == np.uint8
        assert preview.thumbnails.shape == (6, 4, 4)
        assert preview.thumbnail_labels.tolist() == [0, 0, 0, 1, 1, 1]
        for picture, label in zip(preview.thumbnails, preview.thumbnail_labels, strict=True):
            assert picture.tolist() == (255 * np.array((A, B)[label])).tolist()
        assert preview.counts.tolist() == [[20, 20, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]

    def test_its_mean_image_is_scaled_by_its_largest_value(self, patterns: Dataset) -> None:
        mean = make_preview(patterns).mean_image
        assert np.allclose(mean, np.rint(255 * (np.array(A) + np.array(B)) / 2))

    def test_black_images_are_shown_where_there_is_nothing_else(self) -> None:
        preview = make_preview(dataset_of(the_config(dataset__intensities=1)))
        assert preview.thumbnails.tolist() == np.zeros((2, 4, 4), int).tolist()
        assert not preview.mean_image.any()

    def test_a_test_sample_keeps_its_values(self, patterns: Dataset) -> None:
        picture = picture_of_test(patterns, 3)
        assert picture.dtype == np.float32
        assert np.array_equal(picture, patterns.test.inputs[1, 0].numpy())
        assert not picture.flags.writeable

    def test_grey_levels_of_each_image_go_up_to_white(self) -> None:
        images = np.array([[[[0, 1, 2, -4]]], [[[0, 0, 0, 0]]], [[[1e9, 5e8, 0, 0]]]], np.float32)
        assert grey_levels(images).tolist() == [[[[0, 128, 255, 0]]], [[[0, 0, 0, 0]]], [[[255, 128, 0, 0]]]]


class TestSample:
    @staticmethod
    def values() -> NDArray[np.float32]:
        return np.array([[0.1, 19, 0, 999_999_999], [3, 0, 0, 1e-9], [0, 0, 0, 255], [256, 7, 0, 0]], np.float32)

    def test_painted_values_pass_bit_for_bit(self, patterns: Dataset) -> None:
        sample = to_sample(self.values(), patterns.info)
        assert sample is not None
        assert sample.dtype == np.float32
        assert sample.shape == (1, 4, 4)
        assert np.array_equal(sample[0], self.values())

    def test_the_network_answers_about_just_these_values(self, patterns: Dataset) -> None:
        live, values = untrained(the_config()), self.values() / np.float32(1e8)
        sample = to_sample(values, patterns.info)
        assert sample is not None
        weight = live.weights()["conv.weight"]
        logits = (weight.double() * torch.from_numpy(values).double()).sum(dim=(1, 2, 3))
        assert np.allclose(live.predict(sample), logits.softmax(0), atol=1e-6)

    def test_a_drawing_of_another_size_is_averaged_to_grey_levels(self, patterns: Dataset) -> None:
        drawing = np.kron(255 * np.array(A), np.ones((70, 70))).astype(np.uint8)
        sample = to_sample(drawing, patterns.info)
        assert sample is not None
        assert sample.dtype == np.float32
        assert np.array_equal(sample[0], 255 * np.array(A))

    def test_values_for_a_dataset_of_grey_levels_become_grey_levels(self) -> None:
        info: DatasetInfo = DATASETS["mnist"].info({})
        digit = np.zeros((28, 28), np.float32)
        digit[3, 4:7] = (200.4, 300, -3)
        sample = to_sample(digit, info)
        assert sample is not None
        assert sample.dtype == np.uint8
        assert sample[0, 3, 4:7].tolist() == [200, 255, 0]
        fitted = to_sample(self.values(), info)  # of a dataset that was just replaced
        assert fitted is not None
        assert fitted.dtype == np.uint8
        assert fitted.shape == (1, 28, 28)


class TestSingleConvolution:
    def test_it_is_one_kernel_an_output_and_nothing_else(self) -> None:
        parts = assemble(the_config(seed=5))
        torch.manual_seed(5)
        expected = nn.Conv2d(1, 4, 4, bias=False)
        ((name, weight),) = parts.network.named_parameters()
        assert name == "conv.weight"
        assert torch.equal(weight, expected.weight)
        image = torch.rand(3, 1, 4, 4)
        assert torch.allclose(parts.network(image), torch.einsum("nchw,kchw->nk", image, weight))

    def test_its_filters_can_be_looked_at(self) -> None:
        live = untrained(the_config())
        (layer,) = live.layers
        assert (layer.kind, layer.count, layer.label) == ("conv", 4, "conv · 4 of 1×4×4")
        assert live.filters(layer.name).values.shape == (4, 1, 4, 4)
        assert np.array_equal(live.filters(layer.name).values, live.weights()["conv.weight"].numpy())

    @pytest.mark.parametrize(("kernel", "shape"), [(0, (4, 1, 4, 4)), (4, (4, 1, 4, 4)), (3, (1, 1, 3, 3))])
    def test_smaller_kernels_give_an_output_a_place(self, kernel: int, shape: tuple[int, ...]) -> None:
        network = assemble(the_config(network__kernel=kernel, network__bias=True)).network
        assert [tuple(p.shape) for p in network.parameters()] == [shape, (shape[0],)]
        assert network(torch.zeros(2, 1, 4, 4)).shape == (2, 4)

    @pytest.mark.parametrize(("kernel", "says"), [(5, "larger than the images"), (2, "9 places in 4×4")])
    def test_kernels_that_cannot_give_the_answer_are_refused(self, kernel: int, says: str) -> None:
        with pytest.raises(InputError, match=says) as caught:
            the_config(network__kernel=kernel)
        assert caught.value.field == "network.kernel"
        assert "0" in caught.value.accepted

    def test_points_are_refused(self) -> None:
        with pytest.raises(InputError, match="needs images") as caught:
            make_config({"dataset": "xor", "network": "single_conv"})
        assert caught.value.field == "network"

    def test_it_takes_any_images(self) -> None:
        info = DATASETS["cifar10"].info({})
        entry = NETWORKS["single_conv"]
        params = entry.resolve({}, part="network")
        network = entry.build(entry.fit(info, params), 10, params)
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)

    def test_its_recipe_is_that_of_the_two_patterns(self) -> None:
        config = the_config()
        assert (config.optimizer.name, config.loss.name) == ("sgd", "cross_entropy")
        assert (config.optimizer.params["learning_rate"], config.optimizer.params["momentum"]) == (0.001, 0.9)
        assert (config.training.batch_size, config.training.epochs) == (1, 2)


class TestRun:
    def test_it_starts_from_knowing_nothing_and_gets_both_right(self) -> None:
        events, live = run(the_config(seed=0))
        assert losses(events)[0] == pytest.approx(math.log(4), abs=1e-6)
        (first,) = of_kind(events, Evaluated)
        assert first.step == 0
        assert [(e.epoch, e.step) for e in of_kind(events, EpochFinished)] == [(1, 40), (2, 80)]
        assert of_kind(events, EpochFinished)[-1].test_accuracy == 1.0
        for pattern, sign in enumerate((A, B)):
            sample = np.array([sign], np.float32) * np.float32(999_999_999)
            assert live.predict(sample).tolist() == np.eye(4)[pattern].tolist()

    def test_the_course_is_that_of_the_same_lines_in_torch(self, patterns: Dataset) -> None:
        events, live = run(the_config(seed=3))
        torch.manual_seed(3)
        network = nn.Sequential(nn.Conv2d(1, 4, 4, bias=False), nn.Flatten())
        optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
        expected = []
        for _ in range(2):
            for image, target in zip(patterns.train.inputs, patterns.train.targets, strict=True):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(image[None]), target[None])
                torch.autograd.backward(loss)
                optimizer.step()
                expected.append(loss.item())
        assert losses(events) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        weight = next(network.parameters()).detach()
        torch.testing.assert_close(live.weights()["conv.weight"], weight, rtol=1e-4, atol=1e-6)

    def test_of_the_first_seeds_most_get_a_right_and_all_get_b(self) -> None:
        """Of the seeds 0 … 199 it is 160 and 200."""
        right = []
        for seed in range(10):
            _, live = run(the_config(seed=seed, training__evaluate_first=False))
            bright = [np.array([sign], np.float32) * np.float32(999_999_999) for sign in (A, B)]
            right.append([int(live.predict(sample).argmax()) == pattern for pattern, sample in enumerate(bright)])
        a, b = np.array(right).T
        assert b.all()
        assert a.sum() == 8
