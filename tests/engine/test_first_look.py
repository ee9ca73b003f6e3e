"""The first look tells what torch computes, and leaves the network and torch's random state as they were."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.assembly import assemble
from engine.config import RunConfig
from engine.errors import InputError
from engine.inspection.first_look import FirstLook, first_look
from engine.inspection.formulas import formula
from engine.live import untrained
from engine.networks import NETWORKS
from tests.engine.runs import toy_config


def lenet(kernel: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[f"lenet{kernel}"].build((1, 32, 32), 10, {})


def look(network: nn.Module, **settings: object) -> FirstLook:
    return first_look(network, (1, 32, 32), **{"seed": 1, **settings})  # type: ignore[arg-type]  # given by name


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


class TestShapes:
    @pytest.mark.parametrize(("kernel", "sides"), [(3, [30, 15, 13, 6]), (5, [28, 14, 10, 5])])
    def test_of_both_lenets_from_the_image_on(self, kernel: int, sides: list[int]) -> None:
        steps = {step.name: step for step in look(lenet(kernel)).steps}
        assert [steps[name].output_shape[1] for name in ("conv1", "pool1", "conv2", "pool2")] == sides
        assert steps["conv1"].input_shape == (1, 32, 32)
        assert steps["conv1"].formula == (f"(32 + 2·0 − {kernel})/1 + 1 = {sides[0]}",)
        assert steps["fc3"].formula == ("84 → 10",)

    def test_say_where_a_division_leaves_a_rest(self) -> None:
        steps = {step.name: step for step in look(lenet(3)).steps}
        assert steps["pool1"].formula == ("(30 + 2·0 − 2)/2 + 1 = 15",)
        assert steps["pool2"].formula == ("⌊(13 + 2·0 − 2)/2⌋ + 1 = 6",)

    def test_tell_what_the_network_arranges_anew_between_its_layers(self) -> None:
        class Functional(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(1, 2, 3)
                self.fc = nn.Linear(8, 3)

            def forward(self, x: Tensor) -> Tensor:
                out: Tensor = self.fc(torch.relu(self.conv(x)).flatten(1))
                return out

        steps = first_look(Functional(), (1, 4, 4), seed=0).steps
        assert [(step.name, step.formula) for step in steps] == [
            ("conv", ("(4 + 2·0 − 3)/1 + 1 = 2",)),
            ("", ("2·2·2 = 8",)),
            ("fc", ("8 → 3",)),
        ]

    @pytest.mark.parametrize(
        ("module", "shape"),
        [
            (nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 17, 17)),
            (nn.Conv2d(2, 3, (3, 5), stride=(1, 2), padding=(0, 2), dilation=(2, 1)), (2, 19, 23)),
            (nn.Conv2d(2, 3, 3, padding="valid"), (2, 9, 9)),
            (nn.Conv2d(2, 3, 4, padding="same", dilation=2), (2, 9, 8)),
            (nn.Conv1d(2, 3, 5, stride=3), (2, 31)),
            (nn.Conv3d(1, 2, 3, padding=1, stride=2), (1, 6, 7, 8)),
            (nn.MaxPool2d(3, 2, padding=1, dilation=2), (2, 20, 21)),
            (nn.MaxPool2d(2, ceil_mode=True), (2, 13, 12)),
            (nn.MaxPool2d(2, 3, padding=1, ceil_mode=True), (2, 6, 6)),  # its last window would begin behind the image
            (nn.AvgPool2d(3, stride=1, padding=1), (2, 8, 8)),
            (nn.AvgPool1d(2), (2, 9)),
            (nn.LPPool2d(2, 3), (2, 10, 11)),
            (nn.AdaptiveAvgPool2d((3, 2)), (2, 10, 11)),
            (nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), (2, 5, 6)),
            (nn.ConvTranspose1d(2, 3, 4, dilation=2), (2, 5)),
        ],
        ids=str,
    )
    def test_in_the_formulas_are_those_that_come_out_and_the_sums_are_right(
        self, module: nn.Module, shape: tuple[int, ...]
    ) -> None:
        with torch.no_grad():
            found = tuple(module(torch.zeros(1, *shape)).shape[1:])
        lines = formula(module, shape, found)
        if "whatever" in lines[0] or "stays" in lines[0]:
            assert "×".join(map(str, found[1:])) in lines[0]
            return
        results = [int(match.group(1)) for line in lines if (match := re.search(r"= (\d+)", line))]
        assert results == list(found[1:]) or (len(results) == 1 and set(results) == set(found[1:]))
        for line in lines:
            assert computed(line.partition(" = ")[0]) == int(re.findall(r"= (\d+)", line)[0])

    def test_of_layers_that_keep_them_need_no_formula(self) -> None:
        assert formula(nn.ReLU(), (6, 14, 14), (6, 14, 14)) == ()


def computed(text: str) -> int:
    """A formula's value, by hand: brackets round down or up, and without them nothing may be lost."""
    match = re.fullmatch(r"([⌊⌈]?)\((.*)\)/(\d+)[⌋⌉]? \+ 1( − 1)?", text)
    if match is None:
        return added(re.sub(r"\((\d+) − 1\)·(\d+)", lambda m: str((int(m[1]) - 1) * int(m[2])), text))
    bracket, inside, stride, less = match.groups()
    whole, rest = divmod(added(inside), int(stride))
    assert bool(rest) == bool(bracket)
    return whole + (bracket == "⌈") + 1 - bool(less)


def added(text: str) -> int:
    """A sum of products of whole numbers."""
    text = re.sub(r"(\d+)·\((\d+) − (\d+)\)", lambda m: f"{m[1]}·{int(m[2]) - int(m[3])}", text)
    total = 0
    for sign, product in re.findall(r"([+−]?) ?(\d+(?:·\d+)*)", text):
        value = int(np.prod([int(number) for number in product.split("·")]))
        total += -value if sign == "−" else value
    return total


class TestPasses:
    def test_the_ten_parameters_of_lenet(self) -> None:
        found = look(lenet()).parameters
        assert len(found) == 10
        assert (found[0].name, found[0].shape, found[0].count) == ("conv1.weight", (6, 1, 5, 5), 150)
        assert sum(parameter.count for parameter in found) == 61_706

    def test_outputs_losses_and_gradients_are_those_of_torch(self) -> None:
        network, found = lenet(), look(lenet())
        inputs, vector, target = drawn(1, (1, 1, 32, 32), (1, 10), (1, 10))
        inputs.requires_grad_()
        outputs = network(inputs)
        np.testing.assert_array_equal(found.outputs, outputs[0].detach().numpy())
        assert found.largest == int(outputs.argmax())
        conv1 = dict(network.named_parameters())["conv1.bias"]
        from_vector = torch.autograd.grad(outputs, [inputs, conv1], vector, retain_graph=True)
        loss = nn.functional.mse_loss(outputs, target)
        assert found.loss == loss.item()
        from_loss = torch.autograd.grad(loss, [inputs, conv1])
        np.testing.assert_array_equal(found.input, inputs[0].detach().numpy())
        np.testing.assert_allclose(found.vector_gradient, from_vector[0][0].numpy(), rtol=1e-6)
        np.testing.assert_allclose(found.loss_gradient, from_loss[0][0].numpy(), rtol=1e-6)
        assert found.watched == "conv1.bias"
        first, backward, zeroed, last = (moment.gradient for moment in found.moments)
        assert first is None
        assert backward is not None
        assert zeroed is not None
        assert last is not None
        np.testing.assert_allclose(backward, from_vector[1].numpy(), rtol=1e-6)
        np.testing.assert_array_equal(zeroed, np.zeros(6, np.float32))
        np.testing.assert_allclose(last, from_loss[1].numpy(), rtol=1e-6)

    def test_the_update_by_hand_is_that_of_sgd(self) -> None:
        network, found = lenet(), look(lenet(), rate=0.5)
        inputs, _, target = drawn(1, (1, 1, 32, 32), (1, 10), (1, 10))
        torch.autograd.backward(nn.functional.mse_loss(network(inputs), target))
        conv1 = dict(network.named_parameters())["conv1.bias"]
        before = conv1.detach().clone()
        torch.optim.SGD(network.parameters(), lr=0.5).step()
        assert found.update is not None
        assert found.update.largest_difference == 0.0
        assert 0.0 <= found.update.rounded_twice < 1e-6
        np.testing.assert_array_equal(found.update.before, before.numpy())
        np.testing.assert_array_equal(found.update.by_sgd, conv1.detach().numpy())
        np.testing.assert_array_equal(found.update.by_hand, found.update.by_sgd)

    def test_of_a_given_input_leave_the_other_draws_as_they_were(self) -> None:
        given = np.full((1, 32, 32), 0.25, dtype=np.float32)
        found, with_drawn = look(lenet(), sample=given), look(lenet())
        assert not found.drawn_input
        assert with_drawn.drawn_input
        np.testing.assert_array_equal(found.input, given)
        np.testing.assert_array_equal(found.target, with_drawn.target)
        with torch.no_grad():
            np.testing.assert_array_equal(found.outputs, lenet()(torch.from_numpy(given[None]))[0].numpy())

    def test_work_where_there_is_no_bias_or_nothing_to_learn(self) -> None:
        no_bias = nn.Sequential(nn.Conv2d(1, 4, 4, bias=False), nn.Flatten())
        assert first_look(no_bias, (1, 4, 4), seed=0).watched == "0.weight"
        nothing = first_look(nn.Flatten(), (1, 2, 2), seed=0)
        assert (nothing.watched, nothing.moments, nothing.update) == ("", (), None)
        np.testing.assert_array_equal(nothing.vector_gradient.ravel(), nothing.vector)
        frozen = nn.Linear(2, 2).requires_grad_(False)
        assert first_look(frozen, (2,), seed=0).update is None

    def test_survive_an_activation_that_writes_over_its_input(self) -> None:
        found = first_look(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()), (1, 2, 2), seed=0)
        assert found.input.min() < 0

    def test_need_one_tensor_as_the_output(self) -> None:
        class Two(nn.Module):
            def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
                return x, x

        with pytest.raises(InputError, match="one tensor"):
            first_look(Two(), (2,), seed=0)


class TestKeepingOut:
    @pytest.mark.parametrize("name", ["lenet5", "fast_cnn"])
    def test_nothing_of_the_network_or_of_torch_changes(self, name: str) -> None:
        network = NETWORKS[name].build((1, 32, 32), 10, {}).train()
        torch.autograd.backward(network(drawn(5, (2, 1, 32, 32))[0]).sum())
        before = copy.deepcopy(network.state_dict())
        gradients = [weight.grad.clone() for weight in network.parameters() if weight.grad is not None]
        state = torch.get_rng_state()
        found = look(network)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
        assert all(
            torch.equal(weight.grad, kept)
            for weight, kept in zip(network.parameters(), gradients, strict=True)
            if weight.grad is not None
        )
        assert network.training
        assert not any(module._forward_hooks for module in network.modules())
        assert not found.input.flags.writeable

    def test_the_same_seed_gives_the_same_look(self) -> None:
        one, again, other = look(lenet()), look(lenet()), look(lenet(), seed=2)
        np.testing.assert_array_equal(one.loss_gradient, again.loss_gradient)
        assert not np.array_equal(one.input, other.input)


def config_of(network: str) -> RunConfig:
    if network == "linear":  # draws with torch.randn itself
        return toy_config({"network": network}, training__seed=7, network__initial="normal")
    dataset = "cifar10" if network == "resnet18" else "mnist"
    return toy_config({"dataset": dataset, "network": network}, training__seed=7)


class TestBeginning:
    @pytest.mark.parametrize("network", ["lenet5", "mlp", "fast_cnn", "resnet18", "linear"])
    def test_is_the_network_a_run_starts_with_and_draws_nothing_from_torch(self, network: str) -> None:
        config = config_of(network)
        torch.manual_seed(99)
        before = torch.get_rng_state()
        weights = untrained(config).weights()
        assert torch.equal(torch.get_rng_state(), before)
        expected = assemble(config).network.state_dict()
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)

    def test_takes_explicit_weights(self) -> None:
        given = toy_config(network__hidden=(2,)).model_copy(update={"initial_parameters": {"fc1.bias": [0.5, -0.5]}})
        assert untrained(given).weights()["fc1.bias"].tolist() == [0.5, -0.5]
