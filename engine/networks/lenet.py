"""LeNet-5 and its relative with 3×3 kernels."""

from __future__ import annotations

from torch import Tensor, nn

from engine.networks.network import Shape


class LeNet(nn.Module):
    """LeNet-5 of LeCun et al. (1998), "Gradient-Based Learning Applied to Document Recognition", section II.B.

    As it is built today: max pooling for trained subsampling, ReLU for the scaled tanh, every map of S2 connected to
    every map of C3, and a linear output layer for the radial basis functions. On (1, 32, 32) with 5×5 kernels and 10
    outputs it has 61,706 parameters.

    Args:
        shape: (C, H, W) of one input, H and W at least 32.
        outputs: number of logits.
        kernel: side of both convolutions' kernels in pixels, 5 or 3.

    Input: float32 (N, C, H, W).
    Output: float32 (N, outputs).
    """

    def __init__(self, shape: Shape, outputs: int, *, kernel: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.conv1 = nn.Conv2d(channels, 6, kernel)  # C1
        self.pool1 = nn.MaxPool2d(2)  # S2
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 16, kernel)  # C3
        self.pool2 = nn.MaxPool2d(2)  # S4
        self.relu2 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16 * _pooled(height, kernel=kernel) * _pooled(width, kernel=kernel), 120)  # F5
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)  # F6
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, outputs)

    def forward(self, x: Tensor) -> Tensor:
        # Both orders give the same numbers, since ReLU and max are monotonic; after the pool ReLU has a quarter to do.
        # Sizes on 32×32, 5×5 kernels (3×3 kernels in brackets):
        x = self.conv1(x)  # (N, 6, 28, 28)  [30, 30]
        x = self.relu1(self.pool1(x))  # (N, 6, 14, 14)  [15, 15]
        x = self.conv2(x)  # (N, 16, 10, 10)  [13, 13]
        x = self.relu2(self.pool2(x))  # (N, 16, 5, 5)  [6, 6]
        x = self.flatten(x)  # (N, 400)  [576]
        x = self.relu3(self.fc1(x))  # (N, 120)
        x = self.relu4(self.fc2(x))  # (N, 84)
        logits: Tensor = self.fc3(x)  # (N, outputs)
        return logits


def _pooled(side: int, *, kernel: int) -> int:
    """What two rounds of an unpadded convolution and 2×2 pooling leave of `side` pixels."""
    for _ in range(2):
        side = (side - kernel + 1) // 2
    return side
