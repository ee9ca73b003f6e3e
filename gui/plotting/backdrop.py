"""BackdropPlot: a plot with lines behind its own that do not change, painted once into the picture of its ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtGui import QPainter

from gui.plotting.plot import Plot
from gui.plotting.trace import Trace, TraceItem, mixed


@dataclass(frozen=True, slots=True, eq=False)
class Shade:
    """A trace that is drawn with this opacity on the ground."""

    trace: Trace
    share: float


class BackdropPlot(Plot):
    """Lines of the backdrop cost a redraw nothing: they are painted anew only when the axes are."""

    _backdrop: Sequence[Shade] = ()

    @property
    def backdrop(self) -> Sequence[Shade]:
        return self._backdrop

    def set_backdrop(self, backdrop: Sequence[Shade]) -> None:
        """Draw these behind the traces, the first at the bottom. The same object again changes nothing."""
        if backdrop is not self._backdrop:
            self._backdrop = backdrop
            self._redraw_all()

    def _draw_ground(self, painter: QPainter) -> None:
        super()._draw_ground(painter)
        if not self._backdrop:
            return
        area, theme = self.area, self._theme
        painter.save()
        painter.setClipRect(area)
        for shade in self._backdrop:
            trace = shade.trace
            color = mixed(theme.color(trace.role), theme.color("panel"), shade.share).name()
            item = TraceItem(trace.name)
            item.set_style(_colored(trace, color), theme)
            item.set_trace(trace, self._window(area))
            painter.save()
            painter.translate(area.topLeft())
            item.draw(painter)
            painter.restore()
        painter.restore()


def _colored(trace: Trace, color: str) -> Trace:
    return Trace(trace.name, trace.role, trace.style, trace.x, trace.low, trace.high, color, trace.dashes)
