"""The activations panel: whose activations it shows, how they are read, and how little it asks for."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from engine.config import make_config
from engine.errors import InputError
from engine.inspection.activations import LayerActivations, activations
from engine.live import untrained
from engine.predict import to_sample
from gui.activations_panel import HINT, NO_CONFIG, ActivationsPanel
from gui.sample_charts import CAPTION_HEIGHT
from gui.theme import DARK, LIGHT
from gui.views.activation_strip import BARS_HEIGHT, HEADER, MOST_HEIGHT, ActivationStrip, tiles_size
from tests.engine.runs import dataset_of, tiny_library
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import label


def bench_of(**picks: str) -> FakeBench:
    config = make_config({"network": "lenet5", **picks})
    bench = FakeBench(config)
    bench.data = dataset_of(config, tiny_library())
    bench.network = untrained(config)
    return bench


def at_step(bench: FakeBench, step: int, status: str = "paused") -> None:
    """As if a run had come to `step`, with weights of another seed where it does not go on."""
    bench.run_state.status = status  # type: ignore[assignment]
    bench.run_state.step = bench.network_step = step
    if status != "running":
        bench.network = untrained(make_config({"network": "lenet5"}, {"training.seed": step}))


def stroke() -> np.ndarray:
    drawing = np.zeros((280, 280), dtype=np.uint8)
    drawing[60:220, 130:150] = 255
    return drawing


def opened(qtbot: QtBot, bench: FakeBench) -> ActivationsPanel:
    panel = ActivationsPanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(420, 700)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.activateWindow()  # else it gets no keys
    laid_out = partial(_is_laid_out, panel)
    qtbot.waitUntil(laid_out)
    return panel


def _is_laid_out(panel: ActivationsPanel) -> bool:
    """Whether the strips have their places: one below the other, across the panel."""
    found = list(strips(panel).values())
    return all(one.geometry().bottom() < other.y() for one, other in pairwise(found)) and all(
        strip.width() > panel.width() - 60 for strip in found
    )


def strips(panel: QWidget) -> dict[str, ActivationStrip]:
    """Those that are there, by their layers' names."""
    found = [strip for strip in panel.findChildren(ActivationStrip) if strip.isVisible()]
    return {strip.layer.name: strip for strip in found if strip.layer is not None}


def layers(panel: QWidget) -> QComboBox:
    found = panel.findChild(QComboBox, "activations_layer")
    assert isinstance(found, QComboBox)
    return found


def press(panel: QWidget, name: str) -> None:
    found = panel.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


def number(panel: QWidget) -> QSpinBox:
    found = panel.findChild(QSpinBox, "activations_number")
    assert isinstance(found, QSpinBox)
    return found


def hover(widget: QWidget, place: QPoint) -> None:
    """Move the mouse there, whether that part of it is in sight or not."""
    where, none = QPointF(place), Qt.MouseButton.NoButton
    event = QMouseEvent(QEvent.Type.MouseMove, where, where, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def assert_shows(panel: QWidget, bench: FakeBench, sample: np.ndarray | None = None) -> None:
    """All of the network's layers for `sample`, by default the first of the test set."""
    assert bench.network is not None
    assert bench.data is not None
    sample = bench.data.test.inputs[0].numpy() if sample is None else sample
    oracle = activations(bench.network, sample)
    shown = strips(panel)
    for layer in oracle.layers:
        found = shown[layer.name].layer
        assert found is not None
        assert np.array_equal(found.values, layer.values), layer.name
    if bench.network.info.classes:
        last = shown["probabilities"].layer
        assert last is not None
        assert np.array_equal(last.values, oracle.answer)


class TestWhose:
    def test_a_test_samples_where_nothing_is_drawn(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        assert_shows(panel, bench)
        assert list(strips(panel))[:3] == ["conv1", "pool1", "relu1"]
        assert bench.data is not None
        caption = label(panel, "activations_caption")
        assert caption.startswith(f"Test sample 0 ({int(bench.data.test.targets[0])}), untrained network: ")
        number(panel).setValue(34)  # of 32
        assert label(panel, "activations_caption").startswith("Test sample 2 ")
        assert_shows(panel, bench, bench.data.test.inputs[2].numpy())

    def test_the_drawings_where_there_is_one(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.drawn = stroke()
        qtbot.waitUntil(lambda: label(panel, "activations_caption").startswith("The drawing"))
        assert bench.network is not None
        sample = to_sample(bench.drawn, bench.network.info)
        assert_shows(panel, bench, sample)
        assert not number(panel).isEnabled()
        press(panel, "activations_source_sample")
        assert number(panel).isEnabled()
        assert_shows(panel, bench)

    def test_those_of_the_step_on_screen(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        before = strips(panel)["conv1"]
        at_step(bench, 1200)
        panel.refresh()
        assert_shows(panel, bench)
        assert strips(panel)["conv1"] is before
        assert "network at step 1\u2009200: " in label(panel, "activations_caption")

    def test_another_network_has_other_layers(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        other = bench_of(network="mlp")
        bench.current, bench.network = other.current, other.network
        panel.refresh()
        assert list(strips(panel)) == ["flatten", "fc1", "relu1", "fc2", "relu2", "fc3", "probabilities"]
        assert_shows(panel, bench)

    @pytest.mark.parametrize(
        ("dataset", "network", "loss"),
        [
            ("spirals", "mlp", "cross_entropy"),
            ("line_points", "linear", "mse"),
            ("two_patterns", "mlp", "cross_entropy"),
        ],
    )
    def test_samples_of_any_kind(self, qtbot: QtBot, dataset: str, network: str, loss: str) -> None:
        bench = bench_of(dataset=dataset, network=network, loss=loss)
        panel = opened(qtbot, bench)
        assert_shows(panel, bench)
        panel.set_theme(DARK)
        panel.grab()

    def test_a_network_that_diverged_is_said_to(self, qtbot: QtBot) -> None:
        bench = bench_of()
        assert bench.network is not None
        with torch.no_grad():
            for parameter in bench.network._twin.parameters():
                parameter.fill_(float("nan"))
        panel = opened(qtbot, bench)
        assert "diverged" in label(panel, "activations_caption")
        panel.grab()

    def test_torchs_random_state_is_left_alone(self, qtbot: QtBot) -> None:
        before = torch.get_rng_state()
        opened(qtbot, bench_of())
        assert torch.equal(torch.get_rng_state(), before)


class TestNothingToShow:
    def test_is_said_while_the_set_up_has_a_mistake(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.current = None
        panel.refresh()
        assert label(panel, "activations_message") == NO_CONFIG
        assert not strips(panel)
        bench.current = make_config({"network": "lenet5"})
        panel.refresh()
        assert_shows(panel, bench)

    def test_is_said_while_there_is_no_network(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.network = None
        assert "made ready" in label(opened(qtbot, bench), "activations_message")

    def test_is_said_where_the_dataset_cannot_be_had(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.data = None
        assert "is not here" in label(opened(qtbot, bench), "activations_message")


class TestHowLittle:
    def test_nothing_is_asked_where_nothing_has_changed(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.later = True
        panel.refresh()
        assert not bench.jobs
        at_step(bench, 3)
        panel.refresh()
        assert list(bench.jobs) == ["activations"]

    def test_during_a_run_it_is_asked_seldom(self, qtbot: QtBot) -> None:
        bench = bench_of()
        at_step(bench, 5, "running")
        panel = opened(qtbot, bench)
        bench.later = True
        at_step(bench, 6, "running")
        panel.refresh()
        assert not bench.jobs
        number(panel).setValue(1)  # another input is another matter
        bench.run_jobs()
        assert label(panel, "activations_caption").startswith("Test sample 1 ")
        at_step(bench, 7, "running")
        panel.refresh()
        assert not bench.jobs
        bench.run_state.status = "paused"
        panel.refresh()
        assert bench.jobs

    def test_an_answer_that_came_late_is_not_shown(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.later = True
        panel = opened(qtbot, bench)
        older = bench.jobs.pop("activations")
        at_step(bench, 7)
        panel.refresh()
        bench.run_jobs()
        older()
        assert "step 7" in label(panel, "activations_caption")
        assert_shows(panel, bench)

    def test_nothing_is_asked_while_it_is_hidden(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        panel.hide()
        bench.later = True
        at_step(bench, 3)
        panel.refresh()
        assert not bench.jobs
        panel.show()
        assert bench.jobs


class TestReading:
    def test_by_mouse(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        assert label(panel, "activations_reading") == HINT
        strip = strips(panel)["conv1"]
        strip.grab()
        hover(strip, QPoint(20, HEADER + 20))
        text = label(panel, "activations_reading")
        assert text.startswith("conv1, map 0, row ")
        where, value = text.removeprefix("conv1, map 0, row ").split(": ")
        row, column = (int(part) for part in where.split(", column "))
        assert strip.layer is not None
        assert float(value.replace("−", "-")) == pytest.approx(float(strip.layer.values[0, row, column]), rel=2e-3)

    def test_units_by_their_classes(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        strip = strips(panel)["probabilities"]
        hover(strip, QPoint(28 * 3 + 5, HEADER + 20))
        assert strip.layer is not None
        text, value = label(panel, "activations_reading").split(": ")
        assert text == "probabilities, 3"
        assert float(value) == pytest.approx(float(strip.layer.values[3]), rel=1e-2)

    def test_one_layer_alone_and_by_keys(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        layers(panel).setCurrentIndex(layers(panel).findData("conv2"))
        assert list(strips(panel)) == ["conv2"]
        strip = strips(panel)["conv2"]
        qtbot.waitUntil(lambda: strip.height() > 400)
        strip.grab()
        strip.setFocus()
        qtbot.waitUntil(strip.hasFocus)
        for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Down):
            QTest.keyClick(strip, key)
        assert label(panel, "activations_reading").startswith("conv2, map 0, row 2, column 1: ")
        QTest.keyClick(strip, Qt.Key.Key_Return)
        assert len(strips(panel)) > 10
        assert layers(panel).currentData() == ""

    def test_a_double_click_shows_a_layer_alone(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        QTest.mouseDClick(strips(panel)["conv1"], Qt.MouseButton.LeftButton)
        assert list(strips(panel)) == ["conv1"]
        assert layers(panel).currentText() == "conv1 · 6×28×28"

    def test_a_layer_that_the_next_network_lacks_gives_way_to_all(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        layers(panel).setCurrentIndex(layers(panel).findData("conv2"))
        other = bench_of(network="mlp")
        bench.current, bench.network = other.current, other.network
        panel.refresh()
        assert len(strips(panel)) == 7
        assert layers(panel).currentData() == ""


class TestScale:
    def test_is_shared_by_a_layers_maps_or_every_maps_own(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        strip = strips(panel)["conv1"]
        assert strip.layer is not None
        low, high = strip.limits
        assert low <= strip.layer.values.min() <= strip.layer.values.max() <= high
        shared = strip.grab().toImage()
        press(panel, "activations_scale_map")
        assert strip.accessibleDescription() == "each on its own scale"
        assert strip.grab().toImage() != shared

    def test_changes_seldom_and_has_zero_on_it(self, qtbot: QtBot) -> None:
        strip = ActivationStrip(LIGHT)
        qtbot.addWidget(strip)
        for values, limits in (
            ([0.0, 0.9], (0.0, 1.0)),
            ([0.0, 0.6], (0.0, 1.0)),
            ([-2.0, 0.6], (-2.0, 1.0)),
            ([float("nan"), 0.08], (0.0, 0.1)),
            ([0.0, 0.0], (0.0, 1.0)),
        ):
            made = np.array(values, np.float32)
            strip.set_layer(LayerActivations(name="fc", kind="Linear", shape=(2,), values=made), own=False)
            assert strip.limits == pytest.approx(limits)
            strip.grab()

    def test_of_probabilities_is_known(self, qtbot: QtBot) -> None:
        assert strips(opened(qtbot, bench_of()))["probabilities"].limits == (0.0, 1.0)


class TestSize:
    @pytest.mark.parametrize("count", [1, 6, 16, 64, 256])
    @pytest.mark.parametrize("width", [240, 380, 900])
    @pytest.mark.parametrize("aspect", [1.0, 4.0, 0.25])
    def test_tiles_fill_rows_and_are_not_too_many_rows(self, count: int, width: int, aspect: float) -> None:
        across, high = tiles_size(count, width=width, aspect=aspect)
        assert 0 < across <= width
        assert high > 0
        if count <= 64:
            assert high <= MOST_HEIGHT

    def test_of_many_units_is_that_of_their_cells(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        few, many = strips(panel)["fc2"], strips(panel)["flatten"]
        assert few.sizeHint().height() == HEADER + BARS_HEIGHT + 8
        assert many.sizeHint().height() > HEADER + BARS_HEIGHT + CAPTION_HEIGHT

    @pytest.mark.parametrize("size", [(320, 260), (380, 320), (900, 600)])
    def test_it_is_there_at_every_size(self, qtbot: QtBot, size: tuple[int, int]) -> None:
        panel = opened(qtbot, bench_of())
        panel.resize(*size)
        qtbot.waitUntil(lambda: panel.width() == size[0])
        assert strips(panel)["conv1"].width() > 240
        panel.grab()


class TestSettings:
    def test_of_a_lesson(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.drawn = stroke()
        bench.later = True
        panel = opened(qtbot, bench)
        panel.prepare({"source": "sample", "number": 3, "scale": "map", "layer": "conv2"})
        bench.run_jobs()
        assert list(strips(panel)) == ["conv2"]
        assert layers(panel).currentData() == "conv2"
        assert label(panel, "activations_caption").startswith("Test sample 3 ")
        assert strips(panel)["conv2"].accessibleDescription() == "each on its own scale"

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"source": "mouse"}, "one of canvas, sample"),
            ({"scale": 1}, "one of layer, map"),
            ({"layer": 1}, "layer's name"),
            ({"number": -1}, "whole number"),
            ({"number": True}, "whole number"),
            ({"maps": 1}, "known are"),
        ],
    )
    def test_wrong_ones_are_refused(self, qtbot: QtBot, params: dict[str, object], words: str) -> None:
        panel = opened(qtbot, bench_of())
        with pytest.raises(InputError, match=words):
            panel.prepare({"layer": "conv2", **params})
        assert layers(panel).currentData() == ""


def test_labels_are_plain_text(qtbot: QtBot) -> None:
    panel = opened(qtbot, bench_of())
    for found in panel.findChildren(QLabel):
        if found.objectName().startswith("activations_"):
            assert found.textFormat() == Qt.TextFormat.PlainText
