"""Films as animated GIF files: pictures in, a file's contents out. No Qt."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

MOST_FRAMES = 1_000
MOST_SIDE = 4_096  # px
MOST_PIXELS = 128_000_000  # of all frames together: 384 MB of colours
SHORTEST, LONGEST = 0.02, 60.0  # s a frame; viewers play what is shorter at a tenth of a second
_TICK = 10  # ms, the format's unit of time
_COLOURS = 256  # the format's most
_FREQUENT = 32  # of the most frequent colours that are kept as they are, where there are more than the format's
_SAMPLED = 250_000  # pixels that the other colours are chosen from
_COARSE = 1 << 15  # colours; of more, those alike in their upper five bits are taken together
_CHUNK = 2_048  # colours compared with the table at once

Packed = NDArray[np.int32]  # colours as 0xRRGGBB


def gif(frames: NDArray[np.uint8], *, seconds: float, hold: float = 0.0) -> bytes:
    """An animated GIF that plays for ever, as a file's contents.

    A film of up to 256 colours keeps each of them. Of more, the most frequent are kept and the others replaced by the
    nearest of one table for all frames, so that a still ground neither flickers nor changes its colour. A frame that
    equals the one before is written as a longer stay.

    Args:
        frames: uint8 (n, H, W, 3), RGB.
        seconds: a frame's time, 0.02 … 60; the format has steps of 0.01.
        hold: seconds, 0 … 60, for which the last frame stays longer.

    Raises InputError for no frames, other shapes and types, and films that are too long or too large.
    """
    from PIL import Image  # not before a film is made: the window starts without it

    _check(frames, seconds=seconds, hold=hold)
    seen = np.zeros(1 << 24, dtype=np.bool_)
    for frame in frames:
        seen[_packed(frame)] = True
    present = np.flatnonzero(seen).astype(np.int32)
    exact = len(present) <= _COLOURS
    table = present if exact else _chosen(frames)
    index = np.zeros(1 << 24, dtype=np.uint8)
    if not exact:
        index[present] = _nearest(present, table)
    index[table] = np.arange(len(table))
    colours = _unpacked(table).tobytes()
    images = []
    for frame in frames:
        image = Image.fromarray(index[_packed(frame)])
        image.putpalette(colours)
        images.append(image)
    durations = [_milliseconds(seconds)] * len(images)
    durations[-1] += _milliseconds(hold)
    file = io.BytesIO()
    first, *others = images
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return file.getvalue()


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000 / _TICK) * _TICK


def _check(frames: NDArray[np.uint8], *, seconds: float, hold: float) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        shape = "×".join(map(str, frames.shape))
        raise InputError("film", f"{frames.dtype} {shape} is no film", "uint8 frames × height × width × 3")
    count, height, width, _ = frames.shape
    if not 1 <= count <= MOST_FRAMES:
        raise InputError("film", f"has {count} frames", f"1 to {MOST_FRAMES} frames")
    if not (1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE):
        raise InputError("film", f"is {width}×{height} pixels", f"1 to {MOST_SIDE} pixels a side")
    if count * height * width > MOST_PIXELS:
        raise InputError(
            "film", f"has {count} frames of {width}×{height} pixels", f"up to {MOST_PIXELS // 10**6} million pixels"
        )
    if not (math.isfinite(seconds) and SHORTEST <= seconds <= LONGEST):
        raise InputError("film", f"{seconds:g} s a frame is out of range", f"{SHORTEST:g} s to {LONGEST:g} s")
    if not (math.isfinite(hold) and 0 <= hold <= LONGEST):
        raise InputError("film", f"a stay of {hold:g} s is out of range", f"0 s to {LONGEST:g} s")


def _packed(pixels: NDArray[np.uint8]) -> Packed:
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _unpacked(colours: Packed) -> NDArray[np.uint8]:
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1).astype(np.uint8)


def _chosen(frames: NDArray[np.uint8]) -> Packed:
    """A table of colours for frames that have more: the most frequent, and a median cut of all."""
    from PIL import Image

    pixels = frames.reshape(-1, 3)
    sample = pixels[:: max(1, len(pixels) // _SAMPLED)]
    colours, counts = np.unique(_packed(sample), return_counts=True)
    frequent = colours[np.argsort(-counts, kind="stable")[:_FREQUENT]]
    cut = Image.fromarray(sample[np.newaxis]).quantize(_COLOURS - _FREQUENT, method=Image.Quantize.MEDIANCUT)
    others = np.array(cut.getpalette(), dtype=np.uint8).reshape(-1, 3)
    return np.unique(np.concatenate([frequent, _packed(others)]))[:_COLOURS]


def _nearest(colours: Packed, table: Packed) -> NDArray[np.uint8]:
    """For each colour the place in the table of the one that differs least, by squares of red, green and blue."""
    if len(colours) > _COARSE:
        coarse, back = np.unique(colours & 0xF8F8F8 | 0x040404, return_inverse=True)
        return _nearest(coarse, table)[back]
    known = _unpacked(table).astype(np.int32)
    parts = []
    for start in range(0, len(colours), _CHUNK):
        asked = _unpacked(colours[start : start + _CHUNK]).astype(np.int32)
        parts.append(((asked[:, np.newaxis] - known) ** 2).sum(axis=2).argmin(axis=1))
    return np.concatenate(parts).astype(np.uint8)
