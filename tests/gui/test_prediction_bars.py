"""The bars of the answer, and the picture that the network receives."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from gui.theme import DARK, LIGHT, Theme
from gui.views.prediction_bars import PredictionBars
from gui.views.received_picture import ReceivedPicture


@pytest.fixture
def bars(qtbot: QtBot) -> PredictionBars:
    made = PredictionBars()
    qtbot.addWidget(made)
    made.resize(260, 200)
    made.set_theme(DARK)
    return made


def answer(count: int, **shares: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    values = np.zeros(count, np.float32)
    for name, share in shares.items():
        values[int(name[1:])] = share
    return values


def lengths(image: QImage, *, colour: str, rows: int) -> list[int]:
    """Pixels of exactly that colour on the middle line of each row."""
    wanted = QColor(colour).rgb()
    lines = [round((row + 0.5) * image.height() / rows) for row in range(rows)]
    return [sum(image.pixel(x, y) == wanted for x in range(image.width())) for y in lines]


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_the_bar_of_the_largest_class_alone_has_the_accent(bars: PredictionBars, theme: Theme) -> None:
    bars.set_theme(theme)
    bars.set_probabilities(answer(10, _7=0.9, _9=0.1))
    found = lengths(bars.grab().toImage(), colour=theme.accent, rows=10)
    assert found[7] > 100
    assert [length for place, length in enumerate(found) if place != 7] == [0] * 9


def test_a_bars_length_is_its_probability(bars: PredictionBars) -> None:
    full, half = answer(10, _3=1.0), answer(10, _3=0.5, _4=0.49)
    found = []
    for values in (full, half):
        bars.set_probabilities(values)
        found.append(lengths(bars.grab().toImage(), colour=DARK.accent, rows=10)[3])
    assert found[1] == pytest.approx(found[0] / 2, abs=2)


def test_the_answer_is_read_aloud(bars: PredictionBars) -> None:
    assert bars.accessibleDescription() == "The network's answer appears here"
    bars.set_probabilities(answer(10, _7=0.98, _9=0.02))
    assert bars.accessibleDescription() == "7, 98 %"
    bars.set_probabilities(None)
    assert bars.accessibleDescription() == "The network's answer appears here"


def test_few_classes_keep_their_places(bars: PredictionBars) -> None:
    bars.set_probabilities(answer(10, _7=0.9, _2=0.1))
    assert bars.shown_classes() == tuple(range(10))


def test_of_many_classes_the_ten_most_probable_are_ranked(bars: PredictionBars) -> None:
    bars.set_classes(tuple("abcdefghijklmnopqrstuvwxyz"))
    bars.set_probabilities(answer(26, _25=0.5, _3=0.3, _10=0.2))
    assert bars.shown_classes()[:3] == (25, 3, 10)
    assert len(bars.shown_classes()) == 10
    assert bars.accessibleDescription() == "z, 50 %"


def test_the_answer_of_a_replaced_network_is_not_shown(bars: PredictionBars) -> None:
    bars.set_probabilities(answer(10, _7=1.0))
    bars.set_classes(("blue", "orange"))
    assert bars.shown_classes() == ()
    bars.set_probabilities(answer(10, _7=1.0))
    assert bars.shown_classes() == ()


def test_an_answer_that_is_not_a_number_is_said_to_be_none(bars: PredictionBars) -> None:
    bars.set_probabilities(np.full(10, np.nan))
    assert "not a number" in bars.accessibleDescription()
    bars.grab()


def test_the_values_are_copied(bars: PredictionBars) -> None:
    values = answer(10, _7=1.0)
    bars.set_probabilities(values)
    before = bars.grab().toImage()
    values[:] = 0.1
    assert bars.grab().toImage() == before


def test_long_names_leave_room_for_the_bars(bars: PredictionBars) -> None:
    bars.set_classes(("a class whose name is far too long for any dock", "b"))
    bars.resize(220, 60)
    bars.set_probabilities(answer(2, _0=1.0))
    assert lengths(bars.grab().toImage(), colour=DARK.accent, rows=2)[0] > 60


@pytest.mark.parametrize("size", [(1, 1), (140, 160), (500, 400)])
@pytest.mark.parametrize("count", [0, 1, 10, 47])
def test_any_number_of_classes_is_painted_at_any_size(bars: PredictionBars, size: tuple[int, int], count: int) -> None:
    bars.set_classes(tuple(f"class {number}" for number in range(count)))
    bars.resize(*size)
    bars.grab()
    bars.set_probabilities(np.full(count, 1 / max(count, 1)))
    bars.grab()
    assert bars.minimumSizeHint().width() <= 196


def test_the_received_picture_shows_every_pixel_crisply(qtbot: QtBot) -> None:
    view = ReceivedPicture(theme=DARK)
    qtbot.addWidget(view)
    view.resize(200, 66)
    sample = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    view.set_sample(sample)
    shot = view.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    left, top = 200 - 56 - 1, (66 - 56) // 2
    shown = np.array([[shot.pixelColor(left + x, top + y).red() for x in range(56)] for y in range(56)])
    np.testing.assert_array_equal(shown, np.kron(sample[0], np.ones((2, 2), np.uint8)))
    assert view.accessibleDescription() == "28 × 28 pixels"


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 200, 100), (1, 1, 1)])
def test_samples_of_any_shape_are_shown(qtbot: QtBot, shape: tuple[int, int, int]) -> None:
    view = ReceivedPicture(theme=LIGHT)
    qtbot.addWidget(view)
    view.resize(view.minimumSizeHint())
    view.grab()
    view.set_sample(np.full(shape, 200, np.uint8))
    view.grab()
    view.set_sample(None)
    assert view.accessibleDescription() == ""
