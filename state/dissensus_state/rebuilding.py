"""After something was taken out of a history: its snapshots are made anew, and memories of it dropped."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from . import commits, heads, snapshots
from .branches import all_branches
from .engines import Statement, Work
from .lineages import holds, lineage
from .patches import grow
from .tables import branches
from .tables import snapshots as snapshots_table
from .values import JSON

_session = sa.bindparam("session_id_", type_=sa.BigInteger)
_forget = Statement(
    sa.delete(snapshots_table).where(
        snapshots_table.c.session_id == _session,
        snapshots_table.c.branch == sa.bindparam("branch_"),
        snapshots_table.c.version >= sa.bindparam("first"),
        snapshots_table.c.version <= sa.bindparam("last"),
    )
)
_mark = Statement(
    sa.update(branches)
    .where(branches.c.session_id == _session, branches.c.branch == sa.bindparam("branch_"))
    .values(rewritten=sa.func.coalesce(branches.c.rewritten, 0) + 1)
)


def dependents(work: Work, session_id: int, branch: str, version: int) -> list[str]:
    """The branches that have a stored commit in them, each after what it was forked from."""
    found = []
    for one in all_branches(work, session_id):
        segments = lineage(work, session_id, one.name)
        if holds(segments, branch, version):
            found.append((len(segments), one.name))
    return [name for _, name in sorted(found)]


def lock(work: Work, session_id: int, names: Iterable[str]) -> None:
    """Let nobody commit to these branches until the transaction ends."""
    for name in sorted(names):
        heads.read(work, session_id, name)


def mark(work: Work, session_id: int, names: Iterable[str]) -> None:
    """Let whoever remembers these branches load them anew."""
    for name in names:
        work.run(_mark, session_id_=session_id, branch_=name)


def forget(work: Work, session_id: int, branch: str, first: int, last: int = 2**62) -> int:
    """Remove the snapshots of a range that are stored under a branch; how many there were."""
    return work.run(_forget, session_id_=session_id, branch_=branch, first=first, last=last)


def whole(work: Work, session_id: int, branch: str, version: int, state: JSON) -> None:
    """Keep a version whole; one that was kept otherwise is replaced."""
    forget(work, session_id, branch, version, version)
    snapshots.take_whole(work, session_id, branch, version, state)


def rebuild(work: Work, session_id: int, branch: str, first: int) -> None:
    """Take the snapshots of a branch's own versions from one on, as its commits would have taken them.

    Raises:
        DissensusError: the commits do not fold any more.
    """
    start = max(first, lineage(work, session_id, branch)[-1].after + 1, 1)
    head = heads.read(work, session_id, branch).version
    if start > head:
        return
    state, kept, grown, touched = commits.restore(work, session_id, branch, start - 1)
    for commit in commits.between(work, session_id, branch, start - 1, head):
        state = grow(state, commit.patch)
        grown, touched = grown + commit.size, touched | commits.changed(commit.patch)
        if grown >= kept.due:
            kept = snapshots.take(work, session_id, branch, commit.version, state, kept, touched)
            grown, touched = 0, frozenset()
