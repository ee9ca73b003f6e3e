"""Icons: assets/icons/*.svg in a theme's colours."""

from __future__ import annotations

from functools import partial
from importlib.resources import files

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from gui.theme import Theme

SIZES = (16, 24)  # px, each also drawn for screens of twice the density where there is one
APP_SIZES = (16, 24, 32, 48, 64, 128, 256)  # px
DISABLED_OPACITY = 0.4


def icon(name: str, theme: Theme, *, role: str = "text") -> QIcon:
    """The drawing assets/icons/`name`.svg as an icon for buttons and menus, with its disabled look.

    Args:
        name: the file's name without `.svg`, such as `play`.
        theme: whose colours to draw in; after a change of theme ask again.
        role: the theme's role for the lines: `text`; `on_accent` on a primary button; `error` for a warning sign.

    Drawing takes about a millisecond: keep the icon, do not ask for it in a paint event.
    Raises FileNotFoundError for a name that is not there.
    """
    source = _source(name)
    drawn = partial(_pixmap, _renderer(source.replace("currentColor", theme.color(role).name())))
    faint = drawn
    if role == "on_accent":  # on a disabled primary button the ground is no accent any more: the plain text's lines
        faint = partial(_pixmap, _renderer(source.replace("currentColor", theme.color("text").name())))
    made = QIcon()
    dense = any(screen.devicePixelRatio() > 1 for screen in QGuiApplication.screens())
    for size in SIZES:
        for density in (1, 2) if dense else (1,):
            made.addPixmap(drawn(size, density=density))
            made.addPixmap(faint(size, density=density, opacity=DISABLED_OPACITY), QIcon.Mode.Disabled)
    return made


def app_icon() -> QIcon:
    """The program's own icon, the same in both themes."""
    renderer = _renderer(_source("learnscope"))
    made = QIcon()
    for size in APP_SIZES:
        made.addPixmap(_pixmap(renderer, size))
    return made


def pixmap(name: str, theme: Theme, *, size: int, density: float = 1.0, role: str = "text") -> QPixmap:
    """The drawing as a picture of `size` px on a screen of `density` device pixels a pixel, for labels."""
    return _pixmap(_renderer(_source(name).replace("currentColor", theme.color(role).name())), size, density=density)


def names() -> tuple[str, ...]:
    """Every drawing there is, in alphabetical order."""
    found = (entry.name for entry in files("assets").joinpath("icons").iterdir() if entry.is_file())
    return tuple(sorted(name.removesuffix(".svg") for name in found if name.endswith(".svg")))


def _source(name: str) -> str:
    return files("assets").joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")


def _renderer(svg: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(svg.encode()))


def _pixmap(renderer: QSvgRenderer, size: int, *, density: float = 1.0, opacity: float = 1.0) -> QPixmap:
    picture = QPixmap(QSize(size, size) * density)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setOpacity(opacity)
    renderer.render(painter, QRectF(0, 0, size * density, size * density))
    painter.end()
    picture.setDevicePixelRatio(density)
    return picture
