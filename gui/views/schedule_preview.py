"""The learning rate over the run to come, as a small curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.schedules import SCHEDULES, curve
from gui import numbers
from gui.spins import scientific
from gui.theme import FONT_SMALL, LIGHT, SPACING, Theme

if TYPE_CHECKING:
    from engine.config import RunConfig

HEIGHT = 72  # px
LINE = 14  # px, a line of small text
_WORDS = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)


class SchedulePreview(QWidget):
    """A sparkline with the highest and the lowest rate and the number of steps. Empty until it has a config."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("schedule_preview")
        self._theme = LIGHT
        self._points: list[tuple[int, float]] = []
        self._note = ""
        font = self.font()
        font.setPixelSize(FONT_SMALL)
        self.setFont(font)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_config(self, config: RunConfig) -> None:
        """Show the schedule of `config` with its learning rate, over the steps its epochs or its limit allow."""
        entry, training = SCHEDULES[config.schedule.name], config.training
        steps_per_epoch = max(1, -(-config.dataset_info().train_size // training.batch_size))
        total = training.epochs * steps_per_epoch
        total = min(total, training.steps) if training.steps else total
        rate = config.optimizer.params.get("learning_rate", 1.0)
        base = float(rate) if isinstance(rate, int | float) else 1.0
        points = curve(entry, config.schedule.params, total=total, steps_per_epoch=steps_per_epoch)
        self.set_curve(
            [(step, base * factor) for step, factor in points],
            note="lower whenever the loss stops falling" if entry.plateau else "",
        )

    def set_curve(self, points: list[tuple[int, float]], *, note: str = "") -> None:
        """Show (step, learning rate) points, steps counted from 0. `note` stands in for what cannot be known yet."""
        self._points, self._note = points, note
        low, high = self._limits()
        self.setToolTip(f"<p>{self._words()}</p>")
        self.setAccessibleName("Learning rate over the run")
        self.setAccessibleDescription(f"from {scientific(low)} to {scientific(high)}; {note}" if points else "")
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, HEIGHT)

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(self._theme.color("border"))
        painter.setBrush(self._theme.color("panel"))
        painter.drawRoundedRect(frame, SPACING, SPACING)
        inner = frame.adjusted(2 * SPACING, SPACING, -2 * SPACING, -SPACING)
        if self._points:
            self._paint_curve(painter, inner.adjusted(0, LINE, 0, -LINE - SPACING / 2))
        self._paint_text(painter, inner)
        painter.end()

    def _paint_curve(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._limits()
        last = max(self._points[-1][0], 1)
        flat = high <= low
        corners = []
        for step, rate in self._points:
            share = 0.5 if flat else (rate - low) / (high - low)
            corners.append(QPointF(area.left() + area.width() * step / last, area.bottom() - area.height() * share))
        if len(corners) == 1:
            corners.append(QPointF(area.right(), corners[0].y()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.color("accent"), 1.5))
        painter.drawPolyline(QPolygonF(corners))

    def _paint_text(self, painter: QPainter, area: QRectF) -> None:
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        top, bottom = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
        painter.setPen(self._theme.color("secondary"))
        if not self._points:
            painter.drawText(area, _WORDS, "The learning rate over the run appears here")
            return
        low, high = self._limits()
        if high > low:
            painter.drawText(area, left | top, f"highest {rounded(high)}")
            painter.drawText(area, left | bottom, f"lowest {rounded(low)}")
        else:
            painter.drawText(area, left | top, rounded(high))
            painter.drawText(area, left | bottom, self._note)
        painter.drawText(area, right | top, f"{numbers.count(self._points[-1][0] + 1)} steps")

    def _limits(self) -> tuple[float, float]:
        rates = [rate for _, rate in self._points]
        return (min(rates), max(rates)) if rates else (0.0, 0.0)

    def _words(self) -> str:
        if not self._points:
            return ""
        first, final = rounded(self._points[0][1]), rounded(self._points[-1][1])
        changes = f", {self._note}" if self._note else ""
        return f"The learning rate starts at {first} and ends at {final}{changes}."


def rounded(rate: float) -> str:
    """Three significant digits, in the shorter notation."""
    return scientific(float(f"{rate:.3g}"))
