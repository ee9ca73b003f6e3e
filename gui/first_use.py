"""What Qt makes at its first use, made at once, so that torch's libraries load beside the window's construction."""

from __future__ import annotations

from importlib.resources import files

from PySide6.QtCore import QSize, QVariantAnimation
from PySide6.QtGui import QAccessible, QIcon, QImageReader


def use_first() -> None:
    """Let Qt load its plugins for SVG, connect to D-Bus for screen readers, and set up its clock of animations.

    While one thread loads a library, any other waits that loads one too, starts a thread or registers what is to be
    undone at its end: on Linux they share a lock. Qt does all this somewhere in the construction of a window and in its
    first paint. Done before, window and libraries come up side by side, on two cores.
    """
    picture = str(files("assets").joinpath("icons", "play.svg"))
    QIcon(picture).pixmap(QSize(16, 16))
    QImageReader(picture).canRead()
    QAccessible.isActive()
    animation = QVariantAnimation()
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.start()
    animation.stop()
