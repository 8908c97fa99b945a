"""The page of one model call: who was asked, who was passed over and why, what came, what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .blocks import Block, Line
from .data import Data
from .pages import facts, text_of
from .texts import compact, money

_TOLD_APART = {"tries", "passed_over", "answered_by", "reused"}
"""What of a call's detail has a line of its own."""

_STATUS = {
    "held": "held back, not sent",
    "sent": "sent, no answer yet",
    "partial": "broke off, a part is kept",
    "unknown": "nobody knows what came of it",
}
_STYLES = {"answered": "cyan", "failed": "red", "partial": "yellow", "unknown": "yellow", "held": "dim"}


def call(item: Data) -> Iterator[Block]:
    """A call, with the thinking and the answer."""
    title = f"call {item['attempt']} of {item['agent']} to {item['model']} ({item['lineage']})"
    status = _STATUS.get(item["status"], item["status"])
    yield Line(f"{title}: {status}, {_figures(item)}", _STYLES.get(item["status"], "cyan"), 2)
    yield from facts(_beside(item), 4)
    yield from (Line(told, "yellow", 4) for told in left_out(item["request"]))
    yield from text_of(item["reasoning_kind"], item["reasoning"], 4)
    yield from text_of("the part that came" if item["status"] == "partial" else "answer", item["answer"], 4)


def _figures(item: Data) -> str:
    """Tokens, money and time; what was not sent has none but its reservation."""
    if item["status"] == "held":
        return f"{money(item['reserved_usd'])} reserved"
    told = [_tokens(item), _cost(item), f"{item['latency_ms']:,} ms"]
    if item["ttft_ms"] is not None:
        told.append(f"first piece after {item['ttft_ms']:,} ms")
    return ", ".join(told)


def _tokens(item: Data) -> str:
    sent = _parted(item["input_tokens"], "in", cached=item["cached_tokens"], written=item["written_tokens"])
    answered = _parted(item["output_tokens"], "out", thinking=item["reasoning_tokens"])
    counted = " (estimated)" if item["estimated"] else ""
    return f"{sent}, {answered}{counted}"


def _parted(count: int, where: str, **beside: int) -> str:
    more = "".join(f" + {number:,} {name}" for name, number in beside.items() if number)
    return f"{count:,}{more} tokens {where}"


def _cost(item: Data) -> str:
    charged = item["status"] in {"partial", "unknown"} and item["usd"] is not None
    return money(item["usd"]) + (
        " charged in full" if charged and item["usd"] == item["reserved_usd"] else ""
    )


def _beside(item: Data) -> Data:
    """What happened around the call, each in a line."""
    detail = {name: value for name, value in (item["detail"] or {}).items() if name not in _TOLD_APART}
    return {
        "used again": _place(item["reused"]),
        "passed over": [_passed(one) for one in _objects(item["passed_over"])],
        "tried before": [_try(one) for one in _objects(item["tries"])],
        "answered by": item["answered_by"],
        "holds beside money": item["holds"] if item["status"] in {"held", "sent"} else None,
        "ended": None if item["finish_reason"] == "stop" else item["finish_reason"],
        "detail": detail,
    }


def _objects(value: Any) -> list[Data]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _passed(one: Data) -> str:
    """`openai:gpt-5: rate_limit, left in peace for 12 s`."""
    seconds = one.get("seconds")
    waits = f", left in peace for {seconds:g} s" if isinstance(seconds, int | float) else ""
    return f"{one.get('model', '?')}: {_words(one.get('why'))}{waits}"


def _try(one: Data) -> str:
    """`rate limit (429), then waited 1,200 ms`."""
    status, waited = one.get("status"), one.get("waited_ms")
    told = _words(one.get("kind")) + (f" ({status})" if status is not None else "")
    return told + (f", then waited {waited:,} ms" if isinstance(waited, int) and waited else "")


def _words(kind: Any) -> str:
    return str(kind).replace("_", " ") if kind else "?"


def _place(reused: Any) -> str | None:
    return None if reused is None else compact(reused)


def left_out(request: object) -> Iterator[str]:
    """What of a recorded prompt was not shown to the model, a line for each part."""
    parts = request[1] if isinstance(request, list) and len(request) > 1 else []
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, list) and len(part) == 3 and isinstance(part[2], dict):
            yield f"{part[0] or '/'}: {shown_of(part[2])}"


def shown_of(item: Mapping[str, Any]) -> str:
    """What of one part was shown, in words."""
    if item["by"] == "summary":
        calls = ", ".join(f"call {attempt} of {seat}" for seat, attempt in item["summaries"])
        return f"shown as a summary ({calls})"
    kept = sum(end - begin for begin, end in item["kept"])
    if item["by"] == "piece":
        return f"characters {item['kept'][0][0]:,} to {item['kept'][0][1]:,} of {item['of']:,}"
    rule = {"newest": "newest first", "relevant": "the most relevant"}[item["by"]]
    return f"{kept:,} of {item['of']:,} items shown, {item['of'] - kept:,} left out ({rule})"
