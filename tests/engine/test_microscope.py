"""The microscope does what the run's next step does, bit for bit, and the run does not notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.config import RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import Event, Paused, Started, StepFinished
from engine.inspection.looks import STAGES, figures, picture_of
from engine.inspection.microscope import Microscope, Specimen
from engine.inspection.private_random import PrivateRandom, random_state
from engine.inspection.specimen import specimen_of
from engine.optimizers import OPTIMIZERS
from engine.training import train
from tests.engine.runs import RunInThread, losses, of_kind, tiny_library, toy_config

PATIENCE = 30.0  # seconds
IMAGES = {"dataset": "mnist"}
PER_EPOCH = 4  # of the set-ups below with 64 images


def images_config(network: str, *, optimizer: str = "sgd", **settings: object) -> RunConfig:
    picks = {**IMAGES, "network": network, "optimizer": optimizer}
    return toy_config(picks, **{"training__batch_size": 16, "training__epochs": 2, **settings})


def run_through(microscope: Microscope) -> float:
    """All five buttons from left to right; the loss."""
    for stage in STAGES:
        look = microscope.press(stage)
    assert look.loss is not None
    return look.loss


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As the set-ups here have it."""
    torch.set_num_threads(1)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def has_more_steps_than(count: int, events: list[Event]) -> bool:
    return len(losses(events)) > count


class Course(NamedTuple):
    losses: list[float]
    weights: list[dict[str, Tensor]]  # after each step
    looked: dict[int, tuple[float, dict[str, Tensor]]]  # step to what the microscope made of it


def course(
    config: RunConfig, *, examine: bool, acts: Mapping[int, Callable[[RunControl], object]] | None = None
) -> Course:
    """A whole run; with `examine`, paused before every step and put under a microscope there."""
    control, library = RunControl(), tiny_library()
    seen = Course([], [], {})
    asked = None
    for event in train(config, control, library=library):
        if isinstance(event, StepFinished):
            seen.losses.append(event.loss)
            assert control.live is not None
            seen.weights.append(control.live.weights())
            if event.step in (acts or {}):
                (acts or {})[event.step](control)
        if examine and isinstance(event, Started | StepFinished):
            if asked is not None:  # was answered before the step that just ended
                specimen = asked.result(timeout=0)
                microscope = Microscope(specimen)
                seen.looked[specimen.step] = (run_through(microscope), weights_of(microscope._network))
            asked = control.examine()
    return seen


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


SETUPS = {
    "momentum": images_config("mlp", optimizer__momentum=0.9),
    "dropout": images_config("mlp", optimizer="adam", network__dropout=0.5),
    "batch_norm": images_config("fast_cnn", training__memory_format="channels_last"),
    "batch_norm_lbfgs": images_config("fast_cnn", optimizer="lbfgs", training__steps=3),
    "lbfgs_dropout": images_config("mlp", optimizer="lbfgs", network__dropout=0.5, training__steps=6),
    "muon": images_config("lenet5", optimizer="muon"),
    "mixed": images_config("lenet5", training__precision="mixed", training__device="cpu"),
    "last_batch_is_small": images_config("mlp", optimizer="adam", training__batch_size=24),
}


class TestTheRun:
    @pytest.mark.parametrize("setup", list(SETUPS))
    def test_does_not_notice_and_its_next_step_is_what_the_microscope_computed(self, setup: str) -> None:
        config = SETUPS[setup]
        alone, examined = course(config, examine=False), course(config, examine=True)
        assert examined.losses == alone.losses
        for one, other in zip(alone.weights, examined.weights, strict=True):
            assert_equal(one, other)
        assert set(examined.looked) >= set(range(1, len(alone.losses)))
        for step, (loss, weights) in examined.looked.items():
            assert loss == alone.losses[step - 1], step
            assert_equal(weights, alone.weights[step - 1])

    @pytest.mark.parametrize("optimizer", [entry.name for entry in OPTIMIZERS])
    def test_is_matched_with_every_optimizer(self, optimizer: str) -> None:
        config = toy_config({"optimizer": optimizer}, training__steps=4)
        alone, examined = course(config, examine=False), course(config, examine=True)
        assert examined.losses == alone.losses
        assert len(examined.looked) >= 3
        for step, (loss, weights) in examined.looked.items():
            assert loss == alone.losses[step - 1]
            assert_equal(weights, alone.weights[step - 1])

    def test_hands_over_settings_that_were_changed_and_the_schedules_next_rate(self) -> None:
        acts: dict[int, Callable[[RunControl], object]] = {
            2: lambda control: control.change(Change("learning_rate", 0.05)),
            3: lambda control: control.change(Change("momentum", 0.5)),
            4: lambda control: control.change(ScheduleChange("cosine", {"warm_up": 0.5})),
        }
        config = toy_config(
            {**IMAGES, "network": "mlp", "optimizer": "rmsprop", "schedule": "step"},
            training__batch_size=16,
            training__epochs=2,
        )
        alone, examined = course(config, examine=False, acts=acts), course(config, examine=True, acts=acts)
        assert examined.losses == alone.losses
        for step, (loss, weights) in examined.looked.items():
            assert loss == alone.losses[step - 1]
            assert_equal(weights, alone.weights[step - 1])

    def test_hands_over_while_it_is_paused_and_stays_there(self) -> None:
        config = images_config("mlp", network__dropout=0.5)
        expected = losses(train(config, library=tiny_library()))
        with RunInThread(config, tiny_library(), paused=True) as run:
            for step in (1, 2, 3, PER_EPOCH, PER_EPOCH + 1):
                while len(losses(run.events)) < step - 1:
                    done = len(losses(run.events))
                    run.control.step_once()
                    run.wait_until(partial(has_more_steps_than, done))
                run.wait_until(lambda events: isinstance(events[-1] if events else None, Paused))
                before = list(run.events)
                specimen = run.control.examine().result(PATIENCE)
                assert (specimen.step, specimen.epoch) == (step, 1 + (step - 1) // PER_EPOCH)
                assert specimen.of_run
                assert run_through(Microscope(specimen)) == expected[step - 1]
                assert run.events == before
            run.control.resume()
            run.join()
        assert losses(run.events) == expected

    def test_keeps_its_pace_in_slow_motion(self) -> None:
        with RunInThread(toy_config(), speed=1e-6) as run:
            run.wait_until(lambda events: of_kind(events, StepFinished))  # the first step needs no waiting
            assert run.control.examine().result(PATIENCE).step == 2
            assert run.control.examine().result(PATIENCE).step == 2
            assert len(losses(run.events)) == 1

    def test_goes_on_drawing_its_own_numbers_beside_a_microscope_at_work(self) -> None:
        """Dropout masks of both are drawn at the same time."""
        config = images_config("mlp", network__dropout=0.5, training__epochs=6)
        expected = losses(train(config, library=tiny_library()))
        control, found, stop = RunControl(), list[Event](), threading.Event()
        asked = control.examine()

        def look() -> None:
            microscope = Microscope(asked.result(PATIENCE))
            while not stop.is_set():
                microscope.again()
                assert run_through(microscope) == expected[0]

        looking = threading.Thread(target=look)
        looking.start()
        try:
            found.extend(train(config, control, library=tiny_library()))
        finally:
            stop.set()
            looking.join()
        assert losses(found) == expected

    def test_a_failed_copy_is_not_its_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> Specimen:
            raise TypeError("cannot be copied")

        monkeypatch.setattr("engine.inspection.specimen.take_specimen", fail)
        control = RunControl()
        asked = control.examine()
        assert len(losses(train(toy_config(training__steps=2), control))) == 2
        assert isinstance(asked.exception(timeout=0), TypeError)

    def test_that_has_ended_answers_with_a_reason(self) -> None:
        control = RunControl()
        list(train(toy_config(training__steps=1), control))
        asked = control.examine()
        control.end_examinations(InputError("microscope", "the run has ended"))
        with pytest.raises(InputError, match="the run has ended"):
            asked.result(timeout=0)


def specimen(config: RunConfig | None = None, library: Library | None = None) -> Specimen:
    return specimen_of(config or images_config("lenet5", optimizer="adam"), library or tiny_library())


class TestWithoutARun:
    @pytest.mark.parametrize(
        "config",
        [
            images_config("lenet5", optimizer="adam"),
            images_config("fast_cnn", training__memory_format="channels_last"),
            images_config("mlp", optimizer="lbfgs"),
            toy_config({"dataset": "gaussians", "schedule": "one_cycle"}),
            toy_config({"dataset": "gaussians"}, training__shuffle=False),
        ],
        ids=["lenet", "channels_last", "lbfgs", "schedule", "in_order"],
    )
    def test_it_is_the_first_step_of_a_run(self, config: RunConfig) -> None:
        found = specimen(config)
        assert (found.step, found.epoch, found.of_run) == (1, 1, False)
        assert run_through(Microscope(found)) == losses(train(config, library=tiny_library()))[0]

    def test_torchs_random_state_stays(self) -> None:
        before = torch.get_rng_state()
        microscope = Microscope(specimen(images_config("mlp", network__dropout=0.5)))
        run_through(microscope)
        assert torch.equal(torch.get_rng_state(), before)


class TestButtons:
    def test_the_steps_are_torchs_own(self) -> None:
        found = specimen(images_config("lenet5", optimizer="sgd", optimizer__learning_rate=0.1))
        microscope = Microscope(found)
        oracle = dict(found.network.named_parameters())
        value = functional.cross_entropy(found.network(found.inputs), found.targets)
        gradients = dict(zip(oracle, torch.autograd.grad(value, list(oracle.values())), strict=True))
        assert microscope.zero_grad().gradient_norm is None
        look = microscope.forward()
        assert look.outputs is not None
        assert look.loss is None
        assert look.outputs.shape == (16, 10)
        assert look.outputs.values.shape == (10, 10)
        assert microscope.compute_loss().loss == value.item()
        before = {name: microscope.look(name) for name in oracle}
        assert all(part.gradient is None for part in before.values())
        look = microscope.backward()
        norm = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm().item()
        assert look.gradient_norm == pytest.approx(norm, rel=1e-5)
        for name, gradient in gradients.items():
            part = microscope.look(name)
            assert part.gradient_before is None
            assert part.gradient is not None
            assert part.change is None
            np.testing.assert_allclose(part.gradient.values, gradient.flatten()[:200].numpy(), rtol=1e-4, atol=1e-7)
            assert part.gradient.norm == pytest.approx(gradient.norm().item(), rel=1e-4)
        microscope.step()
        for name, gradient in gradients.items():
            part = microscope.look(name)
            assert part.change is not None
            np.testing.assert_allclose(
                part.change.values, -0.1 * gradient.flatten()[:200].numpy(), rtol=1e-2, atol=1e-6
            )
            np.testing.assert_allclose(part.values.values, before[name].values.values + part.change.values, rtol=1e-5)

    def test_gradients_accumulate_where_zero_grad_is_left_out(self) -> None:
        microscope = Microscope(specimen())
        for stage in STAGES[1:4]:
            once = microscope.press(stage)
        for stage in STAGES[1:4]:
            twice = microscope.press(stage)
        assert once.gradient_norm is not None
        assert twice.gradient_norm is not None
        assert twice.gradient_norm == pytest.approx(2 * once.gradient_norm, rel=1e-6)
        assert "accumulate" in twice.text
        part = microscope.look("conv1.bias")
        assert part.gradient_before is not None
        assert part.gradient is not None
        np.testing.assert_allclose(part.gradient.values, 2 * part.gradient_before.values, rtol=1e-6)

    def test_none_is_told_apart_from_zeros(self) -> None:
        microscope = Microscope(specimen(images_config("lenet5")))
        run_through(microscope)
        assert microscope.look("conv1.bias").gradient is not None
        look = microscope.zero_grad()
        part = microscope.look("conv1.bias")
        assert part.gradient_before is not None
        assert part.gradient is None
        assert "None" in look.text
        assert "nothing to clear" in microscope.zero_grad().text

    def test_a_run_brings_the_gradients_of_its_last_step(self) -> None:
        control = RunControl()
        asked = []
        for event in train(toy_config(training__steps=3), control):
            if isinstance(event, StepFinished) and event.step == 1:
                asked.append(control.examine())
        microscope = Microscope(asked[0].result(timeout=0))
        assert microscope.at.gradient_norm is not None
        assert "accumulate" in [microscope.press(stage) for stage in STAGES[1:4]][-1].text

    def test_each_says_what_must_come_before_it(self) -> None:
        microscope = Microscope(specimen())
        with pytest.raises(InputError, match="forward pass first"):
            microscope.compute_loss()
        with pytest.raises(InputError, match="loss first"):
            microscope.backward()
        with pytest.raises(InputError, match="no parameter has a gradient"):
            microscope.step()
        microscope.forward()
        with pytest.raises(InputError, match="loss first"):
            microscope.backward()
        microscope.compute_loss()
        microscope.backward()
        with pytest.raises(InputError, match="used up"):
            microscope.backward()
        with pytest.raises(InputError, match="used up"):
            microscope.compute_loss()
        look = microscope.step()
        assert look.next == "zero_grad"
        assert {"loss", "backward"} <= look.refused.keys()
        assert "step before" in microscope.step().text

    def test_the_refused_ones_and_only_they_refuse(self) -> None:
        microscope = Microscope(specimen())
        rng = np.random.default_rng(0)
        for _ in range(60):
            stage = STAGES[rng.integers(len(STAGES))]
            if stage in microscope.at.refused:
                with pytest.raises(InputError):
                    microscope.press(stage)
            else:
                assert microscope.press(stage).done == stage

    def test_again_goes_back_to_the_start(self) -> None:
        found = specimen(images_config("mlp", optimizer="adam", network__dropout=0.5))
        microscope = Microscope(found)
        start = weights_of(found.network)
        first = [run_through(microscope) for _ in range(3)]
        assert_equal(weights_of(found.network), start)
        assert microscope.again().loss is None
        assert [run_through(microscope) for _ in range(3)] == first
        assert len(set(first)) == 3

    def test_a_closure_says_that_it_computes_the_batch_itself(self) -> None:
        microscope = Microscope(specimen(images_config("mlp", optimizer="lbfgs", optimizer__max_iter=5)))
        look = microscope.step()
        assert "computes the batch itself" in look.text
        assert look.loss is not None
        assert look.change_norm

    def test_running_statistics_are_told(self) -> None:
        assert "Running statistics moved" in Microscope(specimen(images_config("fast_cnn"))).forward().text

    def test_regression_has_targets_instead_of_classes(self) -> None:
        found = specimen(toy_config({"dataset": "line_points", "network": "mlp", "loss": "mse"}))
        look = Microscope(found).forward()
        assert look.outputs is not None
        assert look.outputs.targets is not None
        assert look.outputs.true == () == look.outputs.predicted
        np.testing.assert_array_equal(look.outputs.targets, found.targets[:10].numpy())

    def test_an_unknown_parameter_is_named(self) -> None:
        with pytest.raises(InputError, match="conv9"):
            Microscope(specimen()).look("conv9.weight")

    @pytest.mark.parametrize("threads", [1, 2])
    def test_computes_with_the_runs_threads(self, threads: int) -> None:
        """Also on a thread that has another number of its own; and the run's number stays."""
        torch.set_num_threads(threads)
        config = images_config("lenet5", training__threads=threads)
        expected = losses(train(config, library=tiny_library()))[0]
        found = specimen(config)
        assert found.threads == threads
        seen: list[tuple[float, int]] = []
        counts: list[int] = []

        def look() -> None:
            torch.set_num_threads(3 - threads)
            assert torch.get_num_threads() == 3 - threads  # asking settles it: else this thread would follow the other
            changed.set()
            restored.wait(PATIENCE)
            microscope = Microscope(found)
            found.network.register_forward_hook(lambda *_: counts.append(torch.get_num_threads()))
            microscope.again()
            seen.append((run_through(microscope), torch.get_num_threads()))

        changed, restored = threading.Event(), threading.Event()
        other = threading.Thread(target=look)
        other.start()
        assert changed.wait(PATIENCE)
        torch.set_num_threads(threads)
        restored.set()
        other.join()
        assert seen == [(expected, 3 - threads)]
        assert counts == [threads]


class TestFigures:
    def test_are_owned_and_cannot_be_written_to(self) -> None:
        microscope = Microscope(specimen())
        microscope.forward()
        part = microscope.look("conv1.weight")
        outputs = microscope.at.outputs
        assert outputs is not None
        for array in (part.values.picture, part.values.values, part.values.counts, part.values.edges, outputs.values):
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0

    def test_say_what_a_tensor_holds(self) -> None:
        tensor = torch.tensor([[3.0, -4.0], [float("nan"), float("inf")]])
        found = figures(tensor, input_shape=(2,))
        assert (found.norm, found.smallest, found.largest, found.odd, found.size) == (5.0, -4.0, 3.0, 2, 4)
        assert found.counts.sum() == 2
        assert figures(torch.zeros(3), input_shape=()).counts.sum() == 3
        assert figures(torch.full((5,), 1e8), input_shape=()).counts.sum() == 5

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ((), (1, 1, 1, 1)),
            ((10,), (1, 1, 1, 10)),
            ((500,), (1, 1, 1, 128)),
            ((10, 28), (1, 1, 10, 28)),
            ((300, 300), (1, 1, 64, 128)),
            ((28, 784), (28, 1, 28, 28)),
            ((6, 1, 5, 5), (6, 1, 5, 5)),
            ((64, 128, 3, 3), (8, 8, 3, 3)),
            ((4, 3, 7), (4, 3, 1, 7)),
            ((4, 3, 2, 5, 5), (4, 3, 10, 5)),
        ],
    )
    def test_pictures_are_limited_in_size(self, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
        assert picture_of(np.zeros(shape, np.float32), input_shape=(1, 28, 28)).shape == expected


@dataclass(frozen=True)
class Draw:
    name: str
    act: Callable[[], Tensor]


DRAWS = [
    Draw("dropout", lambda: functional.dropout(torch.ones(50))),
    Draw("feature_dropout", lambda: functional.dropout2d(torch.ones(2, 9, 3, 3))),
    Draw("alpha_dropout", lambda: functional.alpha_dropout(torch.ones(50), training=True)),
    Draw("rrelu", lambda: functional.rrelu(-torch.ones(9), training=True)),
    Draw("gumbel", lambda: functional.gumbel_softmax(torch.ones(4))),
    Draw("rand", lambda: torch.rand(3)),
    Draw("randn_like", lambda: torch.randn_like(torch.ones(3))),
    Draw("randint", lambda: torch.randint(2, 9, (9,))),
    Draw("randperm", lambda: torch.randperm(9)),
    Draw("normal", lambda: torch.normal(torch.zeros(3), 1.0)),
    Draw("fused", lambda: torch.native_dropout(torch.ones(50), 0.5, True)[0]),
]


class TestPrivateRandom:
    @pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.name)
    def test_draws_what_torch_would_and_leaves_torchs_generator_alone(self, draw: Draw) -> None:
        state = random_state(torch.device("cpu"))
        expected = [draw.act(), draw.act()]
        after = torch.get_rng_state()
        private = PrivateRandom(torch.device("cpu"), state)
        found = []
        for _ in expected:
            with private:
                found.append(draw.act())
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
        assert torch.equal(torch.get_rng_state(), after)
        assert torch.equal(private.state["cpu"], after)

    @pytest.mark.parametrize("training", [False, True])
    def test_borrows_nothing_for_dropout_where_no_gradients_are_kept(
        self, training: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run on another thread would draw from what is borrowed meanwhile."""

        def borrow(*_: object) -> None:
            raise AssertionError("torch's generator was borrowed")

        monkeypatch.setattr("engine.inspection.private_random._set_global", borrow)
        private = PrivateRandom(torch.device("cpu"), random_state(torch.device("cpu")))
        with torch.inference_mode():
            with private:
                found = torch.nn.functional.dropout(torch.ones(50), 0.5, training)
            assert torch.equal(found, torch.nn.functional.dropout(torch.ones(50), 0.5, training))
        assert private.drawn == training

    def test_leaves_a_generator_of_the_networks_own_alone(self) -> None:
        generators = [torch.Generator().manual_seed(3) for _ in range(2)]
        with PrivateRandom(torch.device("cpu"), random_state(torch.device("cpu"))):
            found = torch.rand(4, generator=generators[0]), torch.empty(4).normal_(generator=generators[0])
        assert torch.equal(found[0], torch.rand(4, generator=generators[1]))
        assert torch.equal(found[1], torch.empty(4).normal_(generator=generators[1]))
