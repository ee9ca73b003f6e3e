"""Where the cells of a confusion matrix go, and how strong their colours are. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gui.colormap import SIDE, ZERO_LEVEL
from gui.theme import SPACING

LINE = 16  # px, of captions
LARGEST, SMALLEST = 120, 5  # px, side of a cell
LEAST_NAME = 24  # px beside the rows, for the word that heads them
NAME_SHARE = 0.24  # of the width or height, at most, for the names of the classes
SHORT_NAME = 2  # lines: names up to so long are never turned
FAINTEST = 10  # levels off the ground: a single sample can still be seen


class Cell(NamedTuple):
    """The numbers of two classes."""

    true: int
    given: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLayout:
    """Where the cells are, in px.

    Attributes:
        width: of the whole area.
        left, top: where the first cell begins.
        cell: side of a cell, whole where it is not tiny.
        size: cells a side.
        upright: names over the columns stand upright.
        every_row, every_column: of so many classes one is named: more would touch each other.
    """

    width: float
    left: float
    top: float
    cell: float
    size: int
    upright: bool
    every_row: int
    every_column: int

    @property
    def side(self) -> float:
        return self.size * self.cell

    @property
    def height(self) -> int:
        """All of it, names and key included."""
        return math.ceil(self.top + self.side) + SPACING + LINE

    def corner(self, cell: Cell) -> tuple[float, float]:
        """Left and top of a cell."""
        return self.left + cell.given * self.cell, self.top + cell.true * self.cell

    def at(self, x: float, y: float) -> tuple[int | None, int | None]:
        """The row and the column at a place, each None beside the matrix."""
        found = [math.floor((place - start) / self.cell) for place, start in ((y, self.top), (x, self.left))]
        row, column = (place if 0 <= place < self.size else None for place in found)
        return row, column


def matrix_layout(*, size: int, width: float, height: float, longest: float, line: float) -> MatrixLayout:
    """The largest cells that fit below the names of the columns and above the key.

    Args:
        size: classes, 1 or more.
        width, height: of the area, px.
        longest: px of the longest name of a class.
        line: px of a name's height.
    """
    left = max(min(longest, NAME_SHARE * width), LEAST_NAME) + 2 * SPACING
    for upright in (False, True):
        top = LINE + (min(longest, NAME_SHARE * height) + SPACING if upright else line)
        room = min(width - left - SPACING, height - top - LINE - SPACING)
        cell = max(min(room / size, LARGEST), 1.0)
        cell = float(math.floor(cell)) if cell >= SMALLEST else cell
        if longest + SPACING <= cell or longest <= SHORT_NAME * line:
            break
    across = line if upright else longest + SPACING
    spare = max(0.0, width - left - SPACING - size * cell)
    return MatrixLayout(
        width=width,
        left=float(math.floor(left + spare / 2)),
        top=float(math.floor(top)),
        cell=cell,
        size=size,
        upright=upright,
        every_row=max(1, math.ceil(line / cell)),
        every_column=max(1, math.ceil(across / cell)),
    )


def named(number: int, *, every: int, pointed: int | None) -> bool:
    """Whether there is room for the name of a class: what is pointed at comes before its neighbours."""
    if pointed is not None and abs(pointed - number) < every:
        return number == pointed
    return number % every == 0


def colour_levels(shares: NDArray[np.float64], *, limit: float) -> NDArray[np.uint8]:
    """Levels of the diverging map: the diagonal from the ground to one end at 1, mistakes to the other at `limit`.

    0 has the ground's own colour; any more can be told from it.
    """
    scaled = np.minimum(shares / limit, 1.0)
    np.fill_diagonal(scaled, -np.diagonal(shares))
    strength = np.where(scaled == 0, 0.0, FAINTEST + (SIDE - FAINTEST) * np.abs(scaled))
    levels: NDArray[np.uint8] = np.rint(ZERO_LEVEL + np.sign(scaled) * strength).astype(np.uint8)
    return levels
