"""Bodies and streams as the providers send them, and broken ones made from them."""

from __future__ import annotations

import copy
import random
from typing import Any

from dissensus_agents.models.formats import Event

MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-20260901",
    "content": [
        {"type": "thinking", "thinking": "Who was there? Both.", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
        {"type": "text", "text": '{"verdict": "guilty"}'},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 12,
        "cache_read_input_tokens": 4000,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 70},
        "service_tier": "standard",
    },
}

MESSAGE_EVENTS: tuple[dict[str, Any], ...] = (
    {
        "type": "message_start",
        "message": {
            **MESSAGE,
            "content": [],
            "stop_reason": None,
            "usage": {**MESSAGE["usage"], "output_tokens": 1, "output_tokens_details": None},
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "ping"},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Who was there? "},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Both."}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "signature_delta", "signature": "c2lnbmVk"},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
    },
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": '{"verdict": '}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": '"guilty"}'}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": None,
            "output_tokens": 90,
            "output_tokens_details": {"thinking_tokens": 70},
        },
    },
    {"type": "message_stop"},
)

RESPONSE: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "**Weighing** Who was there? Both.", "thought": True},
                    {"text": '{"verdict": "guilty"}', "thoughtSignature": "c2lnbmVk"},
                ],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 4300,
        "cachedContentTokenCount": 4000,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 70,
        "totalTokenCount": 4390,
    },
    "modelVersion": "gemini-3.8-flash",
    "responseId": "r1",
}

RESPONSE_CHUNKS: tuple[dict[str, Any], ...] = (
    {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "**Weighing** Who was ", "thought": True}]},
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 4300, "thoughtsTokenCount": 30},
        "modelVersion": "gemini-3.8-flash",
        "responseId": "r1",
    },
    {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "there? Both.", "thought": True}]}, "index": 0}
        ],
        "modelVersion": "gemini-3.8-flash",
    },
    {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [{"text": '{"verdict": "guilty"}', "thoughtSignature": "c2lnbmVk"}],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": RESPONSE["usageMetadata"],
        "modelVersion": "gemini-3.8-flash",
    },
)

WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**40,
    1.5,
    float("nan"),
    "",
    "\ud800",
    "x" * 300,
    [],
    [None],
    [[]],
    {},
    {"type": []},
    {"text": {}},
)


def events(stream: tuple[dict[str, Any], ...]) -> list[Event]:
    """A stream as the events of it."""
    return [Event(data, str(data.get("type", ""))) for data in stream]


def broken(body: Any, seed: int) -> Any:
    """The body with some places in it changed, dropped or doubled."""
    chance = random.Random(seed)
    made = copy.deepcopy(body)
    for _ in range(chance.randint(1, 4)):
        places = list(_places(made))
        if not places:
            break
        holder, key = chance.choice(places)
        move = chance.random()
        if move < 0.7:
            holder[key] = copy.deepcopy(chance.choice(WRONG))
        elif move < 0.85:
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[f"{key}_"] = holder.pop(key)
    return made


def _places(value: Any) -> Any:
    """Every place in a body where something can be changed."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
