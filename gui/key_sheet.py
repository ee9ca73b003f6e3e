"""All keys on one sheet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from gui.theme import SPACING

KEYS = (
    (
        "Run",
        (
            ("Space", "Start, pause, go on"),
            (".", "One step"),
            ("E", "To the end of the epoch"),
            ("Esc", "Stop"),
            ("Ctrl+← Ctrl+→", "Slower, faster"),
        ),
    ),
    (
        "Canvas",
        (
            ("C", "Clear"),
            ("Ctrl+Z", "Undo"),
            ("Ctrl+V", "Paste a picture"),
            ("T", "An example of the test set"),
            ("Arrows, Space", "Draw by keyboard, on the canvas"),
            ("Arrows, Enter, digits", "Paint by keyboard, on the grid"),
        ),
    ),
    (
        "Back in time",
        (
            ("Ctrl+Shift+← Ctrl+Shift+→", "The kept step before, after"),
            ("Ctrl+Shift+End", "The latest step"),
        ),
    ),
    ("Curves", (("Home", "Follow the run"), ("+ − and arrows", "Zoom and pan"), ("Menu key", "Export"))),
    (
        "Window",
        (
            ("Ctrl+D", "Light or dark"),
            ("Ctrl+S", "Save the weights"),
            ("Ctrl+Shift+S", "Save the set-up"),
            ("Ctrl+O", "Open a set-up"),
            ("Ctrl+1 … Ctrl+4", "Show a panel and go to it"),
            ("Ctrl+R", "The runs so far"),
            ("Ctrl+Shift+R", "Race: several runs that differ in one thing"),
            ("Alt+L, Ctrl+L", "The lessons, the lesson that is open"),
            ("Ctrl+5 … Ctrl+9", "Points, microscope, autograd graph, first look, feature distance"),
            ("Ctrl+Shift+1 … 5", "Sigmoid and log, descent, compare, confusion matrix, activations"),
            ("F6", "To the next panel"),
            ("F1", "What is this? Then click anything"),
            ("?", "This sheet"),
        ),
    ),
)


class KeySheet(QDialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("key_sheet")
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(6 * SPACING)
        grid.setVerticalSpacing(SPACING)
        row = 0
        for title, keys in KEYS:
            heading = QLabel(title)
            heading.setProperty("role", "heading")
            heading.setContentsMargins(0, 2 * SPACING if row else 0, 0, 0)
            grid.addWidget(heading, row, 0, 1, 2)
            row += 1
            for key, meaning in keys:
                grid.addWidget(QLabel(f"<b>{key}</b>"), row, 0)
                grid.addWidget(QLabel(meaning), row, 1)
                row += 1
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6 * SPACING, 4 * SPACING, 6 * SPACING, 4 * SPACING)
        layout.setSpacing(4 * SPACING)
        layout.addLayout(grid)
        layout.addWidget(buttons)
