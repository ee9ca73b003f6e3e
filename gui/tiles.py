"""Many small pictures in one: where the tiles go, and the pixels of all of them at once. Pure numpy, no Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Colour = TypeVar("Colour", np.uint8, np.uint32)

WHOLE_SCALE_FROM = 6  # px a value: from here on every value is equally large, below that space counts more
SEPARATED_FROM = (6, 16, 48)  # px: from such widths on, kernels have one, two, three lines between them


@dataclass(frozen=True, slots=True)
class TileLayout:
    """Tiles of one size in rows, read like text. Sizes in px, fractional."""

    columns: int
    rows: int
    tile_width: float
    tile_height: float


def tile_layout(count: int, width: int, height: int, aspect: float, *, gap: int = 0) -> TileLayout:
    """The number of columns that makes `count` tiles largest in an area.

    Args:
        count: tiles, 1 or more.
        width, height: of the area, px.
        aspect: a tile's width divided by its height.
        gap: between neighbouring tiles, px.
    """
    best = TileLayout(columns=1, rows=count, tile_width=0.0, tile_height=0.0)
    rows_before = 0
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        if rows == rows_before:  # the same rows with narrower tiles
            continue
        rows_before = rows
        tile_width = min((width - gap * (columns - 1)) / columns, max(0.0, (height - gap * (rows - 1)) / rows) * aspect)
        if tile_width > best.tile_width:
            best = TileLayout(columns=columns, rows=rows, tile_width=tile_width, tile_height=tile_width / aspect)
    return best


class Place(NamedTuple):
    """One value: of which filter, input channel, row and column, all counted from 0."""

    filter: int
    channel: int
    row: int
    column: int


class Box(NamedTuple):
    """A rectangle in px."""

    left: int
    top: int
    width: int
    height: int


class Mosaic:
    """Filters as bordered strips of kernels, every value a block of one colour, in one picture of a given size.

    One strip is one filter; its kernels, one for each input channel, stand in it from left to right. Composing goes
    through a small picture in which every value, line and gap is one pixel; its columns and rows are then repeated,
    which costs little more than copying.

    Args:
        shape: of the values: (filters, channels, H, W), each 1 or more.
        width, height: of the picture, px, 1 or more. What does not fit is cut at the right and the bottom.
        line: width of the borders, px.
        gap: between filters, px.
    """

    def __init__(
        self, shape: tuple[int, int, int, int], *, width: int, height: int, line: int = 1, gap: int = 4
    ) -> None:
        self.shape = shape
        self.width, self.height = width, height
        filters, channels, tall, wide = shape
        layout = tile_layout(filters, width - 2 * line, height - 2 * line, channels * wide / tall, gap=gap + 2 * line)
        kernel_width = min(layout.tile_width / channels, layout.tile_height * wide / tall)
        separator = line * sum(kernel_width >= width * line for width in SEPARATED_FROM)
        room = layout.tile_width - separator * (channels - 1)
        scale = min(room / (channels * wide), layout.tile_height / tall)
        if scale >= WHOLE_SCALE_FROM:
            scale = math.floor(scale)
        self.columns, self.rows = layout.columns, layout.rows
        across, self._across = _lines(
            strips=self.columns,
            kernels=channels,
            values=wide,
            kernel=max(1, math.floor(scale * wide)),
            line=line,
            separator=separator,
            gap=gap,
            room=width,
        )
        down, self._down = _lines(
            strips=self.rows,
            kernels=1,
            values=tall,
            kernel=max(1, math.floor(scale * tall)),
            line=line,
            separator=0,
            gap=gap,
            room=height,
        )
        # Which line of the small picture each pixel of the large one shows.
        self._x_lines = np.repeat(np.arange(len(across)), across)[:width]
        self._y_lines = np.repeat(np.arange(len(down)), down)[:height]
        self._x_starts = np.concatenate([[0], np.cumsum(across)])
        self._y_starts = np.concatenate([[0], np.cumsum(down)])

        rows, columns = np.divmod(np.arange(filters), self.columns)
        self._targets = self._down[rows, 0][:, None, :, None] * len(across) + self._across[columns][:, :, None, :]
        self._value_at = np.full((len(down), len(across)), -1, dtype=np.intp)
        self._value_at.ravel()[self._targets] = np.arange(math.prod(shape)).reshape(shape)
        self._bordered = np.zeros((len(down), len(across)), dtype=np.bool_)
        for index in range(filters):
            left, top, right, bottom = self._box_lines(index)
            self._bordered[top:bottom, left:right] = True

    def compose(self, colours: NDArray[Colour], *, ground: int, border: int) -> NDArray[Colour]:
        """The picture, (height, width), C-contiguous, of the dtype of `colours`.

        Args:
            colours: a colour or its number for each value, in this mosaic's shape.
            ground, border: the colours between filters, and around and between kernels.
        """
        small = np.where(self._bordered, colours.dtype.type(border), colours.dtype.type(ground))
        small.ravel()[self._targets] = colours
        return small[:, self._x_lines].take(self._y_lines, axis=0)

    def locate(self, x: int, y: int) -> Place | None:
        """The value under a pixel; None beside the picture, on lines and in gaps."""
        if not (0 <= x < len(self._x_lines) and 0 <= y < len(self._y_lines)):
            return None
        value = int(self._value_at[self._y_lines[y], self._x_lines[x]])
        return None if value < 0 else Place(*(int(part) for part in np.unravel_index(value, self.shape)))

    def box(self, filter_index: int) -> Box:
        """Where a filter is, with its border."""
        left, top, right, bottom = self._box_lines(filter_index)
        x, y = int(self._x_starts[left]), int(self._y_starts[top])
        return Box(x, y, int(self._x_starts[right]) - x, int(self._y_starts[bottom]) - y)

    def value_box(self, place: Place) -> Box:
        """Where one value is."""
        row, column = divmod(place.filter, self.columns)
        x = int(self._across[column, place.channel, place.column])
        y = int(self._down[row, 0, place.row])
        left, top = int(self._x_starts[x]), int(self._y_starts[y])
        return Box(left, top, int(self._x_starts[x + 1]) - left, int(self._y_starts[y + 1]) - top)

    def moved(self, place: Place, *, right: int = 0, down: int = 0) -> Place:
        """The value so many values further in the picture, across kernels and filters; at its edges, the last one."""
        filters, channels, tall, wide = self.shape
        row, column = divmod(place.filter, self.columns)
        x = (column * channels + place.channel) * wide + place.column + right
        y = row * tall + place.row + down
        x = min(max(x, 0), min(self.columns, filters) * channels * wide - 1)
        y = min(max(y, 0), self.rows * tall - 1)
        index = y // tall * self.columns + x // (channels * wide)
        if index >= filters:  # the last row may be shorter
            return place
        return Place(index, x // wide % channels, y % tall, x % wide)

    def _box_lines(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a filter in lines of the small picture; the last two are one beyond."""
        row, column = divmod(index, self.columns)
        across, down = self._across[column], self._down[row]
        return int(across[0, 0]) - 1, int(down[0, 0]) - 1, int(across[-1, -1]) + 2, int(down[-1, -1]) + 2


def _lines(
    *, strips: int, kernels: int, values: int, kernel: int, line: int, separator: int, gap: int, room: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """One direction of a mosaic: the sizes of all lines of the small picture in px, and which of them hold values.

    The latter has shape (strips, kernels, values). All sizes add up to `room`, or more where it is too small; what is
    left over goes to both ends.
    """
    value_sizes = np.diff(np.arange(values + 1) * kernel // values).tolist()
    sizes = [0]
    places = []
    for strip in range(strips):
        sizes += [gap, line] if strip else [line]
        for index in range(kernels):
            if index:
                sizes.append(separator)
            places.append(range(len(sizes), len(sizes) + values))
            sizes += value_sizes
        sizes.append(line)
    spare = max(0, room - sum(sizes))
    sizes[0] = spare // 2
    sizes.append(spare - spare // 2)
    return np.array(sizes, dtype=np.intp), np.array(places, dtype=np.intp).reshape(strips, kernels, values)
