"""A pattern of a few cells: their values, the way back, and where they are on the screen. No Qt."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.datasets.data import DatasetInfo
from engine.errors import InputError

Values = NDArray[np.float32]

MOST_SIDE = 8  # cells; larger images are drawn with a brush
HIGHEST = 999_999_999
HIGHEST_GREY = 255  # where samples are grey levels

_STEPS = 100  # of undo
_FAINTEST = 48  # grey level of the least value above 0: every lit cell is told from an unlit one


class Cell(NamedTuple):
    """Counted from 0."""

    row: int
    column: int


def is_painted_by_cell(info: DatasetInfo) -> bool:
    """Whether samples of this dataset are so small that each of their values is set by itself."""
    return info.is_image and info.shape[0] == 1 and max(info.shape[1:]) <= MOST_SIDE and not info.drawable


def highest_of(info: DatasetInfo) -> int:
    """The largest value that a cell of this dataset's samples can be given."""
    return HIGHEST if info.raw else HIGHEST_GREY


# Geometry


@dataclass(frozen=True, slots=True)
class Frame:
    """The cells within a widget, in its pixels: squares of `side`, the first one at (left, top)."""

    left: float
    top: float
    side: float
    rows: int
    columns: int

    @property
    def width(self) -> float:
        return self.columns * self.side

    @property
    def height(self) -> float:
        return self.rows * self.side

    def corner(self, cell: Cell) -> tuple[float, float]:
        """The cell's left and upper edge."""
        return self.left + cell.column * self.side, self.top + cell.row * self.side

    def cell_at(self, *, x: float, y: float) -> Cell | None:
        """The cell under a point; None beside the cells."""
        cell = Cell(math.floor((y - self.top) / self.side), math.floor((x - self.left) / self.side))
        return cell if 0 <= cell.row < self.rows and 0 <= cell.column < self.columns else None

    def nearest(self, *, x: float, y: float) -> Cell:
        """The cell under a point, or the one at the edge next to it."""
        row, column = math.floor((y - self.top) / self.side), math.floor((x - self.left) / self.side)
        return Cell(min(max(row, 0), self.rows - 1), min(max(column, 0), self.columns - 1))


def frame_in(*, width: float, height: float, rows: int, columns: int, margin: float) -> Frame:
    """The largest square cells of whole pixels, at least one, centred in `width`×`height` with `margin` around them."""
    side = max(1.0, math.floor(min((width - 2 * margin) / columns, (height - 2 * margin) / rows)))
    left, top = math.floor((width - columns * side) / 2), math.floor((height - rows * side) / 2)
    return Frame(left=left, top=top, side=side, rows=rows, columns=columns)


def line_of(start: Cell, end: Cell) -> Iterator[Cell]:
    """The cells along the straight line from `start` to `end`, both included."""
    pieces = max(abs(end.row - start.row), abs(end.column - start.column), 1)
    for piece in range(pieces + 1):
        share = piece / pieces
        yield Cell(
            math.floor(start.row + share * (end.row - start.row) + 0.5),
            math.floor(start.column + share * (end.column - start.column) + 0.5),
        )


# Numbers


def ladder(highest: int) -> tuple[int, ...]:
    """0, then 1, 2, 5, 10, 20, 50 … below `highest`, and `highest` itself: the stops of a slider over all of it."""
    powers = range(len(str(highest)))
    return (0, *(stop for power in powers for digit in (1, 2, 5) if (stop := digit * 10**power) < highest), highest)


def nearest_stop(value: float, stops: tuple[int, ...]) -> int:
    """The index of the stop that `value` is nearest to, by their ratio."""
    return min(range(len(stops)), key=lambda i: abs(math.log1p(stops[i]) - math.log1p(max(value, 0.0))))


def short(value: float) -> str:
    """A value in a cell, at most four digits long: 19, 0.25, 1e9, 1.235e4."""
    mantissa, e, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def levels(values: Values) -> NDArray[np.uint8]:
    """Grey levels to show values with: 0 and less as 0, the largest as 255, what lies between never quite dark."""
    largest = float(values.max(initial=0.0))
    if largest <= 0:
        return np.zeros(values.shape, dtype=np.uint8)
    shares = np.clip(values.astype(np.float64) / largest, 0, 1)
    shown = np.where(shares > 0, _FAINTEST + shares * (255 - _FAINTEST), 0)
    return np.rint(shown).astype(np.uint8)


def as_text(values: Values) -> str:
    """Rows of numbers with tabs between them, as spreadsheets take them. `parse_cells` reads them back exactly."""
    return "".join("\t".join(_exact(value) for value in row) + "\n" for row in values.tolist())


def parse_cells(text: str, *, rows: int, columns: int, highest: int) -> Values:
    """The table of numbers in `text`, float32 (rows, columns).

    Numbers stand apart by tabs, spaces, semicolons or commas. Raises InputError for anything else than the right count
    of numbers in 0 … highest.
    """
    words = [word for word in re.split(r"[\s;,]+", text[:100_000].strip()) if word]
    accepted = f"{rows} rows of {columns} numbers from 0 to {highest:,}"
    if len(words) != rows * columns:
        found = f"{len(words)} words" if words else "nothing"
        raise InputError("pattern", f"there is no pattern of {rows}×{columns} cells but {found}", accepted)
    values = np.empty(rows * columns, dtype=np.float32)
    for place, word in enumerate(words):
        try:
            number = float(word)
        except ValueError:
            raise InputError("pattern", f"{word[:20]!r} is no number", accepted) from None
        if not 0 <= number <= np.float32(highest):  # NaN is neither
            raise InputError("pattern", f"{word[:20]} is not a value that a cell can have", accepted)
        values[place] = number
    return values.reshape(rows, columns)


def _exact(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


class Cells:
    """The values of a pattern and those before. What changes between `begin` and `end` is one step to undo."""

    def __init__(self, *, rows: int, columns: int) -> None:
        self._values = np.zeros((rows, columns), dtype=np.float32)
        self._past: deque[Values] = deque(maxlen=_STEPS)
        self._before: Values | None = None

    @property
    def values(self) -> Values:
        """float32 (rows, columns), to be looked at only."""
        return self._values

    @property
    def is_empty(self) -> bool:
        return not self._values.any()

    @property
    def can_undo(self) -> bool:
        return bool(self._past) or (self._before is not None and not np.array_equal(self._before, self._values))

    def taken(self) -> Values | None:
        """An owned, read-only copy, None when there is nothing."""
        if self.is_empty:
            return None
        copy = self._values.copy()
        copy.flags.writeable = False
        return copy

    def begin(self) -> None:
        """A step begins; one that is open ends."""
        self.end()
        self._before = self._values.copy()

    def paint(self, cell: Cell, value: float) -> bool:
        """Gives a cell a value; whether it had another one."""
        changed = bool(self._values[cell] != np.float32(value))
        self._values[cell] = value
        return changed

    def end(self) -> None:
        """The step is over. One that changed nothing leaves nothing to undo."""
        before, self._before = self._before, None
        if before is not None and not np.array_equal(before, self._values):
            self._past.append(before)

    def put(self, values: Values) -> None:
        """Takes over float32 (rows, columns) bit for bit."""
        self.begin()
        self._values = values.astype(np.float32)
        self.end()

    def clear(self) -> bool:
        """Sets all to 0, which can be undone; whether there was something."""
        had = not self.is_empty
        self.put(np.zeros_like(self._values))
        return had

    def undo(self) -> bool:
        """Takes the last step back; whether there was one."""
        self.end()
        if not self._past:
            return False
        self._values = self._past.pop()
        return True
