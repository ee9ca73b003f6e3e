"""write_script: a run as one plain PyTorch script."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill as wrapped

from engine.config import RunConfig
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.events import Intervened
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.rewind.snapshots import Recorded
from engine.script.datasets import DatasetSource, dataset_source
from engine.script.interventions import interventions_of
from engine.script.layout import LINE, fill, literal
from engine.script.loop import SET_LEARNING_RATE, Loop, Setting, constants, step_constants
from engine.script.losses import loss_source
from engine.script.networks import network_source
from engine.script.optimizers import optimizer_source
from engine.script.plan import length_of, steering_of

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

    Raises InputError where a part comes from another package, whose source is not known, and where interventions do
    not belong to such a run.
    """
    if type(threads) is not int or threads < 1:
        raise InputError("script", f"{threads!r} threads", "1 or more")
    if memory_format not in ("contiguous", "channels_last"):
        raise InputError("script", f"the memory format {memory_format!r} is not known", "contiguous or channels_last")
    info = config.dataset_info()
    input_shape = NETWORKS[config.network.name].fit(info, config.network.params)
    channels_last = memory_format == "channels_last" and len(input_shape) == 3
    setting = Setting(_device(config, device), channels_last, _autocast(config, precision, device))
    length = length_of(config, info, stopped_after=stopped_after)
    steering = steering_of(config, interventions_of(config, interventions), length)
    data = dataset_source(info, config.dataset.params, input_shape, channels_last=channels_last)
    loss = loss_source(config.loss.name, info, config.loss.params)
    outputs = LOSSES[config.loss.name].outputs(info)
    network = network_source(config.network.name, input_shape, outputs, config.network.params)
    optimizer = optimizer_source(config.optimizer.name, config.optimizer.params, device=setting.device)
    patience = config.training.patience if stopped_after is None else 0
    loop = Loop(
        config=config,
        info=info,
        setting=setting,
        length=length,
        steering=steering,
        network=network.make,
        optimizer=optimizer.make,
        classes=loss.classes,
        data=data.needs,
        patience=patience,
    )
    settings = [
        constants(config, setting, length, patience=patience, threads=threads),
        step_constants(length, steering.code),
    ]
    sections = [
        "\n".join(filter(None, settings)),
        _initial(config),
        data.code,
        network.code,
        loss.code,
        optimizer.code,
        steering.code,
        fill(SET_LEARNING_RATE) if "set_learning_rate" in loop.main() else "",
        loop.evaluate(),
        fill(_WEIGHT_HASH),
        loop.main(),
    ]
    body = "\n\n\n".join(section for section in sections if section)
    head = _docstring(config, data, threads=threads, setting=setting)
    return f"{head}\n\n{_imports(body)}\n\n{body}\n"


def _device(config: RunConfig, told: str) -> str:
    name = told.split(" ")[0].lower() or config.training.device
    name = "cpu" if name == "auto" else name
    if name not in ("cpu", "cuda", "mps"):
        raise InputError("script", f"the device {told!r} is not known", "CPU, CUDA or MPS")
    return name


def _autocast(config: RunConfig, told: str, device: str) -> str:
    """The dtype of the lower precision; empty where there is none."""
    if told.startswith("mixed "):
        dtype = told.removeprefix("mixed ")
        if dtype not in ("bfloat16", "float16"):
            raise InputError("script", f"the precision {told!r} is not known", "mixed bfloat16 or mixed float16")
        return dtype
    if told == "float32" or (not told and config.training.precision == "float32"):
        return ""
    if told:
        raise InputError("script", f"the precision {told!r} is not known", "float32, mixed bfloat16 or mixed float16")
    return "float16" if _device(config, device) == "mps" else "bfloat16"


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


def _docstring(config: RunConfig, data: DatasetSource, *, threads: int, setting: Setting) -> str:
    network, dataset = NETWORKS[config.network.name].label, DATASETS[config.dataset.name].label
    optimizer, loss = OPTIMIZERS[config.optimizer.name].label, LOSSES[config.loss.name].label
    how = setting.device.upper() if setting.moved else f"{threads} thread{'s' * (threads > 1)}"
    with_what = ["images laid out channels last"] if setting.channels_last else []
    with_what += [f"mixed precision, {setting.autocast}"] if setting.autocast else []
    how += f", with {' and '.join(with_what)}" if with_what else ""
    about = (
        f"It repeats a run of Learnscope and needs nothing but PyTorch{_and_others(config)}. That run had PyTorch "
        f"{_torch_version()} on {how}. With the same on the same kind of processor the weights come out "
        "equal to the last bit; with others the last digits differ."
    )
    pieces = [
        wrapped(f'"""{network} on {dataset}, trained with {optimizer}. Loss: {loss[:1].lower()}{loss[1:]}.', LINE),
        wrapped(about, LINE),
        f"    python script.py{' --data FOLDER' if data.needs else ''}",
        data.note,
    ]
    return "\n\n".join(filter(None, pieces)) + '\n"""'


def _and_others(config: RunConfig) -> str:
    downloaded = (
        config.dataset.name not in ("mnist",) and config.dataset_info().is_image and not config.dataset_info().raw
    )
    return " and torchvision" if downloaded or config.network.name == "resnet18" else ""


def _torch_version() -> str:
    """As it is installed here, without importing it."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return "of an unknown version"
