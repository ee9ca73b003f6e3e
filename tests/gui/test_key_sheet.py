"""The sheet of keys: it has what the window answers to, and fits a low screen."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.key_sheet import KeySheet
from gui.tools import TOOLS
from gui.window_menu import KEYS

LOWEST_SCREEN = 700  # px


def test_every_key_of_a_panel_is_on_the_sheet(qtbot: QtBot) -> None:
    sheet = KeySheet()
    qtbot.addWidget(sheet)
    text = " ".join(label.text() for label in sheet.findChildren(QLabel))
    ranges = {  # "Ctrl+5 … Ctrl+9" and "Ctrl+Shift+1 … 5" are keys each
        f"{head}{digit}"
        for head, first, last in re.findall(r"((?:Ctrl\+|Shift\+)+)(\d) … (?:Ctrl\+)?(\d)", text)
        for digit in range(int(first), int(last) + 1)
    }
    assert {*KEYS.values(), *(tool.key for tool in TOOLS)} <= ranges | set(re.split(r"[ ,]+", text))
    for tool in TOOLS:
        assert tool.title.lower() in text.lower().replace("\n", " ")


def test_it_fits_a_low_screen(qtbot: QtBot) -> None:
    sheet = KeySheet()
    qtbot.addWidget(sheet)
    assert sheet.sizeHint().height() <= LOWEST_SCREEN
