"""MNIST, embedded: read straight from the four compressed files in assets/mnist."""

from __future__ import annotations

from collections.abc import Generator
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import prod

from engine.catalog import Params
from engine.datasets.data import DatasetEntry, Loading, Samples
from engine.datasets.idx import Idx, IdxError, read_idx
from engine.datasets.images import ImageSet
from engine.errors import InputError
from engine.events import Preparing

MNIST_SET = ImageSet(
    name="mnist",
    label="MNIST",
    shape=(1, 28, 28),
    classes=tuple("0123456789"),
    mean=(0.1307,),
    std=(0.3081,),
    train_size=60_000,
    test_size=10_000,
    drawable=True,
)

# MD5 of the uncompressed files, as published.
_FILES = (
    ("train-images-idx3-ubyte.gz", (60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    ("train-labels-idx1-ubyte.gz", (60_000,), "a25bea736e30d166cdddb491f175f624"),
    ("t10k-images-idx3-ubyte.gz", (10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    ("t10k-labels-idx1-ubyte.gz", (10_000,), "27ae3e4e09519cfbb04c329615203637"),
)


def load_mnist(params: Params, *, folder: Traversable | None = None) -> Loading:
    """The 70,000 digits: uint8 (N, 1, 28, 28) images and int64 labels.

    Args:
        params: `validation` and `normalize`.
        folder: where the four files lie, if not in the program's own assets.

    Raises InputError that names a file that is missing, empty, cut short, damaged or another one.
    """
    place = files("assets") / "mnist" if folder is None else folder
    arrays = yield from _read_files(place)
    import torch

    train_images, train_labels, test_images, test_labels = (array.tensor() for array in arrays)
    return MNIST_SET.dataset(
        params,
        train=Samples(train_images.unsqueeze(1), train_labels.to(torch.int64)),
        test=Samples(test_images.unsqueeze(1), test_labels.to(torch.int64)),
    )


def _read_files(folder: Traversable) -> Generator[Preparing, None, list[Idx]]:
    total = sum(prod(shape) for _, shape, _ in _FILES)
    read = 0
    arrays = []
    for name, shape, md5 in _FILES:
        yield Preparing("Reading MNIST", read / total)
        arrays.append(_read_file(folder, name, shape=shape, md5=md5))
        read += prod(shape)
    return arrays


def _read_file(folder: Traversable, name: str, *, shape: tuple[int, ...], md5: str) -> Idx:
    way_out = "reinstall Learnscope, whose own copy of MNIST it is"
    try:
        with (folder / name).open("rb") as file:
            array = read_idx(file, gzipped=True, shape=shape)
    except IdxError as error:
        raise InputError("dataset", f"{name} {error}", way_out) from None
    except OSError as error:
        raise InputError("dataset", f"{name} cannot be read: {error.strerror or error}", way_out) from None
    found = array.md5()
    if found != md5:
        raise InputError("dataset", f"{name} is damaged: its MD5 is {found} and should be {md5}", way_out)
    return array


MNIST = DatasetEntry(
    name=MNIST_SET.name,
    label=MNIST_SET.label,
    summary="70,000 handwritten digits, 28×28 grey pixels. Comes with the program.",
    params=MNIST_SET.params,
    info=MNIST_SET.info,
    load=load_mnist,
)
