"""Commits of another system, brought into a session at the times that they had there.

Each is admitted like any other, by the one door; many share a transaction, so that a history of thousands
comes in within seconds, and whoever is killed on the way finds whole transactions or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from . import branches, branching, commits, heads, transitions
from .engines import Statement, Work
from .intake import sound_change
from .sessions import Session
from .tables import commits as commits_table

if TYPE_CHECKING:
    from .heads import Head
    from .records import Change, Commit
    from .values import JSON

_MOST_HEADS = 4
"""How many branches' newest states are kept in memory."""

_keyed = Statement(
    sa.select(commits_table.c.branch, commits_table.c.version, commits_table.c.key).where(
        commits_table.c.session_id == sa.bindparam("session_id"), commits_table.c.key.is_not(None)
    )
)


class Chronicle:
    """A session that is being filled from elsewhere."""

    def __init__(self, session: Session[Any]) -> None:
        self.session = session
        self._heads: dict[str, Head] = {}

    def places(self) -> dict[str, tuple[str, int]]:
        """Where each idempotency key stands: its branch and version."""
        with self.session.reading() as work:
            rows = work.pages(_keyed, session_id=self.session.session_id)
            return {str(key): (str(branch), int(version)) for branch, version, key in rows}

    def branches(self) -> dict[str, int]:
        """The branches there are, with their heads."""
        with self.session.reading() as work:
            return {one.name: one.head for one in branches.all_branches(work, self.session.session_id)}

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """One transaction; what is done in it is there together or not at all."""
        try:
            with self.session.writing() as work:
                yield Batch(self.session, work, self._heads)
        except BaseException:
            self._heads.clear()
            raise


class Batch:
    """Commits, branches and events that become visible together."""

    def __init__(self, session: Session[Any], work: Work, known: dict[str, Head]) -> None:
        self._session = session
        self._work = work
        self._heads = known

    def fork(self, branch: str, version: int, name: str, at: int) -> None:
        """Begin a branch at a version of another."""
        self._work.clock = lambda: at
        branching.fork(self._work, self._session.session_id, branch, version, name)

    def commit(self, branch: str, change: Change, at: int) -> Commit:
        """Admit a change on a branch, as of a time in milliseconds since 1970."""
        self._work.clock = lambda: at
        session_id, known = self._session.session_id, self._heads.pop(branch, None)
        made, head = transitions.commit(
            self._work, session_id, branch, known, self._session.shape, sound_change(change)
        )
        while len(self._heads) >= _MOST_HEADS:
            self._heads.pop(next(iter(self._heads)))
        self._heads[branch] = head
        return made

    def state(self, branch: str) -> JSON:
        """The state at the head of a branch, as it is stored."""
        known = self._heads.get(branch)
        if known is None:
            session_id = self._session.session_id
            found = heads.read(self._work, session_id, branch)
            return commits.state_at(self._work, session_id, branch, found.version)
        return known.plain

    def at(self, branch: str, version: int) -> int:
        """When a version was made."""
        return commits.commit(self._work, self._session.session_id, branch, version).at

    def record(self, branch: str, kind: str, body: dict[str, Any], at: int) -> None:
        """Put an event into the history of a branch."""
        self._work.clock = lambda: at
        session = self._session
        Session(session.database, session.info, session.shape, branch).record_in(self._work, kind, body)
