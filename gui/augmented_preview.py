"""What the set-up's augmentation makes of the samples, kept up to date in the dataset's preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.parts import NO_AUGMENTATION
from gui.views.dataset_preview import DatasetPreviewView
from gui.workbench import Workbench

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.inspection.augmented import AugmentedSamples


class AugmentedPreview(QObject):
    """Asks for augmented samples whenever the set-up would show others, once the dataset is there.

    Args:
        view: shows them below the samples as they are.
    """

    def __init__(self, bench: Workbench, view: DatasetPreviewView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._view = view
        self._config: RunConfig | None = None
        self._loaded = False
        self._step = 0
        view.redraw.connect(self._redraw)

    def follow(self, config: RunConfig) -> None:
        """`config` is set up now."""
        before, self._config = self._config, config
        if before is None or before.dataset != config.dataset:
            self._loaded = False
        elif _shows(before) != _shows(config):
            self._ask()

    def loaded(self) -> None:
        """The preview shows the set-up's dataset now."""
        self._loaded = True
        self._ask()

    def _redraw(self) -> None:
        self._step += 1
        self._ask()

    def _ask(self) -> None:
        bench, config, step = self._bench, self._config, self._step
        if config is None or not self._loaded:
            return
        if config.augmentation.name == NO_AUGMENTATION:
            self._view.set_augmented(None)
            return

        def job() -> AugmentedSamples | None:
            from engine.inspection.augmented import augmented_samples

            return augmented_samples(bench.dataset(config), config, step=step)

        def done(samples: AugmentedSamples | None) -> None:
            if self._loaded and self._config is not None and _shows(self._config) == _shows(config):
                self._view.set_augmented(samples)

        bench.compute("augmented", job, done, bench.say)


def _shows(config: RunConfig) -> tuple[object, ...]:
    """What the pictures depend on."""
    return config.dataset, config.augmentation, config.network, config.training.seed
