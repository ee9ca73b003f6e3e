"""Which runs of the history, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import InputError
from engine.runs.run_record import STATUSES, SUMMARY_COLUMNS

SORTS = tuple(name for name in SUMMARY_COLUMNS if name not in ("notes", "message", "deleted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """What runs are looked for; everything that is given must hold.

    Attributes:
        text: words, each of which stands somewhere in the run's name, notes, tags, or the names of its dataset,
            network, optimizer, loss, schedule, augmentation and lesson; case does not matter.
        status, dataset, network, optimizer, lesson, tag: as a summary has them; None: any.
        parent: the run that they branch from.
        deleted: those that were deleted, instead of those that were not.
        sort: one of SORTS; runs without a value come last either way.
        limit: how many at most; None: all. `offset`: how many are passed over before.
    """

    text: str = ""
    status: str | None = None
    dataset: str | None = None
    network: str | None = None
    optimizer: str | None = None
    lesson: str | None = None
    tag: str | None = None
    parent: int | None = None
    deleted: bool = False
    sort: str = "id"
    descending: bool = True
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise InputError("sort", f"runs cannot be sorted by {self.sort!r}", "one of " + ", ".join(SORTS))
        if self.status is not None and self.status not in STATUSES:
            raise InputError("status", f"{self.status!r} is none", "one of " + ", ".join(STATUSES))
        for name, value in (("limit", self.limit), ("offset", self.offset)):
            if value is not None and not 0 <= value < 2**63:
                raise InputError(name, f"{value} is not accepted", "a number from 0")

    def statement(self) -> tuple[str, list[object]]:
        """SELECT of SUMMARY_COLUMNS, and its parameters."""
        conditions = [f"deleted IS {'NOT ' * self.deleted}NULL"]
        parameters: list[object] = []
        for name in ("status", "dataset", "network", "optimizer", "lesson", "parent"):
            if (value := getattr(self, name)) is not None:
                conditions.append(f"{name} = ?")
                parameters.append(value)
        if self.tag is not None:
            conditions.append("id IN (SELECT run FROM tags WHERE tag = ?)")
            parameters.append(self.tag)
        for word in self.text.casefold().split():
            conditions.append("instr(search, ?)")
            parameters.append(word.encode(errors="replace").decode())
        way = "DESC" if self.descending else "ASC"
        # By number the rows come as they lie: a page of them touches no other.
        order = f"id {way}" if self.sort == "id" else f"{self.sort} IS NULL, {self.sort} COLLATE NOCASE {way}, id DESC"
        statement = f"SELECT {', '.join(SUMMARY_COLUMNS)} FROM runs WHERE {' AND '.join(conditions)} ORDER BY {order}"
        parameters += [-1 if self.limit is None else self.limit, self.offset]
        return f"{statement} LIMIT ? OFFSET ?", parameters
