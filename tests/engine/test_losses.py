"""Losses: torch's own values on encoded targets, probabilities that are ones, and refusals that say why."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.losses import LOSSES, Loss, LossEntry

Function = Callable[[Tensor, Tensor], Tensor]


def dataset(*, classes: int, targets: int = 1) -> DatasetInfo:
    return DatasetInfo(
        name="sample",
        label="Sample set",
        shape=(2,),
        classes=tuple(map(str, range(classes))),
        targets=targets,
        mean=(0.0,),
        std=(1.0,),
        train_size=8,
        validation_size=0,
        test_size=8,
    )


FOR_TWO = {"bce_written_out"}  # losses that are written for two classes only
TWO, FIVE, REGRESSION = dataset(classes=2), dataset(classes=5), dataset(classes=0, targets=3)


def make(name: str, info: DatasetInfo, **settings: object) -> Loss:
    entry = LOSSES[name]
    return entry.build(entry.resolve(settings, part="loss"), info)


def draw(name: str, info: DatasetInfo) -> tuple[Tensor, Tensor]:
    """Outputs (8, as many as the loss wants), and targets as the dataset holds them."""
    generator = torch.Generator().manual_seed(3)
    outputs = 2 * torch.randn(8, LOSSES[name].outputs(info), generator=generator)
    if info.classes:
        return outputs, torch.randint(len(info.classes), (8,), generator=generator)
    return outputs, torch.randn(8, info.targets, generator=generator)


def one_hot(targets: Tensor, *, classes: int) -> Tensor:
    return torch.eye(classes)[targets]


CLASSES: tuple[tuple[str, dict[str, float], Function, Callable[[Tensor], Tensor]], ...] = (
    ("cross_entropy", {}, functional.cross_entropy, lambda t: t),
    (
        "cross_entropy",
        {"label_smoothing": 0.1},
        lambda outputs, t: functional.cross_entropy(outputs, t, label_smoothing=0.1),
        lambda t: t,
    ),
    ("mse", {}, functional.mse_loss, lambda t: one_hot(t, classes=5)),
    ("l1", {}, functional.l1_loss, lambda t: one_hot(t, classes=5)),
    ("huber", {"delta": 0.3}, lambda o, t: functional.huber_loss(o, t, delta=0.3), lambda t: one_hot(t, classes=5)),
    ("bce_with_logits", {}, functional.binary_cross_entropy_with_logits, lambda t: one_hot(t, classes=5)),
)


@pytest.mark.parametrize(("name", "settings", "torchs", "encoded"), CLASSES)
def test_equals_torchs_own_on_classes_and_gradients_flow(
    name: str, settings: dict[str, float], torchs: Function, encoded: Callable[[Tensor], Tensor]
) -> None:
    loss = make(name, FIVE, **settings)
    outputs, targets = draw(name, FIVE)
    ours, theirs = outputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    value, expected = loss(ours, loss.encode(targets)), torchs(theirs, encoded(targets))
    torch.testing.assert_close(value, expected)
    gradients = torch.autograd.grad(value, ours), torch.autograd.grad(expected, theirs)
    torch.testing.assert_close(*gradients)
    assert gradients[0][0].abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "torchs"),
    [("mse", functional.mse_loss), ("l1", functional.l1_loss), ("huber", functional.huber_loss)],
)
def test_equals_torchs_own_on_numbers(name: str, torchs: Function) -> None:
    loss = make(name, REGRESSION)
    outputs, targets = draw(name, REGRESSION)
    encoded = loss.encode(targets)
    assert outputs.shape == encoded.shape == (8, 3)
    torch.testing.assert_close(loss(outputs, encoded), torchs(outputs, targets))


def test_two_classes_share_one_output_in_binary_cross_entropy() -> None:
    loss = make("bce_with_logits", TWO)
    outputs, targets = draw("bce_with_logits", TWO)
    assert outputs.shape == (8, 1)
    torch.testing.assert_close(
        loss(outputs, loss.encode(targets)),
        functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float()),
    )
    torch.testing.assert_close(loss.probabilities(outputs)[:, 1], torch.sigmoid(outputs[:, 0]))
    assert loss.predict(torch.tensor([[-3.0], [0.1]])).tolist() == [0, 1]


@pytest.mark.parametrize("info", [TWO, FIVE], ids=["two classes", "five classes"])
@pytest.mark.parametrize("entry", tuple(LOSSES), ids=lambda entry: entry.name)
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e38])
def test_probabilities_sum_to_one_and_agree_with_the_prediction(
    entry: LossEntry, info: DatasetInfo, scale: float
) -> None:
    if entry.name in FOR_TWO and info is not TWO:
        assert entry.refuses(info) == "it is for two classes and Sample set has 5"
        return
    loss = make(entry.name, info)
    outputs, _ = draw(entry.name, info)
    probabilities, predicted = loss.probabilities(outputs * scale), loss.predict(outputs * scale)
    assert probabilities.shape == (8, len(info.classes))
    assert probabilities.dtype == torch.float32
    assert predicted.dtype == torch.int64
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(8))
    at_prediction = probabilities.gather(1, predicted.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(at_prediction, probabilities.amax(dim=1))


def test_probabilities_follow_what_each_loss_trains() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0]])
    three = dataset(classes=3)
    sigmoids = torch.sigmoid(logits)
    torch.testing.assert_close(make("cross_entropy", three).probabilities(logits), torch.softmax(logits, dim=1))
    torch.testing.assert_close(make("bce_with_logits", three).probabilities(logits), sigmoids / sigmoids.sum())
    torch.testing.assert_close(make("mse", three).probabilities(logits), torch.tensor([[1 / 3, 2 / 3, 0.0]]))
    torch.testing.assert_close(make("l1", three).probabilities(-logits.abs()), torch.full((1, 3), 1 / 3))


def test_an_untrained_guess_costs_the_logarithm_of_the_number_of_classes() -> None:
    loss = make("cross_entropy", FIVE)
    assert float(loss(torch.zeros(8, 5), torch.arange(8) % 5)) == pytest.approx(math.log(5))


def test_what_fits_what() -> None:
    fits = {e.name for e in LOSSES if e.refuses(REGRESSION) is None}
    assert fits == {"mse", "l1", "huber"}
    assert all(entry.refuses(TWO) is None for entry in LOSSES)
    assert {entry.name for entry in LOSSES if entry.refuses(FIVE)} == FOR_TWO
    reason = LOSSES["cross_entropy"].refuses(REGRESSION)
    assert reason is not None
    assert "Sample set" in reason
    assert all(LOSSES[name].refuses(REGRESSION) == reason for name in FOR_TWO)
    outputs = {entry.name: entry.outputs(FIVE) for entry in LOSSES}
    assert set(outputs.values()) == {5}
    single = dict.fromkeys(("bce_with_logits", *FOR_TWO), 1)
    assert {entry.name: entry.outputs(TWO) for entry in LOSSES} == {**dict.fromkeys(outputs, 2), **single}
    assert {LOSSES[name].outputs(REGRESSION) for name in fits} == {3}


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [("cross_entropy", "label_smoothing", 0.6), ("cross_entropy", "label_smoothing", -0.1), ("huber", "delta", 0)],
)
def test_values_out_of_range_are_refused(name: str, setting: str, value: object) -> None:
    with pytest.raises(InputError) as refused:
        LOSSES[name].resolve({setting: value}, part="loss")
    assert refused.value.field == f"loss.{setting}"
