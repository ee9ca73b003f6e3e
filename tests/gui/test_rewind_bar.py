"""The bar that goes back along a run, and the film of its filters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.events import EpochFinished, Started, StepFinished
from engine.rewind.snapshots import Mark, Tick
from engine.snapshots import FilterImages
from gui.colormap import LINE_LEVEL, ZERO_LEVEL, diverging, diverging_levels, steady_limit
from gui.filter_film import CAPTION, captions, film, film_steps
from gui.plotting.overlay import Cursor
from gui.run_state import RunState
from gui.theme import DARK, LIGHT
from gui.views.curves import CurvesView
from gui.views.filters import Scale
from gui.views.rewind_bar import TEACHING, Past, RewindBar
from tests.gui.parts import move_mouse

LAST, TOTAL = 43, 1290


def ticks(*steps: int) -> tuple[Tick, ...]:
    keyframes: dict[int, Mark] = {0: "first", 40: "epoch"}
    return tuple(Tick(step, frozenset({keyframes[step]} if step in keyframes else set())) for step in steps)


PAST = Past(ticks=ticks(0, 10, 20, 30, 40), last=LAST, total=TOTAL, refusal="", branch_refusal="", film_refusal="")


class Shown:
    """A bar whose wishes are fulfilled, at once or by `answer`."""

    def __init__(self, bar: RewindBar) -> None:
        self.bar = bar
        self.wanted: list[int | None] = []
        self.branched: list[int] = []
        self.films: list[Path] = []
        self.later = False
        bar.wanted.connect(self._on_wanted)
        bar.branch_wanted.connect(self.branched.append)
        bar.film_wanted.connect(self.films.append)

    def _on_wanted(self, step: int | None) -> None:
        self.wanted.append(step)
        if not self.later:
            self.bar.set_shown(step)

    @property
    def where(self) -> str:
        label = self.bar.findChild(QLabel, "rewind_where")
        assert isinstance(label, QLabel)
        return label.text()

    def button(self, name: str) -> QToolButton:
        found = self.bar.findChild(QToolButton, f"rewind_{name}")
        assert isinstance(found, QToolButton)
        return found

    @property
    def slider(self) -> QSlider:
        found = self.bar.findChild(QSlider, "rewind")
        assert isinstance(found, QSlider)
        return found

    @property
    def field(self) -> QLineEdit:
        found = self.bar.findChild(QLineEdit, "rewind_step")
        assert isinstance(found, QLineEdit)
        return found

    def place(self, share: float) -> QPoint:
        return QPoint(8 + round(share * (self.slider.width() - 16)), self.slider.height() // 2)


@pytest.fixture
def shown(qtbot: QtBot) -> Shown:
    bar = RewindBar(DARK)
    qtbot.addWidget(bar)
    bar.resize(700, bar.sizeHint().height())
    bar.show()
    bar.refresh(PAST)
    return Shown(bar)


class TestGoingBack:
    def test_before_a_run_everything_is_disabled_and_says_why(self, qtbot: QtBot) -> None:
        bar = RewindBar(LIGHT)
        qtbot.addWidget(bar)
        shown = Shown(bar)
        widgets: list[QWidget] = [shown.slider, shown.field, *map(shown.button, ("play", "latest", "film", "branch"))]
        assert not any(widget.isEnabled() for widget in widgets)
        assert {widget.toolTip() for widget in widgets} == {TEACHING}
        for act in (bar.back, bar.forth, bar.follow, bar.toggle_film):
            act()
        assert shown.wanted == []
        assert not bar.playing

    def test_at_first_it_is_at_the_latest_step(self, shown: Shown) -> None:
        assert shown.bar.step is None
        assert shown.field.text() == "43"
        assert shown.where == "of 1\u2009290 · latest"
        assert not shown.button("latest").isEnabled()
        assert "latest" in shown.button("latest").toolTip()

    def test_the_mouse_goes_from_kept_step_to_kept_step(self, shown: Shown) -> None:
        slider = shown.slider
        QTest.mousePress(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, shown.place(22 / LAST))
        assert shown.wanted == [20]
        for share in (24, 27, 33, 36):
            move_mouse(slider, shown.place(share / LAST), Qt.MouseButton.LeftButton)
        assert shown.wanted == [20, 30, 40]
        assert shown.where == "of 1\u2009290 · exact"
        move_mouse(slider, shown.place(1.0), Qt.MouseButton.LeftButton)
        QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, shown.place(1.0))
        assert shown.wanted == [20, 30, 40, None]
        assert not slider.isSliderDown()

    def test_arrow_keys_reach_every_step(self, shown: Shown) -> None:
        shown.bar.ask(20)
        QTest.keyClick(shown.slider, Qt.Key.Key_Left)
        QTest.keyClick(shown.slider, Qt.Key.Key_Left)
        QTest.keyClick(shown.slider, Qt.Key.Key_Home)
        assert shown.wanted == [20, 19, 18, 0]
        QTest.keyClick(shown.slider, Qt.Key.Key_End)
        assert shown.wanted[-1] is None

    @pytest.mark.parametrize(("typed", "wanted"), [("17", 17), ("1 7", 17), ("0", 0), ("5000", None)])
    def test_a_step_can_be_typed(self, shown: Shown, typed: str, wanted: int | None) -> None:
        shown.bar.ask(30)
        shown.field.selectAll()
        QTest.keyClicks(shown.field, typed)
        assert shown.wanted == [30]
        QTest.keyClick(shown.field, Qt.Key.Key_Return)
        assert shown.wanted == [30, wanted]
        assert shown.field.text() == str(LAST if wanted is None else wanted)

    @pytest.mark.parametrize("typed", ["x", "-3", "", "99999999999999999999999999"])
    def test_what_is_no_step_gives_way_to_the_one_that_is_shown(self, shown: Shown, typed: str) -> None:
        shown.bar.ask(30)
        shown.field.selectAll()
        QTest.keyClick(shown.field, Qt.Key.Key_Delete)
        QTest.keyClicks(shown.field, typed)
        QTest.keyClick(shown.field, Qt.Key.Key_Return)
        assert shown.wanted == [30]
        assert shown.field.text() == "30"

    def test_keys_step_through_what_is_kept(self, shown: Shown, qtbot: QtBot) -> None:
        modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        window = shown.bar
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
            QTest.keyClick(window, key, modifiers)
        assert shown.wanted == [40, 30, 40, None]
        shown.bar.ask(17)
        QTest.keyClick(window, Qt.Key.Key_Left, modifiers)
        QTest.keyClick(window, Qt.Key.Key_End, modifiers)
        assert shown.wanted[4:] == [17, 10, None]
        assert shown.bar.step is None

    def test_while_it_trains_forward_it_says_so_and_then_what_is_shown(self, shown: Shown) -> None:
        shown.later = True
        shown.bar.ask(17)
        assert shown.where == "training …"
        shown.bar.set_shown(17)
        assert shown.where == "of 1\u2009290 · exact"
        shown.bar.ask(18)
        shown.bar.set_shown(10)  # the run goes on: the nearest is all there is
        assert shown.where == "shows step 10"

    def test_how_far_it_is_to_the_step_is_said_while_it_waits(self, shown: Shown) -> None:
        shown.later = True
        shown.bar.ask(23)
        shown.bar.set_progress("Reading MNIST", None, trains=False)
        assert shown.where == "preparing …"
        label = shown.bar.findChild(QLabel, "rewind_where")
        assert label is not None
        assert label.toolTip() == "Reading MNIST."
        shown.bar.set_progress("Training again", 0.456, trains=True)
        assert shown.where == "training 46 %"
        shown.bar.set_shown(23)
        assert shown.where.endswith("exact")
        shown.bar.set_progress("Training again", 0.9, trains=True)
        assert shown.where.endswith("exact")
        shown.bar.ask(24)
        assert shown.where == "training …"

    def test_weights_that_are_older_than_the_last_step_stand_where_they_are(self, shown: Shown) -> None:
        """A run that was interrupted after step 43, and whose newest weights are those of step 40."""
        shown.bar.refresh(replace(PAST, newest=40))
        assert shown.slider.value() == 40
        assert shown.slider.maximum() == LAST
        assert shown.where.endswith("last kept")
        shown.bar.ask(LAST)
        assert shown.wanted == [LAST]
        assert shown.where.endswith("exact")
        shown.bar.ask(LAST + 10)
        assert shown.wanted == [LAST]
        shown.button("latest").click()
        assert shown.wanted == [LAST, None]
        assert shown.slider.value() == 40
        shown.bar.ask(40)
        assert shown.wanted == [LAST, None]
        shown.button("branch").click()
        assert shown.branched == [40]

    def test_a_run_that_may_not_be_gone_back_along_now_is_followed_again(self, shown: Shown) -> None:
        shown.bar.ask(20)
        shown.bar.refresh(Past(refusal="Pause the run.", branch_refusal="Stop the run."))
        assert shown.bar.step is None
        assert shown.slider.toolTip() == "Pause the run."
        assert shown.button("branch").toolTip() == "Stop the run."
        assert shown.field.text() == ""
        shown.bar.refresh(PAST)
        assert shown.bar.step is None
        assert shown.where.endswith("latest")

    def test_a_run_that_grows_leaves_the_step_where_it_is(self, shown: Shown) -> None:
        shown.bar.ask(20)
        grown = ticks(0, 10, 20, 30, 40, 50)
        shown.bar.refresh(Past(ticks=grown, last=57, total=TOTAL, refusal="", branch_refusal="", film_refusal=""))
        assert (shown.bar.step, shown.slider.value(), shown.slider.maximum()) == (20, 20, 57)
        shown.bar.follow()
        assert shown.slider.value() == 57

    def test_it_fits_a_narrow_panel(self, shown: Shown) -> None:
        shown.bar.resize(320, 40)
        assert shown.bar.minimumSizeHint().width() <= 460
        assert shown.button("branch").toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly
        assert shown.button("branch").accessibleName() == "Continue from here"
        shown.bar.set_theme(LIGHT)


class TestFilm:
    def test_it_plays_through_what_is_kept_and_ends_at_the_latest(self, shown: Shown, qtbot: QtBot) -> None:
        shown.button("play").click()
        assert shown.bar.playing
        qtbot.waitUntil(lambda: not shown.bar.playing)
        assert shown.wanted == [0, 10, 20, 30, 40, None]

    def test_it_starts_from_where_one_is_and_can_be_held(self, shown: Shown, qtbot: QtBot) -> None:
        shown.bar.ask(20)
        shown.button("play").click()
        qtbot.waitUntil(lambda: shown.bar.step == 30)
        shown.button("play").click()
        assert not shown.bar.playing
        assert shown.bar.step == 30

    def test_no_picture_is_passed_over(self, shown: Shown, qtbot: QtBot) -> None:
        shown.later = True
        shown.button("play").click()
        [timer] = shown.bar.findChildren(QTimer)
        for _ in range(3):
            timer.timeout.emit()
        assert shown.wanted == [0]
        for step in (0, 10, 20):
            qtbot.waitUntil(lambda step=step: shown.wanted[-1] == step)  # type: ignore[misc]
            assert shown.wanted.count(step) == 1
            shown.bar.set_shown(step)
        shown.bar.toggle_film()

    def test_a_place_for_the_file_is_asked_for(
        self, shown: Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def choose(dialog: QFileDialog) -> None:
            dialog.fileSelected.emit(str(tmp_path / "film.gif"))

        monkeypatch.setattr(QFileDialog, "open", choose)
        shown.button("film").click()
        assert shown.films == [tmp_path / "film.gif"]

    def test_continue_means_the_step_that_is_shown(self, shown: Shown) -> None:
        shown.button("branch").click()
        shown.bar.ask(17)
        shown.button("branch").click()
        assert shown.branched == [LAST, 17]

    def test_of_many_steps_the_first_the_last_and_some_between_are_shown(self) -> None:
        assert film_steps([0, 3, 4]) == [0, 3, 4]
        some = film_steps(list(range(0, 4000, 4)), most=50)
        assert (len(some), some[0], some[-1]) == (50, 0, 3996)
        assert some == sorted(set(some))

    @pytest.mark.usefixtures("qapp")
    @pytest.mark.parametrize("change", [False, True])
    @pytest.mark.parametrize("scale", ["shared", "each"])
    def test_frames_have_the_colours_of_the_filters_on_one_scale(self, change: bool, scale: Scale) -> None:
        values = np.random.default_rng(0).normal(size=(3, 2, 1, 4, 4)).astype(np.float32)
        images = [FilterImages(layer="conv1", values=frame, filters=2, channels=1) for frame in values]
        lines = captions([0, 8, 16], title="conv1", theme=DARK)
        frames = film(images, initial=images[0] if change else None, scale=scale, lines=lines, theme=DARK)
        assert len(frames) == 3
        assert np.array_equal(frames[:, :CAPTION], lines)
        assert not np.array_equal(lines[0], lines[1])
        drawn = values - values[0] if change else values
        largest = np.abs(drawn).max(axis=(0, 2, 3, 4))
        limit = largest[:, None, None, None] if scale == "each" else steady_limit(float(largest.max()), None)
        palette = diverging(DARK)[:, :3]
        for frame, weights in zip(frames, drawn, strict=True):
            levels = [*diverging_levels(weights, limit).flatten().tolist(), ZERO_LEVEL, LINE_LEVEL]
            found = {tuple(pixel) for pixel in frame[CAPTION:].reshape(-1, 3).tolist()}
            assert found == {tuple(colour) for colour in palette[levels].tolist()}


def test_the_curves_cursor_stands_at_the_step_while_nothing_is_pointed_at(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, state = CurvesView(DARK), RunState()
    qtbot.addWidget(view)
    started = Started("cpu", 1, "contiguous", "float32", 1, 1, 10, 40, 10, "mlp", "gaussians")
    steps = [StepFinished(step, 1, 1 / step, 0.1, step * 0.5, 0.5 if step % 10 == 1 else None) for step in range(1, 31)]
    state.apply([started, *steps, EpochFinished(3, 30, 0.1, 0.2, 0.9, None, None, 0.1, 15.0)])
    view.resize(600, 400)
    view.show()
    view.refresh(state)
    cursors: dict[str, list[Cursor | None]] = {}
    for name in ("loss", "accuracy"):
        told = cursors[name] = []
        monkeypatch.setattr(view.panels[name].plot, "set_cursor", told.append)
    for step in (20, 0, None):
        view.show_step(step)
    for told in cursors.values():
        assert [None if cursor is None else (cursor.x, cursor.label) for cursor in told] == [
            (20.0, "step 20 · epoch 2.00"),
            (0.0, "step 0 · epoch 0.00"),
            None,
        ]
