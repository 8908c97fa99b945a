"""What patterns have decided, as events of the history: in a round, or between two of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .engines import Statement, Work
from .tables import events
from .values import parse_object

KIND = "decided"
"""The kind under which a decision stands in the history."""

_of_round = Statement(
    sa.select(events.c.body)
    .where(
        events.c.session_id == sa.bindparam("session_id"),
        events.c.round == sa.bindparam("round"),
        events.c.kind == sa.bindparam("kind"),
    )
    .order_by(events.c.event)
)
_between = Statement(
    sa.select(events.c.body)
    .where(
        events.c.session_id == sa.bindparam("session_id"),
        events.c.branch == sa.bindparam("branch"),
        events.c.round.is_(None),
        events.c.kind == sa.bindparam("kind"),
    )
    .order_by(events.c.event.desc())
    .limit(sa.bindparam("limit"))
)


def of_round(work: Work, session_id: int, round_: int) -> list[dict[str, Any]]:
    """The decisions of a round, in order."""
    rows = work.all(_of_round, session_id=session_id, round=round_, kind=KIND)
    return [parse_object(body) for (body,) in rows]


def between(work: Work, session_id: int, branch: str, limit: int) -> list[dict[str, Any]]:
    """The newest decisions of a branch that were made between its rounds, the newest first."""
    rows = work.all(_between, session_id=session_id, branch=branch, kind=KIND, limit=limit)
    return [parse_object(body) for (body,) in rows]
