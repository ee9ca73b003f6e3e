"""The network that a run starts with, made beside any run without drawing from torch's global generator."""

from __future__ import annotations

import torch

from engine.assembly import set_parameters
from engine.config import RunConfig
from engine.inspection.private_random import PrivateRandom
from engine.live import LiveNetwork
from engine.losses import LOSSES
from engine.networks import NETWORKS


def beginning(config: RunConfig) -> LiveNetwork:
    """The untrained network of `config` on the CPU: the weights that a run of it starts with, bit for bit.

    As `engine.live.untrained`, but torch's global random state stays as it is, so it may be called from any thread
    while a run draws from that. Raises InputError where the parts do not fit or `initial_parameters` do not match.
    """
    info = config.dataset_info()
    entry, loss_entry = NETWORKS[config.network.name], LOSSES[config.loss.name]
    input_shape = entry.fit(info, config.network.params)
    state = {"cpu": torch.Generator().manual_seed(config.training.seed).get_state()}
    with PrivateRandom(torch.device("cpu"), state):
        network = entry.build(input_shape, loss_entry.outputs(info), config.network.params)
    if config.initial_parameters is not None:
        set_parameters(network, config.initial_parameters)
    loss = loss_entry.build(config.loss.params, info)
    return LiveNetwork(network, info=info, input_shape=input_shape, loss=loss)
