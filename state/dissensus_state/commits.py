"""The ground of both stairs: stored commits as records, and the state that they add up to."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from . import blobs, snapshots
from .engines import Row, Statement, Work
from .errors import NotFound
from .patches import apply
from .records import Commit
from .tables import commits
from .values import JSON, canonical, parse_list, parse_object

columns = [column for column in commits.c if column.name != "session_id"]
here = (
    commits.c.session_id == sa.bindparam("session_id"),
    commits.c.branch == sa.bindparam("branch"),
)
_range = Statement(
    sa.select(*columns)
    .where(*here, commits.c.version > sa.bindparam("after"), commits.c.version <= sa.bindparam("upto"))
    .order_by(commits.c.version)
)
_by_key = Statement(
    sa.select(*columns).where(
        commits.c.session_id == sa.bindparam("session_id"), commits.c.key == sa.bindparam("key")
    )
)
_by_round = Statement(sa.select(*columns).where(*here, commits.c.round == sa.bindparam("round")))
BEYOND = 2**62
"""Past every version there will ever be."""


def commit_of(work: Work, session_id: int, row: Row) -> Commit:
    """A commit from its row; its columns stand in the order of the table."""
    (
        branch,
        version,
        author,
        transition,
        round_,
        base,
        isolation,
        reads,
        patch,
        evidence,
        key,
        at,
        schema_version,
        hash_,
        source,
    ) = row
    return Commit(
        version=version,
        branch=branch,
        author=author,
        transition=transition,
        round=round_,
        base=version - 1 if base is None else base,
        isolation="serializable" if isolation is None else isolation,
        reads=tuple(parse_list(reads)),
        patch=blobs.fetch(work, session_id, patch),
        evidence=() if evidence is None else tuple(parse_list(evidence)),
        key=key,
        at=at,
        schema_version=schema_version,
        hash=bytes(hash_),
        source=None if source is None else parse_object(source),
    )


def between(work: Work, session_id: int, branch: str, after: int, upto: int = BEYOND) -> Iterator[Commit]:
    """The commits with `after < version <= upto`, oldest first."""
    rows = work.all(_range, session_id=session_id, branch=branch, after=after, upto=upto)
    return (commit_of(work, session_id, row) for row in rows)


def commit(work: Work, session_id: int, branch: str, version: int) -> Commit:
    """The commit that made a version."""
    for found in between(work, session_id, branch, version - 1, version):
        return found
    raise NotFound(f"There is no version {version}", branch=branch)


def by_key(work: Work, session_id: int, key: str) -> Commit | None:
    """The commit with this idempotency key."""
    row = work.one(_by_key, session_id=session_id, key=key)
    return None if row is None else commit_of(work, session_id, row)


def by_round(work: Work, session_id: int, branch: str, round_: int) -> Commit | None:
    """The commit that a round ended in."""
    row = work.one(_by_round, session_id=session_id, branch=branch, round=round_)
    return None if row is None else commit_of(work, session_id, row)


def state_at(work: Work, session_id: int, branch: str, version: int) -> tuple[JSON, int, int]:
    """The state at a version: the nearest snapshot and what came after it, folded.

    Returns:
        The state, the size of the snapshot or of version 0 that it grew from, and how much was folded
        onto it (both in characters).
    """
    found = snapshots.nearest(work, session_id, branch, version)
    start, state, size = found or (-1, {}, 0)
    rows = work.all(_range, session_id=session_id, branch=branch, after=start, upto=version)
    folded, reached = 0, start
    for row in rows:
        state = apply(state, blobs.fetch(work, session_id, row[8]))
        if row[1] == 0:
            size = len(canonical(state))
        else:
            folded += len(row[8])
        reached = row[1]
    if reached != version:
        raise NotFound(f"There is no version {version}", branch=branch)
    return state, size, folded
