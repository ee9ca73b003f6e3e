"""A thread that answers questions one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, QThread, Signal

A = TypeVar("A")

Report = Callable[[str, float | None], None]
"""Takes what is being done, and its share in 0 … 1, or None where that is unknown."""


class Cancelled(Exception):  # noqa: N818  # not an error
    """A question that nobody asks any more."""


class Asked:
    """What the work behind a question may use: progress, and whether an answer is still wanted.

    Attributes:
        number: the question's among those of its kind.
    """

    def __init__(self, report: Report, number: int) -> None:
        self.report = report
        self.number = number
        self.cancelled = False

    def check(self) -> None:
        """Raises Cancelled."""
        if self.cancelled:
            raise Cancelled


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Question(Generic[A]):
    """What is to be done on another thread, and who wants to know. With number 0 nobody waits for the answer.

    Attributes:
        kind: of one kind only the newest counts.
        work: finds the answer, on the answerer's thread.
        number: among those of its kind, from 1.
        each: an answer counts unless a newer one came first; else that to the newest question alone counts.
        done, failed, progressed: called in the window's thread. Without `failed` an error is a defect.
    """

    kind: str
    work: Callable[[Asked], A]
    number: int = 0
    each: bool = False
    done: Callable[[A], None] = _ignore
    failed: Callable[[Exception], None] | None = None
    progressed: Report | None = None


class Answerer(QThread):
    """Works through questions. Of one kind only the newest counts: it replaces one that waits and cancels one at work.

    Args:
        replace: a newer question cancels one at work.
        thorough: what waits when it is to end is done first.

    Signals: `answered(question, answer)`, `failed(question, error)`, `progressed(question, what, share)`.
    """

    answered = Signal(object, object)
    failed = Signal(object, object)
    progressed = Signal(object, str, object)

    def __init__(self, parent: QObject, *, replace: bool = False, thorough: bool = False) -> None:
        super().__init__(parent)
        self._replace = replace
        self._thorough = thorough
        self._condition = threading.Condition()
        self._waiting: dict[str, Question[Any]] = {}
        self._current: tuple[Question[Any], Asked] | None = None
        self._ending = False

    def ask(self, question: Question[Any]) -> None:
        """From any thread."""
        with self._condition:
            if self._replace:
                self._cancel_current(question.kind)
            self._waiting.pop(question.kind, None)
            self._waiting[question.kind] = question
            self._condition.notify()

    def cancel(self, kind: str) -> None:
        with self._condition:
            self._waiting.pop(kind, None)
            self._cancel_current(kind)

    def end(self) -> None:
        """Cancel everything, unless it is thorough; the thread ends as soon as it can."""
        with self._condition:
            self._ending = True
            if not self._thorough:
                self._waiting.clear()
                if self._current:
                    self._current[1].cancelled = True
            self._condition.notify()

    def _cancel_current(self, kind: str) -> None:
        if self._current and self._current[0].kind == kind:
            self._current[1].cancelled = True

    def run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ending or bool(self._waiting))
                if not self._waiting:
                    return
                question = self._waiting.pop(next(iter(self._waiting)))
                asked = Asked(partial(self.progressed.emit, question), question.number)
                self._current = (question, asked)
            try:
                answer = question.work(asked)
                asked.check()
            except Cancelled:
                pass
            except Exception as error:  # whatever it is, it belongs to the one who asked
                self.failed.emit(question, error)
            else:
                self.answered.emit(question, answer)
            with self._condition:
                self._current = None
