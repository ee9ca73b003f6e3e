"""One column of numbers as bytes and back: little-endian, exact, and small where values repeat.

The first byte tells what follows:

| byte | what follows | n values |
|---|---|---|
| l | m as uint32, m places as uint32, m int64 | each from its place to the next one's |
| r | one int64 | this one and its successors |
| q | n int64 | |
| c | one float64 | all are this one |
| f | n float32, where none loses a bit by it | |
| d | n float64 | |
| s | m as uint32, m places as uint32, then the m values as a column of f, d or c | NaN elsewhere |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_INT, _FLOAT, _SHORT, _PLACE = np.dtype("<i8"), np.dtype("<f8"), np.dtype("<f4"), np.dtype("<u4")


def pack_ints(values: Ints) -> bytes:
    """`values`, int64 (n,)."""
    rises = np.diff(values)
    if len(values) > 1 and (rises == 1).all():
        return b"r" + values[:1].astype(_INT).tobytes()
    begins: Ints = np.concatenate((np.zeros(min(len(values), 1), np.int64), np.flatnonzero(rises) + 1))
    if 0 < len(begins) <= len(values) // 2:
        return b"l" + _placed(begins) + values[begins].astype(_INT).tobytes()
    return b"q" + values.astype(_INT).tobytes()


def unpack_ints(data: bytes, count: int) -> Ints:
    """int64 (count,). Raises ValueError where `data` does not hold them."""
    kind, body = data[:1], data[1:]
    match kind:
        case b"l":
            begins, body = _places(body, count)
            values = _numbers(body, _INT, len(begins)).astype(np.int64)
            lengths = np.diff(np.append(begins, count))
            if not len(begins) or begins[0] or (lengths <= 0).any():
                raise ValueError("places out of order")
            return np.repeat(values, lengths)
        case b"r":
            first = int(_numbers(body, _INT, 1)[0])
            if abs(first) > 2**62:
                raise ValueError("numbers out of range")
            return np.arange(first, first + count, dtype=np.int64)
        case b"q":
            return _numbers(body, _INT, count).astype(np.int64)
        case _:
            raise ValueError("an unknown kind of numbers")


def pack_floats(values: Floats) -> bytes:
    """`values`, float64 (n,). Every bit of them comes back, but for what a NaN carries."""
    there = np.flatnonzero(~np.isnan(values))
    if len(there) < len(values) // 2:
        return b"s" + _placed(there) + _pack(values[there])
    return _pack(values)


def _pack(values: Floats) -> bytes:
    bits = values.view(np.int64) if values.flags.c_contiguous else values.copy().view(np.int64)
    if len(values) and (bits == bits[0]).all():
        return b"c" + values[:1].astype(_FLOAT).tobytes()
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        short = values.astype(_SHORT)
    if np.array_equal(short.astype(np.float64).view(np.int64), bits):
        return b"f" + short.tobytes()
    return b"d" + values.astype(_FLOAT).tobytes()


def unpack_floats(data: bytes, count: int) -> Floats:
    """float64 (count,). Raises ValueError where `data` does not hold them."""
    if data[:1] != b"s":
        return _unpack(data, count)
    places, body = _places(data[1:], count)
    values = np.full(count, np.nan)
    values[places] = _unpack(body, len(places))
    return values


def _unpack(data: bytes, count: int) -> Floats:
    kind, body = data[:1], data[1:]
    match kind:
        case b"c":
            return np.full(count, _numbers(body, _FLOAT, 1)[0], np.float64)
        case b"f":
            with np.errstate(invalid="ignore"):  # a damaged NaN may be of the kind that signals
                return _numbers(body, _SHORT, count).astype(np.float64)
        case b"d":
            values = _numbers(body, _FLOAT, count).astype(np.float64)
            values[np.isnan(values)] = np.nan  # so may these
            return values
        case _:
            raise ValueError("an unknown kind of numbers")


def _numbers(data: bytes, dtype: np.dtype[np.generic], count: int) -> NDArray[np.generic]:
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes where {count * dtype.itemsize} should be")
    return np.frombuffer(data, dtype)


def _placed(places: Ints) -> bytes:
    return np.array([len(places)], _PLACE).tobytes() + places.astype(_PLACE).tobytes()


def _places(data: bytes, count: int) -> tuple[Ints, bytes]:
    """Places below `count`, told by their number and themselves, and what follows them."""
    number = int(_numbers(data[: _PLACE.itemsize], _PLACE, 1)[0])
    end = (1 + number) * _PLACE.itemsize
    places = _numbers(data[_PLACE.itemsize : end], _PLACE, number).astype(np.int64)
    if (places >= count).any():
        raise ValueError("a number beyond the last place")
    return places, data[end:]
