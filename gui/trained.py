"""Which network a set-up means, and whether it has been trained. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.numbers import count
from gui.run_state import RunState

if TYPE_CHECKING:
    from engine.config import RunConfig


def network_key(config: RunConfig) -> tuple[object, ...]:
    """What the untrained network of `config` follows from: two with the same key have the same one."""
    parts = (config.dataset, config.network, config.loss)
    return (*(part.model_dump_json() for part in parts), config.training.seed, repr(config.initial_parameters))


def was_trained(state: RunState, config: RunConfig) -> bool:
    """Whether the run on screen has changed the weights of a network such as `config` sets up."""
    return state.step > 0 and (state.network, state.dataset) == (config.network.name, config.dataset.name)


def whose(step: int | None) -> str:
    """Which network answers, in words: `untrained network` also at step 0, `network at step 420`."""
    return f"network at step {count(step)}" if step else "untrained network"
