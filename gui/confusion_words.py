"""What the confusion matrix's panel says, and its numbers as rows."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from engine.inspection.confusion import Confusion
from gui import numbers
from gui.confusion_layout import Cell

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.live import LiveNetwork

NO_CONFIG = "There is a mistake in the set-up. Correct it to see what its network takes for what."
NO_TORCH = "The network is being made ready …"


def refusal(config: RunConfig | None, live: LiveNetwork | None) -> str:
    """Why there is nothing to count; empty where there is."""
    if config is None:
        return NO_CONFIG
    info = config.dataset_info()
    if not info.classes:
        return (
            f"{info.label} has numbers as targets, not classes, so nothing can be taken for something else. "
            "Choose a dataset with classes, such as MNIST, to see which of them the network confuses."
        )
    if not info.test_size:
        return f"{info.label} has no test samples to count."
    if live is None or live.info != info:
        return NO_TORCH
    return ""


def class_rows(confusion: Confusion) -> list[tuple[str, ...]]:
    """Each class's name, samples, recall and precision."""

    def share(value: float) -> str:
        return "–" if math.isnan(value) else numbers.percent(value)

    return [
        (name, numbers.count(samples), share(recall), share(precision))
        for name, samples, recall, precision in zip(
            confusion.classes,
            confusion.counts.sum(axis=1).tolist(),
            confusion.recall.tolist(),
            confusion.precision.tolist(),
            strict=True,
        )
    ]


def counted(confusion: Confusion, *, kind: str) -> str:
    """Of how many it is; `kind`: pictures or points."""
    every = numbers.count(confusion.of)
    return f"all {every} test {kind}" if confusion.whole else f"{numbers.count(confusion.done)} of {every} test {kind}"


def cell_title(confusion: Confusion, cell: Cell) -> str:
    """What has happened to the samples of a cell."""
    true, given = confusion.classes[cell.true], confusion.classes[cell.given]
    return f"{true} {'recognised' if cell.true == cell.given else f'taken for {given}'}"


def samples_note(confusion: Confusion, *, found: int, shown: int) -> str:
    """Which of a cell's samples are shown."""
    if not found:
        return "None of them." if confusion.whole else "None of them so far."
    if shown < found:
        return f"The first {shown} of {numbers.count(found)}, by their numbers in the test set:"
    return "By their numbers in the test set:"


def counts_csv(confusion: Confusion | None) -> bytes:
    """The counts as CSV (RFC 4180, UTF-8): a row for each true class, a column for each given one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if confusion is not None:
        writer.writerow(["true", *confusion.classes])
        for name, row in zip(confusion.classes, confusion.counts.tolist(), strict=True):
            writer.writerow([name, *row])
    return text.getvalue().encode()
