"""The first look at a network: its cards show what the engine finds, for the weights and the input that are chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QFrame, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from engine.config import make_config
from engine.errors import InputError
from engine.inspection.first_look import FirstLook, as_input, first_look
from engine.live import untrained
from engine.predict import to_sample
from gui.first_look_panel import NO_CONFIG, NOTHING_DRAWN, FirstLookPanel
from gui.shape_steps import ShapeSteps
from gui.theme import DARK, LIGHT
from gui.value_picture import ValuePicture
from gui.views.first_look_cards import FirstLookCards
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import button, label, table


def lenet(picks: dict[str, str] | None = None, **settings: object) -> FakeBench:
    given = {"optimizer.learning_rate": 0.5, **{name.replace("__", "."): value for name, value in settings.items()}}
    return FakeBench(make_config({"network": "lenet3", "optimizer": "sgd", **(picks or {})}, given))


def opened(qtbot: QtBot, bench: FakeBench) -> FirstLookPanel:
    panel = FirstLookPanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(380, 420)
    panel.show()
    return panel


def expected(bench: FakeBench, *, seed: int = 0) -> FirstLook:
    assert bench.current is not None
    network = untrained(bench.current)
    return first_look(network.copy(), network.input_shape, seed=seed, rate=0.5)


def cards(panel: FirstLookPanel) -> FirstLookCards:
    found = panel.findChild(FirstLookCards, "first_look_cards")
    assert isinstance(found, FirstLookCards)
    return found


def picture(panel: FirstLookPanel, number: int) -> ValuePicture:
    found = panel.findChild(ValuePicture, f"first_look_picture_{number}")
    assert isinstance(found, ValuePicture)
    return found


def seed(panel: FirstLookPanel) -> QSpinBox:
    found = panel.findChild(QSpinBox, "first_look_seed")
    assert isinstance(found, QSpinBox)
    return found


def train(bench: FakeBench, *, step: int) -> None:
    """As if a run had come to `step` with weights of another seed."""
    state = bench.run_state
    state.status, state.step, state.network, state.dataset = "paused", step, "lenet3", "mnist"
    bench.network = untrained(make_config({"network": "lenet3"}, {"training.seed": step}))


class TestCards:
    def test_tell_shapes_parameters_and_outputs(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel, found = opened(qtbot, bench), expected(bench)
        shapes = panel.findChild(ShapeSteps, "first_look_shapes")
        assert isinstance(shapes, ShapeSteps)
        assert "conv1 Conv2d (32 + 2·0 − 3)/1 + 1 = 30 6×30×30" in shapes.accessibleDescription()
        assert len(table(panel, "first_look_table_2").rows) == 10
        assert table(panel, "first_look_table_2").rows[0] == ("conv1.weight", "6×1×3×3", "54")
        assert f"class {found.largest}:" in label(panel, "first_look_words_3")
        outputs = table(panel, "first_look_table_3").rows
        assert [float(value.replace("−", "-")) for _, value in outputs] == pytest.approx(
            found.outputs.tolist(), abs=5e-5
        )

    def test_follow_the_gradient_and_the_update(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel, found = opened(qtbot, bench), expected(bench)
        assert label(panel, "first_look_title_6").endswith("conv1.bias, step by step")
        rows = table(panel, "first_look_table_6").rows
        assert [row[1] for row in rows] == ["None"] * 6
        assert [row[3] for row in rows] == ["0"] * 6
        assert found.moments[3].gradient is not None
        assert float(rows[0][4].replace("−", "-")) == pytest.approx(float(found.moments[3].gradient[0]), abs=1e-3)
        words = label(panel, "first_look_words_8")
        assert "lr = 0.5" in words
        assert "Largest difference between the two: 0." in words
        update = table(panel, "first_look_table_8").rows
        assert [row[2] for row in update] == [row[3] for row in update]
        assert f"{found.loss:.4f}" in label(panel, "first_look_words_5")

    def test_show_pictures_that_can_be_read_off(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel, found = opened(qtbot, bench), expected(bench)
        for number, values in ((3, found.input), (4, found.vector_gradient), (7, found.loss_gradient)):
            shown = picture(panel, number)
            assert shown.limit is not None
            assert shown.limit >= np.abs(values).max()
        first = picture(panel, 3).describe(QPointF(2, 2))
        assert first.startswith("row 0, column 0: ")
        assert float(first.rpartition(" ")[2].replace("−", "-")) == pytest.approx(found.input[0, 0, 0], rel=1e-3)

    @pytest.mark.parametrize("dataset", ["cifar10", "gaussians", "two_patterns"])
    def test_stand_for_networks_of_any_input(self, qtbot: QtBot, dataset: str) -> None:
        bench = FakeBench(make_config({"dataset": dataset, "network": "mlp"}))
        panel = opened(qtbot, bench)
        assert cards(panel).isVisible()
        panel.set_theme(DARK)
        panel.resize(900, 600)
        panel.grab()

    def test_stand_in_two_columns_where_there_is_room(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, lenet())
        left, right = (panel.findChild(QFrame, f"first_look_{number}") for number in (1, 8))
        assert isinstance(left, QFrame)
        assert isinstance(right, QFrame)
        qtbot.waitUntil(lambda: left.x() == right.x())
        panel.resize(900, 600)
        qtbot.waitUntil(lambda: left.x() < right.x())


class TestChoices:
    def test_a_new_input_comes_from_the_next_seed(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        button(panel, "first_look_new").click()
        assert seed(panel).value() == 1
        assert f"{expected(bench, seed=1).loss:.4f}" in label(panel, "first_look_words_5")

    def test_the_drawing_takes_the_place_of_the_random_input(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        button(panel, "first_look_input_canvas").click()
        assert label(panel, "first_look_message") == NOTHING_DRAWN
        assert not cards(panel).isVisible()
        drawing = np.zeros((280, 280), dtype=np.uint8)
        drawing[60:220, 130:150] = 255
        bench.drawn = drawing
        qtbot.waitUntil(lambda: cards(panel).isVisible())
        assert bench.current is not None
        network = untrained(bench.current)
        sample = to_sample(drawing, network.info)
        assert sample is not None
        look = first_look(network.copy(), network.input_shape, seed=0, sample=as_input(network, sample))
        assert f"{look.loss:.4f}" in label(panel, "first_look_words_5")
        assert label(panel, "first_look_words_3").startswith("What is on the canvas.")
        button(panel, "first_look_new").click()
        assert label(panel, "first_look_words_3").startswith("Drawn from N(0, 1) with seed 1.")

    def test_points_cannot_be_drawn_and_it_says_why(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, FakeBench(make_config({"dataset": "gaussians", "network": "mlp"})))
        canvas = button(panel, "first_look_input_canvas")
        assert not canvas.isEnabled()
        assert "no pictures" in canvas.toolTip()

    def test_the_weights_of_this_moment_once_there_are_some(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        now = button(panel, "first_look_weights_now")
        assert not now.isEnabled()
        assert "Press Start" in now.toolTip()
        before = label(panel, "first_look_words_5")
        train(bench, step=420)
        panel.refresh()
        assert label(panel, "first_look_words_5") == before
        now.click()
        assert label(panel, "first_look_message").startswith("Network at step 420")
        assert label(panel, "first_look_words_5") != before
        at_420 = label(panel, "first_look_words_5")
        train(bench, step=421)
        panel.refresh()
        assert label(panel, "first_look_words_5") != at_420

    def test_nothing_is_computed_where_nothing_has_changed(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        bench.later = True
        panel.refresh()
        assert not bench.jobs
        bench.current = make_config({"network": "lenet5"})
        panel.refresh()
        assert list(bench.jobs) == ["first_look"]

    def test_a_mistake_in_the_set_up_is_said(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        working, bench.current = bench.current, None
        panel.refresh()
        assert label(panel, "first_look_message") == NO_CONFIG
        assert not cards(panel).isVisible()
        bench.current = working
        panel.refresh()
        assert cards(panel).isVisible()

    def test_looking_leaves_torchs_random_state_alone(self, qtbot: QtBot) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        panel = opened(qtbot, lenet())
        button(panel, "first_look_new").click()
        assert torch.equal(torch.get_rng_state(), before)


class TestPreparing:
    def test_a_lesson_sets_seed_input_and_weights(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        panel.prepare({"seed": 7, "weights": "now"})
        assert seed(panel).value() == 7
        assert label(panel, "first_look_message").startswith("Untrained network")
        train(bench, step=3)
        panel.refresh()
        assert label(panel, "first_look_message").startswith("Network at step 3")

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"seed": -1}, "^seed: "),
            ({"seed": "x"}, "^seed: "),
            ({"input": "photo"}, "one of random, canvas"),
            ({"weights": 3}, "one of untrained, now"),
            ({"colour": 1}, "known are seed"),
        ],
    )
    def test_a_wrong_setting_is_refused(self, qtbot: QtBot, params: dict[str, object], words: str) -> None:
        panel = opened(qtbot, lenet())
        with pytest.raises(InputError, match=words):
            panel.prepare(params)
        assert isinstance(button(panel, "first_look_new"), QPushButton)
        assert seed(panel).value() == 0
