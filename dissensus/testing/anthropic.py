"""Anthropic's Messages, as a server speaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answers import Answer, Received
from .speech import Event, pieces

_ENDINGS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "refusal": "refusal",
    "tool": "tool_use",
}


def whole(answer: Answer, asked: Received) -> dict[str, Any]:
    """The answer in one piece."""
    return {
        **_frame(answer, asked),
        "content": _blocks(answer),
        "stop_reason": _ENDINGS[answer.ending],
        "usage": _usage(answer, asked),
        **answer.extra,
    }


def stream(answer: Answer, asked: Received) -> Iterator[Event]:
    """The same as events; the tokens stand in the first and in the last but one."""
    for kind, data in _events(answer, asked):
        yield kind, {"type": kind, **data}


def _events(answer: Answer, asked: Received) -> Iterator[Event]:
    usage = _usage(answer, asked)
    begun = {**_frame(answer, asked), "content": [], "stop_reason": None, **answer.extra}
    yield "message_start", {"message": {**begun, "usage": {**usage, "output_tokens": 1} if usage else {}}}
    yield "ping", {}
    for index, block in enumerate(_blocks(answer)):
        yield "content_block_start", {"index": index, "content_block": _empty(block)}
        for delta in _deltas(block, answer.piece):
            yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    ending = {"stop_reason": _ENDINGS[answer.ending], "stop_sequence": None}
    yield "message_delta", {"delta": ending, "usage": usage}
    yield "message_stop", {}


def _frame(answer: Answer, asked: Received) -> dict[str, Any]:
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.called(asked),
        "stop_sequence": None,
    }


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.reasoning or answer.signature:
        blocks.append(
            {"type": "thinking", "thinking": answer.reasoning or "", "signature": answer.signature or "sig"}
        )
    if answer.encrypted:
        blocks.append({"type": "redacted_thinking", "data": answer.encrypted})
    if answer.tool:
        name, arguments = answer.tool
        blocks.append({"type": "tool_use", "id": "toolu_0", "name": name, "input": dict(arguments)})
    elif answer.refusal or answer.text is not None:
        blocks.append({"type": "text", "text": answer.refusal or answer.text})
    return blocks


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    """A block as it is when it begins."""
    begins: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    return {**block, **begins.get(block["type"], {})}


def _deltas(block: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"], size))
    if block["type"] == "thinking":
        for piece in pieces(block["thinking"], size):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    if block["type"] == "tool_use":
        for piece in pieces(json.dumps(block["input"]), size):
            yield {"type": "input_json_delta", "partial_json": piece}


def _usage(answer: Answer, asked: Received) -> dict[str, Any]:
    """The tokens: what was read from the cache and written into it is not in `input_tokens`."""
    if not answer.counted:
        return {}
    used = answer.tokens(asked)
    return {
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": used.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": used.output + used.reasoning,
        "output_tokens_details": {"thinking_tokens": used.reasoning},
        "service_tier": "standard",
    }
