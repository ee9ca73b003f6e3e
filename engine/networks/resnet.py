"""ResNet-18, fitted to the data."""

from __future__ import annotations

from torch import nn

from engine.networks.network import Shape

SMALL_SIDE = 64  # pixels; ImageNet's stem divides the sides by 4 before the first block, too much for less than this


def resnet18(shape: Shape, outputs: int) -> nn.Module:
    """torchvision's ResNet-18 without weights: He et al. (2016), "Deep Residual Learning", table 1.

    Images with a side below 64 pixels get the stem of the paper's section 4.2, as is usual for CIFAR-10: one 3×3
    convolution with stride 1 and no pooling.

    Args:
        shape: (C, H, W) of one input, H and W at least 9.
        outputs: number of logits.

    Input: float32 (N, C, H, W).
    Output: float32 (N, outputs).
    """
    from torchvision.models import ResNet
    from torchvision.models.resnet import BasicBlock

    channels, height, width = shape
    network: nn.Module = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=outputs)
    if min(height, width) < SMALL_SIDE:
        stem = nn.Conv2d(channels, 64, kernel_size=3, stride=1, padding=1, bias=False)  # (N, 64, H, W)
        network.maxpool = nn.Identity()
    else:
        stem = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)  # (N, 64, H/2, W/2)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")  # as in its other layers
    network.conv1 = stem
    return network
