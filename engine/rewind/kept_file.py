"""The snapshots that outlive a run: some of them, in one file in its folder, checked when it is read.

The file is of the kind that checkpoints lie in, see `engine.checkpoint_file`. A tensor that several snapshots hold, or
whose bytes are those of another one, lies in it once; the manifest says which snapshot has which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as PydanticError
from torch import Tensor

from engine.checkpoint import Checkpoint, slot_check
from engine.checkpoint_file import open_file, pack, refused, view_bytes
from engine.checkpoint_folder import SUFFIX
from engine.checkpoint_manifest import Manifest
from engine.config import RunConfig, config_from_json
from engine.errors import InputError
from engine.files import remove_temporaries, write_pieces_atomically
from engine.rewind.snapshots import Mark, Snapshot

NAME = f"snapshots{SUFFIX}"
BUDGET = 32 * 2**20  # bytes of a run's file
MOST = 400  # snapshots in it
MOST_OF_ALL = 4 * 2**30  # bytes of the files of all runs
MOST_READ = 4 * BUDGET  # bytes of tensors: a larger file is not one of ours

_ENTRY = 40  # bytes of the manifest for each name of a tensor, about

Write = Callable[[Path, Iterable[memoryview]], None]
"""As `engine.files.write_pieces_atomically`."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class _Entry(_Frozen):
    """A snapshot. `tensors`: its tensors' names to those in the file."""

    manifest: Manifest
    marks: tuple[Mark, ...]
    tensors: dict[str, str]


class _Contents(_Frozen):
    snapshots: Literal[1] = 1
    kept: tuple[_Entry, ...] = Field(max_length=MOST)


def choose(snapshots: Sequence[Snapshot], *, budget: int = BUDGET, most: int = MOST) -> list[Snapshot]:
    """As many of them as fit, ascending.

    First come the first, the last and the best, then ends of epochs and interventions, then all others, each time the
    one that lies farthest from those that are chosen: so they spread evenly.

    Args:
        snapshots: ascending.
        budget: bytes that they may take together in a file.
    """
    return _choose(snapshots, budget=budget, most=most)[0]


def _choose(snapshots: Sequence[Snapshot], *, budget: int, most: int) -> tuple[list[Snapshot], _Store]:
    steps = np.array([snapshot.checkpoint.step for snapshot in snapshots], np.int64)
    ranks = np.array([_rank(snapshot) for snapshot in snapshots], np.int64)
    distances = np.full(len(snapshots), np.iinfo(np.int64).max)
    left = np.ones(len(snapshots), np.bool_)
    store = _Store()
    chosen: list[int] = []
    while left.any() and len(chosen) < most:
        rank = ranks[left].min()
        index = int(np.where(left & (ranks == rank), distances, -1).argmax())
        left[index] = False
        if store.size + store.cost(snapshots[index].checkpoint) > budget:
            if rank:
                break
            continue  # of those that matter most, another one may be smaller
        store.add(snapshots[index].checkpoint)
        chosen.append(index)
        distances = np.minimum(distances, np.abs(steps - steps[index]))
    return [snapshots[index] for index in sorted(chosen)], store


def _pack(chosen: Sequence[Snapshot], store: _Store) -> list[memoryview]:
    """The file's bytes, in pieces. Raises TypeError for a dtype that cannot be kept."""
    entries = []
    for snapshot in chosen:
        names = {name: store.name(tensor) for name, tensor in snapshot.checkpoint.tensors.items()}
        marks = tuple(sorted(snapshot.marks))
        entries.append(_Entry(manifest=snapshot.checkpoint.manifest, marks=marks, tensors=names))
    return pack(_Contents(kept=tuple(entries)).model_dump_json(), store.tensors)


def write_snapshots(
    folder: Path, snapshots: Sequence[Snapshot], *, budget: int = BUDGET, write: Write = write_pieces_atomically
) -> int:
    """Keep some of them in `folder`, in place of those that were kept before; returns the file's bytes.

    Where not even one fits, nothing is written and 0 returned. Raises OSError, and TypeError for what cannot be kept;
    what was there is then there still.
    """
    chosen, store = _choose(snapshots, budget=budget, most=MOST)
    if not chosen:
        return 0
    pieces = _pack(chosen, store)
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder / NAME)
    write(folder / NAME, pieces)
    return sum(piece.nbytes for piece in pieces)


def make_room(folders: Path, *, newest: Path, most: int = MOST_OF_ALL) -> None:
    """Remove the snapshots of those runs that were kept longest ago, until all take no more than `most` bytes.

    Such a run is trained again, from its checkpoints and its beginning, where one goes back along it.

    Args:
        folders: where the runs' folders are.
        newest: the folder of the run whose snapshots stay in any case.
    """
    kept = []
    with suppress(OSError):
        for folder in folders.iterdir():
            with suppress(OSError):  # it may have gone meanwhile, with its run
                told = (folder / NAME).stat()
                kept.append((folder == newest, told.st_mtime, told.st_size, folder / NAME))
    size = sum(each[2] for each in kept)
    for is_newest, _, taken, path in sorted(kept):
        if size <= most or is_newest:
            return
        with suppress(OSError):
            path.unlink()
            size -= taken


def read_snapshots(path: Path) -> list[Snapshot]:
    """What `write_snapshots` kept, ascending; all of it is checked as a checkpoint is.

    Raises InputError that says what is wrong.
    """
    with open_file(path) as file:
        if sum(slot.end - slot.start for slot in file.slots.values()) > MOST_READ:
            raise refused(f"{path.name} is larger than any file of snapshots")
        try:
            contents = _Contents.model_validate_json(file.manifest)
        except (PydanticError, RecursionError):
            raise refused(f"{path.name} is damaged: what it says of its snapshots makes no sense") from None
        made: list[tuple[_Entry, Manifest, RunConfig]] = []
        configs: dict[str, RunConfig] = {}
        checks = {}
        try:
            for entry in contents.kept:
                text = entry.manifest.config
                if text not in configs:
                    configs[text] = config_from_json(text, source=path.name)
                    checks[text] = slot_check(configs[text])
                progress = entry.manifest.progress.checked()
                checks[text](progress, {name: file.slots[of] for name, of in entry.tensors.items()})
                manifest = entry.manifest.model_copy(update={"progress": progress})
                made.append((entry, manifest, configs[text]))
        except KeyError:
            raise refused(f"{path.name} is damaged: a tensor is missing") from None
        except InputError as error:
            raise refused(f"{path.name} does not fit: {error.problem}", error.accepted) from None
        tensors = file.tensors()
    found = []
    for entry, manifest, config in made:
        own = {name: tensors[of] for name, of in entry.tensors.items()}
        checkpoint = Checkpoint(config, manifest.progress, own, manifest)
        found.append(Snapshot(checkpoint, frozenset(entry.marks)))
    steps = [snapshot.checkpoint.step for snapshot in found]
    if steps != sorted(set(steps)):
        raise refused(f"{path.name} is damaged: its steps are out of order")
    return found


class _Store:
    """Tensors, each with bytes of its own once. They must not change."""

    def __init__(self) -> None:
        self.size = 0
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}  # by the tensor's id; whoever is asked about stays alive
        self._known: dict[bytes, str] = {}

    def name(self, tensor: Tensor) -> str:
        return self._names[id(tensor)]

    def cost(self, checkpoint: Checkpoint) -> int:
        """Bytes that it would add, equal ones under another name counted too."""
        fresh = {id(tensor): tensor.nbytes for tensor in checkpoint.tensors.values() if id(tensor) not in self._names}
        return sum(fresh.values()) + _words(checkpoint)

    def add(self, checkpoint: Checkpoint) -> None:
        self.size += _words(checkpoint)
        for tensor in checkpoint.tensors.values():
            if id(tensor) in self._names:
                continue
            key = _key(tensor)
            if key not in self._known:
                self._known[key] = name = str(len(self._known))
                self.tensors[name] = tensor
                self.size += tensor.nbytes
            self._names[id(tensor)] = self._known[key]


def _key(tensor: Tensor) -> bytes:
    digest = hashlib.blake2b(repr((tensor.dtype, tuple(tensor.shape))).encode(), digest_size=20)
    if tensor.nbytes:
        digest.update(view_bytes(tensor))
    return digest.digest()


def _words(checkpoint: Checkpoint) -> int:
    """About how long the manifest's part is."""
    return len(checkpoint.manifest.config) + 4 * _ENTRY * len(checkpoint.tensors)


def _rank(snapshot: Snapshot) -> int:
    marks: Mapping[Mark, int] = {"first": 0, "last": 0, "best": 0, "epoch": 1, "intervention": 1}
    return min((marks[mark] for mark in snapshot.marks), default=2)
