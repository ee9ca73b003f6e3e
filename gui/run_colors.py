"""How a run is told from others wherever it is drawn: a colour and a dash pattern that follow from its number.

The colours are Okabe and Ito's (jfly.uni-koeln.de/color), in the light theme darkened until they stand out from white.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from gui.theme import Theme

SWATCH = QSize(28, 12)  # px
ROUND = 3  # px of a ground's corners
_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#A3ADBB")
_LIGHT = ("#0072B2", "#A55F00", "#00795A", "#A3497D", "#857A00", "#B34700", "#566070")
# Lengths of dash and gap in pixels; none: a line without gaps. As many as colours would bring each colour back with
# the same dashes, so their number shares no factor with the colours'.
_DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 3), (9, 3, 2, 3))


def run_color(run: int, theme: Theme) -> str:
    """`#RRGGBB` of the run with this number."""
    colors = _DARK if theme.name == "dark" else _LIGHT
    return colors[run % len(colors)]


def run_dashes(run: int) -> tuple[float, ...]:
    """Lengths of dash and gap in pixels, none for a solid line."""
    return _DASHES[run % len(_DASHES)]


def swatch(run: int, theme: Theme, *, density: float = 1.0) -> QPixmap:
    """A piece of the run's line, for tables and keys."""
    return _drawn(run_color(run, theme), run_dashes(run), "", density)


def swatch_icon(run: int, theme: Theme, *, density: float = 1.0) -> QIcon:
    """As `swatch`; where its row is selected on the panel's colour, since a line's colour may come near the accent."""
    color, dashes = run_color(run, theme), run_dashes(run)
    icon = QIcon(_drawn(color, dashes, "", density))
    icon.addPixmap(_drawn(color, dashes, theme.panel, density), QIcon.Mode.Selected)
    return icon


@lru_cache(maxsize=256)
def _drawn(color: str, dashes: tuple[float, ...], ground: str, density: float) -> QPixmap:
    """`ground`: the colour under the line; none where it is empty."""
    picture = QPixmap(SWATCH * density)
    picture.setDevicePixelRatio(density)
    picture.fill(Qt.GlobalColor.transparent)
    pen = QPen(QColor(color), 3)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if dashes:
        pen.setDashPattern([length / 3 for length in dashes])
    with QPainter(picture) as painter:
        if ground:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(ground))
            painter.drawRoundedRect(QRectF(QPointF(0, 0), SWATCH.toSizeF()), ROUND, ROUND)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(pen)
        middle, margin = SWATCH.height() / 2, ROUND if ground else 1
        painter.drawLine(QPointF(margin, middle), QPointF(SWATCH.width() - margin, middle))
    return picture
