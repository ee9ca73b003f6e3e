"""A box to choose from that says so where its choice has no room."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from gui.eliding_box import ElidingBox

WORDS = "conv1 · 6 of 1×5×5"


def _picture(qtbot: QtBot, box: QComboBox, words: str, width: int) -> QImage:
    qtbot.addWidget(box)
    box.addItem(words)
    box.resize(width, box.sizeHint().height())
    picture = QImage(box.size(), QImage.Format.Format_RGB32)
    picture.fill(QColor("white"))
    box.render(picture)
    assert box.currentText() == words
    return picture


@pytest.mark.parametrize("width", [80, 100])
def test_a_choice_without_room_ends_in_an_ellipsis(qtbot: QtBot, width: int) -> None:
    shown = _picture(qtbot, ElidingBox(), WORDS, width)
    ends = [kept for kept in range(len(WORDS)) if shown == _picture(qtbot, QComboBox(), WORDS[:kept] + "…", width)]
    assert len(ends) == 1


def test_a_choice_with_room_is_shown_whole(qtbot: QtBot) -> None:
    assert _picture(qtbot, ElidingBox(), WORDS, 300) == _picture(qtbot, QComboBox(), WORDS, 300)


def test_without_a_choice_the_placeholder_is_shown(qtbot: QtBot) -> None:
    boxes = ElidingBox(), QComboBox()
    for box in boxes:
        box.setPlaceholderText("No layer")
        qtbot.addWidget(box)
        box.resize(200, box.sizeHint().height())
    assert boxes[0].grab().toImage() == boxes[1].grab().toImage()
