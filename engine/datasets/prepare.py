"""From samples as they are stored to what a network is fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.datasets.data import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor

# So many values are worked on at a time: they stay in the processor's cache, and are too few for torch to share out
# among threads, which for work bound by memory costs more than it gains as soon as the machine has other things to do.
_CHUNK_VALUES = (1 << 15) - 1


def to_inputs(inputs: Tensor, info: DatasetInfo, input_shape: tuple[int, ...]) -> Tensor:
    """What training, evaluation and the canvas all feed to the network.

    Images are scaled to 0 … 1 unless they are raw, centred on black where the network wants them larger, then
    normalised as (x − mean) / std: black in the border is the same number as black in the image. Points are only
    normalised.

    Args:
        inputs: uint8 (N, C, H, W), float32 (N, C, H, W) for raw images, or float32 (N, F), on any device. N may be 0.
        info: of the dataset that the samples come from; gives mean and std, one a channel or feature, or one for all.
        input_shape: of one input to the network: (C, H' ≥ H, W' ≥ W) or (F,).

    Returns float32 (N, *input_shape) on the same device, in memory of its own. Raises ValueError for shapes that do not
    go together.
    """
    import torch

    have = tuple(inputs.shape[1:])
    scaled = inputs.dtype == torch.uint8
    fits = have[:-2] == input_shape[:-2] if len(have) == 3 else have == input_shape
    if len(have) != len(input_shape) or not fits or any(h > w for h, w in zip(have, input_shape, strict=True)):
        raise ValueError(f"samples of shape {have} cannot become inputs of shape {input_shape}")

    outputs = torch.empty((len(inputs), *input_shape), dtype=torch.float32, device=inputs.device)
    across = (-1,) + (1,) * (len(input_shape) - 1)
    mean = torch.tensor(info.mean, device=inputs.device).reshape(across)
    std = torch.tensor(info.std, device=inputs.device).reshape(across)
    inside = tuple(slice((w - h) // 2, (w - h) // 2 + h) for h, w in zip(have, input_shape, strict=True))
    padded = have != input_shape
    chunk = max(1, _CHUNK_VALUES // max(1, outputs[:1].numel()))
    with torch.no_grad():
        for start in range(0, len(inputs), chunk):
            target = outputs[start : start + chunk]
            if padded:
                target.zero_()
            target[:, *inside].copy_(inputs[start : start + chunk])
            if scaled:
                target.div_(255)
            target.sub_(mean).div_(std)
    return outputs
