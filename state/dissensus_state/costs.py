"""What the calls of a session came to: by agent and model, by task, by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import sqlalchemy as sa

from .accounts import DAY_MS
from .engines import Statement, Work
from .reuse import REUSED
from .showing import Shown
from .showing import usd as shown_usd
from .tables import calls, models, rounds
from .values import parse

_NANO_PER_TOKEN = 1000
"""One USD per million tokens is 1,000 nano-USD per token."""


@dataclass(frozen=True, slots=True)
class Cost(Shown):
    """The calls of one agent to one model, added up.

    Money is in nano-USD. `cost` is what is known; `unknown` counts the calls whose cost is not, and
    `unknown_charged` is what the budget bears for them. Calls that are still on their way cost
    nothing yet. `saved` is what the provider's cache saved: reading from it less what writing into it
    cost beyond sending. `assumed` counts the calls at a price that the budget assumes, `reused` those
    that have the answer of an earlier call.
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
    written_tokens: int = 0
    reused: int = 0
    assumed: int = 0
    saved: int = 0

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "agent": self.agent,
            "model": self.model,
            "calls": self.calls,
            "input": self.input_tokens,
            "output": self.output_tokens,
            "cost": shown_usd(self.cost),
            "unknown": self.unknown or None,
        }


@dataclass(frozen=True, slots=True)
class Sum(Shown):
    """The calls of one task or one day (`2026-01-31`, by when they were sent), added up."""

    name: str
    calls: int
    tokens: int
    cost: int
    unknown: int

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "name": self.name or "-",
            "calls": self.calls,
            "tokens": self.tokens,
            "cost": shown_usd(self.cost),
            "unknown": self.unknown or None,
        }


_settled = sa.and_(calls.c.status != "held", calls.c.status != "sent")
_unpriced = sa.and_(_settled, calls.c.cost.is_(None))
_again = sa.func.coalesce(calls.c.detail, "").like(sa.literal_column(f"'%\"{REUSED}\":%'"))


def _sum(column: sa.ColumnElement[int], where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((where, sa.func.coalesce(column, 0)), else_=0))


def _count(where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((where, 1), else_=0))


_of_model = sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model)
_of_round = sa.and_(rounds.c.session_id == calls.c.session_id, rounds.c.round == calls.c.round)
_here = calls.c.session_id == sa.bindparam("session_id")

_costs = Statement(
    sa.select(
        calls.c.agent,
        models.c.name,
        models.c.lineage,
        models.c.price,
        sa.func.count(),
        sa.func.sum(calls.c.input_tokens),
        sa.func.sum(calls.c.output_tokens),
        sa.func.sum(calls.c.cached_tokens),
        sa.func.sum(calls.c.reasoning_tokens),
        _sum(calls.c.cost, _settled),
        _count(_unpriced),
        _sum(calls.c.reserved, _unpriced),
        sa.func.sum(sa.func.coalesce(calls.c.written_tokens, 0)),
        _count(_again),
    )
    .join(models, _of_model)
    .where(_here)
    .group_by(calls.c.agent, models.c.name, models.c.lineage, models.c.price)
)
_day = calls.c.sent_at // sa.literal_column(str(DAY_MS))
_tokens = (
    calls.c.input_tokens
    + calls.c.output_tokens
    + calls.c.cached_tokens
    + calls.c.reasoning_tokens
    + sa.func.coalesce(calls.c.written_tokens, 0)
)
_sums = Statement(
    sa.select(
        rounds.c.step,
        _day,
        sa.func.count(),
        sa.func.sum(_tokens),
        _sum(calls.c.cost, _settled),
        _count(_unpriced),
    )
    .outerjoin(rounds, _of_round)
    .where(_here)
    .group_by(rounds.c.step, _day)
)


def costs(work: Work, session_id: int) -> list[Cost]:
    """What each agent spent on each model, in the order of their names."""
    found: dict[tuple[str, str, str], Cost] = {}
    for agent, model, lineage, price, *row in work.all(_costs, session_id=session_id):
        one = _priced(Cost(agent, model, lineage, *map(int, row)), parse(price))
        key = agent, model, lineage
        found[key] = _together(found[key], one) if key in found else one
    return [found[key] for key in sorted(found)]


def _priced(item: Cost, price: Any) -> Cost:
    """With what follows from the unit prices."""
    if not isinstance(price, dict):
        return item
    sent = Decimal(price["input"])
    cached, written = (Decimal(str(price.get(name, price["input"]))) for name in ("cached", "written"))
    nano = (sent - cached) * item.cached_tokens - (written - sent) * item.written_tokens
    saved = int((nano * _NANO_PER_TOKEN).to_integral_value(ROUND_FLOOR))
    return replace(item, saved=saved, assumed=item.calls if price.get("assumed") else 0)


def _together(one: Cost, other: Cost) -> Cost:
    names = [field.name for field in fields(Cost)][3:]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})


def sums(work: Work, session_id: int) -> tuple[list[Sum], list[Sum]]:
    """What each task and what each day spent, in their order."""
    rows = [
        (step or "", int(day), *map(int, row)) for step, day, *row in work.all(_sums, session_id=session_id)
    ]
    return _added(rows, lambda row: row[0]), _added(rows, lambda row: _date(row[1]))


def _added(rows: Iterable[tuple[Any, ...]], name: Callable[[tuple[Any, ...]], str]) -> list[Sum]:
    totals: dict[str, list[int]] = defaultdict(lambda: [0] * 4)
    for row in rows:
        totals[name(row)] = [one + more for one, more in zip(totals[name(row)], row[2:], strict=True)]
    return [Sum(key, *totals[key]) for key in sorted(totals)]


def _date(day: int) -> str:
    try:
        return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return f"day {day}"
