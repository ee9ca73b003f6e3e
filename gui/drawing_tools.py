"""What the tools of every drawing surface have: eraser, undo, clear, paste and an example, as buttons in rows."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance, Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from gui import icons
from gui.theme import SPACING, Theme

ICON = 16  # px


class DrawingTools(QWidget):
    """Says what is wanted, does nothing itself. Made to be narrow: a dock may be 220 px wide.

    Args:
        name: the widget's; its first word begins the names of its buttons.
        eraser, clear, paste: the buttons' tooltips. paste_name: what a screen reader says of it.

    Signals:
        eraser_toggled: whether painting takes away.
        undo_requested, clear_requested, paste_requested, sample_requested: a button was pressed.
    """

    eraser_toggled = Signal(bool)
    undo_requested = Signal()
    clear_requested = Signal()
    paste_requested = Signal()
    sample_requested = Signal()

    def __init__(
        self, parent: QWidget | None, *, name: str, eraser: str, clear: str, paste: str, paste_name: str, sample: str
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._prefix = name.partition("_")[0]
        self._buttons: list[QToolButton] = []
        self._eraser = self._button("eraser", "Eraser", eraser)
        self._eraser.setCheckable(True)
        self._eraser.toggled.connect(self.eraser_toggled)
        self._undo = self._button("undo", "Undo", "Take back the last step (Ctrl+Z).", self.undo_requested)
        self._clear = self._button("clear", "Clear", clear, self.clear_requested)
        self._paste = self._button("paste", paste_name, paste, self.paste_requested)
        self._sample = self._button("sample", "Test example", sample, self.sample_requested)
        self._sample.setProperty("compact", False)
        self._sample.setText("Example")
        self._sample.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.set_undo_available(False)
        self._clear.setEnabled(False)

    def set_eraser(self, on: bool) -> None:
        self._eraser.setChecked(on)

    @Slot(bool)
    def set_undo_available(self, available: bool) -> None:
        self._undo.setEnabled(available)

    @Slot(bool)
    def set_clear_available(self, available: bool) -> None:
        self._clear.setEnabled(available)

    def set_theme(self, theme: Theme) -> None:
        for button in self._buttons:
            button.setIcon(icons.icon(str(button.property("drawing")), theme))

    def _button(self, drawing: str, name: str, tip: str, pressed: SignalInstance | None = None) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"{self._prefix}_{drawing.replace('-', '_')}")
        button.setProperty("drawing", drawing)
        button.setProperty("compact", True)
        button.setIconSize(QSize(ICON, ICON))
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with what is drawn on
        if pressed is not None:
            button.clicked.connect(pressed)
        self._buttons.append(button)
        return button

    def _set_rows(self, rows: Sequence[Sequence[QWidget | None]], *, wide: QWidget) -> None:
        """Lay widgets out row by row, None for room between them; `wide` takes what its row has left."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        for widgets in rows:
            row = QHBoxLayout()
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(SPACING)
            for widget in widgets:
                if widget is None:
                    row.addStretch(1)
                else:
                    row.addWidget(widget, int(widget is wide))
            column.addLayout(row)
