"""Augmentation: training batches changed at random, so that no epoch shows a sample quite as another one did.

What is drawn for a step depends on the seed and the step alone, never on what was drawn before: a run that goes on from
a checkpoint, goes back or branches sees the batches of one never stopped, and nothing has to be kept for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalog import Catalog, Entry, Param, Params, number
from engine.datasets.data import DatasetInfo

if TYPE_CHECKING:
    from torch import Generator, Tensor

SEED_FACTOR, STEP_FACTOR = 1_000_003, 2_654_435_761  # odd, so that neighbouring seeds and steps lie far apart

Change = Callable[["Tensor", "Generator"], "Tensor"]
"""(inputs float32 (B, *input shape), a generator on the CPU) to changed ones of the same shape, device and layout.

What it is given stays as it is. It draws for the whole batch at once, from the generator alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationEntry(Entry):
    """An augmentation to pick.

    Attributes:
        refuses: why it does not fit a dataset, without a final stop; None where it fits.
        build: the change itself, for a dataset that it fits; None where nothing is changed.
    """

    refuses: Callable[[DatasetInfo], str | None]
    build: Callable[[Params, DatasetInfo], Change | None]


class Augmentation:
    """The augmentation of one run.

    Args:
        change: what is done to a batch.
        seed: of the run.
    """

    def __init__(self, change: Change, *, seed: int) -> None:
        import torch

        self._change = change
        self._seed = seed
        self._generator = torch.Generator()

    def __call__(self, inputs: Tensor, step: int) -> Tensor:
        """The batch of the update that `step` others come before, from 0, as the network is to see it.

        Args:
            inputs: float32 (B, *input shape), normalised.
        """
        self._generator.manual_seed(self._seed * SEED_FACTOR + step * STEP_FACTOR)
        return self._change(inputs, self._generator)


def augmentation_of(name: str, params: Params, info: DatasetInfo, *, seed: int) -> Augmentation | None:
    """The augmentation of a run on the dataset `info`; None where batches stay as they are.

    Args:
        name, params: of the entry, checked.
        seed: of the run.
    """
    change = AUGMENTATIONS[name].build(params, info)
    return None if change is None else Augmentation(change, seed=seed)


# The changes, as functions of what was drawn.


def shifted(inputs: Tensor, right: Tensor, down: Tensor, *, most: int, black: Tensor) -> Tensor:
    """Pictures moved by whole pixels, exactly; what comes in from outside is black.

    Args:
        inputs: (B, C, H, W).
        right, down: int64 (B,), pixels, −`most` … `most`, on any device.
        black: (C, 1, 1), what a black pixel is as an input.
    """
    import torch

    count, channels, height, width = inputs.shape
    last = inputs.stride(1) == 1
    room = black.expand(count, channels, height + 2 * most, width + 2 * most)
    room = room.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
    room[:, :, most : most + height, most : most + width] = inputs
    # A view of every place that a picture may be seen from: (B, 2·most + 1, 2·most + 1, C, H, W).
    places = room.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
    each = torch.arange(count, device=inputs.device)
    return _laid_out_as(inputs, places[each, most - down.to(inputs.device), most - right.to(inputs.device)])


def turned(inputs: Tensor, *, angle: Tensor, scale: Tensor, right: Tensor, down: Tensor, black: Tensor) -> Tensor:
    """Pictures turned about their middle, enlarged, then moved; bilinear, and black where nothing of a picture is.

    Args:
        inputs: (B, C, H, W).
        angle: float32 (B,), radians, clockwise as one sees it.
        scale: float32 (B,), above 0; 2 is twice as large.
        right, down: float32 (B,), pixels.
        black: (C, 1, 1), what a black pixel is as an input.
    """
    import torch
    from torch.nn.functional import grid_sample

    height, width = inputs.shape[2:]
    # Where each pixel of the result comes from, in pixels from the middle: the change turned round.
    cos, sin = (angle.cos() / scale)[:, None], (angle.sin() / scale)[:, None]
    x = torch.arange(width) - (width - 1) / 2 - right[:, None]  # (B, W)
    y = torch.arange(height) - (height - 1) / 2 - down[:, None]  # (B, H)
    # grid_sample counts from −1 to 1, from edge to edge.
    across, along = 2 / width, 2 / height
    from_x = (cos * x * across)[:, None, :] + (sin * y * across)[:, :, None]  # (B, H, W)
    from_y = (cos * y * along)[:, :, None] - (sin * x * along)[:, None, :]
    grid = torch.stack((from_x, from_y), dim=3).to(inputs.device)
    found = grid_sample(inputs - black, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + black
    return _laid_out_as(inputs, found)


def mirrored(inputs: Tensor, which: Tensor) -> Tensor:
    """Pictures with left and right exchanged where `which`, bool (B,), says so. `inputs`: (B, C, H, W)."""
    import torch

    return _laid_out_as(inputs, torch.where(which.to(inputs.device)[:, None, None, None], inputs.flip(3), inputs))


def _laid_out_as(inputs: Tensor, result: Tensor) -> Tensor:
    """`result` with its numbers in the order in memory that `inputs` has them in, by which kernels are chosen."""
    import torch

    return result if result.stride() == inputs.stride() else torch.empty_like(inputs).copy_(result)


def _black(info: DatasetInfo) -> Tensor:
    """What a black pixel is once normalised, float32 (C, 1, 1)."""
    import torch

    return ((0 - torch.tensor(info.mean)) / torch.tensor(info.std)).reshape(-1, 1, 1)


# The changes, as they are drawn.


def _nothing(_params: Params, _info: DatasetInfo) -> None:
    return None


def _shift(params: Params, info: DatasetInfo) -> Change:
    import torch

    most, black = int(number(params, "pixels")), _black(info)

    def change(inputs: Tensor, generator: Generator) -> Tensor:
        right, down = torch.randint(-most, most + 1, (2, len(inputs)), generator=generator)
        return shifted(inputs, right, down, most=most, black=black.to(inputs.device))

    return change


def _affine(params: Params, info: DatasetInfo) -> Change:
    import torch

    black = _black(info)
    rotation = math.radians(number(params, "rotation"))
    scale, most = number(params, "scale"), number(params, "shift")

    def change(inputs: Tensor, generator: Generator) -> Tensor:
        drawn = torch.rand(4, len(inputs), generator=generator) * 2 - 1
        return turned(
            inputs,
            angle=drawn[0] * rotation,
            scale=1 + drawn[1] * scale,
            right=drawn[2] * most,
            down=drawn[3] * most,
            black=black.to(inputs.device),
        )

    return change


def _noise(params: Params, _info: DatasetInfo) -> Change:
    import torch

    strength = number(params, "strength")

    def change(inputs: Tensor, generator: Generator) -> Tensor:
        noise = torch.randn(inputs.shape, generator=generator).to(inputs.device)
        return _laid_out_as(inputs, inputs + strength * noise)

    return change


def _flip(params: Params, _info: DatasetInfo) -> Change:
    import torch

    probability = number(params, "probability")

    def change(inputs: Tensor, generator: Generator) -> Tensor:
        return mirrored(inputs, torch.rand(len(inputs), generator=generator) < probability)

    return change


def _shift_and_flip(params: Params, info: DatasetInfo) -> Change:
    shift, flip = _shift(params, info), _flip(params, info)

    def change(inputs: Tensor, generator: Generator) -> Tensor:
        return flip(shift(inputs, generator), generator)

    return change


def _fits_all(_info: DatasetInfo) -> None:
    return None


def _refuses_points(info: DatasetInfo) -> str | None:
    return None if info.is_image else f"it changes pictures and {info.label} has numbers"


def _refuses_grey(info: DatasetInfo) -> str | None:
    if not info.is_image or info.shape[0] == 3:
        return _refuses_points(info)
    return f"it is for pictures in colour: a mirrored sign is another one, and {info.label} is grey"


def _pixels(default: int) -> Param:
    return Param(
        name="pixels",
        kind="int",
        default=default,
        low=1,
        high=16,
        label="Shift up to",
        unit="px",
        help="How far a picture is moved at most, across and down.",
    )


_PROBABILITY = Param(
    name="probability",
    kind="float",
    default=0.5,
    low=0,
    high=1,
    label="Mirrored share",
    help="The share of the pictures in which left and right are exchanged.",
)

AUGMENTATIONS = Catalog(
    "augmentation",
    AugmentationEntry,
    (
        AugmentationEntry(
            name="none",
            label="None",
            summary="Training samples are seen as they are.",
            refuses=_fits_all,
            build=_nothing,
        ),
        AugmentationEntry(
            name="shift",
            label="Shift",
            summary="Moves each picture by whole pixels, across and down; what comes in from outside is black.",
            params=(_pixels(2),),
            refuses=_refuses_points,
            build=_shift,
        ),
        AugmentationEntry(
            name="affine",
            label="Rotate, scale and shift",
            summary="Turns each picture about its middle, changes its size and moves it, all by a little.",
            params=(
                Param(
                    name="rotation",
                    kind="float",
                    default=10.0,
                    low=0,
                    high=180,
                    label="Rotation up to",
                    unit="°",
                    help="How far a picture is turned at most, to either side.",
                ),
                Param(
                    name="scale",
                    kind="float",
                    default=0.1,
                    low=0,
                    high=0.9,
                    label="Scale up to ±",
                    help="By which share a picture becomes larger or smaller at most.",
                ),
                Param(
                    name="shift",
                    kind="float",
                    default=2.0,
                    low=0,
                    high=16,
                    label="Shift up to",
                    unit="px",
                    help="How far a picture is moved at most, across and down.",
                ),
            ),
            refuses=_refuses_points,
            build=_affine,
        ),
        AugmentationEntry(
            name="noise",
            label="Noise",
            summary="Adds a number drawn from a normal distribution to every value.",
            params=(
                Param(
                    name="strength",
                    kind="float",
                    default=0.2,
                    above=0,
                    high=10,
                    label="Strength",
                    help="Its standard deviation, in units of the network's inputs, which are normalised.",
                ),
            ),
            refuses=_fits_all,
            build=_noise,
        ),
        AugmentationEntry(
            name="flip",
            label="Mirror",
            summary="Exchanges left and right in some of the pictures.",
            params=(_PROBABILITY,),
            refuses=_refuses_grey,
            build=_flip,
        ),
        AugmentationEntry(
            name="shift_and_flip",
            label="Shift and mirror",
            summary="Moves each picture by whole pixels and mirrors some: what is usual for CIFAR-10.",
            params=(_pixels(4), _PROBABILITY),
            refuses=_refuses_grey,
            build=_shift_and_flip,
        ),
    ),
    group="learnscope.augmentations",
)
