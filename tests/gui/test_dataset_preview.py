"""What a dataset shows of itself, and while it is loading, and when it cannot be had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QLabel, QProgressBar, QWidget
from pytestqt.qtbot import QtBot

from engine.datasets.data import DatasetInfo
from engine.datasets.preview import DatasetPreview
from gui.numbers import THIN
from gui.sample_charts import LARGEST, ClassCounts, PictureGrid, ScatterPlot, to_image
from gui.theme import DARK, LIGHT
from gui.views.dataset_preview import DatasetPreviewView, first_of_each, split_sizes, summary

DIGITS = DatasetInfo(
    name="digits",
    label="Digits",
    shape=(1, 8, 8),
    classes=tuple("0123"),
    mean=(0.0,),
    std=(1.0,),
    train_size=55_000,
    validation_size=5_000,
    test_size=10_000,
)
POINTS = replace(
    DIGITS, name="points", label="Points", shape=(2,), classes=("orange", "blue"), train_size=500, validation_size=0
)


def images(info: DatasetInfo = DIGITS) -> DatasetPreview:
    """Two flat grey thumbnails a class, their grey telling the class."""
    labels = np.repeat(np.arange(len(info.classes)), 2)
    return DatasetPreview(
        info=info,
        counts=np.array([[4, 3, 2, 1], [1, 1, 1, 1], [2, 2, 2, 2]]),
        thumbnails=np.repeat((50 * labels + 50).astype(np.uint8), 64).reshape(-1, 8, 8),
        thumbnail_labels=labels,
        mean_image=np.full((8, 8), 254.6, np.float32),
        points=np.empty((0, 2), np.float32),
        point_labels=np.empty(0, np.int64),
    )


def points() -> DatasetPreview:
    return DatasetPreview(
        info=POINTS,
        counts=np.array([[250, 250], [0, 0], [250, 250]]),
        thumbnails=np.empty((0, 0, 0), np.uint8),
        thumbnail_labels=np.empty(0, np.int64),
        mean_image=np.empty((0, 0), np.float32),
        points=np.array([[-6, -6], [6, 6]], np.float32),
        point_labels=np.array([0, 1]),
    )


@pytest.fixture
def view(qtbot: QtBot) -> DatasetPreviewView:
    view = DatasetPreviewView()
    qtbot.addWidget(view)
    view.resize(280, 400)
    view.show()
    return view


def child(view: QWidget, name: str) -> QWidget:
    found = view.findChild(QWidget, name)
    assert isinstance(found, QWidget)
    return found


def words(view: QWidget, name: str) -> str:
    label = child(view, name)
    assert isinstance(label, QLabel)
    return label.text() if label.isVisible() else ""


def chart_colors(chart: QWidget) -> set[str]:
    image = chart.grab().toImage()
    return {QColor(image.pixel(x, y)).name() for x in range(image.width()) for y in range(image.height())}


def test_a_new_view_says_that_it_is_loading(view: DatasetPreviewView) -> None:
    assert words(view, "dataset_loading") == "Reading the dataset …"


def test_progress_is_shown_and_can_be_cancelled(view: DatasetPreviewView, qtbot: QtBot) -> None:
    bar = view.findChild(QProgressBar)
    assert isinstance(bar, QProgressBar)
    assert bar.maximum() == 0
    view.set_loading("Downloading", 0.25)
    assert bar.value() / bar.maximum() == 0.25
    assert words(view, "dataset_loading") == f"Downloading … 25{THIN}%"
    with qtbot.waitSignal(view.cancelled):
        button = child(view, "dataset_cancel")
        assert isinstance(button, QAbstractButton)
        button.click()


def test_an_error_offers_another_try(view: DatasetPreviewView, qtbot: QtBot) -> None:
    view.set_error("There is no network.")
    assert words(view, "dataset_problem") == "There is no network."
    assert not child(view, "dataset_cancel").isVisible()
    button = child(view, "dataset_retry")
    assert isinstance(button, QAbstractButton)
    with qtbot.waitSignal(view.retry):
        button.click()


def test_images_show_one_of_each_class_and_sizes(view: DatasetPreviewView) -> None:
    view.set_preview(images())
    assert words(view, "dataset_summary") == f"60{THIN}000 · 8×8 · 4 classes"
    assert not child(view, "dataset_loading").isVisible()
    strip = next(grid for grid in view.findChildren(PictureGrid) if grid.isVisible())
    assert {"#323232", "#646464", "#969696", "#c8c8c8"} <= chart_colors(strip)


def test_details_unfold_to_splits_counts_and_mean(view: DatasetPreviewView) -> None:
    view.set_preview(images())
    assert words(view, "dataset_splits") == ""
    view.details.click()
    assert words(view, "dataset_splits") == f"Training 55{THIN}000 · validation 5{THIN}000 · test 10{THIN}000"
    mean = next(grid for grid in view.findChildren(PictureGrid) if grid.accessibleName() == "Mean image")
    assert chart_colors(mean) == {"#ffffff"}


def test_points_are_drawn_in_the_colours_of_their_classes(view: DatasetPreviewView) -> None:
    view.set_theme(DARK)
    view.set_preview(points())
    scatter = view.findChild(ScatterPlot)
    assert isinstance(scatter, ScatterPlot)
    assert scatter.isVisible()
    assert not any(grid.isVisible() for grid in view.findChildren(PictureGrid))
    image = scatter.grab().toImage()
    halves = {"left": QColor(), "right": QColor()}
    for x in range(image.width()):
        for y in range(image.height() - 20):
            color = QColor(image.pixel(x, y))
            half = "left" if x < image.width() / 2 else "right"
            if color.saturation() > halves[half].saturation():
                halves[half] = color
    assert abs(halves["left"].hue() - QColor(DARK.validation).hue()) < 12  # class 0 is called orange
    assert abs(halves["right"].hue() - QColor(DARK.train).hue()) < 12  # class 1 is called blue


def test_bars_are_as_high_as_the_counts_and_tell_all_splits(qtbot: QtBot) -> None:
    chart = ClassCounts()
    qtbot.addWidget(chart)
    chart.resize(200, chart.height())
    chart.set_theme(LIGHT)
    chart.set_counts(images().counts, DIGITS.classes)
    image, blue = chart.grab().toImage(), QColor(LIGHT.train)
    heights = []
    for index in range(4):
        x = round((index + 0.5) * 200 / 4)
        heights.append(sum(QColor(image.pixel(x, y)) == blue for y in range(image.height())))
    assert heights == pytest.approx([heights[0] * share for share in (1, 0.75, 0.5, 0.25)], abs=1.5)
    assert heights[0] > 40
    assert chart.describe(QPointF(1, 30)) == "0: 4 training, 1 validation, 2 test"


@pytest.mark.parametrize("width", [200, 256, 340])
def test_thumbnails_fill_the_width_and_are_named(qtbot: QtBot, width: int) -> None:
    grid = PictureGrid(rows=2, smallest=22)
    qtbot.addWidget(grid)
    pictures = np.full((10, 8, 8, 3), 200, np.uint8)
    grid.set_pictures(pictures, [f"class {i}" for i in range(10)])
    grid.resize(width, grid.heightForWidth(width))
    named = {grid.describe(QPointF(x, 4)) for x in range(width)} - {""}
    assert len(named) >= min(10, width // 26)
    assert grid.describe(QPointF(width - 4, 4)) != ""
    assert grid.describe(QPointF(4, 4)) == "class 0"


def test_regression_without_classes_is_shown(view: DatasetPreviewView) -> None:
    info = replace(POINTS, classes=())
    view.set_preview(replace(points(), info=info, counts=np.empty((3, 0), np.int64), point_labels=np.array([-1, -1])))
    assert words(view, "dataset_summary").endswith("regression")
    assert not view.grab().isNull()


def test_sentences_of_sizes() -> None:
    assert summary(points()) == "500 · 2 numbers · 2 classes"
    assert summary(images(replace(DIGITS, shape=(3, 8, 8)))) == f"60{THIN}000 · 8×8 colour · 4 classes"
    assert split_sizes(points()) == f"Training 500 · no validation · test 10{THIN}000"
    assert first_of_each(np.array([0, 0, 2, 2, 3])) == [0, 2, 4]


def test_pictures_become_images_of_their_own() -> None:
    colour = np.zeros((2, 3, 3), np.uint8)
    colour[0, 1] = (10, 20, 30)
    image = to_image(colour)
    colour[:] = 0
    assert (image.width(), image.height()) == (3, 2)
    assert QColor(image.pixel(1, 0)) == QColor(10, 20, 30)


def test_classes_without_samples_are_told(view: DatasetPreviewView) -> None:
    preview = replace(images(), counts=np.array([[4, 3, 0, 0], [1, 1, 0, 0], [2, 2, 0, 0]]))
    view.set_preview(preview)
    assert words(view, "dataset_summary").endswith("4 classes, 2 with samples")


def test_pixels_of_tiny_pictures_stay_sharp(qtbot: QtBot) -> None:
    grid = PictureGrid(rows=1, smallest=20)
    qtbot.addWidget(grid)
    grid.resize(280, 64)
    checks = np.indices((4, 4)).sum(axis=0) % 2 * 255
    grid.set_pictures(checks[None].astype(np.uint8), ["checks"])
    grid.show()
    shot = grid.grab().toImage()
    side = LARGEST * shot.devicePixelRatio()
    greys = {shot.pixelColor(x, y).red() for x in range(int(side)) for y in range(int(side))}
    assert greys == {0, 255}
