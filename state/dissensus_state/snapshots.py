"""Whole states, kept now and then so that any version can be read without folding all history.

A snapshot is taken when the patches since the last one outweigh it: reading any version then costs
at most about twice the state's size, and all snapshots together stay a fraction of the history.
"""

from __future__ import annotations

import sqlalchemy as sa

from .blobs import pack, unpack_text
from .engines import Statement, Work, insert_absent
from .errors import Tampered, located
from .tables import snapshots
from .values import JSON, canonical, parse

MIN_BYTES = 16 * 1024
"""Below this, folding is cheaper than keeping."""

_insert = insert_absent(snapshots)
_nearest = Statement(
    sa.select(snapshots.c.version, snapshots.c.state, snapshots.c.size)
    .where(
        snapshots.c.session_id == sa.bindparam("session_id"),
        snapshots.c.branch == sa.bindparam("branch"),
        snapshots.c.version <= sa.bindparam("version"),
    )
    .order_by(snapshots.c.version.desc())
    .limit(1)
)
_all = Statement(
    sa.select(snapshots.c.version, snapshots.c.size, snapshots.c.state)
    .where(
        snapshots.c.session_id == sa.bindparam("session_id"),
        snapshots.c.branch == sa.bindparam("branch"),
    )
    .order_by(snapshots.c.version)
)


def take(work: Work, session_id: int, branch: str, version: int, state: JSON) -> int:
    """Keep the state at a version; the length of its text."""
    text = canonical(state)
    work.run(
        _insert,
        session_id=session_id,
        branch=branch,
        version=version,
        size=len(text),
        state=pack(text.encode()),
        since=None,
    )
    return len(text)


def nearest(work: Work, session_id: int, branch: str, version: int) -> tuple[int, JSON, int] | None:
    """The newest snapshot at or before a version: its version, state and size."""
    row = work.one(_nearest, session_id=session_id, branch=branch, version=version)
    return None if row is None else (row[0], parse(unpack_text(row[1])), row[2])


def stored(work: Work, session_id: int, branch: str) -> dict[int, str]:
    """Every snapshot of a branch: version -> canonical text."""
    rows = work.all(_all, session_id=session_id, branch=branch)
    return {version: _read(version, size, state) for version, size, state in rows}


def _read(version: int, size: int, state: bytes) -> str:
    with located(version=version):
        text = unpack_text(state)
        if len(text) != size:
            raise Tampered(f"A snapshot of {len(text)} characters was kept with {size}")
    return text
