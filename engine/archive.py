"""A run from another computer: `open_archive` reads what `engine.export` wrote and believes none of it unchecked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from engine.archive_source import MOST_BYTES, Source, opened, refused
from engine.config import RunConfig, config_from_json
from engine.errors import InputError
from engine.event_lines import event_of
from engine.events import Event, Failed, Finished, Intervened, Started, StepFinished
from engine.export import EVENTS_FILE, FORMAT, FORMAT_VERSION, MANIFEST_FILE, SCRIPT_FILE
from engine.inspection.private_random import PrivateRandom, random_state
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.results import CONFIG_FILE, WEIGHTS_FILE
from engine.weight_hash import weight_hash

_MOST_TEXT = 1 << 24  # bytes of a set-up, a script, a manifest
_MOST_HEADER = 1 << 24  # bytes of safetensors beside the values
_MOST_LINE = 1 << 20  # bytes of an event
_MOST_NUMBER = 1 << 62  # of a step, an epoch and other counts
_MOST_THREADS = 1024
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run that was taken along, checked.

    Attributes:
        config: its set-up.
        weights: its final ones, which fit the set-up's network in names, dtypes and shapes.
        hash: of the weights, computed here.
        script: the text that came with it, to be read. It is somebody's program: a script that is to be run is written
            anew from `config`. Empty where there is none.
        started, ending, interventions: from its events; None and empty where there are none.
        step: after which the weights are, where that is not the run's end.
    """

    path: Path
    config: RunConfig
    weights: Mapping[str, Tensor]
    hash: str
    script: str = ""
    started: Started | None = None
    ending: Finished | Failed | None = None
    interventions: tuple[Intervened, ...] = ()
    step: int | None = None
    _most_bytes: int = field(default=MOST_BYTES, repr=False)

    def events(self) -> Iterator[Event]:
        """All that the run told, read anew. Raises InputError where the file has gone or changed meanwhile."""
        with opened(self.path, most_bytes=self._most_bytes) as source:
            yield from _events(source, self._most_bytes)

    def network(self) -> nn.Module:
        """The network with its weights, on the CPU, in evaluation mode. torch's random state stays as it is."""
        network = _untrained(self.config)
        network.load_state_dict({name: tensor.clone() for name, tensor in self.weights.items()}, assign=True)
        return network.eval()


def open_archive(path: Path, *, most_bytes: int = MOST_BYTES) -> OpenedRun:
    """The run in a folder or zip that `engine.export` wrote, or in a folder of `engine.results`.

    Nothing is unpacked to disk, run or unpickled. What is claimed is checked before it is believed: sizes before
    anything is read, the checksums and the hash of the manifest where there is one, names, dtypes and shapes of the
    weights against the set-up's network, each event, and that they belong to this set-up.

    Args:
        most_bytes: of all files together, unpacked.

    Raises InputError("archive", …), or for another field where the set-up cannot be used here.
    """
    with opened(path, most_bytes=most_bytes) as source:
        total = sum(source.sizes.values())
        if total > most_bytes:
            raise refused(f"{path.name} holds {total:,} bytes", f"up to {most_bytes:,}")
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            if name not in source.sizes:
                raise refused(f"{path.name} has no {name}")
        claimed, step = _check_manifest(source)
        config = config_from_json(_text(source, CONFIG_FILE), source=CONFIG_FILE)
        weights = _weights(source, config)
        found = weight_hash(weights)
        if claimed not in ("", found):
            raise refused(f"the weights are not those that {MANIFEST_FILE} speaks of")
        script = _text(source, SCRIPT_FILE) if SCRIPT_FILE in source.sizes else ""
        started, ending = None, None
        interventions = []
        for event in _events(source, most_bytes):
            match event:
                case Started():
                    started = event
                case Finished() | Failed():
                    ending = event
                case Intervened():
                    interventions.append(event)
        if started is not None:
            _check_started(started, config)
    return OpenedRun(path, config, weights, found, script, started, ending, tuple(interventions), step, most_bytes)


def _read(source: Source, name: str, most: int) -> bytearray:
    """All of a file, which must be as long as it claims. Memory is taken as the bytes arrive."""
    size = source.sizes[name]
    if size > most:
        raise refused(f"{name} has {size:,} bytes", f"up to {most:,}")
    data = bytearray()
    with source.open(name) as file:
        while piece := file.read(min(_CHUNK, size + 1 - len(data))):
            data += piece
    if len(data) != size:
        raise refused(f"{name} has not the {size:,} bytes that it claims")
    return data


def _text(source: Source, name: str) -> str:
    try:
        return _read(source, name, _MOST_TEXT).decode()
    except UnicodeDecodeError:
        raise refused(f"{name} is not text") from None


def _check_manifest(source: Source) -> tuple[str, int | None]:
    """The hash that the manifest claims, and the step of the weights; empty and None without a manifest.

    Raises InputError where a file is another one.
    """
    if MANIFEST_FILE not in source.sizes:
        return "", None
    damaged = refused(f"{MANIFEST_FILE} makes no sense")
    try:
        manifest: Any = json.loads(_text(source, MANIFEST_FILE))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, InputError) else damaged from None
    match manifest:
        case {"format": str(form), "version": int(version), "weights": str(weights), "files": dict(files)}:
            if form != FORMAT:
                raise damaged
            if version > FORMAT_VERSION:
                raise refused(f"a newer Learnscope wrote it (version {version})", f"up to {FORMAT_VERSION}")
        case _:
            raise damaged
    if files.keys() != source.sizes.keys() - {MANIFEST_FILE}:
        raise refused(f"{MANIFEST_FILE} names other files than there are")
    for name, claims in files.items():
        match claims:
            case {"bytes": int(size), "sha256": str(digest)}:
                if size != source.sizes[name] or _sha256(source, name) != digest:
                    raise refused(f"{name} is not the file that {MANIFEST_FILE} speaks of")
            case _:
                raise damaged
    match manifest.get("step"):
        case None:
            return weights, None
        case int(step) if 0 <= step <= _MOST_NUMBER:
            return weights, int(step)
        case _:
            raise damaged


def _sha256(source: Source, name: str) -> str:
    digest, left = hashlib.sha256(), source.sizes[name] + 1
    with source.open(name) as file:
        while left > 0 and (piece := file.read(min(_CHUNK, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def _untrained(config: RunConfig) -> nn.Module:
    """The set-up's network, without memory for weights where that can be. Raises InputError where parts do not fit."""
    info, entry = config.dataset_info(), NETWORKS[config.network.name]
    shape, outputs = entry.fit(info, config.network.params), LOSSES[config.loss.name].outputs(info)
    try:
        return entry.outline(shape, outputs, config.network.params)
    except NotImplementedError:  # it looks at the numbers it draws
        cpu = torch.device("cpu")
        with PrivateRandom(cpu, random_state(cpu)):
            return entry.build(shape, outputs, config.network.params)


def read_weights(folder: Path, config: RunConfig) -> dict[str, Tensor]:
    """The weights in a folder's `weights.safetensors`, which fit `config`'s network. Raises InputError."""
    with opened(folder, most_bytes=MOST_BYTES) as source:
        if WEIGHTS_FILE not in source.sizes:
            raise refused(f"{folder.name} has no {WEIGHTS_FILE}")
        return _weights(source, config)


def _weights(source: Source, config: RunConfig) -> dict[str, Tensor]:
    expected = _untrained(config).state_dict()
    needed = sum(tensor.nbytes for tensor in expected.values())
    if not needed <= source.sizes[WEIGHTS_FILE] <= needed + _MOST_HEADER:
        size = source.sizes[WEIGHTS_FILE]
        raise refused(f"{WEIGHTS_FILE} has {size:,} bytes and the network's weights have {needed:,}")
    try:
        found = safetensors.torch.load(bytes(_read(source, WEIGHTS_FILE, needed + _MOST_HEADER)))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise error if isinstance(error, InputError) else refused(f"{WEIGHTS_FILE} is damaged: {error}") from None
    if found.keys() != expected.keys():
        strange = sorted(found.keys() ^ expected.keys())[0]
        raise refused(f"{WEIGHTS_FILE} and the network do not have the same parameters: {strange[:80]!r}")
    for name, tensor in expected.items():
        if found[name].dtype != tensor.dtype or found[name].shape != tensor.shape:
            have = f"{str(found[name].dtype).removeprefix('torch.')} {tuple(found[name].shape)}"
            want = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
            raise refused(f"{name} in {WEIGHTS_FILE} is {have} and the network's is {want}")
    return found


def _events(source: Source, most_bytes: int) -> Iterator[Event]:
    if EVENTS_FILE not in source.sizes:
        return
    left = min(source.sizes[EVENTS_FILE], most_bytes)
    step = 0
    with source.open(EVENTS_FILE) as file:
        number = 0
        while left > 0 and (line := file.readline(min(left, _MOST_LINE))):
            number, left = number + 1, left - len(line)
            try:
                event = event_of(line.decode())
                values = [getattr(event, name) for name in event.__dataclass_fields__]
                if any(type(value) is int and not 0 <= value <= _MOST_NUMBER for value in values):
                    raise ValueError
                if isinstance(event, StepFinished):
                    if event.step <= step:
                        raise ValueError
                    step = event.step
            except (ValueError, RecursionError, TypeError, AttributeError):
                raise refused(f"line {number:,} of {EVENTS_FILE} is no event") from None
            yield event


def _check_started(started: Started, config: RunConfig) -> None:
    learned = sum(parameter.numel() for parameter in _untrained(config).parameters())
    told = (started.network, started.dataset, started.batch_size, started.parameters)
    if told != (config.network.name, config.dataset.name, config.training.batch_size, learned):
        raise refused(f"the events in {EVENTS_FILE} are not those of {CONFIG_FILE}")
    if not 1 <= started.threads <= _MOST_THREADS:
        raise refused(f"the events in {EVENTS_FILE} speak of {started.threads:,} threads", f"1 to {_MOST_THREADS:,}")
