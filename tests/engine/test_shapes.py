"""The layer table: rows, totals, and that making it disturbs nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.assembly import describe_network
from engine.config import make_config
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.inspection.shapes import LayerTable, describe, layer_table
from engine.networks import NETWORKS
from engine.networks.network import NetworkEntry, Shape

MNIST = DatasetInfo(
    name="mnist",
    label="MNIST",
    shape=(1, 28, 28),
    classes=tuple("0123456789"),
    mean=(0.1307,),
    std=(0.3081,),
    train_size=55_000,
    validation_size=5_000,
    test_size=10_000,
)


def described(name: str, **given: object) -> LayerTable:
    entry = NETWORKS[name]
    return describe(entry, MNIST, 10, entry.resolve(given, part="network"))


def adds_up(table: LayerTable) -> bool:
    return (
        sum(row.parameters for row in table.rows) == table.parameters
        and sum(row.flops for row in table.rows) == table.flops
    )


def test_lenet5_row_by_row() -> None:
    table = described("lenet5")
    rows = [(row.name, row.kind, row.kernel, row.output_shape, row.parameters, row.flops) for row in table.rows]
    assert rows == [
        ("conv1", "Conv2d", (5, 5), (6, 28, 28), 156, 2 * 25 * 6 * 28 * 28),
        ("pool1", "MaxPool2d", (2, 2), (6, 14, 14), 0, 0),
        ("relu1", "ReLU", (), (6, 14, 14), 0, 0),
        ("conv2", "Conv2d", (5, 5), (16, 10, 10), 2_416, 2 * 6 * 25 * 16 * 10 * 10),
        ("pool2", "MaxPool2d", (2, 2), (16, 5, 5), 0, 0),
        ("relu2", "ReLU", (), (16, 5, 5), 0, 0),
        ("flatten", "Flatten", (), (400,), 0, 0),
        ("fc1", "Linear", (), (120,), 48_120, 2 * 400 * 120),
        ("relu3", "ReLU", (), (120,), 0, 0),
        ("fc2", "Linear", (), (84,), 10_164, 2 * 120 * 84),
        ("relu4", "ReLU", (), (84,), 0, 0),
        ("fc3", "Linear", (), (10,), 850, 2 * 84 * 10),
    ]
    assert table.input_shape == (1, 32, 32)
    assert table.parameters == 61_706
    assert table.flops == 833_040


@pytest.mark.parametrize("name", ["mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn", "resnet18"])
def test_rows_add_up_to_what_torch_counts_on_the_real_network(name: str) -> None:
    table = described(name)
    entry = NETWORKS[name]
    params = entry.resolve({}, part="network")
    shape = entry.fit(MNIST, params)
    network = entry.build(shape, 10, params).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        network(torch.randn(1, *shape))
    assert adds_up(table)
    assert table.flops == counted.get_total_flops()
    assert table.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert layer_table(network, shape) == table


def test_describing_draws_no_weights() -> None:
    before = torch.get_rng_state()
    table = described("mlp", hidden=(3_000, 3_000), dropout=0.5)
    assert table.parameters == 785 * 3_000 + 3_001 * 3_000 + 3_001 * 10
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("initial", ["torch", "normal", "uniform", "zeros"])
def test_the_linear_model_is_described_however_it_begins(initial: str) -> None:
    picks = {"dataset": "fifteen_points", "network": "linear"}
    assert describe_network(make_config(picks, {"network.initial": initial})).parameters == 2


def test_describing_what_cannot_be_fitted_says_why() -> None:
    entry = NETWORKS["mlp"]
    with pytest.raises(InputError, match=r"network\.hidden"):
        describe(entry, MNIST, 10, entry.resolve({"hidden": [1] * 17}, part="network"))


def test_a_network_at_work_is_not_touched() -> None:
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    network(torch.randn(8, 6)).sum().backward()
    network[1].eval()
    watched: list[object] = []
    network[0].register_forward_hook(lambda _module, _inputs, output: watched.append(output))
    network[3].register_full_backward_hook(lambda _module, _inputs, outputs: watched.append(outputs))
    state = copy.deepcopy(network.state_dict())
    gradients = [parameter.grad for parameter in network.parameters()]
    copies = [gradient.clone() for gradient in gradients if gradient is not None]
    modes = [module.training for module in network.modules()]
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()]
    generator = torch.get_rng_state()

    assert [row.parameters for row in layer_table(network, (6,)).rows] == [28, 8, 0, 10]

    assert [module.training for module in network.modules()] == modes
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()] == hooks
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    assert all(now.grad is then for now, then in zip(network.parameters(), gradients, strict=True))
    assert all(torch.equal(a, b) for a, b in zip([g for g in gradients if g is not None], copies, strict=True))
    assert torch.equal(torch.get_rng_state(), generator)
    assert watched == []
    network(torch.randn(8, 6)).sum().backward()
    assert len(watched) == 2


class Twice(nn.Module):
    """Applies one layer twice, under two names, with a weight of its own between."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first
        self.scale = nn.Parameter(torch.ones(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x) @ self.scale)
        return y


def test_shared_and_repeated_layers_are_counted_once_and_shown_each_time() -> None:
    table = layer_table(Twice(), (3,))
    assert [(row.name, row.parameters, row.flops) for row in table.rows] == [
        ("first", 12, 18),
        ("first", 0, 18),
        ("Twice", 9, 18),
    ]
    assert adds_up(table)


def test_tied_weights_are_counted_once() -> None:
    network = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    network[1].weight = network[0].weight
    table = layer_table(network, (3,))
    assert [row.parameters for row in table.rows] == [9, 0]
    assert table.parameters == 9


def test_parts_that_are_used_without_being_called_stand_with_their_owner() -> None:
    network = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    table = layer_table(network, (5, 8))
    attention = table.rows[0]
    assert (attention.name, attention.kind, attention.output_shape) == ("self_attn", "MultiheadAttention", (5, 8))
    assert attention.parameters == 3 * (8 * 8 + 8) + 8 * 8 + 8
    projections, scores = 4 * 2 * 5 * 8 * 8, 2 * 2 * 5 * 5 * 8
    assert attention.flops == projections + scores
    assert adds_up(table)


def test_nested_layers_are_named_by_their_path() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv1d(2, 3, 4), nn.MaxPool1d(2)), nn.AdaptiveAvgPool1d(1))
    rows = layer_table(network, (2, 9)).rows
    assert [(row.name, row.kernel, row.output_shape) for row in rows] == [
        ("0.0", (4,), (3, 6)),
        ("0.1", (2,), (3, 3)),
        ("1", (), (3, 1)),
    ]
    assert rows[0].flops == 2 * 2 * 4 * 3 * 6


def test_a_single_layer_is_a_network() -> None:
    assert [row.name for row in layer_table(nn.Linear(2, 2), (2,)).rows] == ["Linear"]


def test_layers_that_return_several_tensors() -> None:
    (row,) = layer_table(nn.GRU(3, 4, batch_first=True), (7, 3)).rows
    assert row.output_shape == (7, 4)
    assert row.parameters == 3 * (4 * 3 + 4 * 4 + 4 + 4)


def test_another_precision_is_followed() -> None:
    assert layer_table(nn.Linear(2, 5).double(), (2,)).rows[0].output_shape == (5,)


def test_activations_a_network_keeps_do_not_get_in_the_way() -> None:
    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.last: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.fc(x)
            self.last = y
            return y

    network = Keeping()
    network(torch.ones(1, 2))
    kept = network.last
    assert layer_table(network, (2,)).parameters == 6
    assert network.last is kept


def test_weights_made_in_hooks_are_still_made() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.raw = nn.Parameter(torch.ones(4, 4))
            self.weight = self.raw * 2  # as pruning and weight norm keep it: not a leaf of the graph

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight

    def double(module: nn.Module, _inputs: object) -> None:
        assert isinstance(module, Doubled)
        module.weight = module.raw * 2

    network = nn.Sequential(Doubled())
    network.register_forward_pre_hook(lambda module, inputs: double(module.get_submodule("0"), inputs))
    (row,) = layer_table(network, (4,)).rows
    assert (row.parameters, row.flops) == (16, 32)


def test_a_shape_that_does_not_go_through_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        layer_table(nn.Linear(3, 3), (4,))


def test_a_network_of_another_package_is_described_too() -> None:
    def build(shape: Shape, outputs: int, _params: object) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[1] * shape[2], outputs))

    theirs = NetworkEntry(
        name="theirs", label="Theirs", summary="Linear.", fit=lambda info, _params: info.shape, build=build
    )
    assert describe(theirs, MNIST, 10, {}).parameters == 7_850
