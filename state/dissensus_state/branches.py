"""Reading the branches of a session, its tags, and the conflicts that merges have left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from . import blobs
from .engines import Row, Statement, Work
from .errors import NotFound
from .showing import Shown, when
from .tables import branches, conflicts, tags
from .three_way import ABSENT
from .values import JSON, bounded, canonical, digest, parse

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_forked = Statement(
    sa.select(branches.c.branch)
    .where(branches.c.session_id == sa.bindparam("session_id"), branches.c.base_branch.is_not(None))
    .limit(1)
)
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
_all_tags_of = sa.select(*tags.c["tag", "branch", "version", "author", "at"]).where(
    tags.c.session_id == _session
)
_all_tags = Statement(_all_tags_of)
_SAID = tuple(column.name for column in conflicts.c if column.name != "session_id")
_conflicts = sa.select(*(conflicts.c[name] for name in _SAID)).where(conflicts.c.session_id == _session)
_all_conflicts = Statement(_conflicts.order_by(conflicts.c.conflict))
_numbered = Statement(_conflicts.where(conflicts.c.conflict == sa.bindparam("conflict")))
_between = Statement(
    _conflicts.where(
        conflicts.c.branch == sa.bindparam("branch"),
        conflicts.c.source_branch == sa.bindparam("source"),
        sa.or_(conflicts.c.status == "open", conflicts.c.status == "settled"),
    ).order_by(conflicts.c.conflict)
)
_one_tag = Statement(_all_tags_of.where(tags.c.tag == sa.bindparam("tag")))

_BLOB = "blob:"
"""What no JSON begins with: the value is kept aside, under the digest that follows."""


@dataclass(frozen=True, slots=True)
class BranchInfo(Shown):
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

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "branch": self.name,
            "head": f"v{self.head}",
            "begins": None if self.base_branch is None else f"v{self.base_version} of {self.base_branch}",
            "status": "open" if self.closed_at is None else f"closed {when(self.closed_at)}",
        }


@dataclass(frozen=True, slots=True)
class Tag(Shown):
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

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "tag": self.name,
            "version": f"v{self.version}",
            "branch": self.branch,
            "author": self.author,
            "when": when(self.at),
        }


@dataclass(frozen=True, slots=True)
class MergeConflict(Shown):
    """A path that two branches changed, each in its own way, kept until somebody settles it.

    `base`, `ours` and `theirs` are what stood there; `three_way.ABSENT` where nothing did, or where
    earlier merges contested it. `settlement` is `"ours"`, `"theirs"` or `{"value": …}`. Where either
    side has moved on before the merge it is open again; once nobody contests the path it has `lapsed`.
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
    status: Literal["open", "settled", "merged", "lapsed"]
    settlement: JSON
    settled_by: str | None
    at: int

    @property
    def value(self) -> JSON:
        """What is to stand there once it is settled; `ABSENT` for nothing."""
        if isinstance(self.settlement, str):
            return self.ours if self.settlement == "ours" else self.theirs
        return self.settlement.get("value")

    @property
    def seal(self) -> str:
        """What a merge says of the conflicts that were settled for it, so that they stay as they were."""
        texts = (None if side is ABSENT else canonical(side) for side in (self.base, self.ours, self.theirs))
        said = [self.conflict, self.branch, self.version, self.source_branch, self.source_version, self.path]
        sides = [None if text is None else blobs.text_digest(text) for text in texts]
        settled = blobs.text_digest(canonical(self.settlement))
        return digest(canonical([*said, *sides, settled, self.settled_by, self.at])).hex()

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

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        sides = {"base": self.base, "ours": self.ours, "theirs": self.theirs}
        return {
            "conflict": self.conflict,
            "path": self.path,
            "of": f"{self.source_branch} into {self.branch}",
            "status": self.status,
            **{name: None if value is ABSENT else value for name, value in sides.items()},
            "settled": self.settlement,
        }


def all_branches(work: Work, session_id: int) -> list[BranchInfo]:
    """The branches of a session, by name."""
    return sorted(
        (BranchInfo(*row) for row in work.all(_all_branches, session_id=session_id)),
        key=lambda one: one.name,
    )


def forked(work: Work, session_id: int) -> bool:
    """Whether a session has more than one branch."""
    return work.one(_forked, session_id=session_id) is not None


def all_tags(work: Work, session_id: int) -> list[Tag]:
    """The tags of a session, by name."""
    return sorted((Tag(*row) for row in work.all(_all_tags, session_id=session_id)), key=lambda one: one.name)


def tag(work: Work, session_id: int, name: str) -> Tag:
    """The tag of that name; `NotFound` where there is none."""
    row = work.one(_one_tag, session_id=session_id, tag=name)
    if row is None:
        raise NotFound(f"There is no tag {name!r}", next_step="See `dissensus tag`")
    return Tag(*row)


def all_conflicts(work: Work, session_id: int) -> list[MergeConflict]:
    """The conflicts that merges have left, in order."""
    rows = work.all(_all_conflicts, session_id=session_id)
    return [_conflict(work, session_id, row) for row in rows]


def conflicts_between(work: Work, session_id: int, branch: str, source: str) -> list[MergeConflict]:
    """The conflicts of merging a branch into another that are neither merged nor lapsed, in order."""
    rows = work.all(_between, session_id=session_id, branch=branch, source=source)
    return [_conflict(work, session_id, row) for row in rows]


def conflicts_numbered(work: Work, session_id: int, numbers: Iterable[int]) -> list[MergeConflict]:
    """The conflicts of these numbers; `NotFound` where there is none."""
    return [conflict(work, session_id, number) for number in numbers]


def conflict(work: Work, session_id: int, number: int) -> MergeConflict:
    """The conflict of that number; `NotFound` where there is none."""
    row = work.one(_numbered, session_id=session_id, conflict=number)
    if row is None:
        raise NotFound(f"There is no conflict {number}", next_step="See `dissensus conflicts`")
    return _conflict(work, session_id, row)


def stowed_value(work: Work, session_id: int, value: JSON) -> str | None:
    """A value as the text of a column, kept aside where it is large; None for `ABSENT`."""
    if value is ABSENT:
        return None
    text = bounded(canonical(value))
    if len(text) < blobs.LARGE:
        return text
    return _BLOB + blobs.reference(blobs.put(work, session_id, text))


def _value(work: Work, session_id: int, text: str | None) -> JSON:
    if text is None:
        return ABSENT
    if text.startswith(_BLOB):
        text = blobs.get(work, session_id, blobs.dereference(text.removeprefix(_BLOB)))
    return parse(text)


def _conflict(work: Work, session_id: int, row: Row) -> MergeConflict:
    said = dict(zip(_SAID, row, strict=True))
    for side in ("base", "ours", "theirs"):
        said[side] = _value(work, session_id, said[side])
    settlement = said["settlement"]
    said["settlement"] = None if settlement is None else _value(work, session_id, settlement)
    return MergeConflict(**said)
