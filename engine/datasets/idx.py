"""The IDX format of the MNIST family: unsigned bytes with a header that says their shape. Imports no torch.

Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats". A header is two zero bytes, a
type (0x08: unsigned byte), the number of dimensions, then each dimension as a big-endian 32-bit integer; the values
follow in row-major order.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 1 << 30
_UNSIGNED_BYTE = 0x08
_MOST_DIMENSIONS = 4
_PIECE_BYTES = 1 << 18


class IdxError(ValueError):
    """A file that is not sound IDX. The message says what is wrong with it, to follow the file's name: "is empty"."""


@dataclass(frozen=True, slots=True)
class Idx:
    """What an IDX file holds: `shape` and its product in `data`'s bytes. `header` is kept for the checksum."""

    header: bytes
    shape: tuple[int, ...]
    data: bytearray

    def md5(self) -> str:
        """MD5 of the whole file, uncompressed, in hexadecimal."""
        digest = hashlib.md5(self.header, usedforsecurity=False)
        digest.update(self.data)
        return digest.hexdigest()

    def tensor(self) -> Tensor:
        """uint8 of `shape`, sharing this object's memory."""
        import torch

        if not self.data:
            return torch.empty(self.shape, dtype=torch.uint8)
        return torch.frombuffer(self.data, dtype=torch.uint8).reshape(self.shape)


def read_idx(file: IO[bytes], *, gzipped: bool, shape: tuple[int | None, ...] | None = None) -> Idx:
    """Reads one array of unsigned bytes.

    Args:
        file: open for reading at the array's start.
        gzipped: the file is compressed.
        shape: what the header must say, with None for a dimension of any size. Checked before the values are read, as
            is the limit of `MOST_BYTES`.

    Raises IdxError for anything but exactly such a file: empty, cut short, too long, damaged, of another kind.
    """
    # GzipFile has all that is used of a IO[bytes], but is not declared as one.
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if gzipped else file
    try:
        return _read(stream, shape)
    except EOFError:
        raise IdxError("is cut short") from None
    except gzip.BadGzipFile as error:
        # The class is raised both for a foreign file and for a checksum that does not hold.
        damaged = str(error).startswith(("CRC", "Incorrect length"))
        raise IdxError("is damaged: its checksum does not hold" if damaged else "is not a gzip file") from None
    except zlib.error:
        raise IdxError("is damaged: it cannot be decompressed") from None


def _read(stream: IO[bytes], wanted: tuple[int | None, ...] | None) -> Idx:
    start = _exactly(stream, 4)
    if start[:2] != b"\0\0" or not 1 <= start[3] <= _MOST_DIMENSIONS:
        raise IdxError(f"is not an IDX file: it starts with {start.hex(' ')}")
    if start[2] != _UNSIGNED_BYTE:
        raise IdxError(f"holds values of type 0x{start[2]:02x} where unsigned bytes (0x08) are read")
    sizes = _exactly(stream, 4 * start[3])
    shape = struct.unpack(f">{start[3]}I", sizes)
    if wanted is not None and (
        len(wanted) != len(shape) or any(w not in (None, s) for w, s in zip(wanted, shape, strict=True))
    ):
        expected = "×".join("any" if size is None else f"{size}" for size in wanted)
        raise IdxError(f"holds {'×'.join(map(str, shape))} values where {expected} are expected")
    count = math.prod(shape)
    if count > MOST_BYTES:
        raise IdxError(f"claims {count:,} values, more than the {MOST_BYTES:,} that are read")
    # Grown as the bytes arrive: a header alone cannot make the program take memory.
    data = bytearray()
    while piece := stream.read(min(_PIECE_BYTES, count - len(data))):
        data += piece
    if len(data) < count:
        raise IdxError(f"is cut short: {len(data):,} of {count:,} values are there")
    # Reading on to the end is also what makes gzip verify its checksum.
    if stream.read(1):
        raise IdxError(f"goes on after its {count:,} values")
    return Idx(start + sizes, shape, data)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if not data:
        raise IdxError("is empty" if stream.seekable() and stream.tell() == 0 else "is cut short in its header")
    if len(data) < count:
        raise IdxError("is cut short in its header")
    return data
