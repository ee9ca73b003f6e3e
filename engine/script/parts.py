"""The parts of a run, each with its source under plain names: one for a run from its seed, more for a branch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from engine.config import RunConfig
from engine.errors import InputError
from engine.events import Intervened
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.rewind.snapshots import Recorded
from engine.script.augmentation import augmentation_source
from engine.script.begin import Beginning
from engine.script.blocks import blocks_of
from engine.script.datasets import DatasetSource, dataset_source
from engine.script.interventions import interventions_of
from engine.script.layout import fill
from engine.script.loop import SET_LEARNING_RATE, Loop, Setting
from engine.script.losses import loss_source
from engine.script.networks import network_source
from engine.script.optimizers import optimizer_source
from engine.script.past import Entry, Past, entry_of
from engine.script.plan import length_of, steering_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a part is made of: a run, from where it begins to where it ends or another one branches off.

    Attributes:
        stop: the step after which it ends before its time, where it does.
        within: it ends before the evaluation there.
        past: what it goes on from.
        last: no other one branches off.
    """

    config: RunConfig
    interventions: Sequence[Intervened | Recorded]
    threads: int
    memory_format: str
    device: str
    precision: str
    stop: int | None
    within: bool
    past: Past | None
    last: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part's source. Sections are lists of definitions."""

    beginning: Beginning
    data: DatasetSource
    sections: tuple[list[str], ...]

    @property
    def main(self) -> list[str]:
        """The pieces of `main`."""
        loop = self.beginning.loop
        return [self.beginning.lines(), loop.epochs(), loop.after() if loop.last else ""]


def stretches_of(last: Stretch) -> list[Stretch]:
    """All of a run, the first part first. Raises InputError where there are too many."""
    found = [last]
    for past in last.past.line() if last.past is not None else ():
        found.append(
            Stretch(
                config=past.config,
                # What was changed at the step of the branch itself is part of the branch's set-up.
                interventions=[item for item in past.interventions if item.step < past.step],
                threads=past.threads,
                memory_format=past.memory_format,
                device=past.device,
                precision=past.precision,
                stop=past.step,
                within=past.left_open,
                past=past.past,
                last=False,
            )
        )
    return found[::-1]


def parts_of(stretches: Sequence[Stretch], options: Sequence[str]) -> list[Part]:
    """The source of each. `options`: for the folder of each one's data, as Python has them; empty without a folder.

    Raises InputError where it cannot be written.
    """
    entries = [None if run.past is None else entry_of(run.past, run.config) for run in stretches]
    patience = _patience(stretches, entries)
    found: list[Part] = []
    for number, (run, entry) in enumerate(zip(stretches, entries, strict=True), start=1):
        before = found[-1].beginning if found else None
        made = _part(
            run, entry, patience=patience[number - 1], number=number if stretches[1:] else 0, option=options[number - 1]
        )
        if before is not None:
            _refuse_unlike(before, made.beginning)
            if _layers(found[-1]) != _layers(made):
                raise InputError(
                    "script", "the network of the branch is another one for samples of its dataset's shape"
                )
            made = replace(made, beginning=replace(made.beginning, past=run.past, before=before))
        found.append(made)
    return found


def setting_of(run: Stretch) -> Setting:
    """Where and how it computed. Raises InputError for what no run says of itself."""
    if type(run.threads) is not int or run.threads < 1:
        raise InputError("script", f"{run.threads!r} threads", "1 or more")
    if run.memory_format not in ("contiguous", "channels_last"):
        raise InputError(
            "script", f"the memory format {run.memory_format!r} is not known", "contiguous or channels_last"
        )
    shape = NETWORKS[run.config.network.name].fit(run.config.dataset_info(), run.config.network.params)
    channels_last = run.memory_format == "channels_last" and len(shape) == 3
    return Setting(_device(run), channels_last, _autocast(run))


def _patience(stretches: Sequence[Stretch], entries: Sequence[Entry | None]) -> list[int]:
    """Of early stopping in each part; 0 where nothing follows from it."""
    found = [0] * len(stretches)
    # A run that a person ended could not end by itself: nothing is to be remembered for that.
    heeded = stretches[-1].stop is None
    for place in range(len(stretches) - 1, -1, -1):
        found[place] = stretches[place].config.training.patience if heeded else 0
        entry = entries[place]
        heeded = bool(found[place] and entry is not None and entry.keeps_best)
    return found


def _part(run: Stretch, entry: Entry | None, *, patience: int, number: int, option: str) -> Part:
    config = run.config
    setting = setting_of(run)
    info = config.dataset_info()
    input_shape = NETWORKS[config.network.name].fit(info, config.network.params)
    length = length_of(config, info, stopped_after=run.stop, within=run.within)
    steering = steering_of(config, interventions_of(config, run.interventions), length)
    data = dataset_source(info, config.dataset.params, input_shape, channels_last=setting.channels_last)
    loss = loss_source(config.loss.name, info, config.loss.params)
    outputs = LOSSES[config.loss.name].outputs(info)
    network = network_source(config.network.name, input_shape, outputs, config.network.params)
    optimizer = optimizer_source(config.optimizer.name, config.optimizer.params, device=setting.device)
    loop = Loop(
        config=config,
        info=info,
        setting=setting,
        length=length,
        steering=steering,
        entry=entry,
        last=run.last,
        classes=loss.classes,
        patience=patience,
    )
    beginning = Beginning(
        loop=loop,
        number=number,
        network=network.make,
        optimizer=optimizer.make,
        load=f"load_data({option})",
        threads=run.threads,
    )
    augment = augmentation_source(config.augmentation, info, channels_last=setting.channels_last, moved=setting.moved)
    sections = (data.code, network.code, loss.code, optimizer.code, steering.code, augment, loop.evaluate())
    found = [blocks_of(section) for section in sections]
    if config.optimizer.name == "asgd":
        found[4].append(fill(SET_LEARNING_RATE))
    return Part(beginning, data, tuple(found))


def _refuse_unlike(before: Beginning, now: Beginning) -> None:
    """Raises InputError where a branch computes in a way that its past did not, and the script cannot follow."""
    was, setting, entry = before.loop.setting, now.loop.setting, now.loop.entry
    assert entry is not None
    if was.device != setting.device:
        raise InputError(
            "script", f"the run branches off from one on another device ({was.device}, then {setting.device})"
        )
    if was.channels_last != setting.channels_last and not entry.begins_optimizer:
        raise InputError(
            "script", "the run branches off from one that laid out images in another way, and keeps its optimizer"
        )


def _layers(part: Part) -> list[str]:
    """The network's source without what it tells a reader of shapes."""
    return [re.sub(r" *#.*", "", block) for block in part.sections[1]]


def _device(run: Stretch) -> str:
    name = run.device.split(" ")[0].lower() or run.config.training.device
    name = "cpu" if name == "auto" else name
    if name not in ("cpu", "cuda", "mps"):
        raise InputError("script", f"the device {run.device!r} is not known", "CPU, CUDA or MPS")
    return name


def _autocast(run: Stretch) -> str:
    """The dtype of the lower precision; empty where there is none."""
    told = run.precision
    if told.startswith("mixed "):
        dtype = told.removeprefix("mixed ")
        if dtype not in ("bfloat16", "float16"):
            raise InputError("script", f"the precision {told!r} is not known", "mixed bfloat16 or mixed float16")
        return dtype
    if told == "float32" or (not told and run.config.training.precision == "float32"):
        return ""
    if told:
        raise InputError("script", f"the precision {told!r} is not known", "float32, mixed bfloat16 or mixed float16")
    return "float16" if _device(run) == "mps" else "bfloat16"


def names_of_options(datasets: Iterable[tuple[str, bool]]) -> list[str]:
    """What each part's option for its folder is called, `--data` or `--data-2`; empty without one.

    Args:
        datasets: of the parts: the name, and whether it is read from a folder.
    """
    found: dict[str, str] = {}
    names = []
    for name, read in datasets:
        if read and name not in found:
            found[name] = f"--data-{len(found) + 1}" if found else "--data"
        names.append(found[name] if read else "")
    return names
