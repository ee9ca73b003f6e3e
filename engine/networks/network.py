"""What a network entry is, and the recipe that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.catalog import Entry, Params, ParamValue
from engine.datasets.data import DatasetInfo
from engine.preload import complete_torch

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings a network learns well with, taken wherever the person has not chosen otherwise."""

    optimizer: str = "adam"
    optimizer_params: Mapping[str, ParamValue] = field(default_factory=dict)
    loss: str = "cross_entropy"
    loss_params: Mapping[str, ParamValue] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_params: Mapping[str, ParamValue] = field(default_factory=dict)
    batch_size: int = 128
    epochs: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEntry(Entry):
    """A network to pick.

    Attributes:
        fit: the shape of one input the network wants for this dataset: the dataset's own, or larger where images are
            padded (LeNet: 32×32). Raises InputError("network", why not, what would fit). Without torch.
        build: (input shape, number of outputs, params) to a module that maps float32 (N, *input shape) to logits
            (N, outputs). Parameters are initialised by torch's default generator in the order of declaration.
    """

    fit: Callable[[DatasetInfo, Params], Shape]
    build: Callable[[Shape, int, Params], nn.Module]
    recipe: Recipe = field(default_factory=Recipe)

    def outline(self, shape: Shape, outputs: int, params: Params) -> nn.Module:
        """What `build` makes, on the meta device: names, shapes and dtypes without numbers and without their memory.

        Raises NotImplementedError or RuntimeError for a network that looks at its numbers while it is built.
        """
        import torch

        try:
            with torch.device("meta"):
                return self.build(shape, outputs, params)
        except NotImplementedError:
            complete_torch()  # it may call on what was put off
            with torch.device("meta"):
                return self.build(shape, outputs, params)
