"""The catalogue of optimizers."""

from engine.catalog import Catalog
from engine.optimizers.optimizer import OptimizerEntry
from engine.optimizers.torch_optimizers import TORCH_OPTIMIZERS

OPTIMIZERS = Catalog("optimizer", OptimizerEntry, TORCH_OPTIMIZERS, group="learnscope.optimizers")
