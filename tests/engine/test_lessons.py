"""Lessons: printed numbers are obtained, what the texts say is so, and damaged files say where and why."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli import main
from engine.config import config_from_json, make_config
from engine.control import RunControl
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import EpochFinished, Evaluated, Event, Finished, Started, StepFinished
from engine.lessons import find_lesson, lessons
from engine.lessons.comparison import Comparison
from engine.lessons.lesson import LESSON_VERSION, Lesson, load_lesson, parse_lesson, save_lesson, stage_of
from engine.optimizers import rules
from engine.training import train
from tests.engine.runs import dataset_of, of_kind, tiny_library

NAMES = (
    "linear-regression",
    "polynomial-regression",
    "logistic-regression",
    "logistic-regression-builtin-loss",
    "line-by-hand",
    "line-with-module",
    "two-patterns",
    "feature-distance",
    "lenet-first-look",
    "lenet-5",
    "mnist-mlp",
    "autograd-graph",
    "parabola-descent",
    "simple-gd",
    "optimizer-rules",
    "sigmoid-and-log",
)
PLAIN: Mapping[str, object] = {"training.threads": 1, "training.memory_format": "contiguous"}
QUIET: Mapping[str, object] = {"training.evaluate_first": False}


@cache
def library(*, tiny: bool) -> Library:
    return tiny_library() if tiny else Library()


def run(
    name: str, stage: int = 1, picks: Mapping[str, str] | None = None, changed: Mapping[str, object] | None = None
) -> list[Event]:
    """A stage's events, with other picks and settings over its own; MNIST is made up and small."""
    mnist = find_lesson(name).stage(stage).config().dataset.name == "mnist"
    small = {"training.batch_size": 32} if mnist else {}
    config = find_lesson(name).stage(stage).config(picks, {**PLAIN, **small, **(changed or {})})
    return list(train(config, RunControl(), library=library(tiny=mnist)))


def steps(events: list[Event]) -> list[StepFinished]:
    return of_kind(events, StepFinished)


# What the tutorials printed


def test_all_lessons_are_there_in_the_order_of_the_menu() -> None:
    assert tuple(lesson.name for lesson in lessons()) == NAMES


@pytest.mark.parametrize("name", [lesson.name for lesson in lessons() if lesson.printed])
def test_every_printed_number_is_obtained(name: str) -> None:
    lesson = find_lesson(name)
    comparison = Comparison(lesson)
    for number in range(1, len(lesson.stages) + 1):
        comparison.begin(number)
        comparison.take(run(name, number), stage=number)
    rows = comparison.rows()
    assert len(rows) == len(lesson.printed)
    assert [f"{row.label}: {row.printed.value} is not {row.text}" for row in rows if row.agrees is not True] == []


def test_the_tutorials_numbers_are_those_to_compare() -> None:
    def printed(name: str, what: str, *, stage: int = 1) -> list[str]:
        return [p.value for p in find_lesson(name).printed if (p.what, p.stage) == (what, stage)]

    first = ["153.3520", "3.13577", "0.35509", "0.30295", "0.30132", "0.30062"]
    assert printed("linear-regression", "loss") == [*first, "0.29995", "0.29927", "0.29861", "0.29794", "0.29728"]
    assert printed("linear-regression", "gradient") == ["161.0043", "22.8730"]
    assert printed("polynomial-regression", "loss") == ["413.9843"]
    assert printed("polynomial-regression", "gradient") == ["-34.1391", "-146.6133", "-215.9148", "-27.0838"]
    assert printed("logistic-regression", "loss") == ["0.6412", "0.6407"]
    assert printed("logistic-regression", "loss", stage=2) == ["0.39730", "0.32458", "0.29065", "0.27077", "0.25765"]
    assert printed("logistic-regression", "accuracy", stage=2) == ["0.92", "0.92", "0.91", "0.91", "0.90"]
    assert printed("two-patterns", "loss") == ["1.386294"]
    assert printed("two-patterns", "test_accuracy") == ["1.0"]


def test_explicit_starting_values_are_the_draws_of_one_generator() -> None:
    """As the tutorials draw them, one after the other, from seed 2017."""
    generator = torch.manual_seed(2017)
    line, cubic, generator_state = torch.randn(1), torch.randn(3, 1), generator.get_state()

    def weight(name: str, stage: int = 1) -> torch.Tensor:
        initial = find_lesson(name).stage(stage).config().initial_parameters
        assert initial is not None
        assert initial["bias"] == [0.0]
        return torch.tensor(initial["weight"]).T

    first = steps(run("linear-regression", changed={"training.epochs": 1}))[0]
    assert first.parameters is not None
    assert first.gradients is not None
    assert first.parameters[0] + 0.01 * first.gradients[0] == pytest.approx(line.item(), rel=1e-6)
    assert torch.equal(weight("polynomial-regression"), cubic)
    generator = torch.manual_seed(2017)
    drawn = [torch.randn(2, 1) for _ in range(3)]
    assert torch.equal(weight("logistic-regression", 1), drawn[0])
    assert torch.equal(weight("logistic-regression", 2), drawn[1])
    assert torch.equal(weight("logistic-regression-builtin-loss", 1), drawn[2])
    assert torch.equal(weight("logistic-regression-builtin-loss", 2), drawn[2])
    assert not torch.equal(generator.get_state(), generator_state)


@pytest.mark.parametrize(("name", "factor", "count"), [("parabola-descent", 0.98, 800), ("simple-gd", 0.8, 50)])
def test_the_parabola_leaves_the_same_share_with_every_step(name: str, factor: float, count: int) -> None:
    events = run(name)
    assert of_kind(events, Started)[0].tracked == ("weight",)
    walked = [step.parameters for step in steps(events)]
    assert len(walked) == count
    for k, values in enumerate(walked, start=1):
        assert values is not None
        assert values[0] == pytest.approx(factor**k, rel=1e-4)


# What the texts say


@dataclass(frozen=True)
class Claim:
    """The text of lesson `name` says `said`: of `what` in a step of a run with these changes."""

    name: str
    said: str
    what: str = "loss"
    step: int = -1
    stage: int = 1
    picks: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, object] = field(default_factory=dict)


RATE = "optimizer.learning_rate"
MOMENTUM = {"optimizer.momentum": 0.9}
CLAIMS = (
    Claim("linear-regression", "0.558", changed={RATE: 0.02}),
    Claim("linear-regression", "0.16892", changed={RATE: 0.02, "training.epochs": 1000}),
    Claim("linear-regression", "0.16971", changed={"training.epochs": 1000}),
    Claim("linear-regression", "5.95", step=1, changed={"network.initial": "zeros"}),
    Claim("polynomial-regression", "1.13"),
    Claim("polynomial-regression", "0.75", what="bias"),
    Claim("polynomial-regression", "0.85", what="-weight[0]"),
    Claim("polynomial-regression", "2.92", what="weight[1]"),
    Claim("polynomial-regression", "2.60", what="weight[2]"),
    Claim("polynomial-regression", "0.42", changed={RATE: 0.005}),
    Claim("logistic-regression", "11.0524", stage=2, changed={RATE: 30.0, "training.epochs": 20}),
    Claim(
        "logistic-regression", "0.2035", stage=2, step=2, picks={"optimizer": "lbfgs"}, changed={"training.epochs": 3}
    ),
    Claim("logistic-regression-builtin-loss", "0.63635", step=1),
    Claim("logistic-regression-builtin-loss", "0.25753"),
    Claim("logistic-regression-builtin-loss", "0.25753", stage=2),
    Claim("logistic-regression-builtin-loss", "11.0524", stage=2, step=5, changed={RATE: 30.0, "training.epochs": 9}),
    Claim("logistic-regression-builtin-loss", "0.231", changed={RATE: 30.0}),
    Claim("line-by-hand", "4.69", step=1),
    Claim("line-by-hand", "0.20"),
    Claim("line-by-hand", "1.51", what="weight"),
    Claim("line-by-hand", "1.42", what="bias"),
    Claim("line-by-hand", "2.58", what="weight", changed={"training.epochs": 1000}),
    Claim("line-by-hand", "1.02", what="bias", changed={"training.epochs": 1000}),
    Claim("line-by-hand", "2.9985", what="weight", changed={RATE: 0.5}),
    Claim("line-by-hand", "0.8008", what="bias", changed={RATE: 0.5}),
    Claim("line-with-module", "0.2526"),
    Claim("line-with-module", "1.287", what="weight"),
    Claim("line-with-module", "1.697", what="bias"),
    Claim("line-with-module", "2.853", what="weight", changed=MOMENTUM),
    Claim("line-with-module", "0.878", what="bias", changed=MOMENTUM),
    *(Claim("two-patterns", "1.386294", step=step) for step in (1, 21, 41, 61)),
    Claim("parabola-descent", "0.1326", what="weight", step=100),
    Claim("parabola-descent", "0.0000000957", what="weight"),
    Claim("simple-gd", "0.0000143", what="weight"),
    Claim("sigmoid-and-log", "11.0524", changed={RATE: 30.0, "training.epochs": 20}),
)


@cache
def _run_of(name: str, stage: int, picks: tuple[tuple[str, str], ...], changed: tuple[tuple[str, object], ...]) -> Any:
    return run(name, stage, dict(picks), {**QUIET, **dict(changed)})


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.name}: {claim.said}")
def test_a_number_in_a_text_is_obtained(claim: Claim) -> None:
    events = _run_of(claim.name, claim.stage, tuple(claim.picks.items()), tuple(claim.changed.items()))
    found = steps(events)
    step = found[claim.step - 1 if claim.step > 0 else -1]
    value = step.loss
    if claim.what != "loss":
        assert step.parameters is not None
        value = step.parameters[of_kind(events, Started)[0].tracked.index(claim.what.removeprefix("-"))]
        value = -value if claim.what.startswith("-") else value
    decimals = len(claim.said.partition(".")[2])
    assert abs(value - float(claim.said)) <= 0.51 * 10.0**-decimals + 2e-4 * abs(value)
    assert re.search(rf"(?<![\d.]){re.escape(claim.said)}(?!\d)", find_lesson(claim.name).text)


def test_too_large_learning_rates_do_what_the_texts_say() -> None:
    assert steps(run("linear-regression", changed={RATE: 0.03}))[-1].loss > 1e6
    assert steps(run("polynomial-regression", changed={RATE: 0.01}))[-1].loss > 1e20
    assert steps(run("line-by-hand", changed={RATE: 0.8}))[-1].loss > 100
    at_once = steps(run("parabola-descent", changed={RATE: 0.5, "training.epochs": 2}))[0]
    assert at_once.parameters == (0.0,)
    to_and_fro = steps(run("parabola-descent", changed={RATE: 1.0, "training.epochs": 6}))
    assert [step.parameters for step in to_and_fro] == [(-1.0,), (1.0,)] * 3
    beyond = steps(run("parabola-descent", changed={RATE: 1.01}))[-1].parameters
    assert beyond is not None
    assert beyond[0] == pytest.approx(7.6e6, rel=0.01)
    far = steps(run("simple-gd", changed={RATE: 1.1}))[-1].parameters
    assert far is not None
    assert far[0] == pytest.approx(9100, rel=1e-3)


def test_curvatures_are_those_of_the_points() -> None:
    """Eigenvalues of 2 AᵀA / n, which limit the learning rate to 2 over the largest."""

    def curvatures(name: str) -> list[float]:
        inputs = dataset_of(find_lesson(name).stage(1).config(), library(tiny=False)).train.inputs.double()
        design = torch.cat((inputs, torch.ones(len(inputs), 1)), dim=1)
        return sorted(torch.linalg.eigvalsh(2 * design.T @ design / len(inputs)).tolist())

    for name, said in (
        ("linear-regression", ("0.257", "86.4")),
        ("polynomial-regression", ("234.8",)),
        ("line-by-hand", ("0.135", "2.53")),
    ):
        for number, value in zip(reversed(said), reversed(curvatures(name)), strict=False):
            assert value == pytest.approx(float(number), abs=0.51 * 10.0 ** -len(number.partition(".")[2]))
            assert number in find_lesson(name).text


def test_the_order_of_two_patterns_decides_whether_the_first_is_kept() -> None:
    """Of 200 seeds, all trained at once by the formulas of softmax and momentum, 80 % get A right, and B always."""
    weights = []
    for seed in range(200):
        torch.manual_seed(seed)
        weights.append(torch.nn.Conv2d(1, 4, 4, bias=False).weight.detach().reshape(4, 16))
    w = torch.stack(weights)
    a = torch.zeros(4, 4)
    a[:, [1, 3]] = 1
    b = a.clone()
    b[[0, 3]] = 1
    patterns = torch.stack((a.flatten(), b.flatten()))
    v = torch.zeros_like(w)
    order = [(label, intensity) for _ in range(2) for label in (0, 1) for intensity in range(20)]
    for label, intensity in order:
        x = intensity * patterns[label]
        slopes = (w @ x).softmax(dim=1)
        slopes[:, label] -= 1
        v = 0.9 * v + slopes.unsqueeze(2) * x
        w = w - 0.001 * v
    answers = (w @ patterns.T).argmax(dim=1)
    assert (answers[:, 0] == 0).float().mean() == pytest.approx(0.8, abs=0.011)
    assert (answers[:, 1] == 1).all()
    for seed in (0, 5):
        last = of_kind(run("two-patterns", changed={"training.seed": seed}), EpochFinished)[-1]
        assert last.test_accuracy == (answers[seed] == torch.tensor([0, 1])).float().mean()
    shuffled = [
        of_kind(run("two-patterns", changed={"training.seed": seed, "training.shuffle": True}), EpochFinished)[-1]
        for seed in (5, 6, 11)
    ]
    assert [epoch.test_accuracy for epoch in shuffled] == [1.0] * 3
    text = find_lesson("two-patterns").text
    assert "200 seeds" in text
    assert "80 %" in text


def test_the_seven_rules_learn_the_circles_and_can_be_compared() -> None:
    lesson = find_lesson("optimizer-rules")
    ends = [of_kind(run(lesson.name, number), EpochFinished)[-1] for number in range(1, 8)]
    assert [end.test_accuracy for end in ends] == [pytest.approx(1.0, abs=0.005)] * 7
    losses = [end.test_loss for end in ends]
    for said, value in (("0.049", min(losses)), ("0.108", max(losses))):
        assert value == pytest.approx(float(said), abs=0.0011)
        assert said in lesson.text
    assert (losses.index(max(losses)), losses.index(min(losses))) == (3, 6)
    assert [end.step for end in ends] == [100, 2400, 390, 390, 390, 390, 390]
    sgd = run(lesson.name, 4, {"optimizer": "sgd"}, {RATE: 0.2, "optimizer.momentum": 0.8})
    assert of_kind(sgd, EpochFinished)[-1].test_loss == pytest.approx(0.026, abs=0.0011)
    slow = of_kind(run(lesson.name, 5, changed={RATE: 0.01}), EpochFinished)[-1]
    assert slow.test_accuracy == pytest.approx(0.73, abs=0.02)


def test_the_optimizer_in_the_text_is_the_one_that_runs() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", find_lesson("simple-gd").text, re.DOTALL)

    def bare(source: str) -> str:
        """Without docstrings and annotations."""
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                node.body = node.body[1:]
            if isinstance(node, ast.arg):
                node.annotation = None
            if isinstance(node, ast.FunctionDef):
                node.returns = None
        return ast.unparse(tree)

    assert bare(shown) == bare(inspect.getsource(rules.SimpleGD))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_every_text_says_what_to_do_to_see_and_to_try(lesson: Lesson) -> None:
    headings = re.findall(r"^## (.+)$", lesson.text, re.MULTILINE)
    assert headings == ["Do", "See", "Try"]
    do = lesson.text.split("## See")[0]
    assert re.search(r"^1\. ", do, re.MULTILINE)
    assert 2 <= len(re.findall(r"^- ", lesson.text.split("## Try")[1], re.MULTILINE)) <= 4
    assert 150 <= len(lesson.text.split()) <= 330
    assert lesson.text.count("$") % 2 == 0
    assert lesson.summary


# All of them run


@pytest.mark.parametrize(
    ("name", "stage"), [(lesson.name, n) for lesson in lessons() for n in range(1, len(lesson.stages) + 1)]
)
def test_every_stage_trains(name: str, stage: int) -> None:
    events = run(name, stage, changed={"training.steps": 20})
    ending = events[-1]
    assert isinstance(ending, Finished), ending
    assert ending.reason == "completed"
    assert 0 < ending.step <= 20
    assert [step.step for step in steps(events)] == list(range(1, ending.step + 1))
    assert all(math.isfinite(step.loss) for step in steps(events))


def test_the_perceptron_sees_all_of_mnist_normalised() -> None:
    config = find_lesson("mnist-mlp").stage(1).config({}, {**PLAIN, "training.steps": 20})
    info = config.dataset_info()
    assert (info.mean, info.std, info.train_size, info.test_size) == ((0.1307,), (0.3081,), 60_000, 10_000)
    events = list(train(config))
    started = of_kind(events, Started)[0]
    assert (started.parameters, started.batch_size, started.steps_per_epoch) == (22_270, 128, 469)
    before, after = of_kind(events, Evaluated)
    assert before.test_loss == pytest.approx(math.log(10), abs=0.1)
    assert before.test_accuracy is not None
    assert after.test_accuracy is not None
    assert after.test_accuracy > 0.5 > before.test_accuracy


# The terminal


def events_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line of the standard output, which is JSON or the test fails."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


LOGISTIC = ("train", "--lesson", "logistic-regression", "--threads", "1", "--events", "-")


class TestTerminal:
    def test_runs_the_stages_in_order_and_tells_every_step(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(LOGISTIC) == 0
        events = events_of(capsys)
        assert {event["stage"] for event in events} == {1, 2}
        assert [event["stage"] for event in events] == sorted(event["stage"] for event in events)
        for stage, count in ((1, 2), (2, 1000)):
            own = [event for event in events if event["stage"] == stage]
            told = [event for event in own if event["type"] == "step"]
            assert [event["step"] for event in told] == list(range(1, count + 1))
            assert all(len(event["parameters"]) == len(event["gradients"]) == 3 for event in told)
            assert (own[-1]["type"], own[-1]["reason"]) == ("finished", "completed")
        assert events[-1]["stage"] == 2

    def test_runs_one_stage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*LOGISTIC, "--stage", "2"]) == 0
        events = events_of(capsys)
        assert {event["stage"] for event in events} == {2}
        told = {event["step"]: event for event in events if event["type"] == "step"}
        assert len(told) == 1000
        assert (round(told[200]["loss"], 5), round(told[200]["accuracy"], 2)) == (0.3973, 0.92)

    def test_other_options_change_the_lesson(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["train", "--lesson", "simple-gd", "--stage", "1", "--lr", "0.5", "--steps", "1", "--events", "-"]
        assert main([*arguments, "--threads", "1"]) == 0
        (step,) = [event for event in events_of(capsys) if event["type"] == "step"]
        assert step["parameters"] == [0.0]

    def test_prints_the_numbers_side_by_side(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        assert main(["train", "--lesson", "linear-regression", "--threads", "1"]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert ["1", "loss,", "step", "1", "153.3520", "153.3520", "same"] in lines
        assert not [line for line in lines if "differs" in line]

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("--lesson", "logistic-regression", "--stage", "3"), "stage: logistic-regression has 2 stages"),
            (("--lesson", "logistic-regression", "--stage", "0"), "stage: logistic-regression has 2 stages"),
            (("--lesson", "logistic-regression", "--stage", "two"), "--stage: 'two' is not a stage; 1 to 2"),
            (("--lesson", "linear-regresion"), "lesson: unknown lesson 'linear-regresion'; did you mean linear-regre"),
            (("--lesson", "missing.lesson.md"), "lesson: unknown lesson 'missing.lesson.md'"),
            (("--lesson", "simple-gd", "--loss", "cross_entropy"), "loss: "),
        ],
    )
    def test_answers_a_mistake_in_one_line(
        self, arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["train", *arguments, "--events", "-"]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(named)
        assert said.err.count("\n") == 1

    def test_lists_the_lessons(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "lessons", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert tuple(row["name"] for row in rows) == NAMES
        by_name = {row["name"]: row for row in rows}
        assert by_name["logistic-regression"]["stages"] == ["Two steps by hand", "A thousand steps"]
        assert all(row["label"] and row["summary"] and row["chapter"] for row in rows)

    def test_runs_a_lesson_from_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "mine.lesson.md"
        save_lesson(path, lesson_of("mine"))
        assert main(["train", "--lesson", str(path), "--steps", "2", "--threads", "1", "--events", "-"]) == 0
        assert [event["stage"] for event in events_of(capsys) if event["type"] == "finished"] == [1, 2]
        path.write_text("no lesson", encoding="utf-8")
        assert main(["train", "--lesson", str(path)]) == 2
        assert capsys.readouterr().err.startswith("lesson mine: line 1 is not ---; a lesson file: ")


# Files


def lesson_of(name: str) -> Lesson:
    config = make_config({"dataset": "circles", "network": "mlp"}, {"network.hidden": (4,), "training.epochs": 2})
    text = "## Do\n\nPress Start. $x^2$, “quotes”, ümlauts, and a line\n\n---\n\nthat ends nothing."
    return Lesson(
        name=name,
        title="Mine: “a title”",
        summary="A summary.",
        stages=(stage_of(config, title="One", speed=5), stage_of(config)),
        tools={"points": {"traces": True}},
        hides=("canvas",),
        text=text,
    )


class TestFiles:
    def test_a_saved_lesson_is_the_lesson(self, tmp_path: Path) -> None:
        lesson = lesson_of("my-lesson-2")
        path = tmp_path / "my-lesson-2.lesson.md"
        save_lesson(path, lesson)
        again = load_lesson(path)
        assert again == lesson
        assert again.stage(1).config() == lesson.stage(1).config()
        assert again.to_text() == path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
    def test_those_that_come_with_the_program_too(self, lesson: Lesson, tmp_path: Path) -> None:
        path = tmp_path / f"{lesson.name}.lesson.md"
        save_lesson(path, lesson)
        assert load_lesson(path) == lesson
        for stage in lesson.stages:
            config = stage.config()
            assert config_from_json(config.to_json(), source="x") == config

    def test_a_set_up_becomes_a_stage_with_all_it_has(self) -> None:
        start = {"weight": [[0.25]], "bias": [1.5]}
        config = make_config(
            {"dataset": "fifteen_points", "network": "linear"}, {"training.seed": 3}, initial_parameters=start
        )
        assert stage_of(config).config() == config

    @pytest.mark.parametrize("name", ["My Lesson.lesson.md", "a_b.lesson.md", ".lesson.md", "ü.lesson.md"])
    def test_a_file_is_called_as_a_lesson_is(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(lesson_of("x").to_text(), encoding="utf-8")
        with pytest.raises(InputError, match="small letters and digits with hyphens between"):
            load_lesson(tmp_path / name)

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"^lesson: gone\.lesson\.md cannot be read: No such file"):
            load_lesson(tmp_path / "gone.lesson.md")
        with pytest.raises(InputError, match="cannot be read"):
            load_lesson(tmp_path)
        (tmp_path / "bytes.lesson.md").write_bytes(b"---\n\xff\xfe\n---\n")
        with pytest.raises(InputError, match="it is not text"):
            load_lesson(tmp_path / "bytes.lesson.md")

    def test_too_long_a_file_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "long.lesson.md"
        path.write_text(lesson_of("long").to_text() + "x" * 1_000_001, encoding="utf-8")
        with pytest.raises(InputError, match="lesson long: the file is too long; up to 1,000,000 characters"):
            load_lesson(path)
        with path.open("wb") as file:
            file.truncate(2**32)
        with pytest.raises(InputError, match="too long"):
            load_lesson(path)

    @pytest.mark.parametrize("mark", ["\ufeff", ""])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_marks_and_line_ends_of_other_systems_are_taken(self, mark: str, end: str) -> None:
        lesson = lesson_of("x")
        source = mark + lesson.to_text().replace("\n", end)
        assert parse_lesson(source, name="x") == lesson


def source_of(head: str, text: str = "Text.") -> str:
    return f"---\n{head}\n---\n\n{text}\n"


def with_fields(**fields: object) -> str:
    return source_of(json.dumps({"title": "t", "stages": [{}], **fields}))


DAMAGED = (
    ("", "lesson x: line 1 is not ---"),
    ("{}", "lesson x: line 1 is not ---"),
    ('---\n{"title": "t"}\n', "lesson x: there is no second line ---"),
    ('---\n{\n  "title": "t",\n  "order" 5\n}\n---\n', "lesson x: Expecting ':' delimiter in line 4; JSON between"),
    (source_of("[]"), "lesson x: the part between the two lines --- is not a JSON object"),
    (source_of("[" * 100_000), "lesson x: the part between the two lines --- is not usable JSON"),
    (source_of('{"title": "t", "order": ' + "9" * 5000 + "}"), "lesson x: the part .* is not usable JSON"),
    (source_of('{"title": "t", "stages": [{"speed": NaN}]}'), "lesson x: the part .* is not usable JSON"),
    (source_of('{"title": "\\ud800", "stages": [{}]}'), "lesson x: the part .* is not usable JSON"),
    (source_of('{"stages": [{}]}'), "lesson x: title: field required"),
    (source_of('{"title": "t"}'), "lesson x: stages: field required"),
    (with_fields(stages=[]), "lesson x: stages: .* at least 1"),
    (with_fields(stages=[{}] * 51), "lesson x: stages: .* at most 50"),
    (with_fields(version=LESSON_VERSION + 1), r"lesson x: version: a newer Learnscope wrote it \(version 2\); up to 1"),
    (with_fields(version="1"), "lesson x: version: '1' is not a version; 1"),
    (with_fields(version=True), "lesson x: version: True is not a version; 1"),
    (with_fields(colour="red"), "lesson x: colour: extra inputs are not permitted"),
    (with_fields(text="lost"), "lesson x: text: is not a field of the JSON; it stands below"),
    (with_fields(name="y"), "lesson x: name: is not a field of the JSON; the file's name"),
    (with_fields(title=5), "lesson x: title: input should be a valid string"),
    (with_fields(order="1"), "lesson x: order: input should be a valid integer"),
    (with_fields(tools={"hammer": {}}), "lesson x: tools: unknown tool 'hammer'; known are points, microscope"),
    (with_fields(tools={"points": 1}), "lesson x: tools.points: "),
    (with_fields(hides=["everything"]), "lesson x: hides: unknown control 'everything'; known are dataset"),
    (
        with_fields(stages=[{}, {"picks": {"dataset": "mnits"}}]),
        "lesson x: stage 2: dataset: unknown dataset 'mnits'; d",
    ),
    (with_fields(stages=[{"picks": {"optimiser": "sgd"}}]), "lesson x: stage 1: optimiser: unknown part 'optimiser'"),
    (
        with_fields(stages=[{"settings": {"optimizer.learning_rate": -1}}]),
        r"lesson x: stage 1: optimizer\.learning_rate",
    ),
    (
        with_fields(stages=[{"settings": {"training.seeds": 1}}]),
        r"lesson x: stage 1: training\.seeds: .* no such setting",
    ),
    (with_fields(stages=[{"settings": {"seed": 1}}]), "lesson x: stage 1: seed: is not a setting; write PART.PARAM"),
    (
        with_fields(stages=[{"settings": {"network.hidden": [1.5]}}]),
        r"lesson x: stage 1: network\.hidden: \[1.5\] is not",
    ),
    (
        with_fields(stages=[{"settings": {"training.seed": None}}]),
        r"lesson x: stage 1: training\.seed: null is not acc",
    ),
    (with_fields(stages=[{"speed": 0}]), r"lesson x: stages\.1\.speed: input should be greater than 0"),
    (with_fields(stages=[{"epochs": 3}]), r"lesson x: stages\.1\.epochs: extra inputs are not permitted"),
    (
        with_fields(stages=[{"picks": {"dataset": "fifteen_points", "network": "lenet5"}}]),
        "lesson x: stage 1: network: LeNet-5 needs images",
    ),
    (with_fields(printed=[{"what": "loss", "step": 1}]), r"lesson x: printed\.1\.value: field required"),
    (with_fields(printed=[{"what": "mood", "step": 1, "value": "1"}]), r"lesson x: printed\.1\.what: "),
    *(
        (
            with_fields(printed=[{"what": "loss", "step": 1, "value": value}]),
            "lesson x: printed 1: value: .* is not a num",
        )
        for value in ("", "nan", "inf", "1_0", " 1", "1e5", "٣")
    ),
    (
        with_fields(printed=[{"what": "loss", "step": 1, "value": "1", "stage": 2}]),
        "lesson x: printed 1: stage: there is no stage 2; 1 to 1",
    ),
)


class TestDamage:
    @pytest.mark.parametrize(("source", "said"), DAMAGED, ids=[said[:60] for _, said in DAMAGED])
    def test_is_said_with_its_place_and_reason(self, source: str, said: str) -> None:
        with pytest.raises(InputError, match=f"^{said}"):
            parse_lesson(source, name="x")

    def test_the_sound_file_of_these_is_read(self) -> None:
        lesson = parse_lesson(with_fields(), name="x")
        assert (lesson.title, lesson.text, len(lesson.stages)) == ("t", "Text.", 1)

    @settings(deadline=None, max_examples=80)
    @given(st.text(max_size=200), st.booleans())
    def test_no_text_raises_anything_but_an_input_error(self, source: str, headed: bool) -> None:
        with suppress(InputError):
            parse_lesson(source_of(source) if headed else source, name="x")

    @settings(deadline=None, max_examples=80)
    @given(st.data())
    def test_no_json_raises_anything_but_an_input_error(self, data: st.DataObject) -> None:
        scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
        values = st.recursive(
            scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        )
        known = st.sampled_from([*Lesson.model_fields, "version"])
        stage_fields = st.sampled_from(["title", "picks", "settings", "initial_parameters", "speed"])
        stages = st.lists(st.dictionaries(stage_fields, values, max_size=3), max_size=2) | values
        head: dict[str, object] = {"title": "t", "stages": [{}]}
        head |= data.draw(st.dictionaries(known, values, max_size=3))
        if data.draw(st.booleans()):
            head["stages"] = data.draw(stages)
        with suppress(InputError):
            parse_lesson(source_of(json.dumps(head)), name="x")

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_a_cut_or_changed_file_is_a_lesson_or_an_input_error(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(lessons())).to_text()
        place = data.draw(st.integers(0, len(source)))
        inserted = data.draw(st.text(max_size=3))
        removed = data.draw(st.integers(0, 3) | st.integers(0, len(source)))
        with suppress(InputError):
            lesson = parse_lesson(source[:place] + inserted + source[place + removed :], name="x")
            assert parse_lesson(lesson.to_text(), name="x") == lesson
