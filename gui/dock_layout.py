"""Where the docks are: at first, beside an opened tool, and as the last start left them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QObject, Qt, QTimer
from PySide6.QtWidgets import QDockWidget, QMainWindow

from gui.settings import Settings
from gui.tools import ToolDocks

LAYOUT = 5  # of the docks; another one when a panel is added or renamed
TOOL_WIDTH = 0.36  # of the window's
AT_FIRST_HIDDEN = ("runs", "lesson")
COLUMN = ("curves", "filters", "runs")  # below each other: as wide as the widest needs


class DockLayout(QObject):
    """Arranges the window's docks in LOOK's proportions, gives tools room, keeps what the person made of it.

    Args:
        docks: by name: setup, curves, filters, canvas, runs, lesson.
    """

    def __init__(self, window: QMainWindow, docks: Mapping[str, QDockWidget], tools: ToolDocks) -> None:
        super().__init__(window)
        self._window, self._docks, self._tools = window, docks, tools

    def arrange(self) -> None:
        """The docks where they belong at first."""
        window, docks = self._window, self._docks
        for dock in docks.values():
            dock.setFloating(False)
            window.removeDockWidget(dock)
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, docks["setup"])
        window.splitDockWidget(docks["setup"], docks["curves"], Qt.Orientation.Horizontal)
        window.splitDockWidget(docks["curves"], docks["canvas"], Qt.Orientation.Horizontal)
        window.splitDockWidget(docks["curves"], docks["filters"], Qt.Orientation.Vertical)
        window.tabifyDockWidget(docks["filters"], docks["runs"])
        window.tabifyDockWidget(docks["setup"], docks["lesson"])
        for name, dock in docks.items():
            dock.setVisible(name not in AT_FIRST_HIDDEN)
        self._tools.arrange(window, docks["canvas"])
        docks["setup"].raise_()
        self.size()

    def size(self) -> None:
        """First sizes. Docks take them only once they are laid out."""
        window, docks = self._window, self._docks
        width, height = window.width(), window.height()
        side = 288 if width < 1200 else 312
        answer = 232 if width < 1200 else 288
        window.resizeDocks(
            [docks["setup"], docks["curves"], docks["canvas"]],
            [side, width - side - answer, answer],
            Qt.Orientation.Horizontal,
        )
        window.resizeDocks(
            [docks["curves"], docks["filters"]], [int(height * 0.58), int(height * 0.3)], Qt.Orientation.Vertical
        )

    def give_room(self, tool: str) -> None:
        """A tool that was opened beside the curves gets as much room as they have, once it is laid out."""
        QTimer.singleShot(0, self, lambda: self._widen(tool))

    def _widen(self, tool: str) -> None:
        window, dock, curves = self._window, self._tools.docks[tool], self._docks["curves"]
        if dock.isFloating() or dock.width() >= TOOL_WIDTH * window.width():
            return
        both = dock.width() + curves.width()
        needed = max(self._docks[name].minimumSizeHint().width() for name in COLUMN)
        wide = min(int(TOOL_WIDTH * window.width()), int(0.55 * both), both - needed)
        # Where there is no room to give, Qt would paint the line between them in the wrong place and leave it there.
        if wide > dock.width():
            window.resizeDocks([curves, dock], [both - wide, wide], Qt.Orientation.Horizontal)

    # From one start to the next

    def restore(self, saved: Settings) -> None:
        """As `geometry` and `state` had it; of another LAYOUT, the docks stay where they are."""
        if saved.geometry:
            self._window.restoreGeometry(QByteArray.fromBase64(saved.geometry.encode()))
        if saved.window_state:
            self._window.restoreState(QByteArray.fromBase64(saved.window_state.encode()), LAYOUT)

    def geometry(self) -> str:
        """The window's place and size, base64."""
        return bytes(self._window.saveGeometry().toBase64().data()).decode()

    def state(self) -> str:
        """The docks' places and sizes, base64."""
        return bytes(self._window.saveState(LAYOUT).toBase64().data()).decode()
