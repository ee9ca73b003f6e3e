"""Every network of the catalogue: what it takes, what it gives, what it is made of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from engine.catalog import Catalog, ParamValue
from engine.config import make_config
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.networks import ACTIVATIONS, NETWORKS
from engine.networks.network import NetworkEntry, Shape


def info_of(shape: Shape, *, classes: int = 10, targets: int = 1) -> DatasetInfo:
    return DatasetInfo(
        name="made_up",
        label="Made-up",
        shape=shape,
        classes=tuple(str(number) for number in range(classes)),
        targets=targets,
        mean=(0.0,) * shape[0],
        std=(1.0,) * shape[0],
        train_size=100,
        validation_size=0,
        test_size=10,
    )


def build(name: str, info: DatasetInfo, **given: object) -> tuple[nn.Module, Shape]:
    entry = NETWORKS[name]
    params = entry.resolve(given, part="network")
    shape = entry.fit(info, params)
    return entry.build(shape, len(info.classes) or info.targets, params), shape


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def outputs(network: nn.Module, shape: Shape, *, batch: int = 2) -> Shape:
    with torch.no_grad():
        return tuple(network(torch.randn(batch, *shape)).shape)


def test_the_names() -> None:
    assert {"mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn", "resnet18"} <= {entry.name for entry in NETWORKS}


def test_importing_the_catalogue_and_the_layer_table_leaves_torch_alone() -> None:
    code = (
        "import sys, engine.networks, engine.inspection.shapes as s\n"
        "print([name for name in ('torch', 'torchvision', 'PySide6') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn", "resnet18"])
@pytest.mark.parametrize(
    ("shape", "classes"), [((1, 28, 28), 10), ((3, 32, 32), 10), ((1, 28, 28), 47), ((2, 16, 21), 3), ((1, 40, 67), 2)]
)
def test_images_become_one_logit_a_class(name: str, shape: Shape, classes: int) -> None:
    with torch.device("meta"):  # shapes without the arithmetic
        network, wanted = build(name, info_of(shape, classes=classes))
        assert outputs(network, wanted) == (2, classes)


@pytest.mark.parametrize("name", ["mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn", "resnet18"])
def test_regression_gets_one_output_a_target(name: str) -> None:
    network, shape = build(name, info_of((1, 28, 28), classes=0, targets=4))
    assert outputs(network, shape) == (2, 4)


@pytest.mark.parametrize("name", ["mnist_mlp", "mlp"])
def test_points_are_taken_by_the_perceptrons(name: str) -> None:
    network, shape = build(name, info_of((2,), classes=2))
    assert shape == (2,)
    assert outputs(network, shape) == (2, 2)


@pytest.mark.parametrize("name", ["lenet5", "lenet3", "fast_cnn", "resnet18"])
def test_the_smallest_images_it_takes_can_be_learned_one_at_a_time(name: str) -> None:
    side = {"fast_cnn": 8, "resnet18": 9}.get(name, 16)
    network, shape = build(name, info_of((1, side, side)))
    network.train()
    network(torch.randn(1, *shape)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("side", [19, 20, 21])
def test_fast_cnn_on_either_side_of_its_change_of_padding(side: int) -> None:
    network, shape = build("fast_cnn", info_of((1, side, 28)))
    assert outputs(network, shape) == (2, 10)


@pytest.mark.parametrize("name", ["lenet5", "lenet3"])
@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((1, 28, 28), (1, 32, 32)),
        ((3, 16, 16), (3, 32, 32)),
        ((3, 32, 32), (3, 32, 32)),
        ((1, 20, 48), (1, 32, 48)),
        ((3, 64, 64), (3, 64, 64)),
    ],
)
def test_lenet_pads_up_to_its_32_pixels(name: str, shape: Shape, wanted: Shape) -> None:
    entry = NETWORKS[name]
    assert entry.fit(info_of(shape), {}) == wanted


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("lenet5", (1, 28, 28), 61_706),
        ("lenet5", (3, 32, 32), 61_706 + 2 * 6 * 25),
        ("lenet3", (1, 28, 28), (9 + 1) * 6 + (6 * 9 + 1) * 16 + (576 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10),
        ("mnist_mlp", (1, 28, 28), 785 * 28 + 29 * 10),
        ("mlp", (1, 28, 28), 785 * 128 + 129 * 64 + 65 * 10),
        ("fast_cnn", (1, 28, 28), 25 * 16 + 16 * 9 * 32 + 32 * 9 * 64 + 2 * (16 + 32 + 64) + (64 * 16 + 1) * 10),
        # He et al.'s 11,689,512 with ImageNet's 7×7 stem on 3 channels and 1,000 classes.
        ("resnet18", (1, 28, 28), 11_689_512 - 3 * 49 * 64 + 9 * 64 - 513 * 990),
        ("resnet18", (3, 96, 96), 11_689_512 - 513 * 990),
    ],
)
def test_parameter_counts_in_closed_form(name: str, shape: Shape, expected: int) -> None:
    network, _ = build(name, info_of(shape))
    assert parameters(network) == expected


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("lenet5", [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,)]),
        ("lenet3", [(6, 30, 30), (6, 15, 15), (16, 13, 13), (16, 6, 6), (120,), (84,), (10,)]),
    ],
)
def test_lenet_has_the_paper_s_stages(name: str, stages: list[Shape]) -> None:
    network, shape = build(name, info_of((1, 28, 28)))
    seen: list[Shape] = []
    for layer in ("conv1", "pool1", "conv2", "pool2", "fc1", "fc2", "fc3"):
        network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[1:])))
    network(torch.randn(1, *shape))
    assert seen == stages


def test_lenet_with_relu_after_the_pool_equals_relu_before_it() -> None:
    network, shape = build("lenet5", info_of((1, 28, 28)))
    x = torch.randn(3, *shape)
    layer = network.get_submodule
    y = layer("pool1")(layer("conv1")(x).relu())
    y = layer("pool2")(layer("conv2")(y).relu()).flatten(1)
    y = layer("fc3")(layer("fc2")(layer("fc1")(y).relu()).relu())
    torch.testing.assert_close(network(x), y)


def test_mnist_mlp_is_the_tutorials_network() -> None:
    torch.manual_seed(3)
    network, shape = build("mnist_mlp", info_of((1, 28, 28)))
    torch.manual_seed(3)
    tutorial = nn.Sequential(nn.Flatten(), nn.Linear(784, 28), nn.ReLU(), nn.Linear(28, 10))
    x = torch.randn(5, *shape)
    assert torch.equal(network(x), tutorial(x))


def test_fast_cnn_computes_norm_and_relu_after_each_pool() -> None:
    network, shape = build("fast_cnn", info_of((1, 28, 28)))
    network.eval()
    x = y = torch.randn(3, *shape)
    layer = network.get_submodule
    y = layer("bn1")(nn.functional.max_pool2d(layer("conv1")(y), 2)).relu()
    y = layer("bn2")(nn.functional.max_pool2d(layer("conv2")(y), 2)).relu()
    y = layer("fc1")(layer("bn3")(layer("conv3")(y)).relu().flatten(1))
    torch.testing.assert_close(network(x), y)


@dataclass(frozen=True)
class Layout:
    hidden: tuple[int, ...]
    dropout: float
    names: list[str]


@pytest.mark.parametrize(
    "layout",
    [
        Layout((), 0.0, ["flatten", "fc1"]),
        Layout((7,), 0.0, ["flatten", "fc1", "relu1", "fc2"]),
        Layout((7, 5), 0.5, ["flatten", "fc1", "relu1", "dropout1", "fc2", "relu2", "dropout2", "fc3"]),
    ],
)
def test_mlp_has_the_layers_that_were_asked_for(layout: Layout) -> None:
    network, shape = build("mlp", info_of((4,), classes=3), hidden=layout.hidden, dropout=layout.dropout)
    assert [name for name, _ in network.named_children()] == layout.names
    widths = [m.out_features for m in network.modules() if isinstance(m, nn.Linear)]
    assert widths == [*layout.hidden, 3]
    assert all(m.p == layout.dropout for m in network.modules() if isinstance(m, nn.Dropout))
    assert outputs(network, shape) == (2, 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_applies_its_activation(activation: str) -> None:
    network, _ = build("mlp", info_of((4,), classes=3), hidden="6", activation=activation)
    x = torch.randn(9, 4)
    layer = network.get_submodule
    function = torch.tanh if activation == "tanh" else getattr(nn.functional, activation)
    torch.testing.assert_close(network(x), layer("fc2")(function(layer("fc1")(x))))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"hidden": "0"}, "network.hidden"),
        ({"hidden": "65537"}, "network.hidden"),
        ({"hidden": "8,x"}, "network.hidden"),
        ({"hidden": [4] * 17}, "network.hidden"),
        ({"hidden": [65_536, 65_536]}, "network.hidden"),
        ({"activation": "relu6"}, "network.activation"),
        ({"dropout": 0.96}, "network.dropout"),
        ({"dropout": -0.1}, "network.dropout"),
        ({"width": 3}, "network.width"),
    ],
)
def test_mlp_refuses_what_it_cannot_be(given: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        build("mlp", info_of((1, 28, 28)), **given)
    assert caught.value.field == field
    assert caught.value.accepted


@pytest.mark.parametrize("name", ["lenet5", "lenet3", "fast_cnn", "resnet18", "single_conv"])
def test_convolutions_refuse_points_and_name_what_fits(name: str) -> None:
    points = info_of((2,), classes=2)
    with pytest.raises(InputError) as caught:
        NETWORKS[name].fit(points, {})
    assert caught.value.field == "network"
    assert "needs images" in caught.value.problem
    assert "Made-up" in caught.value.problem
    assert caught.value.accepted == "these fit: mnist_mlp, mlp, linear"
    for fitting in ("mnist_mlp", "mlp", "linear"):
        assert NETWORKS[fitting].fit(points, NETWORKS[fitting].resolve({}, part="network")) == (2,)


@pytest.mark.parametrize(
    ("name", "shape", "fitting"),
    [
        ("lenet5", (1, 8, 8), ["mnist_mlp", "mlp", "single_conv", "fast_cnn"]),
        ("lenet3", (3, 15, 40), ["mnist_mlp", "mlp", "single_conv", "fast_cnn", "resnet18"]),
        ("resnet18", (1, 8, 8), ["mnist_mlp", "mlp", "single_conv", "fast_cnn"]),
        ("fast_cnn", (1, 7, 30), ["mnist_mlp", "mlp", "single_conv"]),
    ],
)
def test_images_that_are_too_small_are_refused(name: str, shape: Shape, fitting: list[str]) -> None:
    info = info_of(shape)
    with pytest.raises(InputError) as caught:
        NETWORKS[name].fit(info, {})
    assert f"{shape[1]}×{shape[2]}" in caught.value.problem
    assert caught.value.accepted == "these fit: " + ", ".join(fitting)
    for other in fitting:
        network, wanted = build(other, info)
        assert outputs(network, wanted) == (2, 10)


@pytest.mark.parametrize("name", ["mnist_mlp", "mlp", "lenet5", "lenet3", "fast_cnn", "resnet18"])
def test_the_seed_decides_the_initial_weights(name: str) -> None:
    def drawn(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return dict(build(name, info_of((1, 28, 28)))[0].named_parameters())

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    weights = [key for key in first if first[key].dim() > 1]
    assert all(not torch.equal(first[key], other[key]) for key in weights)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [28, 64])
def test_resnet_s_stem_follows_the_size_of_the_images(channels: int, side: int) -> None:
    network, _ = build("resnet18", info_of((channels, side, side)))
    stem = network.get_submodule("conv1")
    assert isinstance(stem, nn.Conv2d)
    small = side < 64
    assert (stem.in_channels, stem.kernel_size, stem.stride) == (
        (channels, (3, 3), (1, 1)) if small else (channels, (7, 7), (2, 2))
    )
    assert isinstance(network.get_submodule("maxpool"), nn.Identity if small else nn.MaxPool2d)
    # He et al. (2015), "Delving Deep into Rectifiers", equation 14: variance 2 / fan-out.
    fan_out = 64 * stem.kernel_size[0] * stem.kernel_size[1]
    torch.testing.assert_close(stem.weight.std().item(), (2 / fan_out) ** 0.5, rtol=0.1, atol=0.0)


@pytest.mark.parametrize("entry", tuple(NETWORKS), ids=lambda entry: entry.name)
def test_every_recipe_is_a_set_up_that_can_be_run(entry: NetworkEntry) -> None:
    dataset = "circles" if entry.name == "linear" else "mnist"  # it takes points, no images
    config = make_config({"network": entry.name, "dataset": dataset})
    assert (config.optimizer.name, config.loss.name) == (entry.recipe.optimizer, entry.recipe.loss)
    expected: dict[str, ParamValue] = dict(entry.recipe.optimizer_params)
    assert {name: config.optimizer.params[name] for name in expected} == expected
    assert config.training.epochs == entry.recipe.epochs


def test_fast_cnn_learns_from_its_recipe() -> None:
    recipe = make_config({"network": "fast_cnn"})
    assert (recipe.optimizer.name, recipe.schedule.name, recipe.training.epochs) == ("adamw", "one_cycle", 1)
    assert recipe.optimizer.params["learning_rate"] == 0.01
    assert recipe.loss.params["label_smoothing"] == 0.05


def test_others_add_networks_through_the_entry_point_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def perceptron(shape: Shape, outputs: int, _params: object) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0], outputs))

    theirs = NetworkEntry(
        name="theirs",
        label="Theirs",
        summary="From another package.",
        fit=lambda info, _params: info.shape,
        build=perceptron,
    )

    class Point:
        def __init__(self, found: object) -> None:
            self.found = found

        def load(self) -> object:
            return self.found

    def announced(group: str) -> list[Point]:
        return [Point(theirs), Point("not a network")] if group == "learnscope.networks" else []

    monkeypatch.setattr("engine.catalog.announced", announced)
    catalog: Catalog[NetworkEntry] = Catalog("network", NetworkEntry, list(NETWORKS)[:1], group="learnscope.networks")
    assert [entry.name for entry in catalog] == ["lenet5", "theirs"]
    assert catalog["theirs"].build((3,), 2, {})(torch.zeros(1, 3)).shape == (1, 2)
