"""A run taken away: weights for other programs, and a folder or zip that opens on another computer.

Such a folder holds `config.json`, its set-up; `weights.safetensors`; `events.jsonl`, what the run told, an event a
line; `script.py`, which repeats it without Learnscope; `README.txt`; and `manifest.json`, which says the size and the
SHA-256 of each, the hash of all weights, and their step where that is not the run's last.
`engine.archive.open_archive` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import safetensors.torch
import torch
from torch import Tensor

from engine.config import RunConfig
from engine.errors import InputError
from engine.events import Event, Failed, Finished, Intervened, Started, as_json
from engine.files import write_atomically, write_pieces_atomically
from engine.results import CONFIG_FILE, WEIGHTS_FILE
from engine.rewind.snapshots import Recorded
from engine.script import Past, write_script
from engine.script.verify import Verdict, Verifying, verify
from engine.weight_hash import weight_hash

EVENTS_FILE, SCRIPT_FILE, README_FILE, MANIFEST_FILE = "events.jsonl", "script.py", "README.txt", "manifest.json"
FORMAT, FORMAT_VERSION = "learnscope run", 1
_CHUNK = 1 << 20  # bytes
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # zip's own: equal runs give equal files

Pieces = Iterable[bytes]


def save_state_dict(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Weights as torch.save keeps a plain `state_dict`: `network.load_state_dict(torch.load(path, weights_only=True))`.

    `weights` are as `LiveNetwork.weights` gives them. Raises OSError.
    """
    file = io.BytesIO()
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in weights.items()}, file)
    write_atomically(path, file.getvalue())


def save_safetensors(path: Path, weights: Mapping[str, Tensor], config: RunConfig) -> None:
    """Weights as safetensors, with the set-up in the metadata. `weights`: as for `save_state_dict`. Raises OSError."""
    write_atomically(path, _safetensors(weights, config))


def save_config(path: Path, config: RunConfig) -> None:
    """The set-up as JSON, for `--config`. Raises OSError."""
    write_atomically(path, config.to_json().encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExport:
    """What is known of a run that is to be taken away.

    Attributes:
        weights: its final ones, as `LiveNetwork.weights` gives them.
        started, ending: its first event and its last; None where it did not come to it.
        interventions: what was changed during it; `Recorded` ones are exact.
        events: all that it told, read once; may be empty.
        step: after which the weights are, where that is not the run's end: of a run that was interrupted.
        past: of a branch, what it goes on from.
    """

    config: RunConfig
    weights: Mapping[str, Tensor]
    started: Started | None = None
    ending: Finished | Failed | None = None
    interventions: Sequence[Intervened | Recorded] = ()
    events: Iterable[Event] = ()
    step: int | None = None
    past: Past | None = None

    def script(self) -> str:
        """The script that repeats it. Raises InputError where that cannot be written."""
        started = self._begun()
        return write_script(
            self.config,
            self.interventions,
            threads=started.threads,
            memory_format=started.memory_format,
            device=started.device,
            precision=started.precision,
            stopped_after=self.stopped_after,
            past=self.past,
        )

    def verify(self) -> Generator[Verifying, None, Verdict]:
        """Runs that script in a process of its own and compares: see `engine.script.verify`. Raises InputError."""
        started = self._begun()
        return verify(
            self.config,
            self.interventions,
            weight_hash(self.weights),
            threads=started.threads,
            memory_format=started.memory_format,
            device=started.device,
            precision=started.precision,
            stopped_after=self.stopped_after,
            past=self.past,
        )

    @property
    def stopped_after(self) -> int | None:
        """The step after which its script ends, where the run did not come to its end by itself."""
        if self.step is not None:
            return self.step
        # A failed run's weights are those of its last good step, as if it had been stopped there.
        ending = self.ending
        stopped = isinstance(ending, Failed) or (ending is not None and ending.reason == "stopped")
        return ending.step if stopped and ending is not None else None

    def _begun(self) -> Started:
        """What it said as it began. Raises InputError where no script repeats it."""
        started = self.started
        if started is None:
            raise InputError("script", "the run never began")
        if started.parent_step is not None and self.past is None:
            raise InputError("script", "the run branched off another one, which is not known here")
        if started.resumed_from and self.past is None:
            raise InputError("script", "the run goes on from a checkpoint of another one, which is not known here")
        if self.ending is None and self.step is None:
            raise InputError("script", "the run has not ended")
        return started


def write_folder(folder: Path, run: RunExport) -> None:
    """The run's files in `folder`, which is made: all of them or none.

    Raises InputError where there is something in it, OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("folder", f"the folder {folder.name} is not empty", "an empty folder, or a new one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, so that it can be renamed.
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:

        def write(name: str, pieces: Pieces) -> None:
            write_pieces_atomically(made / name, (memoryview(piece) for piece in pieces))

        _write(run, write)
        made.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def write_zip(path: Path, run: RunExport) -> None:
    """The same files in one zip archive, whole or not at all. Raises OSError."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:

            def write(name: str, pieces: Pieces) -> None:
                member = zipfile.ZipInfo(name, _BEGINNING)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o644 << 16
                with archive.open(member, "w", force_zip64=False) as target:
                    for piece in pieces:
                        target.write(piece)

            _write(run, write)
        file.seek(0)
        write_pieces_atomically(path, (memoryview(piece) for piece in _chunks(file)))


def _write(run: RunExport, write: Callable[[str, Pieces], None]) -> None:
    """Have each file written, and last the manifest that says what they are."""
    known: dict[str, dict[str, object]] = {}
    for name, pieces in _files(run):
        digest, size = hashlib.sha256(), 0

        def counted(pieces: Pieces = pieces, digest: hashlib._Hash = digest) -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                yield piece

        write(name, counted())
        known[name] = {"bytes": size, "sha256": digest.hexdigest()}
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "weights": weight_hash(run.weights),
        "step": run.step,
        "files": known,
    }
    write(MANIFEST_FILE, [json.dumps(manifest, indent=2).encode() + b"\n"])


def _files(run: RunExport) -> Iterator[tuple[str, Pieces]]:
    yield CONFIG_FILE, [run.config.to_json().encode()]
    yield WEIGHTS_FILE, [_safetensors(run.weights, run.config)]
    yield EVENTS_FILE, (f"{as_json(event)}\n".encode() for event in run.events)
    why_not = ""
    try:
        yield SCRIPT_FILE, [run.script().encode()]
    except InputError as error:
        why_not = error.sentence
    yield README_FILE, [_readme(run, why_not).encode()]


def _safetensors(weights: Mapping[str, Tensor], config: RunConfig) -> bytes:
    own = {name: tensor.contiguous() for name, tensor in weights.items()}
    return safetensors.torch.save(own, {"learnscope": config.to_json()})


def _readme(run: RunExport, why_no_script: str) -> str:
    config = run.config
    script = f"{SCRIPT_FILE}: repeats the run with PyTorch alone: the weights come out equal to the last bit."
    lines = [
        f"A run of Learnscope: {config.network.name} on {config.dataset.name}, {config.optimizer.name}.",
        "",
        f"{CONFIG_FILE}: the set-up. {_repeated(run)}",
        f"{WEIGHTS_FILE}: the weights, for safetensors' load_file.",
        f"{EVENTS_FILE}: what the run told, one JSON object a line.",
        f"There is no script: {why_no_script}" if why_no_script else script,
        f"{MANIFEST_FILE}: the size and SHA-256 of each file, and the hash of all weights.",
        "",
        f"The hash of the weights: {weight_hash(run.weights)}",
    ]
    return "\n".join(lines) + "\n"


def _repeated(run: RunExport) -> str:
    """What training by the set-up alone gives."""
    by_it = f"`python -m engine train --config {CONFIG_FILE}`"
    started = run.started
    if started is not None and (started.parent_step is not None or started.resumed_from):
        begun = started.resumed_from if started.parent_step is None else started.parent_step
        return f"{by_it} trains by it from the beginning; this run went on from another one's step {begun:,}."
    if run.interventions:
        return f"{by_it} repeats the run, but for what was changed during it."
    if run.stopped_after is not None:
        return f"{by_it} repeats the run and goes on to the end that it was to have."
    return f"{by_it} repeats the run."


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
