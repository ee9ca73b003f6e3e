"""Thread count and memory format, chosen by measuring the network itself on the first batch.

The best choice is the network's, not the machine's: a small fully connected network runs twice as fast on one thread as
on two, a convolution gains from both and from channels_last.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from engine import cores
from engine.config import RunConfig

Trial = Callable[[nn.Module, bool], Callable[[], object]]
"""(a copy of the network, channels_last) to a function that does one whole training step with it."""

SLOW_STEP = 0.15  # s; a step this long gains from every core, so only the memory format is worth a try
ROUND = 0.02  # s of steps for a candidate in one round
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Tuned:
    """`threads` for torch.set_num_threads and whether images lie channels last."""

    threads: int
    channels_last: bool


class Tuner:
    """Measures, and remembers what it measured, so that the same set-up runs the same way again. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, Tuned] = {}
        self._lock = threading.Lock()

    def tune(self, config: RunConfig, network: nn.Module, trial: Trial) -> Iterator[Tuned | None]:
        """Yields None while it measures, last the choice. What `config` fixes is taken as it is; CPU only.

        The network given is not touched, and neither is torch's random state.
        """
        training = config.training
        convolutional = any(isinstance(module, nn.Conv2d) for module in network.modules())
        formats = {"auto": (False, True), "contiguous": (False,), "channels_last": (True,)}[training.memory_format]
        formats = formats if convolutional else (False,)
        threads = (training.threads,) if training.threads else thread_counts()
        candidates = [Tuned(count, last) for count in threads for last in formats]
        if len(candidates) == 1:
            yield candidates[0]
            return
        key = config.model_dump_json(include={"dataset", "network", "optimizer"}) + str(
            (training.batch_size, training.precision, threads, formats)
        )
        with self._lock:
            known = self._known.get(key)
        if known is None:
            for result in _measure(candidates, network, trial):
                yield None
                known = result
            assert known is not None
            with self._lock:
                known = self._known.setdefault(key, known)
        yield known


def thread_counts() -> tuple[int, ...]:
    """1, 2, 4, … up to the number of cores this process may use."""
    available = cores.count()
    counts = [1]
    while counts[-1] * 2 <= available:
        counts.append(counts[-1] * 2)
    if counts[-1] != available and available <= 64:
        counts.append(available)
    return tuple(counts)


def _measure(candidates: list[Tuned], network: nn.Module, trial: Trial) -> Iterator[Tuned]:
    """Yields the best so far after each measurement. Candidates take turns, so a noisy moment hits them alike."""
    before = torch.get_num_threads()
    best: dict[Tuned, float] = {}
    with torch.random.fork_rng(devices=[]):
        try:
            steps = {last: trial(copy.deepcopy(network), last) for last in {c.channels_last for c in candidates}}
            most = max(candidate.threads for candidate in candidates)
            torch.set_num_threads(most)
            for last, step in steps.items():
                step()
                best[Tuned(most, last)] = _time(step)
            yield min(best, key=lambda tuned: best[tuned])
            if min(best.values()) > SLOW_STEP:
                return
            for _ in range(ROUNDS):
                for candidate in sorted(candidates, key=lambda tuned: tuned.threads):
                    torch.set_num_threads(candidate.threads)
                    step = steps[candidate.channels_last]
                    step()  # the thread pool settles
                    end = time.perf_counter() + ROUND
                    while time.perf_counter() < end:
                        best[candidate] = min(best.get(candidate, float("inf")), _time(step))
                yield min(best, key=lambda tuned: best[tuned])
        finally:
            torch.set_num_threads(before)


def _time(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
