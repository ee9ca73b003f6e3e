"""A first look at a network, told in numbered cards from the shapes to the first update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui import numbers
from gui.color_bar import GRADIENT_WIDTH, ColorBar, negative, positive, small_font
from gui.figure_table import Column, FigureTable, figures, scientific
from gui.sample_charts import Chart
from gui.shape_steps import ShapeSteps, by
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.value_picture import ValuePicture

if TYPE_CHECKING:
    from engine.inspection.first_look import FirstLook

C = TypeVar("C", bound=Chart)

TWO_COLUMNS = 640  # px of width from which on the cards stand in two columns
FIRST_COLUMN = 3  # cards in the first of them
OUTPUTS = 20  # shown at most
PICTURE = 128  # px
MOMENTS = ("At first", "Vector", "Zeroed", "Loss")

TITLES = (
    "From the input to the outputs",
    "What training changes",
    "Forward: one input through the network",
    "Backward: a random vector sent back",
    "The error against a random target",
    "The gradient of one parameter, step by step",
    "The gradient that reaches the input",
    "One update, by hand and by SGD",
)


class FirstLookCards(QWidget):
    """Eight cards. `set_look` fills them."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("first_look_cards")
        self._theme = theme
        self._charts: list[Chart] = []
        self._bars: list[ColorBar] = []
        self._words: list[QLabel] = []
        self._cards: list[tuple[QFrame, QVBoxLayout]] = []
        for number, title in enumerate(TITLES, start=1):
            self._cards.append(self._card(number, title))
        self._shapes = self._in_card(1, ShapeSteps())
        self._parameters = self._table(
            2, "Parameters", (Column("Tensor"), Column("Size"), Column("Numbers", "How many numbers it holds"))
        )
        self._outputs = self._table(3, "Outputs", (Column("Output"), Column("Value")))
        self._input = self._picture(3, "Input", beside=self._outputs)
        self._vector = self._table(
            4,
            "The vector sent back",
            (Column("Output"), Column("Vector v", "Drawn from N(0, 1), in the place of a loss's gradient")),
        )
        self._vector_gradient = self._picture(4, "What reaches the input from the vector", beside=self._vector)
        self._errors = self._table(
            5,
            "Squared errors",
            (
                Column("Output"),
                Column("Value", "What the network gives"),
                Column("Target", "Drawn from N(0, 1)"),
                Column("Difference²", "(value − target)², of which the loss is the mean"),
            ),
        )
        self._moments = self._table(6, "Gradient at four moments", (Column("Place"),))
        self._loss_gradient = self._picture(7, "What reaches the input from the loss")
        self._update = self._table(
            8,
            "Update",
            (
                Column("Before", "w, the parameter's first values"),
                Column("Gradient", "What loss.backward() has left in w.grad"),
                Column("By hand", "w.sub(w.grad, alpha=lr)"),
                Column("By SGD", "After torch.optim.SGD(…).step()"),
            ),
        )
        for _, column in self._cards:
            column.addStretch(1)
        self._columns = [QVBoxLayout(), QVBoxLayout()]
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(PANEL_MARGIN, 0, PANEL_MARGIN, PANEL_MARGIN)
        for column in self._columns:
            column.setSpacing(2 * SPACING)
            self._row.addLayout(column, 1)
        self._shown_columns = 0
        self._arrange(1)
        self.set_theme(theme)

    def set_look(self, look: FirstLook, *, classes: Sequence[str] = ()) -> None:
        """Show `look`. `classes` name the outputs, where there is one for each."""
        names = classes if len(classes) == len(look.outputs) else ()
        self._show_network(look)
        self._show_passes(look, names)
        self._show_gradients(look)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for chart in self._charts:
            chart.set_theme(theme)
        for bar in self._bars:
            bar.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(2 if self.width() >= TWO_COLUMNS else 1)

    # What is shown

    def _show_network(self, look: FirstLook) -> None:
        self._shapes.set_steps(look.steps, input_shape=look.input.shape)
        has_window = any("/" in line for step in look.steps for line in step.formula)
        self._say(
            1,
            "A window of k pixels that moves by s fits (n + 2·padding − k)/s + 1 times along a side of n pixels."
            if has_window
            else "What each layer makes of the one before.",
        )
        self._parameters.set_rows([(p.name, by(p.shape), numbers.count(p.count)) for p in look.parameters])
        total = numbers.count(sum(parameter.count for parameter in look.parameters))
        tensors = "1 tensor" if len(look.parameters) == 1 else f"{len(look.parameters)} tensors"
        self._say(2, f"{tensors} with {total} numbers in all.")

    def _show_passes(self, look: FirstLook, names: Sequence[str]) -> None:
        source = f"Drawn from N(0, 1) with seed {look.seed}." if look.drawn_input else "What is on the canvas."
        best = names[look.largest] if names else str(look.largest)
        largest = figures(look.outputs)[look.largest]
        kind = "class" if names else "output"
        self._say(3, f"{source} The largest of the {len(look.outputs)} outputs is that of {kind} {best}: {largest}.")
        self._show(self._input, look.input)
        places = range(min(len(look.outputs), OUTPUTS))
        labels = [names[place] if names else str(place) for place in places]
        for table in (self._outputs, self._vector, self._errors):
            heading = Column("Class" if names else "Output", "The network's outputs, counted from 0")
            table.set_columns((heading, *table.columns[1:]))
        rest = len(look.outputs) - len(places)
        more = [f"{rest} more"] if rest else []
        outputs, target = figures(look.outputs), figures(look.target)
        with np.errstate(over="ignore"):
            squares = figures(np.square(look.outputs - look.target))
        marked = [look.largest] if look.largest < len(places) else []
        self._outputs.set_rows(
            [*((label, outputs[place]) for place, label in enumerate(labels)), *((word, "") for word in more)],
            strong=marked,
        )
        vector = figures(look.vector)
        self._vector.set_rows(
            [*((label, vector[place]) for place, label in enumerate(labels)), *((word, "") for word in more)]
        )
        self._say(
            4,
            "outputs.backward(v) needs no loss: it multiplies v with the derivatives of the outputs, layer by layer "
            "backwards. The picture is what arrives at the input.",
        )
        self._show(self._vector_gradient, look.vector_gradient)
        rows = [(label, outputs[place], target[place], squares[place]) for place, label in enumerate(labels)]
        loss = figures([look.loss])[0]
        self._errors.set_rows(
            [*rows, *((word, "", "", "") for word in more), ("Mean", "", "", loss)], strong=[len(rows) + len(more)]
        )
        self._say(5, f"The mean squared error is {loss}. The target means nothing: it is there to have an error.")

    def _show_gradients(self, look: FirstLook) -> None:
        self._show(self._loss_gradient, look.loss_gradient)
        self._say(7, "By how much the loss would grow with each number of the input, after loss.backward().")
        update, shown = look.update, 0 if look.update is None else len(look.update.before)
        for table in (self._moments, self._update):
            table.setVisible(update is not None)
        if update is None:
            self._say(6, "This network has no parameter that is learned.")
            self._say(8, "There is nothing to update.")
            return
        self._cards_title(6, f"The gradient of {look.watched}, step by step")
        columns = [
            ["None"] * shown if m.gradient is None else figures(m.gradient[:shown], digits=3) for m in look.moments
        ]
        self._moments.set_columns(
            [
                Column("Place", f"In {look.watched}, counted from 0"),
                *(Column(title, m.when) for title, m in zip(MOMENTS, look.moments, strict=True)),
            ]
        )
        self._moments.set_rows([(f"[{place}]", *row) for place, row in enumerate(zip(*columns, strict=True))])
        self._say(
            6,
            "Without a backward pass there is no gradient: None. backward() leaves one and would add the next to it, "
            "so zero_grad(set_to_none=False) writes zeros first; plain zero_grad() makes it None again.",
        )
        parts = (update.before, update.gradient, update.by_hand, update.by_sgd)
        self._update.set_rows(list(zip(*(figures(part, digits=5) for part in parts), strict=True)))
        same = "0" if not update.largest_difference else figures([update.largest_difference])[0]
        words = (
            f"w ← w − lr · gradient with lr = {update.rate:g}, for all parameters; here the first values of "
            f"{look.watched}. Largest difference between the two: {same}."
        )
        if update.rounded_twice > update.largest_difference:
            rest = scientific(update.rounded_twice, 0).replace("-", "−")
            words += f" Written as w − lr * w.grad, which rounds the product too, they differ by {rest} at most."
        self._say(8, words)

    # Parts

    def _card(self, number: int, title: str) -> tuple[QFrame, QVBoxLayout]:
        frame = QFrame(self)
        frame.setObjectName(f"first_look_{number}")
        frame.setProperty("role", "card")
        column = QVBoxLayout(frame)
        column.setContentsMargins(PANEL_MARGIN, 2 * SPACING, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(2 * SPACING)
        heading = QLabel(f"{number}  {title}")
        heading.setObjectName(f"first_look_title_{number}")
        heading.setWordWrap(True)
        column.addWidget(heading)
        words = QLabel()
        words.setObjectName(f"first_look_words_{number}")
        words.setProperty("role", "note")
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(words)
        self._words.append(words)
        return frame, column

    def _cards_title(self, number: int, title: str) -> None:
        heading = self._cards[number - 1][0].findChild(QLabel, f"first_look_title_{number}")
        if isinstance(heading, QLabel):
            heading.setText(f"{number}  {title}")

    def _say(self, number: int, text: str) -> None:
        self._words[number - 1].setText(text)

    def _in_card(self, number: int, chart: C) -> C:
        self._charts.append(chart)
        self._cards[number - 1][1].addWidget(chart)
        return chart

    def _table(self, number: int, name: str, columns: Sequence[Column]) -> FigureTable:
        table = self._in_card(number, FigureTable(name, columns))
        table.setObjectName(f"first_look_table_{number}")
        return table

    def _picture(self, number: int, name: str, beside: FigureTable | None = None) -> tuple[ValuePicture, ColorBar]:
        """A picture with its bar below, left of a table of the same card."""
        picture, bar = ValuePicture(name, side=PICTURE), ColorBar(self._theme)
        picture.setObjectName(f"first_look_picture_{number}")
        bar.setObjectName(f"first_look_bar_{number}")
        self._charts.append(picture)
        self._bars.append(bar)
        row, column = QHBoxLayout(), self._cards[number - 1][1]
        row.setSpacing(4 * SPACING)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        if beside is not None:
            column.removeWidget(beside)
            row.addWidget(beside, 1, Qt.AlignmentFlag.AlignTop)
        else:
            row.addStretch(1)
        column.addLayout(row)
        column.addWidget(bar)
        return picture, bar

    def _show(self, parts: tuple[ValuePicture, ColorBar], values: np.ndarray) -> None:
        picture, bar = parts
        picture.set_values(values)
        bar.set_limit(picture.limit)
        if picture.limit is not None:  # the bar stands right in its room: no more than it needs, so that it begins left
            metrics = QFontMetrics(small_font(), bar)
            words = metrics.horizontalAdvance(negative(picture.limit) + positive(picture.limit))
            bar.setFixedWidth(words + GRADIENT_WIDTH + 4 * SPACING + 1)

    def _arrange(self, columns: int) -> None:
        """The cards below each other, or in two columns that are read one after the other."""
        if columns == self._shown_columns:
            return
        self._shown_columns = columns
        self._row.setSpacing(2 * SPACING if columns == 2 else 0)
        self._row.setStretch(1, columns - 1)
        for layout in self._columns:
            while layout.count():
                layout.takeAt(0)
        for place, (frame, _) in enumerate(self._cards):
            self._columns[1 if columns == 2 and place >= FIRST_COLUMN else 0].addWidget(frame)
        for layout in self._columns:
            layout.addStretch(1)
