"""Filters: which layers can be drawn, and copies of their weights."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import InputError
from engine.snapshots import KERNEL_LIMIT, VALUE_LIMIT, capture_filters, filter_layers


class _LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)


def _mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def test_convolutions_are_listed_in_order_with_labels() -> None:
    first, second = filter_layers(_LeNet(), (1, 32, 32))
    assert (first.name, first.label, first.kind, first.count) == ("conv1", "conv1 · 6 of 1×5×5", "conv", 6)
    assert (second.name, second.label, second.kind, second.count) == ("conv2", "conv2 · 16 of 6×5×5", "conv", 16)


def test_only_the_first_fully_connected_layer_that_sees_the_image_is_drawn() -> None:
    (layer,) = filter_layers(_mlp(784, 784, 10), (1, 28, 28))
    assert (layer.name, layer.label, layer.kind, layer.count) == ("1", "1 Linear · 784 of 1×28×28", "linear", 784)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (_mlp(2, 8, 2), (2,)),  # points are no image
        (_mlp(100, 784, 10), (1, 28, 28)),  # its first layer sees something else
        (nn.Sequential(nn.ReLU()), (1, 28, 28)),
        (nn.LazyConv2d(4, 3), (1, 28, 28)),  # no shape yet
    ],
)
def test_networks_with_nothing_to_draw(network: nn.Module, shape: tuple[int, ...]) -> None:
    assert filter_layers(network, shape) == ()
    with pytest.raises(InputError, match="filter_layer"):
        capture_filters(network, "0", input_shape=shape)


def test_a_linear_layer_behind_a_convolution_sees_no_image() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(784, 10))
    assert [layer.name for layer in filter_layers(network, (1, 28, 28))] == ["0"]


def test_an_unknown_layer_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="conv1, conv2") as caught:
        capture_filters(_LeNet(), "conv9", input_shape=(1, 32, 32))
    assert caught.value.field == "filter_layer"


def test_values_are_the_weights() -> None:
    network = _LeNet()
    images = capture_filters(network, "conv2", input_shape=(1, 32, 32))
    assert images.values.dtype == np.float32
    assert not images.is_part
    np.testing.assert_array_equal(images.values, network.conv2.weight.detach().numpy())


def test_rows_of_a_linear_layer_become_images_of_the_input_shape() -> None:
    network = _mlp(3 * 4 * 5, 7)
    images = capture_filters(network, "1", input_shape=(3, 4, 5))
    weight = network.get_parameter("1.weight").detach()
    np.testing.assert_array_equal(images.values, weight.reshape(7, 3, 4, 5).numpy())


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_snapshot_is_a_frozen_copy(memory_format: torch.memory_format, dtype: torch.dtype) -> None:
    network = _LeNet().to(dtype=dtype).to(memory_format=memory_format)
    images = capture_filters(network, "conv2", input_shape=(1, 32, 32))
    before = network.conv2.weight.detach().float().clone()
    with torch.no_grad():
        network.conv2.weight.fill_(7.0)
    np.testing.assert_array_equal(images.values, before.numpy())
    assert images.values.flags.owndata
    assert images.values.flags.c_contiguous
    assert not images.values.flags.writeable


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_have_a_row_for_every_output_channel(groups: int) -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    images = capture_filters(nn.Sequential(layer), "0", input_shape=(4, 8, 8))
    assert images.values.shape == (6, 4 // groups, 3, 3)
    # An impulse in one input channel brings each output channel's kernel back.
    for i in range(4):
        impulse = torch.zeros(1, 4, 1, 1)
        impulse[0, i] = 1.0
        response = layer(impulse).detach()[0]
        per_group_in, per_group_out = 4 // groups, 6 // groups
        group = i // per_group_in
        for o in range(group * per_group_out, (group + 1) * per_group_out):
            np.testing.assert_array_equal(images.values[o, i % per_group_in], response[o].numpy())


def test_one_and_three_dimensional_kernels_become_flat_images() -> None:
    line, volume = nn.Conv1d(2, 5, 7), nn.Conv3d(2, 5, (3, 4, 6))
    network = nn.ModuleDict({"line": line, "volume": volume})
    assert [layer.label for layer in filter_layers(network, (1, 8, 8))] == [
        "line · 5 of 2×1×7",
        "volume · 5 of 6×4×6",
    ]
    flat = capture_filters(network, "line", input_shape=(1, 8, 8)).values
    np.testing.assert_array_equal(flat[:, :, 0], line.weight.detach().numpy())
    slices = capture_filters(network, "volume", input_shape=(1, 8, 8)).values
    np.testing.assert_array_equal(slices.reshape(5, 2, 3, 4, 6), volume.weight.detach().numpy())


@pytest.mark.parametrize(
    ("channels", "filters", "expected"),
    [
        (3, 64, (64, 3)),  # 192 kernels fit
        (128, 64, (16, 16)),
        (1, 1000, (256, 1)),
        (1000, 1, (1, 256)),
        (8, 64, (32, 8)),
    ],
)
def test_large_layers_show_their_first_kernels(channels: int, filters: int, expected: tuple[int, int]) -> None:
    network = nn.Sequential(nn.Conv2d(channels, filters, 1))
    images = capture_filters(network, "0", input_shape=(channels, 8, 8))
    rows, columns = images.values.shape[:2]
    assert rows * columns <= KERNEL_LIMIT
    assert (rows, columns) == expected
    assert (images.filters, images.channels) == (filters, channels)
    assert images.is_part == (filters * channels > KERNEL_LIMIT)
    weight = network.get_parameter("0.weight").detach()
    np.testing.assert_array_equal(images.values, weight[:rows, :columns].numpy())


def test_the_limit_is_kept_for_huge_images_too() -> None:
    network = _mlp(3 * 256 * 256, 8)
    images = capture_filters(network, "1", input_shape=(3, 256, 256))
    assert images.values.size <= VALUE_LIMIT
    assert images.values.shape[1] == 3
    assert capture_filters(network, "1", input_shape=(3, 256, 256), limit=1).values.shape == (1, 1, 256, 256)


def test_the_module_imports_without_torch() -> None:
    code = "import sys, engine.snapshots; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
