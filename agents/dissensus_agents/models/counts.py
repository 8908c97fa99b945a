"""Tokens as OpenAI's formats count them, in buckets that do not overlap."""

from __future__ import annotations

from typing import Any

from ..messages import Usage
from .fields import count_in, object_in


def chat_usage(counts: Any) -> Usage | None:
    """What Chat Completions counted; None where the server did not count."""
    if not isinstance(counts, dict):
        return None
    sent, answered = count_in(counts, "prompt_tokens"), count_in(counts, "completion_tokens")
    if sent + answered == 0:
        return None
    details = object_in(counts, "prompt_tokens_details")
    cached = count_in(details, "cached_tokens") or count_in(counts, "prompt_cache_hit_tokens")
    reasoning = count_in(object_in(counts, "completion_tokens_details"), "reasoning_tokens")
    # xAI leaves the thinking out of completion_tokens, everybody else counts it in.
    apart = reasoning > 0 and count_in(counts, "total_tokens") == sent + answered + reasoning
    return _split(
        sent, cached, count_in(details, "cache_write_tokens"), answered + reasoning * apart, reasoning
    )


def responses_usage(counts: Any) -> Usage | None:
    """What Responses counted; None where the server did not count."""
    if not isinstance(counts, dict):
        return None
    sent, answered = count_in(counts, "input_tokens"), count_in(counts, "output_tokens")
    if sent + answered == 0:
        return None
    details = object_in(counts, "input_tokens_details")
    cached, written = count_in(details, "cached_tokens"), count_in(details, "cache_write_tokens")
    reasoning = count_in(object_in(counts, "output_tokens_details"), "reasoning_tokens")
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
