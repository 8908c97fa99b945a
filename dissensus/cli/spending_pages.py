"""The pages of `budget` and `cost`."""

from __future__ import annotations

from typing import Any

from .blocks import Block, Line
from .data import Data
from .pages import facts, grid
from .texts import compact, money


def cost(data: Data) -> list[Block]:
    """The calls by agent and model, by task and day, and the budget."""
    rows = [
        (
            item["agent"],
            item["model"],
            item["calls"],
            *(f"{item[name]:,}" for name in ("input_tokens", "output_tokens", "reasoning_tokens")),
            money(item["usd"]),
            item["unknown"] or "",
        )
        for item in data["costs"]
    ]
    columns = "agent model calls tokens_in tokens_out reasoning cost unknown"
    return [
        *grid(columns, rows, "bold cyan"),
        *([Line()] if rows else []),
        *_sums("model", data["models"]),
        *_sums("task", data["tasks"]),
        *_sums("day", data["days"]),
        *_contest(data["disagreement"]),
        *_beside(data["costs"]),
        *budget(data),
    ]


def _sums(kind: str, items: list[Data]) -> list[Block]:
    """Where the money went; one line tells nothing that the others do not."""
    if len(items) < 2:
        return []
    rows = [
        (item[kind], item["calls"], f"{item['tokens']:,}", money(item["usd"]), item["unknown"] or "")
        for item in items
    ]
    return [*grid(f"{kind} calls tokens cost unknown", rows, "bold"), Line()]


def _contest(data: Data) -> list[Block]:
    """What disagreement cost, and what the rulings over it changed; nothing where there was none."""
    if not data["contested"] and not data["audits"]["calls"]:
        return []
    kinds = {"losing": "proposals that lost", "rulings": "rulings", "repeats": "rounds asked again"}
    rows = [
        (kinds.get(name, name), data[name]["calls"], money(data[name]["usd"]), data[name]["unknown"] or "")
        for name in ("losing", "rulings", "repeats", "audits", "total")
        if data[name]["calls"]
    ]
    changed = data["changed"]
    between = f"{changed['low']:.0%} to {changed['high']:.0%}"
    told = {
        "contested": f"{data['contested']} of {data['rounds']} rounds",
        "changed the answer": f"{changed['hits']} of {changed['of']} rulings ({between})"
        if changed["of"]
        else None,
    }
    shown = facts({name: value for name, value in told.items() if value})
    return [*grid("disagreement calls cost unknown", rows, "bold"), Line(), *shown, Line()]


def _beside(items: list[Data]) -> list[Block]:
    """What providers' caches saved, answers that were used again, prices that were assumed."""
    cached, written = (sum(item[name] for item in items) for name in ("cached_tokens", "written_tokens"))
    saved, again = (sum(item[name] for item in items) for name in ("saved_usd", "reused"))
    assumed = sum(item["assumed"] for item in items)
    told = f"{money(saved)} ({cached:,} tokens read, {written:,} written)" if cached or written else None
    named = {
        "providers' caches saved": told,
        "answers used again": again or None,
        "calls at an assumed price": assumed or None,
    }
    shown = facts(named)
    return [*shown, Line()] if shown else []


def budget(data: Data) -> list[Block]:
    """The session's money, then every other limit."""
    item = data["budget"]
    limit, soft = item["limit_usd"], item["soft_usd"]
    shown = {
        "limit": "none" if limit is None else money(limit),
        "warns at": None if soft is None else money(soft),
        "spent": money(item["spent_usd"]),
        "held": money(item["held_usd"]),
        "left": None if limit is None else money(item["left_usd"]),
        "unpriced calls": _policy(item["unpriced"]),
        "calls in flight": None if item["in_flight"] == "charge" else f"{item['in_flight']} at a crash",
    }
    further = [one for one in data["accounts"] if one["account"] != "total"]
    rows = [
        (
            " ".join(part for part in (one["scope"], one["name"]) if part),
            f"{one['unit']} per day" if one["per_day"] else one["unit"],
            *(_amount(one[name]) for name in ("limit", "soft", "spent", "held", "left")),
        )
        for one in further
    ]
    return [
        *facts({f"budget {name}": value for name, value in shown.items() if value}),
        *([Line()] if rows else []),
        *grid("whose what limit warns_at spent held left", rows, "bold"),
    ]


def _amount(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6f}".rstrip("0").rstrip(".")


def _policy(unpriced: Any) -> str:
    if isinstance(unpriced, str):
        return unpriced
    return f"assume {compact({name: unpriced[name] for name in ('input', 'output')})} USD per million tokens"
