"""The set-up's augmentation: what can be picked, and what it makes of the samples beside the dataset's preview."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QWidget
from pytestqt.qtbot import QtBot

from engine.augmentation import augmentation_of
from engine.config import RunConfig, make_config
from engine.datasets.prepare import to_inputs
from engine.datasets.preview import first_images, make_preview
from engine.errors import InputError
from engine.inspection.augmented import augmented_samples
from gui.augmented_preview import AugmentedPreview
from gui.sample_charts import PictureGrid
from gui.setup_model import SetupModel
from gui.views.dataset_preview import DatasetPreviewView
from gui.views.setup_panel import SetupPanel
from tests.engine.runs import dataset_of, tiny_library
from tests.gui.fake_bench import FakeBench


def with_augmentation(name: str, dataset: str = "mnist", network: str = "lenet5", **settings: object) -> RunConfig:
    given = {f"augmentation.{key}": value for key, value in settings.items()}
    return make_config({"dataset": dataset, "network": network, "augmentation": name}, given)


class TestSamples:
    def test_without_an_augmentation_there_are_none(self) -> None:
        config = make_config()
        assert augmented_samples(dataset_of(config, tiny_library()), config) is None

    @pytest.mark.parametrize(("dataset", "network"), [("mnist", "lenet5"), ("cifar10", "fast_cnn")])
    def test_pictures_are_what_the_network_is_fed(self, dataset: str, network: str) -> None:
        config = with_augmentation("shift", dataset, network, pixels=3)
        data = dataset_of(config, tiny_library())
        samples = augmented_samples(data, config, step=5)
        assert samples is not None
        chosen = torch.from_numpy(first_images(data, 1))
        augment = augmentation_of("shift", {"pixels": 3}, data.info, seed=0)
        assert augment is not None
        # A network of 32 × 32 inputs has a border to shift into, and shifted pixels are those of the file.
        inputs = augment(to_inputs(data.train.inputs[chosen], data.info, (data.info.shape[0], 32, 32)), 5)
        std, mean = torch.tensor(data.info.std), torch.tensor(data.info.mean)
        levels = (inputs * std.reshape(-1, 1, 1) + mean.reshape(-1, 1, 1)).mul(255).round()
        assert samples.pictures.shape == ((len(chosen), 32, 32) if dataset == "mnist" else (len(chosen), 32, 32, 3))
        assert np.array_equal(samples.pictures.reshape(len(chosen), 32, 32, -1), levels.permute(0, 2, 3, 1).numpy())
        assert not samples.pictures.flags.writeable

    def test_raw_pictures_and_points(self) -> None:
        raw = with_augmentation("shift", "two_patterns", "single_conv", pixels=1)
        samples = augmented_samples(dataset_of(raw), raw)
        assert samples is not None
        assert samples.pictures.dtype == np.uint8
        assert samples.pictures.max() == 255
        noisy = with_augmentation("noise", "gaussians", "mlp", strength=0.001)
        data = dataset_of(noisy)
        samples = augmented_samples(data, noisy)
        assert samples is not None
        assert len(samples.pictures) == 0
        points = make_preview(data).points
        assert samples.points.shape == points.shape
        assert np.allclose(samples.points, points, atol=0.05)
        assert not np.array_equal(samples.points, points)


class TestPreview:
    @pytest.fixture
    def view(self, qtbot: QtBot) -> DatasetPreviewView:
        view = DatasetPreviewView()
        qtbot.addWidget(view)
        view.show()
        return view

    @staticmethod
    def strip(view: DatasetPreviewView) -> PictureGrid:
        [found] = [grid for grid in view.findChildren(PictureGrid) if "augmented" in grid.accessibleName()]
        return found

    @staticmethod
    def followed(view: DatasetPreviewView, config: RunConfig) -> tuple[AugmentedPreview, FakeBench]:
        bench = FakeBench()
        bench.data = dataset_of(config, tiny_library())
        preview = AugmentedPreview(bench, view, view)
        preview.follow(config)
        view.set_preview(make_preview(bench.data))
        preview.loaded()
        return preview, bench

    def test_pictures_come_and_go_with_the_augmentation(self, view: DatasetPreviewView) -> None:
        preview, _ = self.followed(view, make_config())
        assert not self.strip(view).isVisible()
        preview.follow(with_augmentation("affine"))
        assert self.strip(view).isVisible()
        before = self.strip(view).grab().toImage()
        preview.follow(with_augmentation("affine", rotation=90))
        assert self.strip(view).grab().toImage() != before
        preview.follow(make_config())
        assert not self.strip(view).isVisible()

    def test_another_draw_shows_the_same_samples_changed_in_another_way(self, view: DatasetPreviewView) -> None:
        self.followed(view, with_augmentation("shift"))
        before = self.strip(view).grab().toImage()
        button = view.findChild(QAbstractButton, "augmentation_redraw")
        assert isinstance(button, QAbstractButton)
        assert button.isVisible()
        button.click()
        assert self.strip(view).grab().toImage() != before

    def test_nothing_is_asked_before_the_dataset_is_there_and_late_answers_are_passed_over(
        self, view: DatasetPreviewView
    ) -> None:
        bench, config = FakeBench(), with_augmentation("shift")
        bench.later = True
        preview = AugmentedPreview(bench, view, view)
        preview.follow(config)
        preview.follow(with_augmentation("affine"))
        assert not bench.jobs
        bench.data = dataset_of(config, tiny_library())
        view.set_preview(make_preview(bench.data))
        preview.loaded()
        assert list(bench.jobs) == ["augmented"]
        preview.follow(make_config())
        bench.run_jobs()
        assert not self.strip(view).isVisible()

    def test_noise_moves_points(self, view: DatasetPreviewView) -> None:
        config = with_augmentation("noise", "gaussians", "mlp", strength=2.0)
        preview, _ = self.followed(view, config)
        noisy = view.grab().toImage()
        preview.follow(make_config({"dataset": "gaussians", "network": "mlp"}))
        assert view.grab().toImage() != noisy
        assert not self.strip(view).isVisible()


class TestSetUp:
    def test_what_does_not_fit_the_dataset_gives_way_with_a_note(self) -> None:
        model = SetupModel()
        model.pick("augmentation", "affine")
        assert model.config().augmentation.params == {"rotation": 10.0, "scale": 0.1, "shift": 2.0}
        notes = model.pick("dataset", "gaussians")
        assert model.picks["augmentation"] == "none"
        assert notes["augmentation"].startswith("Rotate, scale and shift was taken out: it changes pictures")
        assert set(model.refusals("augmentation")) == {"shift", "affine", "flip", "shift_and_flip"}

    def test_a_recipe_leaves_it_alone_and_choices_keep_it(self) -> None:
        model = SetupModel()
        model.pick("augmentation", "shift")
        model.set_value("augmentation", "pixels", 5)
        model.pick("network", "lenet3")
        model.use_recipe()
        again = SetupModel()
        again.restore(model.choices())
        assert again.config().augmentation == model.config().augmentation
        assert again.config().augmentation.params == {"pixels": 5}
        old = {name: kept for name, kept in model.choices().items() if name != "augmentation"}
        before = SetupModel()
        before.restore(old)
        assert before.config().augmentation.name == "none"

    def test_the_section_lies_below_the_dataset_and_refuses_in_words(self, qtbot: QtBot) -> None:
        panel = SetupPanel(dataset_preview=QWidget(), layer_table=QWidget(), schedule_preview=QWidget())
        qtbot.addWidget(panel)
        panel.show()
        combos = {name: panel.findChild(QComboBox, name) for name in ("dataset", "augmentation", "network")}
        places = [combo.mapTo(panel, combo.rect().topLeft()).y() for combo in combos.values() if combo is not None]
        assert places == sorted(places)
        combo = combos["augmentation"]
        assert combo is not None
        model = combo.model()
        assert isinstance(model, QStandardItemModel)
        item = model.item(combo.findData("flip"))
        assert not item.isEnabled()
        assert "MNIST is grey" in item.toolTip()
        combo.setCurrentIndex(combo.findData("shift"))
        assert panel.config().augmentation.name == "shift"
        panel.set_running(True)
        assert not combo.isEnabled()
        panel.set_running(False)
        panel.show_error(InputError("augmentation", "does not fit"))
        note = panel.findChild(QLabel, "augmentation_error")
        assert isinstance(note, QLabel)
        assert note.isVisible()
