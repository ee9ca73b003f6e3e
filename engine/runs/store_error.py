"""What keeps the history of runs from being read or written, in words for people."""

from __future__ import annotations

from engine.errors import InputError


class StoreError(InputError):
    """The history cannot do what was asked: it is newer than this program, damaged, read-only, in use."""

    def __init__(self, problem: str, accepted: str = "") -> None:
        super().__init__("history", problem, accepted)


def damaged(run_id: int, what: str) -> StoreError:
    return StoreError(f"the record of run {run_id} is damaged: {what}", "delete this run, or look at another")
