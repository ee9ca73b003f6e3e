"""Everything in the catalogues trains: each optimizer, loss and schedule, each network on each dataset it fits."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
import torch

from engine.control import RunControl
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.events import Event, Finished, Started, StepFinished
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES
from engine.training import train
from tests.engine.runs import of_kind, tiny_library, toy_config


def check(events: list[Event], *, steps: int) -> None:
    ending = events[-1]
    assert isinstance(ending, Finished), ending
    assert (ending.reason, ending.step) == ("completed", steps)
    assert all(math.isfinite(step.loss) for step in of_kind(events, StepFinished))


@pytest.mark.parametrize("optimizer", [entry.name for entry in OPTIMIZERS])
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_each_optimizer_lowers_the_loss(optimizer: str, precision: str) -> None:
    control = RunControl()
    config = toy_config({"optimizer": optimizer}, training__steps=3, training__precision=precision)
    config = config.model_copy(update={"training": config.training.model_copy(update={"batch_size": 400})})
    events = list(train(config, control))
    check(events, steps=3)
    first, *_, last = of_kind(events, StepFinished)
    assert last.loss < first.loss
    assert control.live is not None
    assert all(torch.isfinite(value).all() for value in control.live.weights().values())


@pytest.mark.parametrize("loss", [entry.name for entry in LOSSES])
@pytest.mark.parametrize("dataset", ["gaussians", "mnist"])
def test_each_loss_trains(loss: str, dataset: str) -> None:
    picks, settings = {"loss": loss, "dataset": dataset}, {"training__steps": 3, "training__batch_size": 32}
    info = DATASETS[dataset].info({})
    if loss == "bce_written_out" and len(info.classes) != 2:
        with pytest.raises(
            InputError, match=r"^loss: it is for two classes and MNIST has 10; these fit: cross_entropy"
        ):
            toy_config(picks, **settings)
        return
    check(list(train(toy_config(picks, **settings), library=tiny_library())), steps=3)


@pytest.mark.parametrize("schedule", [entry.name for entry in SCHEDULES])
def test_each_schedule_trains(schedule: str) -> None:
    check(list(train(toy_config({"schedule": schedule}, training__epochs=2))), steps=14)


def fitting() -> list[tuple[str, str]]:
    """Networks and the datasets they fit; of ResNet-18, the slowest, one of each shape."""
    pairs = []
    for network in NETWORKS:
        for dataset in DATASETS:
            with suppress(InputError):
                network.fit(dataset.info({}), network.resolve({}, part="network"))
                if network.name != "resnet18" or dataset.name in ("mnist", "cifar10"):
                    pairs.append((network.name, dataset.name))
    return pairs


@pytest.mark.parametrize(("network", "dataset"), fitting())
def test_each_network_trains_on_each_dataset_it_fits(network: str, dataset: str) -> None:
    picks = {"dataset": dataset, "network": network}
    size = min(2, DATASETS[dataset].info({}).train_size)
    config = toy_config(picks, training__steps=1, training__batch_size=size, training__evaluate_first=False)
    events = list(train(config, library=tiny_library()))
    check(events, steps=1)
    assert of_kind(events, Started)[0].dataset == dataset


@pytest.mark.parametrize("optimizer", [entry.name for entry in OPTIMIZERS])
def test_the_memory_format_changes_the_layout_and_not_the_result(optimizer: str) -> None:
    """LBFGS, which handles flat vectors only, stays contiguous and says so."""
    picks = {"dataset": "mnist", "network": "lenet5", "optimizer": optimizer}
    found = []
    for memory_format in ("contiguous", "channels_last"):
        config = toy_config(picks, training__steps=3, training__batch_size=16, training__memory_format=memory_format)
        events = list(train(config, library=tiny_library()))
        check(events, steps=3)
        expected = "contiguous" if OPTIMIZERS[optimizer].closure else memory_format
        assert of_kind(events, Started)[0].memory_format == expected
        found.append([step.loss for step in of_kind(events, StepFinished)])
    assert found[0] == pytest.approx(found[1], rel=1e-2)


def test_threads_and_format_are_measured_with_a_closure_too() -> None:
    picks = {"dataset": "mnist", "network": "lenet3", "optimizer": "lbfgs"}
    settings = {"training__threads": 0, "training__memory_format": "auto", "training__batch_size": 4}
    config = toy_config(picks, training__steps=1, optimizer__max_iter=2, **settings)
    check(list(train(config, library=tiny_library())), steps=1)
