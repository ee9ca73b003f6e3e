"""The same trainings as tutorials write them, and as a careful person writes them by hand. Nothing of Learnscope's."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

MEAN, STD = 0.1307, 0.3081
BATCH = 128
LEARNING_RATE = 0.001


def write_mnist(root: Path) -> None:
    """The embedded digits as torchvision keeps them below `root`, so that nothing is downloaded."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for source in (files("assets") / "mnist").iterdir():
        if source.name.endswith(".gz"):
            (raw / source.name.removesuffix(".gz")).write_bytes(gzip.decompress(source.read_bytes()))


def tutorial_set(root: Path, *, train: bool) -> MNIST:
    """The dataset as PyTorch's tutorials read it: a PIL image and a chain of transforms for every sample."""
    chain = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    return MNIST(str(root), train=train, transform=chain)


def tutorial_loop(network: nn.Module, root: Path) -> Iterator[float]:
    """Train for ever and yield each step's loss: DataLoader and Adam at their defaults."""
    loader = DataLoader(tutorial_set(root, train=True), batch_size=BATCH, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    loss = nn.CrossEntropyLoss()
    network.train()
    while True:
        for inputs, targets in loader:
            optimizer.zero_grad()
            value = loss(network(inputs), targets)
            torch.autograd.backward(value)
            optimizer.step()
            yield value.item()


def bare_images(root: Path, *, count: int, side: int, train: bool = True) -> tuple[Tensor, Tensor]:
    """The first `count` images, float32 (count, 1, side, side), normalised, and their labels, int64."""
    stored = MNIST(str(root), train=train)
    padding = (side - 28) // 2
    images = nn.functional.pad(stored.data[:count].unsqueeze(1).float().div_(255), (padding,) * 4)
    return images.sub_(MEAN).div_(STD), stored.targets[:count].clone()


def bare_loop(network: nn.Module, images: Tensor, labels: Tensor) -> Iterator[float]:
    """Train for ever on tensors in memory and yield each step's loss: batches by index_select, fused Adam."""
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    loss = nn.CrossEntropyLoss()
    network.train()
    while True:
        order = torch.randperm(len(images))
        for start in range(0, len(images), BATCH):
            index = order[start : start + BATCH]
            optimizer.zero_grad()
            value = loss(network(images.index_select(0, index)), labels.index_select(0, index))
            torch.autograd.backward(value)
            optimizer.step()
            yield value.item()


def mlp() -> nn.Module:
    """784-28-10 with ReLU, on (N, 1, 28, 28) or (N, 784)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 28), nn.ReLU(), nn.Linear(28, 10))


def lenet(*, padding: int, pool_first: bool) -> nn.Module:
    """LeNet-5 on (N, 1, 32, 32), or with a padding of 2 on (N, 1, 28, 28).

    `pool_first`: ReLU after the pool gives the same numbers and has a quarter of the values to go through.
    """

    def pooled() -> list[nn.Module]:
        return [nn.MaxPool2d(2), nn.ReLU()] if pool_first else [nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=padding),
        *pooled(),
        nn.Conv2d(6, 16, 5),
        *pooled(),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
