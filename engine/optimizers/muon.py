"""Muon for weight matrices and AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor, nn


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon (Jordan 2024, kellerjordan.github.io/posts/muon) for hidden weights, AdamW for everything else.

    Hidden weights are all parameters of two or more dimensions but the last one declared, which is the output layer's.
    A convolution's kernels (out, in, h, w) are updated as the matrix (out, in · h · w), as Jordan does. To the outside
    it is one optimizer: its `param_groups` are Muon's group and then AdamW's, one left out where it has no parameters,
    and it holds the state of both, so `state_dict` and `load_state_dict` are exact.

    Args:
        module: whose parameters to optimize.
        muon: keyword arguments for torch.optim.Muon.
        adamw: keyword arguments for torch.optim.AdamW.
    """

    def __init__(self, module: nn.Module, *, muon: dict[str, Any], adamw: dict[str, Any]) -> None:
        parameters = list(module.parameters())
        hidden = [parameter for parameter in parameters if parameter.ndim >= 2][:-1]
        muons = {id(parameter) for parameter in hidden}
        rest = [parameter for parameter in parameters if id(parameter) not in muons]
        # Each half takes its parameters anew from the shared groups at every step: these only give it its settings.
        self._muon: torch.optim.Optimizer = torch.optim.Muon([nn.Parameter(torch.zeros(1, 1))], **muon)
        self._adamw: torch.optim.Optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], **adamw)
        groups = [
            {**half.defaults, "params": members}
            for half, members in ((self._muon, hidden), (self._adamw, rest))
            if members
        ]
        super().__init__(groups, {})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update from the gradients at hand, or from those that `closure` computes; its loss is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if "ns_steps" in group:
                self._step_muon(group)
            else:
                self._adamw.param_groups = [group]
                self._adamw.state = self.state
                self._adamw.step()
        return loss

    @torch.no_grad()
    def _step_muon(self, group: dict[str, Any]) -> None:
        # torch's Muon takes matrices only: it is handed the parameters as matrices, with the state of the parameters.
        updated = [parameter for parameter in group["params"] if parameter.grad is not None]
        matrices = [_as_matrix(parameter) for parameter in updated]
        state: defaultdict[Tensor, Any] = defaultdict(dict)
        for parameter, matrix in zip(updated, matrices, strict=True):
            matrix.grad = _as_matrix(parameter.grad)
            state[matrix] = self.state[parameter]
        self._muon.param_groups = [{**group, "params": matrices}]
        self._muon.state = state
        self._muon.step()
        for parameter, matrix in zip(updated, matrices, strict=True):
            if matrix.data_ptr() != parameter.data_ptr():
                parameter.copy_(matrix.view_as(parameter))


def _as_matrix(tensor: Tensor) -> Tensor:
    """(out, …) as (out, all the rest) in logical order: a view, or a copy where the memory format is channels_last."""
    return tensor.detach().flatten(1)
