"""The tools of the window and those that lessons may open."""

from __future__ import annotations

from pathlib import Path

import engine.lessons.lesson
from engine.config import make_config
from engine.lessons.lesson import Lesson, load_lesson, save_lesson, stage_of
from gui.tools import TOOLS


def test_lessons_know_the_tools_of_the_window() -> None:
    assert tuple(tool.name for tool in TOOLS) == engine.lessons.lesson.TOOLS


def test_a_lesson_saved_with_all_tools_open_can_be_opened(tmp_path: Path) -> None:
    tools: dict[str, dict[str, object]] = {tool.name: {} for tool in TOOLS}
    path = tmp_path / "mine.lesson.md"
    save_lesson(path, Lesson(name="mine", title="Mine", stages=(stage_of(make_config()),), tools=tools, text="Look."))
    assert load_lesson(path).tools == tools
