"""The way of gradient descent down a curve, as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.descent import Curve, Walk, window
from gui.plotting.overlay import Frame
from gui.plotting.scale import linear_ticks, tick_text
from gui.plotting.trace import Window, chart_font
from gui.theme import SPACING, Theme

LEFT, TOP, RIGHT, BOTTOM = 56, 28, 16, 24  # px around the curve
TICK_EVERY = (72, 34)  # px from tick to tick, at least: along x, along y
POINTS = 160  # of the curve's line
DOT, NEWEST_DOT = 3.0, 6.0  # px, radius
FADE = 0.96  # of the strength that a dot keeps with each later one
FAINTEST = 0.22
TANGENT = 56.0  # px to each side
ARROW = 72.0  # px where the slope is steepest
HEAD = 8.0  # px, the arrow's
FILM_SIZE = QSize(480, 340)  # px of a frame


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The walk up to `row` on its curve. `close`: the newest steps fill the picture."""

    curve: Curve
    walk: Walk
    row: int
    close: bool = False


class DescentView(QWidget):
    """Shows a scene; empty until there is one."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("descent_view")
        self.setAccessibleName("Gradient descent on its curve")
        self.setToolTip(
            "<p>The dots are the places after each step, the large one the place at the chosen step. The arrow follows "
            "the tangent there downhill, against the gradient; it is the longer the steeper the curve is.</p>"
        )
        self._theme = theme
        self._scene: Scene | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def scene(self) -> Scene | None:
        return self._scene

    def set_scene(self, scene: Scene) -> None:
        self._scene = scene
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 148)

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        with QPainter(self) as painter:
            if self._scene is None:
                painter.fillRect(self.rect(), self._theme.color("panel"))
            else:
                draw(painter, self._scene, self._theme, QRectF(self.rect()), chart_font())


def film(scenes: list[Scene], theme: Theme, font: QFont, size: QSize = FILM_SIZE) -> NDArray[np.uint8]:
    """The scenes as pictures, uint8 (n, height, width, 3). Touches no widget: may be called from any thread."""
    frames = np.empty((len(scenes), size.height(), size.width(), 3), np.uint8)
    image = QImage(size, QImage.Format.Format_RGB32)
    for frame, scene in zip(frames, scenes, strict=True):
        with QPainter(image) as painter:
            draw(painter, scene, theme, QRectF(image.rect()), font)
        lines = np.frombuffer(image.constBits(), np.uint32).reshape(size.height(), -1)
        frame[..., 0], frame[..., 1], frame[..., 2] = lines >> 16 & 255, lines >> 8 & 255, lines & 255
    return frames


def draw(painter: QPainter, scene: Scene, theme: Theme, place: QRectF, font: QFont) -> None:
    """Ground, axes, curve, the dots so far, and tangent and arrow at the newest, into `place`."""
    area = place.adjusted(LEFT, TOP, -RIGHT, -BOTTOM)
    painter.fillRect(place, theme.color("panel"))
    if area.width() < 1 or area.height() < 1:
        return
    curve, walk, row = scene.curve, scene.walk, scene.row
    x_range, y_range = window(curve, walk.reach(row, close=scene.close))
    frame = Frame(theme, area, Window(x_range, y_range, area.width(), area.height(), log=False, floor=0.0))
    _draw_axes(painter, frame, font)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font)
    painter.setPen(theme.color("secondary"))
    words = QRectF(place.left() + SPACING, place.top(), place.width() - 2 * SPACING - RIGHT / 2, TOP)
    formula = f"y = {curve.formula}"
    painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, formula)
    x = float(walk.x[row])
    painter.setPen(theme.color("text"))
    where = f"step {walk.steps[row]}: x = {x:.4g}".replace("-", "−")
    painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, where)
    painter.setClipRect(area.adjusted(-NEWEST_DOT, -NEWEST_DOT, NEWEST_DOT, NEWEST_DOT))
    _draw_curve(painter, frame, curve)
    _draw_dots(painter, frame, curve, walk.x[: row + 1])
    if x_range.low <= x <= x_range.high:
        _draw_newest(painter, frame, curve, x)


def _draw_axes(painter: QPainter, frame: Frame, font: QFont) -> None:
    """Grid and numbers, and the axes' names at their ends."""
    area, shown = frame.area, frame.window
    x_ticks = linear_ticks(shown.x, max(int(area.width() / TICK_EVERY[0]), 3))
    y_ticks = linear_ticks(shown.y, max(int(area.height() / TICK_EVERY[1]), 2))
    x_step, y_step = (ticks[1] - ticks[0] if len(ticks) > 1 else 1.0 for ticks in (x_ticks, y_ticks))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    frame.draw_grid(painter, x_ticks=x_ticks, y_ticks=y_ticks)
    painter.setFont(font)
    painter.setPen(frame.theme.color("secondary"))
    height = QFontMetricsF(font).height()
    end = area.right() - 2 * SPACING
    for tick, x in zip(x_ticks, frame.x_pixels(np.array(x_ticks)).tolist(), strict=True):
        text = tick_text(tick, x_step)
        width = QFontMetricsF(font).horizontalAdvance(text)
        if x + width / 2 < end:
            painter.drawText(QPointF(x - width / 2, area.bottom() + height), text)
    painter.drawText(QPointF(area.right() - SPACING, area.bottom() + height), "x")
    for tick, y in zip(y_ticks, frame.y_pixels(np.array(y_ticks)).tolist(), strict=True):
        box = QRectF(area.left() - LEFT, y - height / 2, LEFT - 2 * SPACING, height)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, tick_text(tick, y_step))


def _draw_curve(painter: QPainter, frame: Frame, curve: Curve) -> None:
    x = np.linspace(frame.window.x.low, frame.window.x.high, POINTS)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(frame.theme.color("train"), 2))
    painter.drawPolyline(QPolygonF(_pixels(frame, x, curve.value(x))))


def _draw_dots(painter: QPainter, frame: Frame, curve: Curve, x: NDArray[np.float64]) -> None:
    """Older ones fainter. Of those in the same place the newest is drawn."""
    shown = frame.window.x
    inside = np.flatnonzero((x >= shown.low) & (x <= shown.high))
    cells = np.round(frame.x_pixels(x[inside])).astype(np.int64)
    newest = len(inside) - 1 - np.unique(cells[::-1], return_index=True)[1]
    rows = inside[np.sort(newest)]
    strengths = np.maximum(FADE ** (len(x) - 1 - rows), FAINTEST).tolist()
    painter.setPen(Qt.PenStyle.NoPen)
    for place, strength in zip(_pixels(frame, x[rows], curve.value(x[rows])), strengths, strict=True):
        painter.setBrush(frame.theme.color("validation", strength))
        painter.drawEllipse(place, DOT, DOT)


def _draw_newest(painter: QPainter, frame: Frame, curve: Curve, x: float) -> None:
    """Tangent, arrow and dot at `x`."""
    theme, area, shown = frame.theme, frame.area, frame.window
    (place,) = _pixels(frame, np.array([x]), curve.value(np.array([x])))
    ends = np.array([x, shown.x.low, shown.x.high])
    slope, *steepest = curve.slope(ends).tolist()
    across, up = 1.0, slope * (shown.x.span / area.width()) / (shown.y.span / area.height())  # in pixels
    length = math.hypot(across, up)
    direction = QPointF(across / length, -up / length)
    pen = QPen(theme.color("secondary"), 1)
    pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.drawLine(place - direction * TANGENT, place + direction * TANGENT)
    size = ARROW * abs(slope) / max(abs(steepest[0]), abs(steepest[1]))
    if size > NEWEST_DOT + HEAD / 2:
        _draw_arrow(painter, frame, place, direction * -math.copysign(1.0, slope), max(size, NEWEST_DOT + HEAD + 2))
    painter.setPen(QPen(theme.color("panel"), 1.5))
    painter.setBrush(theme.color("validation"))
    painter.drawEllipse(place, NEWEST_DOT, NEWEST_DOT)


def _draw_arrow(painter: QPainter, frame: Frame, place: QPointF, direction: QPointF, size: float) -> None:
    tip = place + direction * size
    neck = tip - direction * HEAD
    aside = QPointF(-direction.y(), direction.x()) * (HEAD / 2)
    color = frame.theme.color("text")
    painter.setPen(QPen(color, 2))
    painter.drawLine(place, neck)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawPolygon(QPolygonF([tip, neck + aside, neck - aside]))


def _pixels(frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[QPointF]:
    return list(map(QPointF, frame.x_pixels(x).tolist(), frame.y_pixels(y).tolist()))
