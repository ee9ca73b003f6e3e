"""The history of runs: a search, filters, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.parts import CATALOGS
from engine.runs.run_record import RunSummary
from gui.disclosure import TextButton
from gui.numbers import count
from gui.run_model import RunModel
from gui.run_rows import STATUSES, Wanted
from gui.theme import PANEL_MARGIN, SPACING, Theme
from gui.views.offer import Offer
from gui.views.run_table import RunTable

FILTERS = {"status": "Status", "dataset": "Dataset", "network": "Network"}
NO_RUNS = (
    "Every run is kept here: its set-up, curves and weights, and how it ended. Press Start to make the first one.\n"
    "Runs can be named, annotated, opened as they were, compared, and deleted, which can be taken back."
)
NO_MATCH = "No run is like that."


class HistoryPanel(QWidget):
    """All runs. What a person wants done with them is said in signals.

    Signals:
        opened(run), go_on(run), compared(runs), deleted(runs): as those of RunTable.
        edited(run, column, text): a person wrote a name, tags or a note.
    """

    opened = Signal(int)
    go_on = Signal(int)
    compared = Signal(list)
    deleted = Signal(list)
    edited = Signal(int, str, str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history_panel")
        self.model = RunModel(theme, self)
        self.table = RunTable(self.model)
        self.undo = Offer("history_undo")
        self._message = QLabel(NO_RUNS)
        self._message.setObjectName("history_message")
        self._message.setProperty("role", "secondary")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._clear = TextButton("Show all runs")
        self._clear.setObjectName("history_show_all")
        self._clear.setToolTip("Empties the search and takes the filters away.")
        self._clear.clicked.connect(self.show_all)
        self._problem = ""
        self._lay_out(self._make_bar())
        self.table.opened.connect(self.opened)
        self.table.go_on.connect(self.go_on)
        self.table.compared.connect(self.compared)
        self.table.deleted.connect(self.deleted)
        self.table.selection_changed.connect(self._show_selection)
        self.model.edited.connect(self.edited)
        self.model.modelReset.connect(self._show)
        self._show()
        self._show_selection()

    # Building

    def _make_bar(self) -> QHBoxLayout:
        self._search = QLineEdit()
        self._search.setObjectName("run_search")
        self._search.setAccessibleName("Search the runs")
        self._search.setPlaceholderText("Search")
        self._search.setToolTip(
            "Words that stand in a run's name, set-up, lesson, tags or note. All of them have to be there."
        )
        self._search.setClearButtonEnabled(True)
        self._search.setMinimumWidth(60)
        self._search.textChanged.connect(self._on_search)
        find = QShortcut(QKeySequence.StandardKey.Find, self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self._search.setFocus)
        self._filter = self._tool("run_filter", "Filter", "Lists only runs of one status, dataset or network.")
        self._filter.clicked.connect(self._show_filters)
        self._tree = self._tool("run_tree", "Branches", "Puts branches below the runs that they go on from.")
        self._tree.setCheckable(True)
        self._tree.setChecked(True)
        self._tree.toggled.connect(lambda on: self._want(tree=on))
        self._open = self._button("run_open", "Open", self._open_selected)
        self._compare = self._button("run_compare", "Compare", self._compare_selected)
        self._delete = self._button("run_delete", "Delete", self._delete_selected)
        bar = QHBoxLayout()
        bar.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        bar.setSpacing(SPACING)
        bar.addWidget(self._search, 1)
        for widget in (self._filter, self._tree, self._open, self._compare, self._delete):
            bar.addWidget(widget)
        return bar

    def _tool(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolTip(tip)
        button.setProperty("compact", True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _button(self, name: str, text: str, act: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.clicked.connect(lambda _checked=False: act())
        return button

    def _lay_out(self, bar: QHBoxLayout) -> None:
        empty = QWidget()
        words = QVBoxLayout(empty)
        words.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        words.addStretch(1)
        words.addWidget(self._message)
        words.addWidget(self._clear, 0, Qt.AlignmentFlag.AlignHCenter)
        words.addStretch(1)
        self._stack = QStackedLayout()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(bar)
        rows.addWidget(self.undo)
        rows.addLayout(self._stack, 1)
        self._stack.addWidget(self.table)  # last: a widget that is stacked without a parent is shown as a window
        self._stack.addWidget(empty)

    def set_theme(self, theme: Theme) -> None:
        self.model.set_theme(theme)

    # What is shown

    def set_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show `runs`, newest first."""
        self._problem = ""
        self.model.set_runs(runs)

    def show_problem(self, sentence: str) -> None:
        """Why there is no history to show."""
        self._problem = sentence
        self._show()

    def show_all(self) -> None:
        """Without search and filters."""
        self._search.clear()
        self._want(search="", filters={})

    def _show(self) -> None:
        listed, total = self.model.rowCount(), self.model.total
        self._stack.setCurrentIndex(0 if listed else 1)
        self._message.setText(self._problem or (NO_MATCH if total else NO_RUNS))
        self._clear.setVisible(bool(total) and not listed)
        narrowed = f"{count(listed)} of {count(total)} runs" if listed != total else f"{count(total)} runs"
        self.table.setAccessibleDescription(narrowed if total else "")
        active = len(self.model.wanted.filters)
        self._filter.setText(f"Filter: {active}" if active else "Filter")
        self._search.setPlaceholderText(f"Search {count(total)} runs" if total > 1 else "Search")

    def _show_selection(self) -> None:
        runs = self.table.selected()
        single, none = len(runs) == 1, "Select a run first."
        running = any(run.status == "running" for run in runs)
        self._open.setEnabled(single)
        self._open.setToolTip(
            "Shows the run as it was: set-up, curves and weights (Enter, or a double click)."
            if single
            else "Select a single run."
        )
        self._compare.setEnabled(bool(runs))
        self._compare.setToolTip(
            "Lays the selected runs' curves over each other, and says what differs." if runs else none
        )
        self._delete.setEnabled(bool(runs) and not running)
        self._delete.setToolTip(
            "A run that is under way cannot be deleted: stop it first."
            if running
            else "Deletes the selected runs, which can be taken back (Del)."
            if runs
            else none
        )

    # What a person wants

    def _open_selected(self) -> None:
        for run in self.table.selected()[:1]:
            self.opened.emit(run.id)

    def _compare_selected(self) -> None:
        self.compared.emit([run.id for run in self.table.selected()])

    def _delete_selected(self) -> None:
        self.deleted.emit([run.id for run in self.table.selected()])

    def _on_search(self, text: str) -> None:
        self._want(search=text)

    def _want(self, **changes: object) -> None:
        wanted: Wanted = replace(self.model.wanted, **changes)  # type: ignore[arg-type]
        self.model.set_wanted(wanted)

    def _show_filters(self) -> None:
        self.filter_menu().popup(self._filter.mapToGlobal(QPoint(0, self._filter.height())))

    def filter_menu(self) -> QMenu:
        """What the list can be narrowed to: values that occur. An action is called `filter_status_stopped`."""
        menu = QMenu(self)
        menu.setObjectName("run_filter_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chosen = self.model.wanted.filters
        for name, title in FILTERS.items():
            part = menu.addMenu(title)
            group = QActionGroup(part)
            values = sorted({str(getattr(run, name)) for run in self.model.runs})
            for value in ("", *values):
                action = QAction(_label(name, value) if value else "All", part, checkable=True)
                action.setObjectName(f"filter_{name}_{value or 'all'}")
                action.setChecked(chosen.get(name, "") == value)
                action.triggered.connect(partial(self._set_filter, name, value))
                group.addAction(action)
                part.addAction(action)
        return menu

    def _set_filter(self, name: str, value: str, _checked: bool = False) -> None:
        others = {key: kept for key, kept in self.model.wanted.filters.items() if key != name}
        self._want(filters={**others, name: value} if value else others)


def _label(name: str, value: str) -> str:
    if name == "status":
        return STATUSES.get(value, value)
    return CATALOGS[name][value].label if value in CATALOGS[name] else value
