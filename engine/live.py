"""LiveNetwork: the network of this very moment, asked from another thread than the one that trains it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from types import TracebackType

import numpy as np
import torch
from torch import Tensor, nn

from engine.assembly import assemble
from engine.config import RunConfig
from engine.datasets.data import DatasetInfo
from engine.datasets.prepare import to_inputs
from engine.inspection.features import features
from engine.losses import Loss
from engine.snapshots import FilterImages, FilterLayer, capture_filters, filter_layers
from engine.weights import named_tensors

MOST_KEPT = 1_000_000  # initial parameters


class LiveNetwork:
    """Predictions and filters with today's weights. Thread-safe.

    It shares the weights with `network` through a twin that stays in evaluation mode, so asking disturbs neither the
    training nor its random state. A lock is held while the weights change and while they are read: an answer never
    mixes two steps, and waits for one update at most, not for a forward and backward pass. Buffers, such as a batch
    norm's running mean, change in the forward pass: the twin has its own and gets the new ones with the new weights.

    Attributes:
        updating: the context in which the run changes weights.
        initial_parameters: float32 (P,), those before the first step in the order of declaration; None for images and
            for networks of more than a million.

    Args:
        network: the module under training, on its device.
        info: the dataset it learns.
        input_shape: of one input, (C, H, W) or (F,).
        loss: turns its outputs into probabilities.
    """

    def __init__(self, network: nn.Module, *, info: DatasetInfo, input_shape: tuple[int, ...], loss: Loss) -> None:
        parameters, buffers = list(network.parameters()), list(network.buffers())
        self._twin = copy.deepcopy(network, {id(parameter): parameter for parameter in parameters}).eval()
        self._device = next((tensor.device for tensor in (*parameters, *buffers)), torch.device("cpu"))
        self._loss = loss
        self.info = info
        self.input_shape = input_shape
        self._lock = threading.Lock()
        self.updating = Updating(self._lock, source=buffers, target=list(self._twin.buffers()))
        self.layers: tuple[FilterLayer, ...] = filter_layers(self._twin, input_shape)
        self.initial_parameters = self._start()
        self._initial = {
            layer.name: capture_filters(self._twin, layer.name, input_shape=input_shape) for layer in self.layers
        }

    @torch.inference_mode()
    def predict(self, sample: np.ndarray) -> np.ndarray:
        """Probabilities, float32 (classes,), of one sample as the dataset has it; in regression the outputs themselves.

        Args:
            sample: uint8 (C, H, W), float32 (C, H, W) of a raw image, or float32 (F,) of a point.
        """
        inputs = to_inputs(torch.from_numpy(np.array(sample[None])), self.info, self.input_shape)
        with self._lock:
            outputs = self._twin(inputs.to(self._device))
        answer = self._loss.probabilities(outputs) if self.info.classes else outputs
        values: np.ndarray = answer[0].float().cpu().numpy().copy()
        values.flags.writeable = False
        return values

    def features(self, sample_batch: np.ndarray | Tensor, layer: str | None = None) -> np.ndarray:
        """The outputs, or those of one layer, with the weights of one moment, float32 (N, values).

        Equal samples give equal values to the last bit, wherever they stand in the batch.

        Args:
            sample_batch: as the dataset has them: uint8 or float32 (N, C, H, W), or float32 (N, F), N at least 1.
            layer: the path of a module, such as `conv1`; None or empty for the network's own outputs.

        Raises InputError("layer", …) where there is no such module, or it gives no tensor.
        """
        samples = torch.from_numpy(np.array(sample_batch)) if isinstance(sample_batch, np.ndarray) else sample_batch
        inputs = to_inputs(samples, self.info, self.input_shape).to(self._device)
        with self._lock:
            found = features(self._twin, inputs, layer)
        values: np.ndarray = found.numpy().copy()
        values.flags.writeable = False
        return values

    def with_weights(self, weights: Mapping[str, Tensor]) -> LiveNetwork:
        """The network of another moment of the same run, whose weights nothing changes any more.

        Args:
            weights: all parameters and buffers by name, of any device and layout.
        """
        network = self.copy()
        with torch.no_grad():
            for name, tensor in named_tensors(network).items():
                tensor.copy_(weights[name])
        other = LiveNetwork(network, info=self.info, input_shape=self.input_shape, loss=self._loss)
        other.initial_parameters, other._initial = self.initial_parameters, self._initial
        return other

    def is_moment_of(self, other: LiveNetwork) -> bool:
        """Whether both belong to one run, at whichever step."""
        return self._initial is other._initial

    def classify(self, samples: Tensor, network: nn.Module) -> Tensor:
        """The class numbers, int64 (N,) on the CPU, that `network`, a `copy` of this one, gives to samples.

        Args:
            samples: uint8 (N, C, H, W) or float32 (N, F), as the dataset has them.
        """
        inputs = to_inputs(samples, self.info, self.input_shape).to(self._device)
        with torch.inference_mode():
            return self._loss.predict(network(inputs)).cpu()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """What outputs (N, K) of the network mean: float32 (N, classes), rows in 0 … 1 with the sum 1.

        In regression the outputs themselves are the answer, and are given back.
        """
        return self._loss.probabilities(outputs) if self.info.classes else outputs

    def copy(self) -> nn.Module:
        """A network of its own with the weights and buffers of one moment, in evaluation mode, without gradients."""
        with self._lock:
            return copy.deepcopy(self._twin)

    @torch.inference_mode()
    def answers(self, samples: np.ndarray, *, parameters: np.ndarray | None = None) -> np.ndarray:
        """What `predict` gives, of many samples at once: float32 (N, classes), or in regression (N, targets).

        Only a copy of the weights is made under the lock: a run does not wait while the answers are computed.

        Args:
            samples: uint8 (N, C, H, W) or float32 (N, F) as the dataset has them.
            parameters: of another moment, (P,) in the order of declaration, instead of today's. Raises ValueError
                where the network has not so many.
        """
        inputs = to_inputs(torch.from_numpy(np.array(samples)), self.info, self.input_shape).to(self._device)
        network = self.copy()
        if parameters is not None:
            given = torch.tensor(parameters, dtype=torch.float32, device=self._device)
            if given.shape != (sum(parameter.numel() for parameter in network.parameters()),):
                raise ValueError(f"{len(given)} values are not those of this network")
            nn.utils.vector_to_parameters(given, network.parameters())
        outputs = network(inputs)
        answer = self._loss.probabilities(outputs) if self.info.classes else outputs
        values: np.ndarray = answer.float().cpu().numpy().copy()
        values.flags.writeable = False
        return values

    def parameters(self) -> np.ndarray:
        """All parameters now, float32 (P,), in the order of declaration."""
        with self._lock:
            return _flat(self._twin)

    def _start(self) -> np.ndarray | None:
        few = sum(parameter.numel() for parameter in self._twin.parameters()) <= MOST_KEPT
        return _flat(self._twin) if few and not self.info.is_image else None

    def filters(self, layer: str) -> FilterImages:
        """The layer's weights now."""
        with self._lock:
            return capture_filters(self._twin, layer, input_shape=self.input_shape)

    def initial_filters(self, layer: str) -> FilterImages:
        """The layer's weights before the first step."""
        return self._initial[layer]

    def weights(self) -> dict[str, Tensor]:
        """Copies of all parameters and buffers now, on the CPU, contiguous."""
        with self._lock:
            return {
                name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
                for name, tensor in self._twin.state_dict().items()
            }


def _flat(network: nn.Module) -> np.ndarray:
    parts = [parameter.detach().flatten().float().cpu().numpy() for parameter in network.parameters()]
    values: np.ndarray = np.concatenate([np.empty(0, np.float32), *parts])
    values.flags.writeable = False
    return values


class Updating:
    """Holds `lock` while the weights change, then copies the buffers that belong to them from `source` to `target`."""

    def __init__(self, lock: threading.Lock, *, source: list[Tensor], target: list[Tensor]) -> None:
        self._lock = lock
        self._pairs = tuple(zip(target, source, strict=True))

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for target, source in self._pairs:
                target.copy_(source)
        finally:
            self._lock.release()


def untrained(config: RunConfig) -> LiveNetwork:
    """The network that a run of `config` starts with, bit for bit, on the CPU. Disturbs no run's random numbers.

    Raises InputError where the parts do not fit or `initial_parameters` do not match.
    """
    parts = assemble(config, aside=True)
    return LiveNetwork(parts.network, info=parts.info, input_shape=parts.input_shape, loss=parts.loss)
