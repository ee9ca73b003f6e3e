"""Processes of their own, so that what is measured in one does not disturb another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.preload import SPINS

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # s that an answer may take

Answer = dict[str, Any]


def environment(home: Path) -> dict[str, str]:
    """As a person has it: a home of its own, compiled files kept, and threads that wait as the program lets them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"GOMP_SPINCOUNT": SPINS, **kept, "LEARNSCOPE_HOME": str(home)}


class Child:
    """A process that says what it saw: one line of JSON when it is ready, then one for every line it is told.

    Its stderr goes where this process's goes. Leaving the `with` block ends it.
    """

    def __init__(self, module: str, *, home: Path) -> None:
        self.name = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def ask(self, question: dict[str, object]) -> Answer:
        """Raises RuntimeError where the process has ended or does not answer in time."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Answer:
        """What the process says next. Raises as `ask` does."""
        assert self._process.stdout is not None
        with self._kill_after(PATIENCE):
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer, status {self._process.wait()}")
        answer: Answer = json.loads(line)
        return answer

    @contextmanager
    def _kill_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The end of its input tells the process to go; it is killed where it stays."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        with self._kill_after(10.0):
            self._process.wait()
