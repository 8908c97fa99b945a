"""What calls hold and what they are charged with, and whether the accounts say the same."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from .accounts import Account
from .budgets import InFlight
from .engines import Row, Statement, Work
from .records import Call
from .reuse import REUSED, is_reused
from .tables import calls, rounds
from .values import parse_object

_tokens = sa.cast(
    calls.c.input_tokens
    + calls.c.output_tokens
    + calls.c.cached_tokens
    + calls.c.reasoning_tokens
    + sa.func.coalesce(calls.c.written_tokens, 0),
    sa.BigInteger,
)
_of_round = sa.and_(rounds.c.session_id == calls.c.session_id, rounds.c.round == calls.c.round)
_here = (calls.c.session_id == sa.bindparam("session_id"), calls.c.sent_at >= sa.bindparam("since"))
_plain = sa.and_(
    calls.c.status == "answered",
    sa.or_(calls.c.detail.is_(None), calls.c.detail.not_like(sa.literal_column(f"'%\"{REUSED}\":%'"))),
)
_answered = Statement(
    sa.select(
        calls.c.agent,
        rounds.c.step,
        sa.func.sum(sa.func.coalesce(calls.c.cost, calls.c.reserved)),
        sa.func.sum(_tokens),
        sa.func.count(),
        sa.func.sum(calls.c.latency_ms),
    )
    .outerjoin(rounds, _of_round)
    .where(*_here, _plain)
    .group_by(calls.c.agent, rounds.c.step)
)
_others = Statement(
    sa.select(
        calls.c.agent,
        rounds.c.step,
        *(
            calls.c[name]
            for name in ["status", "reserved", "cost", "holds", "estimated", "latency_ms", "detail"]
        ),
        _tokens,
    )
    .outerjoin(rounds, _of_round)
    .where(*_here, sa.not_(_plain))
)

NOT_SENT = "call.not_sent"
"""What the record says of a call that was written down and never left."""

Amounts = dict[str, int]
"""Amounts by unit."""


def held_by(call: Call) -> Amounts:
    """What a call holds until it is settled."""
    return {"usd": call.reserved, "calls": 1, **(call.holds or {})}


def spent_by(call: Call) -> Amounts:
    """What a settled call is charged with: what was counted; in full, where nobody did."""
    usd = call.reserved if call.cost is None else call.cost
    if is_reused(call) or (call.detail or {}).get("code") == NOT_SENT:
        return {"usd": usd}
    counted = call.input_tokens + call.output_tokens + call.cached_tokens + call.reasoning_tokens
    counted += call.written_tokens or 0
    spent = {"usd": usd, "calls": 1, "tokens": counted, "ms": call.latency_ms}
    if call.status in {"unknown", "partial"} and (call.detail or {}).get("in_flight") != "return":
        holds = call.holds or {}
        whole = not counted or call.estimated
        spent["tokens"] = max(counted, holds.get("tokens", 0)) if whole else counted
        spent["ms"] = call.latency_ms or holds.get("ms", 0)
    return spent


def given_up(call: Call, in_flight: InFlight) -> Call:
    """What becomes of a call whose worker is gone, by the budget's rule.

    One that was written down and not sent (`held`) costs nothing. One that was sent is `unknown`: it is
    charged in full or given back, and its `detail` says which.
    """
    if call.status == "held":
        told = {"code": NOT_SENT, "message": "It was held back, and never sent"}
        return replace(call, status="failed", cost=0, detail={**(call.detail or {}), **told})
    full = None if call.price is None else call.reserved
    cost = full if in_flight == "charge" else 0
    return replace(call, status="unknown", cost=cost, detail={**(call.detail or {}), "in_flight": in_flight})


def counted(work: Work, session_id: int, account: Account, since: int = 0) -> tuple[int, int]:
    """What an account holds and has spent by the calls that were sent since a time."""
    held = spent = 0
    for agent, task, *sums in work.all(_answered, session_id=session_id, since=since):
        if account.covers(agent, task):
            spent += int(dict(zip(("usd", "tokens", "calls", "ms"), sums, strict=True))[account.unit])
    for agent, task, *row in work.all(_others, session_id=session_id, since=since):
        if not account.covers(agent, task):
            continue
        call = _as_call(agent, row)
        if call.status in {"held", "sent"}:
            held += held_by(call).get(account.unit, 0)
        else:
            spent += spent_by(call).get(account.unit, 0)
    return held, spent


def _as_call(agent: str, row: Row) -> Call:
    """A stored call, as far as its money tells."""
    status, reserved, cost, holds, estimated, latency, detail, tokens = row
    return Call(
        agent,
        0,
        "",
        "",
        None,
        None,
        reserved,
        0,
        status=status,
        cost=cost,
        holds=None if holds is None else parse_object(holds),
        estimated=bool(estimated),
        latency_ms=latency,
        detail=None if detail is None else parse_object(detail),
        input_tokens=int(tokens),
    )
