"""RunConfig: the whole story of a run, as frozen data with a JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic import ValidationError as PydanticError

from engine.augmentation import AUGMENTATIONS
from engine.catalog import ParamValue
from engine.datasets import DATASETS
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.parts import CATALOGS, DEFAULT_DATASET, DEFAULT_NETWORK, NO_AUGMENTATION, PARTS, TRAINING

SCHEMA_VERSION = 2  # 1 had no augmentation: what was saved with it has none


_Value = StrictBool | StrictInt | StrictFloat | StrictStr | tuple[StrictInt, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Choice(_Frozen):
    """One entry of a catalogue and its settings, all of them, checked."""

    name: str
    params: Mapping[str, _Value] = Field(default_factory=dict)

    def with_param(self, name: str, value: ParamValue) -> Choice:
        return Choice(name=self.name, params={**self.params, name: value})


class Training(_Frozen):
    """How long, how much at once, from which seed, on what. See `TRAINING_PARAMS` for each field."""

    batch_size: int = 128
    epochs: int = 3
    steps: int = 0
    seed: int = 0
    shuffle: bool = True
    device: str = "auto"
    precision: str = "float32"
    threads: int = 0
    memory_format: str = "auto"
    evaluate_first: bool = True
    accuracy_every: int = 10
    patience: int = 0


_SAVED = "a JSON file that Learnscope wrote"


class RunConfig(_Frozen):
    """Everything that decides a run's course. Make one with `make_config`, which checks and fills in.

    `initial_parameters` holds explicit starting values by parameter name, as nested lists, for runs that do not start
    from drawn weights.
    """

    schema_version: int = SCHEMA_VERSION
    dataset: Choice
    network: Choice
    optimizer: Choice
    loss: Choice
    schedule: Choice
    augmentation: Choice = Choice(name=NO_AUGMENTATION)
    training: Training = Training()
    initial_parameters: Mapping[str, object] | None = None

    def dataset_info(self) -> DatasetInfo:
        return DATASETS[self.dataset.name].info(self.dataset.params)

    def to_json(self) -> str:
        return self.model_dump_json(indent=2) + "\n"


def make_config(
    picks: Mapping[str, str] | None = None,
    settings: Mapping[str, object] | None = None,
    *,
    initial_parameters: Mapping[str, object] | None = None,
) -> RunConfig:
    """A checked RunConfig.

    Args:
        picks: entry names by part, such as `{"network": "lenet5"}`. What is missing comes from the network's recipe,
            and where its loss does not fit the dataset, the first that does takes its place.
        settings: values by `part.param`, such as `{"optimizer.learning_rate": 0.01}`. What is missing comes from the
            recipe, where its entry is the one picked, else from the entry's defaults.
        initial_parameters: see RunConfig.

    Raises InputError that names the field, what was wrong and what would be accepted.
    """
    picks, settings = dict(picks or {}), dict(settings or {})
    for part in picks:
        if part not in CATALOGS:
            raise InputError(part, f"unknown part {part!r}", "known are " + ", ".join(CATALOGS))
    given: dict[str, dict[str, object]] = {part: {} for part in PARTS}
    for field, value in settings.items():
        part, dot, name = field.partition(".")
        if not dot or part not in given:
            raise InputError(field, "is not a setting", "write PART.PARAM with PART one of " + ", ".join(PARTS))
        given[part][name] = value

    network = NETWORKS[picks.get("network", DEFAULT_NETWORK)]
    recipe = network.recipe
    recipes: dict[str, tuple[str, Mapping[str, ParamValue]]] = {
        "dataset": (DEFAULT_DATASET, {}),
        "network": (network.name, {}),
        "optimizer": (recipe.optimizer, recipe.optimizer_params),
        "loss": (recipe.loss, recipe.loss_params),
        "schedule": (recipe.schedule, recipe.schedule_params),
        "augmentation": (NO_AUGMENTATION, {}),
    }
    choices: dict[str, Choice] = {}
    for part, catalog in CATALOGS.items():
        name = picks.get(part, recipes[part][0])
        if part == "loss" and part not in picks:
            name = _fitting_loss(name, choices["dataset"])
        entry = catalog[name]
        defaults = recipes[part][1] if name == recipes[part][0] else {}
        choices[part] = Choice(name=name, params=entry.resolve({**defaults, **given[part]}, part=part))
    training = TRAINING.resolve(
        {"batch_size": recipe.batch_size, "epochs": recipe.epochs, **given["training"]}, part="training"
    )
    if "batch_size" not in given["training"]:
        info = DATASETS[choices["dataset"].name].info(choices["dataset"].params)
        training["batch_size"] = min(recipe.batch_size, max(info.train_size, 1))
    config = RunConfig(
        dataset=choices["dataset"],
        network=choices["network"],
        optimizer=choices["optimizer"],
        loss=choices["loss"],
        schedule=choices["schedule"],
        augmentation=choices["augmentation"],
        training=Training.model_validate(training),
        initial_parameters=initial_parameters,
    )
    check_config(config)
    return config


def _fitting_loss(name: str, dataset: Choice) -> str:
    """`name` where that loss fits the dataset, else the first that does: mean squared error for numbers as targets."""
    info = DATASETS[dataset.name].info(dataset.params)
    return next((loss.name for loss in (LOSSES[name], *LOSSES) if not loss.refuses(info)), name)


def check_config(config: RunConfig) -> None:
    """Raises InputError where parts do not fit each other. The params themselves are known to be sound."""
    info = config.dataset_info()
    NETWORKS[config.network.name].fit(info, config.network.params)
    problem = LOSSES[config.loss.name].refuses(info)
    if problem:
        raise InputError("loss", problem, "these fit: " + ", ".join(e.name for e in LOSSES if not e.refuses(info)))
    problem = AUGMENTATIONS[config.augmentation.name].refuses(info)
    if problem:
        fitting = ", ".join(entry.name for entry in AUGMENTATIONS if not entry.refuses(info))
        raise InputError("augmentation", problem, f"these fit: {fitting}")
    if config.training.batch_size > info.train_size:
        raise InputError(
            "training.batch_size",
            f"{config.training.batch_size:,} is more than the training set's {info.train_size:,} samples",
            f"up to {info.train_size:,}",
        )
    if config.training.patience and not info.validation_size:
        raise InputError(
            "training.patience",
            "early stopping needs a validation set and this set-up keeps none",
            "set dataset.validation above 0, or patience to 0",
        )


def load_config(path: Path) -> RunConfig:
    """The RunConfig saved in `path`. Raises InputError for a file that cannot be read or is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError("config", f"{path.name} cannot be read: {reason}") from None
    return config_from_json(text, source=path.name)


def config_from_json(text: str, *, source: str) -> RunConfig:
    """The RunConfig in `text`, checked as if it had been typed. Raises InputError."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("config", f"{source} is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in a list in a list …
        raise InputError("config", f"{source} is not a saved set-up", _SAVED) from None
    version = data.get("schema_version", SCHEMA_VERSION) if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise InputError("config", f"{source} is not a saved set-up", _SAVED)
    if version > SCHEMA_VERSION:
        raise InputError(
            "config", f"{source} was written by a newer Learnscope (schema {version})", f"up to {SCHEMA_VERSION}"
        )
    try:
        saved = RunConfig.model_validate_json(text)
    except PydanticError as error:
        raise _unreadable(error) from None
    picks, settings = settings_of(saved)
    return make_config(picks, settings, initial_parameters=saved.initial_parameters)


def _unreadable(error: PydanticError) -> InputError:
    """The first of pydantic's complaints, under the field's own name."""
    first = error.errors(include_url=False)[0]
    where = [str(piece) for piece in first["loc"]]
    if len(where) > 2 and where[1] == "params":  # the rest of the path names the types that a value may have
        return InputError(f"{where[0]}.{where[2]}", f"{first['input']!r} is not accepted", "a number, a text or a list")
    return InputError(".".join(where) or "config", first["msg"][:1].lower() + first["msg"][1:])


def settings_of(config: RunConfig) -> tuple[dict[str, str], dict[str, object]]:
    """`picks` and `settings` from which `make_config` makes `config` again."""
    settings: dict[str, object] = {f"training.{name}": value for name, value in config.training.model_dump().items()}
    picks = {}
    for part in CATALOGS:
        choice: Choice = getattr(config, part)
        picks[part] = choice.name
        settings |= {f"{part}.{name}": value for name, value in choice.params.items()}
    return picks, settings
