"""Which stored rows a branch is made of: its own, and those of the branches it was forked from."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from .engines import Statement, Work
from .errors import NotFound, Tampered
from .tables import branches

MAIN = "main"

BEYOND = 2**62
"""Past every version there will ever be."""

_MOST_FORKS = 1000

_base = Statement(
    sa.select(branches.c.base_branch, branches.c.base_version).where(
        branches.c.session_id == sa.bindparam("session_id"), branches.c.branch == sa.bindparam("branch")
    )
)


_pruned = Statement(
    sa.select(branches.c.branch, branches.c.pruned, branches.c.head).where(
        branches.c.session_id == sa.bindparam("session_id"), branches.c.pruned.is_not(None)
    )
)


class Segment(NamedTuple):
    """The versions of a lineage that are stored under one branch: `after < version <= upto`."""

    branch: str
    after: int
    upto: int


Lineage = tuple[Segment, ...]


def lineage(work: Work, session_id: int, branch: str) -> Lineage:
    """The segments of a branch, oldest first; the last one is open.

    Raises:
        NotFound: there is no such branch.
    """
    found: list[Segment] = []
    name, upto = branch, BEYOND
    while True:
        row = work.one(_base, session_id=session_id, branch=name)
        if row is None:
            raise NotFound(f"There is no branch {name!r}", branch=name)
        after = -1 if row[0] is None else min(row[1], upto)
        found.append(Segment(name, after, upto))
        if row[0] is None:
            return tuple(reversed(found))
        if len(found) > _MOST_FORKS:
            raise Tampered(f"The branch {branch!r} was forked from itself", branch=branch)
        name, upto = row[0], after


def pruned(work: Work, session_id: int, segments: Lineage) -> int | None:
    """The oldest version of a lineage whose values are still there; None where all are.

    `BEYOND` where none are: a closed branch that rests on what was pruned.
    """
    last = {segment.branch: segment.upto for segment in segments}
    found = [
        BEYOND if version > head and name == segments[-1].branch else version
        for name, version, head in work.all(_pruned, session_id=session_id)
        if version <= last.get(name, -1)
    ]
    return max(found, default=None)


def holder(segments: Lineage, version: int) -> str:
    """The branch under which a version of a lineage is stored."""
    return next(segment.branch for segment in reversed(segments) if version > segment.after)


def shared(one: Lineage, other: Lineage) -> int:
    """The newest version that two lineages have in common; -1 where there is none."""
    newest = -1
    for mine, its in zip(one, other, strict=False):
        if (mine.branch, mine.after) != (its.branch, its.after):
            break
        newest = min(mine.upto, its.upto)
    return newest


def holds(segments: Lineage, branch: str, version: int) -> bool:
    """Whether a commit that is stored under a branch is one of a lineage."""
    return any(item.branch == branch and item.after < version <= item.upto for item in segments)
