"""Reading the branches of a session, its tags, and the conflicts that merges have left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from .engines import Row, Statement, Work
from .errors import NotFound
from .tables import branches, conflicts, tags
from .three_way import ABSENT
from .values import JSON, parse

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_all_branches = Statement(
    sa.select(
        branches.c.branch,
        branches.c.head,
        branches.c.base_branch,
        branches.c.base_version,
        branches.c.closed_at,
        branches.c.pruned,
    ).where(branches.c.session_id == _session)
)
_all_tags = Statement(
    sa.select(*tags.c["tag", "branch", "version", "author", "at"]).where(tags.c.session_id == _session)
)
_SAID = tuple(column.name for column in conflicts.c if column.name != "session_id")
_all_conflicts = Statement(
    sa.select(*(conflicts.c[name] for name in _SAID))
    .where(conflicts.c.session_id == _session)
    .order_by(conflicts.c.conflict)
)


@dataclass(frozen=True, slots=True)
class BranchInfo:
    """A branch: its newest version, what it was forked from, and whether it is closed.

    `pruned` is the oldest version whose values are still there; None where all are.
    """

    name: str
    head: int
    base_branch: str | None
    base_version: int | None
    closed_at: int | None
    pruned: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The branch as plain data."""
        return {
            "name": self.name,
            "head": self.head,
            "base_branch": self.base_branch,
            "base_version": self.base_version,
            "closed_at": self.closed_at,
            "pruned": self.pruned,
        }


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for a version of a branch."""

    name: str
    branch: str
    version: int
    author: str
    at: int

    def as_dict(self) -> dict[str, Any]:
        """The tag as plain data."""
        return {
            "name": self.name,
            "branch": self.branch,
            "version": self.version,
            "author": self.author,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A path that two branches changed, each in its own way, kept until somebody settles it.

    `base`, `ours` and `theirs` are what stood there; `three_way.ABSENT` where nothing did. `settlement`
    is `"ours"`, `"theirs"` or `{"value": …}`.
    """

    conflict: int
    branch: str
    version: int
    source_branch: str
    source_version: int
    path: str
    base: JSON
    ours: JSON
    theirs: JSON
    status: Literal["open", "settled", "merged"]
    settlement: JSON
    settled_by: str | None
    at: int

    @property
    def value(self) -> JSON:
        """What is to stand there once it is settled; `ABSENT` for nothing."""
        if isinstance(self.settlement, str):
            return self.ours if self.settlement == "ours" else self.theirs
        return self.settlement["value"]

    def as_dict(self) -> dict[str, Any]:
        """The conflict as plain data; a side where nothing stood is left out."""
        sides = {"base": self.base, "ours": self.ours, "theirs": self.theirs}
        return {
            "conflict": self.conflict,
            "branch": self.branch,
            "version": self.version,
            "source_branch": self.source_branch,
            "source_version": self.source_version,
            "path": self.path,
            **{name: value for name, value in sides.items() if value is not ABSENT},
            "status": self.status,
            "settlement": self.settlement,
            "settled_by": self.settled_by,
            "at": self.at,
        }


def all_branches(work: Work, session_id: int) -> list[BranchInfo]:
    """The branches of a session, by name."""
    return sorted(
        (BranchInfo(*row) for row in work.all(_all_branches, session_id=session_id)),
        key=lambda one: one.name,
    )


def all_tags(work: Work, session_id: int) -> list[Tag]:
    """The tags of a session, by name."""
    return sorted((Tag(*row) for row in work.all(_all_tags, session_id=session_id)), key=lambda one: one.name)


def tag(work: Work, session_id: int, name: str) -> Tag:
    """The tag of that name; `NotFound` where there is none."""
    for found in all_tags(work, session_id):
        if found.name == name:
            return found
    raise NotFound(f"There is no tag {name!r}")


def all_conflicts(work: Work, session_id: int) -> list[MergeConflict]:
    """The conflicts that merges have left, in order."""
    return [_conflict(row) for row in work.all(_all_conflicts, session_id=session_id)]


def _conflict(row: Row) -> MergeConflict:
    said = dict(zip(_SAID, row, strict=True))
    for side in ("base", "ours", "theirs"):
        said[side] = ABSENT if said[side] is None else parse(said[side])
    if said["settlement"] is not None:
        said["settlement"] = parse(said["settlement"])
    return MergeConflict(**said)
