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
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
_LEFT, _RIGHT = int(_MIDDLE | Qt.AlignmentFlag.AlignLeft), int(_MIDDLE | Qt.AlignmentFlag.AlignRight)
_CENTRE = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
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
            self._paint_sentence(painter)
            return
        row = min(max(self.height() / self._rows(), 1.0), float(_ROW_HIGH))
        size = FONT_BASE if row >= _ROW_LOW + 2 else FONT_SMALL
        plain, bold = _tabular(self.font(), size=size), _tabular(self.font(), size=size, bold=True)
        metrics = QFontMetricsF(bold)
        names = [self._classes[number] for number in shown]
        name_width = float(np.ceil(max(map(metrics.horizontalAdvance, names))))
        if name_width > self.width() * _NAME_SHARE:
            name_width = self.width() * _NAME_SHARE
            names = [metrics.elidedText(name, Qt.TextElideMode.ElideRight, name_width) for name in names]
        value_width = float(np.ceil(metrics.horizontalAdvance("0.00")))
        left, right = name_width + 2 * SPACING, self.width() - value_width - 2 * SPACING
        length, thick = max(right - left, 1.0), max(4.0, float(round(row - 2 * SPACING)))
        theme, best = self._theme, int(np.argmax(self._values))
        track, accent, other = theme.color("grid"), theme.color("accent"), theme.color("secondary", 0.7)
        painter.setFont(plain)
        painter.setPen(theme.color("secondary"))
        for place, (number, name) in enumerate(zip(shown, names, strict=True)):
            value, top = min(max(float(self._values[number]), 0.0), 1.0), place * row
            if number == best:
                painter.setFont(bold)
                painter.setPen(theme.color("text"))
            bar = float(round(top + (row - thick) / 2))
            painter.fillRect(QRectF(left, bar, length, thick), track)
            painter.fillRect(QRectF(left, bar, length * value, thick), accent if number == best else other)
            painter.drawText(QRectF(0, top, name_width + 1, row), _LEFT, name)
            painter.drawText(QRectF(right + SPACING, top, value_width + SPACING, row), _RIGHT, f"{value:.2f}")
            if number == best:
                painter.setFont(plain)
                painter.setPen(theme.color("secondary"))

    def _paint_sentence(self, painter: QPainter) -> None:
        """What there is to say instead of an answer."""
        painter.setFont(_tabular(self.font(), size=FONT_BASE))
        painter.setPen(self._theme.color("secondary" if self._values is None else "error"))
        room = QRectF(self.rect()).adjusted(2 * SPACING, 0, -2 * SPACING, 0)
        painter.drawText(room, _CENTRE, _EMPTY if self._values is None else f"{_BROKEN}.")

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
