"""The picture of learning on points: lines, formulas and regions are those of the step shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QSlider, QWidget
from pytestqt.qtbot import QtBot

from engine.assembly import assemble
from engine.config import RunConfig, make_config
from engine.control import RunControl
from engine.datasets.prepare import to_inputs
from engine.datasets.tutorials import EXAM_MAXIMA, FIFTEEN_X, FIFTEEN_Y
from engine.errors import InputError
from engine.events import Event, StepFinished
from engine.inspection.surface import points_of
from engine.live import untrained
from engine.training import train
from gui.disclosure import Disclosure
from gui.points_courses import number_text
from gui.points_panel import FIELD_SIZE, PointsPanel
from gui.points_picture import around, heights, is_seen
from gui.points_words import cut_formula, formula
from gui.theme import DARK, LIGHT
from gui.views.parameter_traces import ParameterTraces
from gui.views.points_key import PointsKey
from gui.views.points_plot import PointsPlot, field_colors
from tests.engine.runs import dataset_of, toy_config
from tests.gui.fake_bench import FakeBench

FIFTEEN = {"dataset": "fifteen_points", "network": "linear", "optimizer": "sgd", "loss": "mse"}
EXAM = {"dataset": "exam_scores", "network": "linear", "optimizer": "sgd", "loss": "bce_with_logits"}


def linear_config(picks: dict[str, str], *, epochs: int, **settings: object) -> RunConfig:
    """Full-batch gradient descent from w drawn with seed 2017 and b = 0."""
    size = make_config(picks).dataset_info().train_size
    given = {
        "network__initial": "normal",
        "training__seed": 2017,
        "training__batch_size": size,
        "training__epochs": epochs,
        "training__shuffle": False,
        "optimizer__learning_rate": 0.01,
    }
    return toy_config(picks, **{**given, **settings})


def bench_of(config: RunConfig) -> FakeBench:
    """A window whose set-up is `config`, before Start."""
    bench = FakeBench(config)
    bench.data = dataset_of(config)
    bench.network = untrained(config)
    return bench


def run(bench: FakeBench, config: RunConfig) -> list[Event]:
    control = RunControl()
    events = list(train(config, control))
    bench.run_state.apply(events)
    bench.network = control.live
    return events


@pytest.fixture
def fifteen() -> FakeBench:
    return bench_of(linear_config(FIFTEEN, epochs=11))


def panel_of(qtbot: QtBot, bench: FakeBench) -> PointsPanel:
    panel = PointsPanel(bench, DARK)
    qtbot.addWidget(panel)
    panel.resize(480, 620)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


def text(panel: QWidget, name: str) -> str:
    """What a label says, nothing where it is hidden."""
    label = panel.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return "" if label.isHidden() else label.text()


def plot(panel: QWidget) -> PointsPlot:
    found = panel.findChild(PointsPlot)
    assert isinstance(found, PointsPlot)
    return found


def line(panel: QWidget, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A line's points, as pyqtgraph has them."""
    item = next(item for item in plot(panel).listDataItems() if item.name() == name)
    x, y = item.getData()
    return x, y


def names(panel: QWidget) -> set[str]:
    return set(plot(panel).lines)


def key(panel: QWidget) -> list[str]:
    found = panel.findChild(PointsKey)
    assert isinstance(found, PointsKey)
    return [entry.label for entry in found.entries]


def slider(panel: QWidget) -> QSlider:
    found = panel.findChild(QSlider, "points_step")
    assert isinstance(found, QSlider)
    return found


def latest(panel: QWidget) -> QPushButton:
    found = panel.findChild(QPushButton, "points_latest")
    assert isinstance(found, QPushButton)
    return found


def traces(panel: QWidget) -> ParameterTraces:
    found = panel.findChild(ParameterTraces)
    assert isinstance(found, ParameterTraces)
    return found


def descent(steps: int, *, rate: float) -> list[tuple[float, float]]:
    """w and b of the fifteen points' regression after each step of gradient descent in closed form, from the start."""
    x, y = np.array(FIFTEEN_X), np.array(FIFTEEN_Y)
    network = assemble(linear_config(FIFTEEN, epochs=1)).network
    w, b = (float(parameter.detach()) for parameter in network.parameters())
    way = [(w, b)]
    for _ in range(steps):
        error = w * x + b - y
        w, b = w - rate * 2 * float((error * x).mean()), b - rate * 2 * float(error.mean())
        way.append((w, b))
    return way


class TestRegression:
    def test_before_training_shows_points_and_the_untrained_line(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        w, b = descent(0, rate=0.01)[0]
        x, y = line(panel, "now")
        np.testing.assert_allclose(y, w * x + b, rtol=1e-5)
        assert text(panel, "points_title") == "Before training"
        assert names(panel) == {"now"}
        assert plot(panel).y_range.high > y.max()
        assert not slider(panel).isEnabled()
        assert "Press Start" in slider(panel).toolTip()

    def test_the_line_and_its_formula_are_those_of_gradient_descent(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        config = fifteen.current
        assert config is not None
        run(fifteen, config)
        panel.refresh()
        way = descent(11, rate=0.01)
        w, b = way[-1]
        x, y = line(panel, "now")
        np.testing.assert_allclose(y, w * x + b, rtol=1e-4)
        assert text(panel, "points_formula") == f"y = {b:.3f} + {w:.3f} x".replace("-", "−")
        assert text(panel, "points_title").startswith("Step 11")
        x, y = line(panel, "before")
        np.testing.assert_allclose(y, np.clip(way[0][0] * x + way[0][1], *_far(panel)), rtol=1e-5)

    def test_the_slider_goes_back_and_the_button_follows_again(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        config = fifteen.current
        assert config is not None
        events = run(fifteen, config)
        panel.prepare({"traces": True})
        way = descent(11, rate=0.01)
        assert slider(panel).maximum() == 10
        assert not latest(panel).isEnabled()
        slider(panel).setValue(2)
        w, b = way[3]
        x, y = line(panel, "now")
        np.testing.assert_allclose(y, w * x + b, rtol=1e-4)
        assert text(panel, "points_title").startswith("Step 3")
        assert text(panel, "points_formula") == f"y = {b:.3f} + {w:.3f} x".replace("-", "−")
        assert traces(panel).cursor_step == 3
        third = [event for event in events if isinstance(event, StepFinished)][2]
        assert {course.name: course.value for course in traces(panel).courses} == {
            "loss (logarithmic)": number_text(third.loss),
            "weight": number_text(w),
            "bias": number_text(b),
        }
        latest(panel).click()
        np.testing.assert_allclose(line(panel, "now")[1], way[11][0] * x + way[11][1], rtol=1e-4)
        assert traces(panel).cursor_step is None
        assert not latest(panel).isEnabled()

    def test_a_step_chosen_stays_while_the_run_goes_on(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        config = fifteen.current
        assert config is not None
        control = RunControl()
        events = list(train(config, control))
        fifteen.network = control.live
        panel = panel_of(qtbot, fifteen)
        half = next(i for i, event in enumerate(events) if isinstance(event, StepFinished) and event.step == 6)
        fifteen.run_state.apply(events[:half])
        panel.refresh()
        assert text(panel, "points_title").startswith("Step 5")
        slider(panel).setValue(1)
        fifteen.run_state.apply(events[half:])
        panel.refresh()
        assert text(panel, "points_title").startswith("Step 2")
        assert slider(panel).maximum() == 10
        slider(panel).setValue(10)
        assert text(panel, "points_title").startswith("Step 11")

    def test_of_powers_shows_the_true_curve_and_todays_coefficients(self, qtbot: QtBot) -> None:
        picks = {**FIFTEEN, "dataset": "cubic_points"}
        config = linear_config(picks, epochs=101, optimizer__learning_rate=0.001)
        bench = bench_of(config)
        run(bench, config)
        panel = panel_of(qtbot, bench)
        w0, w1, w2, b = bench.run_state.track.parameters[-1]
        x, y = line(panel, "now")
        np.testing.assert_allclose(y, b + w0 * x + w1 * x**2 + w2 * x**3, rtol=1e-6, atol=1e-6)
        assert text(panel, "points_formula") == f"y = {b:.2f} + {w0:.2f} x + {w1:.2f} x² + {w2:.2f} x³"
        x, y = line(panel, "best")
        np.testing.assert_allclose(y, 0.9 + 0.5 * x + 3 * x**2 + 2.4 * x**3, atol=1e-2)
        assert text(panel, "points_best_formula").endswith("y = 0.90 + 0.50 x + 3.00 x² + 2.40 x³")
        panel.prepare({"true_curve": False})
        assert names(panel) == {"now", "before"}
        assert text(panel, "points_best_formula") == ""
        box = panel.findChild(QCheckBox, "points_best")
        assert isinstance(box, QCheckBox)
        box.click()
        assert "best" in names(panel)

    def test_of_a_deep_network_asks_it(self, qtbot: QtBot) -> None:
        config = toy_config({"dataset": "fifteen_points", "loss": "mse"}, training__batch_size=15, training__epochs=5)
        bench = bench_of(config)
        run(bench, config)
        panel = panel_of(qtbot, bench)
        x, y = line(panel, "now")
        assert bench.network is not None
        np.testing.assert_allclose(y, bench.network.answers(x[:, None].astype(np.float32))[:, 0], rtol=1e-5, atol=1e-6)
        x, y = line(panel, "before")
        np.testing.assert_allclose(y, untrained(config).answers(x[:, None].astype(np.float32))[:, 0], atol=1e-6)
        assert text(panel, "points_formula") == ""
        assert "too many" in slider(panel).toolTip()

    def test_another_network_set_up_after_the_run_is_shown_untrained(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        config = fifteen.current
        assert config is not None
        run(fifteen, config)
        panel = panel_of(qtbot, fifteen)
        fifteen.current = linear_config(FIFTEEN, epochs=11, training__seed=1)
        fifteen.network = untrained(fifteen.current)
        panel.refresh()
        w, b = fifteen.network.parameters().tolist()
        x, y = line(panel, "now")
        np.testing.assert_allclose(y, w * x + b, rtol=1e-5)
        assert text(panel, "points_title") == "Before training"
        assert names(panel) == {"now"}
        slider(panel).setValue(4)
        w, b = descent(5, rate=0.01)[-1]
        np.testing.assert_allclose(line(panel, "now")[1], w * x + b, rtol=1e-4)
        assert names(panel) == {"now"}  # how that run began is not known any more


def _far(panel: QWidget) -> tuple[float, float]:
    low, high = plot(panel).y_range
    return low - 100 * (high - low), high + 100 * (high - low)


class TestClasses:
    def test_the_field_is_the_networks_probability(self, qtbot: QtBot) -> None:
        config = linear_config(EXAM, epochs=40, optimizer__learning_rate=1.0)
        bench = bench_of(config)
        run(bench, config)
        panel = panel_of(qtbot, bench)
        field, (x, y) = plot(panel).field, (plot(panel).x_range, plot(panel).y_range)
        assert field is not None
        assert field.shape == (FIELD_SIZE, FIELD_SIZE, 2)
        middles = (np.arange(FIELD_SIZE) + 0.5) / FIELD_SIZE
        across, up = np.meshgrid(x.low + x.span * middles, y.low + y.span * middles)
        w1, w2, b = bench.run_state.track.parameters[-1]
        expected = 1 / (1 + np.exp(-(w1 * across / EXAM_MAXIMA[0] + w2 * up / EXAM_MAXIMA[1] + b)))
        np.testing.assert_allclose(field[:, :, 1], expected, atol=1e-5)
        assert text(panel, "points_title").startswith("Step 40")

    def test_the_cutting_line_is_where_both_are_equally_likely_and_goes_back(self, qtbot: QtBot) -> None:
        config = linear_config(EXAM, epochs=400, optimizer__learning_rate=1.0)
        bench = bench_of(config)
        run(bench, config)
        panel = panel_of(qtbot, bench)
        assert bench.network is not None
        for row in (399, 150):
            slider(panel).setValue(row)
            x, y = line(panel, "now")
            w1, w2, b = bench.run_state.track.parameters[row]
            np.testing.assert_allclose(w1 * x / EXAM_MAXIMA[0] + w2 * y / EXAM_MAXIMA[1] + b, 0.0, atol=1e-6)
            field = plot(panel).field
            assert field is not None
            inside = bench.network.answers(
                np.stack((x, y), axis=1).astype(np.float32), parameters=np.array([w1, w2, b])
            )
            np.testing.assert_allclose(inside, 0.5, atol=1e-4)
            assert text(panel, "points_title").startswith(f"Step {row + 1}")
        assert "both equally likely" in key(panel)

    def test_of_a_playground_set_come_from_the_live_network(self, qtbot: QtBot) -> None:
        config = toy_config({"dataset": "circles"}, training__steps=20)
        bench = bench_of(config)
        panel = panel_of(qtbot, bench)
        first = plot(panel).field
        run(bench, config)
        panel.refresh()
        field = plot(panel).field
        assert first is not None
        assert field is not None
        assert not np.array_equal(first, field)
        network, info = assemble(config).network, config.dataset_info()
        assert bench.network is not None
        network.load_state_dict(bench.network.weights())
        x, y = plot(panel).x_range, plot(panel).y_range
        corner = np.array([[x.low + x.span * 0.5 / FIELD_SIZE, y.high - y.span * 0.5 / FIELD_SIZE]], np.float32)
        outputs = network(to_inputs(torch.from_numpy(corner), info, (2,))).softmax(1)
        np.testing.assert_allclose(field[-1, 0], outputs[0].detach().numpy(), atol=1e-5)
        assert names(panel) == set()
        assert key(panel) == ["orange", "blue", "probability"]

    def test_are_asked_for_once_for_a_step_and_once_at_a_time(self, qtbot: QtBot) -> None:
        config = toy_config({"dataset": "circles"}, training__steps=20)
        bench = bench_of(config)
        panel = panel_of(qtbot, bench)
        bench.later = True
        panel.refresh()
        assert not bench.jobs
        run(bench, config)
        panel.refresh()
        assert list(bench.jobs) == ["points: answer"]
        waiting = dict(bench.jobs)
        panel.refresh()
        assert bench.jobs == waiting
        bench.run_jobs()
        assert text(panel, "points_title").startswith("Step 20")

    def test_colours_tell_who_is_likelier_and_how_sure_it_is(self) -> None:
        shares = np.array([[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [np.nan, np.nan]]], np.float32)
        red, blue, ground = QColor(255, 0, 0), QColor(0, 0, 255), QColor(255, 255, 255)
        found = field_colors(shares, [red, blue], ground)
        assert found[0].tolist() == [[255, 128, 128], [255, 255, 255], [128, 128, 255], [255, 255, 255]]


class TestEmpty:
    def test_images_are_refused_in_words(self, qtbot: QtBot) -> None:
        panel = panel_of(qtbot, FakeBench(make_config({"dataset": "mnist", "network": "mlp"})))
        assert "needs a dataset of points" in text(panel, "points_message")
        assert not plot(panel).isVisible()

    def test_a_mistake_in_the_set_up_is_no_blank_picture(self, qtbot: QtBot) -> None:
        bench = FakeBench()
        bench.current = None
        assert text(panel_of(qtbot, bench), "points_message")

    def test_another_dataset_takes_the_picture_away_and_brings_its_own(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        assert plot(panel).isVisible()
        points, fifteen.current = fifteen.current, make_config({"dataset": "mnist", "network": "mlp"})
        panel.refresh()
        assert not plot(panel).isVisible()
        fifteen.current = points
        panel.refresh()
        assert plot(panel).isVisible()
        assert text(panel, "points_message") == ""

    def test_a_failure_to_load_is_told(self, qtbot: QtBot) -> None:
        bench = FakeBench(linear_config(FIFTEEN, epochs=1))
        assert "is not here" in text(panel_of(qtbot, bench), "points_message")

    def test_points_are_there_before_the_network_is(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        network, fifteen.network = fifteen.network, None
        panel = panel_of(qtbot, fifteen)
        assert names(panel) == set()
        assert key(panel) == ["points"]
        fifteen.network = network
        panel.refresh()
        assert names(panel) == {"now"}


class TestTraces:
    def test_unfold_and_show_gradients(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        config = fifteen.current
        assert config is not None
        run(fifteen, config)
        panel = panel_of(qtbot, fifteen)
        assert not traces(panel).isVisible()
        toggle = panel.findChild(Disclosure, "points_traces_toggle")
        assert isinstance(toggle, Disclosure)
        toggle.click()
        assert traces(panel).isVisible()
        gradients = panel.findChild(QPushButton, "points_quantity_gradients")
        assert isinstance(gradients, QPushButton)
        gradients.click()
        courses = {course.name: course for course in traces(panel).courses}
        track = fifteen.run_state.track
        np.testing.assert_array_equal(courses["∂loss/∂weight"].values, track.gradients[:, 0])
        np.testing.assert_array_equal(courses["∂loss/∂bias"].steps, track.steps)
        assert courses["∂loss/∂bias"].value == number_text(float(track.gradients[-1, 1]))
        np.testing.assert_array_equal(courses["loss (logarithmic)"].values, fifteen.run_state.loss.lasts)

    def test_are_painted_in_both_themes_and_read_out(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        config = fifteen.current
        assert config is not None
        run(fifteen, config)
        panel = panel_of(qtbot, fifteen)
        panel.prepare({"traces": True})
        dark = panel.grab().toImage()
        panel.set_theme(LIGHT)
        assert panel.grab().toImage() != dark
        assert "weight" in traces(panel).accessibleDescription()


class TestSettings:
    def test_of_a_lesson_are_checked(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        with pytest.raises(InputError, match=r"points\.zoom: is not a setting"):
            panel.prepare({"zoom": True})
        with pytest.raises(InputError, match="true or false"):
            panel.prepare({"traces": 1})

    def test_a_place_is_read_off(self, qtbot: QtBot, fifteen: FakeBench) -> None:
        panel = panel_of(qtbot, fifteen)
        area = plot(panel).area
        place = plot(panel).place_at(area.center())
        assert place is not None
        assert place == pytest.approx((sum(plot(panel).x_range) / 2, sum(plot(panel).y_range) / 2))
        assert plot(panel).place_at(QPointF(area.left() - 5, area.top())) is None


def test_formulas_have_fixed_decimals_and_true_minus_signs() -> None:
    assert formula(np.array([0.9, -0.5, 3.0, 2.4]), decimals=2) == "y = 0.90 − 0.50 x + 3.00 x² + 2.40 x³"
    assert formula(np.array([-0.0001, 2.0]), decimals=2) == "y = 0.00 + 2.00 x"
    assert formula(np.array([np.nan, -np.inf]), decimals=2) == "y = NaN − ∞ x"
    assert formula(np.array([1.0, 3.2e7]), decimals=2) == "y = 1.00 + 3.200e+07 x"
    assert cut_formula(np.array([-6.0, 3.0, 2.0]), decimals=2) == "x₂ = 3.00 − 1.50 x₁"
    assert cut_formula(np.array([-6.0, 3.0, 0.0]), decimals=1) == "x₁ = 2.0"
    assert cut_formula(np.zeros(3), decimals=1) == ""


def test_the_range_follows_a_line_and_returns(fifteen: FakeBench) -> None:
    assert fifteen.data is not None
    points = points_of(fifteen.data)
    rest = heights(None, points, now=None, before=None)
    assert rest.low <= min(FIFTEEN_Y)
    assert rest.high >= max(FIFTEEN_Y)
    wide = heights(rest, points, now=np.array([5.0, 20.0]), before=None)
    assert wide.high >= 20.0
    assert heights(wide, points, now=np.array([1.5, 3.0]), before=np.array([5.0, 20.0])) == rest
    assert heights(rest, points, now=np.array([np.nan, np.inf]), before=None) == rest
    assert heights(rest, points, now=np.array([1e30, -1e30]), before=None).span < 100 * rest.span
    assert is_seen(np.array([-100.0, 100.0]), rest)
    assert not is_seen(np.array([50.0, 100.0]), rest)
    assert around(np.array([4.0])) == (3.0, 5.0)
