"""What is on screen as files: pictures as PNG and SVG, a run's numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator

from gui.run_state import RunState
from gui.series import SMOOTHING

PNG_DENSITY = 2.0  # picture pixels for one pixel on screen

Draw = Callable[[QPainter], None]


def png(draw: Draw, size: QSize) -> bytes:
    """What `draw` paints on a ground of `size`, at twice the density, as a PNG file's contents."""
    image = QImage(size * PNG_DENSITY, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(PNG_DENSITY)
    image.fill(0)
    with QPainter(image) as painter:
        draw(painter)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(buffer.data().data())


def svg(draw: Draw, size: QSize, *, title: str) -> bytes:
    """What `draw` paints on a ground of `size` as an SVG file's contents: lines and text, no pixels."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)  # Tiny 1.2, the default, has no clipping
    generator.setOutputDevice(buffer)
    generator.setSize(size)
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    with QPainter(generator) as painter:
        draw(painter)
    return bytes(buffer.data().data())


def curves_csv(state: RunState, *, weight_index: int) -> bytes:
    """A run's curves as CSV (RFC 4180, UTF-8): a row for each step at which something is known, by step.

    What is not known at a step is empty; a value that was not a number is `nan` or `inf`. `train_loss_…` is of the
    steps `train_first_step` … `step`: a single step's in a run of up to 4,096. `…_smoothed_W` is the moving average of
    all single values, with weight W = SMOOTHING[`weight_index`]. Epochs are fractions; accuracies are in 0 … 1.
    """
    loss, accuracy, weight = state.loss, state.accuracy, f"{SMOOTHING[weight_index]:g}"
    evaluations = state.evaluations
    sources: list[tuple[list[int], list[float], dict[str, list[float] | list[float | None]]]] = [
        (
            loss.last_steps.tolist(),
            loss.seconds.tolist(),
            {
                "train_first_step": loss.first_steps.tolist(),
                "train_loss_min": loss.lows.tolist(),
                "train_loss_max": loss.highs.tolist(),
                "train_loss_mean": loss.means.tolist(),
                "train_loss_last": loss.lasts.tolist(),
                f"train_loss_smoothed_{weight}": loss.smoothed(weight_index).tolist(),
                "learning_rate": state.learning_rate.lasts.tolist(),
            },
        ),
        (
            accuracy.last_steps.tolist(),
            accuracy.seconds.tolist(),
            {
                "train_accuracy_min": accuracy.lows.tolist(),
                "train_accuracy_max": accuracy.highs.tolist(),
                "train_accuracy_last": accuracy.lasts.tolist(),
                f"train_accuracy_smoothed_{weight}": accuracy.smoothed(weight_index).tolist(),
            },
        ),
        (
            [e.step for e in evaluations],
            [e.seconds for e in evaluations],
            {
                "epoch_train_loss": [e.train_loss for e in evaluations],
                "validation_loss": [e.validation_loss for e in evaluations],
                "validation_accuracy": [e.validation_accuracy for e in evaluations],
                "test_loss": [e.test_loss for e in evaluations],
                "test_accuracy": [e.test_accuracy for e in evaluations],
            },
        ),
    ]
    per_epoch = max(state.steps_per_epoch, 1)
    rows: dict[int, dict[str, object]] = {}
    for steps, seconds, columns in sources:
        for step, second, *values in zip(steps, seconds, *columns.values(), strict=True):
            row = rows.setdefault(step, {"step": step, "epoch": step / per_epoch, "seconds": second})
            row.update(zip(columns, values, strict=True))
    for change in state.interventions:
        row = rows.setdefault(change.step, {"step": change.step, "epoch": change.step / per_epoch})
        said = [str(row["intervention"])] if "intervention" in row else []
        row["intervention"] = "; ".join([*said, f"{change.name} {change.old} → {change.new}"])
    text = io.StringIO(newline="")
    names = [name for _, _, columns in sources for name in columns]
    writer = csv.DictWriter(text, ["step", "epoch", "seconds", *names, "intervention"], restval="")
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return text.getvalue().encode()
