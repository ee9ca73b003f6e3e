"""Two patterns of 4×4 pixels at many intensities: images small enough that every number of theirs can be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from engine.catalog import Param, Params
from engine.datasets.data import Dataset, DatasetEntry, DatasetInfo, Loading, Samples
from engine.events import Preparing

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 4  # pixels
CLASSES = ("A", "B", "unused 3", "unused 4")

_INTENSITIES = Param(
    name="intensities",
    kind="int",
    default=20,
    low=1,
    high=10_000,
    label="Intensities",
    help="Training images of each pattern: lit pixels have the value 0 in its first image, then 1, 2 and so on.",
)
_TEST_INTENSITY = Param(
    name="test_intensity",
    kind="int",
    default=999_999_999,
    low=1,
    high=999_999_999,
    log=True,
    label="Test intensity",
    help="The value of lit pixels in the two test images: far beyond those in training, to see what was learned.",
)
_PARAMS = (_INTENSITIES, _TEST_INTENSITY)


def _setting(param: Param, params: Params) -> int:
    return cast("int", param.check(params.get(param.name, param.default), part="dataset"))


def patterns_info(params: Params) -> DatasetInfo:
    """The facts under these settings; missing ones are at their defaults. Raises InputError."""
    _setting(_TEST_INTENSITY, params)
    return DatasetInfo(
        name="two_patterns",
        label="Two patterns",
        shape=(1, SIDE, SIDE),
        classes=CLASSES,
        mean=(0.0,),
        std=(1.0,),
        train_size=2 * _setting(_INTENSITIES, params),
        validation_size=0,
        test_size=2,
        raw=True,
    )


def load_patterns(params: Params) -> Loading:
    """The images, float32 (N, 1, 4, 4). Training: A from dark to bright, then B; test: A and B, equally bright."""
    import torch

    yield Preparing("Making the two patterns")
    steps = torch.arange(_setting(_INTENSITIES, params), dtype=torch.float32)
    return Dataset(
        info=patterns_info(params),
        train=_both(steps),
        validation=Samples(torch.empty((0, 1, SIDE, SIDE)), torch.empty(0, dtype=torch.int64)),
        test=_both(torch.tensor([float(_setting(_TEST_INTENSITY, params))])),
    )


def _both(intensities: Tensor) -> Samples:
    """A at each of `intensities`, float32 (n,), then B at each of them."""
    import torch

    a = torch.zeros((SIDE, SIDE))
    a[:, 1::2] = 1
    b = a.clone()
    b[[0, -1]] = 1
    inputs = torch.stack((a, b)).unsqueeze(1) * intensities.reshape(1, -1, 1, 1)
    return Samples(inputs.reshape(-1, 1, SIDE, SIDE), torch.arange(2).repeat_interleave(len(intensities)))


TWO_PATTERNS = DatasetEntry(
    name="two_patterns",
    label="Two patterns",
    summary="Images of 4×4 pixels: A has columns 2 and 4 lit, B the first and last row as well. Networks get four "
    "outputs for these two classes; the last two never occur.",
    params=_PARAMS,
    info=patterns_info,
    load=load_patterns,
)
