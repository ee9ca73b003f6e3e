"""The file that a checkpoint lies in: safetensors with a manifest, and a checksum over every byte of it.

safetensors (github.com/huggingface/safetensors, "Format"): the header's length as 8 bytes, little endian; the header, a
JSON object of each tensor's dtype, shape and place; then the tensors' bytes without gaps. Our manifest and checksum are
in the header's `__metadata__`, the checksum first, so that it has a fixed place and counts as zeros in its own sum.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import InputError

MOST_HEADER = 64 * 2**20  # bytes
MOST_DIMENSIONS = 16

_DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MANIFEST = "learnscope.checkpoint"
_DIGEST = 32  # bytes
_ZEROS = b"0" * (2 * _DIGEST)
_BEFORE_CHECKSUM = b'{"__metadata__":{"checksum":"'
_LENGTH = 8  # bytes that tell the header's length
_CHECKSUM_AT = _LENGTH + len(_BEFORE_CHECKSUM)
_ANOTHER = "another checkpoint"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor lies: its bytes are `start` … `end` − 1, counted from the header's end."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def pack(manifest: str, tensors: Mapping[str, Tensor]) -> list[memoryview]:
    """The file's bytes, in pieces. The tensors, on the CPU, are not copied where they are contiguous.

    Raises TypeError for a dtype that the format lacks.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise TypeError(f"{name} has the dtype {tensor.dtype}, which cannot be kept")
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # so that each is aligned to its dtype
    header: dict[str, object] = {"__metadata__": {"checksum": _ZEROS.decode(), _MANIFEST: manifest}}
    end = 0
    for name in names:
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = bytearray(len(text).to_bytes(_LENGTH, "little") + text)
    bodies = [view_bytes(tensors[name]) for name in names if tensors[name].nbytes]
    digest = hashlib.blake2b(head, digest_size=_DIGEST)
    for body in bodies:
        digest.update(body)
    head[_CHECKSUM_AT : _CHECKSUM_AT + len(_ZEROS)] = digest.hexdigest().encode()
    return [memoryview(head), *bodies]


def view_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor on the CPU that is not empty, row by row; not copied where it is contiguous."""
    raw: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()  # mypy knows no buffers before Python 3.12
    return memoryview(raw)


class OpenFile:
    """A checkpoint's file whose header has been read and agrees with itself and with the file's size.

    Attributes:
        manifest: the text it was written with.
        slots: by name; together they fill the rest of the file exactly.
    """

    def __init__(self, file: BufferedReader, *, name: str, size: int) -> None:
        self._file = file
        self._name = name
        self._head = file.read(_LENGTH)
        length = int.from_bytes(self._head, "little")
        if len(self._head) < _LENGTH or length > MOST_HEADER:
            raise refused(f"{name} is not a checkpoint", _ANOTHER)
        if _LENGTH + length > size:
            raise refused(f"{name} is cut short", _ANOTHER)
        self._head += file.read(length)
        if not self._head[_LENGTH:].startswith(_BEFORE_CHECKSUM):
            raise refused(f"{name} is not a checkpoint", _ANOTHER)
        try:
            header = json.loads(self._head[_LENGTH:])
            self.manifest, self.slots = _manifest_of(header), _slots_of(header)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise refused(f"{name} is damaged: its header makes no sense", _ANOTHER) from None
        self._payload = max((slot.end for slot in self.slots.values()), default=0)
        there = size - len(self._head)
        if self._payload != there:
            what = "is cut short" if self._payload > there else "is damaged: it is longer than its header says"
            raise refused(f"{name} {what}", _ANOTHER)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name. It takes as much memory as the file is large. Raises InputError, OSError."""
        found = self._head[_CHECKSUM_AT : _CHECKSUM_AT + len(_ZEROS)]
        head = bytearray(self._head)
        head[_CHECKSUM_AT : _CHECKSUM_AT + len(_ZEROS)] = _ZEROS
        payload = bytearray(self._payload)
        self._file.seek(len(head))
        if self._file.readinto(payload) != self._payload:
            raise refused(f"{self._name} is cut short", _ANOTHER)
        digest = hashlib.blake2b(head, digest_size=_DIGEST)
        digest.update(payload)
        if digest.hexdigest().encode() != found:
            raise refused(f"{self._name} is damaged: its checksum does not match", _ANOTHER)
        return {name: _tensor(slot, payload) for name, slot in self.slots.items()}


@contextmanager
def open_file(path: Path) -> Iterator[OpenFile]:
    """Raises InputError where `path` cannot be read or is no whole checkpoint, also while it is open."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(0)
            yield OpenFile(file, name=path.name, size=size)
    except OSError as error:
        raise refused(f"{path.name} cannot be read: {error.strerror or error}", _ANOTHER) from None


def refused(problem: str, accepted: str = "") -> InputError:
    """What is raised wherever a checkpoint cannot be used."""
    return InputError("checkpoint", problem, accepted)


def _manifest_of(header: dict[str, Any]) -> str:
    manifest = header["__metadata__"][_MANIFEST]
    if not isinstance(manifest, str):
        raise TypeError
    return manifest


def _slots_of(header: dict[str, Any]) -> dict[str, Slot]:
    """Raises ValueError, TypeError or KeyError for slots that do not lie side by side from 0 on."""
    slots = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype = _DTYPES[entry["dtype"]]
        shape, (start, end) = tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(number) is int and 0 <= number < 2**63 for number in (*shape, start, end)):
            raise ValueError
        if len(shape) > MOST_DIMENSIONS or end - start != math.prod(shape) * dtype.itemsize or start % dtype.itemsize:
            raise ValueError
        slots[name] = Slot(dtype, shape, start, end)
    end = 0
    for slot in sorted(slots.values(), key=lambda slot: (slot.start, slot.end)):
        if slot.start != end:
            raise ValueError
        end = slot.end
    return slots


def _tensor(slot: Slot, payload: bytearray) -> Tensor:
    if slot.start == slot.end:
        return torch.empty(slot.shape, dtype=slot.dtype)
    raw = torch.frombuffer(payload, dtype=torch.uint8, count=slot.end - slot.start, offset=slot.start)
    if slot.dtype is torch.bool:  # a byte that is neither 0 nor 1 would be no bool
        return raw.ne(0).view(slot.shape)
    return raw.view(slot.dtype).view(slot.shape)
