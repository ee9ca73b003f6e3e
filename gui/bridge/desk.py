"""The desk where the window's questions are handed in, and their answers out as far as they still count."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, Signal

from engine.preload import import_torch, load_libraries, share_cores, use_one_thread
from gui.bridge.answerer import Answerer, Asked, Cancelled, Question, Report
from gui.bridge.news import News

A = TypeVar("A")


class Desk(QObject):
    """Seven threads that answer; to be used from the window's thread.

    Attributes:
        quick: for what is asked many times a second.
        slow: for what takes its time, where a newer question makes an older one of its kind pointless.
        tools: for what tools compute.
        history: for what is read from the history of runs and written to it, without torch.
        rewinder: for what is trained again.
        keeper: for what is kept of runs, and read again.
        taker: for runs on their way out or in, which may take minutes.

    Signals: `thread_ended`: one of the threads, or several.
    """

    thread_ended = Signal()

    def __init__(self, news: News) -> None:
        super().__init__(news)
        self._news = news
        # Threads belong to the application: should the window be destroyed first, they still end in good order.
        application = QCoreApplication.instance()
        assert application is not None, "a Desk needs a QCoreApplication"
        self.quick, self.slow = Answerer(application), Answerer(application, replace=True)
        self.tools = Answerer(application)
        self.history = Answerer(application, thorough=True)
        self.rewinder = Answerer(application)
        self.keeper = Answerer(application, thorough=True)
        self.taker = Answerer(application)
        self._answerers = (
            self.quick,
            self.slow,
            self.tools,
            self.history,
            self.rewinder,
            self.keeper,
            self.taker,
        )
        self._running = list(self._answerers)
        self._newest: dict[str, int] = {}
        self._delivered: dict[str, int] = {}
        self._ending = False
        for answerer in self._answerers:
            answerer.answered.connect(self._on_answered)
            answerer.failed.connect(self._on_failed)
            answerer.progressed.connect(self._on_progressed)
            answerer.finished.connect(self._on_finished)
            answerer.start()

    def ask(
        self,
        answerer: Answerer,
        kind: str,
        work: Callable[[Asked], A],
        done: Callable[[A], None],
        *,
        failed: Callable[[Exception], None] | None = None,
        progressed: Report | None = None,
        each: bool = False,
    ) -> None:
        """Have `work` done by `answerer`; see `Question` for all else."""
        number = self._newest[kind] = self._newest.get(kind, 0) + 1
        answerer.ask(Question(kind, work, number, each, done, failed, progressed))

    def is_newest(self, kind: str, asked: Asked) -> bool:
        """Whether nothing of this kind was asked later, nor all forgotten; from any thread."""
        return asked.number == self._newest.get(kind)

    def forget(self, kind: str) -> None:
        """Whatever of this kind is on its way is too late."""
        self._delivered[kind] = self._newest[kind] = self._newest.get(kind, 0) + 1

    def tell(self, answer: Callable[[], None]) -> None:
        """Let a tool have an answer, unless the window closes."""
        if not self._ending:
            answer()

    def check(self) -> None:
        """Raises Cancelled once the threads are to end; from any thread."""
        if self._ending:
            raise Cancelled

    def tell_defect(self, kind: str, error: Exception) -> None:
        """Log an error that nobody caused but the program."""
        logging.getLogger(__name__).error("%s failed", kind, exc_info=error)
        self._news.problem.emit(f"Something went wrong ({kind}): {error}")

    def load_libraries(self) -> None:
        """On the slow thread: what of torch can be loaded without Python, unless it is there."""
        if "torch" not in sys.modules:
            share_cores()
            load_libraries()

    def import_torch(self, ready: threading.Event) -> None:
        """On the slow thread: import torch, let the threads that use it keep out of a run's way, and be `ready`."""
        share_cores()
        import_torch()
        use_one_thread()
        for answerer in (self.quick, self.tools, self.keeper):
            answerer.ask(Question("thread", lambda _: use_one_thread()))
        self.quick.ask(Question("ready", lambda _: ready.set()))

    # The end.

    @property
    def busy(self) -> bool:
        """Whether any of the threads is left."""
        return bool(self._running)

    def end(self, *, but: Answerer | None = None) -> None:
        """Every thread ends as soon as it can, all but one."""
        self._ending = True
        for answerer in self._answerers:
            if answerer is not but:
                answerer.end()

    def wait(self) -> None:
        """Until every thread has ended."""
        for answerer in self._running:
            answerer.wait()

    def _on_finished(self) -> None:
        for answerer in self._answerers:
            if answerer in self._running and answerer.isFinished():
                self._running.remove(answerer)
                answerer.deleteLater()
        self.thread_ended.emit()

    # Answers.

    def _on_answered(self, question: Question[Any], answer: Any) -> None:
        if question.each:
            if question.number <= self._delivered.get(question.kind, 0):
                return
            self._delivered[question.kind] = question.number
        elif question.number != self._newest.get(question.kind):
            return
        question.done(answer)

    def _on_failed(self, question: Question[Any], error: Exception) -> None:
        if question.number and question.number != self._newest.get(question.kind):
            return
        if question.failed is None:
            self.tell_defect(question.kind, error)
        else:
            question.failed(error)

    def _on_progressed(self, question: Question[Any], what: str, share: float | None) -> None:
        if question.progressed is not None and question.number == self._newest.get(question.kind):
            question.progressed(what, share)
