"""Names, notes and tags that people give to runs, and the text that a search goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.errors import InputError
from engine.parts import CATALOGS

MOST_NAME, MOST_NOTES, MOST_TAG, MOST_TAGS = 200, 100_000, 40, 50  # characters, and tags of a run


def checked_name(name: str) -> str:
    """One line. Raises InputError."""
    return _checked("name", " ".join(name.split()), MOST_NAME)


def checked_notes(notes: str) -> str:
    """Raises InputError."""
    return _checked("notes", notes.strip(), MOST_NOTES)


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, without spaces around it. Raises InputError."""
    found = []
    for tag in tags:
        text = _checked("tag", " ".join(tag.split()), MOST_TAG)
        if not text or "," in text:
            raise InputError("tag", f"{tag!r} is no tag", "a word or a few, without a comma")
        found.append(text)
    return tuple(dict.fromkeys(found))


def _checked(field: str, text: str, most: int) -> str:
    if len(text) > most:
        raise InputError(field, f"{len(text):,} characters are too many", f"up to {most:,}")
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which a terminal can bring
        raise InputError(field, "holds characters that cannot be kept", "text in UTF-8") from None
    if any(character < " " and character not in "\n\t" for character in text):
        raise InputError(field, "holds control characters", "text")
    return text


def search_text(parts: Mapping[str, str], lesson: str, *, name: str, notes: str, tags: Iterable[str]) -> str:
    """What a search looks through, without regard to case.

    Args:
        parts: names of the dataset, network, optimizer, loss, schedule and augmentation. Their labels are searched as
            well.
    """
    labels = [CATALOGS[part][entry].label for part, entry in parts.items() if entry in CATALOGS[part]]
    return "\n".join([name, notes, *tags, *parts.values(), *labels, lesson]).casefold()
