"""Which process records a run, and whether it is still there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SILENT_AFTER = 120.0  # s without a sign of life after which a process on another machine counts as ended


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number.

    Attributes:
        place: the machine since it was started, and where processes have numbers of their own, that space.
        number: of the process.
        began: when the process began, as the system tells it; empty where it does not.
    """

    place: str
    number: int
    began: str

    def runs(self, *, silent: float) -> bool:
        """Whether the process is still there, `silent` seconds after its last sign of life.

        On this machine the system knows. Of another one there are only the signs of life; a clock that was put back
        makes them come from the future, by as much.
        """
        if self.place != _place():
            return abs(silent) <= SILENT_AFTER
        began = _began(self.number)
        return began is not None and began == self.began


def this_process() -> Process:
    return Process(_place(), os.getpid(), _began(os.getpid()) or "")


@cache
def _place() -> str:
    parts = [platform.node()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # not Linux
        pass
    return " ".join(parts)


if sys.platform == "win32":

    def _began(number: int) -> str | None:
        """When the process began, empty where that is not told; None where there is no such process."""
        import ctypes
        from ctypes import wintypes

        query, still_active = 0x1000, 259  # PROCESS_QUERY_LIMITED_INFORMATION, STILL_ACTIVE
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = kernel.OpenProcess(query, False, number)
        if not handle:
            return None if ctypes.get_last_error() == 87 else ""  # ERROR_INVALID_PARAMETER: no such process
        try:
            code, times = wintypes.DWORD(), [wintypes.FILETIME() for _ in range(4)]
            kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
            if code.value != still_active:
                return None
            kernel.GetProcessTimes(wintypes.HANDLE(handle), *map(ctypes.byref, times))
            return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)
        finally:
            kernel.CloseHandle(wintypes.HANDLE(handle))

elif sys.platform == "linux":

    def _began(number: int) -> str | None:
        """When the process began, empty where that is not told; None where there is no such process."""
        try:
            told = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        except PermissionError:
            return ""
        except OSError:
            return None
        state, *fields = told.rpartition(")")[2].split()  # proc(5): the 3rd field, then the 4th to the last
        return None if state in "ZXx" else fields[18]  # a zombie has ended; the 22nd is its start since boot

else:

    def _began(number: int) -> str | None:
        """When the process began, empty where that is not told; None where there is no such process."""
        try:
            asked = ["ps", "-o", "lstart=", "-p", str(number)]
            return subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout.strip() or None
        except (OSError, subprocess.SubprocessError):
            return ""
