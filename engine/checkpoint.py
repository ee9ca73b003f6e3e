"""Checkpoints: all that decides how a run goes on, so that it continues bit for bit, in another process too."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError as PydanticError
from torch import Tensor

from engine.checkpoint_file import Slot, open_file, pack, refused
from engine.checkpoint_folder import LATEST, PREVIOUS
from engine.checkpoint_manifest import FORMAT, Manifest, Progress
from engine.checkpoint_state import pack_optimizer, restore_optimizer
from engine.config import RunConfig, config_from_json
from engine.devices import Device
from engine.errors import InputError
from engine.events import Intervened
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.preparation import Ready
from engine.schedules import SCHEDULES
from engine.tuning import Tuned
from engine.weights import Weights, named_tensors

EXTENDABLE = ("epochs", "steps", "accuracy_every")  # of `training`: they may differ from the run that is continued

_MOST_COPIES = 64  # of the weights that an optimizer may keep, those of L-BFGS's history apart
_SLACK = 2**20  # bytes for what is no copy of the weights
_SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a run, between two steps. It shares no memory with the run it was taken from.

    Attributes:
        config: the run's set-up. `progress`: where it was.
        tensors: on the CPU: `model.` and a parameter's or buffer's name; the optimizer's; random states; kept weights.
    """

    config: RunConfig
    progress: Progress
    tensors: Mapping[str, Tensor]
    manifest: Manifest

    @property
    def step(self) -> int:
        return self.progress.step

    @property
    def epoch(self) -> int:
        return self.progress.epoch

    @property
    def tuned(self) -> Tuned:
        """The thread count and memory format that the run used, and has to go on with."""
        return Tuned(self.manifest.threads, self.manifest.channels_last)

    @property
    def interventions(self) -> tuple[Intervened, ...]:
        """What was changed during the run so far."""
        return self.progress.interventions

    @property
    def versions(self) -> Mapping[str, str]:
        """What the run ran on: `torch`, `python`, `machine`, `device`, `precision`, `instructions`."""
        return self.manifest.versions

    @cached_property
    def weights(self) -> Mapping[str, Tensor]:
        """All parameters and buffers by name, contiguous."""
        return {name.removeprefix("model."): t for name, t in self.tensors.items() if name.startswith("model.")}

    @property
    def position(self) -> tuple[int, int, bool, bool, int]:
        """Two checkpoints of one run with the same position are the same."""
        now = self.progress
        return now.step, now.epoch, now.closed, now.told, len(now.interventions)

    def pieces(self) -> list[memoryview]:
        """The file's bytes. Raises TypeError for a dtype that cannot be kept."""
        return pack(self.manifest.model_dump_json(), self.tensors)


def take_checkpoint(
    config: RunConfig, ready: Ready, progress: Progress, copies: Mapping[str, Weights | None]
) -> Checkpoint:
    """All of this moment, copied. `copies`: kept weights under `best`, `good` and `newer`.

    Raises TypeError where the optimizer remembers what cannot be kept.
    """
    optimizer, tensors = pack_optimizer(ready.optimizer)
    for name, tensor in named_tensors(ready.network).items():
        tensors[f"model.{name}"] = tensor.detach().to("cpu", copy=True)
    for prefix, weights in copies.items():
        if weights is not None:
            tensors |= {f"{prefix}.{name}": tensor for name, tensor in weights.frozen().items()}
    tensors["random.cpu"] = torch.get_rng_state()
    device = ready.device
    if device.handle.type != "cpu":
        tensors["random.device"] = getattr(torch, device.handle.type).get_rng_state()
    manifest = Manifest(
        config=config.to_json(),
        progress=progress,
        optimizer=optimizer,
        scaler=None if device.scaler is None else device.scaler.state_dict(),
        threads=ready.tuned.threads,
        channels_last=ready.tuned.channels_last,
        train_size=len(ready.train),
        device=device.handle.type,
        versions=device_versions(device),
    )
    return Checkpoint(config, progress, tensors, manifest)


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in the file `path`, or the newest whole one of the run whose folder `path` is.

    Everything is checked against the set-up that the file holds; only then, and only as much as fits it, is read.
    Raises InputError that says what is wrong.
    """
    if not path.is_dir():
        return _load_file(path)
    problems = []
    for name in (LATEST, PREVIOUS):
        if (path / name).exists():
            try:
                return _load_file(path / name)
            except InputError as error:
                problems.append(error.problem)
    raise refused("; ".join(problems) or f"{path.name} holds no checkpoint", f"a folder with {LATEST}, or a file")


def check_same_run(config: RunConfig, checkpoint: Checkpoint) -> None:
    """Raises InputError where `config` is not the checkpoint's, but for what may be extended.

    A run cannot be made longer or shorter where its schedule, or one that it had, spans it from end to end: the steps
    before would have had other learning rates, and nothing would repeat the run.
    """
    ours, theirs = config.model_dump(), checkpoint.config.model_dump()
    for name in EXTENDABLE:
        ours["training"][name] = theirs["training"][name]
    for part, value in ours.items():
        if value != theirs[part]:
            field = _first_difference(part, value, theirs[part])
            raise refused(f"it is of a run with another set-up: {field} differs", "resume with the set-up unchanged")
    size = checkpoint.manifest.train_size
    total = planned_steps(checkpoint.config, size)
    spanning = next((name for name in _schedules(checkpoint) if SCHEDULES[name].spans), None)
    if spanning is not None and planned_steps(config, size) != total:
        raise refused(
            f"its schedule ({spanning}) spans the {total:,} steps that the run was to have",
            "the epochs and steps as they were; a branch may have others",
        )


def planned_steps(config: RunConfig, train_size: int) -> int:
    """The updates that a run of `config` is to have, on so many training samples."""
    training = config.training
    total = training.epochs * math.ceil(train_size / training.batch_size)
    return min(total, training.steps or total)


def as_of(config: RunConfig, checkpoint: Checkpoint) -> Checkpoint:
    """The same moment of a run that was continued with `config` since, which `check_same_run` allows."""
    if checkpoint.config == config:
        return checkpoint
    manifest = checkpoint.manifest.model_copy(update={"config": config.to_json()})
    return replace(checkpoint, config=config, manifest=manifest)


def _schedules(checkpoint: Checkpoint) -> Iterator[str]:
    """The names of those that the run had."""
    yield checkpoint.config.schedule.name
    yield checkpoint.progress.schedule.name
    yield from (change.new for change in checkpoint.interventions if change.name == "schedule")


def restore(
    checkpoint: Checkpoint, config: RunConfig, ready: Ready, copies: Mapping[str, Weights], *, random: bool = True
) -> None:
    """Bring network, optimizer, scaler, kept weights and, last, the random state to where `checkpoint` was taken.

    `copies`: as for `take_checkpoint`; `best` is there if the checkpoint has it. Without `random`, torch's generators
    stay as they are. Raises InputError where something does not fit.
    """
    manifest, tensors = checkpoint.manifest, checkpoint.tensors
    if manifest.train_size != len(ready.train):
        was = f"{manifest.train_size:,} training samples, and has {len(ready.train):,} now"
        raise refused(f"its dataset had {was}", "the dataset it was made with")
    expected = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in named_tensors(ready.network).items()}
    _check_weights(checkpoint.progress, expected, {name: (t.dtype, tuple(t.shape)) for name, t in tensors.items()})
    restore_optimizer(
        OPTIMIZERS[config.optimizer.name],
        config.optimizer.params,
        network=ready.network,
        optimizer=ready.optimizer,
        data=manifest.optimizer,
        tensors=tensors,
    )
    progress = checkpoint.progress
    for prefix, taken in (("best", progress.best), ("good", progress.good), ("newer", progress.newer)):
        if taken is not None:
            copies[prefix].load(_with_prefix(tensors, prefix), step=taken.step, epoch=taken.epoch)
    with ready.live.updating, torch.no_grad():
        for name, tensor in named_tensors(ready.network).items():
            tensor.copy_(tensors[f"model.{name}"])
    if ready.device.scaler is not None and manifest.scaler is not None:
        _restore_scaler(ready.device.scaler, manifest.scaler)
    if random:
        _restore_random(ready.device, tensors)


def caution(checkpoint: Checkpoint, device: Device) -> str:
    """Why a run that goes on here may differ in its last digits from one never stopped; empty where it does not."""
    was, now = checkpoint.versions, device_versions(device)
    words = {
        "torch": "PyTorch {}",
        "device": "{}",
        "precision": "{} precision",
        "machine": "a {} processor",
        "instructions": "{} instructions",
    }
    differing = [text.format(was.get(name, "another")) for name, text in words.items() if was.get(name) != now[name]]
    if not differing:
        return ""
    return f"It ran on {', '.join(differing)} before: its figures may differ in the last digits from an unbroken run's."


def device_versions(device: Device) -> dict[str, str]:
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": device.label,
        "precision": device.precision,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def _load_file(path: Path) -> Checkpoint:
    with open_file(path) as file:
        try:
            manifest = Manifest.model_validate_json(file.manifest)
        except (PydanticError, RecursionError) as error:
            if isinstance(error, PydanticError) and error.errors(include_url=False)[0]["loc"] == ("format",):
                raise refused(f"{path.name} was written by a newer Learnscope", f"format {FORMAT}") from None
            raise refused(f"{path.name} is damaged: what it says about its run makes no sense") from None
        try:
            config = config_from_json(manifest.config, source=path.name)
            progress = manifest.progress.checked()
            slot_check(config)(progress, file.slots)
        except InputError as error:
            raise refused(f"{path.name} does not fit: {error.problem}", error.accepted) from None
        return Checkpoint(config, progress, file.tensors(), manifest)


Shapes = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]


def slot_check(config: RunConfig) -> Callable[[Progress, Mapping[str, Slot]], None]:
    """What raises InputError, before any of it is read, for tensors that are not those of `config`'s network.

    Raises InputError itself where `config` fits no network.
    """
    info = config.dataset_info()
    entry, outputs = NETWORKS[config.network.name], LOSSES[config.loss.name].outputs(info)
    shape = entry.fit(info, config.network.params)
    try:
        twin = entry.outline(shape, outputs, config.network.params)
    except (RuntimeError, NotImplementedError):  # another package's, which cannot be built without its numbers
        return lambda progress, slots: None  # noqa: ARG005
    expected = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in named_tensors(twin).items()}
    weights = sum(tensor.nbytes for tensor in named_tensors(twin).values())
    history = config.optimizer.params.get("history_size", 0)
    copies = _MOST_COPIES + (2 * history if isinstance(history, int) else 0)
    most = {"optimizer": copies * weights + _SLACK, "random": _SLACK}

    def check(progress: Progress, slots: Mapping[str, Slot]) -> None:
        _check_weights(progress, expected, {name: (slot.dtype, slot.shape) for name, slot in slots.items()})
        for prefix, limit in most.items():
            if sum(_size(slot) for name, slot in slots.items() if name.startswith(f"{prefix}.")) > limit:
                raise refused(f"it holds more than a run of this set-up remembers ({prefix})")

    return check


def _size(slot: Slot) -> int:
    return slot.end - slot.start


def _check_weights(progress: Progress, expected: Shapes, found: Shapes) -> None:
    """Raises InputError where the network's tensors in `found`, and copies of them, are not those `expected`."""
    kept = {"model", "good", "newer"} | ({"best"} if progress.best is not None else set())
    for prefix in sorted(kept):
        those = _with_prefix(found, prefix)
        for name, there in expected.items():
            if name not in those:
                raise refused(f"the network's {name} is missing")
            if those[name] != there:
                raise refused(f"{name} has the shape {those[name][1]}", f"{there[1]}, as the network has")
        for name in those.keys() - expected.keys():
            raise refused(f"the network has no {name}")
    for name in found:
        if name.partition(".")[0] not in (*kept, "optimizer", "random"):
            raise refused(f"it holds {name}, which is nothing that a run keeps")


def _with_prefix(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in values.items() if name.startswith(start)}


def _restore_scaler(scaler: torch.amp.GradScaler, state: Mapping[str, float | int]) -> None:
    if state.keys() != _SCALER or not all(value >= 0 for value in state.values()):
        raise refused("what it says about the loss's scale makes no sense")
    scaler.load_state_dict(dict(state))


def _restore_random(device: Device, tensors: Mapping[str, Tensor]) -> None:
    try:
        torch.set_rng_state(tensors["random.cpu"].clone())
        if device.handle.type != "cpu" and "random.device" in tensors:
            getattr(torch, device.handle.type).set_rng_state(tensors["random.device"].clone())
    except (KeyError, RuntimeError, TypeError):
        raise refused("its random state is none", "another checkpoint") from None


def _first_difference(part: str, ours: Any, theirs: Any) -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.get("name") == theirs.get("name"):
        one, other = ours.get("params", ours), theirs.get("params", theirs)
        for name in one:
            if one[name] != other.get(name):
                return f"{part}.{name}"
    return part
