"""Set-ups: where each value comes from, their JSON and back, and how a mistake in a file is answered."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import Entry, Param, ParamValue
from engine.config import SCHEMA_VERSION, Choice, RunConfig, config_from_json, load_config, make_config, settings_of
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.losses import LOSSES
from engine.networks import NETWORKS, SMALLEST_SIDE
from engine.parts import CATALOGS, TRAINING_PARAMS, params_of

quick = settings(deadline=None, max_examples=60)


def value_of(param: Param) -> st.SearchStrategy[ParamValue]:
    """Values that a param accepts."""
    low = param.low if param.low is not None else -1e3
    high = param.high if param.high is not None else 1e3
    match param.kind:
        case "bool":
            return st.booleans()
        case "choice":
            return st.sampled_from(param.choices)
        case "int":
            return st.integers(int(low), int(high))
        case "ints":
            return st.lists(st.integers(int(low), min(int(high), 256)), max_size=3).map(tuple)
        case "float":
            low = param.above if param.above is not None else low
            high = param.below if param.below is not None else high
            return st.floats(low, high, exclude_min=param.above is not None, exclude_max=param.below is not None)


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    """Any entries that fit each other, with any values that they accept."""
    picks = {part: draw(st.sampled_from([entry.name for entry in catalog])) for part, catalog in CATALOGS.items()}
    given: dict[str, object] = {}
    for part, name in picks.items():
        for param in params_of(part, name):
            if part != "dataset" and draw(st.booleans()):
                given[f"{part}.{param.name}"] = draw(value_of(param))
    for param in TRAINING_PARAMS:
        if param.name not in ("batch_size", "patience") and draw(st.booleans()):
            given[f"training.{param.name}"] = draw(value_of(param))
    try:
        return make_config(picks, given)
    except InputError:  # these do not fit each other, which other tests are about
        return make_config()


class TestJson:
    @quick
    @given(configs())
    def test_comes_back_as_it_was(self, config: RunConfig) -> None:
        assert config_from_json(config.to_json(), source="x") == config

    @quick
    @given(configs())
    def test_is_made_again_from_its_picks_and_settings(self, config: RunConfig) -> None:
        assert make_config(*settings_of(config)) == config

    @pytest.mark.parametrize("dataset", [entry.name for entry in DATASETS])
    @pytest.mark.parametrize("network", [entry.name for entry in NETWORKS])
    def test_of_every_network_on_every_dataset_it_fits(self, dataset: str, network: str) -> None:
        info, picks = DATASETS[dataset].info({}), {"dataset": dataset, "network": network}
        too_small = info.is_image and min(info.shape[1:]) < SMALLEST_SIDE.get(network, 1)
        misfit = ""
        if too_small or (not info.is_image and network not in ("mlp", "mnist_mlp", "linear")):
            misfit = "needs images"
        elif info.is_image and network == "linear":
            misfit = f"takes points and {info.label} holds images; these fit: "
        if misfit:
            with pytest.raises(InputError, match=rf"^network: .* {misfit}"):
                make_config(picks)
            return
        config = make_config(picks)
        recipe = NETWORKS[network].recipe
        assert config.loss.name == (recipe.loss if info.classes else "mse")
        assert config_from_json(config.to_json(), source="x") == config
        assert config.training.batch_size <= info.train_size

    def test_keeps_initial_parameters(self) -> None:
        given = {"fc1.weight": [[0.1, -2.5], [1e-30, 3.0]]}
        config = make_config({"dataset": "xor", "network": "mlp"}, initial_parameters=given)
        assert config_from_json(config.to_json(), source="x").initial_parameters == given

    def test_names_its_schema(self) -> None:
        assert json.loads(make_config().to_json())["schema_version"] == SCHEMA_VERSION


class TestPrecedence:
    def test_nothing_given_is_lenet_on_mnist_with_its_recipe(self) -> None:
        config = make_config()
        assert (config.dataset.name, config.network.name, config.optimizer.name) == ("mnist", "lenet5", "adam")
        assert config.training.batch_size == NETWORKS["lenet5"].recipe.batch_size

    def test_the_recipe_comes_before_the_entries_defaults(self) -> None:
        config, recipe = make_config({"network": "fast_cnn"}), NETWORKS["fast_cnn"].recipe
        assert (
            (config.optimizer.name, config.schedule.name)
            == (recipe.optimizer, recipe.schedule)
            == ("adamw", "one_cycle")
        )
        assert config.optimizer.params["learning_rate"] == 0.01
        assert config.loss.params["label_smoothing"] == 0.05
        assert config.training.epochs == 1

    def test_what_is_given_comes_before_the_recipe(self) -> None:
        given = {"optimizer.learning_rate": 0.5, "loss.label_smoothing": "0.1", "training.epochs": 7}
        config = make_config({"network": "fast_cnn"}, given)
        assert config.optimizer.params["learning_rate"] == 0.5
        assert config.loss.params["label_smoothing"] == 0.1
        assert config.training.epochs == 7
        assert config.schedule.name == "one_cycle"

    def test_another_entry_than_the_recipes_has_its_own_defaults(self) -> None:
        config = make_config({"network": "fast_cnn", "optimizer": "sgd"})
        default = next(param.default for param in params_of("optimizer", "sgd") if param.name == "learning_rate")
        assert config.optimizer.params["learning_rate"] == default

    def test_all_settings_of_each_part_are_there(self) -> None:
        config = make_config({"network": "mlp", "optimizer": "rmsprop"}, {"network.hidden": "32,16"})
        for part in CATALOGS:
            choice: Choice = getattr(config, part)
            assert set(choice.params) == {param.name for param in params_of(part, choice.name)}
        assert config.network.params["hidden"] == (32, 16)

    def test_the_recipes_batch_shrinks_to_a_small_set_and_a_given_one_does_not(self) -> None:
        small = {"dataset.samples": 20, "dataset.validation": 0.0}
        picks = {"dataset": "xor", "network": "mlp"}
        assert make_config(picks, small).training.batch_size == 10
        with pytest.raises(InputError, match=r"^training.batch_size: 11 is more than .* 10 samples; up to 10$"):
            make_config(picks, {**small, "training.batch_size": 11})

    def test_a_choice_with_another_value_is_another_choice(self) -> None:
        choice = make_config().optimizer
        changed = choice.with_param("learning_rate", 0.25)
        assert changed.params == {**choice.params, "learning_rate": 0.25}
        assert choice.params["learning_rate"] != 0.25


def saved(**changes: Any) -> str:
    """A saved set-up with top-level keys replaced."""
    return json.dumps({**json.loads(make_config().to_json()), **changes})


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("text", "field", "problem"),
        [
            ("", "config", "it.json is not JSON: Expecting value in line 1"),
            ("{\n'a': 1}", "config", "it.json is not JSON: .* in line 2"),
            ("[1, 2]", "config", "it.json is not a saved set-up"),
            ("null", "config", "is not a saved set-up"),
            ("[" * 100_000, "config", "is not a saved set-up"),
            ("9" * 5_000, "config", "is not a saved set-up"),
            ('{"schema_version": true}', "config", "is not a saved set-up"),
            ('{"schema_version": 0}', "config", "is not a saved set-up"),
            (saved(schema_version=SCHEMA_VERSION + 1), "config", f"newer Learnscope .* up to {SCHEMA_VERSION}"),
            (saved(schema_version="1"), "config", "is not a saved set-up"),
            ("{}", "dataset", "field required"),
            (saved(colour="red"), "colour", "not permitted"),
            (saved(dataset="mnist"), "dataset", "input should be an object"),
            (saved(dataset={"name": "cat"}), "dataset", "unknown dataset 'cat'"),
            (saved(dataset={"name": "mnist", "size": 3}), "dataset.size", "not permitted"),
            (saved(network={"name": "mlp", "params": {"depth": 3}}), "network.depth", "no such setting; known are"),
            (saved(network={"name": "mlp", "params": {"hidden": [3, "x"]}}), "network.hidden", "is not accepted"),
            (saved(optimizer={"name": "adam", "params": {"learning_rate": None}}), "optimizer.learning_rate", "None"),
            (saved(optimizer={"name": "adam", "params": {"learning_rate": -1}}), "optimizer.learning_rate", "above 0"),
            (saved(optimizer={"name": "adam", "params": {"eps": float("nan")}}), "optimizer.eps", "nan is not"),
            (saved(optimizer={"name": "adam", "params": {"eps": float("inf")}}), "optimizer.eps", "inf is not"),
            (saved(training={"epochs": 0}), "training.epochs", "a whole number from 1"),
            (saved(training={"epochs": "many"}), "training.epochs", "valid integer"),
            (saved(training={"batch_size": 60_000}), "training.batch_size", "up to 55,000"),
            (saved(initial_parameters=3), "initial_parameters", "input should be an object"),
        ],
    )  # fmt: skip
    def test_are_answered_with_the_field(self, text: str, field: str, problem: str) -> None:
        with pytest.raises(InputError, match=problem) as caught:
            config_from_json(text, source="it.json")
        assert caught.value.field == field
        assert "\n" not in str(caught.value)

    @quick
    @given(st.data())
    def test_of_any_kind_raise_nothing_else(self, data: st.DataObject) -> None:
        """A sound file with a few characters replaced."""
        text = list(make_config({"network": "mlp"}).to_json())
        for _ in range(data.draw(st.integers(1, 4))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.characters())
        with suppress(InputError):
            config_from_json("".join(text), source="x")

    def test_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00{")
        for path, problem in (
            (tmp_path / "missing.json", "missing.json cannot be read: No such file"),
            (tmp_path, "cannot be read"),
            (tmp_path / "binary.json", "binary.json cannot be read: it is not text"),
        ):
            with pytest.raises(InputError, match=problem) as caught:
                load_config(path)
            assert caught.value.field == "config"


class TestMistakes:
    @pytest.mark.parametrize(
        ("picks", "given", "field", "problem"),
        [
            ({"model": "x"}, {}, "model", "unknown part 'model'"),
            ({"network": "lenet"}, {}, "network", "did you mean lenet5"),
            ({"optimizer": ""}, {}, "optimizer", "unknown optimizer ''"),
            ({}, {"learning_rate": 1}, "learning_rate", "write PART.PARAM"),
            ({}, {"model.depth": 1}, "model.depth", "one of dataset, network"),
            ({}, {"network.depth": 1}, "network.depth", "no such setting"),
            ({}, {"optimizer.learning_rate": "fast"}, "optimizer.learning_rate", "a number above 0"),
            ({}, {"optimizer.beta1": 1.0}, "optimizer.beta1", "below 1"),
            ({}, {"training.device": "tpu"}, "training.device", "one of auto, cpu, cuda, mps"),
            ({}, {"training.seed": 1.5}, "training.seed", "a whole number"),
            ({}, {"dataset.validation": 30_001}, "dataset.validation", "up to 30000"),
            ({}, {"dataset.validation": 0, "training.patience": 2}, "training.patience", "needs a validation set"),
            ({"network": "lenet5", "dataset": "xor"}, {}, "network", "these fit: mnist_mlp, mlp"),
            ({"optimizer": "sgd"}, {"optimizer.nesterov": 1, "optimizer.momentum": 0}, "optimizer.nesterov", "true"),
            ({"optimizer": "sgd"}, {"optimizer.nesterov": True}, "optimizer.nesterov", "needs momentum"),
        ],
    )  # fmt: skip
    def test_name_the_field_and_what_would_work(
        self, picks: dict[str, str], given: dict[str, object], field: str, problem: str
    ) -> None:
        with pytest.raises(InputError, match=problem) as caught:
            make_config(picks, given)
        assert caught.value.field == field

    @pytest.mark.parametrize("part", list(CATALOGS))
    def test_every_value_outside_its_limits_is_refused_under_its_own_name(self, part: str) -> None:
        entries: list[Entry] = list(CATALOGS[part])
        for entry in entries:
            for param in entry.params:
                for value in beyond(param):
                    with pytest.raises(InputError) as caught:
                        entry.resolve({param.name: value}, part=part)
                    assert caught.value.field == f"{part}.{param.name}"

    def test_every_dataset_has_a_loss_that_fits(self) -> None:
        for dataset in DATASETS:
            assert any(loss.refuses(dataset.info({})) is None for loss in LOSSES)


def beyond(param: Param) -> list[object]:
    """Values that no such param accepts."""
    match param.kind:
        case "choice":
            return ["", "no such choice", 3, None]
        case "bool":
            return ["maybe", 2, None]
        case "ints":
            return ["x", [1.5], [0], None]
    outside: list[object] = ["", "x", float("nan"), float("inf"), None, True]
    outside += [limit - 1 for limit in (param.low, param.above) if limit is not None]
    outside += [limit + 1 for limit in (param.high, param.below) if limit is not None]
    return outside + [limit for limit in (param.above, param.below) if limit is not None]
