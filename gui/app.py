"""The application: style, fonts, theme, and the window."""

from __future__ import annotations

import sys
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui import settings as stored
from gui.collector import Collector
from gui.icons import app_icon
from gui.lean import pyqtgraph
from gui.main_window import MainWindow
from gui.theme import THEMES, Theme, base_font

SWITCH_INTERVAL = 0.001  # s; how soon the window gets Python's lock from the training, and the other way round


def build_window(theme: Literal["light", "dark"] | None = None) -> MainWindow:
    """The main window, not shown yet. There must be a QApplication.

    Args:
        theme: instead of the one the person chose last, or the system's.
    """
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        raise RuntimeError("make a QApplication first")
    pyqtgraph.setConfigOptions(imageAxisOrder="row-major", antialias=False)
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = stored.load()
    chosen = _theme(application, theme or settings.theme)
    if application.property("learnscope_style") is None:
        application.setProperty("learnscope_style", True)
        Collector(application)
        application.setStyle("Fusion")
        application.setFont(base_font())
        application.setWindowIcon(app_icon())
        application.setApplicationName("learnscope")
        application.setApplicationDisplayName("Learnscope")
    application.setPalette(chosen.palette())
    window = MainWindow(chosen, settings)
    application.setStyleSheet(chosen.stylesheet())  # last: each widget would be styled anew when it gets its place
    return window


def _theme(application: QApplication, name: str) -> Theme:
    if name in THEMES:
        return THEMES[name]
    dark = application.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return THEMES["dark" if dark else "light"]
