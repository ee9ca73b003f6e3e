"""The window's menu: panels, files, what watching may cost, help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, SignalInstance
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QDockWidget, QFileDialog, QMainWindow, QMenu, QWhatsThis, QWidget

from gui.tools import TOOLS

BUDGETS = {"1 %": 0.01, "2 %": 0.02, "5 %": 0.05, "10 %": 0.1, "25 %": 0.25}  # shares of the time
KEYS = {
    "setup": "Ctrl+1",
    "curves": "Ctrl+2",
    "filters": "Ctrl+3",
    "canvas": "Ctrl+4",
    "runs": "Ctrl+R",
    "lesson": "Ctrl+L",
}


class WindowMenu(QObject):
    """Fills `menu`, whose keys are the window's.

    Attributes:
        run_menu: for what can be done with the run on screen.

    Signals: `weights_path`, `setup_path`: where to save; `open_path`, `archive_path`: what to open; `reset_layout`;
    `budget`: the share of the time that drawing may take; `race`: a race is wanted; `clear_canvas`, `undo`, `sample`:
    asked for by key.
    """

    weights_path = Signal(Path)
    setup_path = Signal(Path)
    open_path = Signal(Path)
    archive_path = Signal(Path)
    reset_layout = Signal()
    budget = Signal(float)
    race = Signal()
    clear_canvas = Signal()
    undo = Signal()
    sample = Signal()

    def __init__(
        self,
        menu: QMenu,
        window: QMainWindow,
        docks: Mapping[str, QDockWidget],
        tools: Mapping[str, QDockWidget],
        *,
        share: float,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._docks = {**docks, **tools}
        menu.setToolTipsVisible(True)
        self._add(menu, "Open a set-up …", "Ctrl+O", self._open, "Go back to a set-up that was saved as JSON.")
        self._add(menu, "Save the set-up …", "Ctrl+Shift+S", self._save_setup, "As JSON, for --config and for others.")
        self._add(
            menu, "Save the weights …", "Ctrl+S", self._save_weights, "The weights of this moment, as safetensors."
        )
        menu.addSeparator()
        self.run_menu = menu.addMenu("Take the run away")
        self.run_menu.setObjectName("take_away_menu")
        self._add(
            menu,
            "Open a run archive …",
            "",
            self._open_archive,
            "A run that was exported, as a zip or a folder: it is checked and taken into the history.",
        )
        menu.addSeparator()
        self._add(menu, "Race …", "Ctrl+Shift+R", self.race.emit, "Several runs that differ in one thing, compared.")
        menu.addSeparator()
        panels = menu.addMenu("Panels")
        for name, dock in docks.items():
            action = dock.toggleViewAction()
            action.setObjectName(f"show_{name}")
            panels.addAction(action)
            self._add_panel(action, dock, KEYS[name])
        panels.addSeparator()
        for tool in TOOLS:
            dock = tools[tool.name]
            action = dock.toggleViewAction()
            action.setObjectName(f"show_{tool.name}")
            panels.addAction(action)
            self._add_panel(action, dock, tool.key)
        panels.addSeparator()
        self._add(panels, "Back to the first layout", "", self.reset_layout.emit, "Every panel where it was at first.")
        self._add_budgets(menu.addMenu("Watching may cost"), share)
        menu.addSeparator()
        self._add(menu, "What is this?", "F1", self._what_is_this, "Then click anything.")
        self._key("F6", self._next_panel)
        self._key("C", self.clear_canvas.emit)
        self._key("Ctrl+Z", self.undo.emit)
        self._key("T", self.sample.emit)

    def _add_panel(self, action: QAction, dock: QDockWidget, keys: str) -> None:
        action.setToolTip(f"Show or hide this panel; {keys} goes to it.")
        self._key(keys, partial(self._go_to, dock))

    def _add(self, menu: QMenu, text: str, keys: str, act: Callable[[], None], tip: str) -> None:
        action = QAction(text, self._window)
        action.setToolTip(tip)
        action.triggered.connect(lambda _checked=False: act())
        if keys:
            action.setShortcut(QKeySequence(keys))
        menu.addAction(action)
        self._window.addAction(action)

    def _key(self, keys: str, act: Callable[[], None]) -> None:
        action = QAction(self._window)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _checked=False: act())
        self._window.addAction(action)

    def _add_budgets(self, menu: QMenu, share: float) -> None:
        menu.setToolTipsVisible(True)
        group = QActionGroup(self)
        nearest = min(BUDGETS.values(), key=lambda budget: abs(budget - share))
        for text, budget in BUDGETS.items():
            action = QAction(text, menu, checkable=True, checked=budget == nearest)
            action.setToolTip(
                "of the time. The views redraw less often rather than cost more, but twice a second at least."
            )
            action.triggered.connect(lambda _checked=False, budget=budget: self.budget.emit(budget))
            group.addAction(action)
            menu.addAction(action)

    def _go_to(self, dock: QDockWidget) -> None:
        dock.show()
        dock.raise_()
        view = dock.widget()
        if view is not None:
            (view.nextInFocusChain() or view).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _next_panel(self) -> None:
        docks = [dock for dock in self._docks.values() if dock.isVisible()]
        focus = self._window.focusWidget()
        current = next((i for i, dock in enumerate(docks) if focus is not None and dock.isAncestorOf(focus)), -1)
        if docks:
            self._go_to(docks[(current + 1) % len(docks)])

    def _what_is_this(self) -> None:
        """What a tooltip says is what there is to say, where nothing longer was written."""
        for widget in self._window.findChildren(QWidget):
            if widget.toolTip():
                widget.setWhatsThis(widget.toolTip())
        QWhatsThis.enterWhatsThisMode()

    def _save_weights(self) -> None:
        self._ask("Save the weights", "weights.safetensors", "Weights (*.safetensors)", self.weights_path)

    def _save_setup(self) -> None:
        self._ask("Save the set-up", "setup.json", "Set-ups (*.json)", self.setup_path)

    def _open(self) -> None:
        self._ask("Open a set-up", "", "Set-ups (*.json)", self.open_path)

    def _open_archive(self) -> None:
        # A folder is opened by one of its files: a dialog shows either files or folders.
        self._ask("Open a run archive", "", "Runs (*.zip manifest.json)", self.archive_path)

    def _ask(self, title: str, name: str, kinds: str, chosen: SignalInstance) -> None:
        dialog = QFileDialog(self._window, title, str(Path.home() / name), kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if name:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setDefaultSuffix(Path(name).suffix.removeprefix("."))
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: chosen.emit(Path(path)))
        dialog.open()
