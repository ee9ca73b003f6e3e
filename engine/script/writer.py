"""write_script: a run as one plain PyTorch script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill as wrapped

from engine.config import RunConfig
from engine.datasets import DATASETS
from engine.events import Intervened
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.rewind.snapshots import Recorded
from engine.script.blocks import Definitions, name_of, renamed, without_unused
from engine.script.datasets import FOLDERS, TORCHVISION
from engine.script.layout import LINE, call, fill, indented, literal
from engine.script.parts import Part, Stretch, names_of_options, parts_of, stretches_of
from engine.script.past import Past

# What a script may import, in the order of a sorted head, and how its use is told.
_IMPORTS = (
    (
        ("import argparse", r"\bargparse\."),
        ("import copy", r"\bcopy\.deepcopy"),
        ("import gzip", r"\bgzip\.open"),
        ("import hashlib", r"\bhashlib\."),
        ("import math", r"\bmath\."),
        ("import struct", r"\bstruct\."),
        ("from pathlib import Path", r"\bPath\b"),
    ),
    (
        ("import numpy as np", r"\bnp\."),
        ("import torch", r"\btorch\."),
        ("import torch.nn.functional as F", r"\bF\.[a-z]"),
        ("from torch import nn", r"\bnn\.[A-Za-z]"),
        ("from torchvision import datasets", r"\bdatasets\.[A-Z]"),
        ("from torchvision import models", r"\bmodels\.resnet"),
    ),
)

_WEIGHT_HASH = '''
    def weight_hash(network):
        """SHA-256 of all parameters and buffers: name, dtype, shape and values of each."""
        digest = hashlib.sha256()
        for name, tensor in sorted(network.state_dict().items()):
            values = tensor.cpu().contiguous().numpy()
            digest.update(f"{name} {values.dtype.name} {values.shape}\\n".encode())
            digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()
'''


def write_script(
    config: RunConfig,
    interventions: Iterable[Intervened | Recorded] = (),
    *,
    threads: int,
    memory_format: str,
    device: str = "",
    precision: str = "",
    stopped_after: int | None = None,
    past: Past | None = None,
) -> str:
    """One Python file that needs nothing but PyTorch and repeats the run bit for bit.

    It prints the test loss and accuracy after every epoch, saves the final weights as a `state_dict`, and prints
    `weights` and their hash as `engine.weight_hash` defines it, last. Where data must be read from a folder, the
    option `--data` names it. Imports no torch for most networks.

    Args:
        config: the run's set-up.
        interventions: what was changed during the run; see `engine.script.interventions` for what an event leaves out.
        threads, memory_format: as the run's first event, `Started`, says them.
        device, precision: as `Started` says them: `CPU`, `CUDA · …`; `float32`, `mixed bfloat16`. Empty: those of
            `config`, where an automatic device is the CPU and mixed precision is bfloat16.
        stopped_after: the run's last step, where a person ended it before its time.
        past: of a branch, the run that it goes on from: the script trains that one's part first.

    Raises InputError where a part comes from another package, whose source is not known, where interventions do not
    belong to such a run, and where a branch goes on in a way that a script cannot follow.
    """
    run = Stretch(
        config=config,
        interventions=tuple(interventions),
        threads=threads,
        memory_format=memory_format,
        device=device,
        precision=precision,
        stop=stopped_after,
        within=False,
        past=past,
        last=True,
    )
    stretches = stretches_of(run)
    options = data_options([stretch.config for stretch in stretches])
    parts = parts_of(stretches, [_attribute(option) for option in options])
    head = _docstring(parts, options, threads=threads)
    body = _body(parts, options)
    return f"{head}\n\n{_imports(body)}\n\n{body}\n"


def data_options(configs: Iterable[RunConfig]) -> list[str]:
    """The script's option for the folder with each part's data, the first part first; empty where it reads none."""
    names = [config.dataset.name for config in configs]
    return names_of_options((name, name in FOLDERS) for name in names)


def _attribute(option: str) -> str:
    return f"options.{option.removeprefix('--').replace('-', '_')}" if option else ""


def _body(parts: Sequence[Part], options: Sequence[str]) -> str:
    """All but the head."""
    definitions = Definitions()
    numbers: list[list[str]] = []
    sections: list[list[str]] = [[] for _ in parts[0].sections]
    main = [indented(_options(parts, options))]
    for number, part in enumerate(parts, start=1):
        constants = part.beginning.constants()
        new, names = definitions.add([*constants, *(b for section in part.sections for b in section)], number=number)
        numbers.append([new[name] for name in map(name_of, constants) if name in new])
        for section, blocks in zip(sections, part.sections, strict=True):
            section += [new[name] for name in map(name_of, blocks) if name in new]
        main += [renamed(indented(piece), names) for piece in part.main]
    text = "\n\n".join(filter(None, main))
    ending = f'def main():\n{text}\n\n\nif __name__ == "__main__":\n    main()'
    if len(parts) > 1:
        everything = [block for blocks in (*numbers, *sections) for block in blocks]
        used = set(without_unused(everything, used=ending))
        numbers = [[block for block in blocks if block in used] for blocks in numbers]
        sections = [[block for block in blocks if block in used] for blocks in sections]
    return "\n\n\n".join(
        [
            _numbers(numbers),
            *filter(None, [_initial(parts[0].beginning.loop.config)]),
            *(block for section in sections for block in section),
            fill(_WEIGHT_HASH),
            ending,
        ]
    )


def _numbers(parts: Sequence[Sequence[str]]) -> str:
    """The constants of each part."""
    groups = []
    for number, constants in enumerate(parts, start=1):
        if constants:
            title = [f"# Part {number}."] if len(parts) > 1 else []
            groups.append("\n".join([*title, *constants]))
    return "\n\n".join(groups)


def _options(parts: Sequence[Part], options: Sequence[str]) -> str:
    lines = ["parser = argparse.ArgumentParser()"]
    for option, part in dict(zip(options, parts, strict=True)).items():
        if option:
            arguments = [f'"{option}"', "type=Path", "required=True", f'help="{part.data.needs}"']
            lines.append(call("parser.add_argument", arguments, levels=1))
    lines += ['parser.add_argument("--save", type=Path, default="weights.pt")', "options = parser.parse_args()"]
    return "\n".join(lines)


def _initial(config: RunConfig) -> str:
    if not config.initial_parameters:
        return ""
    return literal(dict(config.initial_parameters), before="INITIAL_PARAMETERS = ")


def _imports(body: str) -> str:
    groups = []
    for group in _IMPORTS:
        used = [line for line, use in group if re.search(use, body)]
        if "from torchvision import datasets" in used and "from torchvision import models" in used:
            used[-2:] = ["from torchvision import datasets, models"]
        groups.append("\n".join(used))
    return "\n\n".join(filter(None, groups))


def _docstring(parts: Sequence[Part], options: Sequence[str], *, threads: int) -> str:
    config, setting = parts[0].beginning.loop.config, parts[-1].beginning.loop.setting
    network, dataset = NETWORKS[config.network.name].label, DATASETS[config.dataset.name].label
    optimizer, loss = OPTIMIZERS[config.optimizer.name].label, LOSSES[config.loss.name].label
    how = setting.device.upper() if setting.moved else f"{threads} thread{'s' * (threads > 1)}"
    with_what = ["images laid out channels last"] if setting.channels_last else []
    with_what += [f"mixed precision, {setting.autocast}"] if setting.autocast else []
    how += f", with {' and '.join(with_what)}" if with_what else ""
    torchvision = any(_uses_torchvision(part.beginning.loop.config) for part in parts)
    about = (
        f"It repeats a run of Learnscope and needs nothing but PyTorch{' and torchvision' * torchvision}. That run had "
        f"PyTorch {_torch_version()} on {how}. With the same on the same kind of processor the weights come out "
        "equal to the last bit; with others the last digits differ."
    )
    branched = (
        f"The run branched off another one. That one's part of the training comes first: the script has {len(parts)} "
        "parts, one after the other, and names that end in a number belong to the part of that number."
    )
    needed = {option: part for option, part in zip(options, parts, strict=True) if option}
    pieces = [
        wrapped(f'"""{network} on {dataset}, trained with {optimizer}. Loss: {loss[:1].lower()}{loss[1:]}.', LINE),
        wrapped(branched, LINE) if len(parts) > 1 else "",
        wrapped(about, LINE),
        "    python script.py" + "".join(f" {option} FOLDER" for option in needed),
        *(part.data.note.replace("--data ", f"{option} ") for option, part in needed.items()),
    ]
    return "\n\n".join(filter(None, pieces)) + '\n"""'


def _uses_torchvision(config: RunConfig) -> bool:
    return config.dataset.name in TORCHVISION or config.network.name == "resnet18"


def _torch_version() -> str:
    """As it is installed here, without importing it."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return "of an unknown version"
