"""Points in the plane, the lines that a network draws through them, and its probabilities as colours behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QToolTip

from gui.lean import pyqtgraph
from gui.plotting.axes import RIGHT, TOP
from gui.plotting.overlay import Frame
from gui.plotting.ranged_plot import RangedPlot
from gui.plotting.scale import Range, tick_text
from gui.plotting.trace import Window, chart_font
from gui.sample_charts import CLASS_ROLES, NAMED_ROLES
from gui.series import Floats
from gui.theme import SPACING, Theme

LINE_WIDTH = 2  # px
POINT_SIZE = 8  # px
MANY = 400  # points; more are drawn smaller
FIELD_STRENGTH = 0.5  # of a class's colour where the network is sure of it
SYMBOLS = ("o", "d", "t1")  # disc, diamond, triangle: the marks of the dataset's preview
_FAR = 100.0  # of the range: lines are cut off there

LineStyle = Literal["solid", "dashed", "dotted"]
DASHES: Mapping[LineStyle, list[float]] = {"solid": [], "dashed": [4, 3], "dotted": [1, 2]}


@dataclass(frozen=True, slots=True)
class Line:
    """x and y (n,), x ascending; values that are not finite are gaps. `role` is the theme's colour."""

    name: str
    role: str
    style: LineStyle
    x: Floats
    y: Floats


class PointsPlot(RangedPlot):
    """Shows points, lines and a field. What is set again unchanged costs next to nothing.

    Args:
        describe: (x, y) of a place to what is there, for the tooltip.
    """

    def __init__(self, theme: Theme, *, describe: Callable[[float, float], str]) -> None:
        super().__init__(theme, tick=tick_text, x=Range(0.0, 1.0), y=Range(0.0, 1.0))
        self._describe = describe
        self._y_name = "y"
        self._classes: tuple[str, ...] = ()
        self._field_values: NDArray[np.float32] | None = None
        self._scatters: list[pyqtgraph.ScatterPlotItem] = []
        self._lines: dict[str, Line] = {}
        self._items: dict[str, pyqtgraph.PlotCurveItem] = {}
        self._image = pyqtgraph.ImageItem()
        self._image.setZValue(-1)
        self._image.setVisible(False)
        self.plotItem.addItem(self._image)
        self._y_axis.show_numbers(True)
        self.plotItem.layout.setContentsMargins(0, TOP, RIGHT, 0)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(200, 140)
        self.setObjectName("points_plot")
        self.setAccessibleName("Points and what the network makes of them")
        self._show_ranges()
        self.set_theme(theme)

    @property
    def lines(self) -> Mapping[str, Line]:
        """By name, as they were set."""
        return self._lines

    @property
    def field(self) -> NDArray[np.float32] | None:
        """As it was set."""
        return self._field_values

    # What is shown

    def set_theme(self, theme: Theme) -> None:
        self._theme_axes(theme)
        for number, scatter in enumerate(self._scatters):
            self._style_points(scatter, number)
        for name, item in self._items.items():
            item.setPen(self._pen(self._lines[name]))
        self._paint_field()
        self._redraw_all()

    def set_axes(self, *, x: str, y: str) -> None:
        """The names at the axes."""
        if (x, y) != (self._x_axis.unit, self._y_name):
            self._x_axis.set_unit(x)
            self._y_name = y
            self._redraw_all()

    def set_hint(self, hint: str) -> None:
        """Words in the middle."""
        if hint != self._hint:
            self._hint = hint
            self._redraw_all()

    def set_points(self, places: Floats, groups: NDArray[np.int64], *, classes: tuple[str, ...]) -> None:
        """Points (n, 2), each of the class of its number in `groups` (n,); no classes: all alike."""
        for scatter in self._scatters:
            self.plotItem.removeItem(scatter)
        self._classes = classes
        self._scatters = []
        for number in range(max(len(classes), 1)):
            of = places[groups == number] if classes else places
            size = POINT_SIZE if len(places) <= MANY else POINT_SIZE - 3
            symbol = SYMBOLS[number % len(SYMBOLS)]
            scatter = pyqtgraph.ScatterPlotItem(x=of[:, 0], y=of[:, 1], size=size, symbol=symbol, antialias=True)
            scatter.setZValue(1)
            self._style_points(scatter, number)
            self.plotItem.addItem(scatter)
            self._scatters.append(scatter)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """All lines there are, the lowest first."""
        wanted = {line.name: line for line in lines}
        for name in self._items.keys() - wanted.keys():
            self.plotItem.removeItem(self._items.pop(name))
            del self._lines[name]
        for order, line in enumerate(lines):
            old = self._lines.get(line.name)
            if old is not None and _same(old, line):
                continue
            item = self._items.get(line.name)
            if item is None:
                item = self._items[line.name] = pyqtgraph.PlotCurveItem(name=line.name, antialias=True)
                self.plotItem.addItem(item)
            item.setZValue(2 + order)
            if old is None or (old.role, old.style) != (line.role, line.style):
                item.setPen(self._pen(line))
            self._lines[line.name] = line
            span, (low, high) = self._y.span, self._y
            item.setData(line.x, line.y.clip(low - _FAR * span, high + _FAR * span), connect="finite")

    def set_field(self, probabilities: NDArray[np.float32] | None) -> None:
        """Probabilities (rows, columns, classes) over the ranges, the lowest y first; None for none."""
        if probabilities is not self._field_values:
            self._field_values = probabilities
            self._paint_field()

    def color_of(self, number: int) -> QColor:
        """A class's colour."""
        return self._theme.color(class_role(self._classes, number))

    def _paint_field(self) -> None:
        values = self._field_values
        self._image.setVisible(values is not None)
        if values is None:
            return
        colors = [self.color_of(number) for number in range(values.shape[2])]
        self._image.setImage(field_colors(values, colors, self._theme.color("panel")), autoLevels=False)
        self._image.setRect(QRectF(self._x.low, self._y.low, self._x.span, self._y.span))

    def _style_points(self, scatter: pyqtgraph.ScatterPlotItem, number: int) -> None:
        color = self.color_of(number) if self._classes else self._theme.color("text", 0.75)
        scatter.setBrush(color)
        edge = QPen(self._theme.color("panel"), 1)
        edge.setCosmetic(True)  # else it grows with the mark
        scatter.setPen(edge)

    def _pen(self, line: Line) -> QPen:
        pen = line_pen(self._theme, role=line.role, style=line.style)
        pen.setCosmetic(True)
        return pen

    # Painting

    def sizeHint(self) -> QSize:
        return QSize(420, 160)

    def drawBackground(self, painter: QPainter, _rect: QRectF) -> None:
        area = self.area
        frame = Frame(self._theme, area, Window(self._x, self._y, area.width(), area.height(), log=False, floor=0.0))
        painter.fillRect(self.sceneRect(), self._theme.color("panel"))
        x_ticks, y_ticks = self._x_axis.ticks(self._x, area.width()), self._y_axis.ticks(self._y, area.height())
        frame.draw_grid(painter, x_ticks=x_ticks, y_ticks=y_ticks)

    def drawForeground(self, painter: QPainter, _rect: QRectF) -> None:
        """The y axis' name in its corner, and the hint."""
        painter.setFont(chart_font())
        painter.setPen(self._theme.color("text" if self._field_values is not None else "secondary"))
        area = self.area
        corner = area.adjusted(SPACING + 2, SPACING / 2, 0, 0)
        painter.drawText(corner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, self._y_name)
        if self._hint:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._hint)

    # The mouse only reads: pyqtgraph's own handling would search the scene with every move.

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def place_at(self, pixel: QPointF) -> tuple[float, float] | None:
        """The place in the points' coordinates, None beside the picture."""
        return (self._x_at(pixel.x()), self._y_at(pixel.y())) if self.area.contains(pixel) else None

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.place_at(QPointF(event.pos()))
            text = self._describe(*place) if place is not None else ""
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return bool(super().viewportEvent(event))


def class_role(classes: tuple[str, ...], number: int) -> str:
    """The theme's role for a class's colour."""
    name = classes[number] if number < len(classes) else ""
    return NAMED_ROLES.get(name, CLASS_ROLES[number % len(CLASS_ROLES)])


def line_pen(theme: Theme, *, role: str, style: LineStyle) -> QPen:
    """Solid lines are strong; dashed and dotted ones, which stand still, are fainter."""
    color = theme.color(role)
    pen = QPen(color, LINE_WIDTH)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if style != "solid":
        pen.setDashPattern(DASHES[style])
    return pen


def field_colors(probabilities: NDArray[np.float32], colors: Sequence[QColor], ground: QColor) -> NDArray[np.uint8]:
    """Colours (rows, columns, 3): the likeliest class's, the fainter the less likely; `ground` where all are even.

    Where an answer is not finite there is none: the ground is seen.
    """
    count = probabilities.shape[2]
    values = np.nan_to_num(probabilities, nan=0.0)
    likeliest = values.argmax(axis=2)
    even = 1.0 / count if count > 1 else 0.0
    sure = np.clip((values.max(axis=2) - even) / (1.0 - even), 0.0, 1.0)[..., None] * FIELD_STRENGTH
    full = np.array([[color.red(), color.green(), color.blue()] for color in colors], np.float32)
    base = np.array([ground.red(), ground.green(), ground.blue()], np.float32)
    return np.asarray(np.rint(base + sure * (full[likeliest] - base)), np.uint8)


def _same(old: Line, new: Line) -> bool:
    return (old.role, old.style) == (new.role, new.style) and (
        np.array_equal(old.x, new.x) and np.array_equal(old.y, new.y, equal_nan=True)
    )
