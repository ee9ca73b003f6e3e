"""A small batch-normalised convolutional network that learns fast."""

from __future__ import annotations

from torch import Tensor, nn

from engine.networks.network import Shape

ROOMY_SIDE = 20  # pixels; from here on unpadded 3×3 convolutions leave at least 2×2 to the linear layer


class FastCNN(nn.Module):
    """Convolutions of 5×5×16, 3×3×32 and 3×3×64 with batch norm (Ioffe and Szegedy, 2015), and one linear layer.

    With its recipe it passes 99 % on MNIST's test set after one epoch. Batch norm lets it take the recipe's tenfold
    learning rate; norm and ReLU come after the pool, where a quarter of the values is left. The convolutions have no
    bias, since the norm that follows would subtract it again.

    Args:
        shape: (C, H, W) of one input, H and W at least 8.
        outputs: number of logits.

    Input: float32 (N, C, H, W).
    Output: float32 (N, outputs).
    """

    def __init__(self, shape: Shape, outputs: int) -> None:
        super().__init__()
        channels, height, width = shape
        padding = 0 if min(height, width) >= ROOMY_SIDE else 1
        self.conv1 = nn.Conv2d(channels, 16, 5, padding=2, bias=False)
        self.pool1 = nn.MaxPool2d(2)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(16, 32, 3, padding=padding, bias=False)
        self.pool2 = nn.MaxPool2d(2)
        self.bn2 = nn.BatchNorm2d(32)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(32, 64, 3, padding=padding, bias=False)
        self.bn3 = nn.BatchNorm2d(64)
        self.relu3 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64 * _left(height, padding=padding) * _left(width, padding=padding), outputs)

    def forward(self, x: Tensor) -> Tensor:
        # Sizes on 28×28:
        x = self.conv1(x)  # (N, 16, 28, 28)
        x = self.relu1(self.bn1(self.pool1(x)))  # (N, 16, 14, 14)
        x = self.conv2(x)  # (N, 32, 12, 12)
        x = self.relu2(self.bn2(self.pool2(x)))  # (N, 32, 6, 6)
        x = self.relu3(self.bn3(self.conv3(x)))  # (N, 64, 4, 4)
        logits: Tensor = self.fc1(self.flatten(x))  # (N, 1024) to (N, outputs)
        return logits


def _left(side: int, *, padding: int) -> int:
    """What the three convolutions and the two 2×2 poolings leave of `side` pixels."""
    return (side // 2 - 2 + 2 * padding) // 2 - 2 + 2 * padding
