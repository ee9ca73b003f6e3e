"""Axes: round numbers beside a plot, and the unit at the end of the lower one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.lean import pyqtgraph
from gui.plotting.scale import Range, linear_ticks, log_ticks, tick_text
from gui.plotting.trace import chart_font
from gui.theme import SPACING, Theme

LEFT = 52  # px for the y axis' numbers
RIGHT = 12  # px
TOP = 6  # px
BOTTOM = 22  # px for the x axis' numbers
TICK_EVERY = (90, 34)  # px from tick to tick, at least: along x, along y

Text = tuple[QRectF, int, str]  # place, Qt's flags, text

_BESIDE = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter) | Qt.TextFlag.TextDontClip
_BELOW = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop) | Qt.TextFlag.TextDontClip


class _Axis(pyqtgraph.AxisItem):  # type: ignore[misc]  # pyqtgraph has no type stubs
    """Numbers only, in the chart's font; no line and no ticks, for the plot's grid has them.

    Painted straight: pyqtgraph's picture of itself would have other sizes in a file than on screen, and takes longer.
    """

    def __init__(self, side: str, **style: Any) -> None:
        super().__init__(side, maxTickLength=0)
        self.setStyle(**style)
        self.enableAutoSIPrefix(False)
        self._font = chart_font()
        self._metrics = QFontMetricsF(self._font)

    def set_theme(self, theme: Theme) -> None:
        self.setTextPen(theme.color("secondary"))
        self._font = chart_font()
        self._metrics = QFontMetricsF(self._font)

    def forget(self) -> None:
        """Paint all of it anew: of a picture that Qt keeps, an update after several changes of size paints a part."""
        mode = self.cacheMode()
        self.setCacheMode(QGraphicsItem.CacheMode.NoCache)
        self.setCacheMode(mode)
        self.update()

    def shown(self) -> Range:
        """The range in view."""
        low, high = self.range
        return Range(low, high)

    def texts(self) -> list[Text]:
        """Where which text is."""
        raise NotImplementedError

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        painter.setFont(self._font)
        painter.setPen(self.textPen())
        for place, flags, text in self.texts():
            painter.drawText(place, flags, text)


class ValueAxis(_Axis):
    """The y axis, without numbers until there are data. `log`: ticks are placed at log₁₀ of values.

    Args:
        tick: a value and the distance to the next tick, to its text.
    """

    def __init__(self, tick: Callable[[float, float], str]) -> None:
        super().__init__("left", hideOverlappingLabels=False)
        self.log = False
        self._numbers = False
        self._tick = tick
        self.setWidth(LEFT)

    def set_log(self, log: bool) -> None:
        self.log = log
        self.update()

    def show_numbers(self, shown: bool) -> None:
        self._numbers = shown
        self.update()

    def ticks(self, shown: Range, height: float) -> list[float]:
        """Places of ticks on the axis, for a plot `height` px high."""
        most = max(int(height / TICK_EVERY[1]), 2)
        return log_ticks(shown, most) if self.log else linear_ticks(shown, most)

    def texts(self) -> list[Text]:
        if not self._numbers:
            return []
        size, shown, line = self.size(), self.shown(), self._metrics.height()
        ticks = self.ticks(shown, size.height())
        right = size.width() - 2 * SPACING
        tops = [(shown.high - tick) / shown.span * size.height() - line / 2 for tick in ticks]
        return [
            (QRectF(0, top, right, line), _BESIDE, text) for top, text in zip(tops, self._numbered(ticks), strict=True)
        ]

    def _numbered(self, ticks: list[float]) -> list[str]:
        values = [10.0**tick for tick in ticks] if self.log else ticks
        even = values[1] - values[0] if len(values) > 1 else 0.0
        by_factors = self.log and len(values) > 1 and values[1] >= 1.9 * values[0]
        return [self._tick(value, value if by_factors or not even else even) for value in values]


class RunAxis(_Axis):
    """The x axis: how far the run is, in `unit`, which is written at its right end."""

    def __init__(self) -> None:
        # The numbers at the ends reach a little beyond the axis.
        super().__init__("bottom", hideOverlappingLabels=LEFT - 2 * SPACING)
        self.unit = "step"
        self.setHeight(BOTTOM)

    def set_unit(self, unit: str) -> None:
        self.unit = unit
        self.update()

    def ticks(self, shown: Range, width: float) -> list[float]:
        """Places of ticks on the axis, for a plot `width` px wide."""
        return linear_ticks(shown, max(int(width / TICK_EVERY[0]), 1), whole=self.unit == "step")

    def texts(self) -> list[Text]:
        """The unit takes the place of numbers that it would meet; those at the ends reach beyond the axis."""
        metrics, shown, width = self._metrics, self.shown(), self.size().width()
        line, unit = metrics.height(), metrics.horizontalAdvance(self.unit)
        ticks = self.ticks(shown, width)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else shown.span
        found = []
        for tick in ticks:
            text = tick_text(tick, step)
            half = metrics.horizontalAdvance(text) / 2
            place = (tick - shown.low) / shown.span * width
            if place + half + 2 * SPACING < width - unit:
                found.append((QRectF(place - half, SPACING, 2 * half, line), _BELOW, text))
        box = QRectF(width - unit, SPACING, unit, line)
        return [*found, (box, _BELOW, self.unit)]
