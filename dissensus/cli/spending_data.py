"""What was spent, and what may be, as the plain data that `--json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .data import Data, budget_data
from .texts import usd

if TYPE_CHECKING:
    from dissensus_state.accounts import Account
    from dissensus_state.contest import Contest
    from dissensus_state.costs import Cost, Sum

__all__ = ["account_data", "budget_data", "contest_data", "cost_data", "sum_data"]


def cost_data(item: Cost) -> Data:
    """What an agent's calls to one model came to."""
    return {
        "agent": item.agent,
        "model": item.model,
        "lineage": item.lineage,
        "calls": item.calls,
        "input_tokens": item.input_tokens,
        "output_tokens": item.output_tokens,
        "cached_tokens": item.cached_tokens,
        "written_tokens": item.written_tokens,
        "reasoning_tokens": item.reasoning_tokens,
        "usd": usd(item.cost),
        "unknown": item.unknown,
        "unknown_charged_usd": usd(item.unknown_charged),
        "assumed": item.assumed,
        "reused": item.reused,
        "saved_usd": usd(item.saved),
    }


def sum_data(item: Sum, kind: str) -> Data:
    """What a task or a day came to."""
    return {
        kind: item.name,
        "calls": item.calls,
        "tokens": item.tokens,
        "usd": usd(item.cost),
        "unknown": item.unknown,
    }


def contest_data(found: Contest) -> Data:
    """What disagreement cost, and how often a ruling changed the answer."""
    paid = {
        name: {"calls": one.calls, "usd": usd(one.cost), "unknown": one.unknown}
        for name, one in (
            ("total", found.total),
            ("losing", found.losing),
            ("rulings", found.rulings),
            ("repeats", found.repeats),
            ("audits", found.audits),
        )
    }
    rate = None if found.rate is None else round(found.rate, 4)
    changed = {"hits": found.changed, "of": found.ruled, "rate": rate}
    interval = {"low": round(found.low, 4), "high": round(found.high, 4), "tied": found.tied}
    counts = {"rounds": found.rounds, "contested": found.contested}
    return {**counts, **paid, "changed": {**changed, **interval}}


def account_data(item: Account) -> Data:
    """A limit as it stands; amounts are in its unit: USD, tokens, calls or seconds."""
    amounts = {
        "limit": item.limit,
        "soft": item.soft,
        "spent": item.spent,
        "held": item.held,
        "left": item.left,
    }
    kind, name = item.scope
    return {
        "account": item.name,
        "scope": kind,
        "name": name or None,
        "unit": "seconds" if item.unit == "ms" else item.unit,
        "per_day": item.daily,
        **{key: _in_unit(amount, item.unit) for key, amount in amounts.items()},
    }


def _in_unit(amount: int | None, unit: str) -> float | None:
    if amount is None:
        return None
    return {"usd": amount / 1e9, "ms": amount / 1e3}.get(unit, amount)
