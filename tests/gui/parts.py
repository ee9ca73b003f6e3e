"""Parts of a panel under test, by object name."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from gui.figure_table import FigureTable


def label(panel: QWidget, name: str) -> str:
    """The words of a label."""
    found = panel.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


def button(panel: QWidget, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert isinstance(found, QPushButton), name
    return found


def table(panel: QWidget, name: str) -> FigureTable:
    found = panel.findChild(FigureTable, name)
    assert isinstance(found, FigureTable), name
    return found
