"""Branches: new runs that go on from a step of another one in a way of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from engine.assembly import assemble
from engine.checkpoint import Checkpoint
from engine.checkpoint_manifest import Kept, Manifest, Origin, Progress
from engine.checkpoint_state import Data, pack_optimizer, restore_optimizer
from engine.config import RunConfig, make_config, settings_of
from engine.errors import InputError
from engine.optimizers import OPTIMIZERS
from engine.optimizers.optimizer import hyperparameter, set_hyperparameter
from engine.parts import CATALOGS
from engine.schedules import SCHEDULES, PlateauState
from engine.weights import named_tensors

_COPIES = ("good", "newer")


def branch_config(checkpoint: Checkpoint, changes: Mapping[str, object] | None = None) -> RunConfig:
    """The set-up of a run that goes on from `checkpoint`, which may be a branch itself.

    Without changes it is that of the checkpoint's run, with what was changed during that run up to here.

    Args:
        changes: an entry's name by part, such as `{"optimizer": "sgd"}`, whose settings are then its defaults; a value
            by `part.param`, such as `{"optimizer.learning_rate": 0.01}`.

    Raises InputError for what `make_config` would refuse.
    """
    picks, settings = settings_of(checkpoint.config)
    schedule = checkpoint.progress.schedule
    picks["schedule"] = schedule.name
    settings = {field: value for field, value in settings.items() if not field.startswith("schedule.")}
    settings |= {f"schedule.{name}": value for name, value in schedule.params.items()}
    settings |= _intervened(checkpoint)
    for field, value in (changes or {}).items():
        if field in CATALOGS and isinstance(value, str):
            if value != picks[field]:
                picks[field] = value
                settings = {known: of for known, of in settings.items() if not known.startswith(f"{field}.")}
        elif field in CATALOGS:
            raise InputError(
                field, f"{value!r} is not a name", "known are " + ", ".join(e.name for e in CATALOGS[field])
            )
    settings |= {field: value for field, value in (changes or {}).items() if field not in CATALOGS}
    return make_config(picks, settings, initial_parameters=checkpoint.config.initial_parameters)


def branch(checkpoint: Checkpoint, config: RunConfig, *, parent: str = "") -> Checkpoint:
    """What a run of `config` resumes to go on from `checkpoint`: `train(config, resume=branch(checkpoint, config))`.

    With `config` as `branch_config` gives it without changes, the run repeats the parent bit for bit. Otherwise:

    - weights are kept, and so is the optimizer's state under other learning rates and live settings; another optimizer,
      or a setting of it that cannot change under way, begins with a fresh state;
    - another schedule begins with what it has for this step;
    - another batch size or dataset: steps are counted as if all epochs so far had had it. Within an epoch the run goes
      on at the first whole batch with a sample that was not seen: none is left out, and fewer than one batch are
      seen twice;
    - another dataset or loss forgets what early stopping had seen; another seed gives another order and other draws.

    Args:
        parent: the name of the run that `checkpoint` is of.

    Raises InputError where the weights do not fit `config`'s network and dataset, or it has no step left to do.
    """
    before = branch_config(checkpoint)
    network = _fitting_network(checkpoint, config)
    optimizer = _optimizer(checkpoint, before, config, network)
    progress = _progress(checkpoint, before, config, parent=parent)
    data, optimizers = pack_optimizer(optimizer)
    tensors = {name: value for name, value in checkpoint.tensors.items() if not name.startswith("optimizer.")}
    tensors |= optimizers
    if progress.step != checkpoint.step:
        tensors |= {f"{prefix}.{name}": weight for prefix in _COPIES for name, weight in checkpoint.weights.items()}
    if progress.best is None:
        tensors = {name: value for name, value in tensors.items() if not name.startswith("best.")}
    if config.training.seed != before.training.seed:
        tensors["random.cpu"] = torch.Generator().manual_seed(config.training.seed).get_state()
        tensors.pop("random.device", None)
    return Checkpoint(config, progress, tensors, _manifest(checkpoint, config, progress, data))


@dataclass(frozen=True, slots=True)
class _Pace:
    """How a run counts: training samples, samples a batch, steps an epoch."""

    size: int
    batch: int

    @property
    def per_epoch(self) -> int:
        return math.ceil(self.size / self.batch)


def _intervened(checkpoint: Checkpoint) -> dict[str, object]:
    """The optimizer's settings that were changed during the run, as they are now."""
    names = {change.name for change in checkpoint.interventions} - {"schedule"}
    settings: dict[str, object] = {}
    if "learning_rate" in names:
        settings["optimizer.learning_rate"] = checkpoint.progress.base_rate
    if names - {"learning_rate"}:
        network = assemble(checkpoint.config, aside=True).network
        optimizer = _restored(checkpoint, network)
        for name in sorted(names - {"learning_rate"}):
            settings[f"optimizer.{name}"] = hyperparameter(optimizer, name)
    return settings


def _fitting_network(checkpoint: Checkpoint, config: RunConfig) -> nn.Module:
    """`config`'s network, which can take the checkpoint's weights."""
    network = assemble(config, aside=True).network
    weights = checkpoint.weights
    ours = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in named_tensors(network).items()}
    if ours != {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in weights.items()}:
        same = config.network == checkpoint.config.network
        field = "dataset" if same else "network"
        raise InputError(
            field,
            f"the weights of step {checkpoint.step:,} do not fit it",
            "one with samples and classes of the same shape" if same else f"{checkpoint.config.network.name} as it was",
        )
    return network


def _restored(checkpoint: Checkpoint, network: nn.Module) -> Optimizer:
    choice = checkpoint.config.optimizer
    entry = OPTIMIZERS[choice.name]
    optimizer = entry.build(network, choice.params)
    restore_optimizer(
        entry,
        choice.params,
        network=network,
        optimizer=optimizer,
        data=checkpoint.manifest.optimizer,
        tensors=checkpoint.tensors,
    )
    return optimizer


def _optimizer(checkpoint: Checkpoint, before: RunConfig, config: RunConfig, network: nn.Module) -> Optimizer:
    """With the state that the branch begins with. A new learning rate is the course's to hand on."""
    was, now = before.optimizer, config.optimizer
    entry = OPTIMIZERS[now.name]
    changed = [param for param in entry.params if was.params.get(param.name) != now.params[param.name]]
    if was.name != now.name or not all(param.live for param in changed):
        return entry.build(network, now.params)
    optimizer = _restored(checkpoint, network)
    for param in changed:
        value = now.params[param.name]
        if param.name != "learning_rate" and isinstance(value, int | float):
            set_hyperparameter(optimizer, param.name, value)
    return optimizer


def _progress(checkpoint: Checkpoint, before: RunConfig, config: RunConfig, *, parent: str) -> Progress:
    was, training = checkpoint.progress, config.training
    same_goal = before.dataset == config.dataset and before.loss == config.loss
    size = checkpoint.manifest.train_size
    old = _Pace(size, before.training.batch_size)
    new = _Pace(size if before.dataset == config.dataset else config.dataset_info().train_size, training.batch_size)
    changes: dict[str, Any] = {"origin": Origin(run=parent, step=was.step), "interventions": ()}
    if new != old:
        changes |= _moved(was, old, new)
    step = changes.get("step", was.step)
    total = min(training.epochs * new.per_epoch, training.steps or math.inf)
    if step >= total:
        field = "training.steps" if total == training.steps else "training.epochs"
        raise InputError(
            field, f"step {step:,} is the last of this set-up: nothing is left to train", "a larger number"
        )
    if before.optimizer != config.optimizer:
        changes["base_rate"] = config.optimizer.params["learning_rate"]
    if before.schedule != config.schedule:
        plateau = PlateauState() if SCHEDULES[config.schedule.name].plateau else None
        changes |= {"schedule": config.schedule, "plateau": plateau}
    if not same_goal:
        changes["lowest"] = None
    if not (same_goal and training.patience):
        changes |= {"best": None, "best_loss": None, "waited": 0}
    return was.model_copy(update=changes)


def _moved(was: Progress, old: _Pace, new: _Pace) -> dict[str, Any]:
    """Where the run is in steps of another size, or in epochs of another length."""
    begun = was.step - (was.epoch - 1) * old.per_epoch if was.epoch else 0
    seen = min(begun * old.batch, old.size)
    whole = seen == old.size
    done = new.per_epoch if whole else seen * new.size // (old.size * new.batch)
    epoch, closed = was.epoch, was.closed
    if was.epoch and not done:  # not even the epoch's first batch is behind it
        epoch, closed = was.epoch - 1, True
    step = (was.epoch - 1) * new.per_epoch + done if was.epoch else 0
    counted = min(done * new.batch, new.size)
    here = Kept(step=step, epoch=epoch)
    return {
        "step": step,
        "epoch": epoch,
        "closed": closed,
        "loss_sum": was.loss_sum * counted / seen if seen else 0.0,
        "best": None if was.best is None else Kept(step=min(was.best.step, step), epoch=min(was.best.epoch, epoch)),
        "good": here,
        "newer": here,
    }


def _manifest(checkpoint: Checkpoint, config: RunConfig, progress: Progress, optimizer: Data) -> Manifest:
    was, training = checkpoint.manifest, config.training
    channels_last = was.channels_last if training.memory_format == "auto" else training.memory_format == "channels_last"
    same_data = checkpoint.config.dataset == config.dataset
    return was.model_copy(
        update={
            "config": config.to_json(),
            "progress": progress,
            "optimizer": optimizer,
            "scaler": was.scaler if training.precision == checkpoint.config.training.precision else None,
            "threads": training.threads or was.threads,
            # torch's LBFGS views every gradient as a flat vector.
            "channels_last": channels_last and not OPTIMIZERS[config.optimizer.name].closure,
            "train_size": was.train_size if same_data else config.dataset_info().train_size,
        }
    )
