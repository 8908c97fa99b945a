"""What the calls of a session came to, by agent and model."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from .engines import Statement, Work
from .tables import calls, models


@dataclass(frozen=True, slots=True)
class Cost:
    """The calls of one agent to one model, added up.

    Money is in nano-USD. `cost` is what is known; `unknown` counts the calls whose cost is not, and
    `unknown_charged` is what the budget bears for them. Calls that are still on their way cost
    nothing yet.
    """

    agent: str
    model: str
    lineage: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: int
    unknown: int
    unknown_charged: int


_settled = sa.and_(calls.c.status != "sent", calls.c.status != "held")
_unpriced = sa.and_(_settled, calls.c.cost.is_(None))


def _sum(column: sa.ColumnElement[int], where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((where, sa.func.coalesce(column, 0)), else_=0))


_costs = Statement(
    sa.select(
        calls.c.agent,
        models.c.name,
        models.c.lineage,
        sa.func.count(),
        sa.func.sum(calls.c.input_tokens),
        sa.func.sum(calls.c.output_tokens),
        sa.func.sum(calls.c.cached_tokens),
        sa.func.sum(calls.c.reasoning_tokens),
        _sum(calls.c.cost, _settled),
        sa.func.sum(sa.case((_unpriced, 1), else_=0)),
        _sum(calls.c.reserved, _unpriced),
    )
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(calls.c.session_id == sa.bindparam("session_id"))
    .group_by(calls.c.agent, models.c.name, models.c.lineage)
)


def costs(work: Work, session_id: int) -> list[Cost]:
    """What each agent spent on each model, in the order of their names."""
    rows = work.all(_costs, session_id=session_id)
    found = [Cost(row[0], row[1], row[2], *map(int, row[3:])) for row in rows]
    return sorted(found, key=lambda item: (item.agent, item.model, item.lineage))
