"""What the window remembers from one start to the next, as frozen data in a JSON file. No Qt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from engine.files import write_atomically
from engine.home import data_folder

FILE_NAME = "settings.json"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything by name, never by position, so that a list that grew does not change what was meant.

    Attributes:
        theme: `light`, `dark`, or `system` until the person has chosen.
        geometry, window_state: Qt's own bytes of the window and its docks, base64.
        choices: what the set-up panel gave: plain JSON, checked again when it is restored.
        watching_budget: the share of time that drawing may take, 0.01 … 0.5.
        speed: the speed slider's place, 0 (one step a second) … 1 (no brake).
        brush_size: of the canvas, in px of its 280 × 280 raster.
        curves: what the curves view gave: axis, smoothing, what is shown.
        filter_mode: `values` or `change`.
        filter_scale: `shared` or `each`.
        last_folder: where the last file dialog was.
        lessons_done: `name:stage` of every lesson's stage that was completed.
    """

    theme: str = "system"
    geometry: str = ""
    window_state: str = ""
    choices: Mapping[str, object] = field(default_factory=dict)
    watching_budget: float = 0.05
    speed: float = 1.0
    brush_size: int = 22
    curves: Mapping[str, object] = field(default_factory=dict)
    filter_mode: str = "values"
    filter_scale: str = "shared"
    last_folder: str = ""
    lessons_done: tuple[str, ...] = ()


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _between(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _text(value: object) -> bool:
    return isinstance(value, str)


_SOUND: Mapping[str, Callable[[object], bool]] = {
    "theme": _one_of("system", "light", "dark"),
    "geometry": _text,
    "window_state": _text,
    "choices": lambda value: isinstance(value, dict),
    "watching_budget": _between(0.01, 0.5),
    "speed": _between(0, 1),
    "brush_size": lambda value: isinstance(value, int) and _between(1, 100)(value),
    "curves": lambda value: isinstance(value, dict),
    "filter_mode": _one_of("values", "change"),
    "filter_scale": _one_of("shared", "each"),
    "last_folder": _text,
    "lessons_done": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
}


def load(folder: Path | None = None) -> Settings:
    """The settings saved in `folder`. Whatever is missing, damaged or out of range is at its default; never raises."""
    try:
        text = ((folder or data_folder()) / FILE_NAME).read_text(encoding="utf-8")
        saved = json.loads(text)
    except (OSError, ValueError, RecursionError):  # ValueError: neither JSON nor UTF-8
        return Settings()
    if not isinstance(saved, dict):
        return Settings()
    sound = {
        name: saved[name] for name in (f.name for f in fields(Settings)) if name in saved and _SOUND[name](saved[name])
    }
    if "lessons_done" in sound:
        sound["lessons_done"] = tuple(sound["lessons_done"])
    return Settings(**sound)


def save(settings: Settings, folder: Path | None = None) -> str | None:
    """Write the settings; None, or a sentence for the person that says why they could not be kept."""
    folder = folder or data_folder()
    try:
        data = json.dumps({"version": VERSION, **asdict(settings)}, indent=2, ensure_ascii=False).encode()
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / FILE_NAME, data + b"\n")
    except OSError as error:
        reason = error.strerror or str(error)
        return f"The window's settings could not be kept in {folder}: {reason}. Free some space or set LEARNSCOPE_HOME."
    except (TypeError, ValueError) as error:
        return f"The window's settings could not be kept: {error}."
    return None
