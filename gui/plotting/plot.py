"""Plot: a chart as a widget, with zoom, pan, a cursor and keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

from gui.plotting.chart import Chart, Cursor, Mark, Trace
from gui.plotting.scale import Range, tick_text
from gui.theme import Theme

NEAR = 5  # px within which a mark is pointed at
KEY_ZOOM = 0.8  # of the range that stays in view
KEY_MOVE = 0.1  # of the range


class Plot(QWidget):
    """Shows a chart. What the person wants to see is said in signals; the ranges change when they are set.

    The axes are painted once into a picture and only lines are painted anew. A hidden plot paints nothing.

    Signals:
        ranges_wanted(x, y): zoomed or panned; two `Range`s.
        follow_wanted(): a double click, or Home.
        cursor_wanted(x): the place pointed at on the x axis, or None.
        menu_wanted(place): a right click or the menu key; the place on the screen.
    """

    ranges_wanted = Signal(object, object)
    follow_wanted = Signal()
    cursor_wanted = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme, *, tick: Callable[[float, float], str] = tick_text) -> None:
        super().__init__()
        self._chart = Chart(theme, QSizeF(self.size()), tick)
        self._frame: QPixmap | None = None
        self._cursor: Cursor | None = None
        self._grip: QPointF | None = None
        self._dragging = False
        self._key_x: float | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 60)

    @property
    def x_range(self) -> Range:
        return self._chart.x

    @property
    def y_range(self) -> Range:
        """In log₁₀ of the value where the axis is logarithmic."""
        return self._chart.y

    @property
    def log(self) -> bool:
        return self._chart.log

    @property
    def traces(self) -> Sequence[Trace]:
        return self._chart.traces

    @property
    def marks(self) -> Sequence[Mark]:
        return self._chart.marks

    @property
    def hint(self) -> str:
        return self._chart.hint

    @property
    def note(self) -> str:
        return self._chart.note

    def set_theme(self, theme: Theme) -> None:
        self._chart.theme = theme
        self._redraw_all()

    def set_ranges(self, x: Range, y: Range) -> None:
        if (x, y) != (self._chart.x, self._chart.y):
            self._chart.x, self._chart.y = x, y
            self._redraw_all()

    def set_axes(self, *, unit: str, x_axis: bool, label_marks: bool, log: bool, floor: float) -> None:
        """See Chart's attributes of these names."""
        chart = self._chart
        if (unit, x_axis, log) != (chart.unit, chart.x_axis, chart.log):
            chart.unit, chart.x_axis, chart.log = unit, x_axis, log
            self._redraw_all()
        chart.floor, chart.label_marks = floor, label_marks

    def set_data(self, traces: Sequence[Trace], marks: Sequence[Mark], *, hint: str, note: str) -> None:
        if bool(traces) != bool(self._chart.traces):
            self._frame = None
        self._chart.traces, self._chart.marks = traces, marks
        self._chart.hint, self._chart.note = hint, note
        self._chart.changed()
        self.update()

    def set_cursor(self, cursor: Cursor | None) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            self.update()

    def draw(self, painter: QPainter) -> None:
        """The chart without cursor and focus: for a picture file."""
        self._chart.draw_frame(painter)
        self._chart.draw_data(painter)

    def _redraw_all(self) -> None:
        self._frame = None
        self._chart.changed()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(480, 180)

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._chart.size = QSizeF(self.size())
        self._redraw_all()

    def paintEvent(self, _event: QPaintEvent) -> None:
        density = self.devicePixelRatioF()
        if self._frame is None or self._frame.devicePixelRatio() != density:
            self._frame = QPixmap(self.size() * density)
            self._frame.setDevicePixelRatio(density)
            with QPainter(self._frame) as painter:
                self._chart.draw_frame(painter)
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._frame)
            self._chart.draw_data(painter)
            if self._cursor is not None:
                self._chart.draw_cursor(painter, self._cursor)
            if self.hasFocus():
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(self._chart.theme.color("accent"))
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zooms both axes; with Ctrl or below the axis only x, with Shift or beside the axis only y."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        event.accept()
        if not delta:
            return
        chart, place, modifiers = self._chart, event.position(), event.modifiers()
        only_x = bool(modifiers & Qt.KeyboardModifier.ControlModifier) or place.y() > chart.area.bottom()
        only_y = bool(modifiers & Qt.KeyboardModifier.ShiftModifier) or place.x() < chart.area.left()
        factor = 0.9985**delta  # a notch, 120, shows a sixth less
        x = chart.x if only_y else chart.x.zoomed(factor, around=chart.x_at(place.x()))
        y = chart.y if only_x else chart.y.zoomed(factor, around=chart.y_at(place.y()))
        self.ranges_wanted.emit(x, y)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip, self._dragging = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        chart, place = self._chart, event.position()
        if self._grip is not None:
            moved = place - self._grip
            self._dragging = self._dragging or moved.manhattanLength() >= QApplication.startDragDistance()
            if self._dragging:
                self._grip = place
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                x = chart.x.moved(-moved.x() / chart.area.width() * chart.x.span)
                self.ranges_wanted.emit(x, chart.y.moved(moved.y() / chart.area.height() * chart.y.span))
        self._key_x = None
        inside = chart.area.left() <= place.x() <= chart.area.right()
        self.cursor_wanted.emit(chart.x_at(place.x()) if inside else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = None
            self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.follow_wanted.emit()

    def leaveEvent(self, _event: QEvent) -> None:
        self.cursor_wanted.emit(None)

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        if self._key_x is not None:
            self._key_x = None
            self.cursor_wanted.emit(None)
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()
        self.menu_wanted.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the cursor, with Shift the view; + and − zoom around the cursor; Home follows."""
        x, y = self._chart.x, self._chart.y
        around = (x.low + x.high) / 2 if self._key_x is None else self._key_x
        key, shift = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            sign = -1 if key == Qt.Key.Key_Left else 1
            if shift:
                self.ranges_wanted.emit(x.moved(sign * KEY_MOVE * x.span), y)
            else:
                step = 2 * x.span / self._chart.area.width()
                self._key_x = min(max(around + sign * step, x.low), x.high)
                self.cursor_wanted.emit(self._key_x)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.ranges_wanted.emit(x.zoomed(KEY_ZOOM, around=around), y)
        elif key == Qt.Key.Key_Minus:
            self.ranges_wanted.emit(x.zoomed(1 / KEY_ZOOM, around=around), y)
        elif key == Qt.Key.Key_Home:
            self.follow_wanted.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._chart.marks:
            places = self._chart.x_pixels(np.array([mark.x for mark in self._chart.marks]))
            near = np.flatnonzero(np.abs(places - event.pos().x()) <= NEAR).tolist()
            if near:
                QToolTip.showText(event.globalPos(), "\n".join(self._chart.marks[i].label for i in near), self)
                return True
        return super().event(event)
