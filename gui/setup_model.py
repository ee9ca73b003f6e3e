"""What the set-up panel thinks: picks, values, recipes and what fits what. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from engine.augmentation import AUGMENTATIONS
from engine.catalog import Entry, Param, ParamValue
from engine.datasets import DATASETS
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.networks.network import Recipe
from engine.parts import CATALOGS, DEFAULT_DATASET, DEFAULT_NETWORK, NO_AUGMENTATION, PARTS, params_of

if TYPE_CHECKING:
    from engine.config import RunConfig

RECIPE_PARTS = ("optimizer", "loss", "schedule")
RECIPE_TRAINING = ("batch_size", "epochs")

Notes = dict[str, str]
"""Sentences by part: what was changed on the person's behalf, and why."""


class SetupModel:
    """The choices of a person, kept consistent as they make them.

    A part counts as touched from the first time it is changed by hand: the recipes of networks picked later leave it
    alone. Values that were set for an entry come back when it is picked again.
    """

    def __init__(self) -> None:
        self.picks: dict[str, str] = {part: next(iter(catalog)).name for part, catalog in CATALOGS.items()}
        self.picks["dataset"] = DEFAULT_DATASET
        self.picks["network"] = DEFAULT_NETWORK
        self._values: dict[tuple[str, str], dict[str, ParamValue]] = {}
        self._touched: set[str] = set()
        self._initial_parameters: Mapping[str, object] | None = None
        self._apply_recipe(force=True)
        self._refit()

    def entry(self, part: str) -> Entry:
        """The picked entry of a part that has a catalogue."""
        return CATALOGS[part][self.picks[part]]

    def params(self, part: str) -> tuple[Param, ...]:
        return params_of(part, self.picks.get(part, part))

    def values(self, part: str) -> dict[str, ParamValue]:
        """All values of the part as it is picked; a copy."""
        return dict(self._of(part))

    def recipe(self) -> Recipe:
        return NETWORKS[self.picks["network"]].recipe

    def pick(self, part: str, name: str) -> Notes:
        """Pick an entry by hand; what no longer fits it gives way. Raises InputError for an unknown name."""
        CATALOGS[part][name]
        outputs = self._outputs()
        self.picks[part] = name
        if part in RECIPE_PARTS:
            self._touched.add(part)
        else:
            self._initial_parameters = None
        notes: Notes = {}
        if part == "network":
            notes |= self._apply_recipe()
        notes |= self._refit()
        self._keep_initial(outputs)
        return notes

    def set_value(self, part: str, name: str, value: ParamValue) -> Notes:
        """Set a checked value by hand; what no longer fits it gives way."""
        self._of(part)[name] = value
        self._touched.add(f"training.{name}" if part == "training" else part)
        if part == "network":
            self._initial_parameters = None
        return self._refit() if part == "dataset" else {}

    def use_recipe(self) -> Notes:
        """The network's recipe in full, as if nothing had been touched."""
        outputs = self._outputs()
        self._touched.clear()
        notes = self._apply_recipe(force=True) | self._refit()
        self._keep_initial(outputs)
        return notes

    def differs_from_recipe(self) -> bool:
        """Something the recipe says was set otherwise."""
        recipe = self.recipe()
        for part, name, params in _recipe_parts(recipe):
            if name not in CATALOGS[part]:
                continue
            if self.picks[part] != name:
                return True
            if self._of(part) != self._fresh(part, name, params):
                return True
        training = self._of("training")
        return training["epochs"] != recipe.epochs or training["batch_size"] != self.recipe_batch_size()

    def refusals(self, part: str) -> dict[str, str]:
        """Entry names of the part to why they do not fit the dataset; those that fit are left out."""
        try:
            info = self.dataset_info()
        except InputError:
            return {}
        match part:
            case "network":
                return {entry.name: misfit for entry in NETWORKS if (misfit := self._misfit(entry.name, info))}
            case "loss":
                return {entry.name: refusal for entry in LOSSES if (refusal := entry.refuses(info))}
            case "augmentation":
                return {entry.name: refusal for entry in AUGMENTATIONS if (refusal := entry.refuses(info))}
            case _:
                return {}

    def dataset_info(self) -> DatasetInfo:
        """Raises InputError where the dataset's own settings do not go together."""
        return DATASETS[self.picks["dataset"]].info(self._of("dataset"))

    def config(self) -> RunConfig:
        """The choices as a checked RunConfig. Raises InputError."""
        from engine.config import make_config  # here: start-up has no time for pydantic

        settings: dict[str, object] = {
            f"{part}.{name}": value for part in PARTS for name, value in self._of(part).items()
        }
        return make_config(self.picks, settings, initial_parameters=self._initial_parameters)

    def set_config(self, config: RunConfig) -> None:
        """Take over a checked RunConfig; nothing of it counts as changed by hand."""
        for part in CATALOGS:
            choice = getattr(config, part)
            self.picks[part] = choice.name
            self._values[part, choice.name] = dict(choice.params)
        self._values["training", "training"] = config.training.model_dump()
        self._initial_parameters = config.initial_parameters
        self._touched.clear()

    def choices(self) -> dict[str, object]:
        """Plain JSON, by name."""
        kept: dict[str, object] = {}
        for part in PARTS:
            params = {name: list(v) if isinstance(v, tuple) else v for name, v in self._of(part).items()}
            kept[part] = {"name": self.picks.get(part, part), "params": params}
        return {**kept, "touched": sorted(self._touched)}

    def restore(self, choices: Mapping[str, object]) -> None:
        """Take over what `choices` gave once. What is unknown or not accepted any more is passed over, alone."""
        for part in PARTS:
            saved = choices.get(part)
            if not isinstance(saved, Mapping):
                continue
            name, params = saved.get("name"), saved.get("params")
            if part in CATALOGS:
                if not isinstance(name, str) or name not in CATALOGS[part]:
                    continue
                self.picks[part] = name
            values = self._of(part)
            for param in self.params(part):
                if isinstance(params, Mapping) and param.name in params:
                    try:
                        values[param.name] = param.check(params[param.name], part=part)
                    except InputError:
                        continue
        touched = choices.get("touched")
        if isinstance(touched, list):
            known = {*CATALOGS, *(f"training.{param.name}" for param in self.params("training"))}
            self._touched = {piece for piece in touched if isinstance(piece, str) and piece in known}
        self._initial_parameters = None
        self._refit()

    def _outputs(self) -> int | None:
        """How many outputs the network needs for this loss; None where they do not go together."""
        try:
            info = self.dataset_info()
        except InputError:
            return None
        loss = LOSSES[self.picks["loss"]]
        return None if loss.refuses(info) else loss.outputs(info)

    def _keep_initial(self, outputs: int | None) -> None:
        """Explicit starting values stay with a network of as many outputs as before."""
        if self._outputs() != outputs:
            self._initial_parameters = None

    def _of(self, part: str) -> dict[str, ParamValue]:
        name = self.picks.get(part, part)
        if (part, name) not in self._values:
            given = next(
                (params for key, entry, params in _recipe_parts(self.recipe()) if (key, entry) == (part, name)), {}
            )
            self._values[part, name] = self._fresh(part, name, given)
        return self._values[part, name]

    def _fresh(self, part: str, name: str, given: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """An entry's defaults, and over them what a recipe gives."""
        return {
            param.name: param.check(given.get(param.name, param.default), part=part) for param in params_of(part, name)
        }

    def _apply_recipe(self, *, force: bool = False) -> Notes:
        recipe = self.recipe()
        kept = []
        for part, name, _ in _recipe_parts(recipe):
            if part in self._touched and not force:
                kept.append(part)
            elif name in CATALOGS[part]:
                self.picks[part] = name
                self._values.pop((part, name), None)
        training = self._of("training")
        for name, value in (("batch_size", self.recipe_batch_size()), ("epochs", recipe.epochs)):
            if force or f"training.{name}" not in self._touched:
                training[name] = value
        if not kept:
            return {}
        verb = "stays" if len(kept) == 1 else "stay"
        return {"network": f"{_listed(kept).capitalize()} {verb} as you set {'it' if len(kept) == 1 else 'them'}."}

    def recipe_batch_size(self) -> int:
        """That of the network's recipe, or the whole training set where that is smaller."""
        wanted = self.recipe().batch_size
        try:
            return min(wanted, max(self.dataset_info().train_size, 1))
        except InputError:
            return wanted

    def _refit(self) -> Notes:
        """Replace what does not fit the dataset by the first that does, and keep the batch within the training set."""
        try:
            info = self.dataset_info()
        except InputError:
            return {}
        notes: Notes = {}
        name = self.picks["network"]
        problem = self._misfit(name, info)
        fitting = next((entry.name for entry in NETWORKS if not self._misfit(entry.name, info)), None)
        if problem and fitting:
            self.picks["network"] = fitting
            self._initial_parameters = None
            notes |= self._apply_recipe()
            notes["network"] = f"{self.entry('network').label} was picked: {problem}."
        if why := LOSSES[self.picks["loss"]].refuses(info):
            first = next((entry.name for entry in LOSSES if not entry.refuses(info)), None)
            if first:
                before, self.picks["loss"] = self.entry("loss").label, first
                notes["loss"] = f"{self.entry('loss').label} replaces {before}: {why}."
        if why := AUGMENTATIONS[self.picks["augmentation"]].refuses(info):
            before, self.picks["augmentation"] = self.entry("augmentation").label, NO_AUGMENTATION
            notes["augmentation"] = f"{before} was taken out: {why}."
        if "training.batch_size" not in self._touched:
            self._of("training")["batch_size"] = self.recipe_batch_size()
        return notes

    def _misfit(self, name: str, info: DatasetInfo) -> str:
        entry = NETWORKS[name]
        values = self._values.get(("network", name)) or {param.name: param.default for param in entry.params}
        try:
            entry.fit(info, values)
        except InputError as error:
            return error.problem if error.field == "network" else ""
        return ""


def _recipe_parts(recipe: Recipe) -> Iterator[tuple[str, str, Mapping[str, ParamValue]]]:
    yield "optimizer", recipe.optimizer, recipe.optimizer_params
    yield "loss", recipe.loss, recipe.loss_params
    yield "schedule", recipe.schedule, recipe.schedule_params


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
