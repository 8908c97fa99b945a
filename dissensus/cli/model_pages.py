"""The pages of `models`, made from the data of `--json`."""

from __future__ import annotations

from typing import Any

from .blocks import Block, Line
from .data import Data
from .pages import facts, grid
from .texts import money


def models(data: Data) -> list[Block]:
    """The list, and the servers on this machine."""
    rows = [_row(item) for item in data["models"]]
    page = grid("name lineage window in out can key trusted ends", rows, "bold dim")
    for server in data["servers"]:
        said = server["trouble"] or f"serves {len(server['models']):,} models"
        page.append(Line(f"{server['provider']} runs at {server['address']}: {said}", "green"))
    return page


def _row(item: Data) -> tuple[str, ...]:
    price = item["price"] or {}
    return (
        item["name"],
        item["lineage"],
        _tokens(item["window"]),
        _usd(price.get("input")),
        _usd(price.get("output")) + ("+" if price.get("tiers") else ""),
        _abilities(item["abilities"]) or "?",
        "local" if item["local"] else "yes" if item["key_present"] else "no",
        "yes" if item["trusted"] else "",
        _ends(item["deprecated"]),
    )


def _tokens(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _usd(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:.10g}"


def _abilities(item: Data) -> str:
    names = {"structured": "typed", "tools": "tools", "caching": "cached"}
    said = [name for key, name in names.items() if item[key]]
    thinks = item["reasoning"]
    return " ".join([*said, *([f"thinks:{thinks}"] if thinks not in (None, "none") else [])])


def _ends(item: Data | None) -> str:
    if item is None:
        return ""
    instead = f" -> {item['instead']}" if item["instead"] else ""
    return f"{item['ends'] or 'deprecated'}{instead}"


def shown(data: Data) -> list[Block]:
    """One model, or those of an alias, with who says what."""
    page: list[Block] = []
    for item in data["models"]:
        page += [*([Line()] if page else []), *_shown(item)]
    return page


def _shown(item: Data) -> list[Block]:
    abilities = {name: _yes_no(value) for name, value in item["abilities"].items()}
    sources = item["sources"]
    spoken = item["format"] if item["format"] == item["dialect"] else f"{item['format']} ({item['dialect']})"
    head = {
        "lineage": _of(item["lineage"], sources.get("lineage")),
        "window": _of(_tokens(item["window"]), sources.get("window")),
        "longest answer": _of(_tokens(item["max_output"]), sources.get("max_output")),
        "trusted": _of(_yes_no(item["trusted"]), sources.get("trusted")),
        "switched off": _ends(item["deprecated"]),
        "requests a minute": item["rpm"],
        "tokens a minute": item["tpm"],
        "asked at": item["address"],
        "spoken to as": spoken,
        "key": _key(item),
    }
    return [
        Line(item["name"], "bold"),
        *facts(head, 2),
        *_price(item["price"]),
        Line("can do, as far as it is known", "cyan", 2),
        *facts(abilities, 4),
    ]


def _of(value: Any, source: str | None) -> str:
    return f"{value}  ({source})" if source else str(value)


def _key(item: Data) -> str:
    if item["key_env"] is None:
        return "none is sent"
    return f"{item['key_env']} ({'set' if item['key_present'] else 'not set'})"


def _yes_no(value: object) -> str:
    return {None: "?", True: "yes", False: "no"}.get(value, str(value))  # type: ignore[call-overload, no-any-return]


def _price(item: Data | None) -> list[Block]:
    if item is None:
        return [Line("price: unknown, which is not nothing: say it in dissensus.toml", "yellow", 2)]
    since = f", {item['since']}" if item["since"] else ""
    rows = [
        ("any length", *_units(item)),
        *((f"over {tier['above']:,}", *_units(tier)) for tier in item["tiers"]),
    ]
    return [
        Line(f"price in USD per million tokens ({item['source'] or 'given'}{since})", "cyan", 2),
        *grid("prompt sent answered cached written", rows, "dim", 4),
    ]


def _units(item: Data) -> tuple[str, ...]:
    return tuple(
        _usd(item[name]) if item[name] is not None else "-"
        for name in ("input", "output", "cached", "written")
    )


def trials(data: Data) -> list[Block]:
    """What each model showed, and what it cost."""
    rows = [_trial(item) for item in data["models"] if item["passed"]]
    page = grid("model typed thinking streams first whole cached cost", rows, "bold")
    for item in data["models"]:
        if not item["passed"]:
            page.append(Line(f"{item['model']}: {_why(item['error'] or {})}", "red"))
    budget = data["budget"]
    page.append(Line(f"spent {money(budget['spent_usd'])} of {money(budget['limit_usd'])}", "dim"))
    if data["session"]:
        page.append(Line(f"kept as session {data['session']}", "dim"))
    return page


def _trial(item: Data) -> tuple[str, ...]:
    shown = f"{item['reasoning'] or 'none'}" + (
        f" ({item['reasoning_tokens']:,} tokens)" if item["reasoning_tokens"] else ""
    )
    first = "-" if item["ttft_ms"] is None else f"{item['ttft_ms']:,} ms"
    return (
        item["model"],
        item["typed"] or "-",
        shown,
        "yes" if item["streams"] else "no",
        first,
        f"{item['latency_ms']:,} ms",
        "seen" if item["cached_tokens"] else "not seen",
        money(item["usd"]),
    )


def _why(error: Data) -> str:
    """What went wrong and what to do, in one line."""
    said = f"{error.get('message', 'no answer')} [{error.get('code', '?')}]"
    return f"{said} {error['next']}" if error.get("next") else said
