"""CIFAR-10's binary version: records of a label and 3,072 bytes. Imports no torch.

Format: A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version": in each record one byte of label, then 1,024
bytes each of red, green and blue, row by row. The other version that is offered is pickled and is not read.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from engine.datasets.data import Samples
from engine.datasets.images import ImageSet
from engine.errors import InputError
from engine.events import Preparing

if TYPE_CHECKING:
    from torch import Tensor

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAIN_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_BATCH = "test_batch.bin"
_DRAIN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CifarFiles:
    """The files of a set in this format, as they lie in a data folder: unpacked, or in their archive."""

    images: ImageSet

    def there(self, folder: Path) -> bool:
        return self._unpacked(folder) or (folder / ARCHIVE).is_file()

    def read(self, folder: Path) -> Generator[Preparing, None, tuple[Samples, Samples]]:
        """Training and test samples: uint8 (N, C, H, W) and int64 (N,). Raises InputError for damaged files."""
        import torch

        record = 1 + prod(self.images.shape)
        train = torch.empty((self.images.train_size, record), dtype=torch.uint8)
        test = torch.empty((self.images.test_size, record), dtype=torch.uint8)
        rows = dict(zip(TRAIN_BATCHES, train.chunk(len(TRAIN_BATCHES)), strict=True)) | {TEST_BATCH: test}
        yield Preparing(f"Reading {self.images.label}", 0.0)
        for done, name in enumerate(self._fill(folder, rows), start=1):
            yield Preparing(f"Reading {self.images.label}: {name}", done / len(rows))
        return self._samples(train, folder), self._samples(test, folder)

    def _unpacked(self, folder: Path) -> bool:
        return all((folder / FOLDER / name).is_file() for name in (*TRAIN_BATCHES, TEST_BATCH))

    def _fill(self, folder: Path, rows: dict[str, Tensor]) -> Iterator[str]:
        """Copies each batch into its rows and yields its name."""
        if self._unpacked(folder):
            for name, target in rows.items():
                path = folder / FOLDER / name
                try:
                    with path.open("rb") as file:
                        _copy(file, path.stat().st_size, target, name=str(path))
                except OSError as error:
                    raise _damaged(str(path), f"cannot be read: {error.strerror or error}") from None
                yield name
        else:
            yield from _fill_from_archive(folder / ARCHIVE, rows)

    def _samples(self, records: Tensor, folder: Path) -> Samples:
        import torch

        labels = records[:, 0].to(torch.int64)
        if len(labels) and int(labels.max()) >= len(self.images.classes):
            raise _damaged(str(folder), f"holds a label {int(labels.max())} where there are 10 classes")
        return Samples(records[:, 1:].reshape(-1, *self.images.shape).contiguous(), labels)


def _fill_from_archive(path: Path, rows: dict[str, Tensor]) -> Iterator[str]:
    """Reads the archive once, front to back, in memory: no name in it ever becomes a path."""
    missing = dict(rows)
    try:
        with gzip.open(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    name = PurePosixPath(member.name).name
                    content = tar.extractfile(member) if member.isfile() and name in missing else None
                    if content is not None:
                        _copy(content, member.size, missing.pop(name), name=f"{name} in {path}")
                        yield name
            # The archive's checksum is only verified at its very end.
            while stream.read(_DRAIN_BYTES):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(str(path), f"is damaged ({error})") from None
    except OSError as error:
        raise _damaged(str(path), f"cannot be read: {error.strerror or error}") from None
    if missing:
        raise _damaged(str(path), f"has no {next(iter(missing))} in it")


def _copy(file: IO[bytes], size: int, target: Tensor, *, name: str) -> None:
    import torch

    if size != target.numel():
        raise _damaged(name, f"has {size:,} bytes where {target.numel():,} are expected")
    data = bytearray(file.read(size))
    if len(data) != size:
        raise _damaged(name, f"is cut short: {len(data):,} of {size:,} bytes are there")
    target.copy_(torch.frombuffer(data, dtype=torch.uint8).reshape(target.shape))


def _damaged(name: str, problem: str) -> InputError:
    return InputError("dataset", f"{name} {problem}", "delete it, and it is downloaded again")
