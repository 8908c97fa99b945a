"""Reading the history: the commits newest first, and what happened beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import sqlalchemy as sa

from . import heads
from .commits import columns, commit_of, here
from .engines import Statement, Work
from .lineages import BEYOND, lineage
from .records import Commit, Event
from .showing import Listing
from .sifting import Sieve, sifted
from .tables import commits, events
from .values import parse

_newest = Statement(
    sa.select(*columns)
    .where(*here, commits.c.version > sa.bindparam("after"), commits.c.version < sa.bindparam("before"))
    .order_by(commits.c.version.desc())
    .limit(sa.bindparam("limit"))
)
_events = Statement(
    sa.select(events.c.event, events.c.kind, events.c.at, events.c.branch, events.c.round, events.c.body)
    .where(events.c.session_id == sa.bindparam("session_id"))
    .order_by(events.c.event)
)
_events_of_kind = Statement(
    sa.select(events.c.event, events.c.kind, events.c.at, events.c.branch, events.c.round, events.c.body)
    .where(events.c.session_id == sa.bindparam("session_id"), events.c.kind == sa.bindparam("kind"))
    .order_by(events.c.event)
)


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


def happenings(work: Work, session_id: int, kind: str | None = None) -> list[Event]:
    """Everything that happened beside commits, or what of it is of one kind, in order."""
    if kind is None:
        rows = work.all(_events, session_id=session_id)
    else:
        rows = work.all(_events_of_kind, session_id=session_id, kind=kind)
    return [Event(n, what, at, branch, round_, parse(body)) for n, what, at, branch, round_, body in rows]
