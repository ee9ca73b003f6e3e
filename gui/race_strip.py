"""A race whose runs go on at once: a row each, and the way to end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui.race_model import COLUMNS, LOSS, PROGRESS_ROLE, STATE, STEPS, TIME, RaceModel
from gui.run_colors import SWATCH
from gui.theme import PANEL_MARGIN, SPACING, Theme

if TYPE_CHECKING:
    from engine.race_run import RaceRun

ROW_HEIGHT = 24  # px
MOST_ROWS = 6  # without scrolling
CELL = 24  # px of a cell beside its text
FRAME = 2  # px around the table
LINE = 2  # px of the line that shows how far a run is
NAME_WIDTH = 168  # px at most, unless there is room to spare


class RaceStrip(QFrame):
    """Hidden while there is no race. After its end the rows stay until they are closed.

    Signals:
        cancelled: the person wants the race to end.
    """

    cancelled = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("race_strip")
        self._race: RaceRun | None = None
        self._model = RaceModel(theme, self)
        self._title = QLabel()
        self._title.setObjectName("race_title")
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._end = QPushButton()
        self._end.setObjectName("race_end")
        self._end.clicked.connect(lambda _checked=False: self._on_end())
        self._table = self._make_table()
        bar = QHBoxLayout()
        bar.setSpacing(2 * SPACING)
        bar.addWidget(self._title, 1)
        bar.addWidget(self._end)
        column = QVBoxLayout(self)
        column.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        column.setSpacing(SPACING)
        column.addLayout(bar)
        column.addWidget(self._table)
        self._over = False
        self._wanted = self._name = 0  # px for all columns; for the longest name
        self._spare: dict[int, int] = {}  # columns that say least, the least first, and their px
        self.set_theme(theme)
        self.setVisible(False)

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setObjectName("race_table")
        table.setAccessibleName("Runs of the race")
        table.setModel(self._model)
        self._bar = _ProgressDelegate(table)
        table.setItemDelegateForColumn(STEPS, self._bar)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setIconSize(SWATCH)
        table.setFrameShape(QFrame.Shape.NoFrame)
        rows, header = table.verticalHeader(), table.horizontalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setStretchLastSection(True)
        metrics = QFontMetrics(self.font())
        for place, column in enumerate(COLUMNS):
            text = max(metrics.horizontalAdvance(column.widest), metrics.horizontalAdvance(column.title))
            header.resizeSection(place, text + CELL)
        self._state_width = header.sectionSize(STATE)
        return table

    # What is shown

    def show_race(self, race: RaceRun) -> None:
        """Follow this race, which is under way."""
        self._race, self._over = race, False
        self._model.set_race(race.results)
        metrics = QFontMetrics(self.font())
        name = max(metrics.horizontalAdvance(entrant.label) for entrant in race.entrants)
        header = self._table.horizontalHeader()
        self._name = name + SWATCH.width() + CELL + 3 * SPACING
        header.resizeSection(0, min(self._name, NAME_WIDTH))
        for place in self._spare:
            self._table.setColumnHidden(place, False)
        self._spare = {place: header.sectionSize(place) for place in (TIME, LOSS)}
        self._wanted = sum(header.sectionSize(place) for place in range(STATE)) + self._state_width
        self.refresh()
        self.setVisible(True)
        self._fit()

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as the rows, and the scroll bar below them where there is one."""
        header, bar = self._table.horizontalHeader(), self._table.horizontalScrollBar()
        rows = min(self._model.rowCount(), MOST_ROWS)
        room = self.width() - 2 * PANEL_MARGIN - 2 * FRAME
        if self._model.rowCount() > MOST_ROWS:
            room -= self._table.verticalScrollBar().sizeHint().width()
        wanted = self._wanted
        for place, width in self._spare.items():
            self._table.setColumnHidden(place, room < wanted)
            wanted -= width if room < wanted else 0
        header.resizeSection(0, min(self._name, NAME_WIDTH + max(room - wanted, 0)))
        below = bar.sizeHint().height() if wanted > room else 0
        self._table.setFixedHeight(header.sizeHint().height() + rows * ROW_HEIGHT + 2 * FRAME + below)

    def refresh(self) -> None:
        """Read how the runs stand."""
        race = self._race
        if race is None:
            return
        self._model.refresh(race.numbers)
        ended = sum(result.standing not in ("waiting", "running") for result in race.results)
        running = sum(result.standing == "running" for result in race.results)
        count = len(race.entrants)
        if self._over:
            failed = sum(result.standing == "failed" for result in race.results)
            said = f"Race: {ended} of {count} runs ended" + (f", {failed} of them failed" if failed else "")
        elif race.stopping:
            said = "Race: ending the runs …"
        else:
            said = f"Race: {ended} of {count} runs ended, {running} under way"
        self._title.setText(said)
        self._table.setAccessibleDescription(said)
        self._end.setText("Close" if self._over else "Cancel")
        self._end.setEnabled(self._over or not race.stopping)
        if self._over:
            tip = "Closes these rows; the runs stay in the history."
        elif race.stopping:
            tip = "The runs end after the step that they are at."
        else:
            tip = "Ends the runs after their step. Each stays in the history with what it has."
        self._end.setToolTip(tip)

    def end(self) -> None:
        """The race is over."""
        self._over = True
        self.refresh()

    def clear(self) -> None:
        self._race = None
        self._model.set_race(())
        self.setVisible(False)

    def set_theme(self, theme: Theme) -> None:
        self._model.set_theme(theme)
        self._bar.theme = theme
        self._table.viewport().update()

    def _on_end(self) -> None:
        if self._over:
            self.clear()
        else:
            self.cancelled.emit()
            self.refresh()


class _ProgressDelegate(QStyledItemDelegate):
    """A text above a thin line that fills from left to right."""

    theme: Theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        share = index.data(PROGRESS_ROLE)
        if not isinstance(share, float):
            return
        cell = QRectF(option.rect)
        track = QRectF(cell.left() + SPACING, cell.bottom() - LINE - 1, cell.width() - 2 * SPACING, LINE)
        painter.fillRect(track, self.theme.color("grid"))
        track.setWidth(track.width() * share)
        painter.fillRect(track, self.theme.color("accent"))
