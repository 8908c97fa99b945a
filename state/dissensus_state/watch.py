"""Watching a branch: its commits as they land, in order, none missed and none twice.

What is given is read by version, a page at a time, in transactions that end before a commit is
handed out. So a watcher that is slow, that starts again, or whose connection breaks goes on right
after the last commit that it gave. Only *when* to look differs: PostgreSQL gives notice, and is
looked at now and then besides; SQLite is looked at when this process commits, and ever more seldom
while nothing happens.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from . import commits, heads, notices
from .engines import Database, translate
from .errors import DatabaseFailed, NotFound, located
from .lineages import BEYOND
from .records import Commit

PAGE = 64
"""So many commits are held in memory at most."""

POLL_SECONDS = 2.0
"""PostgreSQL is looked at this often though it gave no notice."""

UNHEARD_SECONDS = 0.05
"""The same, as long as notices are not given because writers hold the branch."""

RECONNECT_SECONDS = 60.0
"""A lost connection is made anew for so long, then the watch fails."""

_SHORTEST, _LONGEST = 0.001, 0.1
_STOP_SECONDS = 0.25
_ASK_SECONDS = 20.0
_LOST = ("08", "57P0", "53300")
"""SQLSTATEs of a server that is gone, stops, starts or is full; there is none where none answers."""


@dataclass(frozen=True, slots=True)
class Place:
    """The branch that is watched."""

    database: Database
    session: str
    session_id: int
    branch: str

    @contextmanager
    def located(self) -> Iterator[None]:
        """Errors that leave it know the branch, and are ours."""
        drivers = (self.database.engine.dialect.loaded_dbapi.Error, sa.exc.SQLAlchemyError)
        with located(session=self.session, branch=self.branch):
            try:
                yield
            except drivers as error:
                raise translate(error, self.database.name) from error

    def head(self) -> tuple[int, bool]:
        """The newest version, and whether it stays the newest because the branch is closed."""
        with self.located():
            row = self.database.peek(heads.PEEK, session_id=self.session_id, branch=self.branch)
            found = heads.branch_of(row, self.branch)
        return found.version, found.closed_at is not None

    def page(self, seen: int, until: int) -> tuple[list[Commit], bool]:
        """The commits that follow a version, a page of them, and whether no more will ever come.

        Raises:
            NotFound: one of them is not there any more, or that version itself is not.
        """
        head, closed = self.head()
        upto = min(head, until, seen + PAGE)
        if upto == seen:
            return [], closed
        with self.located(), self.database.reading() as work:
            if head < seen:
                raise _no_version(seen, head)
            page = list(commits.between(work, self.session_id, self.branch, seen, upto))
            if [commit.version for commit in page] != list(range(seen + 1, upto + 1)):
                raise NotFound(
                    f"The versions {seen + 1} to {upto} are not all there any more",
                    next_step="Watch from a newer version on, or from now on",
                )
        return page, False


class End:
    """When to stop: after a version, after a time without commits, or on request."""

    def __init__(self, until: int | None, timeout: float | None, stop: threading.Event | None) -> None:
        self.until = BEYOND if until is None else until
        self.stop = stop or threading.Event()
        self._timeout = timeout
        self._deadline: float | None = None

    def reached(self, seen: int) -> bool:
        """Whether nothing more is wanted."""
        return seen >= self.until or self.stop.is_set()

    @property
    def left(self) -> float:
        """For how many seconds to wait at most; the time runs from the first question on."""
        if self._timeout is None:
            return float("inf")
        if self._deadline is None:
            self._deadline = time.monotonic() + self._timeout
        return self._deadline - time.monotonic()

    def moved(self) -> None:
        """A commit has come: the time begins anew."""
        self._deadline = None


class Ear(Protocol):
    """What says when to look again. It may be mistaken: it costs a look."""

    def wait(self, end: End) -> None:
        """Return once there may be something new, after a while, or at the end."""

    def moved(self) -> None:
        """Something new was there."""

    def close(self) -> None:
        """Give back what it holds."""


class Pauses:
    """SQLite: looking again when this process commits, and after a pause that grows without commits."""

    def __init__(self, database: Database) -> None:
        self._bell = notices.bell(database)
        self._heard = -1
        self._pause = _SHORTEST

    def wait(self, end: End) -> None:
        """Pause."""
        self._heard = self._bell.wait(self._heard, min(self._pause, max(end.left, 0)))
        self._pause = min(self._pause * 1.5, _LONGEST)

    def moved(self) -> None:
        """Where a commit has come, more may follow."""
        self._pause = _SHORTEST

    def close(self) -> None:
        """It holds nothing."""


class Notices:
    """PostgreSQL: a connection of its own that listens; the pool never gets it back."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ask_at = 0.0
        self._longest = POLL_SECONDS
        with place.located():
            pooled = place.database.engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            self._connection = connection
            try:
                connection.autocommit = True
                connection.execute(f'LISTEN "{notices.channel(place.session_id, place.branch)}"')
            except BaseException:
                self.close()
                raise

    def wait(self, end: End) -> None:
        """Wait for a notice. Who has only now asked for them looks once more before."""
        if time.monotonic() >= self._ask_at:
            self._ask()
            return
        until = time.monotonic() + min(self._longest, end.left)
        with self._place.located():
            while not end.stop.is_set() and (left := until - time.monotonic()) > 0:
                slice_ = min(left, _STOP_SECONDS)
                if list(self._connection.notifies(timeout=slice_, stop_after=1)):
                    return

    def _ask(self) -> None:
        place, enough = self._place, 2 * _ASK_SECONDS
        with place.located():
            given = notices.ask(place.database, place.session_id, place.branch, int(enough * 1000))
        self._longest = POLL_SECONDS if given else UNHEARD_SECONDS
        self._ask_at = time.monotonic() + (_ASK_SECONDS if given else UNHEARD_SECONDS)

    def moved(self) -> None:
        """The next notice comes by itself."""

    def close(self) -> None:
        """Listen no more."""
        self._connection.close()


class Outage:
    """A connection that was lost: made anew ever more slowly, and for a minute at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since: float | None = None
        self._pause = 0.0

    def over(self) -> None:
        """The database answers."""
        self._since = None

    def endure(self, error: DatabaseFailed, end: End, seen: int) -> None:
        """Wait a little before the next attempt.

        Raises:
            DatabaseFailed: it is no lost connection, or has been one for too long.
        """
        if not self._lost(error):
            raise error
        now = time.monotonic()
        if self._since is None:
            self._since, self._pause = now, 0.05
        if now - self._since >= RECONNECT_SECONDS or end.left <= 0:
            error.next_step = f"Watch on from version {seen}, the last that came, once the database answers"
            raise error
        end.stop.wait(min(self._pause * random.uniform(0.5, 1), max(end.left, 0)))  # noqa: S311 - jitter
        self._pause = min(self._pause * 2, 2.0)

    def _lost(self, error: DatabaseFailed) -> bool:
        driver = self._database.engine.dialect.loaded_dbapi
        cause: Any = error.__cause__
        cause = getattr(cause, "orig", None) or cause
        if self._database.backend != "postgresql":
            return False
        state = getattr(cause, "sqlstate", None)
        gone = isinstance(cause, driver.OperationalError | driver.InterfaceError)
        return gone and (state is None or state.startswith(_LOST))


def watch(place: Place, after: int | None, end: End) -> Generator[Commit]:
    """The commits after a version (None: the head), from now until the end; see `Session.watch`.

    Raises:
        NotFound: there is no such version or branch.
    """
    head, _ = place.head()
    seen = head if after is None else after
    if not -1 <= seen <= head:
        with place.located():
            raise _no_version(seen, head)
    return _commits(place, seen, end)


def _commits(place: Place, seen: int, end: End) -> Generator[Commit]:
    ear: Ear | None = None
    outage = Outage(place.database)
    try:
        while not end.reached(seen):
            try:
                page, closed = place.page(seen, end.until)
                if not page:
                    if closed or end.left <= 0:
                        return
                    ear = ear or _ear(place)
                    ear.wait(end)
                outage.over()
            except DatabaseFailed as error:
                if ear is not None:
                    ear.close()
                    ear = None
                outage.endure(error, end, seen)
                continue
            for commit in page:
                if end.stop.is_set():
                    return
                yield commit
                seen = commit.version
                end.moved()
            if page and ear is not None:
                ear.moved()
    finally:
        if ear is not None:
            ear.close()


def _no_version(version: int, head: int) -> NotFound:
    return NotFound(f"There is no version {version}; the head is {head}")


def _ear(place: Place) -> Ear:
    return Notices(place) if place.database.backend == "postgresql" else Pauses(place.database)
