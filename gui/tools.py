"""The tool panels' docks: made empty, filled when they are first seen."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from gui.theme import Theme
from gui.workbench import ToolPanel, Workbench


@dataclass(frozen=True, slots=True)
class Tool:
    """A panel's name as lessons have it, its title, the key that goes to it, and where its class is."""

    name: str
    title: str
    key: str
    module: str
    panel: str


TOOLS = (
    Tool("points", "Points", "Ctrl+5", "gui.points_panel", "PointsPanel"),
    Tool("microscope", "Microscope", "Ctrl+6", "gui.microscope_panel", "MicroscopePanel"),
    Tool("autograd", "Autograd graph", "Ctrl+7", "gui.autograd_panel", "AutogradPanel"),
    Tool("first_look", "First look", "Ctrl+8", "gui.first_look_panel", "FirstLookPanel"),
    Tool("distance", "Feature distance", "Ctrl+9", "gui.distance_panel", "DistancePanel"),
    Tool("functions", "Sigmoid and log", "Ctrl+Shift+1", "gui.functions_panel", "FunctionsPanel"),
    Tool("descent", "Descent", "Ctrl+Shift+2", "gui.descent_panel", "DescentPanel"),
    Tool("compare", "Compare", "Ctrl+Shift+3", "gui.compare_panel", "ComparePanel"),
    Tool("confusion", "Confusion matrix", "Ctrl+Shift+4", "gui.confusion_panel", "ConfusionPanel"),
    Tool("activations", "Activations", "Ctrl+Shift+5", "gui.activations_panel", "ActivationsPanel"),
)


class _Maker(Protocol):
    def __call__(self, bench: Workbench, theme: Theme) -> QWidget: ...


class ToolDocks(QObject):
    """One dock a tool. A panel costs nothing until it is first shown, and nothing while it is hidden.

    Attributes:
        docks: by the tool's name.

    Signals: `opened(name)`: a panel is on screen.
    """

    opened = Signal(str)

    def __init__(self, window: QMainWindow, bench: Workbench, theme: Theme) -> None:
        super().__init__(window)
        self._bench = bench
        self._theme = theme
        self._panels: dict[str, QWidget] = {}
        self.docks: dict[str, QDockWidget] = {}
        for tool in TOOLS:
            dock = QDockWidget(tool.title, window)
            dock.setObjectName(f"{tool.name}_dock")
            dock.setWidget(QWidget())
            dock.visibilityChanged.connect(partial(self._on_visible, tool))
            self.docks[tool.name] = dock

    def open(self, name: str, params: Mapping[str, object] | None = None) -> None:
        """Show a tool, with a lesson's settings for it. Raises InputError where it cannot use them."""
        dock = self.docks[name]
        panel = self._panel(next(tool for tool in TOOLS if tool.name == name))
        if params is not None:
            cast("ToolPanel", panel).prepare(params)
        dock.show()
        dock.raise_()

    def refresh(self) -> None:
        """Bring the panels on screen up to date."""
        for panel in self._panels.values():
            if panel.isVisible():
                cast("ToolPanel", panel).refresh()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for panel in self._panels.values():
            cast("ToolPanel", panel).set_theme(theme)

    def arrange(self, window: QMainWindow, beside: QDockWidget) -> None:
        """All behind the dock `beside`, hidden."""
        for dock in self.docks.values():
            dock.setFloating(False)
            window.removeDockWidget(dock)
            window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
            window.tabifyDockWidget(beside, dock)
            dock.hide()

    def _on_visible(self, tool: Tool, visible: bool) -> None:
        if visible:
            cast("ToolPanel", self._panel(tool)).refresh()
            self.opened.emit(tool.name)

    def _panel(self, tool: Tool) -> QWidget:
        if tool.name not in self._panels:
            make = cast("_Maker", getattr(importlib.import_module(tool.module), tool.panel))
            panel = make(self._bench, self._theme)
            self._panels[tool.name] = panel
            dock = self.docks[tool.name]
            empty = dock.widget()
            dock.setWidget(panel)
            if empty is not None:
                empty.deleteLater()
        return self._panels[tool.name]
