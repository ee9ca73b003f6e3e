"""What every surface that one draws on has: its contents, undo and clear, and a word when they are others."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import Theme

COMFORTABLE = 240  # px, side of the widget


class Contents(Protocol):
    """What is drawn, with the steps that can be taken back."""

    @property
    def is_empty(self) -> bool: ...

    @property
    def can_undo(self) -> bool: ...

    def undo(self) -> bool:
        """Whether there was something to take back."""

    def clear(self) -> bool:
        """Whether there was something to clear."""

    def taken(self) -> NDArray[Any] | None:
        """An owned, read-only copy; None when empty."""


class DrawingSurface(QWidget):
    """Keeps those who listen up to date with what is drawn, at most once a turn of the event loop.

    A surface gives its contents and paints them; it calls `_changed` when they are others.

    Signals:
        drawing_changed: the contents as an owned, read-only array, or None when there are none.
        rejected: a sentence that says why something was not taken. The surface shows it too.
        undo_available, clear_available: whether there is something to take back, to clear.
    """

    drawing_changed = Signal(object)
    rejected = Signal(str)
    undo_available = Signal(bool)
    clear_available = Signal(bool)

    def __init__(self, parent: QWidget | None, *, theme: Theme, smallest: int) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # the right button erases
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._theme = theme
        self._smallest = smallest
        self._eraser = False
        self._message = ""
        self._could_undo = self._could_clear = False
        self._emission = QTimer(self, singleShot=True, interval=0)
        self._emission.timeout.connect(self._emit)

    def _contents(self) -> Contents:
        raise NotImplementedError

    def _lift(self) -> None:
        """Whatever is being drawn is one step from now on."""

    def _describe(self) -> None:
        """Say in words what is shown, for those who do not see it."""

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    @Slot(bool)
    def set_eraser(self, on: bool) -> None:
        self._eraser = on

    @Slot()
    def undo(self) -> None:
        """Takes back the last stroke, picture, or clearing."""
        self._lift()
        if self._contents().undo():
            self._changed()

    @Slot()
    def clear(self) -> None:
        """Empties the surface; `undo` brings back what was there."""
        self._lift()
        if self._contents().clear():
            self._changed()
        elif self._message:
            self._message = ""
            self.update()

    @Slot(str)
    def reject(self, sentence: str) -> None:
        """Shows why something was not taken, until the next change."""
        self._message = sentence
        self.update()
        self.rejected.emit(sentence)

    def drawing(self) -> NDArray[Any] | None:
        """What `drawing_changed` emits, now."""
        return self._contents().taken()

    def sizeHint(self) -> QSize:
        return QSize(COMFORTABLE, COMFORTABLE)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._smallest, self._smallest)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def _changed(self) -> None:
        self._message = ""
        self._describe()
        self.update()
        self._emission.start()

    def _emit(self) -> None:
        contents = self._contents()
        if contents.can_undo != self._could_undo:
            self._could_undo = contents.can_undo
            self.undo_available.emit(self._could_undo)
        if contents.is_empty == self._could_clear:
            self._could_clear = not contents.is_empty
            self.clear_available.emit(self._could_clear)
        self.drawing_changed.emit(contents.taken())
