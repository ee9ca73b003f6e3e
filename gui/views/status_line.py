"""The line at the bottom: where the run is, how fast, and what watching it costs."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from engine.datasets.toy import TOYS
from engine.datasets.tutorials import TUTORIALS
from gui import numbers
from gui.run_state import RunState
from gui.theme import PANEL_MARGIN, SPACING

_WIDEST = {
    "device": "",
    "step": "step 88\u2009888/88\u2009888",
    "epoch": "epoch 888/888",
    "speed": "8\u2009888\u2009888 img/s",
    "left": "88:88:88 left",
    "cost": "watching 88.8\u2009%",
}
_SAYS_LEAST = ("device", "epoch", "cost", "left")
READABLE = 480  # ms that a figure stays
_WORDS = {
    "idle": "Ready",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Ended with an error",
}
_REASONS = {"completed": "Finished", "stopped": "Stopped", "early_stopping": "Stopped early: no better validation loss"}


class ProgressLine(QWidget):
    """A share as a thin line. QProgressBar repaints the window at once for every value; this waits for its turn."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_progress")
        self.setAccessibleName("Progress of the run")
        self.setFixedSize(120, 6)
        self._pixels: int | None = 0

    def set_share(self, share: float | None) -> None:
        """In 0 … 1; None where it is not known how much there is to do."""
        pixels = None if share is None else round(min(max(share, 0.0), 1.0) * self.width())
        if pixels != self._pixels:
            self._pixels = pixels
            self.setAccessibleDescription("" if share is None else f"{share:.0%}")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(self.rect(), 3, 3)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
        if self._pixels is None:
            painter.setOpacity(0.5)
        painter.drawRoundedRect(0, 0, self.width() if self._pixels is None else self._pixels, self.height(), 3, 3)
        painter.end()


class _Sentence(QLabel):
    """What there is no room for gives way to an ellipsis; the tooltip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, text: str) -> None:
        if text != self.text():
            self.setText(text)
            self._tell()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell()

    def _tell(self) -> None:
        self.setToolTip(self.text() if self._shown() != self.text() else "")

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(self.contentsRect(), Qt.AlignmentFlag.AlignVCenter, self._shown())
        painter.end()

    def _shown(self) -> str:
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())


class _Figure(QLabel):
    """A text of a fixed size, at least as wide as `widest`.

    A text that may take any size has the whole window laid out anew for every change, and docks put in their places.
    """

    def __init__(self, name: str, widest: str) -> None:
        super().__init__()
        self.setObjectName(f"status_{name}")
        self.setProperty("role", "secondary")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setIndent(0)
        self._widest = widest
        self._fit(QSize(0, 0))

    def say(self, text: str) -> None:
        if text != self.text():
            self.setText(text)
            self._fit(self.minimumSize())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit(QSize(0, 0))

    def _fit(self, least: QSize) -> None:
        metrics, padding = self.fontMetrics(), self.contentsMargins()
        size = metrics.size(0, self.text()).expandedTo(metrics.size(0, self._widest))
        size = size.grownBy(padding).expandedTo(least)
        if (self.minimumSize(), self.maximumSize()) != (size, size):
            self.setFixedSize(size)


class StatusLine(QWidget):
    """Every figure keeps its place, as wide as its widest text, unless a long sentence needs the room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status_line")
        self._message = _Sentence()
        self._message.setObjectName("status_message")
        self._last = QElapsedTimer()
        self._progress = ProgressLine()
        row = QHBoxLayout(self)
        row.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        row.setSpacing(4 * SPACING)
        row.addWidget(self._message, 1)
        row.addWidget(self._progress)
        self._labels = {name: _Figure(name, widest) for name, widest in _WIDEST.items()}
        for label in self._labels.values():
            row.addWidget(label)
        self._labels["speed"].setToolTip("Training samples a second over the last two seconds.")
        self._labels["cost"].setToolTip(
            "What watching costs: the share of the time that this window spends drawing. It is held within a budget by "
            "redrawing less often; the menu sets the budget."
        )

    def follow(self, state: RunState, *, cost: float | None, note: str = "") -> None:
        """As `refresh`, but figures stay long enough to be read, and what they stand on is painted as seldom."""
        if not self._last.isValid() or self._last.elapsed() >= READABLE:
            self.refresh(state, cost=cost, note=note)

    def refresh(self, state: RunState, *, cost: float | None, note: str = "") -> None:
        """Show the run. `cost` is the share of the time spent drawing, None while nothing runs. `note` goes first."""
        text = note or self._sentence(state)
        self._message.say(text)
        started = state.total_steps > 0
        plural = "s" if state.threads != 1 else ""
        unit = "samples/s" if state.dataset in _POINTS else "img/s"
        self._labels["device"].say(f"{state.device} · {state.threads} thread{plural}" if started else "")
        self._labels["step"].say(
            f"step {numbers.count(state.step)}/{numbers.count(state.total_steps)}" if started else ""
        )
        epochs = -(-state.total_steps // state.steps_per_epoch) if state.steps_per_epoch else 0
        self._labels["epoch"].say(f"epoch {state.epoch}/{epochs}" if started else "")
        speed = state.samples_per_second
        self._labels["speed"].say(f"{numbers.count(_steady(speed))} {unit}" if started and speed else "")
        left = state.seconds_left
        running = state.status in ("running", "paused")
        self._labels["left"].say(f"{numbers.duration(left)} left" if running and left is not None else "")
        self._labels["cost"].say("" if cost is None else f"watching {numbers.percent(cost)}")
        self._progress.set_share(_share(state))
        self._make_room()
        self._last.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """Every figure keeps its place while the sentence fits; else what says nothing, then what says least goes."""
        parts = {widget: _width(widget) for widget in (self._progress, *self._labels.values())}
        empty = [label for label in self._labels.values() if not label.text()]
        needed = _width(self._message)
        room = self.width() - 2 * PANEL_MARGIN + 4 * SPACING
        hidden = set[QWidget]()
        for widget in (*empty, self._progress, *(self._labels[name] for name in _SAYS_LEAST)):
            if room - sum(parts[part] for part in parts.keys() - hidden) >= needed:
                break
            hidden.add(widget)
        for widget in parts:
            if widget.isVisibleTo(self) != (widget not in hidden):
                widget.setVisible(widget not in hidden)

    @staticmethod
    def _sentence(state: RunState) -> str:
        if state.preparing is not None:
            return f"{state.preparing[0]} …"
        if state.finished is not None:
            restored = state.finished.restored_epoch
            weights = f", weights of epoch {restored} restored" if restored is not None else ""
            return _REASONS[state.finished.reason] + weights
        return _WORDS[state.status]


def _width(widget: QWidget) -> int:
    """That it takes in the line, with the distance to the next."""
    return (widget.minimumWidth() or widget.sizeHint().width()) + 4 * SPACING


_POINTS = frozenset(entry.name for entry in (*TOYS, *TUTORIALS))


def _share(state: RunState) -> float | None:
    return state.preparing[1] if state.preparing is not None else state.progress or 0.0


def _steady(speed: float) -> int:
    """Three significant figures: more would only flicker."""
    digits = max(len(str(int(speed))) - 3, 0)
    return int(round(speed, -digits))
