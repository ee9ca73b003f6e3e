"""RangedPlot: a pyqtgraph plot whose ranges are set, never found, with axes and grid of our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QResizeEvent

from gui.lean import pyqtgraph
from gui.plotting.axes import RunAxis, ValueAxis
from gui.plotting.scale import Range
from gui.theme import Theme


class RangedPlot(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no type stubs
    """Axes, the area between them, and the ranges in view.

    pyqtgraph's own mouse, menu and automatic ranges are out of use: they would search the scene with every move, and
    redraw axes with every value.

    Args:
        tick: a value and the distance between ticks to the words at the y axis.
        x, y: the ranges in view at first.
    """

    def __init__(self, theme: Theme, *, tick: Callable[[float, float], str], x: Range, y: Range) -> None:
        x_axis, y_axis = RunAxis(), ValueAxis(tick)
        super().__init__(enableMenu=False, axisItems={"bottom": x_axis, "left": y_axis})
        self._theme = theme
        self._x_axis, self._y_axis = x_axis, y_axis
        self._x, self._y = x, y
        self._hint = ""
        self._box = self.plotItem.vb
        self._box.setMouseEnabled(x=False, y=False)
        self._area: QRectF | None = None
        self._box.geometryChanged.connect(self._on_geometry)
        self.plotItem.hideButtons()
        for side in ("top", "right"):  # hidden, and else told of every range
            self.plotItem.getAxis(side).unlinkFromView()

    @property
    def x_range(self) -> Range:
        return self._x

    @property
    def y_range(self) -> Range:
        """In log₁₀ of the value where the axis is logarithmic."""
        return self._y

    @property
    def area(self) -> QRectF:
        """Where the data are, px."""
        if self._area is None:
            place: QRectF = self._box.geometry()
            self._area = QRectF(place.topLeft(), place.size().expandedTo(QSize(1, 1).toSizeF()))
        return self._area

    def _on_geometry(self) -> None:
        self._area = None

    @property
    def hint(self) -> str:
        """Words in the middle of an empty plot."""
        return self._hint

    def set_ranges(self, x: Range, y: Range) -> None:
        """The ranges in view, for the data that are set next."""
        if (x, y) != (self._x, self._y):
            changed = [axis for axis, same in ((self._x_axis, x == self._x), (self._y_axis, y == self._y)) if not same]
            self._x, self._y = x, y
            self._show_ranges()
            self._redraw_all(changed)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if event is not None:  # pyqtgraph's own call, while it is being built
            self.plotItem.layout.activate()
            self._resized()

    def _theme_axes(self, theme: Theme) -> None:
        self._theme = theme
        self._x_axis.set_theme(theme)
        self._y_axis.set_theme(theme)

    def _resized(self) -> None:
        """Adapt to another area."""
        self._redraw_all()

    def _show_ranges(self) -> None:
        """Fixed: this ends pyqtgraph's automatic ranges."""
        self._box.setRange(xRange=self._x, yRange=self._y, padding=0)

    def _redraw_all(self, axes: Sequence[RunAxis | ValueAxis] | None = None) -> None:
        """Paint anew the ground, what lies on it, and these axes or all."""
        for axis in (self._x_axis, self._y_axis) if axes is None else axes:
            axis.forget()
        self.resetCachedContent()
        self.viewport().update()

    # Where the mouse is

    def _x_at(self, pixel: float) -> float:
        area = self.area
        return self._x.low + (pixel - area.left()) / area.width() * self._x.span

    def _y_at(self, pixel: float) -> float:
        area = self.area
        return self._y.high - (pixel - area.top()) / area.height() * self._y.span
