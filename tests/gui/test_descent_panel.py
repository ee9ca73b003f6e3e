"""Gradient descent on its curve: the way, the formula beside it, the animation, the film."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.errors import InputError
from engine.events import Started, StepFinished
from gui.descent import PARABOLA, Task, film_rows, predicted, task, walk
from gui.descent_panel import DescentPanel
from gui.run_state import RunState
from gui.theme import DARK, LIGHT
from gui.views.descent_table import figure
from gui.views.descent_view import DescentView, Scene
from tests.gui.fake_bench import FakeBench

Event = Started | StepFinished


def started(*names: str) -> Started:
    return Started("cpu", 1, "contiguous", "float32", 1, 1, 1, 800, 1, "parabola", "none", tracked=names)


def steps(count: int, *, rate: float = 0.01, start: float = 1.0, first: int = 1) -> Iterator[StepFinished]:
    """Plain gradient descent on x², in 32-bit numbers as torch has it."""
    x, lr, two = np.float32(start), np.float32(rate), np.float32(2)
    for step in range(first, first + count):
        gradient = two * x
        x = np.float32(x - lr * gradient)
        yield StepFinished(step, step, float(x * x), rate, step * 0.001, None, (float(x),), (float(gradient),))


def run(state: RunState, count: int, *, rate: float = 0.01, start: float = 1.0) -> None:
    state.apply([started("x"), *steps(count, rate=rate, start=start)])


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench()


@pytest.fixture
def panel(qtbot: QtBot, bench: FakeBench) -> DescentPanel:
    panel = DescentPanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(380, 420)
    panel.show()
    return panel


W = TypeVar("W", bound=QWidget)


def child(panel: DescentPanel, kind: type[W], name: str) -> W:
    found = panel.findChild(kind, name)
    assert found is not None
    return found


def slider(panel: DescentPanel) -> QSlider:
    return child(panel, QSlider, "descent_step")


def view(panel: DescentPanel) -> DescentView:
    return child(panel, DescentView, "descent_view")


def save(panel: DescentPanel) -> QPushButton:
    return child(panel, QPushButton, "save_gif")


def play(panel: DescentPanel) -> QToolButton:
    return child(panel, QToolButton, "descent_play")


def text(panel: DescentPanel, name: str) -> str:
    return child(panel, QLabel, f"descent_{name}").text()


def scene(panel: DescentPanel) -> Scene:
    shown = view(panel).scene
    assert shown is not None
    return shown


def shown_x(panel: DescentPanel) -> float:
    """Where the newest dot of the picture is."""
    return float(scene(panel).walk.x[scene(panel).row])


def test_the_tutorial_s_way_is_a_power_of_098(panel: DescentPanel, bench: FakeBench) -> None:
    panel.prepare({"function": "x**2", "start": 1.0, "factor": 0.98})
    run(bench.run_state, 800)
    panel.refresh()
    assert slider(panel).maximum() == slider(panel).value() == 800
    assert shown_x(panel) == pytest.approx(0.98**800, rel=1e-3)
    assert text(panel, "obtained_0") == "9.569e−8"
    assert text(panel, "formula_0") == figure(0.98**800)
    slider(panel).setValue(2)
    assert text(panel, "obtained_0") == text(panel, "formula_0") == "0.960400"
    assert text(panel, "obtained_1") == text(panel, "formula_1") == f"{0.9604**2:.6f}"
    assert text(panel, "obtained_2") == text(panel, "formula_2") == "1.960000"
    assert abs(float(text(panel, "difference_0").replace("−", "-"))) < 1e-6
    assert text(panel, "place").replace("\u2007", "") == "step 2 of 800"


def test_the_factor_follows_the_run_s_learning_rate(panel: DescentPanel, bench: FakeBench) -> None:
    panel.prepare({"factor": 0.98})
    run(bench.run_state, 50, rate=0.1)
    panel.refresh()
    assert text(panel, "formula_0") == figure(0.8**50)
    bench.run_state.apply(list(steps(1, rate=0.2, start=0.5, first=51)))
    panel.refresh()
    assert text(panel, "formula_0") == "–"
    assert text(panel, "obtained_0") == "0.300000"


def test_before_the_run_it_teaches_and_shows_the_start(panel: DescentPanel) -> None:
    panel.prepare({"start": -1.5})
    assert "Press Start" in text(panel, "message")
    assert shown_x(panel) == -1.5
    for button in (play(panel), save(panel)):
        assert not button.isEnabled()
        assert "no recorded steps yet" in button.toolTip()


def test_the_start_is_where_the_run_really_began(panel: DescentPanel, bench: FakeBench) -> None:
    panel.prepare({"start": 1.0})
    run(bench.run_state, 3, start=-2.0)
    panel.refresh()
    slider(panel).setValue(0)
    assert shown_x(panel) == -2.0
    assert text(panel, "obtained_2") == "–"


@pytest.mark.parametrize(
    ("names", "said"), [(("weight", "bias"), "2 parameter values"), ((), "too many parameters")], ids=["two", "many"]
)
def test_networks_with_more_parameters_are_told_apart(
    panel: DescentPanel, bench: FakeBench, names: tuple[str, ...], said: str
) -> None:
    values = tuple(1.0 for _ in names) or None
    bench.run_state.apply([started(*names), StepFinished(1, 1, 1.0, 0.1, 0.1, None, values, values)])
    panel.refresh()
    assert said in text(panel, "message")
    assert not view(panel).isVisible()
    assert not save(panel).isEnabled()


def test_it_follows_the_newest_step_until_another_is_chosen(panel: DescentPanel, bench: FakeBench) -> None:
    run(bench.run_state, 10)
    panel.refresh()
    bench.run_state.apply(list(steps(5, start=shown_x(panel), first=11)))
    panel.refresh()
    assert slider(panel).value() == 15
    slider(panel).setValue(4)
    bench.run_state.apply(list(steps(5, start=0.5, first=16)))
    panel.refresh()
    assert (slider(panel).value(), slider(panel).maximum()) == (4, 20)
    run(bench.run_state, 7)
    panel.refresh()
    assert slider(panel).value() == 7


def test_the_animation_goes_from_the_start_to_the_end_and_stops(
    panel: DescentPanel, bench: FakeBench, qtbot: QtBot
) -> None:
    run(bench.run_state, 4)
    panel.refresh()
    seen: list[int] = []
    slider(panel).valueChanged.connect(seen.append)
    play(panel).click()
    assert play(panel).accessibleName() == "Pause the animation"
    qtbot.waitUntil(lambda: play(panel).accessibleName() == "Play the animation")
    assert seen == [0, 1, 2, 3, 4]


def test_hiding_the_panel_or_pressing_again_pauses(panel: DescentPanel, bench: FakeBench, qtbot: QtBot) -> None:
    run(bench.run_state, 400)
    panel.refresh()
    for pause in (panel.hide, play(panel).click):
        panel.show()
        play(panel).click()
        qtbot.waitUntil(lambda: 0 < slider(panel).value() < 400)
        pause()
        assert play(panel).accessibleName() == "Play the animation"


def test_a_way_that_diverges_is_shown_and_told(panel: DescentPanel, bench: FakeBench) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        run(bench.run_state, 2_000, rate=1.5)
    panel.refresh()
    assert math.isnan(shown_x(panel))
    assert text(panel, "obtained_0") == "nan"
    assert not panel.grab().isNull()
    slider(panel).setValue(20)
    assert text(panel, "obtained_0") == text(panel, "formula_0") == figure(2.0**20)
    assert scene(panel).walk.reach(20, close=False) == 2.0**20


def test_the_close_view_fits_the_newest_steps(panel: DescentPanel, bench: FakeBench) -> None:
    run(bench.run_state, 800)
    panel.refresh()
    reaches = []
    for choice in ("whole", "close"):
        child(panel, QPushButton, f"descent_scale_{choice}").click()
        shown = scene(panel)
        reaches.append(shown.walk.reach(shown.row, close=shown.close))
    assert reaches[0] == 1.0
    newest = 0.98**770
    assert newest < reaches[1] < 2 * newest


def test_the_film_has_the_steps_the_size_and_the_time_it_says(
    panel: DescentPanel, bench: FakeBench, tmp_path: Path
) -> None:
    run(bench.run_state, 30, rate=0.1)
    panel.refresh()
    panel.set_theme(DARK)
    panel.save_gif(tmp_path / "way.gif")
    assert bench.said[-1].startswith(f"Saved {tmp_path / 'way.gif'} (31 pictures")
    with Image.open(tmp_path / "way.gif") as film:
        assert getattr(film, "n_frames", 1) == 31
        assert film.size == (480, 340)
        assert film.info["loop"] == 0
        corners = {film.convert("RGB").getpixel((1, 338))}
        times = []
        for number in range(31):
            film.seek(number)
            times.append(film.info["duration"])
    assert corners == {(0x1B, 0x1F, 0x26)}
    assert times == [50] * 30 + [1550]
    assert save(panel).isEnabled()


def test_a_long_way_makes_a_film_of_120_pictures() -> None:
    rows = film_rows(20_000)
    assert len(rows) == 120
    assert (rows[0], rows[-1]) == (0, 20_000)
    assert max(np.diff(rows)) - min(np.diff(rows)) <= 1
    assert film_rows(3) == [0, 1, 2, 3]
    assert film_rows(0) == [0]


@pytest.mark.parametrize(("name", "reason"), [("missing/way.gif", "no such file"), ("folder", "is a directory")])
def test_a_place_that_cannot_be_written_to_is_told(
    panel: DescentPanel, bench: FakeBench, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    run(bench.run_state, 2)
    panel.refresh()
    panel.save_gif(tmp_path / name)
    assert bench.said[-1].startswith(f"The film was not saved to {tmp_path / name}: {reason}")
    assert save(panel).isEnabled()


def test_while_a_film_is_written_no_other_is_begun(panel: DescentPanel, bench: FakeBench, tmp_path: Path) -> None:
    run(bench.run_state, 2)
    panel.refresh()
    bench.later = True
    panel.save_gif(tmp_path / "one.gif")
    button = save(panel)
    assert not button.isEnabled()
    assert "being written" in button.toolTip()
    panel.save_gif(tmp_path / "two.gif")
    bench.run_jobs()
    assert button.isEnabled()
    assert [path.name for path in tmp_path.glob("*.gif")] == ["one.gif"]


def test_the_button_asks_where(panel: DescentPanel, bench: FakeBench, tmp_path: Path) -> None:
    run(bench.run_state, 2)
    panel.refresh()
    save(panel).click()
    dialog = panel.findChild(QFileDialog, "save_gif_dialog")
    assert dialog is not None
    dialog.fileSelected.emit(str(tmp_path / "asked.gif"))
    dialog.close()
    assert (tmp_path / "asked.gif").is_file()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"function": "x**3"}, "function"),
        ({"function": 3}, "function"),
        ({"start": "1"}, "start"),
        ({"start": math.nan}, "start"),
        ({"start": 1e9}, "start"),
        ({"factor": True}, "factor"),
        ({"speed": 1}, "speed"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(panel: DescentPanel, settings: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refused:
        panel.prepare(settings)
    assert refused.value.field == f"descent.{field}"
    assert refused.value.accepted


def test_the_formula_ends_where_floats_end() -> None:
    assert predicted(Task(start=1.0), 10**6, 1.5) == math.inf
    assert predicted(Task(start=1.0), 10**6, 0.5) == 0.0
    assert predicted(Task(start=2.0), 3, -1.0) == -2.0


def test_a_lesson_may_leave_everything_out() -> None:
    assert task({}) == Task(curve=PARABOLA, start=1.0, factor=None)


def test_a_run_without_steps_is_its_start() -> None:
    way = walk(RunState().track, Task(start=3.0))
    assert way.x.tolist() == [3.0]
    assert way.last == 0


@pytest.mark.parametrize("size", [(380, 420), (320, 260), (900, 600)])
def test_the_newest_dot_is_in_the_picture(panel: DescentPanel, bench: FakeBench, size: tuple[int, int]) -> None:
    run(bench.run_state, 20)
    panel.refresh()
    panel.set_theme(DARK)
    panel.resize(*size)
    image = view(panel).grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(0, image.height(), 2)}
    assert DARK.validation.lower() in colours
    assert DARK.train.lower() in colours
