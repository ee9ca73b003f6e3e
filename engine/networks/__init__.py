"""The networks one can pick, which data each takes, and the recipe each learns well with. Imports no torch.

Other packages add theirs as `NetworkEntry` objects in the entry-point group `learnscope.networks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from engine.catalog import Catalog, Param, Params, number
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.networks.network import NetworkEntry, Recipe, Shape
from engine.networks.single_conv import SINGLE_CONV

if TYPE_CHECKING:
    from torch import nn

INITIAL = ("torch", "normal", "uniform", "zeros")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "leaky_relu", "silu")
MOST_HIDDEN_LAYERS = 16
MOST_WEIGHTS = 1_000_000_000  # 4 GB in float32, four times that with Adam's moments and the gradients

# The shorter side, in pixels, of the smallest images each network takes. The networks that are not here take any shape.
# With less, LeNet would see mostly padding, and the batch norms of the other two a single pixel, whose variance is 0.
SMALLEST_SIDE: Mapping[str, int] = {"lenet5": 16, "lenet3": 16, "fast_cnn": 8, "resnet18": 9}
LENET_SIDE = 32  # pixels; LeCun et al. (1998) pad the digits so that strokes reach the centre of C1's corner kernels


def _any_shape(info: DatasetInfo, _params: Params) -> Shape:
    return info.shape


def _hidden(params: Params) -> tuple[int, ...]:
    return cast("tuple[int, ...]", params["hidden"])


def _fit_mlp(info: DatasetInfo, params: Params) -> Shape:
    hidden = _hidden(params)
    if len(hidden) > MOST_HIDDEN_LAYERS:
        raise InputError(
            "network.hidden", f"{len(hidden)} hidden layers are too many", f"up to {MOST_HIDDEN_LAYERS} layers"
        )
    outputs = len(info.classes) or info.targets
    weights = sum(a * b for a, b in pairwise((math.prod(info.shape), *hidden, outputs)))
    if weights > MOST_WEIGHTS:
        raise InputError(
            "network.hidden",
            f"these layers need {weights:,} weights for {info.label}",
            f"up to {MOST_WEIGHTS:,} weights; take smaller layers",
        )
    return info.shape


def _image_shape(info: DatasetInfo, _params: Params, *, name: str, label: str) -> Shape:
    smallest = SMALLEST_SIDE[name]
    if info.is_image and min(info.shape[1:]) >= smallest:
        return info.shape
    side = min(info.shape[1:]) if info.is_image else 0
    if info.is_image:
        has = "×".join(str(pixels) for pixels in info.shape[1:])
        problem = f"{label} needs images of at least {smallest}×{smallest} pixels and those of {info.label} have {has}"
        any_shape = ["mnist_mlp", "mlp", SINGLE_CONV.name]
    else:
        problem = f"{label} needs images and {info.label} has {math.prod(info.shape)} numbers a sample"
        any_shape = ["mnist_mlp", "mlp", "linear"]
    fitting = [*any_shape, *(other for other, least in SMALLEST_SIDE.items() if least <= side)]
    raise InputError("network", problem, "these fit: " + ", ".join(fitting))


def _padded_shape(info: DatasetInfo, params: Params, *, name: str, label: str) -> Shape:
    channels, height, width = _image_shape(info, params, name=name, label=label)
    return channels, max(height, LENET_SIDE), max(width, LENET_SIDE)


def _build_linear(shape: Shape, outputs: int, params: Params) -> nn.Module:
    from engine.networks.linear import linear

    return linear(shape, outputs, bias=bool(params["bias"]), initial=str(params["initial"]))


def _fit_linear(info: DatasetInfo, _params: Params) -> Shape:
    if len(info.shape) != 1:
        raise InputError(
            "network",
            f"the linear model takes points and {info.label} holds images",
            "these fit: mlp, which without hidden layers is the same for images",
        )
    return info.shape


def _build_mnist_mlp(shape: Shape, outputs: int, _params: Params) -> nn.Module:
    from engine.networks.mlp import MLP

    return MLP(shape, outputs, hidden=(28,), activation="relu", dropout=0.0)


def _build_mlp(shape: Shape, outputs: int, params: Params) -> nn.Module:
    from engine.networks.mlp import MLP

    return MLP(
        shape,
        outputs,
        hidden=_hidden(params),
        activation=str(params["activation"]),
        dropout=number(params, "dropout"),
    )


def _build_lenet(shape: Shape, outputs: int, _params: Params, *, kernel: int) -> nn.Module:
    from engine.networks.lenet import LeNet

    return LeNet(shape, outputs, kernel=kernel)


def _build_fast_cnn(shape: Shape, outputs: int, _params: Params) -> nn.Module:
    from engine.networks.fast_cnn import FastCNN

    return FastCNN(shape, outputs)


def _build_resnet18(shape: Shape, outputs: int, _params: Params) -> nn.Module:
    from engine.networks.resnet import resnet18

    return resnet18(shape, outputs)


_MLP_PARAMS = (
    Param(
        name="hidden",
        kind="ints",
        default=(128, 64),
        low=1,
        high=65_536,
        label="Hidden layers",
        help="Units in each hidden layer, from the input on. None at all makes it a softmax regression.",
    ),
    Param(
        name="activation",
        kind="choice",
        default="relu",
        choices=ACTIVATIONS,
        label="Activation",
        help="The nonlinearity after each hidden layer. Without one, any number of layers is a single linear map.",
    ),
    Param(
        name="dropout",
        kind="float",
        default=0.0,
        low=0.0,
        high=0.95,
        label="Dropout",
        help="Share of hidden units that are switched off at random in each training step, against overfitting.",
    ),
)

NETWORKS: Catalog[NetworkEntry] = Catalog(
    "network",
    NetworkEntry,
    (
        NetworkEntry(
            name="lenet5",
            label="LeNet-5",
            summary="The classic of 1998: two 5×5 convolutions with pooling, then three fully connected layers.",
            fit=partial(_padded_shape, name="lenet5", label="LeNet-5"),
            build=partial(_build_lenet, kernel=5),
        ),
        NetworkEntry(
            name="lenet3",
            label="LeNet with 3×3 kernels",
            summary="LeNet-5's layers with the smaller kernels of later networks: finer filters, larger feature maps.",
            fit=partial(_padded_shape, name="lenet3", label="LeNet with 3×3 kernels"),
            build=partial(_build_lenet, kernel=3),
        ),
        NetworkEntry(
            name="mnist_mlp",
            label="MNIST perceptron",
            summary="One hidden layer of 28 ReLU units, the tutorials' first network: 784-28-10 on MNIST.",
            fit=_any_shape,
            build=_build_mnist_mlp,
        ),
        NetworkEntry(
            name="mlp",
            label="Multilayer perceptron",
            summary="Fully connected layers of the sizes you choose, for any data.",
            params=_MLP_PARAMS,
            fit=_fit_mlp,
            build=_build_mlp,
            # Enough for the spirals, whose epochs are a few steps, and with images still a matter of seconds an epoch.
            recipe=Recipe(optimizer_params={"learning_rate": 0.003}, batch_size=64, epochs=30),
        ),
        NetworkEntry(
            name="linear",
            label="Linear model",
            summary="w·x + b: linear regression, and with a loss for two classes logistic regression.",
            params=(
                Param(
                    name="bias",
                    kind="bool",
                    default=True,
                    label="Bias",
                    help="Adds b. Without it the line goes through the origin.",
                ),
                Param(
                    name="initial",
                    kind="choice",
                    default="torch",
                    choices=INITIAL,
                    label="Initial weights",
                    help="torch: as nn.Linear draws w and b. normal: w from the normal distribution with variance 1; "
                    "uniform: w evenly between 0 and 1; zeros: w = 0; in all three b = 0.",
                ),
            ),
            fit=_fit_linear,
            build=_build_linear,
            recipe=Recipe(
                optimizer="sgd", optimizer_params={"learning_rate": 0.01}, loss="mse", batch_size=1_000_000, epochs=100
            ),
        ),
        NetworkEntry(
            name="fast_cnn",
            label="Fast CNN",
            summary="Three batch-normalised convolutions that pass 99 % on MNIST's test set in a single epoch.",
            fit=partial(_image_shape, name="fast_cnn", label="Fast CNN"),
            build=_build_fast_cnn,
            recipe=Recipe(
                optimizer="adamw",
                optimizer_params={"learning_rate": 0.01},
                loss_params={"label_smoothing": 0.05},
                schedule="one_cycle",
                epochs=1,
            ),
        ),
        NetworkEntry(
            name="resnet18",
            label="ResNet-18",
            summary="Eighteen layers with skip connections, for colour images such as CIFAR-10; slow without a GPU.",
            fit=partial(_image_shape, name="resnet18", label="ResNet-18"),
            build=_build_resnet18,
            recipe=Recipe(
                optimizer="sgd",
                optimizer_params={"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
                schedule="one_cycle",
                epochs=10,
            ),
        ),
        SINGLE_CONV,
    ),
    group="learnscope.networks",
)
