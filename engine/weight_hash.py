"""One number for all of a network's weights: equal where they are equal to the last bit."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def weight_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of parameters and buffers, in hexadecimal, as a script prints it after `weights`.

    For each tensor, in the order of the names (by Unicode code points), two things are hashed: the line
    `NAME DTYPE SHAPE`, such as `fc1.weight float32 (28, 784)`, in UTF-8 with a line feed; then its values in row-major
    order, little endian. The device and the memory format make no difference; two NaNs are equal if their bits are.

    Args:
        tensors: a `state_dict`, or what `LiveNetwork.weights` gives.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous()
        dtype = str(values.dtype).removeprefix("torch.")
        digest.update(f"{name} {dtype} {tuple(values.shape)}\n".encode())
        if values.dtype.is_complex:
            values = torch.view_as_real(values)
        raw = values.reshape(-1).view(torch.uint8).numpy()
        if sys.byteorder == "big":
            raw = raw.reshape(-1, values.itemsize)[:, ::-1]
        digest.update(raw.tobytes())
    return digest.hexdigest()
