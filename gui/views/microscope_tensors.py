"""A parameter's values, its gradient before and after, and its change, as pictures and figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.inspection.looks import COLUMNS, ROWS, Figures, ParameterLook
from gui.color_bar import negative, positive
from gui.colormap import SIDE, ZERO_LEVEL, diverging, packed, steady_limit
from gui.figure_table import figures
from gui.filter_grid import FilterGrid
from gui.numbers import count
from gui.sample_charts import Chart
from gui.theme import SPACING, Theme
from gui.tiles import Place

PICTURE_HEIGHT = 128  # px
FOUR_FROM = 760  # px of width from which the four stand beside each other
BARS_HEIGHT, MAP_HEIGHT, TEXT_HEIGHT = 24, 6, 16  # px
WHATS_THIS = (
    "One tensor as a picture: blue is below zero, orange above, and zero has the colour of the ground. Under it stands "
    "how often which value occurs, over the colours that the values have in the picture. Point at a value to read it."
)


class TensorScale(Chart):
    """A histogram over the colours that its values have, from −limit to +limit."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._figures: Figures | None = None
        self._limit = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def limit(self) -> float:
        """The value at the right end."""
        return self._limit

    def set_figures(self, tensor: Figures | None, limit: float) -> None:
        self._figures, self._limit = tensor, limit
        self.setAccessibleDescription(f"from {negative(limit)} to {positive(limit)}" if tensor else "")
        self.update()

    def describe(self, position: QPointF) -> str:
        if self._figures is None or not 0 <= position.y() <= BARS_HEIGHT:
            return ""
        value = (2 * position.x() / max(self.width(), 1) - 1) * self._limit
        place = int(np.searchsorted(self._figures.edges, value)) - 1
        if not 0 <= place < len(self._figures.counts):
            return ""
        low, high = figures(self._figures.edges[place : place + 2], digits=3)
        return f"{count(int(self._figures.counts[place]))} values from {low} to {high}"

    def sizeHint(self) -> QSize:
        return QSize(96, BARS_HEIGHT + MAP_HEIGHT + TEXT_HEIGHT)

    def paintEvent(self, event: QPaintEvent, /) -> None:  # noqa: ARG002
        painter = QPainter(self)
        map_area = QRectF(0, BARS_HEIGHT, self.width(), MAP_HEIGHT)
        if self._figures is not None:
            self._paint_bars(painter, self._figures)
            colours = np.ascontiguousarray(
                packed(diverging(self.theme))[None, ZERO_LEVEL - SIDE : ZERO_LEVEL + SIDE + 1]
            )
            image = QImage(colours.data, colours.shape[1], 1, colours.nbytes, QImage.Format.Format_RGB32)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(map_area, image)
            painter.setPen(self.theme.color("secondary"))
            below = QRectF(0, BARS_HEIGHT + MAP_HEIGHT, self.width(), TEXT_HEIGHT)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, negative(self._limit))
            painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, positive(self._limit))
            # Zero has the ground's own colour: a mark tells where it is.
            painter.fillRect(
                QRectF(map_area.center().x() - 0.5, map_area.top(), 1, MAP_HEIGHT), self.theme.color("secondary")
            )
        painter.setPen(self.theme.color("border"))
        painter.drawRect(map_area.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _paint_bars(self, painter: QPainter, tensor: Figures) -> None:
        most = max(1, int(tensor.counts.max()))
        places = (tensor.edges / self._limit + 1) / 2 * self.width()
        for left, right, number in zip(places[:-1].tolist(), places[1:].tolist(), tensor.counts.tolist(), strict=True):
            height = max(1.0, (BARS_HEIGHT - 2) * number / most) if number else 0.0
            bar = QRectF(left, BARS_HEIGHT - height, max(1.0, right - left), height)
            painter.fillRect(bar, self.theme.color("secondary"))


class TensorCard(QWidget):
    """A title, the picture, its scale, and the norm.

    Args:
        name: of the object.
        title: what it is.
        absent: what stands there while there is no such tensor.
    """

    def __init__(self, name: str, *, title: str, absent: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._shape: tuple[int, ...] = ()
        self._tensor: Figures | None = None
        self._absent = absent
        heading = QLabel(title)
        heading.setProperty("role", "secondary")
        self._picture = FilterGrid(theme)
        self._picture.setObjectName(f"{name}_picture")
        self._picture.setAccessibleName(title)
        self._picture.setWhatsThis(WHATS_THIS)
        self._picture.setFixedHeight(PICTURE_HEIGHT)
        self._picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._picture.reading_changed.connect(self._tell)
        self._scale = TensorScale()
        self._scale.set_theme(theme)
        self._scale.setAccessibleName(f"{title}: histogram and colours")
        self._figures = QLabel()
        self._figures.setObjectName(f"{name}_figures")
        self._figures.setProperty("role", "note")
        self._figures.setTextFormat(Qt.TextFormat.PlainText)
        self._figures.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        for widget in (heading, self._picture, self._scale, self._figures):
            rows.addWidget(widget)

    @property
    def figures(self) -> str:
        """What stands under the picture, in two lines."""
        return self._figures.text()

    @property
    def limit(self) -> float:
        return self._scale.limit

    def set_tensor(self, tensor: Figures | None, *, shape: Sequence[int], limit: float) -> None:
        """Show a tensor of `shape`, or that there is none, with colours up to `limit`."""
        self._tensor, self._shape = tensor, tuple(shape)
        self._picture.set_empty(self._absent)
        self._picture.set_values(None if tensor is None else tensor.picture, limit)
        self._scale.set_figures(tensor, limit)
        self._tell()

    def set_theme(self, theme: Theme) -> None:
        self._picture.set_theme(theme)
        self._scale.set_theme(theme)

    def _tell(self) -> None:
        """The value that is pointed at, else the tensor as a whole."""
        tensor, place = self._tensor, self._picture.reading()
        if tensor is None:
            self._figures.setText("None\n")
            self._figures.setToolTip("")
            return
        if place is not None:
            value = figures([float(tensor.picture[place])], digits=5)[0]
            self._figures.setText(f"{list(index_of(self._shape, tensor.picture.shape, place))}\n{value}")
            return
        low, high, mean = figures([tensor.smallest, tensor.largest, tensor.mean], digits=3)
        norm = figures([tensor.norm])[0]
        odd = f", {count(tensor.odd)} not finite" if tensor.odd else ""
        self._figures.setText(f"norm {norm}{odd}\n{low} … {high}")
        self._figures.setToolTip(
            f"<p>{count(tensor.size)} values{odd}. Norm {norm}, smallest {low}, largest {high}, mean {mean}.</p>"
        )


class TensorsView(QWidget):
    """The four cards of one parameter, four or two beside each other."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("microscope_tensors")
        none = "None: there is no gradient, which is not the same as zeros."
        self.values = TensorCard("microscope_values", title="Values", absent="Take a batch first.", theme=theme)
        self.before = TensorCard("microscope_grad_before", title=".grad before", absent=none, theme=theme)
        self.after = TensorCard("microscope_grad_after", title=".grad after", absent=none, theme=theme)
        self.change = TensorCard(
            "microscope_change", title="Change by step()", absent="No step yet: no weight has moved.", theme=theme
        )
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(3 * SPACING)
        self._grid.setVerticalSpacing(2 * SPACING)
        self._columns = 0
        self._lay_out(2)

    @property
    def cards(self) -> tuple[TensorCard, ...]:
        return (self.values, self.before, self.after, self.change)

    def set_look(self, look: ParameterLook | None) -> None:
        """Show a parameter; None shows that there is none."""
        if look is None:
            for card in self.cards:
                card.set_tensor(None, shape=(), limit=1.0)
            return
        # Both gradients on one scale: so one sees them double.
        gradient = steady_limit(max(_largest(look.gradient_before), _largest(look.gradient)), None)
        for card, tensor, limit in (
            (self.values, look.values, steady_limit(_largest(look.values), None)),
            (self.before, look.gradient_before, gradient),
            (self.after, look.gradient, gradient),
            (self.change, look.change, steady_limit(_largest(look.change), None)),
        ):
            card.set_tensor(tensor, shape=look.shape, limit=limit)

    def set_theme(self, theme: Theme) -> None:
        for card in self.cards:
            card.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out(4 if self.width() >= FOUR_FROM else 2)

    def _lay_out(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for card in self.cards:
            self._grid.removeWidget(card)
        for number, card in enumerate(self.cards):
            self._grid.addWidget(card, number // columns, number % columns)
        for column in range(len(self.cards)):
            self._grid.setColumnStretch(column, int(column < columns))


def index_of(shape: Sequence[int], picture: Sequence[int], place: Place) -> tuple[int, ...]:
    """Where in a parameter of `shape` the value at `place` of its picture is."""
    row, column = int(place.row), int(place.column)
    match len(shape):
        case 0:
            return ()
        case 1:
            return (column,)
        case 2 if tuple(picture) == (1, 1, min(shape[0], ROWS), min(shape[1], COLUMNS)):
            return (row, column)
        case 2:
            return (place.filter, (place.channel * picture[2] + row) * picture[3] + column)
        case 3:
            return (place.filter, place.channel, column)
        case 4:
            return (place.filter, place.channel, row, column)
        case _:
            rest = np.unravel_index(row, tuple(shape[2:-1]))
            return (place.filter, place.channel, *(int(part) for part in rest), column)


def _largest(tensor: Figures | None) -> float:
    return 0.0 if tensor is None else max(abs(tensor.smallest), abs(tensor.largest))
