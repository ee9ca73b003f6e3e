"""Where the arithmetic happens, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.errors import InputError


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is there.

    Attributes:
        handle: the device as torch knows it.
        label: for people: `CPU`, `CUDA · NVIDIA …`.
        precision: what is really used: `float32`, `mixed bfloat16`, `mixed float16`.
        autocast: the lower precision's dtype, None for float32.
        scaler: scales the loss where float16 needs it.
    """

    handle: torch.device
    label: str
    precision: str
    autocast: torch.dtype | None = None
    scaler: torch.amp.GradScaler | None = None

    @property
    def answers_late(self) -> bool:
        """Whether reading a result waits for the device to catch up, so that results are better read in groups."""
        return self.handle.type != "cpu"


def available_devices() -> tuple[str, ...]:
    """Names accepted by `pick_device` on this computer, the fastest first, `cpu` always last."""
    names = []
    if torch.cuda.is_available():
        names.append("cuda")
    if torch.backends.mps.is_available():
        names.append("mps")
    return (*names, "cpu")


def pick_device(name: str, precision: str) -> Device:
    """The device called `name` (`auto`: the fastest there is) for `precision` (`float32` or `mixed`).

    Raises InputError where there is no such device here.
    """
    available = available_devices()
    if name == "auto":
        name = available[0]
    if name not in available:
        raise InputError(
            "training.device", f"there is no {name.upper()} device on this computer", "use " + ", ".join(available)
        )
    device = torch.device(name)
    label = {"cpu": "CPU", "mps": "MPS"}.get(name) or f"CUDA · {torch.cuda.get_device_name(device)}"
    if precision == "float32":
        return Device(device, label, "float32")
    if name == "cpu" or (name == "cuda" and torch.cuda.is_bf16_supported()):
        return Device(device, label, "mixed bfloat16", torch.bfloat16)
    return Device(device, label, "mixed float16", torch.float16, torch.amp.GradScaler(name))
