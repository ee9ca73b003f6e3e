"""The real window, which trains whenever it is told, as `tests.bench.child` asks, and says what a person would feel."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QApplication, QWidget

from engine.config import make_config
from gui.app import build_window
from gui.main_window import MainWindow
from tests.bench.pace import FIRST, TURN, samples_per_second
from tests.bench.pen import Pen
from tests.bench.stalls import Stalls

REST = 200  # ms after a turn, for what follows from it
DEFAULT_PANELS = ("setup", "curves", "filters", "canvas")
SETTLE = 700  # ms in which the window does what follows from another set-up


class _Questions(QObject):
    """Lines of stdin as signals, None at its end. Waiting for one costs nothing."""

    asked = Signal(object)

    def start(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.asked.emit(json.loads(line))
        self.asked.emit(None)


class _Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.count += 1
        return super().eventFilter(watched, event)


class Driver(QObject):
    """Runs the window's training, one run a question, with one kind of probe at work."""

    def __init__(self, window: MainWindow, say: Callable[[dict[str, object]], None]) -> None:
        super().__init__(window)
        self._window = window
        self._say = say
        self._paints = _Paints(_viewport(window, "loss_plot"))
        self._redraws = 0.0  # a second, in this turn
        self._waiting = {"torch", "network", "preview"}
        self._probe = ""
        self._running = False  # at least one step
        self._began = 0  # the last step before this turn
        self._counted: tuple[float, int] | None = None  # when what counts of this turn began, and paintings until then
        self._pausing = False
        self.stalls = Stalls(self)
        self.pen = Pen(window, _child(window, "digit_canvas"))
        bridge = window.bridge
        bridge.torch_ready.connect(lambda: self._arrived("torch"))
        bridge.network_changed.connect(lambda _: self._arrived("network"))
        bridge.preview_ready.connect(lambda _: self._arrived("preview"))
        window.run_state_changed.connect(self._on_progress)
        bridge.run_ended.connect(self._on_ended)

    def _arrived(self, what: str) -> None:
        if self._waiting:
            self._waiting.discard(what)
            if not self._waiting:
                QTimer.singleShot(SETTLE, self, lambda: self._say({}))

    def ask(self, question: dict[str, object] | None) -> None:
        """Begin a run: `probe` is one of turns, stalls, pen, all else are settings. None closes the window.

        Of turns the first is answered when it is done; nothing asked for is the next; `stop` ends the run.
        """
        if question is None:
            self._window.close()
            return
        if not question:
            self._turn()
            self._window.bridge.resume()
            return
        if question == {"probe": "stop"}:
            self._window.bridge.stop()
            return
        self._probe = str(question.pop("probe"))
        config = make_config({"network": "lenet5"}, question)
        self._window.setup.set_config(config)
        QTimer.singleShot(SETTLE, self, self._press_start)

    def _press_start(self) -> None:
        window = self._window
        hidden = [name for name in DEFAULT_PANELS if not window.docks[name].isVisible()]
        if hidden:
            raise RuntimeError(f"panels that should be visible are not: {hidden}")
        self._running = False
        self._turn()
        if self._probe == "stalls":
            self.stalls.start()
        button = window.findChild(QAbstractButton, "start")
        assert isinstance(button, QAbstractButton)
        button.click()

    def _on_progress(self) -> None:
        state = self._window.run_state
        if state.failure is not None:
            raise RuntimeError(state.failure.message)
        if not state.step:
            return
        if state.status == "running" and not self._running:
            self._running = True
            self._first_step()
        if self._probe == "turns":
            self._follow_turn()

    def _turn(self) -> None:
        self._began, self._counted, self._pausing = self._window.run_state.step, None, False

    def _follow_turn(self) -> None:
        state = self._window.run_state
        now = (time.perf_counter(), self._paints.count)
        if state.status == "running" and self._counted is None and state.step >= self._began + FIRST:
            self._counted = now
        elif state.status == "running" and not self._pausing and state.step >= self._began + TURN:
            self._pausing = True
            assert self._counted is not None
            (start, before), (end, after) = self._counted, now
            self._redraws = (after - before) / (end - start)
            self._window.bridge.pause()
        elif state.status == "paused" and self._pausing:
            self._pausing = False
            answer: dict[str, object] = {
                "samples_per_second": self._speed(),
                "redraws_per_second": self._redraws,
                "cost": self._window.budget.cost,
            }
            QTimer.singleShot(REST, self, lambda: self._say(answer))

    def _first_step(self) -> None:
        if self._probe == "stalls":
            self.stalls.mark()
        elif self._probe == "pen":
            self.pen.start()

    def _on_ended(self) -> None:
        if not self._running:
            raise RuntimeError("the run ended before its first step")
        answer: dict[str, object] = {}
        match self._probe:
            case "stalls":
                answer.update(self.stalls.stop())
            case "pen":
                answer.update(self.pen.stop())
        QTimer.singleShot(SETTLE, self, lambda: self._say(answer))

    def _speed(self) -> float:
        state = self._window.run_state

        def seconds_at(step: int) -> float:
            reading = state.loss.value_at(step)
            assert reading is not None
            return reading.seconds

        return samples_per_second(
            seconds_at,
            began=self._began,
            ended=state.step,
            steps_per_epoch=state.steps_per_epoch,
            batch_size=state.batch_size,
        )


def _child(window: MainWindow, name: str) -> QWidget:
    widget = window.findChild(QWidget, name)
    assert isinstance(widget, QWidget), name
    return widget


def _viewport(window: MainWindow, name: str) -> QWidget:
    area = _child(window, name)
    assert isinstance(area, QAbstractScrollArea), name
    return area.viewport()


def say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


def fail(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """An error in a slot ends the process: what it would go on to measure means nothing."""
    del trace
    sys.stderr.write(f"{kind.__name__}: {error}\n")
    QApplication.exit(1)


def main() -> int:
    sys.excepthook = fail
    application = QApplication(sys.argv[:1])
    window = build_window()
    driver = Driver(window, say)
    questions = _Questions()
    questions.asked.connect(driver.ask)
    questions.start()
    window.resize(1280, 800)
    window.show()
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())
