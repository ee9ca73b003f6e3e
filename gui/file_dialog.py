"""A dialog that asks where to save something, without standing in the way of what goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def ask_where(parent: QWidget, title: str, *, place: Path, kinds: str, chosen: Callable[[Path], object]) -> None:
    """Ask, then call `chosen`.

    Args:
        title: the dialog's.
        place: what it proposes; its suffix is added to a name without one.
        kinds: of files, as Qt writes them: `Table (*.csv)`.
    """
    dialog = QFileDialog(parent, title, str(place), kinds)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(place.suffix.removeprefix("."))
    dialog.fileSelected.connect(lambda path: chosen(Path(path)))
    dialog.open()
