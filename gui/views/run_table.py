"""The runs since the window was opened, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gui import numbers
from gui.run_state import RunState

COLUMNS = {
    "Began": "Time of day",
    "Dataset": "What was learned",
    "Network": "What learned it",
    "Optimizer": "The optimizer and its learning rate at the start",
    "Seed": "Initial weights and data order follow from it",
    "Steps": "Updates of the weights",
    "Time": "Spent in training, pauses left out",
    "Test loss": "After the last whole epoch",
    "Test accuracy": "After the last whole epoch",
    "Ended": "How the run ended",
}
_ENDINGS = {"completed": "Completed", "stopped": "Stopped", "early_stopping": "Stopped early"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """What a run began with, as the table says it."""

    began: str
    dataset: str
    network: str
    optimizer: str
    seed: int


class RunTable(QTableWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setObjectName("run_table")
        self.setAccessibleName("Runs")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.verticalHeader().hide()
        self.setHorizontalHeaderLabels(list(COLUMNS))
        for column, meaning in enumerate(COLUMNS.values()):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(meaning)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)

    def add(self, note: RunNote, state: RunState) -> None:
        """Put a run that has ended on top."""
        evaluation = state.evaluations[-1] if state.evaluations else None
        accuracy = None if evaluation is None else evaluation.test_accuracy
        ended = _ENDINGS[state.finished.reason] if state.finished is not None else "Ended with an error"
        texts = (
            note.began,
            note.dataset,
            note.network,
            note.optimizer,
            str(note.seed),
            numbers.count(state.step),
            numbers.duration(state.seconds),
            "" if evaluation is None else numbers.loss(evaluation.test_loss),
            "" if accuracy is None else numbers.percent(accuracy, 2),
            ended,
        )
        self.insertRow(0)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if column in (4, 5, 6, 7, 8):
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(0, column, item)
