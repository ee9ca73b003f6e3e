"""Parts of a panel under test, by object name, and a mouse that moves over them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

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


def move_mouse(widget: QWidget, place: QPoint, button: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """Let the widget hear at once that the mouse is there, with `button` held down.

    QTest moves the screen's own pointer, of which a window hears later, and nothing where it is there already.
    """
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(widget.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        button,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)
