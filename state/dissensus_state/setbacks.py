"""How the newest calls of a session went: what a run that goes on should know of its providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .engines import Statement, Work
from .reuse import REUSED
from .tables import calls, models, rounds
from .values import parse_object

ROUNDS = 8
"""How many of the newest rounds are looked at."""

_recent = Statement(
    sa.select(models.c.name, calls.c.status, calls.c.detail, calls.c.sent_at, calls.c.latency_ms)
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(
        calls.c.session_id == sa.bindparam("session_id"),
        calls.c.round > sa.bindparam("after"),
        calls.c.sent_at >= sa.bindparam("since"),
    )
)
_last = Statement(
    sa.select(sa.func.max(rounds.c.round)).where(rounds.c.session_id == sa.bindparam("session_id"))
)


@dataclass(frozen=True, slots=True)
class Trace:
    """One call of a model: whether it was answered, else why not, and when (milliseconds since 1970)."""

    model: str
    answered: bool
    detail: dict[str, Any]
    at: int


def recent(work: Work, session_id: int, since: int) -> list[Trace]:
    """What became of the newest calls since a time, in the order in which it was known."""
    row = work.one(_last, session_id=session_id)
    last = (row and row[0]) or 0
    rows = work.all(_recent, session_id=session_id, after=last - ROUNDS, since=since)
    traces = [
        Trace(name, status == "answered", {} if detail is None else parse_object(detail), sent + latency)
        for name, status, detail, sent, latency in rows
        if status in {"answered", "failed", "partial", "unknown"}
    ]
    asked = [trace for trace in traces if REUSED not in trace.detail]  # of the others nobody asked a provider
    return sorted(asked, key=lambda trace: trace.at)
