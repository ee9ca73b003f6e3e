"""The networks as source: the layers with their sizes written out, under the names that the weights have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import cast

from engine.catalog import Params
from engine.errors import InputError
from engine.networks.network import Shape
from engine.script.layout import call, fill, indented

_ACTIVATIONS = {
    "relu": "F.relu",
    "tanh": "torch.tanh",
    "sigmoid": "torch.sigmoid",
    "gelu": "F.gelu",
    "leaky_relu": "F.leaky_relu",
    "silu": "F.silu",
}


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """`code` defines it, `make` is the expression that makes one."""

    code: str
    make: str


def network_source(name: str, shape: Shape, outputs: int, params: Params) -> NetworkSource:
    """The source of the network called `name`, for one input of `shape`. Raises InputError for one that is not ours."""
    if name not in _WRITERS:
        raise InputError(
            "script",
            f"the network {name!r} comes from another package, whose code cannot be written out",
            "these can be written: " + ", ".join(_WRITERS),
        )
    return _WRITERS[name](shape, outputs, params)


def _mnist_mlp(shape: Shape, outputs: int, _params: Params) -> NetworkSource:
    return _perceptron(shape, outputs, hidden=(28,), activation="relu", dropout=0.0)


def _mlp(shape: Shape, outputs: int, params: Params) -> NetworkSource:
    hidden, dropout = cast("tuple[int, ...]", params["hidden"]), cast("float", params["dropout"])
    return _perceptron(shape, outputs, hidden=hidden, activation=str(params["activation"]), dropout=dropout)


def _perceptron(
    shape: Shape, outputs: int, *, hidden: tuple[int, ...], activation: str, dropout: float
) -> NetworkSource:
    units = (prod(shape), *hidden, outputs)
    last = len(units) - 1
    layers = [f"self.fc{n} = nn.Linear({units[n - 1]}, {units[n]})" for n in range(1, last + 1)]
    forward = [f"x = x.flatten(1)  # (N, {units[0]})"] if len(shape) > 1 else []
    for number in range(1, last):
        forward.append(f"x = {_ACTIVATIONS[activation]}(self.fc{number}(x))  # (N, {units[number]})")
        if dropout:
            forward.append(f"x = F.dropout(x, p={dropout!r}, training=self.training)")
    sizes = " → ".join(map(str, units))
    what = f'"""Multilayer perceptron: {sizes}."""' if hidden else '"""One linear layer, without anything before it."""'
    if len(what) > 80:
        what = f'"""Multilayer perceptron with {len(hidden)} hidden layers."""'
    forward.append(f"return self.fc{last}(x)  # (N, {outputs})")
    return _module("MLP", what, layers, forward)


def _module(name: str, docstring: str, layers: list[str], forward: list[str]) -> NetworkSource:
    code = fill(
        """
        class $name(nn.Module):
            $docstring

            def __init__(self):
                super().__init__()
        $layers

            def forward(self, x):
        $forward
        """,
        name=name,
        docstring=docstring,
        layers=indented("\n".join(layers), 2),
        forward=indented("\n".join(forward), 2),
    )
    return NetworkSource(code, f"{name}()")


def _linear(shape: Shape, outputs: int, params: Params) -> NetworkSource:
    (features,) = shape
    bias, initial = bool(params["bias"]), str(params["initial"])
    arguments = [str(features), str(outputs), *([] if bias else ["bias=False"])]
    if initial == "torch":
        return NetworkSource("", call("nn.Linear", arguments))
    draw = {"normal": "torch.randn", "uniform": "torch.rand", "zeros": "torch.zeros"}[initial]
    why = {
        "normal": "w is drawn from the normal distribution.",
        "uniform": "w is drawn evenly between 0 and 1.",
        "zeros": "Everything starts at zero.",
    }[initial]
    lines = [f"layer.weight.copy_({draw}({features}, {outputs}).T)"]
    if bias:
        lines.append("layer.bias.zero_()")
    code = fill(
        """
        def linear():
            $docstring
            # skip_init makes the layer without drawing PyTorch's own initial weights.
            layer = $layer
            with torch.no_grad():
        $lines
            return layer
        """,
        docstring=f'"""The linear model w·x + b. {why}"""' if bias else f'"""The linear model w·x. {why}"""',
        layer=call("nn.utils.skip_init", ["nn.Linear", *arguments]),
        lines=indented("\n".join(lines), 2),
    )
    return NetworkSource(code, "linear()")


def _single_conv(shape: Shape, outputs: int, params: Params) -> NetworkSource:
    channels, height, width = shape
    side = cast("int", params["kernel"])
    kernel = (side, side) if side else (height, width)
    kernels = outputs // ((height - kernel[0] + 1) * (width - kernel[1] + 1))
    arguments = [str(channels), str(kernels), str(kernel), *([] if params["bias"] else ["bias=False"])]
    return _module(
        "SingleConv",
        '"""One convolution and nothing else: what it gives is the answer."""',
        [call("nn.Conv2d", arguments, levels=2, before="self.conv = ")],
        [f"return self.conv(x).flatten(1)  # (N, {outputs})"],
    )


def _lenet(shape: Shape, outputs: int, *, kernel: int) -> NetworkSource:
    channels, height, width = shape
    sizes = []  # after each layer, as (N, C, H, W)
    for maps in (6, 16):
        height, width = height - kernel + 1, width - kernel + 1
        sizes.append(f"(N, {maps}, {height}, {width})")
        height, width = height // 2, width // 2
        sizes.append(f"(N, {maps}, {height}, {width})")
    flat = 16 * height * width
    what = "LeNet-5 (LeCun et al. 1998)" if kernel == 5 else "LeNet with 3×3 kernels"
    return _module(
        "LeNet",
        f'"""{what}, with max pooling and ReLU as it is built today."""',
        [
            f"self.conv1 = nn.Conv2d({channels}, 6, {kernel})",
            f"self.conv2 = nn.Conv2d(6, 16, {kernel})",
            f"self.fc1 = nn.Linear({flat}, 120)",
            "self.fc2 = nn.Linear(120, 84)",
            f"self.fc3 = nn.Linear(84, {outputs})",
        ],
        [
            "# After the pool, ReLU has a quarter of the values to do and gives the same.",
            f"x = self.conv1(x)  # {sizes[0]}",
            f"x = F.relu(F.max_pool2d(x, 2))  # {sizes[1]}",
            f"x = self.conv2(x)  # {sizes[2]}",
            f"x = F.relu(F.max_pool2d(x, 2))  # {sizes[3]}",
            f"x = x.flatten(1)  # (N, {flat})",
            "x = F.relu(self.fc1(x))  # (N, 120)",
            "x = F.relu(self.fc2(x))  # (N, 84)",
            f"return self.fc3(x)  # (N, {outputs})",
        ],
    )


def _lenet5(shape: Shape, outputs: int, _params: Params) -> NetworkSource:
    return _lenet(shape, outputs, kernel=5)


def _lenet3(shape: Shape, outputs: int, _params: Params) -> NetworkSource:
    return _lenet(shape, outputs, kernel=3)


def _fast_cnn(shape: Shape, outputs: int, _params: Params) -> NetworkSource:
    from engine.networks.fast_cnn import ROOMY_SIDE

    channels, height, width = shape
    padding = 0 if min(height, width) >= ROOMY_SIDE else 1
    sides = [(height, width), (height // 2, width // 2)]
    sides.append(_convolved(sides[-1], padding))
    sides.append((sides[-1][0] // 2, sides[-1][1] // 2))
    sides.append(_convolved(sides[-1], padding))
    flat = 64 * sides[-1][0] * sides[-1][1]
    padded = ", padding=1" if padding else ""

    def size(maps: int, place: int) -> str:
        return f"(N, {maps}, {sides[place][0]}, {sides[place][1]})"

    return _module(
        "FastCNN",
        '"""Three convolutions with batch normalisation, and one linear layer."""',
        [
            "# The normalisation that follows would subtract a bias again: there is none.",
            f"self.conv1 = nn.Conv2d({channels}, 16, 5, padding=2, bias=False)",
            "self.bn1 = nn.BatchNorm2d(16)",
            f"self.conv2 = nn.Conv2d(16, 32, 3{padded}, bias=False)",
            "self.bn2 = nn.BatchNorm2d(32)",
            f"self.conv3 = nn.Conv2d(32, 64, 3{padded}, bias=False)",
            "self.bn3 = nn.BatchNorm2d(64)",
            f"self.fc1 = nn.Linear({flat}, {outputs})",
        ],
        [
            f"x = self.conv1(x)  # {size(16, 0)}",
            f"x = F.relu(self.bn1(F.max_pool2d(x, 2)))  # {size(16, 1)}",
            f"x = self.conv2(x)  # {size(32, 2)}",
            f"x = F.relu(self.bn2(F.max_pool2d(x, 2)))  # {size(32, 3)}",
            f"x = F.relu(self.bn3(self.conv3(x)))  # {size(64, 4)}",
            f"return self.fc1(x.flatten(1))  # (N, {flat}) to (N, {outputs})",
        ],
    )


def _convolved(side: tuple[int, int], padding: int) -> tuple[int, int]:
    return side[0] - 2 + 2 * padding, side[1] - 2 + 2 * padding


def _resnet18(shape: Shape, outputs: int, _params: Params) -> NetworkSource:
    from engine.networks.resnet import SMALL_SIDE

    channels = shape[0]
    if min(shape[1:]) < SMALL_SIDE:
        why = "# Small images: the first convolution keeps their size, and nothing is pooled."
        stem = f"nn.Conv2d({channels}, 64, kernel_size=3, stride=1, padding=1, bias=False)"
        pool = "network.maxpool = nn.Identity()\n"
    else:
        why = f"# The first convolution anew, for images with {channels} channels."
        stem = f"nn.Conv2d({channels}, 64, kernel_size=7, stride=2, padding=3, bias=False)"
        pool = ""
    arguments = ["stem.weight", 'mode="fan_out"', 'nonlinearity="relu"']
    body = "\n".join(
        [
            f"network = models.resnet18(num_classes={outputs})",
            why,
            f"stem = {stem}",
            f"{pool}{call('nn.init.kaiming_normal_', arguments, levels=1)}",
            "network.conv1 = stem",
            "return network",
        ]
    )
    code = f'def resnet18():\n    """ResNet-18 (He et al. 2016) without pretrained weights."""\n{indented(body)}'
    return NetworkSource(code, "resnet18()")


_WRITERS: Mapping[str, Callable[[Shape, int, Params], NetworkSource]] = {
    "lenet5": _lenet5,
    "lenet3": _lenet3,
    "mnist_mlp": _mnist_mlp,
    "mlp": _mlp,
    "linear": _linear,
    "fast_cnn": _fast_cnn,
    "resnet18": _resnet18,
    "single_conv": _single_conv,
}
