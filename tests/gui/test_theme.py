"""Colours one can read, and a stylesheet without gaps, in both themes."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from gui.icons import app_icon, icon, names, pixmap
from gui.theme import THEMES, Theme, base_font

TEXT = 4.5  # WCAG 2.1, 1.4.3: text against its ground
SHAPE = 3.0  # WCAG 2.1, 1.4.11: lines and marks that carry meaning; also what is disabled, of which WCAG asks nothing


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest) -> Theme:
    return THEMES[request.param]


def luminance(color: QColor) -> float:
    """Relative luminance, 0 … 1: WCAG 2.1's definition."""
    channels = color.redF(), color.greenF(), color.blueF()
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: QColor, other: QColor) -> float:
    """1 … 21: WCAG 2.1's definition."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_wcag_s() -> None:
    assert contrast(QColor("#000000"), QColor("#FFFFFF")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("#FFFFFF")) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("ground", ["window", "panel", "raised"])
@pytest.mark.parametrize(
    "role", ["text", "secondary", "accent", "train", "validation", "test", "good", "warning", "error"]
)
def test_words_stand_out_from_their_ground(theme: Theme, role: str, ground: str) -> None:
    assert contrast(theme.color(role), theme.color(ground)) >= TEXT


def test_words_on_the_accent_stand_out(theme: Theme) -> None:
    assert contrast(theme.color("on_accent"), theme.color("accent")) >= TEXT


@pytest.mark.parametrize("role", ["text", "secondary", "accent"])
def test_words_on_a_button_under_the_mouse_stand_out(theme: Theme, role: str) -> None:
    assert contrast(theme.color(role), theme.color("grid")) >= TEXT


@pytest.mark.parametrize("role", ["faint", "weight_negative", "weight_positive"])
@pytest.mark.parametrize("ground", ["panel", "raised"])
def test_shapes_and_disabled_words_can_be_seen(theme: Theme, role: str, ground: str) -> None:
    assert contrast(theme.color(role), theme.color(ground)) >= SHAPE


def test_the_stylesheet_has_no_role_left_and_its_pictures_are_there(theme: Theme) -> None:
    sheet = theme.stylesheet()
    assert not re.findall(r"@\w+", sheet)
    pictures = re.findall(r'url\("([^"]+)"\)', sheet)
    assert pictures
    assert not [path for path in pictures if not Path(path).is_file()]


def test_qt_takes_the_stylesheet(qtbot: QtBot, theme: Theme) -> None:
    """Qt warns of a sheet that it cannot parse, and a warning fails a test."""
    button = QPushButton("Start")
    button.setProperty("role", "primary")
    qtbot.addWidget(button)
    button.setStyleSheet(theme.stylesheet())
    button.resize(120, 40)
    assert button.grab().toImage().pixelColor(60, 4) == theme.color("accent")


def test_the_marks_are_drawn_in_the_theme_s_colours(theme: Theme) -> None:
    colors = {theme.secondary, theme.faint, theme.on_accent}
    for mark in files("assets").joinpath("icons", theme.name).iterdir():
        used = set(re.findall(r"#[0-9A-Fa-f]{6}", mark.read_text(encoding="utf-8")))
        assert used
        assert used <= colors, mark.name


@pytest.mark.usefixtures("qapp")
def test_every_icon_shows_in_the_text_s_colour_and_fainter_where_disabled(theme: Theme) -> None:
    assert {"play", "pause", "step", "epoch", "stop", "learnscope"} <= set(names())
    for name in set(names()) - {"learnscope"}:
        made = icon(name, theme)
        drawn = made.pixmap(QSize(24, 24)).toImage()
        disabled = made.pixmap(QSize(24, 24), 1.0, QIcon.Mode.Disabled).toImage()
        pixels = [(x, y) for x in range(drawn.width()) for y in range(drawn.height())]
        strongest = max(pixels, key=lambda at: drawn.pixelColor(*at).alpha())
        assert drawn.pixelColor(*strongest).alpha() > 200, name
        for channel in ("red", "green", "blue"):
            assert getattr(drawn.pixelColor(*strongest), channel)() == pytest.approx(
                getattr(theme.color("text"), channel)(), abs=4
            )
        assert 0 < disabled.pixelColor(*strongest).alpha() < drawn.pixelColor(*strongest).alpha(), name
        assert not any(drawn.pixelColor(x, y).alpha() for x, y in pixels if x in (0, 23) or y in (0, 23)), name


@pytest.mark.usefixtures("qapp")
def test_pictures_of_icons_have_the_screen_s_density(theme: Theme) -> None:
    picture = pixmap("warning", theme, size=16, density=2, role="warning")
    assert picture.width() == 32
    assert picture.deviceIndependentSize().width() == 16
    assert not app_icon().isNull()


@pytest.mark.usefixtures("qapp")
def test_an_unknown_icon_is_an_error(theme: Theme) -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-drawing", theme)


@pytest.mark.usefixtures("qapp")
def test_figures_in_the_window_s_font_are_of_one_width() -> None:
    assert base_font().pixelSize() == 13
    assert [tag.toString() for tag in base_font().featureTags()] == [b"tnum"]
