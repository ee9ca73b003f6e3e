"""Runs of the history laid over each other: their curves, their figures, and in what they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QMenu, QScrollArea, QSplitter, QVBoxLayout, QWidget

from engine.errors import InputError
from engine.files import write_atomically
from gui.compare_bar import SOURCES, CompareBar
from gui.compare_lines import LineMaker, curves_csv
from gui.compare_picture import ComparePicture
from gui.compare_plots import ComparePlots
from gui.compare_rows import headings, measures, table_csv, table_rows
from gui.compare_table import CompareTable
from gui.comparison import Comparison, News, read_comparison, read_news
from gui.file_dialog import ask_where
from gui.series import XAxis
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.workbench import Workbench

NOTHING = "Select runs in the history (Ctrl+R) and press Compare to see them over each other."
TABLE_SHARE = 0.35  # of the height below the choices, at most
LOOKS_EVERY = 500  # ms between two looks at runs under way: their record is written as often


class ComparePanel(QWidget):
    """Takes runs by `prepare({"runs": [numbers]})`. Each is drawn in the colour and dashes it has in the history.

    While one of them is under way, here or in another window, and the panel is seen, it grows twice a second.
    """

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare_panel")
        self._bench, self._theme = bench, theme
        self._comparison: Comparison | None = None
        self._wanted: tuple[int, ...] = ()
        self._asked = False
        self._seen: tuple[object, ...] = ()  # of the run on screen
        self._message = QLabel(NOTHING)
        self._message.setObjectName("compare_message")
        self._message.setProperty("role", "secondary")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        self._bar = CompareBar()
        self._plots = ComparePlots(theme)
        self._table = CompareTable(theme)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self._plots)
        self._splitter.addWidget(self._table)
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._bar)
        rows.addWidget(self._message)
        self._page = QScrollArea()  # where the panel is very low
        self._page.setFrameShape(QScrollArea.Shape.NoFrame)
        self._page.setWidgetResizable(True)
        self._page.setWidget(self._splitter)
        rows.addWidget(self._page, 1)
        self._looks = QTimer(self, interval=LOOKS_EVERY)
        self._looks.timeout.connect(lambda: self._look())
        self._wire()
        self.set_theme(theme)

    def _wire(self) -> None:
        self._bar.changed.connect(self._redraw)
        self._bar.axis_changed.connect(self._redraw)
        self._bar.save.clicked.connect(
            lambda: self._menu().popup(self._bar.save.mapToGlobal(QPoint(0, self._bar.save.height())))
        )
        self._plots.pointed.connect(self._fill_table)
        self._plots.menu_wanted.connect(lambda place: self._menu().popup(place))
        self._table.hidden_changed.connect(self._redraw)

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._bar.set_theme(theme)
        self._plots.set_theme(theme)
        self._table.set_theme(theme)
        self._show()

    def refresh(self) -> None:
        """A run that begins or goes on may be one of those compared."""
        state = self._bench.run_state
        seen = (state.generation, state.status)
        if seen != self._seen:
            self._seen = seen
            self._look(at_all=True)

    def prepare(self, params: Mapping[str, object]) -> None:
        """Compare `runs`, a list of their numbers in the history. Raises InputError where it is none."""
        runs = params.get("runs", [])
        if not isinstance(runs, list) or not all(type(run) is int and run > 0 for run in runs):
            raise InputError("runs", f"{runs!r} is not accepted", "a list of the runs' numbers")
        self._wanted = tuple(runs)
        if not runs:
            self._comparison = None
            self._begin()
            return
        self._message.setText("Reading …")
        self._message.setVisible(True)
        self._table.show_all()
        self._read()

    def _read(self) -> None:
        runs = self._wanted
        self._bench.history("compare", lambda store: read_comparison(store, runs), self._on_read, self._on_unread)

    def _on_read(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._begin()

    def _on_unread(self, sentence: str) -> None:
        self._comparison = None
        self._begin()
        self._message.setText(sentence)
        self._message.setVisible(True)

    # Runs under way

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._share_room()
        self._follow()
        self._look(at_all=True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._looks.stop()

    def _follow(self) -> None:
        """Look every now and then, while there is something to be seen."""
        runs = () if self._comparison is None else self._comparison.runs
        if not (self.isVisible() and any(run.under_way for run in runs)):
            self._looks.stop()
        elif not self._looks.isActive():
            self._looks.start()

    def _look(self, *, at_all: bool = False) -> None:
        """Read what is not known yet of runs under way, or of all: one may have been continued. One look at a time."""
        comparison = self._comparison
        if comparison is None or self._asked or not self.isVisible():
            return
        self._asked = True
        known = {run.id: run.last_step for run in comparison.runs if at_all or run.under_way}
        self._bench.history(
            "compare news",
            lambda store: read_news(store, known),
            partial(self._on_news, comparison),
            self._on_no_news,
        )

    def _on_news(self, comparison: Comparison, news: list[News]) -> None:
        self._asked = False
        if comparison is not self._comparison:
            return
        runs = comparison.by_id
        before = [run.version for run in comparison.runs]
        if not all(runs[told.summary.id].take(told) for told in news):
            self._read()
            return
        if [run.version for run in comparison.runs] != before:
            self._redraw()
        self._follow()

    def _on_no_news(self, _sentence: str) -> None:
        self._asked = False

    # What is shown

    def _begin(self) -> None:
        """With other runs."""
        comparison = self._comparison
        if comparison is None or not comparison.runs:
            self._plots.set_runs(None)
        else:
            self._plots.set_runs(LineMaker(comparison))
        self._show()
        self._follow()
        self._share_room()

    def _share_room(self) -> None:
        """The table gets what it needs, up to a part of the height."""
        whole = self._splitter.height()
        table = min(self._table.needed_height, int(TABLE_SHARE * whole))
        self._splitter.setSizes([whole - table, table])

    def _show(self) -> None:
        comparison = self._comparison
        there = comparison is not None and bool(comparison.runs)
        problems = " ".join(comparison.problems) if comparison is not None else NOTHING
        self._message.setText(problems)
        self._message.setVisible(bool(problems))
        self._page.setVisible(there)
        self._bar.save.setEnabled(there)
        self._bar.save.setToolTip("Saves curves and figures as a picture or as numbers." if there else NOTHING)
        self._bar.set_groups(there=comparison is not None and any(len(group) > 1 for group in comparison.groups))
        self._redraw()

    def _redraw(self) -> None:
        view = self._bar.view
        if self._comparison is not None:
            self._plots.set_measures(measures(self._comparison))
        self._plots.show_lines(view, log=self._bar.log, hidden=self._table.hidden, goal=self._goal(view.axis))
        self._fill_table()

    def _goal(self, axis: XAxis) -> float | None:
        """How far the runs under way will come, 0 where that is not known; None where all have ended."""
        if self._comparison is None:
            return None
        ends = []
        for run in self._comparison.runs:
            if run.under_way:
                total = run.summary.total_steps or 0
                ends.append({"step": total, "epoch": total / max(run.steps_per_epoch, 1), "seconds": 0.0}[axis])
        return max(ends, default=None)

    def _fill_table(self) -> None:
        comparison = self._comparison
        if comparison is None:
            self._table.set_rows([], [])
            return
        view = self._bar.view
        rows = [(run.id,) for run in comparison.runs]
        drawn = self._plots.readings([*rows, *(line.runs for line in self._plots.legend if len(line.runs) > 1)])
        titles = headings(comparison, source=SOURCES[view.source][0])
        self._table.set_rows(titles, table_rows(comparison, drawn, grouped=view.grouped))

    # Files

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("compare_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        choices: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
            ("Save picture as PNG…", "PNG picture (*.png)", "png", self.picture_png),
            ("Save picture as SVG…", "SVG picture (*.svg)", "svg", self.picture_svg),
            ("Save curves as CSV…", "Table (*.csv)", "csv", self.curves_csv),
            ("Save the table as CSV…", "Table (*.csv)", "csv", self.table_csv),
        )
        for text, kinds, suffix, make in choices:
            action = menu.addAction(text)
            action.setEnabled(self._bar.save.isEnabled())
            action.triggered.connect(partial(self._ask, text.rstrip("…"), kinds, suffix, make))
        return menu

    def _ask(self, title: str, kinds: str, suffix: str, make: Callable[[], bytes], _checked: bool = False) -> None:
        place = Path.home() / f"comparison.{suffix}"
        ask_where(self, title, place=place, kinds=kinds, chosen=lambda path: self.save(path, make()))

    def save(self, path: Path, data: bytes) -> None:
        """Write `data`; the status line tells how it went."""
        try:
            write_atomically(path, data)
        except OSError as error:
            self._bench.say(f"{path} could not be written: {error.strerror or error}.")
        else:
            self._bench.say(f"Saved {path}.")

    def curves_csv(self) -> bytes:
        """See gui.compare_lines; smoothed as chosen here."""
        view = self._bar.view
        return b"" if self._comparison is None else curves_csv(self._comparison, weight_index=view.weight_index)

    def table_csv(self) -> bytes:
        """See gui.compare_rows."""
        return b"" if self._comparison is None else table_csv(self._comparison)

    def picture_png(self) -> bytes:
        """Both plots and a key, as a PNG file's contents."""
        return ComparePicture(self._plots, self._theme).png()

    def picture_svg(self) -> bytes:
        """Both plots and a key, as an SVG file's contents."""
        return ComparePicture(self._plots, self._theme).svg()
