"""The line at the bottom: where the run is, how fast, and what watching it costs."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from gui import numbers
from gui.run_state import RunState
from gui.theme import PANEL_MARGIN, SPACING

_WIDEST = {
    "device": "CPU · 16 threads · channels last",
    "step": "step 88\u2009888/88\u2009888",
    "epoch": "epoch 888/888",
    "speed": "8\u2009888\u2009888 img/s",
    "left": "88:88:88 left",
    "cost": "watching 88.8\u2009%",
}
_WORDS = {
    "idle": "Ready",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Ended with an error",
}
_REASONS = {"completed": "Finished", "stopped": "Stopped", "early_stopping": "Stopped early: no better validation loss"}


class StatusLine(QWidget):
    """Every figure keeps its place: the labels are as wide as their widest text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status_line")
        self._message = QLabel()
        self._message.setObjectName("status_message")
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setMinimumWidth(0)
        self._progress = QProgressBar()
        self._progress.setObjectName("run_progress")
        self._progress.setAccessibleName("Progress of the run")
        self._progress.setTextVisible(False)
        self._progress.setFixedSize(120, 6)
        row = QHBoxLayout(self)
        row.setContentsMargins(PANEL_MARGIN, SPACING, PANEL_MARGIN, SPACING)
        row.setSpacing(4 * SPACING)
        row.addWidget(self._message, 1)
        row.addWidget(self._progress)
        self._labels: dict[str, QLabel] = {}
        for name, widest in _WIDEST.items():
            label = QLabel()
            label.setObjectName(f"status_{name}")
            label.setProperty("role", "secondary")
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            label.setMinimumWidth(label.fontMetrics().horizontalAdvance(widest) if name != "device" else 0)
            row.addWidget(label)
            self._labels[name] = label
        self._labels["speed"].setToolTip("Training samples a second over the last two seconds.")
        self._labels["cost"].setToolTip(
            "What watching costs: the share of the time that this window spends drawing. It is held within a budget by "
            "redrawing less often; the menu sets the budget."
        )

    def refresh(self, state: RunState, *, cost: float | None, note: str = "") -> None:
        """Show the run. `cost` is the share of the time spent drawing, None while nothing runs. `note` goes first."""
        text = note or self._sentence(state)
        self._set(self._message, text)
        started = state.total_steps > 0
        plural = "s" if state.threads != 1 else ""
        unit = "samples/s" if state.network in ("", "mlp") and state.dataset in _POINTS else "img/s"
        self._set(self._labels["device"], f"{state.device} · {state.threads} thread{plural}" if started else "")
        self._set(
            self._labels["step"],
            f"step {numbers.count(state.step)}/{numbers.count(state.total_steps)}" if started else "",
        )
        epochs = -(-state.total_steps // state.steps_per_epoch) if state.steps_per_epoch else 0
        self._set(self._labels["epoch"], f"epoch {state.epoch}/{epochs}" if started else "")
        speed = state.samples_per_second
        self._set(self._labels["speed"], f"{numbers.count(_steady(speed))} {unit}" if started and speed else "")
        left = state.seconds_left
        running = state.status in ("running", "paused")
        self._set(self._labels["left"], f"{numbers.duration(left)} left" if running and left is not None else "")
        self._set(self._labels["cost"], "" if cost is None else f"watching {numbers.percent(cost)}")
        self._show_progress(state)

    def _show_progress(self, state: RunState) -> None:
        if state.preparing is not None:
            done = state.preparing[1]
            value, maximum = (0, 0) if done is None else (round(1000 * done), 1000)
        else:
            value, maximum = round(1000 * (state.progress or 0.0)), 1000
        if (self._progress.value(), self._progress.maximum()) != (value, maximum):
            self._progress.setMaximum(maximum)
            self._progress.setValue(value)

    @staticmethod
    def _sentence(state: RunState) -> str:
        if state.preparing is not None:
            return f"{state.preparing[0]} …"
        if state.finished is not None:
            restored = state.finished.restored_epoch
            weights = f", weights of epoch {restored} restored" if restored is not None else ""
            return _REASONS[state.finished.reason] + weights
        return _WORDS[state.status]

    @staticmethod
    def _set(label: QLabel, text: str) -> None:
        if label.text() != text:
            label.setText(text)


_POINTS = ("circles", "xor", "gaussians", "spirals")


def _steady(speed: float) -> int:
    """Three significant figures: more would only flicker."""
    digits = max(len(str(int(speed))) - 3, 0)
    return int(round(speed, -digits))
