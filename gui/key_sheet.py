"""All keys on one sheet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.theme import SPACING

Group = tuple[str, tuple[tuple[str, str], ...]]  # a title; keys and what they do

RUN: Group = (
    "Run",
    (
        ("Space", "Start, pause, go on"),
        (".", "One step"),
        ("E", "To the end of the epoch"),
        ("Esc", "Stop"),
        ("Ctrl+← Ctrl+→", "Slower, faster"),
    ),
)
BACK: Group = (
    "Back in time",
    (
        ("Ctrl+Shift+← →", "The kept step before, after"),
        ("Ctrl+Shift+End", "The latest step"),
    ),
)
CURVES: Group = ("Curves", (("Home", "Follow the run"), ("+ − and arrows", "Zoom and pan"), ("Menu key", "Export")))
CANVAS: Group = (
    "Canvas",
    (
        ("C", "Clear"),
        ("Ctrl+Z", "Undo"),
        ("Ctrl+V", "Paste a picture"),
        ("T", "An example of the test set"),
        ("Arrows, Space", "Draw by keyboard, on the canvas"),
        ("Arrows, Enter, digits", "Paint by keyboard, on the grid"),
    ),
)
RUNS: Group = (
    "Runs",
    (
        ("Ctrl+R", "The runs so far"),
        ("Ctrl+F", "Search them"),
        ("Enter", "Open the selected one as it was"),
        ("F2, Del", "Rename it, delete it"),
        ("Ctrl+Shift+R", "Race: several that differ in one thing"),
    ),
)
FILES: Group = (
    "Files",
    (("Ctrl+S", "Save the weights"), ("Ctrl+Shift+S", "Save the set-up"), ("Ctrl+O", "Open a set-up")),
)
WINDOW: Group = (
    "Window",
    (
        ("Ctrl+1 … Ctrl+4", "Set-up, curves, filters, canvas"),
        ("Alt+L, Ctrl+L", "The lessons, the lesson that is open"),
        ("Ctrl+5 … Ctrl+9", "Points, microscope, autograd graph,\nfirst look, feature distance"),
        ("Ctrl+Shift+1 … 5", "Sigmoid and log, descent, compare,\nconfusion matrix, activations"),
        ("F6", "To the next panel"),
        ("Alt+M", "The menu"),
        ("Ctrl+D", "Light or dark"),
        ("F1", "What is this? Then click anything"),
        ("?", "This sheet"),
    ),
)
COLUMNS = ((RUN, BACK, CURVES, CANVAS), (RUNS, FILES, WINDOW))  # side by side, so that a low screen shows all


class KeySheet(QDialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("key_sheet")
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        columns = QHBoxLayout()
        columns.setSpacing(12 * SPACING)
        for groups in COLUMNS:
            column = QVBoxLayout()
            column.addLayout(_grid(groups))
            column.addStretch(1)
            columns.addLayout(column)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6 * SPACING, 4 * SPACING, 6 * SPACING, 4 * SPACING)
        layout.setSpacing(4 * SPACING)
        layout.addLayout(columns)
        layout.addWidget(buttons)


def _grid(groups: tuple[Group, ...]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(6 * SPACING)
    grid.setVerticalSpacing(SPACING)
    row = 0
    for title, keys in groups:
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        heading.setContentsMargins(0, 2 * SPACING if row else 0, 0, 0)
        grid.addWidget(heading, row, 0, 1, 2)
        row += 1
        for key, meaning in keys:
            name, words = QLabel(key), QLabel(meaning)
            name.setProperty("role", "key")
            for label in (name, words):
                label.setTextFormat(Qt.TextFormat.PlainText)
                grid.addWidget(label, row, int(label is words), Qt.AlignmentFlag.AlignTop)
            row += 1
    return grid
