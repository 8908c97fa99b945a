"""Tokens as OpenAI's formats count them, in buckets that do not overlap."""

from __future__ import annotations

from typing import Any

from ..messages import Usage

MOST_TOKENS = 10**9
"""A count above this is no count."""


def chat_usage(counts: Any) -> Usage | None:
    """What Chat Completions counted; None where the server did not count."""
    if not isinstance(counts, dict):
        return None
    sent, answered = count(counts, "prompt_tokens"), count(counts, "completion_tokens")
    if sent + answered == 0:
        return None
    details = part(counts, "prompt_tokens_details")
    cached = count(details, "cached_tokens") or count(counts, "prompt_cache_hit_tokens")
    reasoning = count(part(counts, "completion_tokens_details"), "reasoning_tokens")
    # xAI leaves the thinking out of completion_tokens, everybody else counts it in.
    apart = reasoning > 0 and count(counts, "total_tokens") == sent + answered + reasoning
    return _split(sent, cached, count(details, "cache_write_tokens"), answered + reasoning * apart, reasoning)


def responses_usage(counts: Any) -> Usage | None:
    """What Responses counted; None where the server did not count."""
    if not isinstance(counts, dict):
        return None
    sent, answered = count(counts, "input_tokens"), count(counts, "output_tokens")
    if sent + answered == 0:
        return None
    details = part(counts, "input_tokens_details")
    cached, written = count(details, "cached_tokens"), count(details, "cache_write_tokens")
    reasoning = count(part(counts, "output_tokens_details"), "reasoning_tokens")
    return _split(sent, cached, written, answered, reasoning)


def _split(sent: int, cached: int, written: int, answered: int, reasoning: int) -> Usage:
    """Buckets of what was sent in all and answered in all, whatever a server says of the parts."""
    cached = min(cached, sent)
    written = min(written, sent - cached)
    reasoning = min(reasoning, answered)
    return Usage(
        input=sent - cached - written,
        output=answered - reasoning,
        cached=cached,
        reasoning=reasoning,
        written=written,
    )


def part(counts: dict[str, Any], name: str) -> dict[str, Any]:
    """The counts within a count; none where there are none."""
    inner = counts.get(name)
    return inner if isinstance(inner, dict) else {}


def count(counts: dict[str, Any], name: str) -> int:
    """A count; 0 where it is none."""
    number = counts.get(name)
    if isinstance(number, bool) or not isinstance(number, int):
        return 0
    return number if 0 <= number <= MOST_TOKENS else 0
