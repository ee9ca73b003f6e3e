"""Files that the person names: weights and set-up to save, a set-up or a lesson to open or to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from engine.errors import InputError
from gui.bridge import Bridge
from gui.lesson_dialog import LessonDialog, ask_for_lesson
from gui.lesson_guide import LessonGuide, sentence_of
from gui.tools import ToolDocks
from gui.views.setup_panel import SetupPanel


class Saving(QObject):
    """Opens and saves what is set up; what cannot be done is said.

    Args:
        window: the dialogs' parent.
        say: shows a sentence in the status line.
    """

    def __init__(
        self,
        window: QWidget,
        *,
        bridge: Bridge,
        setup: SetupPanel,
        guide: LessonGuide,
        tools: ToolDocks,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._bridge, self._setup, self._guide, self._tools, self._say = bridge, setup, guide, tools, say

    def save_weights(self, path: Path) -> None:
        """The weights of this moment."""
        try:
            config = self._setup.config()
        except InputError:
            return
        self._bridge.save_weights(path, config)

    def save_setup(self, path: Path) -> None:
        try:
            config = self._setup.config()
        except InputError as error:
            self._setup.show_error(error)
            return
        self._bridge.save_setup(path, config)

    def open_setup(self, path: Path) -> None:
        if self._bridge.running:
            self._say("A run is under way: stop it before opening another set-up.")
            return
        try:
            from engine.config import load_config  # here: start-up has no time for pydantic

            self._setup.set_config(load_config(path))
        except InputError as error:  # the field is not in sight: it stands in the file
            self._say(error.sentence if error.field == "config" else f"{path.name} does not fit: {error}.")

    def ask_lesson_to_open(self) -> None:
        ask_for_lesson(self._window, self._open_lesson)

    def ask_lesson_to_save(self) -> None:
        LessonDialog(self._window, self._save_lesson).open()

    def _open_lesson(self, path: Path) -> None:
        try:
            self._guide.open(str(path))
        except InputError as error:
            self._say(sentence_of(error))

    def _save_lesson(self, path: Path, title: str, text: str) -> None:
        try:
            config = self._setup.config()
        except InputError:
            self._say("The set-up has a mistake; mend it before saving it as a lesson.")
            return
        shown = [name for name, dock in self._tools.docks.items() if not dock.isHidden()]
        self._bridge.save_lesson(path, config, title=title, text=text, tools=shown)
