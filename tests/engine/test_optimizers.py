"""Optimizers: each equals torch's own, changes while it runs, and goes on from its saved state as if never stopped."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from engine.catalog import ParamValue
from engine.errors import InputError
from engine.optimizers import OPTIMIZERS
from engine.optimizers.optimizer import OptimizerEntry, hyperparameter, set_hyperparameter
from engine.optimizers.rule_entries import RULES

each_entry = pytest.mark.parametrize("entry", tuple(OPTIMIZERS), ids=lambda entry: entry.name)

# Our name and settings, and what torch's own takes for the same.
ADAM = {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1, "eps": 1e-6}
TORCH_ADAM = {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.1, "eps": 1e-6}
CASES: tuple[tuple[str, Mapping[str, ParamValue], type[Optimizer], Mapping[str, object]], ...] = (
    (
        "sgd",
        {"learning_rate": 0.2, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        torch.optim.SGD,
        {"lr": 0.2, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1, "fused": False},
    ),
    ("adam", {**ADAM, "amsgrad": True}, torch.optim.Adam, {**TORCH_ADAM, "amsgrad": True, "fused": False}),
    ("adamw", {**ADAM, "amsgrad": True}, torch.optim.AdamW, {**TORCH_ADAM, "amsgrad": True, "fused": False}),
    (
        "nadam",
        {**ADAM, "momentum_decay": 0.01, "decoupled_weight_decay": True},
        torch.optim.NAdam,
        {**TORCH_ADAM, "momentum_decay": 0.01, "decoupled_weight_decay": True},
    ),
    (
        "radam",
        {**ADAM, "decoupled_weight_decay": True},
        torch.optim.RAdam,
        {**TORCH_ADAM, "decoupled_weight_decay": True},
    ),
    ("adamax", ADAM, torch.optim.Adamax, TORCH_ADAM),
    (
        "adagrad",
        {"learning_rate": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-6},
        torch.optim.Adagrad,
        {
            "lr": 0.1,
            "lr_decay": 0.2,
            "weight_decay": 0.1,
            "initial_accumulator_value": 0.3,
            "eps": 1e-6,
            "fused": False,
        },
    ),
    (
        "adadelta",
        {"learning_rate": 0.7, "rho": 0.8, "weight_decay": 0.1, "eps": 1e-4},
        torch.optim.Adadelta,
        {"lr": 0.7, "rho": 0.8, "weight_decay": 0.1, "eps": 1e-4},
    ),
    (
        "rmsprop",
        {"learning_rate": 0.02, "momentum": 0.7, "alpha": 0.9, "weight_decay": 0.1, "eps": 1e-6, "centered": True},
        torch.optim.RMSprop,
        {"lr": 0.02, "momentum": 0.7, "alpha": 0.9, "weight_decay": 0.1, "eps": 1e-6, "centered": True},
    ),
    (
        "asgd",
        {"learning_rate": 0.2, "lambd": 0.1, "alpha": 0.5, "t0": 2, "weight_decay": 0.1},
        torch.optim.ASGD,
        {"lr": 0.2, "lambd": 0.1, "alpha": 0.5, "t0": 2.0, "weight_decay": 0.1},
    ),
    (
        "rprop",
        {"learning_rate": 0.02, "eta_minus": 0.4, "eta_plus": 1.3, "step_min": 1e-3, "step_max": 0.03},
        torch.optim.Rprop,
        {"lr": 0.02, "etas": (0.4, 1.3), "step_sizes": (1e-3, 0.03)},
    ),
    (
        "adafactor",
        {"learning_rate": 0.2, "beta2_decay": -0.5, "scale_floor": 0.01, "clipping": 1.5, "weight_decay": 0.1},
        torch.optim.Adafactor,
        {"lr": 0.2, "beta2_decay": -0.5, "eps": (None, 0.01), "d": 1.5, "weight_decay": 0.1},
    ),
    (
        "lbfgs",
        {"learning_rate": 0.5, "max_iter": 3, "history_size": 2, "line_search": "none"},
        torch.optim.LBFGS,
        {"lr": 0.5, "max_iter": 3, "history_size": 2, "line_search_fn": None},
    ),
)


def tiny_network() -> nn.Sequential:
    """A convolution, a hidden layer and an output layer, always with the same initial weights."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(36, 6), nn.Tanh(), nn.Linear(6, 3))


def batch(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(8, 2, 5, 5, generator=generator), torch.randint(3, (8,), generator=generator)


def train(network: nn.Module, optimizers: Iterable[Optimizer], steps: range) -> float:
    """One update by each of `optimizers` for each of `steps`; the loss before the last one."""
    loss = torch.tensor(0.0)
    for number in steps:
        inputs, targets = batch(number)

        def closure(inputs: Tensor = inputs, targets: Tensor = targets) -> float:
            network.zero_grad()
            value = cross_entropy(network(inputs), targets)
            torch.autograd.backward(value)
            return float(value.detach())

        loss = torch.tensor(closure())
        for optimizer in optimizers:
            optimizer.step(closure if isinstance(optimizer, torch.optim.LBFGS) else None)
    return float(loss)


def make(name: str, network: nn.Module, **settings: object) -> Optimizer:
    entry = OPTIMIZERS[name]
    return entry.build(network, entry.resolve(settings, part="optimizer"))


def assert_same(one: nn.Module, other: nn.Module, *, tolerance: float = 1e-6) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


def test_the_catalogue_has_all_optimizers_and_imports_no_torch() -> None:
    check = (
        "import sys, engine.optimizers as o; assert 'torch' not in sys.modules; print(*[e.name for e in o.OPTIMIZERS])"
    )
    names = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout.split()
    assert names == [*(name for name, *_ in CASES), "muon", *(entry.name for entry in RULES)]


@pytest.mark.parametrize(("name", "settings", "torchs", "arguments"), CASES, ids=[case[0] for case in CASES])
def test_equals_torchs_own_after_five_steps(
    name: str, settings: Mapping[str, ParamValue], torchs: Any, arguments: Mapping[str, object]
) -> None:
    assert set(settings) <= {param.name for param in OPTIMIZERS[name].params}
    ours, by_hand = tiny_network(), tiny_network()
    train(ours, [make(name, ours, **settings)], range(5))
    train(by_hand, [torchs(by_hand.parameters(), **arguments)], range(5))
    assert_same(ours, by_hand)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_muon_equals_torchs_muon_for_hidden_weights_and_adamw_for_the_rest(memory_format: torch.memory_format) -> None:
    ours = tiny_network().to(memory_format=memory_format)
    muon = make(
        "muon",
        ours,
        learning_rate=0.02,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.1,
        ns_steps=4,
        scaling="original",
        beta1=0.8,
        beta2=0.95,
    )
    kernels, kernel_bias, hidden, hidden_bias, *output = [
        nn.Parameter(p.detach().clone(memory_format=torch.contiguous_format)) for p in ours.parameters()
    ]
    matrix = nn.Parameter(kernels.detach().flatten(1))  # shares the kernels' memory
    by_hand: tuple[Optimizer, ...] = (
        torch.optim.Muon(
            [matrix, hidden],
            lr=0.02,
            momentum=0.9,
            nesterov=False,
            weight_decay=0.1,
            ns_steps=4,
            adjust_lr_fn="original",
        ),
        torch.optim.AdamW(
            [kernel_bias, hidden_bias, *output], lr=0.02, betas=(0.8, 0.95), weight_decay=0.1, fused=False
        ),
    )
    parameters = (kernels, kernel_bias, hidden, hidden_bias, *output)
    for number in range(5):
        generator = torch.Generator().manual_seed(number)
        for our_parameter, parameter in zip(ours.parameters(), parameters, strict=True):
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            our_parameter.grad = (
                parameter.grad.clone().to(memory_format=memory_format) if parameter.ndim == 4 else parameter.grad
            )
        matrix.grad = kernels.grad.flatten(1) if kernels.grad is not None else None
        muon.step()
        for half in by_hand:
            half.step()
    for our_parameter, parameter in zip(ours.parameters(), parameters, strict=True):
        torch.testing.assert_close(our_parameter.detach(), parameter.detach(), rtol=0, atol=1e-6, check_stride=False)


def test_muon_trains_every_parameter_once_and_a_single_layer_by_adamw() -> None:
    network = tiny_network()
    groups = make("muon", network).param_groups
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, network.parameters()))
    softmax_regression = nn.Linear(4, 3)
    assert len(make("muon", softmax_regression).param_groups) == 1


def test_lbfgs_asks_for_a_closure_and_lowers_the_loss() -> None:
    assert [entry.name for entry in OPTIMIZERS if entry.closure] == ["lbfgs"]
    network = tiny_network()
    optimizer = make("lbfgs", network)
    first = train(network, [optimizer], range(1))
    inputs, targets = batch(0)
    assert float(cross_entropy(network(inputs), targets).detach()) < first / 10


CHANGES = [
    ("sgd", {"momentum": 0.5}, "learning_rate", {"lr": 0.2}),
    ("sgd", {"momentum": 0.5}, "momentum", {"momentum": 0.9}),
    ("sgd", {}, "momentum", {"momentum": 0.9}),
    ("sgd", {}, "weight_decay", {"weight_decay": 0.5}),
    ("adam", {}, "learning_rate", {"lr": 0.2}),
    ("adam", {}, "beta1", {"betas": (0.5, 0.999)}),
    ("adam", {}, "beta2", {"betas": (0.9, 0.99)}),
    ("adamw", {}, "weight_decay", {"weight_decay": 0.5}),
    ("rmsprop", {"momentum": 0.5}, "momentum", {"momentum": 0.9}),
]


@pytest.mark.parametrize(("name", "settings", "changed", "in_torch"), CHANGES)
def test_a_change_takes_effect_at_the_next_step(
    name: str, settings: dict[str, float], changed: str, in_torch: dict[str, Any]
) -> None:
    value = {"learning_rate": 0.2, "beta1": 0.5, "beta2": 0.99, "weight_decay": 0.5, "momentum": 0.9}[changed]
    ours, by_hand, unchanged = tiny_network(), tiny_network(), tiny_network()
    optimizer = make(name, ours, learning_rate=0.05, **settings)
    torchs: Any = next(torchs for other, _, torchs, _ in CASES if other == name)
    others = [torchs(network.parameters(), lr=0.05, **settings) for network in (by_hand, unchanged)]
    train(ours, [optimizer], range(2))
    train(by_hand, others[:1], range(2))
    train(unchanged, others[1:], range(2))

    set_hyperparameter(optimizer, changed, value)
    others[0].param_groups[0].update(in_torch)
    assert hyperparameter(optimizer, changed) == value
    for steps in (range(2, 3), range(3, 6)):
        train(ours, [optimizer], steps)
        train(by_hand, others[:1], steps)
        assert_same(ours, by_hand)
    train(unchanged, others[1:], range(2, 6))
    assert any(not torch.equal(a, b) for a, b in zip(ours.parameters(), unchanged.parameters(), strict=True))


def test_momentum_can_be_switched_on_in_rmsprop() -> None:
    ours, by_hand = tiny_network(), tiny_network()
    optimizer = make("rmsprop", ours, learning_rate=0.01)
    train(ours, [optimizer], range(2))
    train(by_hand, [plain := torch.optim.RMSprop(by_hand.parameters(), lr=0.01)], range(2))
    for parameter, state in plain.state.items():
        state["momentum_buffer"] = torch.zeros_like(parameter)
    plain.param_groups[0]["momentum"] = 0.9
    set_hyperparameter(optimizer, "momentum", 0.9)
    train(ours, [optimizer], range(2, 5))
    train(by_hand, [plain], range(2, 5))
    assert_same(ours, by_hand)


def test_a_new_rate_reaches_asgd_without_a_step_of_delay() -> None:
    network = nn.Linear(1, 1, bias=False)
    optimizer = make("asgd", network, learning_rate=0.1, lambd=0)
    moves = []
    for rate in (0.1, 0.1, 0.02):
        set_hyperparameter(optimizer, "learning_rate", rate)
        before = network.weight.detach().clone()
        network.weight.grad = torch.ones(1, 1)
        optimizer.step()
        moves.append(float((before - network.weight.detach()).item()))
    assert moves == pytest.approx([0.1, 0.1, 0.02], abs=1e-6)


@each_entry
def test_what_is_marked_live_can_be_read_and_changed_in_every_group(entry: OptimizerEntry) -> None:
    network = tiny_network()
    optimizer = make(entry.name, network)
    train(network, [optimizer], range(2))
    for param in entry.params:
        if not param.live or not isinstance(param.default, int | float):
            continue
        assert hyperparameter(optimizer, param.name) == param.default
        value = param.check(param.default * 0.5 or 0.25, part="optimizer")
        assert isinstance(value, int | float)
        set_hyperparameter(optimizer, param.name, value)
        assert hyperparameter(optimizer, param.name) == value
    rates = {group["lr"] for group in optimizer.param_groups}
    assert len(rates) == 1
    before = copy.deepcopy(network)
    train(network, [optimizer], range(2, 4))
    assert any(not torch.equal(a, b) for a, b in zip(network.parameters(), before.parameters(), strict=True))


def test_a_setting_the_optimizer_lacks_is_refused() -> None:
    optimizer = make("adam", tiny_network())
    with pytest.raises(InputError, match=r"optimizer\.momentum"):
        set_hyperparameter(optimizer, "momentum", 0.5)
    with pytest.raises(InputError, match=r"optimizer\.momentum"):
        hyperparameter(optimizer, "momentum")


@each_entry
def test_goes_on_exactly_from_its_saved_state(entry: OptimizerEntry) -> None:
    network = tiny_network()
    optimizer = make(entry.name, network)
    train(network, [optimizer], range(3))
    set_hyperparameter(optimizer, "learning_rate", 0.01)
    resumed = copy.deepcopy(network)
    state = copy.deepcopy(optimizer.state_dict())
    train(network, [optimizer], range(3, 6))

    other = make(entry.name, resumed)
    other.load_state_dict(state)
    train(resumed, [other], range(3, 6))
    assert_same(network, resumed, tolerance=0)
    torch.testing.assert_close(other.state_dict()["state"], optimizer.state_dict()["state"], rtol=0, atol=0)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "muon"])
def test_state_saved_in_another_memory_format_is_laid_out_as_the_parameters_are(name: str) -> None:
    settings = {"momentum": 0.9} if name in ("sgd", "rmsprop") else {}
    network = tiny_network().to(memory_format=torch.channels_last)
    optimizer = make(name, network, **settings)
    train(network, [optimizer], range(3))
    resumed = copy.deepcopy(network)
    state = copy.deepcopy(optimizer.state_dict())
    for values in state["state"].values():
        values |= {key: value.contiguous() for key, value in values.items() if isinstance(value, Tensor)}
    train(network, [optimizer], range(3, 6))

    other = make(name, resumed, **settings)
    other.load_state_dict(state)
    train(resumed, [other], range(3, 6))
    assert_same(network, resumed, tolerance=0)


@each_entry
@pytest.mark.parametrize("value", [0, -1, "nan", "inf", 1e9, "fast", None, True])
def test_a_learning_rate_that_makes_no_sense_is_refused(entry: OptimizerEntry, value: object) -> None:
    with pytest.raises(InputError) as refused:
        entry.resolve({"learning_rate": value}, part="optimizer")
    assert refused.value.field == "optimizer.learning_rate"
    assert "above 0" in refused.value.accepted


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("sgd", "momentum", 1.0),
        ("sgd", "momentum", -0.1),
        ("sgd", "weight_decay", -1),
        ("sgd", "nesterov", "perhaps"),
        ("adam", "beta1", 1.0),
        ("adam", "beta2", -0.5),
        ("adam", "eps", 0),
        ("rmsprop", "alpha", 1.0),
        ("adadelta", "rho", 1.0),
        ("rprop", "eta_minus", 1.0),
        ("rprop", "eta_plus", 1.0),
        ("lbfgs", "max_iter", 0),
        ("lbfgs", "history_size", 2.5),
        ("lbfgs", "line_search", "golden_section"),
        ("muon", "ns_steps", 0),
    ],
)
def test_values_out_of_range_are_refused(name: str, setting: str, value: object) -> None:
    with pytest.raises(InputError) as refused:
        OPTIMIZERS[name].resolve({setting: value}, part="optimizer")
    assert refused.value.field == f"optimizer.{setting}"
    assert refused.value.accepted


@pytest.mark.parametrize("name", ["sgd", "muon"])
def test_nesterov_without_momentum_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"optimizer\.nesterov.*momentum above 0"):
        OPTIMIZERS[name].resolve({"nesterov": True, "momentum": 0}, part="optimizer")


def test_rprops_smallest_step_must_be_below_its_largest() -> None:
    with pytest.raises(InputError, match=r"optimizer\.step_min.*below 0\.001"):
        OPTIMIZERS["rprop"].resolve({"step_min": 0.01, "step_max": 0.001}, part="optimizer")
