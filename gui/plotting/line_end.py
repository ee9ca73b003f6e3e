"""LineEnd: where a line reduced to the screen's columns ends, so that points can be added to it alone. No Qt."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from gui.plotting.scale import column_ends, column_starts, extremes, fills
from gui.series import Floats, Ints


class LineEnd:
    """Continues what `columns` (of a `band`) or `thinned` (of a `line`) made of a line's points.

    `of` looks at all points once. After that `grow` needs those from `settled` on and gives what of the reduced line is
    another now: together the same as all points reduced anew.

    Attributes:
        settled: the first point that has not been given its final place.
    """

    def __init__(self, style: Literal["band", "line"], *, origin: float, pixel: float, raw: bool) -> None:
        self._style = style
        self._origin, self._pixel = origin, pixel
        self._raw = raw  # single values are drawn as they are, while there are few
        self.settled = 0
        self._columns = 0  # of pixels before that point

    @classmethod
    def of(
        cls, style: Literal["band", "line"], x: Floats, low: Floats, high: Floats, *, origin: float, pixel: float
    ) -> Self | None:
        """The end of a line of at least one point; None of one that cannot grow. Arguments as of `columns`."""
        starts = column_starts(x, origin=origin, pixel=pixel)
        raw = not fills(len(starts), points=len(x))
        if style == "band" and raw and not np.array_equal(low, high):
            return None
        end = cls(style, origin=origin, pixel=pixel, raw=raw)
        end._settle(starts)
        return end

    def grow(self, x: Floats, low: Floats, high: Floats) -> tuple[int, Floats, Floats] | None:
        """Take in the line's points from `settled` on, at least one; (n,), ascending and finite.

        Returns how many points of the reduced line stay, and the x and y of those that follow. None where the whole
        line must be reduced anew.
        """
        starts = column_starts(x, origin=self._origin, pixel=self._pixel)
        raw = not fills(self._columns + len(starts), points=self.settled + len(x))
        if self._style == "line":
            ends = column_ends(starts, points=len(x))
            found = self._columns, x[ends], low[ends]
        elif raw != self._raw or (raw and not np.array_equal(low, high)):
            return None
        elif raw:
            found = self.settled, x, low
        else:
            found = 2 * self._columns, *extremes(x, low, high, starts, origin=self._origin, pixel=self._pixel)
        self._settle(starts)
        return found

    def _settle(self, starts: Ints) -> None:
        """The last column may get more points. Extremes go down and up by turns: an even number of columns is left."""
        settled = len(starts) - 1
        settled -= (self._columns + settled) % 2
        if settled > 0:
            self._columns += settled
            self.settled += int(starts[settled])
