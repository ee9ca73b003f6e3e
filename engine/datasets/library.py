"""Loaded datasets, kept in memory for the next run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from engine.catalog import Catalog
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetEntry, Loading
from engine.events import Preparing

_Key = tuple[str, tuple[tuple[str, object], ...]]

# How often someone who waits for another's loading says so, in seconds: each time is a chance to cancel.
_WAIT_SECONDS = 0.1


class Library:
    """Loads datasets and keeps the last ones used. One library serves several threads.

    Args:
        keep: how many datasets stay in memory.
        catalog: where the datasets come from.
    """

    def __init__(self, *, keep: int = 2, catalog: Catalog[DatasetEntry] = DATASETS) -> None:
        self._keep = keep
        self._catalog = catalog
        self._kept: OrderedDict[_Key, Dataset] = OrderedDict()
        self._loading: set[_Key] = set()
        self._changed = threading.Condition()

    def load(self, name: str, params: Mapping[str, object]) -> Loading:
        """The dataset `name` with these settings; missing ones are at their defaults.

        Returns at once what is still in memory. Where another thread is loading the same, waits for it; should that
        fail or be cancelled, loads it here. Closing the generator cancels. Raises InputError.
        """
        entry = self._catalog[name]
        resolved = entry.resolve(params, part="dataset")
        key: _Key = (name, tuple(sorted(resolved.items())))
        while True:
            with self._changed:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
                if key not in self._loading:
                    self._loading.add(key)
                    break
            yield Preparing(f"Waiting for {entry.label}, which is already being loaded")
            with self._changed:
                self._changed.wait_for(lambda: key not in self._loading, timeout=_WAIT_SECONDS)
        try:
            dataset = yield from entry.load(resolved)
            with self._changed:
                self._kept[key] = dataset
                while len(self._kept) > self._keep:
                    self._kept.popitem(last=False)
            return dataset
        finally:
            with self._changed:
                self._loading.discard(key)
                self._changed.notify_all()
