"""The toy sets as source: their points are drawn again from the same seed."""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog import Params, number
from engine.datasets.data import DatasetInfo
from engine.script.layout import fill, indented

# Each gives `points`, float64 (N, 2), and `blue`, bool (N,), from `generator`; `uniform` is defined before it.
_CIRCLES = """
    # A disc of radius 2.5 inside a ring from 3.5 to 5.
    r = torch.cat((uniform($inner, 1, low=0, high=2.5), uniform($outer, 1, low=3.5, high=5)))
    angle = uniform($count, 1, low=0, high=2 * math.pi)
    points = r * torch.cat((angle.sin(), angle.cos()), dim=1)
    # Noise moves a point before it is asked which side it is on.
    moved = points + $noise * uniform($count, 2, low=-5, high=5)
    blue = moved.norm(dim=1) < 2.5
"""
_XOR = """
    # Four quadrants with a gap along the axes.
    points = uniform($count, 2, low=-5, high=5)
    points = points + torch.where(points > 0, 0.3, -0.3)
    # Noise moves a point before it is asked which quadrant it is in.
    moved = points + $noise * uniform($count, 2, low=-5, high=5)
    blue = moved.prod(dim=1) >= 0
"""
_GAUSSIANS = """
    # Two round clouds, blue around (2, 2) and orange around (-2, -2).
    variance = 0.5 + (4 - 0.5) * $noise / 0.5
    blue = torch.arange($count) < $inner
    centre = torch.where(blue, 2.0, -2.0).double().unsqueeze(1)
    spread = torch.randn(($count, 2), generator=generator, dtype=torch.float64)
    points = centre + math.sqrt(variance) * spread
"""
_SPIRALS = """
    # Two arms of 1.75 turns, half a turn apart, out to radius 5.
    blue = torch.arange($count) < $inner
    arms = [torch.arange(n, dtype=torch.float64) / n for n in ($inner, $outer)]
    along = torch.cat(arms)
    t = 1.75 * along * 2 * math.pi + torch.where(blue, 0.0, math.pi)
    points = (along * 5).unsqueeze(1) * torch.stack((t.sin(), t.cos()), dim=1)
    points = points + $noise * uniform($count, 2, low=-1, high=1)
"""
_DRAWS: Mapping[str, str] = {"circles": _CIRCLES, "xor": _XOR, "gaussians": _GAUSSIANS, "spirals": _SPIRALS}

_UNIFORM = """
    def uniform(rows, columns, low, high):
        unit = torch.rand((rows, columns), generator=generator, dtype=torch.float64)
        return low + (high - low) * unit
"""


def toy_source(info: DatasetInfo, params: Params) -> str:
    """`load_data` for the toy set that `info` describes, drawn as engine.datasets.toy draws it."""
    count = info.train_size + info.validation_size + info.test_size
    sizes = [info.train_size, info.validation_size, info.test_size]
    names = ["training", "validation", "test"]
    if not info.validation_size:
        del sizes[1], names[1]
    draw = fill(
        _DRAWS[info.name],
        count=count,
        inner=count - count // 2,
        outer=count // 2,
        noise=repr(number(params, "noise")),
    )
    uniform = "" if info.name == "gaussians" else f"\n{indented(fill(_UNIFORM))}\n"
    return fill(
        '''
        def load_data():
            """$names: points in orange (0) and blue (1)."""
            generator = torch.Generator().manual_seed($seed)
        $uniform
        $draw
            order = torch.randperm($count, generator=generator)
            inputs = prepare(points[order]).split($sizes)
            targets = blue[order].long().split($sizes)
            return zip(inputs, targets)
        ''',
        names=", ".join(names[:-1]).capitalize() + f" and {names[-1]} set",
        seed=params["data_seed"],
        uniform=uniform,
        draw=indented(draw),
        count=count,
        sizes=sizes,
    ).replace("\n\n\n", "\n\n")
