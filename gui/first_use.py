"""What Qt makes at its first use, made at once, so that torch's libraries load beside the window's construction."""

from __future__ import annotations

from importlib.resources import files

from PySide6.QtCore import QSize, Qt, QVariantAnimation
from PySide6.QtGui import QAccessible, QIcon, QImageReader, QPainter, QPixmap


def use_first() -> None:
    """Let Qt load its plugins for SVG, start what helps it draw, find screen readers, and set up animations' clock.

    While one thread loads a library, any other waits that loads one too, starts a thread or registers what is to be
    undone at its end: on Linux they share a lock. Qt does all this somewhere in the construction of a window and in its
    first paint. Done before, window and libraries come up side by side, on two cores.
    """
    picture = str(files("assets").joinpath("icons", "play.svg"))
    QIcon(picture).pixmap(QSize(16, 16))
    QImageReader(picture).canRead()
    _draw_translucent()
    QAccessible.isActive()  # connects to D-Bus
    animation = QVariantAnimation()
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.start()
    animation.stop()


def _draw_translucent() -> None:
    """Draw something so large, and with the ground shining through, that Qt has threads of its own help."""
    picture = QPixmap(256, 256)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(0.5)
    painter.setBrush(Qt.GlobalColor.black)
    painter.drawEllipse(picture.rect())
    painter.end()
