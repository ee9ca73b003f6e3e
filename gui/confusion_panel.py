"""Which classes the network of this moment, or of the step gone back to, takes for which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.errors import InputError
from engine.files import write_atomically
from engine.inspection.confusion import Confusion, look_at
from gui import numbers
from gui.confusion_count import ConfusionCount, Split
from gui.confusion_layout import Cell
from gui.confusion_words import (
    cell_title,
    class_rows,
    counted,
    counts_csv,
    refusal,
    samples_note,
)
from gui.export import png
from gui.figure_table import Column, FigureTable, figures
from gui.file_dialog import ask_where
from gui.icons import icon
from gui.panel_parts import scrolling, words
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.trained import whose
from gui.views.confusion_matrix import ConfusionMatrix, sentence
from gui.views.sample_grid import SampleGrid
from gui.workbench import Workbench

MOST_SAMPLES = 60  # shown of one cell
WIDE_FROM = 620  # px: from there on the figures stand beside the matrix
SIDE_WIDTH = 276  # px of the figures there
UNLIMITED = 16_777_215  # px, Qt's own largest size
PICTURE = QSize(720, 720)  # px of the picture to save
READING = "Reading the test set …"
HINT = "Point at a cell to read it. A click shows its samples."


class ConfusionPanel(QWidget):
    """The confusion matrix of the test set, with each class's figures and the samples behind a cell.

    What is shown at once is of a part of the test set; see `ConfusionCount`.
    """

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("confusion_panel")
        self._bench, self._theme = bench, theme
        self._count = ConfusionCount(bench, self._show, self._show_message)
        self._confusion: Confusion | None = None
        self._step: int | None = None  # whose confusion is shown
        self._accuracy = words("confusion_accuracy", role="title", wraps=False, narrow=True)
        self._note = words("confusion_note", role="note", narrow=True)
        self._message = words("confusion_message", role="secondary", narrow=True)
        self._matrix = ConfusionMatrix(theme)
        self._reading = words("confusion_reading", role="secondary", narrow=True)
        self._cell_title = words("confusion_cell", role="heading", wraps=False, narrow=True)
        self._samples_note = words("confusion_samples_note", role="note", narrow=True)
        self._samples = SampleGrid(theme, title="Samples of the chosen cell")
        self._samples.setObjectName("confusion_samples")
        self._points = FigureTable("Samples of the chosen cell", (Column("Sample"), Column("x")))
        self._points.setObjectName("confusion_points")
        self._classes = FigureTable(
            "Figures of each class",
            (
                Column("Class"),
                Column("Samples", "Of this class, as far as they are counted"),
                Column("Recall", "The share of the class's samples that are taken for it"),
                Column("Precision", "The share of what is taken for the class that is of it"),
            ),
        )
        self._classes.setObjectName("confusion_classes")
        self._save = QToolButton()
        self._save.setObjectName("confusion_save")
        self._save.setProperty("compact", True)
        self._save.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._save.setAccessibleName("Save the confusion matrix")
        self._save.setToolTip("Save the matrix as a picture or a table.")
        self._save.clicked.connect(lambda: self._menu().popup(self._save.mapToGlobal(QPoint(0, self._save.height()))))
        self._matrix.pointed.connect(self._read)
        self._matrix.chosen.connect(self._choose)
        self._lay_out()
        self.set_theme(theme)
        self._choose(None)
        self.refresh()

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for view in (self._matrix, self._samples, self._points, self._classes):
            view.set_theme(theme)
        self._save.setIcon(icon("export", theme))

    def prepare(self, params: Mapping[str, object]) -> None:
        """It has no settings. Raises InputError for any."""
        for name in params:
            raise InputError(name, "the confusion matrix has no such setting", "none")

    def refresh(self) -> None:
        config, live = self._bench.config(), self._bench.live()
        why_not = refusal(config, live)
        if why_not or config is None or live is None:
            self._show_message(why_not)
            return
        if not self.isVisible():
            return
        if self._confusion is None:
            self._message.setText(READING)
            self._message.setVisible(True)
        self._count.refresh(config, live)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._count.stop()

    # Showing

    def _show(self, confusion: Confusion, step: int | None) -> None:
        self._confusion, self._step = confusion, step
        self._message.setVisible(False)
        self._content.setVisible(True)
        self._save.setEnabled(True)
        self._accuracy.setText(f"Accuracy {numbers.percent(confusion.accuracy)}")
        self._note.setText(self._whose(confusion))
        self._classes.set_rows(class_rows(confusion))
        self._matrix.set_confusion(confusion)
        self._show_samples()
        self._fit()

    def _whose(self, confusion: Confusion) -> str:
        split = self._count.split
        kind = "pictures" if split is not None and split.info.is_image else "points"
        return f"of {counted(confusion, kind=kind)}, {whose(self._step)}"

    def _show_message(self, text: str) -> None:
        self._count.forget()
        self._confusion = None
        self._message.setText(text)
        self._message.setVisible(True)
        self._content.setVisible(False)
        self._save.setEnabled(False)
        self._accuracy.clear()
        self._note.clear()
        self._matrix.set_confusion(None)

    def _read(self, cell: Cell | None) -> None:
        cell = cell if cell is not None else self._matrix.choice
        confusion = self._confusion
        self._reading.setText(HINT if cell is None or confusion is None else sentence(confusion, cell))

    def _choose(self, cell: Cell | None) -> None:
        self._cell_title.setVisible(cell is not None)
        self._samples_note.setVisible(cell is not None)
        self._samples.setVisible(False)
        self._points.setVisible(False)
        self._samples.set_samples(np.empty((0, 1, 1), np.uint8), ())
        self._read(self._matrix.reading)
        self._show_samples()
        self._fit()

    def _show_samples(self) -> None:
        """Ask for the samples of the chosen cell."""
        cell, confusion, split = self._matrix.choice, self._confusion, self._count.split
        if cell is None or confusion is None or split is None:
            return
        found = confusion.samples_in(true=cell.true, given=cell.given)
        self._cell_title.setText(cell_title(confusion, cell))
        shown = found[:MOST_SAMPLES]
        self._samples_note.setText(samples_note(confusion, found=len(found), shown=len(shown)))
        self._read(self._matrix.reading)
        job = partial(look_at, split.samples, split.info, shown)
        self._bench.compute("confusion samples", job, partial(self._take_samples, cell, split, shown))

    def _take_samples(
        self, cell: Cell, split: Split, shown: NDArray[np.int64], looks: NDArray[np.uint8] | NDArray[np.float32]
    ) -> None:
        if cell != self._matrix.choice or split is not self._count.split:
            return
        places = shown.tolist()
        is_image = split.info.is_image
        self._samples.setVisible(is_image and len(places) > 0)
        self._points.setVisible(not is_image and len(places) > 0)
        if is_image:
            self._samples.set_samples(looks.astype(np.uint8, copy=False), places)
        else:
            self._points.set_columns([Column("Sample"), *(Column(f"x{i + 1}") for i in range(looks.shape[1]))])
            columns = [figures(column) for column in looks.astype(np.float32).T]
            self._points.set_rows([tuple(row) for row in zip(map(str, places), *columns, strict=True)])
        self._fit()

    # Saving

    def picture_png(self) -> bytes:
        """The matrix as a PNG file's contents."""
        return png(lambda painter: self._matrix.picture(painter, PICTURE), PICTURE)

    def table_csv(self) -> bytes:
        """The counts as CSV (RFC 4180, UTF-8): a row for each true class, a column for each given one."""
        return counts_csv(self._confusion)

    def save(self, path: Path, contents: bytes) -> None:
        """Write a file and say so, or why not."""
        try:
            write_atomically(path, contents)
        except OSError as error:
            self._bench.say(f"{path.name} could not be written: {error.strerror or error}.")
        else:
            self._bench.say(f"The confusion matrix was saved to {path.name}.")

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("confusion_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        choices: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
            ("Save picture as PNG…", "PNG picture (*.png)", "png", self.picture_png),
            ("Save counts as CSV…", "Table (*.csv)", "csv", self.table_csv),
        )
        for text, kinds, suffix, make in choices:
            menu.addAction(text).triggered.connect(partial(self._ask_path, text.rstrip("…"), kinds, suffix, make))
        return menu

    def _ask_path(self, title: str, kinds: str, suffix: str, make: Callable[[], bytes], _checked: bool = False) -> None:
        place = Path.home() / f"confusion.{suffix}"
        ask_where(self, title, place=place, kinds=kinds, chosen=partial(self.save, contents=make()))

    # Parts

    def _lay_out(self) -> None:
        titles = QVBoxLayout()
        titles.setSpacing(0)
        titles.addWidget(self._accuracy)
        titles.addWidget(self._note)
        header = QHBoxLayout()
        header.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, 0)
        header.addLayout(titles, 1)
        header.addWidget(self._save, 0, Qt.AlignmentFlag.AlignTop)

        left = QVBoxLayout()
        left.setSpacing(SPACING)
        left.addWidget(self._matrix)
        left.addWidget(self._reading)
        left.addStretch(0)
        inner = QWidget()
        self._details = side = QVBoxLayout(inner)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(SPACING)
        for widget in (self._cell_title, self._samples_note, self._samples, self._points):
            side.addWidget(widget)
        side.addSpacing(SPACING)
        classes = words("confusion_classes_title", role="heading", wraps=False, narrow=True)
        classes.setText("Classes")
        side.addWidget(classes)
        side.addWidget(self._classes)
        side.addStretch(1)
        self._side = scrolling(inner, sideways=False)
        self._content = QWidget()
        self._row = QBoxLayout(QBoxLayout.Direction.TopToBottom, self._content)
        self._row.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, PANEL_MARGIN)
        self._row.setSpacing(3 * SPACING)
        self._row.addLayout(left)
        self._row.addWidget(self._side)
        self._row.addStretch(0)
        self._outer = scrolling(self._content, sideways=False)
        self._message.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        rows.addLayout(header)
        rows.addWidget(self._message)
        rows.addWidget(self._outer, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Beside each other where there is room; else the matrix fills the panel and the figures are further down."""
        wide = self.width() >= WIDE_FROM
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.LeftToRight if wide else directions.TopToBottom)
        self._row.setStretch(0, int(wide))
        self._row.setStretch(2, int(not wide))
        across = self.width() - 2 * PANEL_MARGIN
        room = self._outer.viewport().height() - self._reading.sizeHint().height() - PANEL_MARGIN - 2 * SPACING
        room = max(self._matrix.minimumSizeHint().height(), room)
        if wide:
            self._side.setFixedWidth(SIDE_WIDTH)
            self._side.setMinimumHeight(0)
            self._side.setMaximumHeight(UNLIMITED)
        else:
            self._side.setMinimumWidth(0)
            self._side.setMaximumWidth(UNLIMITED)
            details = self._details
            high = (
                details.totalHeightForWidth(across) if details.hasHeightForWidth() else details.totalSizeHint().height()
            )
            self._side.setFixedHeight(high)
        beside = SIDE_WIDTH + self._row.spacing() if wide else 0
        self._matrix.setFixedHeight(self._matrix.height_in(across - beside, room))
