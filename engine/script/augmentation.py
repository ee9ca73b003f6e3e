"""The augmentations as source: what is done to a batch, drawn from the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.augmentation import SEED_FACTOR, STEP_FACTOR
from engine.catalog import Params, number
from engine.config import Choice
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.parts import NO_AUGMENTATION
from engine.script.layout import fill, indented, literal

_AUGMENT = '''
    def augment(x, step):
        """$docstring"""
        # What is drawn depends on the seed and the step alone.
        generator = torch.Generator().manual_seed(SEED * $seeds + step * $steps)
    $body
        return $result
'''
_SHIFT = """
    most = $most  # pixels
    right, down = torch.randint(-most, most + 1, (2, len(x)), generator=generator)$moved
    $black
    count, channels, height, width = x.shape
    size = (count, channels, height + 2 * most, width + 2 * most)
    room = black.expand(size).contiguous()
    room[:, :, most : most + height, most : most + width] = x
    # A view of every place that a picture may be seen from.
    places = room.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
    x = places[torch.arange(count$device), most - down, most - right]
"""
_AFFINE = """
    drawn = torch.rand(4, len(x), generator=generator) * 2 - 1
    angle, scale = drawn[0] * math.radians($rotation), 1 + drawn[1] * $scale
    right, down = drawn[2] * $shift, drawn[3] * $shift
    # Where each pixel comes from, in pixels from the middle.
    cos, sin = (angle.cos() / scale)[:, None], (angle.sin() / scale)[:, None]
    height, width = x.shape[2:]
    across = torch.arange(width) - (width - 1) / 2 - right[:, None]
    along = torch.arange(height) - (height - 1) / 2 - down[:, None]
    # F.grid_sample counts from -1 to 1, from edge to edge.
    wide, high = 2 / width, 2 / height
    from_x = (cos * across * wide)[:, None, :] + (sin * along * wide)[:, :, None]
    from_y = (cos * along * high)[:, :, None] - (sin * across * high)[:, None, :]
    grid = torch.stack((from_x, from_y), dim=3)$moved
    $black
    x = F.grid_sample(x - black, grid, align_corners=False) + black
"""
_NOISE = """
    noise = torch.randn(x.shape, generator=generator)$moved
    x = x + $strength * noise
"""
_FLIP = """
    which = $which$moved
    x = torch.where(which[:, None, None, None], x.flip(3), x)
"""


def augmentation_source(choice: Choice, info: DatasetInfo, *, channels_last: bool, moved: bool) -> str:
    """`augment(x, step)`, by the arithmetic of engine.augmentation; empty where batches stay as they are.

    Args:
        channels_last: images are laid out (N, H, W, C) in memory.
        moved: they are on another device than the CPU.

    Raises InputError for an augmentation that is not ours.
    """
    if choice.name == NO_AUGMENTATION:
        return ""
    if choice.name not in _WRITERS:
        raise InputError(
            "script",
            f"the augmentation {choice.name!r} comes from another package, whose code cannot be written out",
            "these can be written: " + ", ".join((NO_AUGMENTATION, *_WRITERS)),
        )
    docstring, body = _WRITERS[choice.name](choice.params, info, moved=moved)
    *lines, last = body.split("\n")
    result = last.removeprefix("x = ")
    if channels_last:  # kernels are chosen by how images lie in memory
        lines, result = [*lines, last], "laid_out.copy_(x)"
        lines.insert(0, "laid_out = torch.empty_like(x)  # in memory as x is")
    return fill(
        _AUGMENT,
        docstring=docstring,
        seeds=f"{SEED_FACTOR:_}",
        steps=f"{STEP_FACTOR:_}",
        body=indented("\n".join(lines)),
        result=result,
    )


_Written = tuple[str, str]
"""A docstring and a body whose last line assigns `x`."""


def _black(info: DatasetInfo, *, moved: bool) -> str:
    """What a black pixel is as an input."""
    pairs = (("mean", info.mean), ("std", info.std))
    lines = [literal(tuple(values), before=f"{name} = torch.tensor(", after=")", levels=1) for name, values in pairs]
    return "\n".join([*lines, f"black = ((0 - mean) / std).reshape(-1, 1, 1){'.to(DEVICE)' * moved}"])


def _shift(params: Params, info: DatasetInfo, *, moved: bool) -> _Written:
    most = int(number(params, "pixels"))
    body = fill(
        _SHIFT,
        most=most,
        moved=".to(DEVICE)" * moved,
        device=", device=DEVICE" * moved,
        black=_black(info, moved=moved),
    )
    return f"Pictures moved by up to {most} pixels; what comes in is black.", body


def _affine(params: Params, info: DatasetInfo, *, moved: bool) -> _Written:
    body = fill(
        _AFFINE,
        **{name: repr(number(params, name)) for name in ("rotation", "scale", "shift")},
        moved=".to(DEVICE)" * moved,
        black=_black(info, moved=moved),
    )
    return "Pictures turned, scaled and moved by a little, black outside.", body


def _noise(params: Params, _info: DatasetInfo, *, moved: bool) -> _Written:
    body = fill(_NOISE, strength=repr(number(params, "strength")), moved=".to(DEVICE)" * moved)
    return "Samples with noise from a normal distribution.", body


def _flip(params: Params, _info: DatasetInfo, *, moved: bool) -> _Written:
    which = f"torch.rand(len(x), generator=generator) < {number(params, 'probability')!r}"
    body = fill(_FLIP, which=f"({which})" if moved else which, moved=".to(DEVICE)" * moved)
    return "Pictures, some of them with left and right exchanged.", body


def _shift_and_flip(params: Params, info: DatasetInfo, *, moved: bool) -> _Written:
    said, shift = _shift(params, info, moved=moved)
    _, flip = _flip(params, info, moved=moved)
    return said.replace("; ", ", some mirrored; "), f"{shift}\n{flip}"


_WRITERS: Mapping[str, Callable[..., _Written]] = {
    "shift": _shift,
    "affine": _affine,
    "noise": _noise,
    "flip": _flip,
    "shift_and_flip": _shift_and_flip,
}
