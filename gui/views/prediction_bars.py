"""The network's answer: a bar a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import DARK, FONT_BASE, FONT_SMALL, SPACING, Theme

_MOST_FIXED = 12  # classes up to which every one has its own place; more are ranked
_RANKED = 10  # classes shown of more
_ROW_LOW, _ROW, _ROW_HIGH = 16, 20, 26  # px
_NAME_SHARE = 0.42  # of the width, at most, for the classes' names
_EMPTY = "The network's answer appears here"
_BROKEN = "The network's answer is not a number; its weights have diverged"


class PredictionBars(QWidget):
    """Probabilities of the classes as horizontal bars, the largest in the accent colour.

    Up to twelve classes keep their order, so that bars do not jump; of more, the ten most probable are shown, ranked.
    """

    def __init__(self, parent: QWidget | None = None, *, theme: Theme = DARK) -> None:
        super().__init__(parent)
        self.setObjectName("prediction_bars")
        self.setAccessibleName("The network's answer")
        self.setWhatsThis("What the network of this moment takes the drawing for: a probability (0 to 1) a class.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._classes = tuple(str(digit) for digit in range(10))
        self._values: NDArray[np.float64] | None = None
        self._theme = theme
        self.setAccessibleDescription(_EMPTY)

    def set_classes(self, classes: tuple[str, ...]) -> None:
        """The classes' names in the order of their numbers. Forgets the answer, which was another network's."""
        self._classes = classes
        self._values = None
        self._describe()
        self.updateGeometry()
        self.update()

    def set_probabilities(self, values: NDArray[np.floating] | None) -> None:
        """The probabilities, float (classes,) in 0 … 1; None when there is no answer.

        An answer of another length is that of a network which was just replaced, and is not shown.
        """
        fits = values is not None and values.shape == (len(self._classes),) and len(self._classes) > 0
        self._values = np.array(values, dtype=np.float64) if fits else None
        self._describe()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def shown_classes(self) -> tuple[int, ...]:
        """The numbers of the classes that have a bar, from top to bottom; none without an answer."""
        if self._values is None or not np.isfinite(self._values).all():
            return ()
        if len(self._values) <= _MOST_FIXED:
            return tuple(range(len(self._values)))
        return tuple(int(i) for i in np.argsort(-self._values, kind="stable")[:_RANKED])

    def sizeHint(self) -> QSize:
        return QSize(11 * _ROW, self._rows() * _ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(7 * _ROW, self._rows() * _ROW_LOW)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        shown = self.shown_classes()
        if self._values is None or not shown:
            painter.setFont(_tabular(self.font(), size=FONT_BASE))
            painter.setPen(self._theme.color("secondary" if self._values is None else "error"))
            room = QRectF(self.rect()).adjusted(2 * SPACING, 0, -2 * SPACING, 0)
            text = _EMPTY if self._values is None else _BROKEN + "."
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), text)
            return
        row = min(max(self.height() / self._rows(), 1.0), float(_ROW_HIGH))
        size = FONT_BASE if row >= _ROW_LOW + 2 else FONT_SMALL
        plain, bold = _tabular(self.font(), size=size), _tabular(self.font(), size=size, bold=True)
        metrics = QFontMetricsF(bold)
        widest = max(metrics.horizontalAdvance(self._classes[number]) for number in shown)
        name_width = min(float(np.ceil(widest)), self.width() * _NAME_SHARE)
        value_width = float(np.ceil(metrics.horizontalAdvance("0.00")))
        left, right = name_width + 2 * SPACING, self.width() - value_width - 2 * SPACING
        thick = max(4.0, round(row - 2 * SPACING))
        middle, name_side = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignLeft
        best = int(np.argmax(self._values))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, number in enumerate(shown):
            value, top = min(max(float(self._values[number]), 0.0), 1.0), place * row
            first = number == best
            track = QRectF(left, round(top + (row - thick) / 2), max(right - left, 1.0), thick)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("grid"))
            painter.drawRoundedRect(track, 2, 2)
            if track.width() * value >= 0.5:
                painter.setBrush(self._theme.color("accent") if first else self._theme.color("secondary", 0.7))
                painter.drawRoundedRect(
                    QRectF(track.topLeft(), track.size()).adjusted(0, 0, -track.width() * (1 - value), 0), 2, 2
                )
            painter.setFont(bold if first else plain)
            painter.setPen(self._theme.color("text" if first else "secondary"))
            name = metrics.elidedText(self._classes[number], Qt.TextElideMode.ElideRight, name_width + 1)
            painter.drawText(QRectF(0, top, name_width + 1, row), int(middle | name_side), name)
            figures = QRectF(right + SPACING, top, value_width + SPACING, row)
            painter.drawText(figures, int(middle | Qt.AlignmentFlag.AlignRight), f"{value:.2f}")

    def _rows(self) -> int:
        return max(1, len(self._classes) if len(self._classes) <= _MOST_FIXED else _RANKED)

    def _describe(self) -> None:
        if self._values is None:
            text = _EMPTY
        elif not np.isfinite(self._values).all():
            text = _BROKEN
        else:
            best = int(np.argmax(self._values))
            text = f"{self._classes[best]}, {round(float(self._values[best]) * 100)} %"
        if text != self.accessibleDescription():  # a screen reader speaks each change
            self.setAccessibleDescription(text)


def _tabular(base: QFont, *, size: int, bold: bool = False) -> QFont:
    font = QFont(base)
    font.setPixelSize(size)
    font.setBold(bold)
    font.setFeature(QFont.Tag.fromString("tnum"), 1)
    return font
