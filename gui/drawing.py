"""What is on the canvas, and the way back: strokes, pictures, undo. No Qt."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.predict import with_channels
from gui.strokes import SIDE, Dab, Pixels, between, curve, distance, enlarge, erase, paint

_STEPS = 100  # of undo; a grey step holds 77 KiB
_LEAST_MOVE = 0.75  # canvas pixels; shorter moves are a hand's tremor


@dataclass(frozen=True, slots=True)
class _State:
    """`raster` is never written to once it is in a state; `exact` hides it."""

    raster: Pixels
    exact: Pixels | None = None

    @property
    def is_empty(self) -> bool:
        return self.exact is None and not self.raster.any()


class Drawing:
    """A square of `SIDE`×`SIDE` pixels, bright ink on black, grey (H, W) or in colour (H, W, 3).

    A sample can be held exactly, in its own size, until something is drawn over it.
    """

    def __init__(self, channels: int = 1) -> None:
        self._state = _blank(channels)
        self._past: deque[_State] = deque(maxlen=_STEPS)
        self._channels = channels
        self._stroke: Pixels | None = None
        self._erasing = False
        self._pen = self._reached = Dab(0, 0, 0)

    @property
    def channels(self) -> int:
        return self._channels

    @property
    def is_empty(self) -> bool:
        return self._state.is_empty if self._stroke is None else not self._stroke.any()

    @property
    def is_stroking(self) -> bool:
        return self._stroke is not None

    @property
    def can_undo(self) -> bool:
        return bool(self._past) or self._stroke is not None

    @property
    def pixels(self) -> Pixels:
        """What is there now, to be looked at only: the exact sample in its own size, or the raster."""
        if self._stroke is not None:
            return self._stroke
        return self._state.raster if self._state.exact is None else self._state.exact

    def taken(self) -> Pixels | None:
        """An owned, read-only copy of the pixels, None when there is nothing."""
        if self.is_empty:
            return None
        copy = self.pixels.copy()
        copy.flags.writeable = False
        return copy

    def begin(self, pen: Dab, *, erasing: bool) -> None:
        """Puts the pen down: the first dab of a stroke."""
        self.end()
        state = self._state
        self._stroke = state.raster.copy() if state.exact is None else _raster_of(state.exact, self._channels)
        self._erasing = erasing
        self._pen = self._reached = pen
        self._segment(pen, pen)

    def extend(self, pen: Dab) -> bool:
        """Draws on to where the pen is now; whether that changed anything.

        The path runs through the middles between the pen's places, pulled by the places themselves, so that it is
        smooth however few of them the mouse reports.
        """
        if self._stroke is None or distance(self._pen, pen) < _LEAST_MOVE:
            return False
        middle = between(self._pen, pen)
        for a, b in curve(self._reached, self._pen, middle):
            self._segment(a, b)
        self._pen, self._reached = pen, middle
        return True

    def end(self) -> None:
        """Lifts the pen. A stroke that changed nothing leaves no step to undo."""
        if self._stroke is None:
            return
        self._segment(self._reached, self._pen)
        stroke, self._stroke = self._stroke, None
        if self._state.exact is not None or not np.array_equal(stroke, self._state.raster):
            self._enter(_State(stroke))

    def cancel(self) -> None:
        """Lifts the pen and forgets the stroke."""
        self._stroke = None

    def put_picture(self, picture: Pixels) -> None:
        """Covers the canvas with `picture`: uint8 (SIDE, SIDE) or (SIDE, SIDE, 3), to be drawn over."""
        self.cancel()
        self._enter(_State(with_channels(picture, self._channels).copy()))

    def put_exact(self, sample: Pixels) -> None:
        """Holds `sample`, uint8 (H, W) or (H, W, 3) of any size, as it is."""
        self.cancel()
        self._enter(_State(self._state.raster, sample.copy()))

    def clear(self) -> bool:
        """Empties the canvas, which can be undone; whether there was something."""
        self.end()
        if self._state.is_empty:
            return False
        self._enter(_blank(self._channels))
        return True

    def undo(self) -> bool:
        """Takes the last step back; whether there was one."""
        self.end()
        if not self._past:
            return False
        self._state = self._past.pop()
        return True

    def reset(self, channels: int) -> None:
        """Starts anew, with nothing to undo."""
        self.cancel()
        self._channels = channels
        self._state = _blank(channels)
        self._past.clear()

    def _enter(self, state: _State) -> None:
        self._past.append(self._state)
        self._state = state

    def _segment(self, a: Dab, b: Dab) -> None:
        if self._stroke is not None:
            (erase if self._erasing else paint)(self._stroke, a, b)


def _blank(channels: int) -> _State:
    return _State(np.zeros((SIDE, SIDE) if channels == 1 else (SIDE, SIDE, channels), dtype=np.uint8))


def _raster_of(sample: Pixels, channels: int) -> Pixels:
    return np.ascontiguousarray(enlarge(with_channels(sample, channels)))
