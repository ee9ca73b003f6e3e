"""torch's formulas for floating-point operations, without Triton."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_TRITON = ("triton", "triton.runtime", "triton.runtime.jit")


@contextmanager
def _without_triton() -> Iterator[None]:
    """Imports find a Triton in which nothing is, unless the true one is there already.

    The formulas' module takes one class from it, to know what is no formula of its own. Loading Triton, which comes
    with torch for CUDA, takes a tenth of a second and 70 MB, and it complains on stderr when the program ends.
    """
    if _TRITON[0] in sys.modules:
        yield
        return
    empty = {name: ModuleType(name) for name in _TRITON}
    vars(empty[_TRITON[-1]])["JITFunction"] = type("JITFunction", (), {})
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


with _without_triton():
    from torch.utils.flop_counter import flop_registry

__all__ = ["flop_registry"]
