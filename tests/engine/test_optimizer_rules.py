"""Rules written out: each is its formula, in NumPy and in torch's own, and trains what the tutorials train."""

from __future__ import annotations

import copy
import io
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.config import make_config
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import StepFinished
from engine.optimizers import OPTIMIZERS, rules
from engine.optimizers.optimizer import set_hyperparameter
from engine.optimizers.rule_entries import RULES
from engine.training import train
from tests.engine.runs import of_kind

NAMES = ("simple_gd", "momentum_rule", "adagrad_rule", "rmsprop_rule", "adam_rule")
SHAPES = ((3, 4), (4,), (2, 3, 2, 2))

Array = NDArray[np.float64]
Formula = Callable[[Array, Sequence[Array]], Array]
"""From the first weights and the gradients of all steps to the last weights."""

each_rule = pytest.mark.parametrize("name", NAMES)


def make(name: str, parameters: Iterable[Tensor], **settings: object) -> Optimizer:
    entry = OPTIMIZERS[name]
    module = nn.ParameterList(parameters)
    return entry.build(module, entry.resolve(settings, part="optimizer"))


def weights(dtype: torch.dtype = torch.float64) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(7)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in SHAPES]


def gradients(steps: int) -> list[list[Tensor]]:
    """For each step one gradient a weight, of sizes from hundredths to tens."""
    generator = torch.Generator().manual_seed(8)
    sizes = torch.logspace(-2, 1, steps, dtype=torch.float64)
    return [[size * torch.randn(shape, generator=generator, dtype=size.dtype) for shape in SHAPES] for size in sizes]


def follow(optimizer: Optimizer, parameters: Sequence[nn.Parameter], steps: Iterable[Sequence[Tensor]]) -> None:
    for step in steps:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        optimizer.step()


def assert_equal(one: Sequence[Tensor], other: Sequence[Tensor], *, tolerance: float = 1e-12) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=tolerance, atol=tolerance)


# The formulas once more, with nothing of torch: what a step remembers is written as the sum over all steps before it.


def simple_gd(w: Array, g: Sequence[Array]) -> Array:
    return np.asarray(w - 0.3 * np.sum(g, axis=0))


def mean_at(k: int, values: Sequence[Array], share: float) -> Array:
    """The running mean after step k: 0.2 of the newest, 0.8 · 0.2 of the one before, and so on."""
    terms = [(1 - share) * share ** (k - i) * values[i] for i in range(k + 1)]
    return np.asarray(np.sum(terms, axis=0))


def momentum_rule(w: Array, g: Sequence[Array]) -> Array:
    return np.asarray(w - 0.3 * np.sum([mean_at(k, g, 0.8) for k in range(len(g))], axis=0))


def adagrad_rule(w: Array, g: Sequence[Array]) -> Array:
    for k in range(len(g)):
        w = w - 0.3 * g[k] / (1e-7 + np.sqrt(np.sum(np.square(g[: k + 1]), axis=0)))
    return w


def rmsprop_rule(w: Array, g: Sequence[Array]) -> Array:
    squares = [value**2 for value in g]
    for k in range(len(g)):
        w = w - 0.3 * g[k] / (np.sqrt(mean_at(k, squares, 0.8)) + 1e-7)
    return w


def adam_rule(w: Array, g: Sequence[Array]) -> Array:
    squares = [value**2 for value in g]
    for k in range(len(g)):
        w = w - 0.3 * mean_at(k, g, 0.8) / (np.sqrt(mean_at(k, squares, 0.8)) + 1e-7)
    return w


FORMULAS: Mapping[str, Formula] = {
    "simple_gd": simple_gd,
    "momentum_rule": momentum_rule,
    "adagrad_rule": adagrad_rule,
    "rmsprop_rule": rmsprop_rule,
    "adam_rule": adam_rule,
}


def test_the_rules_stand_in_the_catalogue_behind_torchs_own() -> None:
    assert tuple(entry.name for entry in RULES) == NAMES
    assert [entry.name for entry in OPTIMIZERS if entry.name in NAMES] == list(NAMES)
    assert all(entry.label.endswith(", written out") and not entry.closure for entry in RULES)


@each_rule
def test_is_its_formula_with_the_shares_the_tutorials_use(name: str) -> None:
    parameters, steps = weights(), gradients(12)
    first = [parameter.detach().numpy().copy() for parameter in parameters]
    follow(make(name, parameters, learning_rate=0.3), parameters, steps)
    for place, parameter in enumerate(parameters):
        expected = FORMULAS[name](first[place], [step[place].numpy() for step in steps])
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


# Each beside torch's own, where the settings of both can be made to say the same.


@pytest.mark.parametrize("share", [0.0, 0.8, 0.95])
def test_momentum_is_torchs_sgd_once_its_velocity_starts_at_zero(share: float) -> None:
    ours, theirs = weights(), weights()
    sgd = torch.optim.SGD(theirs, lr=0.3, momentum=share, dampening=share)
    for parameter in theirs:
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    follow(make("momentum_rule", ours, learning_rate=0.3, momentum=share), ours, gradients(12))
    follow(sgd, theirs, gradients(12))
    assert_equal(ours, theirs)


def test_torchs_sgd_starts_its_velocity_with_the_whole_first_gradient() -> None:
    """What it is ahead of the rule: 0.8 of the first gradient, of which each step keeps 0.8."""
    steps = gradients(12)
    ours, theirs = weights(), weights()
    follow(make("momentum_rule", ours, learning_rate=0.3), ours, steps)
    follow(torch.optim.SGD(theirs, lr=0.3, momentum=0.8, dampening=0.8), theirs, steps)
    ahead = 0.3 * sum(0.8**k for k in range(1, 13))
    assert_equal(ours, [parameter.detach() + ahead * first for parameter, first in zip(theirs, steps[0], strict=True)])


@pytest.mark.parametrize(
    ("name", "settings", "torchs"),
    [
        ("simple_gd", {}, lambda parameters: torch.optim.SGD(parameters, lr=0.3)),
        ("adagrad_rule", {"delta": 0.01}, lambda parameters: torch.optim.Adagrad(parameters, lr=0.3, eps=0.01)),
        (
            "rmsprop_rule",
            {"decay": 0.8, "delta": 0.01},
            lambda parameters: torch.optim.RMSprop(parameters, lr=0.3, alpha=0.8, eps=0.01),
        ),
    ],
)
def test_equals_torchs_own(
    name: str, settings: Mapping[str, object], torchs: Callable[[list[nn.Parameter]], Optimizer]
) -> None:
    ours, theirs = weights(), weights()
    follow(make(name, ours, learning_rate=0.3, **settings), ours, gradients(12))
    follow(torchs(theirs), theirs, gradients(12))
    assert_equal(ours, theirs)


def test_adam_is_torchs_once_rate_and_delta_follow_the_bias_correction() -> None:
    """Live settings make up for it: v and s divided by 1 − 0.8ᵏ are a rate and a δ that change with every step."""
    ours, theirs = weights(), weights()
    optimizer = make("adam_rule", ours)
    for k, step in enumerate(gradients(12), start=1):
        root = (1 - 0.8**k) ** 0.5
        set_hyperparameter(optimizer, "learning_rate", 0.3 / root)
        set_hyperparameter(optimizer, "delta", 0.01 * root)
        follow(optimizer, ours, [step])
    follow(torch.optim.Adam(theirs, lr=0.3, betas=(0.8, 0.8), eps=0.01), theirs, gradients(12))
    assert_equal(ours, theirs)


def test_adams_two_shares_are_those_of_mean_and_size() -> None:
    ours, rmsprop = weights(), weights()
    follow(make("adam_rule", ours, learning_rate=0.3, beta1=0, beta2=0.9), ours, gradients(12))
    follow(make("rmsprop_rule", rmsprop, learning_rate=0.3, decay=0.9), rmsprop, gradients(12))
    assert_equal(ours, rmsprop)
    # Where δ is far above every gradient, √s does not count.
    ours, momentum = ([nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in SHAPES] for _ in range(2))
    small = [[1e-9 * gradient for gradient in step] for step in gradients(12)]
    follow(make("adam_rule", ours, learning_rate=0.3, beta1=0.9, delta=1), ours, small)
    follow(make("momentum_rule", momentum, learning_rate=0.3, momentum=0.9), momentum, small)
    for a, b in zip(ours, momentum, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("rate", "factor", "steps"), [(0.01, 0.98, 800), (0.1, 0.8, 50)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-5)])
def test_gradient_descent_on_a_parabola_is_a_geometric_sequence(
    rate: float, factor: float, steps: int, dtype: torch.dtype, tolerance: float
) -> None:
    x = nn.Parameter(torch.ones(1, dtype=dtype))
    optimizer = make("simple_gd", [x], learning_rate=rate)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(x**2)
        optimizer.step()
        seen.append(float(x.detach().item()))
    assert seen == pytest.approx([factor**k for k in range(1, steps + 1)], rel=tolerance)
    assert all(after < before for before, after in pairwise(seen))


# What torch asks of every optimizer.


@each_rule
def test_a_closure_computes_gradients_and_its_loss_is_returned(name: str) -> None:
    x, other = (nn.Parameter(torch.full((2,), 3.0)) for _ in range(2))
    optimizer, without = make(name, [x]), make(name, [other])

    def closure() -> float:
        optimizer.zero_grad()
        loss = (x**2).sum()
        torch.autograd.backward(loss)
        return float(loss.detach())

    with torch.no_grad():  # as where a caller has switched gradients off
        assert optimizer.step(closure) == 18
    torch.autograd.backward((other**2).sum())
    without.step()
    assert torch.equal(x, other)
    assert x.requires_grad
    assert x.is_leaf


@each_rule
def test_a_weight_without_a_gradient_stays_as_it_is(name: str) -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = make(name, [used, unused])
    used.grad = torch.tensor([1.0, 0.0])
    optimizer.step()
    assert float(used[0].detach()) < 1
    assert float(used[1].detach()) == 1  # nothing divided by zero
    assert torch.equal(unused.detach(), torch.ones(2))
    assert unused not in optimizer.state
    assert torch.equal(used.grad, torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize(
    "rule", [rules.SimpleGD, rules.MomentumRule, rules.AdaGradRule, rules.RMSPropRule, rules.AdamRule]
)
def test_each_group_keeps_settings_of_its_own(rule: Callable[..., Optimizer]) -> None:
    slow, fast = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
    optimizer = rule([{"params": [slow], "lr": 0.01}, {"params": [fast]}], lr=0.05)
    for parameter in (slow, fast):
        parameter.grad = torch.tensor([1.0, -2.0, 0.5])
    optimizer.step()
    torch.testing.assert_close(fast.detach(), 5 * slow.detach())


@each_rule
def test_goes_on_bit_for_bit_from_a_saved_state(name: str) -> None:
    parameters, steps = weights(torch.float32), gradients(12)
    optimizer = make(name, parameters)
    follow(optimizer, parameters, steps[:5])
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    resumed = copy.deepcopy(parameters)
    follow(optimizer, parameters, steps[5:])

    other = make(name, resumed, learning_rate=0.5)
    other.load_state_dict(torch.load(file, weights_only=True))
    follow(other, resumed, steps[5:])
    assert_equal(parameters, resumed, tolerance=0)
    torch.testing.assert_close(other.state_dict()["state"], optimizer.state_dict()["state"], rtol=0, atol=0)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@each_rule
@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (4, 1, 5, 5), (1, 3, 2, 2), (2, 3, 1, 1)])
def test_what_is_remembered_lies_in_memory_as_the_weight_does(name: str, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    kernels = nn.Parameter(torch.randn(shape, generator=generator).to(memory_format=torch.channels_last))
    plain = nn.Parameter(kernels.detach().clone(memory_format=torch.contiguous_format))
    optimizer, contiguous = make(name, [kernels]), make(name, [plain])
    for _ in range(3):
        kernels.grad = plain.grad = torch.randn(shape, generator=generator)
        optimizer.step()
        contiguous.step()
    loaded = make(name, [kernels])
    loaded.load_state_dict(contiguous.state_dict())
    for kept in (optimizer, loaded):
        for state in kept.state.values():
            assert all(value.stride() == kernels.stride() for value in state.values())
            assert not any(value.requires_grad for value in state.values())
    torch.testing.assert_close(kernels.detach(), plain.detach(), rtol=0, atol=0, check_stride=False)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("simple_gd", "momentum", 0.8),
        ("momentum_rule", "momentum", 1.0),
        ("momentum_rule", "momentum", -0.1),
        ("adagrad_rule", "delta", 0),
        ("adagrad_rule", "delta", 1e-30),
        ("rmsprop_rule", "decay", 1.0),
        ("rmsprop_rule", "delta", 2),
        ("adam_rule", "beta1", 1.0),
        ("adam_rule", "beta2", "nan"),
        ("adam_rule", "delta", -1e-7),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, setting: str, value: object) -> None:
    with pytest.raises(InputError) as refused:
        OPTIMIZERS[name].resolve({setting: value}, part="optimizer")
    assert refused.value.field == f"optimizer.{setting}"
    assert refused.value.accepted


@pytest.mark.parametrize("name", ["adagrad_rule", "rmsprop_rule", "adam_rule"])
def test_a_gradient_whose_square_is_lost_does_not_leap_even_with_the_smallest_delta(name: str) -> None:
    x = nn.Parameter(torch.zeros(1))
    optimizer = make(name, [x], delta=1e-20)
    x.grad = torch.full((1,), 2e-23)
    optimizer.step()
    assert abs(float(x.detach().item())) < 1e-3


# What they are for.


@pytest.fixture(scope="module")
def library() -> Library:
    """One for all runs of this file, so that MNIST is read once."""
    return Library()


@each_rule
def test_trains_the_perceptron_on_mnist_with_its_defaults(name: str, library: Library) -> None:
    settings = {"training.steps": 120, "training.batch_size": 128, "training.threads": 1}
    config = make_config(
        {"dataset": "mnist", "network": "mnist_mlp", "optimizer": name},
        {**settings, "training.memory_format": "contiguous", "training.evaluate_first": False},
    )
    steps = [step.loss for step in of_kind(train(config, library=library), StepFinished)]
    assert steps[0] > 2
    assert statistics.fmean(steps[-20:]) < 0.7


@pytest.mark.parametrize("batch_size", [1, 40, 400])
def test_gradient_descent_is_stochastic_mini_batch_or_batch_as_the_batch_size_says(batch_size: int) -> None:
    """Each run is torch's SGD on the same batches: nothing but their size tells the three apart."""
    runs = []
    for name in ("simple_gd", "sgd"):
        config = make_config(
            {"dataset": "gaussians", "network": "mlp", "optimizer": name},
            {"network.hidden": (8,), "training.batch_size": batch_size, "training.steps": 10, "training.threads": 1}
            | {"optimizer.learning_rate": 0.1, "training.memory_format": "contiguous"},
        )
        runs.append([step.loss for step in of_kind(train(config), StepFinished)])
    assert len(runs[0]) == 10
    assert runs[0] == pytest.approx(runs[1], rel=1e-5)
