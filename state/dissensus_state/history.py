"""Reading the history: the commits newest first, and what happened beside them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from itertools import islice

import sqlalchemy as sa

from . import heads
from .commits import columns, commit_of, here
from .engines import Row, Statement, Work
from .lineages import BEYOND, lineage
from .records import Commit, Event
from .showing import Listing
from .sifting import Sieve, sifted, touching
from .tables import commits, events
from .values import parse

_newest = Statement(
    sa.select(*columns)
    .where(*here, commits.c.version > sa.bindparam("after"), commits.c.version < sa.bindparam("before"))
    .order_by(commits.c.version.desc())
    .limit(sa.bindparam("limit"))
)


@functools.cache
def _events(asks: frozenset[str], *, newest: bool) -> Statement:
    """The events that are asked for, in order or the newest first."""
    where = [events.c.session_id == sa.bindparam("session_id")]
    if "kind" in asks:
        where.append(events.c.kind == sa.bindparam("kind"))
    if "before" in asks:
        where.append(events.c.event < sa.bindparam("before"))
    if "first" in asks:
        where.append(events.c.round.between(sa.bindparam("first"), sa.bindparam("last")))
    found = sa.select(*events.c["event", "kind", "at", "branch", "round", "body"]).where(*where)
    if not newest:
        return Statement(found.order_by(events.c.event))
    return Statement(found.order_by(events.c.event.desc()).limit(sa.bindparam("limit")))


class Page(Listing[Commit]):
    """Commits, newest first, a page of them.

    Attributes:
        next: The version to give as `before` for the page that follows; None where this is the last.
        places: Where a text that was asked for stands, by version: `written`, `ruling`, `reasoning`.
    """

    def __init__(
        self,
        items: Iterable[Commit] = (),
        following: int | None = None,
        places: Mapping[int, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(items)
        self.next = following
        self.places = places or {}

    @property
    def more(self) -> bool:
        """Whether there are further commits."""
        return self.next is not None

    @property
    def rest(self) -> str:
        """How to get the next page."""
        return f"… more before v{self.next}" if self.more else ""


def log(
    work: Work, session_id: int, branch: str, limit: int, before: int = BEYOND, wanted: Sieve | None = None
) -> Page:
    """The last commits before a version, newest first, with those of what the branch was forked from."""
    if limit <= 0:
        return Page()
    if wanted is None or not wanted.asks:
        found = _newest_of(work, session_id, branch, limit, before)
        return Page(found, found[-1].version if len(found) == limit and found[-1].version else None)
    head = heads.peeked(work, session_id, branch).version
    parts = lineage(work, session_id, branch)
    if wanted.path:
        sifting = touching(work, session_id, branch, parts, head, before, wanted)
    else:
        sifting = sifted(work, session_id, parts, head, before, wanted, limit + 1)
    sound = list(islice(sifting, limit + 1))
    page = [commit for commit, _ in sound[:limit]]
    places = {commit.version: where for commit, where in sound[:limit] if where}
    return Page(page, page[-1].version if len(sound) > limit else None, places)


def _newest_of(work: Work, session_id: int, branch: str, limit: int, before: int) -> list[Commit]:
    found: list[Commit] = []
    for segment in reversed(lineage(work, session_id, branch)):
        rows = work.all(
            _newest,
            session_id=session_id,
            branch=segment.branch,
            after=segment.after,
            before=min(before, segment.upto + 1),
            limit=limit - len(found),
        )
        found += [commit_of(work, session_id, row) for row in rows]
        if len(found) >= limit:
            break
    return found


class Events(Listing[Event]):
    """What happened beside the commits, in order.

    Attributes:
        next: The event to give as `before` for the page of older ones; None where there are none.
    """

    def __init__(self, items: Iterable[Event] = (), following: int | None = None) -> None:
        super().__init__(items)
        self.next = following

    @property
    def rest(self) -> str:
        """How to get what happened before."""
        return "" if self.next is None else f"… more before event {self.next}"


def happenings(
    work: Work,
    session_id: int,
    kind: str | None = None,
    *,
    limit: int | None = None,
    before: int | None = None,
    rounds: tuple[int, int] | None = None,
) -> Events:
    """What happened beside commits, in order: all of it, or the newest of it before an event.

    Args:
        rounds: The first and the last round that it belongs to.
    """
    first, last = rounds or (None, None)
    given = {"kind": kind, "before": before, "first": first, "last": last}
    said = {name: value for name, value in given.items() if value is not None}
    if limit is None:
        rows = work.all(_events(frozenset(said), newest=False), session_id=session_id, **said)
        return Events(_event(row) for row in rows)
    if limit <= 0:
        return Events()
    rows = work.all(_events(frozenset(said), newest=True), session_id=session_id, limit=limit + 1, **said)
    found = Events(_event(row) for row in reversed(rows[:limit]))
    found.next = found[0].event if len(rows) > limit else None
    return found


def _event(row: Row) -> Event:
    number, kind, at, branch, round_, body = row
    return Event(number, kind, at, branch, round_, parse(body))
