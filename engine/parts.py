"""The parts of a run and what each can be: a catalogue for every part, and the parameters of training itself."""

from __future__ import annotations

from collections.abc import Mapping

from engine.augmentation import AUGMENTATIONS
from engine.catalog import Catalog, Entry, Param
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.losses import LOSSES
from engine.networks import NETWORKS
from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES

TRAINING_PARAMS = (
    Param(
        name="batch_size",
        kind="int",
        default=128,
        low=1,
        high=1_000_000,
        log=True,
        label="Batch size",
        help="Samples in one update. 1 is stochastic, the whole training set is batch gradient descent.",
    ),
    Param(
        name="epochs",
        kind="int",
        default=3,
        low=1,
        high=100_000,
        label="Epochs",
        help="Passes over the training set.",
    ),
    Param(
        name="steps",
        kind="int",
        default=0,
        low=0,
        high=1_000_000_000,
        label="Steps at most",
        help="Ends the run after so many updates, whichever comes first. 0: the epochs alone decide.",
    ),
    Param(
        name="seed",
        kind="int",
        default=0,
        low=0,
        high=2**31 - 1,
        label="Seed",
        help="Initial weights and the order of the data follow from it: the same seed repeats the run.",
    ),
    Param(
        name="shuffle",
        kind="bool",
        default=True,
        label="Shuffle",
        help="Draws another order of the training samples for every epoch. Off: they come as the dataset has them.",
    ),
    Param(
        name="device",
        kind="choice",
        default="auto",
        choices=("auto", "cpu", "cuda", "mps"),
        label="Device",
        help="Where the arithmetic happens. auto takes a GPU where there is one.",
    ),
    Param(
        name="precision",
        kind="choice",
        default="float32",
        choices=("float32", "mixed"),
        label="Precision",
        help="mixed: automatic mixed precision, which helps on CUDA and on CPUs with bfloat16.",
    ),
    Param(
        name="threads",
        kind="int",
        default=0,
        low=0,
        high=1024,
        label="CPU threads",
        help="0: the fastest number, measured on the first batch.",
    ),
    Param(
        name="memory_format",
        kind="choice",
        default="auto",
        choices=("auto", "contiguous", "channels_last"),
        label="Memory format",
        help="How images lie in memory. auto: the faster one, measured on the first batch.",
    ),
    Param(
        name="evaluate_first",
        kind="bool",
        default=True,
        label="Evaluate before the first step",
        help="Shows what the untrained network knows: nothing, ln(classes) for cross entropy.",
    ),
    Param(
        name="accuracy_every",
        kind="int",
        default=10,
        low=1,
        high=1_000_000,
        label="Batch accuracy every",
        help="Steps between two measurements of a training batch's accuracy, which cost a small network a little time.",
        unit="steps",
    ),
    Param(
        name="patience",
        kind="int",
        default=0,
        low=0,
        high=10_000,
        label="Early stopping patience",
        help="Stop after so many epochs without a better validation loss, and restore the best weights. 0: never.",
    ),
)

TRAINING = Entry(
    name="training", label="Training", summary="How long, how much at once, on what.", params=TRAINING_PARAMS
)

CATALOGS: Mapping[str, Catalog[Entry]] = {
    "dataset": DATASETS,
    "network": NETWORKS,
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
}

PARTS = (*CATALOGS, "training")
DEFAULT_DATASET = "mnist"
DEFAULT_NETWORK = "lenet5"
NO_AUGMENTATION = "none"


def params_of(part: str, name: str) -> tuple[Param, ...]:
    """The settings of the entry `name` in `part`; `training` has one entry of that name. Raises InputError."""
    if part == "training":
        return TRAINING_PARAMS
    if part not in CATALOGS:
        raise InputError(part, f"unknown part {part!r}", "known are " + ", ".join(PARTS))
    return CATALOGS[part][name].params
