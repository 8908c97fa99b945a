"""Reading the history: the commits newest first, and what happened beside them."""

from __future__ import annotations

import sqlalchemy as sa

from .commits import columns, commit_of, here
from .engines import Statement, Work
from .lineages import BEYOND, lineage
from .records import Commit, Event
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


def log(work: Work, session_id: int, branch: str, limit: int, before: int = BEYOND) -> list[Commit]:
    """The last commits before a version, newest first, with those of what the branch was forked from."""
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
