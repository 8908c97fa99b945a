"""How long models took lately, over all sessions that may be seen."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from .engines import Statement, Work
from .tables import calls, models

NEWEST = 64
"""How many of the newest answers of a model are looked at."""

_newest = Statement(
    sa.select(calls.c.latency_ms)
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(models.c.name == sa.bindparam("name"), calls.c.status == "answered")
    .order_by(calls.c.sent_at.desc())
    .limit(NEWEST)
)


def latencies(work: Work, names: Iterable[str]) -> dict[str, float]:
    """Seconds that the newest answers of each model took, on average; without those never asked."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(names):
        took = [int(row[0]) for row in work.all(_newest, name=name)]
        if took:
            found[name] = sum(took) / len(took) / 1000
    return found
