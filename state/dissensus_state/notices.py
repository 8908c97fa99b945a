"""Notices of commits on PostgreSQL, given only while somebody watches.

A NOTIFY takes a lock of the whole database at commit, and would queue up all writers of all
sessions; so a watcher asks for notices for a minute at a time (`branches.watched_until`, by the
database's clock), and a commit gives one only then. A notice is a wake-up and no more: who misses
one finds the commit by its version. It says nothing but the number of a session and the digest of a
branch's name, since every role of the database may listen.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from .engines import Database, Statement
from .tables import branches

WATCHED_MS = 60_000
"""For so long a watcher asks at a time."""

_DIGITS = 16

_now = sa.literal_column("(extract(epoch FROM clock_timestamp()) * 1000)::bigint", sa.BigInteger)
_digest = sa.func.encode(sa.func.sha256(sa.func.convert_to(branches.c.branch, "UTF8")), "hex")
_channel = sa.func.concat("dissensus_", branches.c.session_id, "_", sa.func.left(_digest, _DIGITS))

notice: sa.ColumnElement[str | None] = sa.case(
    (branches.c.watched_until > _now, sa.func.pg_notify(_channel, ""))
)
"""Gives notice of a branch if it is watched: for the RETURNING of what moves its head."""

_this = (branches.c.session_id == sa.bindparam("session_id_"), branches.c.branch == sa.bindparam("branch_"))
_free = sa.select(branches.c.session_id).where(*_this).with_for_update(skip_locked=True, key_share=True)
_unflushed = Statement(sa.text("SET LOCAL synchronous_commit TO off"))
_asked = Statement(sa.select(branches.c.watched_until > _now + sa.bindparam("enough")).where(*_this))
_ask = Statement(
    sa.update(branches)
    .where(*_this, branches.c.session_id.in_(_free))
    .values(watched_until=_now + WATCHED_MS)
)


def channel(session_id: int, branch: str) -> str:
    """Where the notices of a branch are heard."""
    return f"dissensus_{session_id}_{hashlib.sha256(branch.encode()).hexdigest()[:_DIGITS]}"


def announced(move: sa.Update) -> dict[str, sa.ClauseElement]:
    """The statement that moves a head, giving notice of it on PostgreSQL."""
    return {"sqlite": move, "postgresql": move.returning(notice)}


def ask(database: Database, session_id: int, branch: str, enough_ms: int) -> bool:
    """Ask for notices of a branch; whether they are given for at least `enough_ms` from now on.

    They are not while writers hold the branch: a watcher never stands in their queue, and looks
    for itself meanwhile. What it asks for costs no flush to disk, and may be lost in a crash.
    """
    here = {"session_id_": session_id, "branch_": branch}
    with database.writing() as work:
        asked = work.one(_asked, **here, enough=enough_ms)
        if asked is None or asked[0]:
            return asked is not None
        work.run(_unflushed)
        return work.run(_ask, **here) == 1
