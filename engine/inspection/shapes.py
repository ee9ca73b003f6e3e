"""The layer table: what a network is made of, layer by layer, without running it on data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalog import Params
from engine.datasets.data import DatasetInfo
from engine.networks.network import NetworkEntry, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One pass through one layer.

    Attributes:
        name: the module's path in the network, `layer1.0.conv1`; the network's own row has its class's name.
        kind: the module's class, `Conv2d`.
        kernel: sides of the kernel or pooling window, (5, 5); empty where there is none.
        output_shape: of one sample, without the batch; of the first tensor where a layer returns several.
        parameters: numbers that are learned, those of earlier rows not counted again.
        flops: floating-point operations for one sample, see LayerTable.
    """

    name: str
    kind: str
    kernel: Shape
    output_shape: Shape
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTable:
    """A network's layers in the order in which a forward pass finishes them.

    A module used twice has two rows, and its parameters stand in the first. A module that is made of others has a row
    of its own only for what they leave: parameters it holds directly, arithmetic in its own `forward`, parts that a
    forward pass does not reach. So the rows add up to the totals.

    FLOPs are counted with the formulas of `torch.utils.flop_counter`: a multiplication and an addition are 2, matrix
    products, convolutions and attention count, and what is cheap beside them does not (biases, activations, pooling,
    normalisation). Training costs about three times the forward pass counted here.

    Attributes:
        input_shape: of one sample.
        parameters: those of the whole network, shared ones once.
        flops: for one sample, forward.
    """

    input_shape: Shape
    rows: tuple[LayerRow, ...]
    parameters: int
    flops: int


def layer_table(network: nn.Module, input_shape: Shape) -> LayerTable:
    """The layers of `network` for one float sample of `input_shape`, without the batch.

    A twin of the network whose weights take no memory is run, in evaluation mode, on a sample of zeros. So the network
    itself, its hooks and torch's random generators are not touched, and this may be called while another thread trains
    it. Raises RuntimeError, as torch words it, where the network does not take that shape.
    """
    from engine.inspection.tracing import trace

    return trace(network, input_shape)


def describe(entry: NetworkEntry, info: DatasetInfo, outputs: int, params: Params) -> LayerTable:
    """The layer table of a network that has not been built, without drawing its weights.

    Args:
        entry: the network.
        info: the dataset it is to be fitted to.
        outputs: number of logits.
        params: the entry's own, all of them, checked.

    Costs the memory of one layer's weights at most and leaves torch's random generators alone. Raises InputError where
    the network cannot be fitted.
    """
    shape = entry.fit(info, params)
    return layer_table(entry.outline(shape, outputs, params), shape)
