"""What the window writes to files. Plain functions for another thread; each gives the sentence that tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.files import write_atomically
from gui.bridge.answerer import Asked, Cancelled
from gui.bridge.answers import Live
from gui.settings import Settings, save

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.rewind.snapshots import Snapshots
    from engine.snapshots import FilterImages

Draw = Callable[["list[FilterImages]", "FilterImages"], bytes]
"""A film's file, of a layer's filters at several steps and of those before the first."""


def saved_weights(path: Path, live: Live, config: RunConfig) -> str:
    """As safetensors, those of this moment."""
    from engine.results import save_weights

    network = live()
    if network is None:
        return "There are no weights yet: press Start first."
    return _saved("weights were", path, lambda: save_weights(path, network, config))


def saved_setup(path: Path, config: RunConfig) -> str:
    """As JSON."""
    return _saved("set-up was", path, lambda: write_atomically(path, config.to_json().encode()))


def saved_lesson(path: Path, config: RunConfig, *, title: str, text: str, tools: Sequence[str]) -> str:
    """A lesson of one stage that runs `config`."""
    from engine.lessons.lesson import Lesson, save_lesson, stage_of  # here: start-up has no time for pydantic

    lesson = Lesson(
        name="saved",
        title=title,
        stages=(stage_of(config),),
        tools={tool: {} for tool in tools},
        text=text,
    )
    return _saved("lesson was", path, lambda: save_lesson(path, lesson))


def saved_settings(settings: Settings) -> str:
    """Why the window's settings could not be written. Raises Cancelled where they were: nobody needs to know."""
    problem = save(settings)
    if problem is None:
        raise Cancelled
    return problem


def saved_film(asked: Asked, path: Path, snapshots: Snapshots, *, layer: str, steps: Sequence[int], draw: Draw) -> str:
    """What `draw` makes of a layer's filters at kept steps. Raises Cancelled where a step has no such layer."""
    from engine.rewind.moments import moment_at

    images: list[FilterImages] = []
    initial = None
    for step in steps:
        asked.check()
        moment = moment_at(snapshots, step, exact=False)
        if moment is None or layer not in [known.name for known in moment.live.layers]:
            raise Cancelled
        images.append(moment.live.filters(layer))
        initial = moment.live.initial_filters(layer)
    if initial is None:
        raise Cancelled
    first = initial
    try:
        return _saved("film was", path, lambda: write_atomically(path, draw(images, first)))
    except InputError as error:
        return error.sentence


def _saved(what: str, path: Path, write: Callable[[], None]) -> str:
    try:
        write()
    except OSError as error:
        return f"{path.name} could not be written: {error.strerror or error}."
    return f"The {what} saved to {path.name}."
