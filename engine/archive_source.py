"""Where the files of a run from another computer lie: a folder or a zip archive, neither of them trusted."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from engine.errors import InputError
from engine.export import EVENTS_FILE, MANIFEST_FILE, README_FILE, SCRIPT_FILE
from engine.results import CONFIG_FILE, WEIGHTS_FILE

MOST_BYTES = 1 << 30  # of all files together, unpacked
_MOST_ENTRIES = 1_000
_MOST_DIRECTORY = 1 << 20  # bytes of a zip's table of contents
_KNOWN = (CONFIG_FILE, WEIGHTS_FILE, EVENTS_FILE, SCRIPT_FILE, README_FILE, MANIFEST_FILE)
_ANOTHER = "a folder or zip that Learnscope wrote"


def refused(problem: str, accepted: str = _ANOTHER) -> InputError:
    return InputError("archive", problem, accepted)


class Source(Protocol):
    """Where the files lie. Methods raise InputError."""

    sizes: Mapping[str, int]  # of those that are known, as the source claims them

    def open(self, name: str) -> IO[bytes]: ...


class FolderSource:
    """A folder: links are not followed, and what is not known is not looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        sizes = {}
        for name in _KNOWN:
            try:
                status = (path / name).lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise refused(f"{name} in {path.name} is a link or no file at all")
            sizes[name] = status.st_size
        self.sizes: Mapping[str, int] = sizes

    def open(self, name: str) -> IO[bytes]:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        return os.fdopen(os.open(self._path / name, flags), "rb")


class ZipSource:
    """A zip archive, read in memory: no name in it ever becomes a path. One folder around the files is taken off."""

    def __init__(self, path: Path, *, most_bytes: int) -> None:
        if path.stat().st_size > most_bytes:
            raise refused(f"{path.name} is larger than {most_bytes:,} bytes")
        _check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (NotImplementedError, ValueError, OverflowError, struct.error) as error:
            raise refused(f"{path.name} is damaged: {error}") from None
        try:
            self._members = self._checked(path, most_bytes)
        except BaseException:
            self._zip.close()
            raise
        self.sizes: Mapping[str, int] = {name: member.file_size for name, member in self._members.items()}

    def _checked(self, path: Path, most_bytes: int) -> dict[str, zipfile.ZipInfo]:
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        if len(members) > _MOST_ENTRIES:
            raise refused(f"{path.name} holds {len(members):,} files")
        for member in self._zip.infolist():
            pieces = member.filename.rstrip("/").split("/")
            if any(piece in ("", ".", "..") or "\\" in piece or ":" in piece for piece in pieces):
                raise refused(f"{path.name} holds a file whose name leads elsewhere")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise refused(f"{path.name} holds a link")
            if member.flag_bits & 0x1:
                raise refused(f"{path.name} is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refused(f"{path.name} is compressed in a way that is not read")
        total = sum(member.file_size for member in members)
        if total > most_bytes:
            raise refused(f"{path.name} unpacks to {total:,} bytes", f"up to {most_bytes:,}")
        folders = {member.filename.rpartition("/")[0] for member in members if member.filename.endswith(CONFIG_FILE)}
        inside = min(folders, key=len, default="")
        prefix = f"{inside}/" if inside else ""
        found: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = member.filename.removeprefix(prefix)
            if name in _KNOWN and member.filename.startswith(prefix):
                if name in found:
                    raise refused(f"{path.name} holds {name} twice")
                found[name] = member
        return found

    def open(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(self._members[name])
        except RuntimeError as error:  # zipfile's word for what it does not read
            raise refused(f"{name} cannot be read: {error}") from None

    def close(self) -> None:
        self._zip.close()


def _check_directory(path: Path) -> None:
    """Raises InputError for a table of contents that would take much memory, before anything reads it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 22 - (1 << 16) - 20))
        end = file.read()
    place = end.rfind(b"PK\5\6")
    if place < 0 or place + 22 > len(end):
        raise refused(f"{path.name} is no zip archive, or is cut short")
    entries, length = (
        int.from_bytes(end[place + 10 : place + 12], "little"),
        int.from_bytes(end[place + 12 : place + 16], "little"),
    )
    if end[max(0, place - 20) : place].startswith(b"PK\6\7") or entries > _MOST_ENTRIES or length > _MOST_DIRECTORY:
        raise refused(f"{path.name} has a table of contents that is too long")


@contextmanager
def opened(path: Path, *, most_bytes: int) -> Iterator[Source]:
    """Raises InputError where `path` cannot be read, also while it is open."""
    try:
        if path.is_dir():
            yield FolderSource(path)
            return
        source = ZipSource(path, most_bytes=most_bytes)
        try:
            yield source
        finally:
            source.close()
    except OSError as error:
        raise refused(f"{path.name} cannot be read: {error.strerror or error}", "") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise refused(f"{path.name} is damaged: {error}") from None
