"""The catalogue of optimizers."""

from engine.catalog import Catalog
from engine.optimizers.optimizer import OptimizerEntry
from engine.optimizers.rule_entries import RULES
from engine.optimizers.torch_optimizers import TORCH_OPTIMIZERS

OPTIMIZERS = Catalog("optimizer", OptimizerEntry, (*TORCH_OPTIMIZERS, *RULES), group="learnscope.optimizers")
