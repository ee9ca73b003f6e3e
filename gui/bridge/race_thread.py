"""A race's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread

from engine.errors import InputError
from gui.bridge.kept import Kept

if TYPE_CHECKING:
    from engine.race_run import RaceRun


class RaceThread(QThread):
    """Follows a race whose runs are processes of their own, into the history."""

    def __init__(self, parent: QObject, *, race: RaceRun, kept: Kept) -> None:
        super().__init__(parent)
        self.race = race
        self._kept = kept

    def run(self) -> None:
        try:
            store = self._kept.store()
        except InputError as error:
            store, self.race.problem = None, error.sentence
        self.race.follow(store)
