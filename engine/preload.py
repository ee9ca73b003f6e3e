"""Importing torch beside a window that must go on answering."""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

SPINS = "10000"  # rounds that an OpenMP thread waits awake for the others; the default is some ten million
_RULES = "torch._meta_registrations"
_put_off: list[ModuleType] = []  # what stands for them
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # from malloc.h
_OWN_MAPPING = 32 * 2**20  # bytes from which on a block comes from the system directly; glibc accepts no more
_KEPT = 256 * 2**20  # bytes that may lie free at an arena's end
_PADDING = 128 * 2**20  # address space taken ahead; above 64 MiB, an empty heap of a thread's arena is never unmapped


def share_cores() -> None:
    """Let torch's threads sleep soon while they wait for each other. To be called before torch is loaded.

    Where another program, or this one's window, wants a core, threads that wait awake take it from the very thread they
    wait for: measured on two cores beside one busy program, LeNet ran at a quarter of its speed or less, and with
    this at its full speed. Undisturbed it makes no difference that could be measured. GNU OpenMP's own variables, where
    they are set, stay as they are.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def keep_memory() -> None:
    """Let the C library keep what one batch frees for the next. May be called at any time, again it does nothing new.

    By default glibc hands large blocks back to the system when they are freed, and the system clears every page that it
    gives out again: 450 steps of LeNet-5 with an evaluation among them took 300,000 pages or more, and a fifth of their
    time. What is set in the environment stays as it is, and other C libraries are left alone.
    """
    if sys.platform != "linux" or any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("TRIM", "MMAP")):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_TOP_PAD, _PADDING)


def load_libraries() -> None:
    """Load torch's shared libraries without torch, where that is known to help; again it does nothing.

    Python holds its lock while it loads a library, and torch's take half a second. On Linux a plain C call loads them
    while other threads go on, and the import then finds them in memory.
    """
    found = importlib.util.find_spec("torch")
    if sys.platform != "linux" or found is None or found.origin is None:
        return
    libraries = Path(found.origin).parent / "lib"
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    for name, scope in (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch_python.so", os.RTLD_LOCAL)):
        load(os.fsencode(libraries / name), os.RTLD_NOW | scope)


def import_torch() -> None:
    """Import the training and what it needs of torch, letting other threads go on as far as possible.

    Torch brings hundreds of thousands of objects that live as long as the program. The garbage collector would look
    through them again and again, a fifth of the time of the import and a tenth of a second later on, with Python's lock
    held: it rests meanwhile, and leaves them alone afterwards.

    Torch's rules for tensors without memory are put off until `complete_torch`: they are written in Python, make a
    tenth of the import, and training asks for none. Who asks for one of them by name, as torch.compile does, gets it.
    """
    if "torch" in sys.modules:
        importlib.import_module("engine.training")
        return
    with _no_collection():
        load_libraries()
        _put_off.append(_Later(_RULES))
        sys.modules[_RULES] = _put_off[0]
        importlib.import_module("torch")
        _give_generators_their_class()
        importlib.import_module("engine.training")


def complete_torch() -> None:
    """Import what `import_torch` put off, where it did: an operation on the meta device needs it without asking."""
    if not isinstance(sys.modules.get(_RULES), _Later):
        return
    with _no_collection(), suppress(ImportError):  # another version of torch may have none
        importlib.import_module("torch._decomp")  # first: no other thread may meet the two halfway in their circle
        with suppress(IndexError):  # another thread was faster
            _put_off.pop()
            del sys.modules[_RULES]
        importlib.import_module(_RULES)


class _Later(ModuleType):
    """Stands for the module of its name, and becomes it for whoever looks into it."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        complete_torch()
        return getattr(sys.modules[self.__name__], name)


def _give_generators_their_class() -> None:
    """Newer versions of torch do this somewhere within the rules, and refuse to make a Generator before."""
    import torch

    try:
        torch.Generator()
    except RuntimeError:
        try:
            importlib.import_module("torch._prims.rng_prims")
            torch.Generator()
        except (ImportError, RuntimeError):
            complete_torch()


@contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector rests, and leaves alone afterwards what is there by then."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def use_one_thread() -> None:
    """Keep torch's work on the calling thread out of the way of a run on another one.

    To be called before the run sets its own thread count: MKL's setting is shared by all threads.
    """
    import torch

    torch.set_num_threads(1)
    torch.get_num_threads()  # only now the thread keeps its number: else it would take over the run's at its first work
