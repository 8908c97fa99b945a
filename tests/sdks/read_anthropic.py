"""Anthropic's SDK reads Messages: `python read_anthropic.py URL < cases.json`."""

from __future__ import annotations

import sys
from typing import Any

from anthropic import Anthropic
from seen import Number, run, seen

CLIENT = Anthropic(api_key="sk-theirs", base_url=sys.argv[1], max_retries=1, timeout=5)
ASKED: dict[str, Any] = {
    "max_tokens": 1000,
    "system": "You are ana.",
    "messages": [{"role": "user", "content": "What is it?"}],
}
ENDS = {"end_turn": "stop", "max_tokens": "length"}


def whole(case: str) -> dict[str, Any]:
    if case == "structured":
        return of_message(CLIENT.messages.parse(model=case, output_format=Number, **ASKED))
    return of_message(CLIENT.messages.create(model=case, **ASKED))


def streamed(case: str) -> dict[str, Any]:
    more: dict[str, Any] = {"output_format": Number} if case == "structured" else {}
    with CLIENT.messages.stream(model=case, **ASKED, **more) as stream:
        return of_message(stream.get_final_message())


def of_message(message: Any) -> dict[str, Any]:
    counts = message.usage
    thought = counts.output_tokens_details.thinking_tokens if counts.output_tokens_details else 0
    usage = {
        "input": counts.input_tokens,
        "output": counts.output_tokens - thought,
        "cached": counts.cache_read_input_tokens or 0,
        "written": counts.cache_creation_input_tokens or 0,
        "reasoning": thought,
    }
    value = getattr(message, "parsed_output", None)
    return seen(
        "".join(block.text for block in message.content if block.type == "text"),
        "".join(block.thinking for block in message.content if block.type == "thinking"),
        usage,
        ENDS.get(message.stop_reason, message.stop_reason),
        message.model,
        parsed=value.model_dump() if isinstance(value, Number) else None,
        signatures=[block.signature for block in message.content if block.type == "thinking"],
        encrypted=[block.data for block in message.content if block.type == "redacted_thinking"],
    )


run({"anthropic": (whole, streamed)})
