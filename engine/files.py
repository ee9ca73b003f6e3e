"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a crash, a full disk or a reader in between never meets half a file.

    A temporary file in the same folder is written, fsynced and renamed over `path`; what was there before stays
    until then, and the temporary file is removed if anything fails. A symbolic link keeps pointing at its file,
    whose contents are replaced.

    Raises:
        OSError: the folder is missing or read-only, the disk is full, `path` is a folder, …
    """
    write_pieces_atomically(path, (memoryview(data),))


def write_pieces_atomically(path: Path, pieces: Iterable[memoryview], *, previous: Path | None = None) -> None:
    """As `write_atomically`, for `pieces` one after the other. What was at `path` before is then at `previous`."""
    target = path.resolve()
    temporary = _temporary(target)
    # Mode 0o666 less the umask, as a plain open() gives: tempfile's 0o600 would hide an export from its group.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None:
            _keep(target, previous)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def remove_temporaries(path: Path) -> None:
    """Remove what writers of `path` left behind that were killed. Only where nobody else writes there now."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f"{_prefix(path)}.????????.tmp"):
            left.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name[:32]}"


def _temporary(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}.{os.urandom(4).hex()}.tmp")


def _keep(target: Path, previous: Path) -> None:
    """Let what is at `target`, if anything, be at `previous` too."""
    second_name = _temporary(target)
    try:
        os.link(target, second_name)
    except FileNotFoundError:
        return
    except OSError:  # a file system without links: for a moment it is at `previous` alone
        target.replace(previous)
        return
    try:
        second_name.replace(previous)
    finally:
        second_name.unlink(missing_ok=True)  # a rename between two names of one file does nothing


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
