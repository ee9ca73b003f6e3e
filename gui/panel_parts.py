"""What panels are put together from: words, and a column that scrolls."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget


def words(name: str, *, role: str = "", wraps: bool = True, selectable: bool = False, narrow: bool = False) -> QLabel:
    """A label for plain text.

    Args:
        name: the widget's.
        role: the stylesheet's.
        selectable: with the mouse, to be copied.
        narrow: takes the width there is, and asks for none.
    """
    label = QLabel()
    label.setObjectName(name)
    if role:
        label.setProperty("role", role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wraps)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if narrow:
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def scrolling(content: QWidget, *, name: str = "", sideways: bool = True, by_key: bool = False) -> QScrollArea:
    """`content` without a frame, as wide and high as there is room, scrolling where that is too little.

    Args:
        name: the area's.
        sideways: whether what is too wide scrolls; else it must fit.
        by_key: whether Tab goes to the area itself, not only to what is in it.
    """
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    if not by_key:
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


def fill(panel: QWidget, content: QWidget) -> None:
    """Let `content` be all there is on `panel`."""
    box = QVBoxLayout(panel)
    box.setContentsMargins(0, 0, 0, 0)
    box.addWidget(content)
