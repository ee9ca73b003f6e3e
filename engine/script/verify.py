"""verify: runs a run's script on its own and says whether its weights are the run's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TextIO

from engine.config import RunConfig
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.events import Intervened
from engine.rewind.snapshots import Recorded
from engine.script.past import Past
from engine.script.plan import length_of
from engine.script.writer import data_options, write_script

TIMEOUT = 3600.0  # s
_POLL = 0.1  # s
_SCRIPT, _DATA = "script.py", "data"
_MOST_OUTPUT = 2_000  # characters that a verdict quotes
_SECONDS_TO_DIE = 10.0

# Where torchvision keeps the sets that it downloads, below its folder.
_TORCHVISION = {
    "fashion_mnist": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "emnist_letters": "EMNIST/raw",
    "emnist_balanced": "EMNIST/raw",
    "cifar10": "cifar-10-batches-py",
}

# What is verified is the script in its own folder: it must not fetch anything.
_ALONE = """
import runpy, sys

def alone(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
        raise PermissionError("there is no network while a script is verified")

sys.addaudithook(alone)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Verifying:
    """The script is at work. `line` is what it printed last; `done` a share in 0 … 1, None as long as it is unknown."""

    line: str
    done: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it.

    Attributes:
        outcome: `equal`: all weights are those of the run, bit for bit. `different`: the script ran to its end and some
            are not. `failed`: it did not get that far.
        message: the same in a sentence or two.
        expected, found: hashes of the run's weights and of the script's; `found` is empty where it failed.
        output: the end of what it printed, and of its error, if there was one.
    """

    outcome: Literal["equal", "different", "failed"]
    message: str
    expected: str
    found: str
    seconds: float
    output: str


def verify(
    config: RunConfig,
    interventions: Iterable[Intervened | Recorded],
    weights: str,
    *,
    threads: int,
    memory_format: str,
    device: str = "",
    precision: str = "",
    stopped_after: int | None = None,
    past: Past | None = None,
    timeout: float = TIMEOUT,
) -> Generator[Verifying, None, Verdict]:
    """Writes the run's script, runs it in a process and a folder of its own, and compares.

    It yields about ten times a second; closing it ends the process and leaves nothing behind. The script gets no
    network: its data must be on this computer.

    Args:
        config … past: as for `write_script`, which is what is run; a script from elsewhere never is.
        weights: `engine.weight_hash` of the run's final weights.
        timeout: seconds until the script is ended.

    Raises InputError where no such script can be written, or its data is not here.
    """
    interventions = tuple(interventions)
    text = write_script(
        config,
        interventions,
        threads=threads,
        memory_format=memory_format,
        device=device,
        precision=precision,
        stopped_after=stopped_after,
        past=past,
    )
    epochs = length_of(config, config.dataset_info(), stopped_after=stopped_after).epochs
    with TemporaryDirectory(prefix="learnscope-script-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        configs = [config, *(run.config for run in (past.line() if past is not None else ()))]
        arguments = _data_arguments(configs[::-1], folder)
        verdict = yield from check_script(
            text, weights, folder=folder, arguments=arguments, epochs=epochs, timeout=timeout
        )
    if verdict.outcome == "different":
        return _explained(verdict, on_cpu=not device or device.startswith("CPU"), interventions=interventions)
    return verdict


def check_script(
    text: str, weights: str, *, folder: Path, arguments: Sequence[str] = (), epochs: int = 0, timeout: float = TIMEOUT
) -> Generator[Verifying, None, Verdict]:
    """Runs a script that `write_script` wrote, in `folder`, and compares the hash it prints with `weights`.

    Args:
        folder: an empty one, where everything that the script writes stays.
        arguments: of the script.
        epochs: how many it will tell of, to say how far it is; 0: unknown.
    """
    (folder / _SCRIPT).write_text(text, encoding="utf-8")
    command = [sys.executable, "-P", "-c", _ALONE, _SCRIPT, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    start = time.monotonic()
    with (
        (folder / "printed.txt").open("w", encoding="utf-8") as out,
        (folder / "error.txt").open("w", encoding="utf-8") as error,
        (folder / "printed.txt").open(encoding="utf-8", errors="replace") as printed,
    ):
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=error,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        try:
            late = yield from _follow(process, printed, epochs=epochs, deadline=start + timeout)
        finally:
            if process.poll() is None:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS_TO_DIE)
    seconds = time.monotonic() - start
    said = (folder / "printed.txt").read_text(encoding="utf-8", errors="replace")
    complaint = (folder / "error.txt").read_text(encoding="utf-8", errors="replace").strip()
    output = "\n".join(filter(None, (said.strip(), complaint)))[-_MOST_OUTPUT:]

    def verdict(outcome: Literal["equal", "different", "failed"], message: str, found: str = "") -> Verdict:
        return Verdict(outcome, message, weights, found, seconds, output)

    if late:
        return verdict("failed", f"The script was ended because it took longer than {timeout:,.0f} seconds.")
    if process.returncode:
        last = complaint.splitlines()[-1] if complaint else f"exit status {process.returncode}"
        return verdict("failed", f"The script ended with an error: {last}")
    hashes = re.findall(r"^weights ([0-9a-f]{64})$", said, re.MULTILINE)
    if not hashes:
        return verdict("failed", "The script ended without telling the hash of its weights.")
    found = hashes[-1]
    if found == weights:
        return verdict("equal", "The script gives the run's weights, equal to the last bit.", found)
    return verdict("different", "The script's weights are not those of the run.", found)


def _follow(
    process: subprocess.Popen[bytes], printed: TextIO, *, epochs: int, deadline: float
) -> Generator[Verifying, None, bool]:
    """Tells what is printed until the process has ended, or the deadline has passed, which is returned."""
    line, done, rest = "", None, ""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)
        *lines, rest = (rest + printed.read()).split("\n")
        for line in lines:
            epoch = re.match(r"epoch (\d{1,9})\b", line)
            if epoch and epochs:
                done = min(int(epoch[1]) / epochs, 1.0)
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            return True
        yield Verifying(line, done)


def _explained(verdict: Verdict, *, on_cpu: bool, interventions: Sequence[Intervened | Recorded]) -> Verdict:
    """With what may be behind the difference."""
    reasons = []
    if not on_cpu:
        reasons.append("On a graphics processor the same operations may add up in another order each time.")
    if any(isinstance(item, Intervened) for item in interventions):
        reasons.append("A run that an older version recorded knows what was changed to six digits only.")
    if not reasons:
        reasons.append("Another version of PyTorch, or another processor than the run had, would do that.")
    message = " ".join((verdict.message, *reasons))
    return Verdict(verdict.outcome, message, verdict.expected, verdict.found, verdict.seconds, verdict.output)


def _data_arguments(configs: Sequence[RunConfig], folder: Path) -> list[str]:
    """`--data` with a folder, for those that are read from one. Raises InputError where there is none."""
    found: list[str] = []
    for option, config in dict(zip(data_options(configs), configs, strict=True)).items():
        if option:
            found += [option, _data_folder(config.dataset.name, folder)]
    return found


def _data_folder(name: str, folder: Path) -> str:
    """Where the script finds the dataset called `name`."""
    if name == "mnist":
        return str(files("assets").joinpath("mnist"))
    from engine.datasets.download import data_folders

    place = _TORCHVISION[name]
    there = next((path for root in data_folders() if (path := root / place).is_dir()), None)
    if there is None:
        raise InputError(
            "script",
            f"{DATASETS[name].label} is not on this computer as torchvision keeps it, and a script that is verified "
            "gets no network",
            f"a folder with {place} in it, named by the environment variable LEARNSCOPE_DATA",
        )
    # torchvision unpacks beside what it finds: it is given links in a folder of its own.
    for source in there.rglob("*"):
        target = folder / _DATA / place / source.relative_to(there)
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.symlink_to(source.resolve())
            except OSError:  # where links need a right of their own
                shutil.copyfile(source, target)
    return _DATA
