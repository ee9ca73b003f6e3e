"""What the window asks about datasets and networks. Plain functions for another thread; torch is loaded there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.library import Library
from gui.bridge.answerer import Asked, Cancelled, Report

if TYPE_CHECKING:
    from engine.config import Choice, RunConfig
    from engine.datasets.data import Dataset
    from engine.datasets.preview import DatasetPreview
    from engine.inspection.shapes import LayerTable
    from engine.live import LiveNetwork
    from engine.snapshots import FilterImages

Live = Callable[[], "LiveNetwork | None"]
"""The network that answers at the moment of the call."""


def loaded(library: Library, dataset: Choice, *, check: Callable[[], None], report: Report | None = None) -> Dataset:
    """A dataset, downloaded where it must be.

    Args:
        check: called every now and then; what it raises ends the loading.

    Raises InputError.
    """
    with closing(library.load(dataset.name, dataset.params)) as loading:
        while True:
            check()
            try:
                progress = next(loading)
            except StopIteration as end:
                found: Dataset = end.value
                return found
            if report is not None:
                report(progress.what, progress.done)


def preview(asked: Asked, library: Library, dataset: Choice) -> DatasetPreview:
    """A dataset in sum, loaded where it must be. Raises InputError and Cancelled."""
    from engine.datasets.preview import make_preview

    return make_preview(loaded(library, dataset, check=asked.check, report=asked.report))


def sample(asked: Asked, library: Library, dataset: Choice, number: int) -> NDArray[Any]:
    """Test sample `number` modulo their count as a picture, (H, W) or (H, W, 3). Raises InputError and Cancelled."""
    from engine.datasets.preview import picture_of_test

    return picture_of_test(loaded(library, dataset, check=asked.check), number)


def layers(config: RunConfig) -> LayerTable:
    """The layers of the network of `config`. Raises InputError."""
    from engine.assembly import describe_network

    return describe_network(config)


def untrained(config: RunConfig) -> LiveNetwork:
    """The network of `config` as its run would begin. Raises InputError."""
    from engine.live import untrained

    return untrained(config)


def prediction(picture: np.ndarray, live: Live) -> tuple[np.ndarray, np.ndarray]:
    """What the network receives for a picture, (C, H, W), and its answer, float32. Raises Cancelled if there is none.

    Args:
        picture: uint8 (H, W) or (H, W, 3).
    """
    from engine.predict import to_sample

    network = live()
    if network is None or not network.info.is_image:
        raise Cancelled
    received = to_sample(picture, network.info)
    if received is None:
        raise Cancelled
    return received, network.predict(received)


def filters(layer: str, live: Live) -> tuple[FilterImages, FilterImages]:
    """A layer's filters now and before the first step. Raises Cancelled if there is no such layer."""
    network = live()
    if network is None or layer not in [known.name for known in network.layers]:
        raise Cancelled
    return network.filters(layer), network.initial_filters(layer)
