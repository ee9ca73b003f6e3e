"""One update of the weights, and one look at what they are worth."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.batches import Batches
from engine.control import RunControl
from engine.devices import Device
from engine.losses import Loss

EVALUATION_BATCH = 1000  # samples


class Figures(NamedTuple):
    """What an evaluation found, in the order in which the events hold it: mean losses, accuracies in 0 … 1."""

    test_loss: float
    test_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None


def train_step(
    network: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    device: Device,
    closure: bool,
    lock: contextlib.AbstractContextManager[object],
) -> tuple[Tensor, Tensor]:
    """One update of the weights.

    Args:
        inputs: float32 (B, *input shape).
        targets: as `loss.encode` made them.
        closure: the optimizer evaluates the batch as often as it likes (LBFGS).
        lock: held while the weights change.

    Returns the loss before the update, a scalar, and the outputs, (B, outputs). Their graph is spent.
    """
    if closure:
        first: list[tuple[Tensor, Tensor]] = []

        def evaluate_batch() -> float:
            _drop_gradients(optimizer)
            value, outputs = _forward(network, loss, inputs, targets, device)
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            if not first:
                first.append((value.detach(), outputs.detach()))
            return float(value.detach())

        with lock:
            optimizer.step(evaluate_batch)
        return first[0]
    _drop_gradients(optimizer)
    value, outputs = _forward(network, loss, inputs, targets, device)
    if device.scaler is None:
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        with lock:
            optimizer.step()
    else:
        device.scaler.scale(value).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        with lock:
            device.scaler.step(optimizer)
        device.scaler.update()
    return value, outputs


def _drop_gradients(optimizer: Optimizer) -> None:
    """What zero_grad does, without the profiler's hook around it, which takes as long as a small network's layer."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def _forward(network: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, device: Device) -> tuple[Tensor, Tensor]:
    if device.autocast is None:
        outputs = network(inputs)
        return loss(outputs, targets), outputs
    with torch.autocast(device.handle.type, dtype=device.autocast):
        outputs = network(inputs)
        return loss(outputs, targets), outputs


@torch.inference_mode()
def evaluate(
    network: nn.Module, batches: Batches, loss: Loss, control: RunControl | None = None
) -> tuple[float, float | None] | None:
    """Mean loss a sample and accuracy (0 … 1; None in regression); None where the run is told to stop meanwhile.

    The network is in evaluation mode meanwhile, and afterwards in the mode it was in.
    """
    training = network.training
    network.eval()
    total, correct = 0.0, 0
    try:
        for start in range(0, len(batches), EVALUATION_BATCH):
            if control is not None and control.stopping:
                return None
            inputs, targets, labels = batches.slice(start, start + EVALUATION_BATCH)
            outputs = network(inputs)
            total += float(loss(outputs, targets)) * len(inputs)
            if labels is not None:
                correct += int((loss.predict(outputs) == labels).sum())
    finally:
        network.train(training)
    return total / len(batches), correct / len(batches) if batches.labels is not None else None
