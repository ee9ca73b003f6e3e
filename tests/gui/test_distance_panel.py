"""The distance panel: two inputs, and how far apart they are before and after training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PySide6.QtWidgets import QComboBox, QSlider, QSpinBox
from pytestqt.qtbot import QtBot

from engine.config import make_config
from engine.errors import InputError
from engine.inspection.distance import changed, distance
from engine.live import untrained
from gui.distance_panel import NO_CONFIG, DistancePanel
from gui.theme import DARK, LIGHT
from gui.value_picture import ValuePicture
from tests.engine.runs import dataset_of, tiny_library
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import label, table


def lenet(picks: dict[str, str] | None = None) -> FakeBench:
    config = make_config({"dataset": "mnist", "network": "lenet3", **(picks or {})})
    bench = FakeBench(config)
    bench.data = dataset_of(config, tiny_library())
    return bench


def opened(qtbot: QtBot, bench: FakeBench) -> DistancePanel:
    panel = DistancePanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(380, 560)
    panel.show()
    return panel


def train(bench: FakeBench, *, step: int) -> None:
    """As if a run had come to `step` with weights of another seed."""
    state = bench.run_state
    state.status, state.step, state.network, state.dataset = "paused", step, "lenet3", "mnist"
    bench.network = untrained(make_config({"network": "lenet3"}, {"training.seed": step}))


def combo(panel: DistancePanel, name: str) -> QComboBox:
    found = panel.findChild(QComboBox, name)
    assert isinstance(found, QComboBox), name
    return found


def choose(box: QComboBox, data: str) -> None:
    box.setCurrentIndex(box.findData(data))


def spin(panel: DistancePanel, name: str) -> QSpinBox:
    found = panel.findChild(QSpinBox, name)
    assert isinstance(found, QSpinBox), name
    return found


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def apart(bench: FakeBench, first: int, second: int, layer: str = "") -> float:
    """The distance of two test samples under the untrained network."""
    assert bench.data is not None
    assert bench.current is not None
    found = untrained(bench.current).features(bench.data.test.inputs[[first, second]], layer)
    return distance(found[0], found[1])


class TestDistances:
    def test_of_a_slight_change_at_first(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, lenet())
        second, same, slight, other = table(panel, "distance_table").rows
        assert second[1:] == slight[1:]
        assert same[1:3] == ("0", "0")
        assert 0 < number(slight[2]) < number(other[2])
        assert {row[3] for row in (second, same, slight, other)} == {"–"}
        assert label(panel, "distance_now") == "–"
        assert "once a run has been started" in label(panel, "distance_whose")

    def test_of_two_samples_after_any_layer(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        choose(combo(panel, "distance_second_source"), "sample")
        spin(panel, "distance_second_number").setValue(3)
        assert number(label(panel, "distance_untrained")) == pytest.approx(apart(bench, 0, 3), rel=1e-3)
        layers = combo(panel, "distance_layer")
        names = [layers.itemData(place) for place in range(layers.count())]
        assert names[:3] == ["", "conv1", "pool1"]
        assert layers.itemText(1) == "conv1 · 6×30×30"
        choose(layers, "conv1")
        assert number(label(panel, "distance_untrained")) == pytest.approx(apart(bench, 0, 3, "conv1"), rel=1e-3)
        assert layers.currentData() == "conv1"

    def test_before_and_after_training_side_by_side(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        before = label(panel, "distance_untrained")
        train(bench, step=12)
        panel.refresh()
        now = label(panel, "distance_now")
        assert label(panel, "distance_untrained") == before
        assert number(now) > 0
        assert now != before
        assert "at step 12." in label(panel, "distance_whose")
        train(bench, step=13)
        panel.refresh()
        assert label(panel, "distance_now") != now
        assert table(panel, "distance_table").rows[1][1:] == ("0", "0", "0")

    def test_leave_torchs_random_state_alone(self, qtbot: QtBot) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        opened(qtbot, lenet())
        assert torch.equal(torch.get_rng_state(), before)

    def test_are_not_computed_again_where_nothing_has_changed(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        bench.later = True
        panel.refresh()
        assert not bench.jobs
        train(bench, step=1)
        panel.refresh()
        assert list(bench.jobs) == ["distance"]

    @pytest.mark.parametrize(
        ("dataset", "network"), [("gaussians", "mlp"), ("two_patterns", "mlp"), ("cifar10", "resnet18")]
    )
    def test_of_inputs_of_any_kind(self, qtbot: QtBot, dataset: str, network: str) -> None:
        bench = lenet({"dataset": dataset, "network": network})
        panel = opened(qtbot, bench)
        assert table(panel, "distance_table").rows[1][1:3] == ("0", "0")
        panel.set_theme(DARK)
        panel.grab()


class TestInputs:
    def test_noise_and_shift_change_the_first_into_the_second(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        noise = panel.findChild(QSlider, "distance_second_noise")
        assert isinstance(noise, QSlider)
        noise.setValue(0)
        assert label(panel, "distance_untrained") == "0"
        spin(panel, "distance_second_right").setValue(2)
        assert bench.data is not None
        assert bench.current is not None
        first = bench.data.test.inputs[0].numpy()
        pair = np.stack([first, changed(first, noise=0.0, right=2)])
        found = untrained(bench.current).features(pair)
        assert number(label(panel, "distance_untrained")) == pytest.approx(distance(found[0], found[1]), rel=1e-3)

    def test_show_what_belongs_to_the_source(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, lenet())
        assert spin(panel, "distance_first_number").isVisible()
        assert not spin(panel, "distance_first_seed").isVisible()
        assert combo(panel, "distance_first_source").findData("changed") < 0
        choose(combo(panel, "distance_first_source"), "random")
        assert not spin(panel, "distance_first_number").isVisible()
        assert spin(panel, "distance_first_seed").isVisible()
        assert label(panel, "distance_first_caption") == "Random values"

    def test_a_sample_is_called_by_its_number_and_class(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        spin(panel, "distance_first_number").setValue(34)  # of 32
        assert bench.data is not None
        assert label(panel, "distance_first_caption") == f"Test sample 2: {int(bench.data.test.targets[2])}"

    def test_the_drawing_is_followed(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        choose(combo(panel, "distance_first_source"), "drawing")
        assert "othing is drawn" in label(panel, "distance_message")
        bench.drawn = np.zeros((280, 280), dtype=np.uint8)
        bench.drawn[60:220, 130:150] = 255
        qtbot.waitUntil(lambda: label(panel, "distance_first_caption") == "What is on the canvas")
        picture = panel.findChild(ValuePicture, "distance_first_picture")
        assert isinstance(picture, ValuePicture)
        before = label(panel, "distance_untrained")
        bench.drawn = bench.drawn.T.copy()
        qtbot.waitUntil(lambda: label(panel, "distance_untrained") != before)

    def test_points_cannot_be_drawn(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        choose(combo(panel, "distance_second_source"), "drawing")
        other = lenet({"dataset": "gaussians", "network": "mlp"})
        bench.current, bench.data = other.current, other.data
        panel.refresh()
        second = combo(panel, "distance_second_source")
        assert second.currentData() == "sample"
        assert not second.model().index(second.findData("drawing"), 0).flags().value & 32  # enabled
        assert table(panel, "distance_table").rows[1][2] == "0"


class TestSettings:
    def test_of_a_lesson(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        panel.prepare({"first": "sample", "first_number": 4, "second": "sample", "second_number": 5, "layer": "conv1"})
        assert combo(panel, "distance_layer").currentData() == "conv1"
        assert number(label(panel, "distance_untrained")) == pytest.approx(apart(bench, 4, 5, "conv1"), rel=1e-3)
        panel.prepare({"second": "changed", "noise": 0.25, "right": -3})
        assert spin(panel, "distance_second_right").value() == -3
        assert label(panel, "distance_second_caption") == "The first input, changed"

    def test_before_the_network_is_known(self, qtbot: QtBot) -> None:
        bench = lenet()
        bench.later = True
        panel = opened(qtbot, bench)
        panel.prepare({"layer": "conv2"})
        bench.run_jobs()
        assert combo(panel, "distance_layer").currentData() == "conv2"
        assert combo(panel, "distance_layer").currentText() == "conv2 · 16×13×13"

    def test_a_layer_of_another_network_becomes_the_outputs(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        choose(combo(panel, "distance_layer"), "conv1")
        bench.current = make_config({"network": "mlp"})
        panel.refresh()
        assert combo(panel, "distance_layer").currentData() == ""
        assert combo(panel, "distance_layer").currentText() == "The outputs · 10"

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"first": "changed"}, "one of sample, random, drawing"),
            ({"second": 1}, "one of sample, random, drawing, changed"),
            ({"first_number": -1}, "first_number"),
            ({"right": "far"}, "right"),
            ({"noise": 2}, "from 0 to 1"),
            ({"noise": True}, "from 0 to 1"),
            ({"layer": None}, "layer's name"),
            ({"third": "sample"}, "known are"),
        ],
    )
    def test_wrong_ones_are_refused(self, qtbot: QtBot, params: dict[str, object], words: str) -> None:
        panel = opened(qtbot, lenet())
        with pytest.raises(InputError, match=words):
            panel.prepare({**params, "second_number": 9})
        assert spin(panel, "distance_second_number").value() == 0

    def test_a_mistake_in_the_set_up_is_said(self, qtbot: QtBot) -> None:
        bench = lenet()
        panel = opened(qtbot, bench)
        bench.current = None
        panel.refresh()
        assert label(panel, "distance_message") == NO_CONFIG

    def test_a_dataset_that_is_not_there_is_said(self, qtbot: QtBot) -> None:
        bench = lenet()
        bench.data = None
        panel = opened(qtbot, bench)
        assert "is not here" in label(panel, "distance_message")
