"""A film of a layer's filters along a run: the frames of a GIF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from engine.snapshots import FilterImages
from gui.colormap import LINE_LEVEL, ZERO_LEVEL, diverging, diverging_levels, steady_limit
from gui.numbers import count
from gui.theme import PANEL_MARGIN, Theme, base_font
from gui.tiles import Mosaic, tile_layout

Frames = NDArray[np.uint8]

MOST_FRAMES = 150
SECONDS, HOLD = 0.1, 1.5  # a frame's time; how much longer the last one stays
WIDTH, TALLEST = 560, 400  # px of the filters
CAPTION = 28  # px
GAP = 4  # px between filters


def film_steps(steps: Sequence[int], *, most: int = MOST_FRAMES) -> list[int]:
    """Of ascending steps those that the film shows: all, or `most` of them, the first and the last among them."""
    if len(steps) <= most:
        return list(steps)
    places = np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
    return [steps[place] for place in places.tolist()]


def captions(steps: Sequence[int], *, title: str, theme: Theme) -> Frames:
    """A line of words for each frame, uint8 (frames, CAPTION, WIDTH, 3). To be called in the window's thread."""
    width = WIDTH + 2 * PANEL_MARGIN
    lines = []
    for step in steps:
        image = QImage(width, CAPTION, QImage.Format.Format_RGB888)
        image.fill(QColor(theme.panel))
        painter = QPainter(image)
        painter.setFont(base_font())
        room = QRect(PANEL_MARGIN, 0, width - 2 * PANEL_MARGIN, CAPTION)
        painter.setPen(theme.color("secondary"))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, title)
        painter.setPen(theme.color("text"))
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"step {count(step)}")
        painter.end()
        rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(CAPTION, image.bytesPerLine())
        lines.append(rows[:, : 3 * width].reshape(CAPTION, width, 3).copy())
    return np.stack(lines)


def film(
    images: Sequence[FilterImages],
    *,
    initial: FilterImages | None,
    scale: Literal["shared", "each"],
    lines: Frames,
    theme: Theme,
) -> Frames:
    """The frames, uint8 (n, H, W, 3), on one colour scale from the first to the last. Needs no window's thread.

    Args:
        images: the layer's filters, one a frame.
        initial: whose difference is shown; None: the values themselves.
        scale: one for all filters, or one for each.
        lines: one caption a frame, as `captions` makes them.
    """
    values = np.stack([frame.values for frame in images])
    with np.errstate(invalid="ignore", over="ignore"):  # weights that ran off to infinity
        values = values if initial is None else values - initial.values
    sizes = np.where(np.isfinite(values), np.abs(values), 0)
    limit: NDArray[np.float32] | float
    if scale == "each":
        limit = sizes.max(axis=(0, 2, 3, 4))[:, np.newaxis, np.newaxis, np.newaxis]
    else:
        limit = steady_limit(float(sizes.max()), None)
    _, filters, channels, tall, wide = values.shape
    layout = tile_layout(filters, WIDTH, TALLEST, channels * wide / tall, gap=GAP)
    height = min(TALLEST, round(layout.rows * layout.tile_height + (layout.rows - 1) * GAP + 2))
    mosaic = Mosaic((filters, channels, tall, wide), width=WIDTH, height=max(height, 1), gap=GAP)
    colours = diverging(theme)[:, :3]
    ground = colours[ZERO_LEVEL]
    frames = np.empty((len(values), CAPTION + mosaic.height + PANEL_MARGIN, lines.shape[2], 3), dtype=np.uint8)
    frames[:] = ground
    frames[:, :CAPTION] = lines
    for frame, weights in zip(frames, values, strict=True):
        levels = mosaic.compose(diverging_levels(weights, limit), ground=ZERO_LEVEL, border=LINE_LEVEL)
        frame[CAPTION : CAPTION + mosaic.height, PANEL_MARGIN : PANEL_MARGIN + WIDTH] = colours[levels]
    return frames
