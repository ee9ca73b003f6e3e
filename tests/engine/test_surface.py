"""What a network answers on points, and what follows from a linear model's parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.assembly import assemble
from engine.config import RunConfig, make_config
from engine.control import RunControl
from engine.datasets.prepare import to_inputs
from engine.datasets.tutorials import CUBIC, EXAM_MAXIMA, FIFTEEN_X, FIFTEEN_Y, LINE
from engine.inspection.surface import (
    MOST_POINTS,
    Points,
    along,
    are_powers,
    ask,
    least_squares,
    linear_model,
    over,
    points_of,
    polynomial,
    segment,
)
from engine.live import LiveNetwork, untrained
from engine.training import train
from tests.engine.runs import dataset_of, toy_config


def points(dataset: str, **settings: object) -> Points:
    return points_of(dataset_of(make_config({"dataset": dataset, "network": "mlp", "loss": "mse"}, settings)))


def exam_config(**settings: object) -> RunConfig:
    return toy_config(
        {"dataset": "exam_scores", "network": "linear", "loss": "bce_with_logits", "optimizer": "sgd"},
        training__batch_size=100,
        **settings,
    )


def trained(config: RunConfig) -> LiveNetwork:
    control = RunControl()
    list(train(config, control))
    assert control.live is not None
    return control.live


class TestPoints:
    def test_of_a_regression_have_their_best_line(self) -> None:
        found = points("fifteen_points")
        slope, start = np.polyfit(FIFTEEN_X, FIFTEEN_Y, 1)
        assert found.best is not None
        np.testing.assert_allclose(found.best, [start, slope], rtol=1e-5)
        assert found.powers
        assert not found.exact
        np.testing.assert_allclose(found.inputs[:, 0], FIFTEEN_X, rtol=1e-6)
        np.testing.assert_allclose(found.targets[:, 0], FIFTEEN_Y, rtol=1e-6)

    @pytest.mark.parametrize(("dataset", "curve"), [("cubic_points", CUBIC), ("line_points", LINE)])
    def test_on_a_curve_give_that_curve(self, dataset: str, curve: tuple[float, ...]) -> None:
        found = points(dataset)
        assert found.best is not None
        np.testing.assert_allclose(found.best, curve, atol=1e-4)
        assert found.exact

    def test_of_classes_have_none(self) -> None:
        found = points_of(dataset_of(exam_config()))
        assert found.best is None
        assert not found.powers
        assert set(found.targets.tolist()) == {0, 1}

    def test_a_single_one_settles_no_line(self) -> None:
        assert points("one_point").best is None

    def test_many_are_thinned_out_evenly_and_fitted_all(self) -> None:
        found = points("line_points", **{"dataset.samples": 20_000})
        assert len(found.inputs) == len(found.targets) == MOST_POINTS
        assert found.total == 20_000

    def test_powers_are_told_from_other_features(self) -> None:
        x = np.linspace(-2.0, 3.0, 20)
        assert are_powers(np.stack([x, x**2, x**3], axis=1).astype(np.float32).astype(np.float64))
        assert not are_powers(np.stack([x, 1.01 * x**2], axis=1))

    def test_least_squares_of_far_points_is_numpys(self) -> None:
        generator = np.random.default_rng(0)
        x = generator.uniform(0, 5_000, 60)
        y = 2.0 - 0.1 * x + 3e-5 * x**2 + generator.normal(size=60)
        found = least_squares(x, y, degree=2)
        assert found is not None
        np.testing.assert_allclose(polynomial(found, x), np.polyval(np.polyfit(x, y, 2), x), rtol=1e-6)


class TestLinearModel:
    def test_in_the_datasets_coordinates_is_the_network(self) -> None:
        config = exam_config()
        network, info = assemble(config).network, config.dataset_info()
        values = torch.nn.utils.parameters_to_vector(network.parameters()).detach().numpy().astype(np.float64)
        model = linear_model(values, info, outputs=1)
        assert model is not None
        samples = np.array([[30.0, 90.0], [75.0, 40.0]], np.float32)
        expected = network(to_inputs(torch.from_numpy(samples), info, (2,))).detach().numpy()
        np.testing.assert_allclose(samples @ model.weights.T + model.bias, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.weights[0], values[:2] / EXAM_MAXIMA)

    def test_a_mean_goes_into_the_bias(self) -> None:
        info = exam_config().dataset_info()
        shifted = type(info)(
            **{**{name: getattr(info, name) for name in info.__slots__}, "mean": (10.0, 20.0), "std": (2.0, 4.0)}
        )
        model = linear_model(np.array([1.0, 3.0, 5.0]), shifted, outputs=1)
        assert model is not None
        x = np.array([7.0, 9.0])
        expected = 1.0 * (7.0 - 10.0) / 2.0 + 3.0 * (9.0 - 20.0) / 4.0 + 5.0
        assert model.coefficients[0] + model.coefficients[1:] @ x == pytest.approx(expected)

    def test_of_two_outputs_cuts_where_they_are_equal(self) -> None:
        info = toy_config().dataset_info()
        values = np.array([1.0, 2.0, 3.0, -1.0, 0.5, 0.25])
        model = linear_model(values, info, outputs=2)
        assert model is not None
        assert model.cut is not None
        x = np.array([0.4, -1.5])
        first, second = model.weights @ x + model.bias
        assert model.cut[0] + model.cut[1:] @ x == pytest.approx(second - first)

    def test_is_none_for_another_number_of_parameters_and_bears_a_missing_bias(self) -> None:
        info = toy_config().dataset_info()
        assert linear_model(np.ones(7), info, outputs=1) is None
        without = linear_model(np.array([1.0, 2.0]), info, outputs=1)
        assert without is not None
        assert without.coefficients[0] == 0.0
        three = linear_model(np.ones(9), info, outputs=3)
        assert three is not None
        assert three.cut is None


class TestSegment:
    def test_ends_on_the_borders(self) -> None:
        found = segment(np.array([-3.0, 1.0, 1.0]), (0.0, 2.0), (0.0, 2.0))  # x + y = 3
        assert found is not None
        np.testing.assert_allclose(found, [[1.0, 2.0], [2.0, 1.0]])

    def test_may_be_upright_or_level(self) -> None:
        upright = segment(np.array([-1.0, 1.0, 0.0]), (0.0, 2.0), (-5.0, 5.0))
        level = segment(np.array([-1.0, 0.0, 1.0]), (0.0, 2.0), (-5.0, 5.0))
        assert upright is not None
        assert level is not None
        np.testing.assert_allclose(upright, [[1.0, 1.0], [-5.0, 5.0]])
        np.testing.assert_allclose(level, [[0.0, 2.0], [1.0, 1.0]])

    @pytest.mark.parametrize("cut", [(9.0, 1.0, 1.0), (1.0, 0.0, 0.0), (np.nan, 1.0, 1.0), (np.inf, 1.0, 1.0)])
    def test_is_none_where_the_line_is_not(self, cut: tuple[float, float, float]) -> None:
        assert segment(np.array(cut), (0.0, 2.0), (0.0, 2.0)) is None


class TestAnswers:
    def test_of_many_samples_are_those_of_each(self) -> None:
        live = untrained(toy_config())
        samples = over((-6.0, 6.0), (-5.0, 5.0), 5)
        found = live.answers(samples)
        assert found.dtype == np.float32
        assert not found.flags.writeable
        np.testing.assert_allclose(found, [live.predict(sample) for sample in samples], atol=1e-6)

    def test_over_the_plane_go_row_by_row_from_below(self) -> None:
        np.testing.assert_allclose(over((0.0, 2.0), (10.0, 14.0), 2), [[0.5, 11], [1.5, 11], [0.5, 13], [1.5, 13]])

    def test_along_a_line_are_of_powers(self) -> None:
        np.testing.assert_allclose(along(np.array([2.0, -1.0]), 3), [[2, 4, 8], [-1, 1, -1]])

    def test_before_the_first_step_are_those_of_the_untrained_network(self) -> None:
        config = toy_config({"dataset": "fifteen_points", "loss": "mse"}, training__batch_size=15, training__epochs=3)
        samples = along(np.linspace(0, 10, 7), 1)
        answer, first = ask(trained(config), samples, initial=True), untrained(config).answers(samples)
        assert answer.initial is not None
        np.testing.assert_array_equal(answer.initial, first)
        assert not np.array_equal(answer.values, first)
        assert not answer.untrained
        assert ask(untrained(config), samples).untrained

    def test_with_parameters_of_another_moment(self) -> None:
        config = exam_config(training__epochs=4)
        live, samples = trained(config), over((30.0, 100.0), (30.0, 100.0), 4)
        values = np.array([4.0, 5.0, -6.0])
        logits = samples / np.array(EXAM_MAXIMA) @ values[:2] + values[2]
        today = live.parameters()
        found = ask(live, samples, parameters=values).values
        np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-4)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)
        np.testing.assert_array_equal(live.parameters(), today)

    def test_parameters_of_another_network_are_refused_and_passed_over(self) -> None:
        live, samples = untrained(exam_config()), over((30.0, 100.0), (30.0, 100.0), 2)
        with pytest.raises(ValueError, match="not those of this network"):
            live.answers(samples, parameters=np.ones(7))
        np.testing.assert_array_equal(ask(live, samples, parameters=np.ones(7)).values, live.answers(samples))
