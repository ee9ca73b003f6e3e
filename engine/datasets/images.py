"""What the image datasets have in common: their settings, their facts, their split. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from engine.catalog import Param, Params
from engine.datasets.data import Dataset, DatasetInfo, Samples

NORMALIZE = Param(
    name="normalize",
    kind="bool",
    default=True,
    label="Normalise",
    help="Shifts and scales the inputs to mean 0 and standard deviation 1 over the training set. Most networks learn "
    "faster so. Off: pixels go in as 0 … 1.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """The facts of an image dataset.

    Attributes:
        shape: of one image, (C, H, W).
        classes: their names, by class number.
        mean, std: of the training images, a channel, pixels scaled to 0 … 1.
        train_size: images in the training files, of which the last `validation` are set aside.
        test_size: images in the test files.
        drawable: a person can draw a sample as bright strokes on black.
    """

    name: str
    label: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_size: int
    test_size: int
    drawable: bool

    @property
    def params(self) -> tuple[Param, ...]:
        return (self._validation, NORMALIZE)

    @property
    def _validation(self) -> Param:
        return Param(
            name="validation",
            kind="int",
            default=5_000,
            low=0,
            high=self.train_size // 2,
            label="Validation images",
            help=f"Kept out of training to tell learning from memorising: always the last ones of the "
            f"{self.train_size:,}, so that runs compare. 0 trains on all of them.",
            unit="images",
        )

    def info(self, params: Params) -> DatasetInfo:
        """The dataset under these settings; missing ones are at their defaults. Raises InputError."""
        param = self._validation
        validation = cast("int", param.check(params.get(param.name, param.default), part="dataset"))
        normalize = NORMALIZE.check(params.get(NORMALIZE.name, NORMALIZE.default), part="dataset")
        channels = self.shape[0]
        return DatasetInfo(
            name=self.name,
            label=self.label,
            shape=self.shape,
            classes=self.classes,
            mean=self.mean if normalize else (0.0,) * channels,
            std=self.std if normalize else (1.0,) * channels,
            train_size=self.train_size - validation,
            validation_size=validation,
            test_size=self.test_size,
            drawable=self.drawable,
        )

    def dataset(self, params: Params, *, train: Samples, test: Samples) -> Dataset:
        """The loaded dataset. `train` holds all `train_size` images; the splits share its memory."""
        info = self.info(params)
        cut = info.train_size
        return Dataset(
            info=info,
            train=Samples(train.inputs[:cut], train.targets[:cut]),
            validation=Samples(train.inputs[cut:], train.targets[cut:]),
            test=test,
        )
