"""What a dataset shows of itself before training: samples, sizes, class counts, the mean image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine.datasets.preview import DatasetPreview
from engine.inspection.augmented import AugmentedSamples
from gui import numbers
from gui.disclosure import Disclosure, TextButton
from gui.sample_charts import ClassCounts, PictureGrid, ScatterPlot
from gui.theme import SPACING, Theme

PROGRESS_HEIGHT = 4  # px
MEAN_SIZE = 64  # px
SCATTER_HEIGHT = 168  # px
STRIP_ROWS, DETAIL_ROWS = 2, 12  # rows of thumbnails at most


class DatasetPreviewView(QWidget):
    """One of three: the work of loading with its progress, the preview, or an error with the way out.

    Signals:
        cancelled(): the person does not want to wait.
        retry(): the person wants another try.
        redraw(): the person wants to see what another step would draw.
    """

    cancelled = Signal()
    retry = Signal()
    redraw = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dataset_preview")
        self._preview: DatasetPreview | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._pages = {"loading": self._loading_page(), "error": self._error_page(), "preview": self._preview_page()}
        for page in self._pages.values():
            column.addWidget(page)
        self.set_loading("Reading the dataset", None)

    def set_loading(self, text: str, done: float | None) -> None:
        """Show what is being done and how far it is: a share in 0 … 1, or None where that is not known."""
        self._loading_text.setText(f"{text} …" if done is None else f"{text} … {numbers.percent(done, 0)}")
        self._progress.setRange(0, 0 if done is None else 1000)
        if done is not None:
            self._progress.setValue(round(1000 * min(max(done, 0.0), 1.0)))
        self._show("loading")

    def set_error(self, text: str) -> None:
        """Show what went wrong, as a sentence, with a button for another try."""
        self._error_text.setText(text)
        self._show("error")

    def set_preview(self, preview: DatasetPreview) -> None:
        """Show a dataset's samples as they are."""
        self._preview = preview
        info = preview.info
        caption = summary(preview)
        self._caption.setText(caption)
        self.setAccessibleDescription(f"{info.label}: {caption}")
        labels = [_class_name(info.classes, int(label)) for label in preview.thumbnail_labels]
        images = len(preview.thumbnails) > 0
        self._thumbnails.setVisible(images)
        self._scatter.setVisible(not images)
        self._more_samples.setVisible(images)
        self._mean.setVisible(images)
        self._mean_label.setVisible(images)
        if images:
            first = first_of_each(preview.thumbnail_labels)
            self._thumbnails.set_pictures(preview.thumbnails[first], [labels[i] for i in first])
            self._more_samples.set_pictures(preview.thumbnails, labels)
            mean = np.clip(np.rint(preview.mean_image), 0, 255).astype(np.uint8)
            self._mean.set_pictures(mean[None], ["The mean of the training images"])
        self.set_augmented(None)
        self._splits.setText(split_sizes(preview))
        self._counts.setVisible(bool(info.classes))
        self._counts.set_counts(preview.counts, info.classes)
        self._show("preview")

    def set_augmented(self, samples: AugmentedSamples | None) -> None:
        """Show what training makes of the samples; None where it takes them as they are."""
        preview = self._preview
        if preview is None:
            return
        pictures = samples is not None and len(samples.pictures) > 0
        self._augmented.setVisible(pictures)
        self._augmented_row.setVisible(samples is not None)
        if samples is not None and pictures:
            first = first_of_each(preview.thumbnail_labels)
            labels = [_class_name(preview.info.classes, int(preview.thumbnail_labels[i])) for i in first]
            self._augmented.set_pictures(samples.pictures, labels)
        elif not len(preview.thumbnails):
            points = preview.points if samples is None else samples.points
            self._scatter.set_points(points, preview.point_labels, classes=preview.info.classes)

    def set_theme(self, theme: Theme) -> None:
        for chart in (self._augmented, self._thumbnails, self._more_samples, self._mean, self._scatter, self._counts):
            chart.set_theme(theme)

    def _show(self, name: str) -> None:
        for key, page in self._pages.items():
            page.setVisible(key == name)

    def _loading_page(self) -> QWidget:
        page, column = _page(self)
        row = QHBoxLayout()
        self._loading_text = _label(page, role="secondary")
        self._loading_text.setObjectName("dataset_loading")
        cancel = QPushButton("Cancel", page)
        cancel.setObjectName("dataset_cancel")
        cancel.setProperty("role", "quiet")
        cancel.setToolTip("<p>Stop loading. What was half downloaded is removed.</p>")
        cancel.clicked.connect(self.cancelled)
        row.addWidget(self._loading_text, 1)
        row.addWidget(cancel)
        self._progress = QProgressBar(page)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(PROGRESS_HEIGHT)
        self._progress.setAccessibleName("Progress of loading")
        column.addLayout(row)
        column.addWidget(self._progress)
        return page

    def _error_page(self) -> QWidget:
        page, column = _page(self)
        self._error_text = _label(page, role="error")
        self._error_text.setObjectName("dataset_problem")
        again = QPushButton("Try again", page)
        again.setObjectName("dataset_retry")
        again.clicked.connect(self.retry)
        column.addWidget(self._error_text)
        column.addWidget(again, alignment=Qt.AlignmentFlag.AlignLeft)
        return page

    def _preview_page(self) -> QWidget:
        page, column = _page(self)
        self._thumbnails = PictureGrid(rows=STRIP_ROWS, smallest=20, parent=page)
        self._thumbnails.setAccessibleName("One sample of each class")
        self._scatter = ScatterPlot(parent=page)
        self._scatter.setFixedHeight(SCATTER_HEIGHT)
        self._scatter.setAccessibleName("Training points")
        self._augmented = PictureGrid(rows=STRIP_ROWS, smallest=20, parent=page)
        self._augmented.setAccessibleName("The same samples, augmented")
        self._augmented.setVisible(False)
        self._augmented_row = self._redraw_row(page)
        details = self._details(page)
        row = QHBoxLayout()
        self._caption = _label(page, role="note")
        self._caption.setObjectName("dataset_summary")
        row.addWidget(self._caption, 1)
        self.details = Disclosure("Details", details, page)
        self.details.setObjectName("dataset_details")
        self.details.setToolTip("<p>Sizes of the splits, samples of each class, the mean image</p>")
        row.addWidget(self.details)
        column.addWidget(self._thumbnails)
        column.addWidget(self._scatter)
        column.addWidget(self._augmented)
        column.addWidget(self._augmented_row)
        column.addLayout(row)
        column.addWidget(details)
        return page

    def _redraw_row(self, page: QWidget) -> QWidget:
        row = QWidget(page)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        note = _label(row, role="note")
        note.setText("As one step of training sees them")
        again = TextButton("Draw again", row)
        again.setObjectName("augmentation_redraw")
        again.setToolTip("<p>Show what the augmentation makes of the same samples in another step.</p>")
        again.clicked.connect(self.redraw)
        line.addWidget(note, 1)
        line.addWidget(again)
        row.setVisible(False)
        return row

    def _details(self, page: QWidget) -> QWidget:
        details, column = _page(page)
        self._splits = _label(details, role="note")
        self._splits.setObjectName("dataset_splits")
        self._counts = ClassCounts(parent=details)
        self._counts.setAccessibleName("Training samples of each class")
        self._mean = PictureGrid(rows=1, smallest=MEAN_SIZE, parent=details)
        self._mean.setFixedSize(MEAN_SIZE, MEAN_SIZE)
        self._mean.setAccessibleName("Mean image")
        self._mean_label = _label(details, role="note")
        self._mean_label.setText("Mean of the\ntraining images")
        self._more_samples = PictureGrid(rows=DETAIL_ROWS, smallest=22, parent=details)
        self._more_samples.setAccessibleName("Samples, class by class")
        mean_row = QHBoxLayout()
        mean_row.setSpacing(2 * SPACING)
        mean_row.addWidget(self._mean)
        mean_row.addWidget(self._mean_label, 1)
        for piece in (self._splits, self._counts):
            column.addWidget(piece)
        column.addLayout(mean_row)
        column.addWidget(self._more_samples)
        return details


def summary(preview: DatasetPreview) -> str:
    """60 000 · 28×28 · 10 classes: samples to train and validate with, the size of one, the kinds there are."""
    info = preview.info
    size = "×".join(str(n) for n in info.shape[1:]) if info.is_image else f"{info.shape[0]} numbers"
    if info.is_image and info.shape[0] == 3:
        size += " colour"
    kinds = f"{len(info.classes)} classes" if info.classes else "regression"
    used = int(np.count_nonzero(preview.counts.sum(axis=0)))
    if used < len(info.classes):
        kinds += f", {used} with samples"
    return f"{numbers.count(info.train_size + info.validation_size)} · {size} · {kinds}"


def split_sizes(preview: DatasetPreview) -> str:
    """Training 55 000 · validation 5 000 · test 10 000."""
    info = preview.info
    validation = f"validation {numbers.count(info.validation_size)}" if info.validation_size else "no validation"
    return f"Training {numbers.count(info.train_size)} · {validation} · test {numbers.count(info.test_size)}"


def first_of_each(labels: NDArray[np.int64]) -> list[int]:
    """Positions of the first sample of each class, in the order of the classes."""
    return [int(i) for i in np.unique(labels, return_index=True)[1]]


def _class_name(classes: tuple[str, ...], label: int) -> str:
    return classes[label] if 0 <= label < len(classes) else ""


def _page(parent: QWidget) -> tuple[QWidget, QVBoxLayout]:
    page = QWidget(parent)
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACING)
    return page, column


def _label(parent: QWidget, *, role: str) -> QLabel:
    label = QLabel(parent)
    label.setProperty("role", role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
