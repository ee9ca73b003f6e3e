"""Datasets by name. Importing this imports no torch; loading one does."""

from __future__ import annotations

from engine.catalog import Catalog
from engine.datasets.data import DatasetEntry
from engine.datasets.downloaded import DOWNLOADED
from engine.datasets.mnist import MNIST
from engine.datasets.patterns import TWO_PATTERNS
from engine.datasets.toy import TOYS
from engine.datasets.tutorials import TUTORIALS

DATASETS: Catalog[DatasetEntry] = Catalog(
    "dataset", DatasetEntry, (MNIST, *DOWNLOADED, *TOYS, *TUTORIALS, TWO_PATTERNS), group="learnscope.datasets"
)
