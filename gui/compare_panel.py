"""Runs of the history laid over each other: their curves, their figures, and in what they differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QIcon, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.errors import InputError
from engine.files import write_atomically
from gui.comparison import (
    Comparison,
    Line,
    Measure,
    Source,
    curves_csv,
    headings,
    lines_of,
    read_comparison,
    table_csv,
    table_rows,
)
from gui.curve_panel import ACCURACY, LOSS, Quantity
from gui.export import png, svg
from gui.icons import icon
from gui.plotting.plot import Plot
from gui.plotting.scale import SMALLEST, Range, fitted
from gui.plotting.trace import Trace, chart_font
from gui.run_colors import SWATCH, run_color, run_dashes, swatch
from gui.segments import Segments
from gui.series import XAxis
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.workbench import Workbench

AXES: dict[str, XAxis] = {"Step": "step", "Epoch": "epoch", "Seconds": "seconds"}
MEASURES: dict[Measure, Quantity] = {"loss": LOSS, "accuracy": ACCURACY}
SOURCES: Mapping[Source, tuple[str, str]] = {
    "train": ("Training", "Moving averages of the training batches, with weight 0.98."),
    "validation": ("Validation", "The evaluations on the validation set, where there is one."),
    "test": ("Test", "The evaluations on the test set."),
}
NOTHING = "Select runs in the history (Ctrl+R) and press Compare to see them over each other."
LEGEND_ROW = 20  # px
ROW_HEIGHT = 24  # px
NAME_WIDTH = 240  # px at most


class ComparePanel(QWidget):
    """Takes runs by `prepare({"runs": [numbers]})`. Each is drawn in the colour and dashes it has in the history."""

    def __init__(self, bench: Workbench, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare_panel")
        self._bench, self._theme = bench, theme
        self._comparison: Comparison | None = None
        self._wanted: tuple[int, ...] = ()
        self._hidden: set[int] = set()
        self._held: Range | None = None  # the x range that the person chose
        self._plots: dict[Measure, Plot] = {}
        self._titles: dict[Measure, QLabel] = {}
        self._lay_out()
        self.set_theme(theme)

    def _lay_out(self) -> None:
        self._message = QLabel(NOTHING)
        self._message.setObjectName("compare_message")
        self._message.setProperty("role", "secondary")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        for measure in MEASURES:
            self._splitter.addWidget(self._make_plot(measure))
        self._splitter.addWidget(self._make_table())
        for place, stretch in enumerate((3, 3, 2)):
            self._splitter.setStretchFactor(place, stretch)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(self._make_bars())
        rows.addWidget(self._message)
        rows.addWidget(self._splitter, 1)

    def _make_bars(self) -> QVBoxLayout:
        self._source = Segments("compare_source", {str(name): words for name, words in SOURCES.items()}, title="Curves")
        self._source.chosen.connect(lambda _: self._redraw())
        self._axis = QComboBox()
        self._axis.setObjectName("compare_x")
        self._axis.addItems(list(AXES))
        self._axis.setAccessibleName("Horizontal axis")
        self._axis.setToolTip("What the horizontal axis counts.")
        self._axis.currentTextChanged.connect(lambda _: self._follow())
        self._log = self._toggle("compare_log", "Log", "Logarithmic vertical axis for the loss.")
        self._grouped = self._toggle(
            "compare_seeds",
            "Mean of seeds",
            "Draws runs that differ in the seed alone as their mean, with a band of one standard deviation.",
        )
        self._grouped.toggled.connect(lambda _: self._show())
        self._save = QToolButton()
        self._save.setObjectName("compare_save")
        self._save.setProperty("compact", True)
        self._save.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._save.setAccessibleName("Save the comparison")
        self._save.clicked.connect(lambda: self._menu().popup(self._save.mapToGlobal(QPoint(0, self._save.height()))))
        bars = QVBoxLayout()
        bars.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        bars.setSpacing(SPACING)
        for widgets in ((self._source, None, self._save), (self._axis, self._log, self._grouped, None)):
            bar = QHBoxLayout()
            bar.setSpacing(SPACING)
            for widget in widgets:
                if widget is None:
                    bar.addStretch(1)
                else:
                    bar.addWidget(widget)
            bars.addLayout(bar)
        return bars

    def _toggle(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setProperty("compact", True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.toggled.connect(lambda _: self._redraw())
        return button

    def _make_plot(self, measure: Measure) -> QWidget:
        quantity = MEASURES[measure]
        plot = Plot(self._theme, tick=quantity.tick)
        plot.setObjectName(f"compare_{measure}")
        plot.setToolTip("")
        plot.ranges_wanted.connect(partial(self._hold, measure))
        plot.follow_wanted.connect(self._follow)
        plot.menu_wanted.connect(lambda place: self._menu().popup(place))
        title = QLabel()
        title.setProperty("role", "note")
        title.setContentsMargins(PANEL_MARGIN, 0, 0, 0)
        self._plots[measure], self._titles[measure] = plot, title
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(title)
        column.addWidget(plot, 1)
        return box

    def _make_table(self) -> QTableWidget:
        table = QTableWidget()
        table.setObjectName("compare_table")
        table.setAccessibleName("Compared runs: figures and differences")
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setIconSize(SWATCH)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.horizontalHeader().setHighlightSections(False)
        table.setMinimumHeight(3 * ROW_HEIGHT)
        table.itemChanged.connect(self._on_ticked)
        self._table = table
        return table

    # What the window asks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._save.setIcon(icon("export", theme))
        for plot in self._plots.values():
            plot.set_data([], [], hint="", note="")  # a trace keeps its colour as long as it is drawn
            plot.set_theme(theme)
        self._show()

    def refresh(self) -> None:
        """Nothing: what was compared is of the past."""

    def prepare(self, params: Mapping[str, object]) -> None:
        """Compare `runs`, a list of their numbers in the history. Raises InputError where it is none."""
        runs = params.get("runs", [])
        if not isinstance(runs, list) or not all(type(run) is int and run > 0 for run in runs):
            raise InputError("runs", f"{runs!r} is not accepted", "a list of the runs' numbers")
        self._wanted = tuple(runs)
        if not runs:
            self._comparison = None
            self._show()
            return
        self._message.setText("Reading …")
        self._message.setVisible(True)
        self._bench.history("compare", lambda store: read_comparison(store, runs), self._on_read, self._on_unread)

    def _on_read(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._hidden.clear()
        self._held = None
        self._show()

    def _on_unread(self, sentence: str) -> None:
        self._comparison = None
        self._show()
        self._message.setText(sentence)
        self._message.setVisible(True)

    # What is shown

    def _show(self) -> None:
        comparison = self._comparison
        there = comparison is not None and bool(comparison.runs)
        problems = " ".join(comparison.problems) if comparison is not None else NOTHING
        self._message.setText(problems)
        self._message.setVisible(bool(problems))
        self._splitter.setVisible(there)
        self._save.setEnabled(there)
        self._save.setToolTip("Saves curves and figures as a picture or as numbers." if there else NOTHING)
        alone = comparison is None or all(len(group) < 2 for group in comparison.groups)
        self._grouped.setEnabled(not alone)
        self._grouped.setToolTip(
            "No two of these runs differ in the seed alone."
            if alone
            else "Draws runs that differ in the seed alone as their mean, with a band of one standard deviation."
        )
        self._fill_table()
        self._redraw()

    @property
    def _means(self) -> bool:
        return self._grouped.isChecked() and self._grouped.isEnabled()

    def _fill_table(self) -> None:
        table, comparison = self._table, self._comparison
        silent = table.blockSignals(True)
        table.clear()
        titles = [] if comparison is None else headings(comparison)
        rows = [] if comparison is None else table_rows(comparison, grouped=self._means)
        table.setColumnCount(len(titles))
        table.setRowCount(len(rows))
        for column, (title, meaning) in enumerate(titles):
            heading = QTableWidgetItem(title)
            heading.setToolTip(meaning)
            side = Qt.AlignmentFlag.AlignRight if 0 < column < 5 else Qt.AlignmentFlag.AlignLeft
            heading.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            table.setHorizontalHeaderItem(column, heading)
        for place, row in enumerate(rows):
            for column, text in enumerate(row.texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if 0 < column < 5:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if not column:
                    self._mark(item, row.runs)
                table.setItem(place, column, item)
        table.resizeColumnsToContents()
        if titles:
            table.setColumnWidth(0, min(table.columnWidth(0), NAME_WIDTH))
        table.blockSignals(silent)

    def _mark(self, item: QTableWidgetItem, runs: tuple[int, ...]) -> None:
        """The look of the line, and for a run whether it is drawn."""
        item.setData(Qt.ItemDataRole.UserRole, list(runs))
        item.setIcon(QIcon(swatch(runs[0], self._theme, density=self.devicePixelRatioF())))
        if len(runs) == 1:
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if runs[0] in self._hidden else Qt.CheckState.Checked)
        else:
            font = QFont(self._table.font())
            font.setWeight(QFont.Weight.DemiBold)
            item.setFont(font)

    def _on_ticked(self, item: QTableWidgetItem) -> None:
        runs = item.data(Qt.ItemDataRole.UserRole)
        if item.column() or not runs or len(runs) != 1:
            return
        if item.checkState() == Qt.CheckState.Checked:
            self._hidden.discard(runs[0])
        else:
            self._hidden.add(runs[0])
        self._redraw()

    def _lines(self, measure: Measure) -> list[Line]:
        if self._comparison is None:
            return []
        source: Source = next(name for name in SOURCES if name == self._source.value())
        return lines_of(
            self._comparison,
            measure=measure,
            source=source,
            axis=AXES[self._axis.currentText()],
            grouped=self._means,
            hidden=self._hidden,
        )

    def _redraw(self) -> None:
        drawn = {measure: self._lines(measure) for measure in MEASURES}
        end = max((float(line.x[-1]) for lines in drawn.values() for line in lines if len(line.x)), default=0.0)
        shown = self._held or Range(0.0, end or 1.0)
        axis = AXES[self._axis.currentText()]
        for measure, lines in drawn.items():
            plot, quantity = self._plots[measure], MEASURES[measure]
            log = quantity.logarithmic and self._log.isChecked()
            traces = [trace for line in lines for trace in traces_of(line, self._theme)]
            floor = _floor(lines) if log else 0.0
            plot.set_axes(
                unit="s" if axis == "seconds" else axis,
                x_axis=measure == "accuracy",
                label_marks=False,
                log=log,
                floor=floor,
            )
            plot.set_ranges(shown, self._y_range(plot, quantity, lines, log=log, floor=floor))
            plot.set_data(traces, [], hint="" if traces else "These runs have no such curve", note="")
            source = SOURCES[next(name for name in SOURCES if name == self._source.value())][0]
            self._titles[measure].setText(f"{source} {quantity.title.lower()}")
            plot.setAccessibleName(f"{source} {quantity.title.lower()} of {len(lines)} runs")

    def _y_range(self, plot: Plot, quantity: Quantity, lines: Sequence[Line], *, log: bool, floor: float) -> Range:
        if self._held is not None and log == plot.log:
            return plot.y_range
        if quantity.limits is not None:
            return quantity.limits
        values = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
        finite = np.concatenate([np.empty(0), *(part[np.isfinite(part)] for part in values)])
        if not len(finite):
            return plot.y_range
        low, high = float(finite.min()), float(finite.max())
        if log:
            low, high = math.log10(max(low, floor)), math.log10(max(high, floor))
        return fitted(None, low, high, log=log)

    # What a person does

    def _hold(self, measure: Measure, x: Range, y: Range) -> None:
        self._held = x
        self._plots[measure].set_ranges(x, y)
        self._redraw()

    def _follow(self) -> None:
        self._held = None
        self._redraw()

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
            action.setEnabled(self._save.isEnabled())
            action.triggered.connect(partial(self._ask, text.rstrip("…"), kinds, suffix, make))
        return menu

    def _ask(self, title: str, kinds: str, suffix: str, make: Callable[[], bytes], _checked: bool = False) -> None:
        dialog = QFileDialog(self, title, str(Path.home() / f"comparison.{suffix}"), kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix)
        dialog.fileSelected.connect(lambda path: self.save(Path(path), make()))
        dialog.open()

    def save(self, path: Path, data: bytes) -> None:
        """Write `data`; the status line tells how it went."""
        try:
            write_atomically(path, data)
        except OSError as error:
            self._bench.say(f"{path} could not be written: {error.strerror or error}.")
        else:
            self._bench.say(f"Saved {path}.")

    def curves_csv(self) -> bytes:
        """See gui.comparison."""
        return b"" if self._comparison is None else curves_csv(self._comparison)

    def table_csv(self) -> bytes:
        """See gui.comparison."""
        return b"" if self._comparison is None else table_csv(self._comparison)

    def picture_png(self) -> bytes:
        """Both plots and a key, as a PNG file's contents."""
        return png(self._draw, self._picture_size())

    def picture_svg(self) -> bytes:
        """Both plots and a key, as an SVG file's contents."""
        return svg(self._draw, self._picture_size(), title="Comparison of runs")

    def _legend(self) -> list[Line]:
        """Each line once, whichever plot it is in."""
        lines = {line.runs: line for measure in MEASURES for line in self._lines(measure)}
        return list(lines.values())

    def _picture_size(self) -> QSize:
        plots = list(self._plots.values())
        height = sum(plot.height() + LEGEND_ROW for plot in plots) + LEGEND_ROW * len(self._legend()) + 2 * SPACING
        return QSize(max(plot.width() for plot in plots), height)

    def _draw(self, painter: QPainter) -> None:
        size, theme = self._picture_size(), self._theme
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), theme.color("panel"))
        top = 0
        for measure, plot in self._plots.items():
            self._write(painter, self._titles[measure].text(), left=PANEL_MARGIN, top=top)
            painter.save()
            painter.translate(0, top + LEGEND_ROW)
            plot.draw(painter)
            painter.restore()
            top += LEGEND_ROW + plot.height()
        for line in self._legend():
            painter.drawPixmap(PANEL_MARGIN, top + (LEGEND_ROW - SWATCH.height()) // 2, swatch(line.runs[0], theme))
            self._write(painter, line.label, left=PANEL_MARGIN + SWATCH.width() + 2 * SPACING, top=top)
            top += LEGEND_ROW

    def _write(self, painter: QPainter, text: str, *, left: int, top: int) -> None:
        font = chart_font()
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(self._theme.color("text"))
        painter.drawText(left, top + (LEGEND_ROW + metrics.ascent() - metrics.descent()) // 2, text)


def traces_of(line: Line, theme: Theme) -> list[Trace]:
    """What a plot draws of a line, in the look of its first run."""
    name, color, dashes = "+".join(map(str, line.runs)), run_color(line.runs[0], theme), run_dashes(line.runs[0])
    traces = []
    if line.low is not None and line.high is not None:
        traces.append(Trace(f"band {name}", "train", "area", line.x, line.low, line.high, color))
    return [*traces, Trace(name, "train", "line", line.x, line.y, line.y, color, dashes)]


def _floor(lines: Sequence[Line]) -> float:
    """The smallest positive value: what is not positive is drawn there on a logarithmic axis."""
    least = min((float(np.min(line.y, initial=math.inf, where=line.y > 0)) for line in lines), default=math.inf)
    return max(least, SMALLEST) if math.isfinite(least) else SMALLEST
