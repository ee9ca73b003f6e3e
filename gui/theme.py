"""Colours, sizes and the stylesheet, light and dark."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Literal

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette

ThemeName = Literal["light", "dark"]

SPACING = 4  # px; every distance is a multiple
PANEL_MARGIN = 12  # px
FONT_SMALL, FONT_BASE, FONT_LARGE = 11, 13, 16  # px


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role, as `#RRGGBB`. `faint` is for the words on what is disabled."""

    name: ThemeName
    window: str
    panel: str
    raised: str
    border: str
    grid: str
    text: str
    secondary: str
    faint: str
    accent: str
    on_accent: str
    train: str
    validation: str
    test: str
    good: str
    warning: str
    error: str
    weight_negative: str
    weight_positive: str

    def color(self, role: str, alpha: float = 1.0) -> QColor:
        color = QColor(getattr(self, role))
        color.setAlphaF(alpha)
        return color

    def palette(self) -> QPalette:
        """The Fusion style's palette in these colours."""
        palette = QPalette()
        role = QPalette.ColorRole
        for which, name in (
            (role.Window, self.window),
            (role.WindowText, self.text),
            (role.Base, self.panel),
            (role.AlternateBase, self.window),
            (role.Text, self.text),
            (role.Button, self.raised),
            (role.ButtonText, self.text),
            (role.BrightText, self.error),
            (role.ToolTipBase, self.raised),
            (role.ToolTipText, self.text),
            (role.PlaceholderText, self.secondary),
            (role.Highlight, self.accent),
            (role.HighlightedText, self.on_accent),
            (role.Link, self.accent),
            (role.Accent, self.accent),
            (role.Mid, self.border),
            (role.Dark, self.border),
            (role.Shadow, self.border),
            (role.Light, self.raised),
            (role.Midlight, self.grid),
        ):
            palette.setColor(which, QColor(name))
        faint = QColor(self.faint)
        for which in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, which, faint)
        return palette

    def stylesheet(self) -> str:
        """assets/style.qss with `@role` replaced by this theme's colours, `@icons` by its folder of marks."""
        assets = files("assets")
        text = assets.joinpath("style.qss").read_text(encoding="utf-8")
        # Qt reads url() with forward slashes on every system.
        text = text.replace("@icons", Path(str(assets.joinpath("icons", self.name))).as_posix())
        roles = sorted((f.name for f in fields(self) if f.name != "name"), key=len, reverse=True)
        for role in roles:
            text = text.replace(f"@{role}", getattr(self, role))
        return text


def base_font() -> QFont:
    """The system's font for user interfaces at FONT_BASE px, with figures that are all of one width."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(FONT_BASE)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


LIGHT = Theme(
    name="light",
    window="#F4F5F7",
    panel="#FFFFFF",
    raised="#FFFFFF",
    border="#D5D9E0",
    grid="#E7E9EE",
    text="#1A1F27",
    secondary="#566070",
    faint="#828B99",
    accent="#0B63CE",
    on_accent="#FFFFFF",
    train="#0072B2",
    validation="#A55F00",
    test="#A3497D",
    good="#1A7F4B",
    warning="#956300",
    error="#C62828",
    weight_negative="#0072B2",
    weight_positive="#B34700",
)

DARK = Theme(
    name="dark",
    window="#14171C",
    panel="#1B1F26",
    raised="#242A34",
    border="#323A47",
    grid="#2A313C",
    text="#E8EBF0",
    secondary="#A3ADBB",
    faint="#717B8A",
    accent="#4EA1FF",
    on_accent="#0C1118",
    train="#56B4E9",
    validation="#E69F00",
    test="#CC79A7",
    good="#3DBB7D",
    warning="#E3B341",
    error="#FF6B6B",
    weight_negative="#56B4E9",
    weight_positive="#FF8A3D",
)

THEMES: dict[str, Theme] = {"light": LIGHT, "dark": DARK}
