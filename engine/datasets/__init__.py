"""Datasets by name. Importing this imports no torch; loading one does."""

from __future__ import annotations

from engine.catalog import Catalog
from engine.datasets.data import DatasetEntry
from engine.datasets.downloaded import DOWNLOADED
from engine.datasets.mnist import MNIST
from engine.datasets.toy import TOYS

DATASETS: Catalog[DatasetEntry] = Catalog(
    "dataset", DatasetEntry, (MNIST, *DOWNLOADED, *TOYS), group="learnscope.datasets"
)
