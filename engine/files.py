"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a crash, a full disk or a reader in between never meets half a file.

    A temporary file in the same folder is written, fsynced and renamed over `path`; what was there before stays
    until then, and the temporary file is removed if anything fails. A symbolic link keeps pointing at its file,
    whose contents are replaced.

    Raises:
        OSError: the folder is missing or read-only, the disk is full, `path` is a folder, …
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name[:32]}.{secrets.token_hex(4)}.tmp")
    # Mode 0o666 less the umask, as a plain open() gives: tempfile's 0o600 would hide an export from its group.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
