"""How the canvas looks: ink in the theme's colours, what an empty one says, the ring of the brush."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QCursor, QFont, QImage, QPainter, QPainterPath, QPen, QPixmap

from gui.strokes import SIDE, Pixels
from gui.theme import FONT_BASE, FONT_LARGE, FONT_SMALL, SPACING, Theme

_CORNER = 6.0  # px, radius
_NEAR_BLACK = "#0A0C10"
_WRAP = int(Qt.TextFlag.TextWordWrap)
_CENTRE, _TOP_LEFT = int(Qt.AlignmentFlag.AlignCenter), int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
_TOP_CENTRE = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)


def ground_of(theme: Theme) -> QColor:
    """What is drawn on: near-black in the dark, paper in the light."""
    return QColor(_NEAR_BLACK) if theme.name == "dark" else theme.color("raised")


def tones(theme: Theme, *, as_ink: bool) -> NDArray[np.uint32]:
    """The colour on screen, 0xFFRRGGBB, of each of the 256 grey levels.

    The network always receives bright ink on black. In the light theme the same ink is shown dark on paper, as ink
    is. Pictures that are not drawings (`as_ink` false) are shown as they are.
    """
    ground, ink = (ground_of(theme), theme.color("text")) if as_ink else (QColor(0, 0, 0), QColor(255, 255, 255))
    share = np.linspace(0, 1, 256)
    colours = np.full(256, 0xFF000000, dtype=np.uint32)
    for low, high, shift in (
        (ground.red(), ink.red(), 16),
        (ground.green(), ink.green(), 8),
        (ground.blue(), ink.blue(), 0),
    ):
        colours |= np.rint(low + share * (high - low)).astype(np.uint32) << np.uint32(shift)
    return colours


def outline(area: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(area, _CORNER, _CORNER)
    return path


def paint_pixels(painter: QPainter, area: QRectF, pixels: Pixels, *, theme: Theme, as_ink: bool) -> None:
    """`pixels`, uint8 (H, W) or (H, W, 3), over `area`."""
    height, width = pixels.shape[:2]
    shown: NDArray[np.generic]
    if pixels.ndim == 3:
        shown = np.ascontiguousarray(pixels)
        image = QImage(shown.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    else:
        shown = tones(theme, as_ink=as_ink)[pixels]
        image = QImage(shown.data, width, height, 4 * width, QImage.Format.Format_RGB32)
    # A held sample is shown as it is, pixel for pixel; a drawing is a picture of a line, not of pixels.
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, height == SIDE)
    painter.setClipPath(outline(area))
    painter.drawImage(area, image)
    painter.setClipping(False)


def paint_hint(painter: QPainter, area: QRectF, *, theme: Theme, first: str, second: str) -> None:
    """What an empty canvas says, in two lines around its middle."""
    room = area.adjusted(3 * SPACING, 0, -3 * SPACING, 0)
    painter.setPen(theme.color("secondary"))
    _use_size(painter, FONT_LARGE)
    text = painter.boundingRect(room, _CENTRE | _WRAP, first)
    text.translate(0, -2.5 * SPACING)
    painter.drawText(text, _CENTRE | _WRAP, first)
    _use_size(painter, FONT_SMALL)
    room.setTop(text.bottom() + SPACING)
    painter.drawText(room, _TOP_CENTRE | _WRAP, second)


def paint_message(painter: QPainter, area: QRectF, *, theme: Theme, message: str) -> None:
    """A sentence in a box at the foot of `area`."""
    _use_size(painter, FONT_BASE)
    room = area.adjusted(4 * SPACING, 4 * SPACING, -4 * SPACING, -4 * SPACING)
    text = painter.boundingRect(room, _TOP_LEFT | _WRAP, message)
    text.moveBottom(room.bottom())
    text.setWidth(room.width())
    box = text.adjusted(-2 * SPACING, -2 * SPACING, 2 * SPACING, 2 * SPACING)
    painter.setPen(theme.color("error"))
    painter.setBrush(theme.color("panel"))
    painter.drawRoundedRect(box, SPACING, SPACING)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawText(text, _TOP_LEFT | _WRAP, message)


def paint_cross_hair(painter: QPainter, at: QPointF, *, theme: Theme) -> None:
    """Where the keys' pen is."""
    painter.setPen(QPen(theme.color("accent"), 1.5))
    for reach in (QPointF(2 * SPACING, 0), QPointF(0, 2 * SPACING)):
        painter.drawLine(at - reach, at + reach)


def paint_frame(painter: QPainter, area: QRectF, *, theme: Theme, strong: bool) -> None:
    """The border; `strong` while the canvas has the focus or a picture hovers over it."""
    painter.setPen(QPen(theme.color("accent" if strong else "border"), 2.0 if strong else 1.0))
    inset = 0.0 if strong else 0.5
    painter.drawRoundedRect(area.adjusted(inset, inset, -inset, -inset), _CORNER, _CORNER)


def brush_cursor(*, diameter: float, density: float, theme: Theme, erasing: bool) -> QCursor:
    """A ring of `diameter` px, shaded so that it is seen on ink and ground, for `density` device pixels a pixel."""
    diameter = max(diameter, 4.0)
    side = int(diameter) + 5
    ring = QPixmap(QSize(side, side) * density)
    ring.setDevicePixelRatio(density)
    ring.fill(Qt.GlobalColor.transparent)
    painter = QPainter(ring)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = QPointF(side / 2, side / 2)
    for color, width in ((QColor(0, 0, 0, 110), 3.0), (theme.color("error" if erasing else "accent"), 1.5)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(centre, diameter / 2, diameter / 2)
    painter.end()
    return QCursor(ring, side // 2, side // 2)


def _use_size(painter: QPainter, size: int) -> None:
    font = QFont(painter.font())
    font.setPixelSize(size)
    painter.setFont(font)
