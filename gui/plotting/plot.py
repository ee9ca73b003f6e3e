"""Plot: growing lines as a pyqtgraph widget, with zoom, pan, a cursor and keys of our own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QGraphicsItem, QGraphicsView, QToolTip

from gui.plotting.axes import RIGHT, TOP, RunAxis, ValueAxis
from gui.plotting.overlay import Cursor, Frame, Mark
from gui.plotting.ranged_plot import RangedPlot
from gui.plotting.scale import Range, tick_text
from gui.plotting.trace import Trace, TraceItem, Window
from gui.series import Floats
from gui.theme import Theme

NEAR = 5  # px within which a mark is pointed at
MARGIN = 12  # px left of what changed that is painted anew too: markers, caps, the segment before
KEY_ZOOM = 0.8  # of the range that stays in view
KEY_MOVE = 0.1  # of the range
_GROWING = ("band", "line")  # styles of what a run adds to with every step
FIRST_X, FIRST_Y = Range(0.0, 100.0), Range(0.0, 1.0)  # in view before there are data


class Plot(RangedPlot):
    """Shows traces. What the person wants to see is said in signals; the ranges change when they are set.

    Axes, grid and marks are painted once into pictures; a redraw paints the lines alone.

    Signals:
        ranges_wanted(x, y): zoomed or panned; two `Range`s.
        follow_wanted(): a double click, or Home.
        cursor_wanted(x): the place pointed at on the x axis, or None.
        menu_wanted(place): a right click or the menu key; the place on the screen.
        data_wanted(): it has another size and traces that have grown: `set_data` is to be called with all of them.
    """

    ranges_wanted = Signal(object, object)
    follow_wanted = Signal()
    cursor_wanted = Signal(object)
    menu_wanted = Signal(QPoint)
    data_wanted = Signal()

    def __init__(self, theme: Theme, *, tick: Callable[[float, float], str] = tick_text) -> None:
        super().__init__(theme, tick=tick, x=FIRST_X, y=FIRST_Y)
        self._floor = 0.0
        self._label_marks = True
        self._traces: Sequence[Trace] = ()
        self._grown = False  # further than the traces
        self._items: dict[str, TraceItem] = {}
        self._marks: Sequence[Mark] = ()
        self._note = ""
        self._cursor: Cursor | None = None
        self._on_screen = True
        self._grip: QPointF | None = None
        self._dragging = False
        self._key_x: float | None = None
        self._ground: QPixmap | None = None  # all that lies under the lines
        for axis in (self._x_axis, self._y_axis):
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        # What is drawn anew is said by hand: a run adds at the right end, and the rest of the picture can stay.
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 60)
        self._show_ranges()
        self._lay_out()
        self.set_theme(theme)

    @property
    def log(self) -> bool:
        return self._y_axis.log

    @property
    def traces(self) -> Sequence[Trace]:
        return self._traces

    @property
    def marks(self) -> Sequence[Mark]:
        return self._marks

    @property
    def note(self) -> str:
        return self._note

    # What is shown

    def set_theme(self, theme: Theme) -> None:
        self._theme_axes(theme)
        for trace in self._traces:
            self._items[trace.name].set_style(trace, theme)
        self._redraw_all()

    def set_axes(self, *, unit: str, x_axis: bool, label_marks: bool, log: bool, floor: float) -> None:
        """How the axes are.

        Args:
            unit: what x counts.
            x_axis: its numbers are written.
            label_marks: the marks' labels are written.
            log: y is logarithmic; what is not above `floor` is drawn there.
        """
        if (unit, log) != (self._x_axis.unit, self.log):
            self._x_axis.set_unit(unit)
            self._y_axis.set_log(log)
            self._redraw_all()
        if x_axis != self._x_axis.isVisible():
            (self._x_axis.show if x_axis else self._x_axis.hide)()  # setVisible would keep its room
            self._lay_out()
            self._redraw_all()
        self._floor, self._label_marks = floor, label_marks

    def set_data(self, traces: Sequence[Trace], marks: Sequence[Mark], *, hint: str, note: str) -> None:
        """What is drawn. `hint` teaches in the middle of an empty plot. `note` stands small in a corner."""
        if bool(traces) != bool(self._traces):
            self._y_axis.show_numbers(bool(traces))
        if (marks, hint, note) != (self._marks, self._hint, self._note):
            self._marks, self._hint, self._note = marks, hint, note
            self._redraw_all()
        self._traces, self._grown = traces, False
        self._draw_traces()

    def set_cursor(self, cursor: Cursor | None) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            self.viewport().update()

    def _draw_traces(self) -> None:
        changed = math.inf  # the leftmost pixel column that is drawn differently
        for name in self._items.keys() - {trace.name for trace in self._traces}:
            self.plotItem.removeItem(self._items.pop(name))
            changed = -math.inf
        area = self.area
        window = self._window(area)
        for order, trace in enumerate(self._traces):
            item = self._items.get(trace.name)
            if item is None:
                item = self._items[trace.name] = TraceItem(trace.name)
                item.set_style(trace, self._theme)
                self.plotItem.addItem(item)
            if item.zValue() != order:
                item.setZValue(order)
            column = item.set_trace(trace, window)
            changed = changed if column is None else min(changed, column)
        self._update_from(changed, area)

    @property
    def settled(self) -> int | None:
        """The first point of the growing traces, those of single values and of their average, that `grow` needs.

        None while it cannot help.
        """
        ends = [self._items[trace.name].settled for trace in self._traces if trace.style in _GROWING]
        known = [end for end in ends if end is not None]
        return min(known) if known and len(known) == len(ends) else None

    def shows(self, low: float, high: float) -> bool:
        """Whether values from `low` to `high` are drawn where they belong; never where one is NaN."""
        if self.log:
            return low >= self._floor > 0 and self._y.low <= math.log10(low) <= math.log10(high) <= self._y.high
        return self._y.low <= low <= high <= self._y.high

    def grow(self, start: int, x: Floats, low: Floats, high: Floats, average: Floats) -> bool:
        """Add to the ends of the growing traces; nothing else has changed since `set_data`.

        Args:
            start: the point that the others follow, at most `settled`.
            x, low, high, average: (n,) with n > 0, all finite, within the ranges in view and above the floor.

        Returns False where all must be set anew.
        """
        changed = math.inf
        self._grown = True
        for trace in self._traces:
            if trace.style not in _GROWING:
                continue
            item = self._items[trace.name]
            new = slice((item.settled or 0) - start, None)
            ends = (low[new], high[new]) if trace.style == "band" else (average[new], average[new])
            column = item.grow(x[new], *ends)
            if column is None:
                return False
            changed = min(changed, column)
        self._update_from(changed, self.area)
        return True

    def _update_from(self, column: float, area: QRectF) -> None:
        """Paint anew what lies right of a column of pixels."""
        if column < math.inf:
            left = max(math.floor(area.left() + max(column, 0.0)) - MARGIN, math.ceil(area.left()))
            self.viewport().update(QRect(left, 0, self.width(), self.height()) & area.toAlignedRect())

    def _window(self, area: QRectF) -> Window:
        return Window(self._x, self._y, area.width(), area.height(), self.log, self._floor)

    def _frame(self) -> Frame:
        area = self.area
        return Frame(self._theme, area, self._window(area))

    def _lay_out(self) -> None:
        layout = self.plotItem.layout
        layout.setContentsMargins(0, TOP, RIGHT, 0 if self._x_axis.isVisible() else TOP)
        layout.activate()

    def _redraw_all(self, axes: Sequence[RunAxis | ValueAxis] | None = None) -> None:
        self._ground = None
        super()._redraw_all(axes)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Where nothing but lines has changed, paint them alone: the way through the scene costs twice as much."""
        area, shown = self.area, event.rect()
        inside = area.toAlignedRect()
        if self._cursor is not None or QRectF(inside) != area or not inside.contains(shown):
            super().paintEvent(event)
            return
        left, corner = shown.left() - area.left(), area.topLeft()
        with QPainter(self.viewport()) as painter:
            painter.drawPixmap(QPointF(0, 0), self._painted_ground())
            painter.translate(corner)
            for trace in self._traces:
                self._items[trace.name].draw(painter, start=left)

    def sizeHint(self) -> QSize:
        return QSize(480, 180)

    def _resized(self) -> None:
        if self._grown:
            self.data_wanted.emit()
        else:
            self._draw_traces()
        super()._resized()

    def drawBackground(self, painter: QPainter, _rect: QRectF) -> None:
        if self._on_screen:
            painter.drawPixmap(QPointF(0, 0), self._painted_ground())
        else:
            self._draw_ground(painter)

    def _painted_ground(self) -> QPixmap:
        density = self.viewport().devicePixelRatioF()
        if self._ground is None or self._ground.devicePixelRatio() != density:
            self._ground = QPixmap(self.viewport().size() * density)
            self._ground.setDevicePixelRatio(density)
            with QPainter(self._ground) as painter:
                self._draw_ground(painter)
        return self._ground

    def _draw_ground(self, painter: QPainter) -> None:
        """All that lies under the lines."""
        frame = self._frame()
        area = frame.area
        painter.fillRect(self.sceneRect(), self._theme.color("panel"))
        frame.draw_grid(
            painter,
            x_ticks=self._x_axis.ticks(self._x, area.width()),
            y_ticks=self._y_axis.ticks(self._y, area.height()),
        )
        frame.draw_marks(painter, self._marks, labels=self._label_marks)
        frame.draw_words(painter, hint=self._hint, note=self._note)

    def drawForeground(self, painter: QPainter, _rect: QRectF) -> None:
        if not self._on_screen:
            return
        if self._cursor is not None:
            self._frame().draw_cursor(painter, self._cursor, label=self._x_axis.isVisible(), width=self.width())
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(self._theme.color("accent"))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def draw(self, painter: QPainter) -> None:
        """The plot without cursor and focus, as lines and text: for a picture file."""
        axes = (self._x_axis, self._y_axis)
        self._on_screen = False
        for axis in axes:
            axis.setCacheMode(QGraphicsItem.CacheMode.NoCache)
        try:
            self.render(painter, QRectF(self.rect()), self.rect())
        finally:
            self._on_screen = True
            for axis in axes:
                axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    # What the person does

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zooms both axes; with Ctrl or below the axis only x, with Shift or beside the axis only y."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        event.accept()
        if not delta:
            return
        area, place, modifiers = self.area, event.position(), event.modifiers()
        only_x = bool(modifiers & Qt.KeyboardModifier.ControlModifier) or place.y() > area.bottom()
        only_y = bool(modifiers & Qt.KeyboardModifier.ShiftModifier) or place.x() < area.left()
        factor = 0.9985**delta  # a notch, 120, shows a sixth less
        x = self._x if only_y else self._x.zoomed(factor, around=self._x_at(place.x()))
        y = self._y if only_x else self._y.zoomed(factor, around=self._y_at(place.y()))
        self.ranges_wanted.emit(x, y)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip, self._dragging = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        area, place = self.area, event.position()
        if self._grip is not None:
            moved = place - self._grip
            self._dragging = self._dragging or moved.manhattanLength() >= QApplication.startDragDistance()
            if self._dragging:
                self._grip = place
                self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
                x = self._x.moved(-moved.x() / area.width() * self._x.span)
                self.ranges_wanted.emit(x, self._y.moved(moved.y() / area.height() * self._y.span))
        self._key_x = None
        inside = area.left() <= place.x() <= area.right()
        self.cursor_wanted.emit(self._x_at(place.x()) if inside else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = None
            self.viewport().unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.follow_wanted.emit()

    def leaveEvent(self, _event: QEvent) -> None:
        self.cursor_wanted.emit(None)

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.viewport().update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        if self._key_x is not None:
            self._key_x = None
            self.cursor_wanted.emit(None)
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()
        self.menu_wanted.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the cursor, with Shift the view; + and − zoom around the cursor; Home follows."""
        x, y = self._x, self._y
        around = (x.low + x.high) / 2 if self._key_x is None else self._key_x
        key, shift = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            sign = -1 if key == Qt.Key.Key_Left else 1
            if shift:
                self.ranges_wanted.emit(x.moved(sign * KEY_MOVE * x.span), y)
            else:
                step = 2 * x.span / self.area.width()
                self._key_x = min(max(around + sign * step, x.low), x.high)
                self.cursor_wanted.emit(self._key_x)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.ranges_wanted.emit(x.zoomed(KEY_ZOOM, around=around), y)
        elif key == Qt.Key.Key_Minus:
            self.ranges_wanted.emit(x.zoomed(1 / KEY_ZOOM, around=around), y)
        elif key == Qt.Key.Key_Home:
            self.follow_wanted.emit()
        else:
            event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._marks:
            places = self._frame().x_pixels(np.array([mark.x for mark in self._marks]))
            near = np.flatnonzero(np.abs(places - event.pos().x()) <= NEAR).tolist()
            if near:
                QToolTip.showText(event.globalPos(), "\n".join(self._marks[i].label for i in near), self)
                return True
        return bool(super().viewportEvent(event))
