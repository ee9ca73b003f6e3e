"""Which classes a network takes for which."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from engine.datasets.data import Samples
from engine.errors import InputError
from engine.live import LiveNetwork

CHUNK = 1_000  # samples


def confusion_matrix(
    live: LiveNetwork, samples: Samples, *, wanted: Callable[[], bool] = lambda: True
) -> NDArray[np.int64] | None:
    """How often each class was taken for each, int64 (classes, classes): a row for the true, a column for the given.

    All answers are those of one moment, and a run under way is not disturbed.

    Args:
        live: the network that answers.
        samples: of its dataset.
        wanted: asked before every thousand samples; None is returned where it says no.

    Raises InputError in regression.
    """
    classes = len(live.info.classes)
    if not classes:
        raise InputError("dataset", f"{live.info.label} has no classes to confuse", "a dataset with classes")
    network = live.copy()
    found = torch.zeros(classes * classes, dtype=torch.int64)
    for start in range(0, len(samples), CHUNK):
        if not wanted():
            return None
        given = live.classify(samples.inputs[start : start + CHUNK], network)
        true = samples.targets[start : start + CHUNK]
        found += torch.bincount(true * classes + given, minlength=classes * classes)
    matrix: NDArray[np.int64] = found.view(classes, classes).numpy()
    matrix.flags.writeable = False
    return matrix
