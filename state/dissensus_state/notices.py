"""Notices of commits: by PostgreSQL, only while somebody watches; and within a process by a bell.

A NOTIFY takes a lock of the whole database at commit, and would queue up all writers of all
sessions; so a watcher asks for notices for a minute at a time (`branches.watched_until`, by the
database's clock), and a commit gives one only then. A notice is a wake-up and no more: who misses
one finds the commit by its version. It says nothing but the number of a session and the digest of a
branch's name, since every role of the database may listen.
"""

from __future__ import annotations

import hashlib
import threading
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from .engines import Database, Statement
from .tables import branches

WATCHED_MS = 60_000
"""For so long a watcher asks at a time."""

_DIGITS = 16

_now = sa.literal_column("(extract(epoch FROM clock_timestamp()) * 1000)::bigint", sa.BigInteger)
notice = sa.literal_column(
    f"CASE WHEN branches.watched_until > {_now} THEN pg_notify('dissensus_' || branches.session_id || '_' ||"
    f" left(encode(sha256(convert_to(branches.branch, 'UTF8')), 'hex'), {_DIGITS}), '') END",
    sa.Text,
)
"""Gives notice of a branch if it is watched: for the RETURNING of what moves its head.

It has no parameters, and computes nothing where nobody watches.
"""

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


class Bell:
    """Wakes those in this process who watch a SQLite database."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake them."""
        with self._rung:
            self._rings += 1
            self._rung.notify_all()

    def wait(self, heard: int, seconds: float) -> int:
        """Wait for a ring after those that were heard; how many there have been."""
        with self._rung:
            self._rung.wait_for(lambda: self._rings != heard, seconds)
            return self._rings


_bells: WeakKeyDictionary[Database, Bell] = WeakKeyDictionary()


_hung: list[bool] = []
"""Whether anybody ever wanted to hear one: each commit asks."""


def bell(database: Database) -> Bell:
    """The bell that commits through this object ring, hung up by the first who wants to hear it."""
    _hung.append(True)
    return _bells.setdefault(database, Bell())


def ring(database: Database) -> None:
    """Tell this process that something was committed."""
    hung = _bells.get(database) if _hung else None
    if hung is not None:
        hung.ring()
