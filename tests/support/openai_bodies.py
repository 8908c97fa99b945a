"""Bodies and streams as OpenAI's two formats have them."""

from __future__ import annotations

from typing import Any

_DETAILS = [
    {"type": "reasoning.text", "text": "Both.", "signature": "c2ln", "index": 0},
    {"type": "reasoning.encrypted", "data": "ZW5j", "index": 1},
]
_TOOL = {"id": "c", "type": "function", "function": {"name": "answer", "arguments": '{"verdict": "guilty"}'}}
_CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 90,
    "total_tokens": 190,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 70},
    "cost": 0.001,
}

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "a-model",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": '{"verdict": "guilty"}'}],
                "reasoning": "Both.",
                "reasoning_details": _DETAILS,
                "tool_calls": [_TOOL],
                "refusal": None,
            },
            "finish_reason": "stop",
        }
    ],
    "usage": _CHAT_USAGE,
}


def _chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"model": "a-model", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


COMPLETION_CHUNKS: tuple[dict[str, Any], ...] = (
    _chunk(role="assistant", content=""),
    _chunk(reasoning="Bo", reasoning_details=[{**_DETAILS[0], "text": "Bo"}]),
    _chunk(reasoning="th.", reasoning_details=[{**_DETAILS[0], "text": "th."}, _DETAILS[1]]),
    _chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Both."}]}]),
    _chunk(content='{"verdict": '),
    _chunk(content='"guilty"}'),
    _chunk(tool_calls=[{"index": 0, **_TOOL}]),
    _chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
    _chunk("stop"),
    {"model": "a-model", "choices": [], "usage": _CHAT_USAGE},
)

_ITEMS: list[dict[str, Any]] = [
    {
        "id": "rs_0",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Both."}],
        "content": [{"type": "reasoning_text", "text": "Both were there."}],
        "encrypted_content": "ZW5j",
    },
    {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": '{"verdict": "guilty"}'},
            {"type": "refusal", "refusal": "No."},
        ],
    },
]

RESPONSE_OBJECT: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "error": None,
    "model": "gpt-5",
    "output": _ITEMS,
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 90,
        "output_tokens_details": {"reasoning_tokens": 70},
    },
}

RESPONSE_OBJECT_EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": {**RESPONSE_OBJECT, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEMS[0], "summary": []}},
    {
        "type": "response.reasoning_summary_text.delta",
        "output_index": 0,
        "summary_index": 0,
        "delta": "Both.",
    },
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEMS[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": {**_ITEMS[1], "content": []}},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": '{"verdict"'},
    {"type": "response.refusal.delta", "output_index": 1, "content_index": 1, "delta": "No."},
    {"type": "response.incomplete", "response": RESPONSE_OBJECT},
)
