"""Image datasets that are downloaded on demand, and found where torchvision keeps them. Imports no torch.

Addresses and checksums are torchvision's own, and so are the names of files and folders: a copy that torchvision
downloaded is found, and torchvision finds ours.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from string import ascii_lowercase, ascii_uppercase, digits
from typing import IO, TYPE_CHECKING, Any, Protocol

from engine.catalog import Params
from engine.datasets.cifar import ARCHIVE as CIFAR_ARCHIVE
from engine.datasets.cifar import CifarFiles
from engine.datasets.data import DatasetEntry, Loading, Samples
from engine.datasets.idx import Idx, IdxError, read_idx
from engine.datasets.images import ImageSet
from engine.errors import InputError
from engine.events import Preparing

if TYPE_CHECKING:
    from engine.datasets.download import Source

# Of the binary version, as the page that offers it gives it; torchvision only knows the pickled one.
_CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"


class Files(Protocol):
    """How a dataset lies in a data folder."""

    def there(self, folder: Path) -> bool:
        """Whether all its files are in `folder`."""

    def read(self, folder: Path) -> Generator[Preparing, None, tuple[Samples, Samples]]:
        """Training and test samples. Raises InputError for a damaged file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloadable:
    """A dataset that can be downloaded: its facts, its files, and where they come from."""

    images: ImageSet
    summary: str
    files: Files
    sources: Callable[[], tuple[Source, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdxFiles:
    """Four IDX files, each compressed, plain, or compressed in one zip archive.

    Attributes:
        folder: below the data folder.
        names: of the plain files: training images and labels, test images and labels.
        archive: of the zip archive in `folder`; empty where there is none.
        transposed: images are stored column by column.
        first_label: what class 0 is called in the file.
    """

    images: ImageSet
    folder: PurePosixPath
    names: tuple[str, str, str, str]
    archive: str = ""
    transposed: bool = False
    first_label: int = 0

    def there(self, folder: Path) -> bool:
        return all(self._find(folder, name) is not None for name in self.names)

    def read(self, folder: Path) -> Generator[Preparing, None, tuple[Samples, Samples]]:
        import torch

        _, height, width = self.images.shape
        splits = []
        for split, count in enumerate((self.images.train_size, self.images.test_size)):
            images_name, labels_name = self.names[2 * split : 2 * split + 2]
            yield Preparing(f"Reading {self.images.label}", split * 0.8)
            images = self._array(folder, images_name, shape=(count, height, width)).tensor()
            yield Preparing(f"Reading {self.images.label}", split * 0.8 + 0.15)
            labels = self._array(folder, labels_name, shape=(count,)).tensor().to(torch.int64) - self.first_label
            if count and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.images.classes):
                raise _damaged(f"{labels_name} in {folder / self.folder}", "holds labels outside its classes")
            if self.transposed:
                images = images.transpose(1, 2).contiguous()
            splits.append(Samples(images.unsqueeze(1), labels))
        return splits[0], splits[1]

    def _find(self, folder: Path, name: str) -> Path | None:
        places = [f"{name}.gz", name, self.archive] if self.archive else [f"{name}.gz", name]
        return next((path for place in places if (path := folder / self.folder / place).is_file()), None)

    def _array(self, folder: Path, name: str, *, shape: tuple[int, ...]) -> Idx:
        path = self._find(folder, name)
        if path is None:
            raise _damaged(f"{name} in {folder / self.folder}", "is missing")
        shown = f"{name}.gz in {path}" if path.name == self.archive else str(path)
        try:
            with self._open(path, name) as file:
                return read_idx(file, gzipped=path.name != name, shape=shape)
        except IdxError as error:
            raise _damaged(shown, str(error)) from None
        except (zipfile.BadZipFile, KeyError, StopIteration):
            raise _damaged(str(path), f"is damaged, or has no {name}.gz in it") from None
        except OSError as error:
            raise _damaged(shown, f"cannot be read: {error.strerror or error}") from None

    @contextmanager
    def _open(self, path: Path, name: str) -> Iterator[IO[bytes]]:
        if path.name != self.archive:
            with path.open("rb") as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            member = next((m for m in archive.namelist() if PurePosixPath(m).name == f"{name}.gz"), "")
            with archive.open(member) as packed:
                yield packed


def load_downloaded(
    item: Downloadable,
    params: Params,
    *,
    sources: tuple[Source, ...] | None = None,
    folders: tuple[Path, ...] | None = None,
) -> Loading:
    """Reads a local copy, downloading it first where there is none.

    Args:
        item: which dataset.
        params: `validation` and `normalize`.
        sources: where from, if not from where torchvision has it.
        folders: data folders to look into; downloads go into the last. By default the one that the environment
            variable LEARNSCOPE_DATA names, then the cache.

    Raises InputError("dataset", …) when there is no network, no room, no right to write, or a file is damaged.
    """
    from engine.datasets.download import data_folders, download

    label = item.images.label
    item.images.info(params)
    places = data_folders() if folders is None else folders
    place = next((folder for folder in places if _complete(item, folder)), None)
    if place is None:
        place = places[-1]
        yield Preparing(f"Looking up where {label} comes from")
        wanted = item.sources() if sources is None else sources
        for number, source in enumerate(wanted, start=1):
            if not _is_there(place / source.path):
                what = f"Downloading {label}" + (f", file {number} of {len(wanted)}" if len(wanted) > 1 else "")
                yield from download(source, place, label=label, what=what)
    train, test = yield from item.files.read(place)
    return item.images.dataset(params, train=train, test=test)


def _complete(item: Downloadable, folder: Path) -> bool:
    try:
        return item.files.there(folder)
    except OSError:  # a folder that may not be looked into
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _damaged(name: str, problem: str) -> InputError:
    return InputError("dataset", f"{name} {problem}", "delete it, and it is downloaded again")


def _mnist_like_sources(name: str) -> tuple[Source, ...]:
    """Of torchvision's class `name`: each file on each of its mirrors."""
    from torchvision import datasets

    from engine.datasets.download import Source

    known: Any = getattr(datasets, name)
    return tuple(
        Source(urls=tuple(mirror + file for mirror in known.mirrors), md5=md5, path=PurePosixPath(name, "raw", file))
        for file, md5 in known.resources
    )


def _emnist_sources() -> tuple[Source, ...]:
    from torchvision.datasets import EMNIST

    from engine.datasets.download import Source

    return (Source(urls=(EMNIST.url,), md5=EMNIST.md5, path=PurePosixPath("EMNIST/raw/gzip.zip")),)


def _cifar_sources() -> tuple[Source, ...]:
    from torchvision.datasets import CIFAR10

    from engine.datasets.download import Source

    url = CIFAR10.url.replace(CIFAR10.filename, CIFAR_ARCHIVE)
    return (Source(urls=(url,), md5=_CIFAR_MD5, path=PurePosixPath(CIFAR_ARCHIVE)),)


def _mnist_like(images: ImageSet, *, summary: str, torchvision_name: str) -> Downloadable:
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    files = IdxFiles(images=images, folder=PurePosixPath(torchvision_name, "raw"), names=names)
    return Downloadable(
        images=images, summary=summary, files=files, sources=partial(_mnist_like_sources, torchvision_name)
    )


def _emnist(images: ImageSet, *, summary: str, split: str, first_label: int) -> Downloadable:
    train, test = f"emnist-{split}-train", f"emnist-{split}-test"
    files = IdxFiles(
        images=images,
        folder=PurePosixPath("EMNIST/raw"),
        names=(
            f"{train}-images-idx3-ubyte",
            f"{train}-labels-idx1-ubyte",
            f"{test}-images-idx3-ubyte",
            f"{test}-labels-idx1-ubyte",
        ),
        archive="gzip.zip",
        transposed=True,
        first_label=first_label,
    )
    return Downloadable(images=images, summary=summary, files=files, sources=_emnist_sources)


_FASHION = ImageSet(
    name="fashion_mnist",
    label="Fashion-MNIST",
    shape=(1, 28, 28),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mean=(0.2860,),
    std=(0.3530,),
    train_size=60_000,
    test_size=10_000,
    drawable=False,
)
_KMNIST = ImageSet(
    name="kmnist",
    label="KMNIST",
    shape=(1, 28, 28),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mean=(0.1918,),
    std=(0.3483,),
    train_size=60_000,
    test_size=10_000,
    drawable=True,
)
_LETTERS = ImageSet(
    name="emnist_letters",
    label="EMNIST letters",
    shape=(1, 28, 28),
    classes=tuple(ascii_lowercase),
    mean=(0.1722,),
    std=(0.3309,),
    train_size=124_800,
    test_size=20_800,
    drawable=True,
)
_BALANCED = ImageSet(
    name="emnist_balanced",
    label="EMNIST balanced",
    shape=(1, 28, 28),
    # Lower-case letters that look like their capitals share the capitals' classes.
    classes=tuple(digits + ascii_uppercase + "abdefghnqrt"),
    mean=(0.1751,),
    std=(0.3332,),
    train_size=112_800,
    test_size=18_800,
    drawable=True,
)
_CIFAR10 = ImageSet(
    name="cifar10",
    label="CIFAR-10",
    shape=(3, 32, 32),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    train_size=50_000,
    test_size=10_000,
    drawable=False,
)

DOWNLOADABLES = (
    _mnist_like(
        _FASHION,
        summary="70,000 articles of clothing, 28×28 grey pixels: MNIST's size, but harder. 31 MB to download.",
        torchvision_name="FashionMNIST",
    ),
    _mnist_like(
        _KMNIST,
        summary="70,000 cursive Japanese characters in 10 classes, 28×28 grey pixels. 21 MB to download.",
        torchvision_name="KMNIST",
    ),
    _emnist(
        _LETTERS,
        summary="145,600 handwritten letters, both cases in one class, 28×28 grey pixels. 562 MB to download.",
        split="letters",
        first_label=1,
    ),
    _emnist(
        _BALANCED,
        summary="131,600 handwritten digits and letters in 47 classes, 28×28 grey pixels. 562 MB to download.",
        split="balanced",
        first_label=0,
    ),
    Downloadable(
        images=_CIFAR10,
        summary="60,000 photographs of animals and vehicles, 32×32 pixels in colour. 170 MB to download.",
        files=CifarFiles(_CIFAR10),
        sources=_cifar_sources,
    ),
)


def entry_of(item: Downloadable) -> DatasetEntry:
    return DatasetEntry(
        name=item.images.name,
        label=item.images.label,
        summary=item.summary,
        params=item.images.params,
        info=item.images.info,
        load=partial(load_downloaded, item),
    )


DOWNLOADED = tuple(entry_of(item) for item in DOWNLOADABLES)
