"""One file from the network into the data folder: in pieces, checked, cancellable at any time. Imports no torch."""

from __future__ import annotations

import hashlib
import http.client
import math
import os
import queue
import socket
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

from engine.errors import InputError
from engine.events import Preparing

TIMEOUT_SECONDS = 20.0
PROGRESS_SECONDS = 0.1
# Larger answers than any file that is offered are not worth the disk: something else is answering.
MOST_BYTES = 1 << 30
_PIECE_BYTES = 1 << 16
_WAITING_PIECES = 64
_PARTIAL = ".part"
_LEFTOVER_SECONDS = 24 * 3600.0
_JOIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that can be downloaded.

    Attributes:
        urls: where it is, mirrors of each other, tried in order.
        md5: of the file as it is transferred, in hexadecimal.
        path: where it goes, below the data folder.
    """

    urls: tuple[str, ...]
    md5: str
    path: PurePosixPath


class TransferError(Exception):
    """What stopped a transfer, in words for people that follow "could not be downloaded: "."""


def cache_folder() -> Path:
    """Where downloads go: below `LEARNSCOPE_HOME` where that is set, else in the user's cache folder."""
    home = os.environ.get("LEARNSCOPE_HOME")
    if home:
        return Path(home) / "cache" / "datasets"
    return Path(platformdirs.user_cache_dir("learnscope")) / "datasets"


def data_folders() -> tuple[Path, ...]:
    """Where local copies are looked for: the folder named by `LEARNSCOPE_DATA`, then the cache."""
    own = os.environ.get("LEARNSCOPE_DATA")
    return (Path(own), cache_folder()) if own else (cache_folder(),)


def download(source: Source, folder: Path, *, label: str, what: str) -> Generator[Preparing, None, None]:
    """Brings `source` into `folder`, yielding about ten times a second.

    The file appears under its name only when it is whole, its checksum holds and it is safely on disk. Closing the
    generator cancels at once and leaves nothing behind.

    Args:
        source: the file.
        folder: the data folder; made where it is missing.
        label: of the dataset, for errors.
        what: is being done, for progress.

    Raises InputError("dataset", …) when there is no network, no room, no right to write, or another file than expected.
    """
    target = folder / source.path
    try:
        yield from _download(source, target, what=what)
    except TransferError as error:
        raise InputError(
            "dataset",
            f"{label} could not be downloaded: {error}",
            f"try again when online, put {target.name} into {target.parent}, or pick mnist, which needs no network",
        ) from None
    except OSError as error:
        raise InputError(
            "dataset",
            f"{label} could not be saved to {target.parent}: {error.strerror or error}",
            "make room and allow writing there, or name another folder in the environment variable LEARNSCOPE_HOME",
        ) from None


def _download(source: Source, target: Path, *, what: str) -> Generator[Preparing, None, None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_PARTIAL, dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for number, url in enumerate(source.urls, start=1):
                file.seek(0)
                file.truncate()
                try:
                    found = yield from _transfer(url, file.write, what=what)
                    if found != source.md5:
                        raise TransferError(f"{target.name} arrived damaged: its MD5 is {found}, not {source.md5}")
                    break
                except TransferError:
                    if number == len(source.urls):
                        raise
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove_leftovers(target: Path) -> None:
    """What a killed program left of earlier attempts; younger files may be another program's work under way."""
    for leftover in target.parent.glob(f".{target.name}.*{_PARTIAL}"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


def _transfer(url: str, write: Callable[[bytes], int], *, what: str) -> Generator[Preparing, None, str]:
    """Hands all of `url` to `write` and returns its MD5. Raises TransferError, and what `write` raises."""
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    told = -math.inf
    fetcher = _Fetcher(url)
    try:
        while True:
            if time.monotonic() - told >= PROGRESS_SECONDS:
                yield Preparing(what, received / fetcher.total if fetcher.total else None)
                told = time.monotonic()
            try:
                piece = fetcher.pieces.get(timeout=PROGRESS_SECONDS)
            except queue.Empty:
                continue
            if isinstance(piece, TransferError):
                raise piece
            if not piece:
                break
            received += len(piece)
            if received > MOST_BYTES:
                raise TransferError(f"the answer is larger than the {MOST_BYTES >> 20} MB that any dataset takes")
            digest.update(piece)
            write(piece)
    finally:
        fetcher.close()
    if fetcher.total is not None and received < fetcher.total:
        raise TransferError(f"the connection was cut after {received:,} of {fetcher.total:,} bytes")
    return digest.hexdigest()


class _Fetcher:
    """Reads an address on a thread of its own: looking up, connecting and reading block, and cannot be asked to stop.

    `pieces` brings the bytes in order, ended by an empty piece or a TransferError. `total` is their number once it is
    known. `close` ends it at any time.
    """

    def __init__(self, url: str) -> None:
        self.pieces: queue.Queue[bytes | TransferError] = queue.Queue(_WAITING_PIECES)
        self.total: int | None = None
        self._request = urllib.request.Request(url, headers={"User-Agent": "learnscope"})
        self._closed = threading.Event()
        self._socket_lock = threading.Lock()
        self._response: http.client.HTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the transfer. A read under way is woken; only a name look-up may live on, for a while and silently."""
        self._closed.set()
        with self._socket_lock:
            if self._response is not None:
                with (
                    suppress(OSError, ValueError, AttributeError),
                    socket.fromfd(self._response.fileno(), socket.AF_INET, socket.SOCK_STREAM) as connection,
                ):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self._read()
            self._put(b"")
        except Exception as error:  # whatever it is, the other side waits for word of it
            self._put(TransferError(_in_words(error)))

    def _read(self) -> None:
        response = urllib.request.urlopen(self._request, timeout=TIMEOUT_SECONDS)
        with self._socket_lock:
            self._response = response
        try:
            length = response.headers.get("Content-Length", "")
            self.total = int(length) if length.isdigit() else None
            while not self._closed.is_set() and (piece := response.read1(_PIECE_BYTES)):
                self._put(piece)
        finally:
            with self._socket_lock:
                self._response = None
                response.close()

    def _put(self, piece: bytes | TransferError) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self.pieces.put(piece, timeout=PROGRESS_SECONDS)
                return


def _in_words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    match reason:
        case socket.gaierror():
            return "no network, or the server's name is not known"
        case TimeoutError():
            return f"no answer from the server within {TIMEOUT_SECONDS:g} seconds"
        case ConnectionRefusedError():
            return "no network, or the server refuses the connection"
        case ssl.SSLError():
            return f"no secure connection ({reason.reason or reason})"
        case OSError():
            return f"no network, or the connection broke ({reason.strerror or reason})"
        case _:
            return f"the connection broke ({reason})"
