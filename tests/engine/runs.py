"""What the tests of runs share: small set-ups, small images, a run in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from engine.catalog import Catalog, Params
from engine.config import RunConfig, make_config
from engine.control import RunControl
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetEntry, Loading, Samples
from engine.datasets.library import Library
from engine.events import Event, Preparing, StepFinished
from engine.training import train

PATIENCE = 30.0  # seconds until a run that does not move is given up
TRAIN, VALIDATION, TEST = 64, 16, 32  # images in each split of a tiny dataset

E = TypeVar("E")


def toy_config(picks: Mapping[str, str] | None = None, **settings: object) -> RunConfig:
    """`mlp` with eight hidden units on 400 points, nothing measured; settings as `part__param`."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    picks = {"dataset": "gaussians", "network": "mlp", **(picks or {})}
    small = {"network.hidden": (8,)} if picks["network"] == "mlp" else {}
    return make_config(picks, {"training.threads": 1, "training.memory_format": "contiguous", **small, **given})


def tiny(entry: DatasetEntry) -> DatasetEntry:
    """The same images in kind, made up and few."""

    def load(params: Params) -> Loading:
        yield Preparing("Making samples")
        info = entry.info(params)
        generator = torch.Generator().manual_seed(0)
        dtype = torch.float32 if info.raw else torch.uint8
        splits = [
            Samples(
                torch.randint(256, (size, *info.shape), dtype=dtype, generator=generator),
                torch.randint(len(info.classes), (size,), generator=generator),
            )
            for size in (TRAIN, VALIDATION if info.validation_size else 0, TEST)
        ]
        return Dataset(info, *splits)

    return replace(entry, load=load)


def tiny_library() -> Library:
    """All datasets, with images made up."""
    entries = [tiny(entry) if entry.info({}).is_image else entry for entry in DATASETS]
    return Library(catalog=Catalog("dataset", DatasetEntry, entries))


def of_kind(events: Iterable[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def losses(events: Iterable[Event]) -> list[float]:
    return [event.loss for event in of_kind(events, StepFinished)]


def dataset_of(config: RunConfig, library: Library | None = None) -> Dataset:
    """The dataset of `config`, loaded."""
    loading = (library or Library()).load(config.dataset.name, config.dataset.params)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            data: Dataset = end.value
            return data


class RunInThread:
    """A run on a thread of its own; leaving the context stops it and waits for its end."""

    def __init__(
        self,
        config: RunConfig,
        library: Library | None = None,
        *,
        paused: bool = False,
        speed: float | None = None,
    ) -> None:
        self.control = RunControl()
        self.control.set_speed(speed)
        if paused:
            self.control.pause()
        self.events: list[Event] = []
        self.failure: BaseException | None = None
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(config, library), name="run under test", daemon=True)

    def __enter__(self) -> RunInThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.control.stop()
        self.join()

    def wait_until(self, happened: Callable[[list[Event]], object]) -> None:
        """Returns as soon as `happened` with the events so far."""
        with self._condition:
            assert self._condition.wait_for(lambda: happened(self.events) or not self._thread.is_alive(), PATIENCE)
            assert happened(self.events), self.events[-3:]

    def join(self) -> Event:
        """The last event, once the run has ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"the run hangs after {self.events[-1:]}"
        assert self.failure is None, self.failure
        return self.events[-1]

    def _run(self, config: RunConfig, library: Library | None) -> None:
        try:
            for event in train(config, self.control, library=library):
                with self._condition:
                    self.events.append(event)
                    self._condition.notify_all()
        except BaseException as failure:  # told to the test, which would otherwise only see a thread that ended
            self.failure = failure
        finally:
            with self._condition:
                self._condition.notify_all()
